"""Rules about persons and the time in which they are observed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from opioid_outcomes.counts import about
from opioid_outcomes.ingest.batch import Batch
from opioid_outcomes.ingest.convert import Days

OLDEST = 90  # HIPAA Safe Harbor, 45 CFR 164.514(b)(2): ages over 89 are one category
LONGEST_LIFE = 125


@dataclass(frozen=True)
class People:
    """Who may have rows elsewhere: ids accepted, ids not selected, first observed days, days of death."""

    ids: pl.Series
    not_selected: pl.Series
    first_day: pl.DataFrame  # person_id, first_day
    death: pl.DataFrame | None = None  # person_id, death

    @classmethod
    def of(cls, persons: Batch, observation: Batch) -> People:
        ids = persons.sound()["person_id"]
        left_out = persons.not_selected.filter(~persons.not_selected.is_in(ids.implode()))
        return cls(ids, left_out, first_days(observation))

    def with_deaths(self, deaths: Batch) -> People:
        return replace(self, death=deaths.sound().select("person_id", death="date"))

    def reject_strangers(self, batch: Batch) -> Batch:
        """Rows of nobody in persons. That a person was not selected comes before whatever else is wrong with a row."""
        person = pl.col("person_id")
        if len(self.not_selected):
            left_out = pl.when(person.is_in(self.not_selected.implode())).then(pl.lit("person_not_selected"))
            batch = replace(batch, frame=batch.frame.with_columns(rule=pl.coalesce(left_out, "rule")))
        return batch.reject(("unknown_person", ~person.is_in(self.ids.implode())))


def first_days(observation: Batch) -> pl.DataFrame:
    """Each person's first observed day, from periods that are sound in themselves."""
    periods = observation.sound().filter(pl.col("start") <= pl.col("end"))
    return periods.group_by("person_id", maintain_order=True).agg(first_day=pl.col("start").min())


def year_of(day: pl.Expr) -> pl.Expr:
    return day.cast(pl.Date).dt.year().cast(pl.Int64)


def check_persons(persons: Batch, observation: Batch, days: Days) -> Batch:
    """Identical rows: one is kept; conflicting: none, since nobody can tell which is right."""
    columns = persons.frame.columns
    frame = persons.frame.join(first_days(observation), on="person_id", how="left", maintain_order="left")
    rules = [("impossible_age", pl.col("age_at_entry") > LONGEST_LIFE)]
    if days.calendar:
        first = year_of(pl.col("first_day"))
        rules += [
            ("birth_after_observation", pl.col("birth_year") > first),
            ("impossible_birth_year", pl.col("birth_year") < first - LONGEST_LIFE),
        ]
    checked = replace(persons, frame=frame).reject(*rules)
    checked = replace(checked, frame=checked.frame.select(columns)).reject_duplicates()
    again = pl.col("person_id").is_duplicated()
    conflicting = checked.sound().filter(again)["person_id"].unique(maintain_order=True)
    if not len(conflicting):
        return checked
    return checked.reject(("conflicting_person", pl.col("person_id").is_in(conflicting.implode())))


def merge_periods(observation: Batch) -> tuple[Batch, dict[int, int]]:
    """Overlapping or touching periods of a person become one; and, by source, the rows that were merged away."""
    ordered = observation.sound().sort("person_id", "start", "end", "source", "row")
    covered = pl.col("end").cum_max().shift(1).over("person_id")
    opens = (covered.is_null() | (pl.col("start") > covered + 1)).fill_null(True)
    period = ordered.with_columns(opens.cum_sum().alias("\0period"))
    first = pl.col("end").max().over("\0period")
    kept = period.with_columns(first).filter(pl.col("\0period").is_first_distinct()).drop("\0period")
    gone = ordered.height - kept.height
    merged: dict[int, int] = {}
    if gone:
        lost = ordered.join(kept.select("source", "row"), on=["source", "row"], how="anti")
        merged = dict(lost.group_by("source").len().rows())
    broken = observation.frame.filter(pl.col("rule").is_not_null())
    return replace(observation, frame=pl.concat([kept, broken.select(kept.columns)])), merged


def top_code(persons: pl.DataFrame, observation: pl.DataFrame, calendar: bool) -> tuple[pl.DataFrame, list[str]]:
    """Ages of 90 and over on the first observed day become 90.

    Age at the first day, not at the last: a birth year moved because somebody lived long would make the covariate age
    depend on the outcome.
    """
    too_old = pl.col("age_at_entry") > OLDEST
    age = pl.when(too_old).then(pl.lit(float(OLDEST))).otherwise("age_at_entry")
    if not calendar:
        coded = persons.with_columns(age.alias("age_at_entry"))
        changed = too_old
    else:
        first = observation.group_by("person_id", maintain_order=True).agg(pl.col("start").min().alias("\0first"))
        persons = persons.join(first, on="person_id", how="left", maintain_order="left")
        oldest_year = year_of(pl.col("\0first")) - OLDEST
        early = pl.col("birth_year") < oldest_year
        year = pl.when(early).then(oldest_year).otherwise("birth_year")
        coded = persons.with_columns(age.alias("age_at_entry"), year.alias("birth_year")).drop("\0first")
        changed = too_old | early
    count = persons.select(changed.fill_null(False).sum()).item()
    if not count:
        return coded, []
    said = f"People older than {OLDEST} on their first observed day were top-coded to {OLDEST}: {about(count)}."
    return coded, [said]
