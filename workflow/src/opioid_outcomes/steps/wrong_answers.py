"""Stage ``estimate_wrong_answers``: what is commonly done and does not tell relief from harm, shown as such."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import confounders, event_study, instrument, naive, trial, visits, within_person
from opioid_outcomes.hyperalgesia.inputs import TABLES, known


def estimate_wrong_answers(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates; returns what was done, in counts."""
    rows = analyse({name: io.read_table(inputs[name]) for name in TABLES}, settings)
    frame = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(frame, outputs["estimates"])
    told = sum(row.estimate is not None for row in rows)
    return f"{told} of {len(rows)} wrong answers told"


def analyse(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> list[Estimate]:
    """The rows of ``hyperalgesia.naive``, ``.within_person`` and ``.event_study``.

    ``tables``: those of ``hyperalgesia.inputs``; ``settings``: the step's slice.
    """
    options = Hyperalgesia(**settings["hyperalgesia"])
    rule, step, labels = options.escalation, options.step_mme, [f"{a}-{b}" for a, b in options.windows_days]
    found = known(tables, settings)
    if found.gate:
        return _nothing(labels, step, found.gate)
    told = found.of()
    chosen = visits.eligible(told, stable_days=rule.stable_days)
    terms = confounders.build(
        chosen, told, baseline=found.covariates, missing=found.missing, min_rise=rule.min_rise, min_mme=rule.min_mme
    )
    decisions = trial.escalations(chosen, terms, told, rule)
    windows = [trial.window(decisions, told, days, rule.grace_days) for days in options.windows_days]
    scores = naive.scores_with_dose(told)
    rows = [
        naive.slope(told, step_mme=step),
        *(naive.crude_contrast(decisions, each) for each in windows),
        *within_person.slopes(scores, step_mme=step),
        within_person.lagged_slope(scores, step_mme=step),
        *(within_person.change(decisions, each) for each in windows),
        *event_study.estimates(decisions, told),
    ]
    return instrument.named(rows, found.scale)


def _nothing(labels: list[str], step_mme: float, gate: str) -> list[Estimate]:
    return [
        naive.slope_row(step_mme, gate=gate),
        *(naive.crude_row(label, gate=gate) for label in labels),
        *within_person.empty(labels, gate, step_mme=step_mme),
        *event_study.empty(gate),
    ]
