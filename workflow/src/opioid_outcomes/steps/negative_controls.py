"""Stage ``estimate_negative_controls``: what opioids cannot cause, and what cannot cause death."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort import codelists
from opioid_outcomes.config import shipped
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts import estimates
from opioid_outcomes.exposure.drug_classes import fills_of_classes, lists_drugs, own_class
from opioid_outcomes.mortality.contrasts import Missing
from opioid_outcomes.mortality.gates import unobserved_deaths_of
from opioid_outcomes.mortality.negative_control import Controls, negative_controls


def estimate_negative_controls(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """One row per negative control, and the calibrated one; returns one line for the terminal, in counts."""
    chosen, covariates = Mortality(**settings["mortality"]), Covariates(**settings["covariates"])
    missing: Missing = "complete" if covariates.missing == "complete" else "indicator"
    notes = io.read_json(inputs["notes"])
    rows: list[estimates.Estimate] = []
    if "negative_control" in chosen.analyses:
        person_time = io.read_table(inputs["person_time"]).sort("person_id", "start")
        entry = io.read_table(inputs["cohort"]).select("person_id", "entry")
        controls = read(
            chosen.negative_controls, io.read_table(inputs["dispensings"]), io.read_table(inputs["diagnoses"])
        )
        rows = negative_controls(person_time, entry, controls, covariates.baseline, missing, exposure=notes["exposure"])
    withheld = unobserved_deaths_of(notes)
    if withheld:
        about_death = [row.outcome == "death" and row.gate == "pass" for row in rows]
        rows = [replace(row, gate=withheld) if it else row for row, it in zip(rows, about_death, strict=True)]
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    return f"{sum(row.gate == 'pass' for row in rows)} of {len(rows)} estimates of negative controls evaluable"


def read(names: list[str], dispensings: pl.DataFrame, diagnoses: pl.DataFrame) -> Controls:
    """The controls that a study names: drug classes and lists of drugs (columns by, value) are exposures, code lists
    outcomes. UserError if a list is neither."""
    exposures, outcomes = {}, {}
    shipped_fills: pl.DataFrame | None = None
    for name in names:
        if name in shipped.drug_classes():
            shipped_fills = fills_of_classes(dispensings) if shipped_fills is None else shipped_fills
            exposures[name] = shipped_fills.filter(pl.col("class") == name)
        elif name not in shipped.code_lists() and lists_drugs(Path(name)):
            exposures[Path(name).stem] = fills_of_classes(dispensings, own_class(Path(name)))
        else:
            outcomes[Path(name).stem] = codelists.matches(diagnoses, codelists.load(name))
    return Controls(exposures, outcomes)
