"""How old people are along their person-time: what comparisons with the general population rest on."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.cohort.eligibility import ages

HALF_A_YEAR = 0.5 * 365.25


def aged(
    person_time: pl.DataFrame, cohort: pl.DataFrame, persons: pl.DataFrame, observation: pl.DataFrame, *, calendar: bool
) -> pl.DataFrame:
    """Person-time with ``entered`` (day of entry), ``born`` (days since entry, below 0; null = age unknown), ``female``
    (1, 0, null = sex neither) of its person.

    A birth year stands for its middle. Where every age at entry of the cohort is a whole number, ages are completed
    years: half a year is added, as people are that much older on average; expected deaths would be some 4 % short.
    """
    stated = persons["age_at_entry"].drop_nulls()
    completed = len(stated) > 0 and bool((stated == stated.floor()).all())
    older = pl.when(pl.col("age_at_entry").is_not_null()).then(HALF_A_YEAR if completed else 0.0).otherwise(0.0)
    people = (
        cohort.select("person_id", pl.col("entry").alias("entered"))
        .join(ages(persons, observation, calendar=calendar).rename({"born": "day"}), on="person_id", how="left")
        .join(persons.select("person_id", "age_at_entry", pl.col("sex").alias("sex_of")), on="person_id", how="left")
        .select(
            "person_id",
            "entered",
            (pl.col("day") - older - pl.col("entered")).cast(pl.Float64).alias("born"),
            pl.col("sex_of").replace_strict({"F": 1, "M": 0}, default=None, return_dtype=pl.Int64).alias("female"),
        )
    )
    return person_time.join(people, on="person_id", how="left", maintain_order="left")
