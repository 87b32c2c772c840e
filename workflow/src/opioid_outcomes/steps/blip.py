"""Stage ``estimate_blip``: effect of one dose step by months since, by g-estimation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import blip, blip_modifiers, confounders, instrument, trial, visits
from opioid_outcomes.hyperalgesia import inputs as pain_inputs
from opioid_outcomes.hyperalgesia.blip_decisions import Decisions
from opioid_outcomes.hyperalgesia.inputs import Known


def estimate_blip(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates; returns what was done, in counts."""
    tables = {name: io.read_table(inputs[name]) for name in pain_inputs.TABLES}
    rows, decisions = analyse(tables, settings)
    frame = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(frame, outputs["estimates"])
    evaluable = sum(row.gate == "pass" for row in rows)
    return f"{decisions} decisions, {evaluable} of {len(rows)} estimates evaluable"


def analyse(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> tuple[list[Estimate], int]:
    """The rows of ``hyperalgesia.blip`` and those of ``hyperalgesia.modifier`` by g-estimation; how many decisions.

    tables: those of ``hyperalgesia.inputs.TABLES``. settings: the step's slice.
    """
    options = Hyperalgesia(**settings["hyperalgesia"])
    known = pain_inputs.known(tables, settings)
    if known.histories is None:
        gate = known.gate or "not evaluable: nothing is known"
        return [*blip.empty(options, gate), *blip_modifiers.empty(options, gate)], 0
    decisions = _decisions(known, options)
    if not len(decisions.step):
        gate = f"not evaluable: nobody on a stable dose for {options.escalation.stable_days} days reported pain"
        return [*blip.empty(options, gate), *blip_modifiers.empty(options, gate)], 0
    told = (part.estimates(decisions, known.histories, options) for part in (blip, blip_modifiers))
    return instrument.named((row for rows in told for row in rows), known.scale), len(decisions.step)


def _decisions(known: Known, options: Hyperalgesia) -> Decisions:
    """The decisions of stable therapy, in steps; what they are made from is large and is let go."""
    histories, rule = known.of(), options.escalation
    chosen = visits.eligible(histories, stable_days=rule.stable_days)
    terms = confounders.build(
        chosen, histories, baseline=known.covariates, missing=known.missing, min_rise=rule.min_rise,
        min_mme=rule.min_mme,
    )  # fmt: skip
    return blip.decide(trial.escalations(chosen, terms, histories, rule), histories, options)
