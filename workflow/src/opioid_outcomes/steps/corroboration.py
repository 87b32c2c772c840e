"""Stage ``estimate_corroboration``: what else hyperalgesia should do, in whom, and whether pain exceeds what it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import (
    baseline_excess,
    body,
    confounders,
    instrument,
    modifier,
    noise,
    reduction,
    scales,
    trial,
    visits,
)
from opioid_outcomes.hyperalgesia.inputs import TABLES, Known, known


def estimate_corroboration(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates; returns what was done, in counts."""
    tables = {name: io.read_table(inputs[name]) for name in (*TABLES, "changes", "trials")}
    rows = analyse(tables, settings)
    frame = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(frame, outputs["estimates"])
    evaluable = sum(row.gate == "pass" for row in rows)
    return f"{evaluable} of {len(rows)} estimates evaluable"


def analyse(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> list[Estimate]:
    """The rows of ``hyperalgesia.reduction``, ``.spread``, ``.threshold``, ``.baseline_excess`` and ``.modifier``.

    ``tables``: those of ``hyperalgesia.inputs``, ``changes`` and the index dates ``trials``; ``settings``: the slice.
    """
    options = Hyperalgesia(**settings["hyperalgesia"])
    found = known(tables, settings)
    excess = _excess(tables, settings)
    labels = [f"{first}-{last}" for first, last in options.windows_days]
    if found.gate:
        rows = [
            *reduction.empty(found.gate, _rules(options, settings, 0.0)),
            *body.empty(labels, found.gate),
            excess,
            *modifier.empty(labels[-1], found.gate),
        ]
    else:
        rows = [*_trials(tables, settings, options, found), excess]
    return instrument.named(rows, found.scale)


def _trials(
    tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], options: Hyperalgesia, found: Known
) -> list[Estimate]:
    rule, told = options.escalation, found.of()
    chosen = visits.eligible(told, stable_days=rule.stable_days)
    labels = [f"{first}-{last}" for first, last in options.windows_days]
    if len(chosen.person) == 0:
        gate = f"not evaluable: nobody on a stable dose for {rule.stable_days} days reported pain"
        return [
            *reduction.empty(gate, _rules(options, settings, 0.0)), *body.empty(labels, gate),
            *modifier.empty(labels[-1], gate),
        ]  # fmt: skip
    terms = confounders.build(
        chosen, told, baseline=found.covariates, missing=found.missing, min_rise=rule.min_rise, min_mme=rule.min_mme
    )
    variance = noise.of(told, chosen, options, scale=found.scale).variance
    # one trial after the other: the terms of each fill a third of the memory
    rows = reduction.estimates(
        trial.reductions(chosen, terms, told, options.reduction, grace_days=rule.grace_days), told, tables["changes"],
        _rules(options, settings, variance),
    )  # fmt: skip
    raised = trial.escalations(chosen, terms, told, rule)
    del terms
    rows += body.estimates(raised, told, tables["measurements"], options.windows_days, grace_days=rule.grace_days)
    last = trial.window(raised, told, options.windows_days[-1], rule.grace_days)
    conditions = confounders.at_visits(raised.visits, told, [*modifier.CONDITIONS])
    return rows + modifier.estimates(raised, last, conditions, step_mme=options.step_mme)


def _rules(options: Hyperalgesia, settings: Mapping[str, Any], error_variance: float) -> reduction.Rules:
    windows = reduction.windows_from(options.reduction.from_day, options.windows_days)
    actual = settings["cohort"]["date_basis"] == "actual"
    return reduction.Rules(windows, options.escalation.grace_days, actual, options.step_mme, error_variance)


def _excess(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Estimate:
    """Needs no dose, so that it is told where doses are not known."""
    chosen = scales.choose(tables["pain"], tables["cohort"], settings["hyperalgesia"]["scale"])
    if chosen.gate:
        return baseline_excess.nothing(chosen.gate)
    covariates = settings["covariates"]
    return baseline_excess.estimate(
        tables["trials"], chosen.pain, tables["cohort"], baseline=covariates["baseline"],
        missing="complete" if covariates["missing"] == "complete" else "indicator",
    )  # fmt: skip
