"""The absolute rate beside a relative number: deaths per 1000 person-years of one group."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.person_years import amount
from opioid_outcomes.survival.rates import per_1000_person_years


def group_rate(
    rows: pl.DataFrame, group: str, *, analysis: str, outcome: str = "death", window: str = "", method: str = "crude"
) -> Estimate:
    """Crude rate of the person-time ``rows`` with exact Poisson limits; unweighted."""
    found = amount(rows)
    row = Estimate(
        analysis=analysis, method=method, population="eligible persons, unweighted", outcome=outcome, contrast=group,
        window=window, scale="rate_per_1000py", persons=found.persons, events=found.events,
        person_years=found.person_years, smallest_cell=smallest(*found.cells()),
        gate="not evaluable: nobody is followed in this group",
    )  # fmt: skip
    if rows.is_empty():
        return row
    rate = per_1000_person_years(found.events, found.person_years)
    return replace(
        row, estimate=rate.rate, ci_low=rate.ci_low, ci_high=rate.ci_high, se=rate.se, gate="pass",
        note="exact Poisson limits",
    )  # fmt: skip
