"""When mortality may not be read, whatever the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import BASELINE_USE

MOST_UNOBSERVED = 0.05  # ANALYSES 4, gates
NOT_EVALUABLE = "not evaluable: "


def unobserved_deaths(followed: int, after_observation: int) -> str | None:
    """The gate of a cohort of whose deaths too many fall outside follow-up for want of observation; None if it passes.

    followed: deaths that end follow-up; after_observation: deaths of people whose observation had ended before. Who
    leaves observation to die elsewhere is missing from every rate, and not at random.
    """
    total = followed + after_observation
    if total == 0 or after_observation / total <= MOST_UNOBSERVED:
        return None
    return f"fail: more than {100 * MOST_UNOBSERVED:.0f} % of deaths fall outside follow-up for want of observation"


def name_unknown_use(rows: Sequence[Estimate], person_time: pl.DataFrame) -> list[Estimate]:
    """Estimates by use at time zero: where it is unknown for most people, that is why they are not evaluable."""
    people = person_time.unique("person_id")
    if 2 * people["baseline_user"].null_count() <= people.height:
        return list(rows)
    gate = f"{NOT_EVALUABLE}opioid use at time zero is unknown for most people (not interviewed then)"
    by_use = (BASELINE_USE.label, *BASELINE_USE.arms)
    return [
        replace(row, gate=gate) if row.contrast in by_use and row.gate.startswith(NOT_EVALUABLE) else row
        for row in rows
    ]
