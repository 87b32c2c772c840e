"""``build_cohort``: from canonical tables and exposure to the people, their time and Table 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.cohort import attrition, causes, covariates, eligibility, panel, person_time, table_one
from opioid_outcomes.cohort.days import day_of
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.population import Population
from opioid_outcomes.contracts.derived import COHORT, PANEL, PERSON_TIME
from opioid_outcomes.counts import about, share
from opioid_outcomes.exposure.source import Source, source

TABLES = ("persons", "observation", "dispensings", "opioid_use", "diagnoses", "pain", "deaths", "measurements", "stays")


def build_cohort(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Attrition, cohort, person-time, panel, Table 1 and notes of one cohort; a line of counts for the terminal."""
    population = Population(**settings["population"])
    wanted = Covariates(**settings["covariates"])
    bands = [float(bound) for bound in settings["exposure"]["dose_bands"]]
    calendar = io.is_calendar(inputs["observation"], "start")
    tables = {name: io.read_table(inputs[name]) for name in TABLES}
    status, daily = io.read_table(inputs["opioid_status"]), io.read_table(inputs["daily_dose"])
    known_from = source(tables["dispensings"], io.read_table(inputs["dispensings_clean"]), tables["opioid_use"])
    exposure = exposure_kind(known_from, tables["opioid_use"])
    before_first = "never" if known_from == "dispensings" else "unknown"
    found = eligibility.select(
        tables["persons"], tables["observation"], diagnoses=tables["diagnoses"], deaths=tables["deaths"],
        status=status, population=population, calendar=calendar,
        study_start=day_of(population.study_start, "population.study_start", calendar=calendar),
        study_end=day_of(population.study_end, "population.study_end", calendar=calendar),
    )  # fmt: skip
    quality = pl.read_csv(inputs["quality"])
    io.write_frame(attrition.build(quality, tables["persons"].height, found.rules), outputs["attrition"])

    ages = found.people.select("person_id", "age")
    sources = covariates.Sources(
        persons=tables["persons"].join(ages, on="person_id", how="left"),
        **{name: tables[name] for name in ("diagnoses", "dispensings", "pain", "measurements", "stays")},
        daily_dose=daily,
    )
    people = found.people.sort("person_id")
    measured = covariates.measure(
        people.select("person_id", pl.col("entry").alias("day")), wanted.baseline, sources, population.lookback_days
    )
    design = tables["persons"].select("person_id", "survey_weight", "stratum", "cluster")
    state = person_time.state_at(status, people, "entry", before_first)
    cohort = (
        people.drop("age")
        .join(design, on="person_id", how="left", maintain_order="left")
        .with_columns(*measured.frame.select(wanted.baseline).get_columns(), state.alias("state"))
        .with_columns(person_time.on_opioid(pl.col("state")).alias("baseline_user"))
    )
    time = person_time.build(cohort, status, bands, wanted.baseline, daily=daily, before_first=before_first)
    months = panel.build(
        time, cohort, tables["pain"], baseline=wanted.baseline, time_varying=wanted.time_varying, sources=sources,
        lookback=population.lookback_days,
    )  # fmt: skip
    io.write_table(cohort.select(*COHORT.names, *wanted.baseline), outputs["cohort"], COHORT, calendar=calendar)
    io.write_table(time, outputs["person_time"], PERSON_TIME, calendar=calendar)
    io.write_table(months, outputs["panel"], PANEL, calendar=calendar)
    io.write_frame(table_one.build(cohort, time, wanted.baseline, exposure), outputs["table_one"])
    costs = [*measured.costs, *covariates.dropped(settings["cohort"]["dropped_covariates"])]
    costs += use_at_time_zero(cohort, tables["opioid_use"]) if exposure == "baseline" else []
    by_arm = deaths_by_arm(cohort, status, exposure, before_first)
    recorded = causes.contributing_recorded(tables["deaths"].join(people, on="person_id", how="semi"))
    more = {"deaths_by_arm": by_arm, "contributing_recorded": recorded}
    io.write_json(outputs["notes"], notes(found, exposure, costs, population) | more)
    return f"{cohort.height:,} of {tables['persons'].height:,} people eligible, {int(cohort['death'].sum()):,} deaths"


def exposure_kind(known_from: Source, opioid_use: pl.DataFrame) -> str:
    """How use is known: ``time_varying``, ``baseline`` (each person at most at one interview) or ``none``."""
    if known_from == "reports":
        return "baseline" if opioid_use["person_id"].is_unique().all() else "time_varying"
    return "time_varying" if known_from == "dispensings" else "none"


def deaths_by_arm(
    cohort: pl.DataFrame, status: pl.DataFrame, exposure: str, before_first: str
) -> dict[str, dict[str, int]]:
    """Deaths that end follow-up, and deaths after observation had ended, by the arm people were in on their last
    observed day (at time zero, where use is known at one interview only). Arm: 1 on opioids, 0 off."""
    if exposure == "baseline":
        arm = cohort["baseline_user"]
    else:
        last = cohort.select("person_id", day=pl.min_horizontal("exit", "observed_until") - 1)
        state = person_time.state_at(status, last, "day", before_first)
        arm = state.to_frame("state").select(person_time.on_opioid(pl.col("state"))).to_series()
    counted = cohort.with_columns(arm.alias("arm"))
    return {
        str(value): {
            "followed": int(people["death"].sum()), "after_observation": int(people["death_unobserved"].sum()),
        }
        for value in (1, 0)
        for people in [counted.filter(pl.col("arm") == value)]
    }  # fmt: skip


def use_at_time_zero(cohort: pl.DataFrame, opioid_use: pl.DataFrame) -> list[str]:
    """What it costs that people were interviewed, but not so that their use at time zero is known."""
    interviewed = cohort.join(opioid_use, on="person_id", how="semi")
    unknown = interviewed["baseline_user"].null_count()
    if not unknown:
        return []
    return [
        f"Opioid use at time zero is unknown for {share(unknown, interviewed.height)} of the people interviewed: their "
        "interview is on a later day, or too long before (exposure.report_valid_days). To use it, start their "
        "observation at the interview; time zero is then that day if population.entry is first_observation and "
        "population.lookback_days is 0."
    ]


def notes(found: eligibility.Eligible, exposure: str, costs: list[str], population: Population) -> dict[str, Any]:
    """What the report must say of this cohort, and the counts later steps act on."""
    warnings = io.encoding_warnings([population.chronic_pain_codes, *population.exclude, *population.censor_at])
    if found.people.is_empty():
        emptying = next((rule.text for rule in found.rules if rule.kept == 0), "")
        why = f"Nobody is eligible: the rule '{emptying}' leaves nobody."
        if found.nobody_matched:
            why += (
                f" In fact no diagnosis matches the code list {Path(population.chronic_pain_codes).name}. Check the"
                " vocabulary of the diagnoses, give population.chronic_pain_codes a list of your own codes, or set"
                " population.entry to first_observation if everybody in persons has chronic pain."
            )
        warnings.append(why)
    if found.deaths_after_observation:
        count, days = about(found.deaths_after_observation), population.death_after_observation_days
        warnings.append(
            f"Deaths more than {days} days after the end of the observation period of entry are not counted: {count}."
        )
    if population.censor_at:
        at = ", ".join(Path(name).stem.replace("_", " ") for name in population.censor_at)
        warnings.append(
            f"Follow-up ends at the first record of {at} after entry (population.censor_at). This conditions on what"
            " happens after entry: where opioids lead to it, or it and use share causes, what is left is biased. It is"
            " for sensitivity only, and no weights for loss of observation make up for it."
        )
    if found.observed_again:
        warnings.append(
            "Follow-up ends with the observation period of entry. People observed again later, whose later time is not"
            f" counted: {about(found.observed_again)}."
        )
    return {
        "warnings": warnings,
        "costs": costs,
        "persons": found.people.height,
        "deaths": int(found.people["death"].sum()),
        "deaths_after_observation": found.deaths_after_observation,
        "exposure": exposure,
    }
