"""How old people are along their person-time: what comparisons with the general population rest on."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.cohort.eligibility import TOP_CODED_AGE, ages
from opioid_outcomes.units import DAYS_PER_YEAR

HALF_A_YEAR = 0.5 * DAYS_PER_YEAR
COMPLETED = "ages are completed years, so half a year is added"


def completed_years(persons: pl.DataFrame) -> bool:
    """Whether ages at entry are told in completed years: all of them are whole numbers."""
    stated = persons["age_at_entry"].drop_nulls()
    return len(stated) > 0 and bool((stated == stated.floor()).all())


def aged(
    person_time: pl.DataFrame, cohort: pl.DataFrame, persons: pl.DataFrame, observation: pl.DataFrame, *, calendar: bool
) -> pl.DataFrame:
    """Person-time with ``entered`` (day of entry), ``born`` (days since entry, below 0; null = age unknown), ``female``
    (1, 0, null = sex neither) of its person.

    A birth year stands for its middle, and for 90 years on the first observed day where it is top-coded. Completed
    years get half a year more, as people are that much older on average: expected deaths would be some 4 % short.
    """
    first = observation.group_by("person_id").agg(pl.col("start").min().alias("first"))
    older = HALF_A_YEAR if completed_years(persons) else 0.0
    top_coded = pl.col("first").cast(pl.Date).dt.year() - pl.col("birth_year") >= TOP_CODED_AGE
    at_most = pl.min_horizontal("day", pl.col("first") - TOP_CODED_AGE * DAYS_PER_YEAR)
    of_year = pl.when(top_coded).then(at_most).otherwise("day") if calendar else pl.col("day")
    day = pl.when(pl.col("age_at_entry").is_not_null()).then(pl.col("day") - older).otherwise(of_year)
    sex = pl.col("sex_of").replace_strict({"F": 1, "M": 0}, default=None, return_dtype=pl.Int64)
    stated = persons.select("person_id", "age_at_entry", "birth_year", pl.col("sex").alias("sex_of"))
    people = (
        cohort.select("person_id", pl.col("entry").alias("entered"))
        .join(ages(persons, observation, calendar=calendar).rename({"born": "day"}), on="person_id", how="left")
        .join(stated, on="person_id", how="left")
        .join(first, on="person_id", how="left")
        .select(
            "person_id", "entered", (day - pl.col("entered")).cast(pl.Float64).alias("born"), sex.alias("female"),
        )
    )  # fmt: skip
    return person_time.join(people, on="person_id", how="left", maintain_order="left")
