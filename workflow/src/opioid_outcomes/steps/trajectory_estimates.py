"""Stage ``estimate_trajectories``: drift of dose, what follows a taper, and what goes with class and long-term use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort.covariates import Sources, measure
from opioid_outcomes.cohort.eligibility import DAYS_PER_YEAR
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.trajectories import Trajectories
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.exposure import mme
from opioid_outcomes.exposure.dose_history import at_flat_factor
from opioid_outcomes.trajectories.drift import drift
from opioid_outcomes.trajectories.long_term_use import NewUsers, long_term_use, new_users
from opioid_outcomes.trajectories.odds import Missing
from opioid_outcomes.trajectories.predictors import class_membership
from opioid_outcomes.trajectories.taper import taper

TABLES = (
    "trajectories", "person_time", "cohort", "panel", "dose_events", "long_term", "daily_dose", "observation",
    "persons", "diagnoses", "dispensings", "pain", "measurements",
)  # fmt: skip


def estimate_trajectories(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates of one cohort; returns one line for the terminal, in counts."""
    tables = {name: io.read_table(inputs[name]) for name in TABLES}
    chosen, covariates = Trajectories(**settings["trajectories"]), Covariates(**settings["covariates"])
    missing: Missing = "complete" if covariates.missing == "complete" else "indicator"
    exposure = settings["exposure"]
    factors = Path(exposure["mme_factors"]).name  # a user's own table is told by its file name, never its folder
    rows: list[Estimate] = []
    if "drift" in chosen.analyses:
        rows += drift(tables["person_time"], tables["panel"], months=chosen.months, factors=factors)
    if "taper" in chosen.analyses:
        # the doses that tapers are told by, else methadone would be back at the old one on its first day
        daily = at_flat_factor(tables["daily_dose"], mme.tiers(mme.factors(exposure["mme_factors"])))
        rows += taper(
            tables["dose_events"], tables["cohort"], daily.with_columns(mme="flat"), tables["observation"],
            stop_days=exposure["events"]["discontinuation_days"], factors=factors,
        )  # fmt: skip
    if "predictors" in chosen.analyses:
        rows += class_membership(
            tables["trajectories"], tables["cohort"], covariates.baseline, missing=missing, months=chosen.months,
            factors=factors,
        )  # fmt: skip
        definition = exposure["long_term_definition"]
        starting = new_users(tables["person_time"], tables["cohort"], tables["long_term"], definition)
        known = before_starting(starting, tables, covariates.baseline, settings["population"]["lookback_days"])
        rows += long_term_use(
            starting, known, covariates.baseline, definition=definition, missing=missing, factors=factors
        )
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    evaluable = sum(row.gate == "pass" for row in rows)
    return f"{evaluable} of {len(rows)} estimates evaluable"


def before_starting(
    starting: NewUsers, tables: dict[str, pl.DataFrame], names: list[str], lookback: int
) -> pl.DataFrame:
    """The baseline covariates of new users, as known on the eve of starting rather than of entry (ANALYSES 3)."""
    persons = tables["persons"]
    if "age" in names:
        persons = persons.join(tables["cohort"].select("person_id", "age"), on="person_id", how="left")
    sources = Sources(
        persons=persons,
        **{name: tables[name] for name in ("diagnoses", "dispensings", "pain", "measurements", "daily_dose")},
    )
    known = measure(starting.people, names, sources, lookback).frame
    if "age" not in names:
        return known
    aged = starting.people.select("person_id", years=pl.col("after") / DAYS_PER_YEAR)
    return known.join(aged, on="person_id", how="left", maintain_order="left").with_columns(
        pl.col("age") + pl.col("years")
    )
