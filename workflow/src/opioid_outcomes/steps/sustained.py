"""Stage ``estimate_sustained``: death under sustained strategies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes import io
from opioid_outcomes.causal import clone_censor
from opioid_outcomes.causal.clone_censor import Grid
from opioid_outcomes.cohort.covariates import Sources, measure
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality import imputed, sustained
from opioid_outcomes.mortality.gates import unobserved_deaths_of, withheld
from opioid_outcomes.mortality.sustained import Choices, Result, Sample
from opioid_outcomes.mortality.sustained_sample import sample_of, thinned
from opioid_outcomes.mortality.sustained_strategies import Question, start_or_never, taper_or_stop
from opioid_outcomes.survival import design_matrix

CANONICAL = ("persons", "diagnoses", "dispensings", "pain", "measurements", "stays")
# Look-back of conditions, in days: whatever is on record, as chronic ones are not coded every half year
EVER = 2**31 - 1
SINCE, SQUARED = "days_since_entry", "days_since_entry squared"


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
    gate = unobserved_deaths_of(notes)
    rows = withheld(rows, gate)
    if gate:
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
    choices = Choices(
        horizons=tuple(sorted(chosen.horizons_days)), truncation=(chosen.truncation[0], chosen.truncation[1]),
        se=chosen.standard_error, replicates=chosen.replicates, seed=settings["study_seed"],
    )  # fmt: skip
    long_term = taper_or_stop(
        status, cohort, io.read_table(inputs["long_term"]), definition=exposure["long_term_definition"],
        grace=chosen.grace_days, share=exposure["events"]["min_fall"],
        longest=max(*choices.horizons, chosen.grace_days),
    )  # fmt: skip
    edges = sustained.edges(choices.horizons, chosen.grace_days)
    measured = _Measures(inputs, cohort, covariates, settings["population"]["lookback_days"])
    for every in (naive, *long_term):
        question = thinned(every, edges)
        if covariates.missing == "complete" and question.people.height:
            question = measured.complete(question)
        if question.people.is_empty():
            yield sustained.not_estimated(question.contrast, "nobody could follow the strategies from time zero")
            continue
        yield _answer(question, _grid(question, edges), measured, choices, sample_of(question, cohort))


def _grid(question: Question, edges: list[float]) -> Grid:
    people = question.people
    return clone_censor.grid(people["time"].to_numpy(), people["death"].to_numpy(), edges, question.until)


def _answer(question: Question, grid: Grid, measured: _Measures, choices: Choices, sample: Sample) -> Result:
    """Estimates, with ``mi`` combined over copies of the people; crude ones and displays are as recorded."""
    known = measured.known(question, grid)
    result = sustained.sustained(question, grid, measured.covariates(known, grid), choices, sample)
    copies = measured.copies(question, known, choices.seed)
    if not copies:
        return result
    told = [
        sustained.weighted_rows(question, grid, measured.covariates(copy, grid), choices, sample) for copy in copies
    ]
    weighted = imputed.combined(told)
    rows = sustained.alike_withheld([*weighted, *(row for row in result.rows if row.method == "crude")])
    return replace(result, rows=rows) if told[0] else result


class _Measures:
    """Covariates of people at any day, as known on its eve."""

    def __init__(self, inputs: dict[str, Path], cohort: pl.DataFrame, covariates: Covariates, lookback: int) -> None:
        tables = {name: io.read_table(inputs[name]) for name in (*CANONICAL, "daily_dose")}
        if "age" in covariates.baseline:
            tables["persons"] = tables["persons"].join(cohort.select("person_id", "age"), on="person_id", how="left")
        self.sources = Sources(**tables)
        self.names = list(dict.fromkeys([*covariates.baseline, *covariates.time_varying, *_pain(tables["pain"])]))
        self.lookback, self.missing = lookback, covariates.missing

    def _at(self, person: pl.Series, day: Any) -> pl.DataFrame:
        """Of a day each of people, who may have several time zeros with the same."""
        anchors = pl.DataFrame({"person_id": person, "day": day}, schema_overrides={"day": pl.Int32})
        own = anchors.unique(maintain_order=True)
        found = measure(own, self.names, self.sources, self.lookback, of_code_lists=EVER).frame
        return anchors.join(found, on=["person_id", "day"], how="left", maintain_order="left")

    def complete(self, question: Question) -> Question:
        """Without the time zeros at which something is missing that is known of others."""
        people = question.people
        at = self._at(people["person_id"], people["zero"])
        known = [name for name in self.names if at[name].null_count() < at.height]
        whole = at.select(pl.all_horizontal(pl.lit(value=True), *(pl.col(name).is_not_null() for name in known)))
        return question.kept(whole.to_series().to_numpy(), np.ones(people.height))

    def known(self, question: Question, grid: Grid) -> pl.DataFrame:
        """Before each interval of the grid; the dose and the days since entry at time zero beside."""
        people = question.people[grid.person]
        day = people["zero"].to_numpy() + grid.opens.astype(int)
        # of time zero: later on the dose is what the strategies are about, and tells who is about to leave them
        dose = pl.Series("dose", question.dose_before(grid.person, people["zero"].to_numpy()))
        squared = (people["since"] ** 2).cast(pl.Float64).alias(SQUARED)
        found = self._at(people["person_id"], day).with_columns(dose, people["since"].alias(SINCE), squared)
        return found if self.missing == "indicator" else _carried(found, self.names)

    def copies(self, question: Question, known: pl.DataFrame, seed: int) -> list[pl.DataFrame]:
        """Of what is known, with missing values drawn, one draw per person; none unless asked for and needed."""
        gaps = [name for name in self.names if 0 < known[name].null_count() < known.height]
        if self.missing != "mi" or not gaps:
            return []
        return imputed.copies_of_histories(known, question.people, self.names, seed=seed)

    def covariates(self, known: pl.DataFrame, grid: Grid) -> sustained.Covariates:
        """Before each interval, and at time zero."""
        first = known.filter(pl.Series(grid.interval == 0))
        design, at_zero = (
            design_matrix.build(rows, [*self.names, "dose", SINCE, SQUARED], missing="indicator")
            for rows in (known, first)
        )
        if any(" missing" in name or name.endswith("=missing") for name in design.names):
            design = replace(design, notes=(*design.notes, "missing covariates as a category of their own"))
        if self.missing == "complete":
            design = replace(design, notes=(*design.notes, "time zeros with a missing covariate left out"))
        return sustained.Covariates(design, at_zero)


def _carried(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """What is no longer on record as it was last known of the person, rows sorted by person and time zero."""
    order = rows.with_row_index("row").sort("person_id", "day", "row")
    filled = order.with_columns(pl.col(name).forward_fill().over("person_id") for name in names)
    return filled.sort("row").drop("row")


def _pain(pain: pl.DataFrame) -> list[str]:
    return ["pain"] if pain.height else []
