"""Stage ``emulate_trials``: the index dates of new users and their comparators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort.days import day_of
from opioid_outcomes.contracts.derived import CENSORED, TRIALS
from opioid_outcomes.mortality import trial_table
from opioid_outcomes.mortality.trial_table import Rules

CANONICAL = (
    "persons", "observation", "dispensings", "diagnoses", "pain", "measurements", "stays", "therapies", "deaths",
)  # fmt: skip
DERIVED = ("dispensings_clean", "opioid_status", "daily_dose")
PEOPLE_AT_A_TIME = 100_000  # so that what it takes on the way stays under 3 GB


def emulate_trials(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """One row per eligible index date and comparator; returns one line for the terminal, in counts."""
    calendar = io.is_calendar(inputs["observation"], "start")
    cohort = io.read_table(inputs["cohort"])
    tables = {name: io.read_table(inputs[name]) for name in (*CANONICAL, *DERIVED)}
    rules = rules_of(settings, calendar=calendar)
    reported = tables["dispensings_clean"].is_empty() and not tables["opioid_status"].is_empty()
    if reported or io.read_json(inputs["notes"])["exposure"] != "time_varying":
        cohort = cohort.clear()  # reports of use do not tell the day on which it began
    people = cohort["person_id"].sort()
    parts = []
    for first in range(0, max(len(people), 1), PEOPLE_AT_A_TIME):
        some = people.slice(first, PEOPLE_AT_A_TIME).to_frame()
        mine = {name: _of(table, some) for name, table in tables.items() if name != "measurements"}
        # all measurements: which measures there are is asked of the whole cohort
        parts.append(trial_table.build(_of(cohort, some), mine | {"measurements": tables["measurements"]}, rules).table)
    # each part is sorted by comparator, person and index, and people rise from part to part
    trials = pl.concat(part.filter(pl.col("comparator") == name) for name in rules.comparators for part in parts)
    trials = censored(trials, cohort)
    io.write_table(trials, outputs["trials"], TRIALS, calendar=calendar)
    new = trials.filter(pl.col("arm") == 1).select("person_id", "index").unique().height
    return f"{trials.height:,} index dates, {new:,} of new users"


def _of(table: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    return table.join(people, on="person_id", how="semi", maintain_order="left")


def censored(trials: pl.DataFrame, cohort: pl.DataFrame) -> pl.DataFrame:
    """Index dates whose follow-up goes no further than where ``population.censor_at`` ends that of the cohort.

    Elsewhere follow-up may go on after the cohort's own, to the day up to which deaths are known.
    """
    ends = cohort.filter(pl.col("exit_reason").cast(pl.String).str.starts_with(CENSORED)).select("person_id", "exit")
    if ends.is_empty():
        return trials
    until = (pl.col("exit") - pl.col("index")).cast(trials.schema["follow_up"])
    beyond = (pl.col("follow_up") > until).fill_null(value=False)
    return (
        trials.join(ends, on="person_id", how="left", maintain_order="left")
        .filter((until > 0).fill_null(value=True))
        .with_columns(
            follow_up=pl.when(beyond).then(until).otherwise("follow_up"),
            event=pl.when(beyond).then(pl.lit(0, trials.schema["event"])).otherwise("event"),
            cause=pl.when(~beyond).then("cause"),
            as_treated_until=pl.when(~beyond | (pl.col("as_treated_until") < until)).then("as_treated_until"),
        )
        .drop("exit")
    )


def rules_of(settings: dict[str, Any], *, calendar: bool) -> Rules:
    """The config's rules of the trials, with days as whole numbers."""
    population, mortality = settings["population"], settings["mortality"]
    complete = settings["cohort"]["deaths_complete_until"]
    return Rules(
        comparators=mortality["comparators"],
        baseline=settings["covariates"]["baseline"],
        exclude=population["exclude"],
        washout_days=settings["exposure"]["washout_days"],
        lookback_days=population["lookback_days"],
        encounter_window_days=mortality["encounter_window_days"],
        max_followup_days=population["max_followup_days"],
        death_after_observation_days=population["death_after_observation_days"],
        study_end=day_of(population["study_end"], "population.study_end", calendar=calendar),
        deaths_complete_until=day_of(complete, "cohorts.deaths_complete_until", calendar=calendar),
    )
