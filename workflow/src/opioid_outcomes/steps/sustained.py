"""Stage ``estimate_sustained``: death under sustained strategies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.causal import clone_censor
from opioid_outcomes.causal.clone_censor import Grid
from opioid_outcomes.cohort.covariates import Sources, measure
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality import sustained
from opioid_outcomes.mortality.gates import unobserved_deaths_of
from opioid_outcomes.mortality.sustained import Choices, Result
from opioid_outcomes.mortality.sustained_strategies import Question, start_or_never, taper_or_stop
from opioid_outcomes.survival import design_matrix

CANONICAL = ("persons", "diagnoses", "dispensings", "pain", "measurements", "stays")
# Look-back of conditions, in days: whatever is on record, as chronic ones are not coded every half year
EVER = 2**31 - 1


def estimate_sustained(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Death under sustained strategies; returns one line for the terminal, in counts."""
    notes = io.read_json(inputs["notes"])
    chosen = Mortality(**settings["mortality"])
    results: list[Result] = []
    if "sustained" in chosen.analyses:
        if notes["exposure"] == "time_varying":
            results = list(_answers(inputs, settings, chosen))
        else:
            why = sustained.UNKNOWN[notes["exposure"]]
            results = [sustained.not_estimated(contrast, why) for contrast in sustained.QUESTIONS]
    rows = [row for result in results for row in result.rows]
    curves = pl.concat([DISPLAYS["sustained_survival"].empty(), *(_as_far_as_told(result) for result in results)])
    tests = pl.concat([DISPLAYS["sustained_diagnostics"].empty(), *(result.diagnostics for result in results)])
    withheld = unobserved_deaths_of(notes)
    if withheld:
        rows = [replace(row, gate=withheld) if row.gate == "pass" else row for row in rows]
        curves = curves.clear()
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    io.write_frame(curves, outputs["sustained_survival"])
    io.write_frame(tests, outputs["sustained_diagnostics"])
    evaluable = sum(row.gate == "pass" for row in rows)
    return f"{evaluable} of {len(rows)} estimates evaluable"


def _as_far_as_told(result: Result) -> pl.DataFrame:
    """Curves up to the longest horizon of which the gates let the contrast be told: they would else give it away."""
    told = [
        float(row.window.partition("-")[2])
        for row in result.rows
        if row.method == "ipw" and row.gate == "pass" and row.window
    ]
    return result.survival.filter(pl.col("day") <= max(told, default=-1.0))


def _answers(inputs: dict[str, Path], settings: dict[str, Any], chosen: Mortality) -> Iterator[Result]:
    status, cohort = io.read_table(inputs["opioid_status"]), io.read_table(inputs["cohort"])
    exposure, covariates = settings["exposure"], Covariates(**settings["covariates"])
    naive = start_or_never(status, cohort, grace=chosen.grace_days, washout=exposure["washout_days"])
    long_term = taper_or_stop(
        status, cohort, io.read_table(inputs["long_term"]), definition=exposure["long_term_definition"],
        grace=chosen.grace_days, share=exposure["events"]["min_fall"],
    )  # fmt: skip
    choices = Choices(
        horizons=tuple(sorted(chosen.horizons_days)), truncation=(chosen.truncation[0], chosen.truncation[1]),
        se=chosen.standard_error, replicates=chosen.replicates, seed=settings["study_seed"],
    )  # fmt: skip
    measured = _Measures(inputs, cohort, covariates, settings["population"]["lookback_days"])
    for question in (naive, *long_term):
        people = question.people
        if people.is_empty():
            yield sustained.not_estimated(question.contrast, "nobody could follow the strategies from time zero")
            continue
        grid = clone_censor.grid(
            people["time"].to_numpy(), people["death"].to_numpy(), sustained.edges(choices.horizons, chosen.grace_days)
        )
        yield sustained.sustained(
            question, grid, measured.of(question, grid), choices, weights=_weights(question, cohort)
        )


def _weights(question: Question, cohort: pl.DataFrame) -> Any:
    """Sampling weights of the people; None where the cohort is no sample with weights."""
    own = question.people.join(cohort.select("person_id", "survey_weight"), on="person_id", maintain_order="left")
    known = own["survey_weight"]
    return None if known.null_count() == own.height else known.fill_null(0).to_numpy().astype(float)


class _Measures:
    """Covariates of people at any day, as known on its eve."""

    def __init__(self, inputs: dict[str, Path], cohort: pl.DataFrame, covariates: Covariates, lookback: int) -> None:
        tables = {name: io.read_table(inputs[name]) for name in (*CANONICAL, "daily_dose")}
        if "age" in covariates.baseline:
            tables["persons"] = tables["persons"].join(cohort.select("person_id", "age"), on="person_id", how="left")
        self.sources = Sources(**tables)
        self.names = list(dict.fromkeys([*covariates.baseline, *covariates.time_varying, *_pain(tables["pain"])]))
        self.lookback = lookback

    def of(self, question: Question, grid: Grid) -> sustained.Covariates:
        """Before each interval of the grid, and at time zero; the mean dose of the last 30 days beside."""
        zero = question.people["zero"].to_numpy()
        day = zero[grid.person] + grid.opens.astype(int)
        anchors = pl.DataFrame(
            {"person_id": question.people["person_id"].gather(grid.person), "day": day},
            schema_overrides={"day": pl.Int32},
        )
        dose = pl.Series("dose", question.dose_before(grid.person, day))
        known = measure(anchors, self.names, self.sources, self.lookback, of_code_lists=EVER).frame.with_columns(dose)
        first = known.filter(pl.Series(grid.interval == 0))
        design, at_zero = (
            design_matrix.build(rows, [*self.names, "dose"], missing="indicator") for rows in (known, first)
        )
        if any(" missing" in name or name.endswith("=missing") for name in design.names):
            design = replace(design, notes=(*design.notes, "missing covariates as a category of their own"))
        return sustained.Covariates(design, at_zero)


def _pain(pain: pl.DataFrame) -> list[str]:
    return ["pain"] if pain.height else []
