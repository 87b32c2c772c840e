"""Records of people as arrays, sorted by person and day. Persons are codes: positions among sorted ids."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from opioid_outcomes.exposure.stretches import Array, latest


@dataclass(frozen=True)
class Records:
    """One row a record; subclasses add its values. Sorted by person, then day."""

    person: Array
    day: Array

    def latest(self, person: Array, day: Array) -> Array:
        """Row of each person's latest record on or before the day; -1 where there is none."""
        return latest(person, day, self.person, self.day)


def at(values: Array, rows: Array, missing: float) -> Array:
    """``values`` at ``rows``; ``missing`` where the row is -1."""
    if not len(values):
        return np.full(len(rows), missing, dtype=values.dtype)
    found = values.take(rows)
    found[rows < 0] = missing
    return found


def of_people(frame: pl.DataFrame, ids: pl.Series) -> tuple[pl.DataFrame, Array]:
    """Rows of ``frame`` whose person is among ``ids``, and their codes. Both are sorted by person_id.

    One search a person, not a row.
    """
    own = frame.get_column("person_id")
    whole = own.dtype.is_integer()
    changes = np.diff(own.to_numpy()) != 0 if whole else own.slice(1).ne_missing(own.shift().slice(1)).to_numpy()
    first = np.append(0, np.flatnonzero(changes) + 1)[: len(own)]
    mine = own.gather(pl.Series(first, dtype=pl.UInt32))
    if whole:
        place, known = np.searchsorted(ids.to_numpy(), mine.to_numpy()), ids.to_numpy()
        found = np.append(known, known[-1:])[place] == mine.to_numpy() if len(known) else np.zeros(len(mine), bool)
    else:
        people = ids.to_frame("person_id").with_row_index("code")
        joined = mine.to_frame().join(people, on="person_id", how="left", maintain_order="left").get_column("code")
        place, found = joined.fill_null(0).to_numpy(), joined.is_not_null().to_numpy()
    rows = np.diff(np.append(first, len(own)))
    person = np.repeat(place.astype(np.int64), rows)
    if found.all():
        return frame, person
    kept = np.repeat(found, rows)
    return frame.filter(pl.Series(kept)), person[kept]


def whole_people(tables: list[pl.DataFrame], rows: int) -> list[list[pl.DataFrame]]:
    """The tables, each sorted by person_id, in blocks of about ``rows`` rows; a person is in one block of each."""
    ids = [table.get_column("person_id") for table in tables]
    edges = pl.concat([column.gather_every(rows).slice(1) for column in ids]).unique().sort()
    bounds = [[0, *column.search_sorted(edges).to_list(), len(column)] for column in ids]
    return [
        [table.slice(low, high - low) for table, (low, high) in zip(tables, block, strict=True)]
        for block in zip(*(pairwise(edge) for edge in bounds), strict=True)
    ]


def days(frame: pl.DataFrame, name: str) -> Array:
    column = frame.get_column(name)
    whole = column if column.dtype.is_integer() else column.to_physical()
    return whole.to_numpy().astype(np.int64)
