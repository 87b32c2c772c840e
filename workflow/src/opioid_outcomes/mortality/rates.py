"""``mortality.rate``: deaths per 1000 person-years by state of opioid use, with exact limits."""

from __future__ import annotations

from dataclasses import asdict, replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.contrasts import Contrast, Exposure, main_contrast
from opioid_outcomes.mortality.person_years import amount
from opioid_outcomes.survival.rates import log_rate_ratio, per_1000_person_years

STATES = ("never", "recent", "former", "treatment", "unknown")


def rates(person_time: pl.DataFrame, *, exposure: Exposure) -> list[Estimate]:
    """Rates of everybody and of each group, and the ratio of the two groups the cohort can compare. Unweighted."""
    rows = [_rate(person_time, "all")]
    contrast = main_contrast(exposure)
    if contrast:
        for name, value in zip(contrast.arms, (1, 0), strict=True):
            rows.append(_rate(person_time.filter(contrast.exposure == value), name))
    if exposure == "time_varying":
        states = ((state, person_time.filter(pl.col("use_state") == state)) for state in STATES)
        rows += [_rate(found, state) for state, found in states if found.height]
    return [*rows, _ratio(person_time, contrast)] if contrast else rows


def _row(rows: pl.DataFrame, contrast: str, scale: str) -> Estimate:
    return Estimate(
        analysis="mortality.rate", method="crude", population="eligible persons, unweighted", outcome="death",
        contrast=contrast, scale=scale, **amount(rows).counts(), gate="not evaluable: nobody is followed in this group",
    )  # fmt: skip


def _rate(rows: pl.DataFrame, name: str) -> Estimate:
    row = _row(rows, name, "rate_per_1000py")
    if rows.is_empty():
        return row
    found = amount(rows)
    rate = per_1000_person_years(found.events, found.person_years)
    return replace(
        row, estimate=rate.rate, ci_low=rate.ci_low, ci_high=rate.ci_high, se=rate.se, gate="pass",
        note="exact Poisson limits",
    )  # fmt: skip


def _ratio(person_time: pl.DataFrame, contrast: Contrast) -> Estimate:
    """Log ratio of the two rates."""
    row = _row(person_time.filter(contrast.exposure.is_not_null()), contrast.label, "log_rate_ratio")
    one, other = (amount(person_time.filter(contrast.exposure == value)) for value in (1, 0))
    row = replace(row, smallest_cell=smallest(*one.cells(), *other.cells()))
    for name, arm in zip(contrast.arms, (one, other), strict=True):
        if not arm.persons:
            return replace(row, gate=f"not evaluable: nobody in group '{name}'")
        if not arm.events:
            return replace(row, gate=f"not evaluable: no deaths in group '{name}'")
    ratio = log_rate_ratio((one.events, other.events), (one.person_years, other.person_years))
    return replace(row, **asdict(ratio), gate="pass")
