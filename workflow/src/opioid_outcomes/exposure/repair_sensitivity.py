"""What the doses rest on: days with supply from all fills, and without the repaired ones (``repair_sensitivity``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import polars as pl

from opioid_outcomes.exposure.stretches import Array
from opioid_outcomes.exposure.windows import reaches
from opioid_outcomes.units import DAYS_PER_YEAR

ALL, WITHOUT = "all", "without repaired"
THRESHOLDS = (50, 90)  # MME/day: CDC 2016 and 2022 ask for care from 50 on, CDC 2016 for justification from 90 on
COLUMNS = {
    "fills_used": pl.String, "persons": pl.Int64, "person_years": pl.Float64, "mean_mme": pl.Float64,
    "share_50": pl.Float64, "share_90": pl.Float64, "persons_50": pl.Int64, "persons_90": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Days:
    """Days with supply of some people, counted; ``over``, ``persons_over``: at ``THRESHOLDS`` and more."""

    persons: int
    days: int
    known: int  # days of a known dose
    mme: float  # summed over them
    over: tuple[int, ...]
    persons_over: tuple[int, ...]

    @classmethod
    def of(cls, daily: pl.DataFrame) -> Days:
        """``daily``: person_id, start, stop, mme, sorted by person."""
        person = daily.get_column("person_id").rle_id().to_numpy()
        days = (daily.get_column("stop") - daily.get_column("start")).to_numpy().astype(np.int64)
        mme = daily.get_column("mme").to_numpy()
        known = ~np.isnan(mme)
        over = [np.flatnonzero(reaches(mme, threshold)) for threshold in THRESHOLDS]
        return cls(
            _distinct(person),
            int(days.sum()),
            int(days[known].sum()),
            float((mme[known] * days[known]).sum()),
            tuple(int(days[rows].sum()) for rows in over),
            tuple(_distinct(person[rows]) for rows in over),
        )

    def __add__(self, other: Days) -> Days:
        """Of both, who are different people."""
        pairs = [zip(mine, theirs, strict=True) for mine, theirs in
                 ((self.over, other.over), (self.persons_over, other.persons_over))]  # fmt: skip
        return Days(
            self.persons + other.persons,
            self.days + other.days,
            self.known + other.known,
            self.mme + other.mme,
            *(tuple(mine + theirs for mine, theirs in pair) for pair in pairs),
        )


NO_DAYS = Days(0, 0, 0, 0.0, (0,) * len(THRESHOLDS), (0,) * len(THRESHOLDS))


@dataclass(frozen=True)
class Sensitivity:
    """Days from all fills and from those not repaired, and the people with repaired fills."""

    every: Days
    without: Days
    repaired_people: int

    @classmethod
    def sum(cls, parts: Iterable[Sensitivity]) -> Sensitivity:
        """Of all of them, who are different people."""
        return reduce(
            lambda one, other: cls(
                one.every + other.every, one.without + other.without, one.repaired_people + other.repaired_people
            ),
            parts,
        )


def repair_sensitivity(found: Sensitivity) -> pl.DataFrame:
    """fills_used, persons, person_years, mean_mme, share_50, share_90: a row for all fills, one without the repaired.

    Days are those with supply; mean and shares (at 50 and 90 MME/day or more) are over days of a known dose, null
    without any. persons_repaired (in the row of all fills: persons), persons_50 and persons_90 are the people behind
    the difference and the shares. No rows if nobody has a day with supply.
    """
    rows = [_row(ALL, found.every), _row(WITHOUT, found.without)]
    behind = pl.Series("persons_repaired", [found.every.persons, found.repaired_people], pl.Int64)
    return pl.DataFrame(rows, schema=COLUMNS).with_columns(behind).head(2 if found.every.persons else 0)


def _row(fills_used: str, days: Days) -> dict[str, object]:
    row: dict[str, object] = {
        "fills_used": fills_used,
        "persons": days.persons,
        "person_years": days.days / DAYS_PER_YEAR,
        "mean_mme": days.mme / days.known if days.known else None,
    }
    for threshold, over, persons in zip(THRESHOLDS, days.over, days.persons_over, strict=True):
        row[f"share_{threshold}"] = over / days.known if days.known else None
        row[f"persons_{threshold}"] = persons
    return row


def _distinct(person: Array) -> int:
    """How many persons; the codes are sorted."""
    return int((np.diff(person) != 0).sum()) + 1 if len(person) else 0
