"""Records of people as arrays, sorted by person and day. Persons are codes: positions among sorted ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from opioid_outcomes.exposure.stretches import Array, latest


@dataclass(frozen=True)
class Records:
    """One row a record; subclasses add its values. Sorted by person, then day."""

    person: Array
    day: Array

    def of_people(self, low: int, high: int) -> Self:
        """Records of persons low to high - 1."""
        first, end = np.searchsorted(self.person, [low, high])
        return type(self)(*(values[first:end] for values in vars(self).values()))

    def latest(self, person: Array, day: Array) -> Array:
        """Row of each person's latest record on or before the day; -1 where there is none."""
        return latest(person, day, self.person, self.day)


def at(values: Array, rows: Array, missing: float) -> Array:
    """``values`` at ``rows``; ``missing`` where the row is -1."""
    if not len(values):
        return np.full(len(rows), missing, dtype=values.dtype)
    return np.where(rows < 0, np.array(missing, dtype=values.dtype), values[rows])


def of_people(frame: pl.DataFrame, ids: pl.Series) -> tuple[pl.DataFrame, Array]:
    """Rows of ``frame`` whose person is among ``ids``, and their codes. Both are sorted by person_id.

    One lookup a person, not a row.
    """
    own = frame.get_column("person_id")
    changes = own.ne_missing(own.shift())
    people = ids.to_frame("person_id").with_row_index("code")
    known = own.filter(changes).to_frame().join(people, on="person_id", how="left", maintain_order="left")
    codes = known.get_column("code").cast(pl.Int64).fill_null(-1).to_numpy()
    person = codes[changes.cum_sum().to_numpy().astype(np.int64) - 1]
    if (codes >= 0).all():
        return frame, person
    return frame.filter(pl.Series(person >= 0, dtype=pl.Boolean)), person[person >= 0]


def days(frame: pl.DataFrame, name: str) -> Array:
    return frame.get_column(name).to_physical().to_numpy().astype(np.int64)
