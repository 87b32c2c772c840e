"""Stage ``estimate_new_user``: death in new users of opioids against comparators."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort.covariates import Sources, measure
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import imputed, trial_displays
from opioid_outcomes.mortality.as_treated import as_treated
from opioid_outcomes.mortality.gates import unobserved_deaths_of, withheld
from opioid_outcomes.mortality.intervals import intervals
from opioid_outcomes.mortality.new_user import complete_cases, new_user, of_causes
from opioid_outcomes.mortality.trial_estimates import Choices

UNSEEN = {
    "baseline": "opioid use is known at one interview only, not the day on which it began",
    "none": "no opioid exposure is recorded",
}
NOT_IMPUTED = "missing covariates are a category of their own, not imputed"
SOURCES = ("persons", "diagnoses", "dispensings", "pain", "measurements", "stays", "daily_dose")


def estimate_new_user(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Death in new users of opioids against comparators; returns one line for the terminal, in counts."""
    chosen, covariates = Mortality(**settings["mortality"]), Covariates(**settings["covariates"])
    notes, lookback = io.read_json(inputs["notes"]), settings["population"]["lookback_days"]
    sources = Sources(**{name: io.read_table(inputs[name]) for name in SOURCES})
    status = io.read_table(inputs["opioid_status"])
    trials = _sampled(io.read_table(inputs["trials"]), io.read_table(inputs["cohort"]))
    left_out = [name for name in covariates.time_varying if name not in (*covariates.baseline, "age", "mme")]
    complete = settings["cohort"]["deaths_complete_until"] is not None
    choices = choices_of(chosen, covariates, settings["study_seed"], deaths_complete=complete)
    nobody = "" if trials.height else UNSEEN.get(notes["exposure"], _silent(status))
    over_time = partial(
        intervals, time_varying=covariates.time_varying, sources=sources, status=status, lookback=lookback
    )
    rows: list[Estimate] = []
    displays = {name: [DISPLAYS[name].empty()] for name in (*trial_displays.NAMES, "cause_incidence")}
    for comparator in chosen.comparators:
        dates = trials.filter(pl.col("comparator") == comparator)
        dates = _with_left_out(dates, left_out, sources, lookback)
        if "new_user" in chosen.analyses:
            compared = new_user(comparator, dates, choices, left_out=left_out, nobody=nobody)
            copies = _copies(dates, covariates, settings["study_seed"])
            rows += imputed.with_copies(
                lambda copy, name=comparator: new_user(name, copy, choices, left_out=left_out).rows,  # type: ignore[misc]
                dates, copies,
            ) if copies else compared.rows  # fmt: skip
            rows += complete_cases(comparator, dates, choices, left_out=left_out)
            treated = as_treated(comparator, compared, choices, over_time)
            if covariates.missing == "mi":
                treated = [replace(row, note=f"{row.note}; {NOT_IMPUTED}") for row in treated]
            rows += withheld(treated, unobserved_deaths_of(notes))
            for name, frame in compared.displays.items():
                displays[name].append(frame)
        if {"cause", "overdose_share"} & {*chosen.analyses}:
            told, shown = of_causes(
                comparator, dates, choices, left_out=left_out, nobody=nobody,
                contributing=notes.get("contributing_recorded", True),
            )  # fmt: skip
            rows += [row for row in told if row.analysis.removeprefix("mortality.") in chosen.analyses]
            displays["cause_incidence"].append(shown)
    # follow-up goes on where deaths are known for everybody: then none is lost for want of observation
    gate = None if complete else unobserved_deaths_of(notes)
    rows = withheld(rows, gate)
    if gate:
        displays |= {name: displays[name][:1] for name in ("new_user_survival", "cause_incidence")}
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    for name, frames in displays.items():
        io.write_frame(pl.concat(frames), outputs[name])
    return f"{sum(row.gate == 'pass' for row in rows)} of {len(rows)} estimates evaluable"


def choices_of(chosen: Mortality, covariates: Covariates, seed: int, *, deaths_complete: bool = False) -> Choices:
    """What the config says of the estimates."""
    return Choices(
        baseline=covariates.baseline, horizons=chosen.horizons_days, weighting=chosen.weights,
        missing="complete" if covariates.missing == "complete" else "indicator", trim=chosen.trim,
        ridge=chosen.penalty, standard_error=chosen.standard_error, replicates=chosen.replicates,
        truncation=(float(chosen.truncation[0]), float(chosen.truncation[1])), seed=seed,
        deaths_complete=deaths_complete,
    )  # fmt: skip


def _copies(dates: pl.DataFrame, covariates: Covariates, seed: int) -> list[pl.DataFrame]:
    """Index dates with missing covariates drawn, where that is asked for and something can be drawn."""
    gaps = any(0 < dates[name].null_count() < dates.height for name in covariates.baseline)
    return (
        imputed.copies_of_trials(dates, covariates.baseline, seed=seed) if covariates.missing == "mi" and gaps else []
    )


def _silent(status: pl.DataFrame) -> str:
    if status.height and status["naive_days"].null_count() == status.height:
        return "the day on which use begins is not recorded"
    return ""


def _sampled(trials: pl.DataFrame, cohort: pl.DataFrame) -> pl.DataFrame:
    """Index dates with the sampling weight and unit of their person."""
    design = cohort.select("person_id", "survey_weight", "cluster")
    return trials.join(design, on="person_id", how="left", maintain_order="left")


def _with_left_out(dates: pl.DataFrame, names: list[str], sources: Sources, lookback: int) -> pl.DataFrame:
    """Index dates with covariates of their eve that the score does not hold, on which balance is judged too."""
    if not names:
        return dates
    known = measure(dates.select("person_id", day="index").unique(), names, sources, lookback).frame
    return dates.join(
        known, left_on=["person_id", "index"], right_on=["person_id", "day"], how="left", maintain_order="left"
    )
