"""The step ``estimate_hyperalgesia``: does pain rise or fall after a dose escalation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import confounders, escalation, histories, naive, pain_months, trial, visits


def estimate_hyperalgesia(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates and the display of pain around the decision; returns what was done, in counts."""
    options = Hyperalgesia(**settings["hyperalgesia"])
    tables = {name: io.read_table(inputs[name]) for name in ("pain", "daily_dose", "opioid_status", "cohort")}
    rows, display, decisions = analyse(
        tables, options, baseline=settings["covariates"]["baseline"], missing=settings["covariates"]["missing"]
    )
    frame = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(frame, outputs["estimates"])
    io.write_frame(display, outputs["pain_escalation"])
    for name in ("escalation_diagnostics", "noise_tipping"):
        io.write_frame(DISPLAYS[name].empty(), outputs[name])
    io.write_json(outputs["facts"], {})
    evaluable = sum(row.gate == "pass" for row in rows)
    return f"{decisions} decisions, {evaluable} of {len(rows)} estimates evaluable"


def analyse(
    tables: dict[str, pl.DataFrame], options: Hyperalgesia, *, baseline: list[str], missing: str
) -> tuple[list[Estimate], pl.DataFrame, int]:
    """The rows of ``hyperalgesia.escalation`` and ``hyperalgesia.naive``, the display, and the number of decisions."""
    rule = options.escalation
    labels = [f"{first}-{last}" for first, last in options.windows_days]
    why = _impossible(tables)
    if why:
        return _nothing(labels, options, why), pain_months.by_month(None, None, grace_days=rule.grace_days), 0
    known = histories.build(tables["cohort"], tables["pain"], tables["daily_dose"], tables["opioid_status"])
    slope = naive.slope(known, step_mme=options.step_mme)
    chosen = visits.eligible(known, stable_days=rule.stable_days)
    terms = confounders.build(
        chosen, known, baseline=baseline, missing=missing, min_rise=rule.min_rise, min_mme=rule.min_mme
    )
    decisions = trial.escalations(chosen, terms, known, rule)
    display = pain_months.by_month(decisions, known, grace_days=rule.grace_days)
    if len(decisions.visits.person) == 0:
        why = f"nobody on a stable dose for {rule.stable_days} days reported pain"
        return [*_nothing(labels, options, why)[:-1], slope], display, 0
    windows = [trial.window(decisions, known, days, rule.grace_days) for days in options.windows_days]
    rows = [
        *escalation.estimates(decisions, windows, step_mme=options.step_mme),
        *(naive.crude_contrast(decisions, each) for each in windows),
        slope,
    ]
    return rows, display, len(decisions.visits.person)


def _impossible(tables: dict[str, pl.DataFrame]) -> str | None:
    if tables["cohort"].is_empty():
        return "nobody is eligible"
    if tables["pain"].is_empty():
        return "no pain scores"
    if tables["daily_dose"].is_empty():
        return "nobody has a dispensing that gives a daily dose"
    if tables["daily_dose"].filter(pl.col("mme").is_not_null(), pl.col("mme_incomplete") == 0).is_empty():
        return "the dose is unknown on every day with supply"
    return None


def _nothing(labels: list[str], options: Hyperalgesia, why: str) -> list[Estimate]:
    gate = f"not evaluable: {why}"
    return [
        *escalation.empty(labels, why),
        *(naive.crude_row(label, gate=gate) for label in labels),
        naive.slope_row(options.step_mme, gate=gate),
    ]
