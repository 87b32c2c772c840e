"""Stage ``estimate_msm``: death on against off opioids by a marginal structural model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort.covariates import Sources
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.gates import unobserved_deaths_of, withheld
from opioid_outcomes.mortality.msm import Answer, msm
from opioid_outcomes.mortality.msm_decisions import at_decisions

SOURCES = ("persons", "diagnoses", "dispensings", "pain", "measurements", "stays", "daily_dose")


def estimate_msm(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Death on against off opioids by a marginal structural model; returns one line for the terminal, in counts."""
    chosen, covariates = Mortality(**settings["mortality"]), Covariates(**settings["covariates"])
    notes = io.read_json(inputs["notes"])
    answer = Answer([])
    if "msm" in chosen.analyses:
        panel, time, cohort = (io.read_table(inputs[name]) for name in ("panel", "person_time", "cohort"))
        if notes["exposure"] == "time_varying":
            panel = at_decisions(
                panel, time, cohort, Sources(**{name: io.read_table(inputs[name]) for name in SOURCES}),
                time_varying=covariates.time_varying, lookback=settings["population"]["lookback_days"],
            )  # fmt: skip
        answer = msm(
            panel, time, cohort, baseline=covariates.baseline, time_varying=covariates.time_varying,
            missing="complete" if covariates.missing == "complete" else "indicator",
            horizons=chosen.horizons_days, truncation=chosen.truncation, exposure=notes["exposure"],
        )  # fmt: skip
    rows, truncation = [_with_choices(row, chosen, covariates) for row in answer.rows], answer.truncation
    gate = unobserved_deaths_of(notes)
    rows = withheld(rows, gate)
    if gate:
        truncation = None
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    for name, shown in (("msm_weights", answer.weights), ("msm_truncation", truncation)):
        io.write_frame(_display(name, shown), outputs[name])
    return f"{sum(row.gate == 'pass' for row in rows)} of {len(rows)} estimates evaluable"


def _with_choices(row: Estimate, chosen: Mortality, covariates: Covariates) -> Estimate:
    """What the config asks of all analyses and this one does otherwise, beside its numbers."""
    if row.estimate is None:
        return row
    notes = [row.note] if row.note else []
    if chosen.standard_error == "bootstrap":
        notes.append("standard error by the sandwich, not the bootstrap, in this analysis")
    if covariates.missing == "mi":
        notes.append("missing covariates are a category of their own, not imputed, in this analysis")
    return replace(row, note="; ".join(notes))


def _display(name: str, shown: pl.DataFrame | None) -> pl.DataFrame:
    empty = DISPLAYS[name].empty()
    return empty if shown is None else shown.select(empty.columns).cast(empty.schema)
