"""How much person-time there is, and who is in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from opioid_outcomes.units import DAYS_PER_YEAR


@dataclass(frozen=True)
class Amount:
    persons: int
    events: int
    person_years: float

    def cells(self) -> tuple[int, int, int]:
        """The groups of people that the amount tells of: all, the dead, the others."""
        return self.persons, self.events, self.persons - self.events

    def counts(self) -> dict[str, Any]:
        """The count columns of an ``Estimate``."""
        return asdict(self)


def amount(rows: pl.DataFrame) -> Amount:
    """Distinct persons, deaths and person-years of person-time rows."""
    days = int((rows["stop"] - rows["start"]).sum() or 0)
    return Amount(rows["person_id"].n_unique(), int(rows["death"].sum() or 0), days / DAYS_PER_YEAR)
