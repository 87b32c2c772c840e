"""When mortality may not be read, whatever the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import BASELINE_USE

MOST_UNOBSERVED, MOST_APART = 0.05, 0.02  # ANALYSES 4, gates
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


def unobserved_deaths_of(notes: Mapping[str, Any]) -> str | None:
    """The gate of a cohort by its notes: too many deaths outside follow-up, or not as many in one arm as in the other.

    notes: cohort_notes.json. The arms are on and off opioids on the last observed day (or at the interview). Shares of
    an arm without deaths are none, and nothing is compared.
    """
    overall = unobserved_deaths(notes["deaths"], notes["deaths_after_observation"])
    arms = list(notes.get("deaths_by_arm", {}).values())
    totals = [arm["followed"] + arm["after_observation"] for arm in arms]
    if overall or len(arms) < 2 or not all(totals):
        return overall
    shares = [arm["after_observation"] / total for arm, total in zip(arms, totals, strict=True)]
    if abs(shares[0] - shares[1]) <= MOST_APART:
        return None
    return (
        f"fail: the shares of deaths outside follow-up for want of observation, on and off opioids, differ by more than"
        f" {100 * MOST_APART:.0f} points"
    )


def withheld(rows: Sequence[Estimate], why: str | None) -> list[Estimate]:
    """The rows, those that passed under the gate ``why`` instead; as they are where there is none."""
    return [replace(row, gate=why) if why and row.gate == "pass" else row for row in rows]


def name_unknown_use(rows: Sequence[Estimate], person_time: pl.DataFrame) -> list[Estimate]:
    """Estimates by use at time zero: where it is unknown for most people, that is why they are not evaluable."""
    people = person_time.unique("person_id")
    if 2 * people["baseline_user"].null_count() <= people.height:
        return list(rows)
    gate = f"{NOT_EVALUABLE}opioid use at time zero is unknown for most people (not interviewed then)"
    by_use = {BASELINE_USE.label, *BASELINE_USE.arms}  # alone, or against the general population
    return [
        replace(row, gate=gate)
        if by_use & {row.contrast, row.contrast.split(" vs ")[0]} and row.gate.startswith(NOT_EVALUABLE)
        else row
        for row in rows
    ]
