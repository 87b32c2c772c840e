"""Dose in the cohort and its course since entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.contracts.derived import TRAJECTORIES
from opioid_outcomes.exposure import mme
from opioid_outcomes.exposure.dose_history import at_flat_factor
from opioid_outcomes.trajectories import dose_classes
from opioid_outcomes.trajectories.distribution import dose_bands, dose_distribution, dose_trajectory
from opioid_outcomes.trajectories.flat_dose import at_flat_dose
from opioid_outcomes.trajectories.latent_class import observe
from opioid_outcomes.trajectories.selection import Candidate, select
from opioid_outcomes.trajectories.use_history import use_history

FEWEST_PERSONS = 50


def describe_trajectories(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the displays dose_distribution, dose_trajectory, dose_bands and use_history; returns a line of counts."""
    person_time = io.read_table(inputs["person_time"])
    others = [io.read_table(inputs[name]) for name in ("cohort", "opioid_status", "daily_dose")]
    distribution, trajectory = dose_distribution(person_time), dose_trajectory(person_time)
    io.write_frame(distribution, outputs["dose_distribution"])
    io.write_frame(trajectory, outputs["dose_trajectory"])
    io.write_frame(dose_bands(person_time), outputs["dose_bands"])
    io.write_frame(use_history(person_time, *others), outputs["use_history"])
    return f"dose in {distribution.height} bands, {trajectory.height} months since entry"


def _person_time(inputs: dict[str, Any], settings: dict[str, Any]) -> pl.DataFrame:
    """At methadone's flat factor where the table has tiers, as drift: else a class would be a step between factors."""
    person_time = io.read_table(inputs["person_time"])
    tiers = mme.tiers(mme.factors(settings["exposure"]["mme_factors"]))
    if tiers is None:
        return person_time
    daily = io.read_table(inputs["daily_dose"], ("person_id", "start", "mme", "tiered_mg"))
    cohort = io.read_table(inputs["cohort"], ("person_id", "entry"))
    return at_flat_dose(person_time, cohort, at_flat_factor(daily, tiers))


def classify_trajectories(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes trajectories and the displays trajectory_models and trajectory_classes; returns one line of counts.

    Persons without a day on opioids in the window, or with too few months of known dose, have no course and no class.
    With fewer than 50 persons with a course, too few months for a curve, or one dose only, there are no classes and
    trajectory_models says why. Where methadone's factor rises with its dose, courses have it at 3. A class is told from
    the whole window and is no exposure for what happens inside it.
    """
    chosen = settings["trajectories"]
    person_time = _person_time(inputs, settings)
    courses = dose_classes.courses(person_time, chosen["months"], chosen["min_months"])
    scale, persons = chosen["dose_scale"], len(courses.person_ids)
    candidates: list[Candidate] = []
    refusal = f"fewer than {FEWEST_PERSONS} persons with a course of dose"
    if persons >= FEWEST_PERSONS:
        dose = dose_classes.to_scale(courses.months["mme"].to_numpy(), scale)
        try:
            curves = observe(courses.person, courses.months["month"].to_numpy(), dose, chosen["curve"])
        except ValueError as error:  # too few distinct months for the curve, or all doses the same
            refusal = str(error)
        else:
            candidates = select(
                curves, chosen["max_classes"], starts=chosen["starts"], seed=settings["study_seed"],
                least_sigma=dose_classes.LEAST_SIGMA,
            )  # fmt: skip
    best = next((each.fit for each in candidates if each.chosen), None)
    if best is None:
        classes = (
            person_time.select("person_id")
            .clear()
            .with_columns(pl.lit(None, pl.Int64).alias("class"), pl.lit(None, pl.Float64).alias("posterior"))
        )
        curves_shown = pl.DataFrame(schema=dose_classes.CLASSES)
    else:
        classes, curves_shown = (
            dose_classes.trajectories(best, courses.person_ids),
            dose_classes.classes_display(best, courses, scale),
        )
    io.write_table(classes, outputs["trajectories"], TRAJECTORIES, calendar=False)
    io.write_frame(dose_classes.models_display(candidates, courses, refusal), outputs["models"])
    io.write_frame(curves_shown, outputs["classes"])
    left_out = f"{courses.never_on:,} never on opioids, {courses.too_few_months:,} with too few months of known dose"
    if best is None:
        return f"no latent classes: {refusal} ({left_out})"
    most = ", the most tried" if best.classes == chosen["max_classes"] > 1 else ""
    return f"{best.classes} latent classes{most}, of {persons:,} courses of dose ({left_out})"
