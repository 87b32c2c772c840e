"""Stage ``estimate_addiction``: opioid use disorder by dose and duration of use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.addiction import disorder
from opioid_outcomes.cohort import codelists
from opioid_outcomes.cohort.person_time import band_labels
from opioid_outcomes.config.addiction import Addiction
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import imputed
from opioid_outcomes.mortality.contrasts import Exposure, Missing

NO_DIAGNOSES = "no diagnoses are recorded"


def estimate_addiction(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Rates and hazard ratios of a first diagnosis; returns one line for the terminal, in counts."""
    person_time = io.read_table(inputs["person_time"]).sort("person_id", "start")
    cohort, diagnoses = io.read_table(inputs["cohort"]), io.read_table(inputs["diagnoses"])
    chosen, covariates = Addiction(**settings["addiction"]), Covariates(**settings["covariates"])
    exposure: Exposure = io.read_json(inputs["notes"])["exposure"]
    rows: list[Estimate] = []
    diagnosed = codelists.matches(diagnoses, codelists.load(chosen.codes))
    followed = disorder.until_diagnosis(person_time, cohort, diagnosed)
    if diagnoses.is_empty():
        followed = followed.clear()
    copies = (
        imputed.copies_of_person_time(followed, covariates.baseline, seed=settings["study_seed"])
        if covariates.missing == "mi"
        else []
    )
    rows = imputed.with_copies(
        lambda time: _analyses(time, chosen, covariates, exposure, settings["exposure"]["dose_bands"]), followed, copies
    )
    if diagnoses.is_empty():
        rows = [replace(row, gate=f"not evaluable: {NO_DIAGNOSES}") for row in rows]
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    return f"{sum(row.gate == 'pass' for row in rows)} of {len(rows)} estimates evaluable"


def _analyses(
    followed: pl.DataFrame, chosen: Addiction, covariates: Covariates, exposure: Exposure, bounds: list[float]
) -> list[Estimate]:
    missing: Missing = "complete" if covariates.missing == "complete" else "indicator"
    rows: list[Estimate] = []
    if "dose" in chosen.analyses:
        rows += disorder.by_dose(
            followed, band_labels(bounds), covariates.baseline, missing, exposure=exposure, lag_days=chosen.lag_days
        )
    if "duration" in chosen.analyses:
        rows += disorder.by_duration(
            followed, covariates.baseline, missing, exposure=exposure, lag_days=chosen.lag_days
        )
    return rows
