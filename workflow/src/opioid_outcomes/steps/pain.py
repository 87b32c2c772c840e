"""Stage ``estimate_pain``: pain after starting and after stopping opioids, and what else is done for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import inputs as trial_inputs
from opioid_outcomes.hyperalgesia import instrument
from opioid_outcomes.pain import after_stopping, new_user, therapy_interaction

FURTHER = ("therapies", "trials")  # tables beside those of the pain trials


def estimate_pain(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Pain after starting and stopping opioids, and other therapies on and off them; returns a line, in counts."""
    tables = {name: io.read_table(inputs[name]) for name in (*trial_inputs.TABLES, *FURTHER)}
    rows = analyse(tables, settings)
    frame = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(frame, outputs["estimates"])
    return f"{sum(row.gate == 'pass' for row in rows)} of {len(rows)} estimates evaluable"


def analyse(tables: dict[str, pl.DataFrame], settings: dict[str, Any]) -> list[Estimate]:
    """The rows of ``pain.*``. tables: those of the pain trials, therapies and the index dates of new users."""
    known = trial_inputs.known(tables, settings, doses=False)
    comparators = settings["mortality"]["comparators"]
    if known.gate is not None:
        return _nothing(comparators, known.gate)
    histories, status = known.of(), tables["opioid_status"]
    rows: list[Estimate] = []
    design = tables["cohort"].select("person_id", "survey_weight", "cluster")
    for comparator in comparators:
        dates = tables["trials"].filter(pl.col("comparator") == comparator)
        dates = dates.join(design, on="person_id", how="left", maintain_order="left")
        rows += new_user.new_user(
            comparator, dates, histories, baseline=settings["covariates"]["baseline"], missing=known.missing
        )
    rows += after_stopping.after_stopping(histories, status)
    rows += therapy_interaction.therapy_interaction(
        histories, status, tables["therapies"], baseline=known.covariates, missing=known.missing
    )
    rows = [replace(row, note="; ".join(part for part in (row.note, known.note) if part)) for row in rows]
    return instrument.named(rows, known.scale)


def _nothing(comparators: list[str], gate: str) -> list[Estimate]:
    return [
        *(row for comparator in comparators for row in new_user.nothing(comparator, gate)),
        *after_stopping.nothing(gate),
        *(row for therapy in therapy_interaction.THERAPIES for row in therapy_interaction.nothing(therapy, gate)),
    ]
