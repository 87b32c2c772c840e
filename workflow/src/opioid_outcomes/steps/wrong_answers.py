"""Stage ``estimate_wrong_answers``: what is commonly done and does not tell relief from harm, shown as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import confounders, event_study, histories, naive, trial, visits, within_person
from opioid_outcomes.steps.hyperalgesia import _impossible

TABLES = ("pain", "daily_dose", "opioid_status", "cohort")


def estimate_wrong_answers(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates; returns what was done, in counts."""
    rows = analyse(
        {name: io.read_table(inputs[name]) for name in TABLES}, Hyperalgesia(**settings["hyperalgesia"]),
        baseline=settings["covariates"]["baseline"], missing=settings["covariates"]["missing"],
    )  # fmt: skip
    frame = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(frame, outputs["estimates"])
    told = sum(row.estimate is not None for row in rows)
    return f"{told} of {len(rows)} wrong answers told"


def analyse(
    tables: dict[str, pl.DataFrame], options: Hyperalgesia, *, baseline: list[str], missing: str
) -> list[Estimate]:
    """The rows of ``hyperalgesia.naive``, ``.within_person`` and ``.event_study``."""
    rule, step, labels = options.escalation, options.step_mme, [f"{a}-{b}" for a, b in options.windows_days]
    why = _impossible(tables)
    if why:
        return [naive.slope_row(step, gate=f"not evaluable: {why}"), *_nothing(labels, step, why)]
    known = histories.build(tables["cohort"], tables["pain"], tables["daily_dose"], tables["opioid_status"])
    chosen = visits.eligible(known, stable_days=rule.stable_days)
    terms = confounders.build(
        chosen, known, baseline=baseline, missing=missing, min_rise=rule.min_rise, min_mme=rule.min_mme
    )
    decisions = trial.escalations(chosen, terms, known, rule)
    windows = [trial.window(decisions, known, days, rule.grace_days) for days in options.windows_days]
    scores = naive.scores_with_dose(known)
    return [
        naive.slope(known, step_mme=step),
        *(naive.crude_contrast(decisions, each) for each in windows),
        *within_person.slopes(scores, step_mme=step),
        within_person.lagged_slope(scores, step_mme=step),
        *(within_person.change(decisions, each) for each in windows),
        *event_study.estimates(decisions, known),
    ]


def _nothing(labels: list[str], step_mme: float, why: str) -> list[Estimate]:
    return [
        *(naive.crude_row(label, gate=f"not evaluable: {why}") for label in labels),
        *within_person.empty(labels, why, step_mme=step_mme),
        *event_study.empty(why),
    ]
