"""Stage ``estimate_trajectories``: drift of dose, what follows a taper, and what goes with class and long-term use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort.covariates import Sources, measure
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.trajectories import Trajectories
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.exposure import mme
from opioid_outcomes.exposure.dose_history import FLAT_FACTOR, at_flat_factor
from opioid_outcomes.trajectories.drift import drift
from opioid_outcomes.trajectories.flat_dose import at_flat_dose, told
from opioid_outcomes.trajectories.long_term_use import NewUsers, long_term_use, new_users
from opioid_outcomes.trajectories.odds import Missing
from opioid_outcomes.trajectories.predictors import class_membership
from opioid_outcomes.trajectories.taper import taper
from opioid_outcomes.units import DAYS_PER_YEAR

TABLES = (
    "trajectories", "person_time", "cohort", "panel", "dose_events", "long_term", "daily_dose", "observation",
    "persons", "diagnoses", "dispensings", "pain", "measurements",
)  # fmt: skip


# Of wide tables of many rows only what is used: memory
COLUMNS = {
    "panel": ("person_id", "period", "pain"),
    "person_time": ("person_id", "start", "stop", "on_opioid", "use_state", "mme", "new_user", "days_since_start"),
}
# Look-back of conditions, in days: whatever is on record, as chronic ones are not coded every half year
EVER = 2**31 - 1
UNSEEN = {
    "baseline": "opioid use is known at one interview only, not its course",
    "none": "neither dispensings nor interviews tell opioid use",
}


def estimate_trajectories(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates of one cohort; returns one line for the terminal, in counts."""
    tables = {name: io.read_table(inputs[name], COLUMNS.get(name)) for name in TABLES}
    chosen, covariates = Trajectories(**settings["trajectories"]), Covariates(**settings["covariates"])
    exposure = settings["exposure"]
    factors = Path(exposure["mme_factors"]).name  # a user's own table is told by its file name, never its folder
    tiers = mme.tiers(mme.factors(exposure["mme_factors"]))
    daily = at_flat_factor(tables["daily_dose"], tiers)
    rows: list[Estimate] = []
    if "drift" in chosen.analyses:
        person_time = tables["person_time"]
        if tiers is not None:
            person_time = at_flat_dose(person_time, tables["cohort"], daily)
        rows += drift(
            person_time, tables["panel"], months=chosen.months, factors=factors,
            flat_factor=None if tiers is None else FLAT_FACTOR,
        )  # fmt: skip
    if "taper" in chosen.analyses:
        # the doses that tapers are told by, else methadone would be back at the old one on its first day
        events = exposure["events"]
        rows += taper(
            tables["dose_events"], tables["cohort"], daily.with_columns(mme="flat"), tables["observation"],
            stop_days=events["discontinuation_days"], taper_days=events["taper_days"], factors=factors,
        )  # fmt: skip
    if "predictors" in chosen.analyses:
        models = pl.read_parquet(inputs["models"])
        rows += _predictors(tables, models, covariates, settings, factors, of_courses=told(factors, tiers))
    unseen = UNSEEN.get(io.read_json(inputs["notes"])["exposure"])
    if unseen:
        rows = [row if row.gate == "pass" else replace(row, gate=f"not evaluable: {unseen}") for row in rows]
    table = estimates.frame(rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    evaluable = sum(row.gate == "pass" for row in rows)
    return f"{evaluable} of {len(rows)} estimates evaluable"


def _predictors(
    tables: dict[str, pl.DataFrame], models: pl.DataFrame, covariates: Covariates, settings: dict[str, Any],
    factors: str, *, of_courses: str,
) -> list[Estimate]:  # fmt: skip
    """Of classes and of long-term use; ``models``: display trajectory_models, which says why there are no classes.

    ``of_courses``: the factor table as the courses of dose have it.
    """
    missing: Missing = "complete" if covariates.missing == "complete" else "indicator"
    months = Trajectories(**settings["trajectories"]).months
    first = models.row(0, named=True)
    rows = class_membership(
        tables["trajectories"], tables["cohort"], covariates.baseline, missing=missing, months=months,
        factors=of_courses, refused=first["why"], persons=first["persons"] or 0,
    )  # fmt: skip
    definition = settings["exposure"]["long_term_definition"]
    lookback = settings["population"]["lookback_days"]
    starting = new_users(tables["person_time"], tables["cohort"], tables["long_term"], definition)
    known = before_starting(starting, tables, covariates.baseline, lookback)
    return rows + long_term_use(
        starting, known, covariates.baseline, definition=definition, missing=missing, factors=factors,
        lookback=lookback,
    )  # fmt: skip


def before_starting(
    starting: NewUsers, tables: dict[str, pl.DataFrame], names: list[str], lookback: int
) -> pl.DataFrame:
    """The baseline covariates of new users, as known on the eve of starting rather than of entry (ANALYSES 3).

    Conditions from all that is on record before: starting may be long after entry, and what was coded then still holds.
    """
    persons = tables["persons"]
    if "age" in names:
        persons = persons.join(tables["cohort"].select("person_id", "age"), on="person_id", how="left")
    sources = Sources(
        persons=persons,
        **{name: tables[name] for name in ("diagnoses", "dispensings", "pain", "measurements", "daily_dose")},
    )
    known = measure(starting.people, names, sources, lookback, of_code_lists=EVER).frame
    if "age" not in names:
        return known
    aged = starting.people.select("person_id", years=pl.col("after") / DAYS_PER_YEAR)
    return known.join(aged, on="person_id", how="left", maintain_order="left").with_columns(
        pl.col("age") + pl.col("years")
    )
