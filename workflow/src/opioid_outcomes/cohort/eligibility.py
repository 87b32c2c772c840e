"""Who is followed, from when and until when (ANALYSES 3, CONTRACT 7 "Entry")."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from opioid_outcomes.cohort import causes, codelists
from opioid_outcomes.config.population import Population
from opioid_outcomes.contracts.derived import CENSORED
from opioid_outcomes.units import DAYS_PER_YEAR

TOP_CODED_AGE = 90.0  # HIPAA Safe Harbor: ages of 90 and over are one group
TREATMENT_LIST = "opioid_use_disorder_treatment"


@dataclass(frozen=True)
class Rule:
    """One rule of eligibility and the people left after it."""

    text: str
    kept: int


@dataclass
class Eligible:
    """Eligible people (entry, exit, death, cause, exit_reason, age, observed_until, and death_unobserved: 1 where they
    died after an end of observation that came before the end of follow-up) and the rules that left them."""

    people: pl.DataFrame
    rules: list[Rule] = field(default_factory=list)
    deaths_after_observation: int = 0
    observed_again: int = 0  # people with observation after the period in which they entered
    nobody_matched: bool = False


def qualifying_day(days: pl.DataFrame, needed: int, window: int) -> pl.DataFrame:
    """First day on which a person has ``needed`` distinct days within ``window`` days: person_id, qualified.

    The day is that of the last needed code; "within" means at most ``window`` days after the first of them.
    """
    distinct = days.select("person_id", "date").unique().sort("person_id", "date")
    first = pl.col("date").shift(needed - 1).over("person_id")
    return (
        distinct.filter(pl.col("date") - first <= window)
        .group_by("person_id", maintain_order=True)
        .agg(pl.col("date").first().alias("qualified"))
    )


def ages(persons: pl.DataFrame, observation: pl.DataFrame, *, calendar: bool) -> pl.DataFrame:
    """The day on which each person is 0 years old: person_id, born (day, fractional; null = age unknown).

    A birth year stands for its 1 July; an age at entry belongs to the first observed day. A birth year says nothing
    in a cohort whose days are offsets.
    """
    first = observation.group_by("person_id").agg(pl.col("start").min().alias("first"))
    midyear = pl.date(pl.col("birth_year"), 7, 1).cast(pl.Int32).cast(pl.Float64)
    stated = pl.col("first") - pl.col("age_at_entry") * DAYS_PER_YEAR
    born = pl.coalesce(midyear, stated) if calendar else stated
    return persons.join(first, on="person_id", how="left").select("person_id", born.alias("born"))


def candidates(
    persons: pl.DataFrame,
    observation: pl.DataFrame,
    qualified: pl.DataFrame | None,
    population: Population,
    *,
    calendar: bool,
) -> pl.DataFrame:
    """One row per observation period: the day by which each requirement of entry is met (null = never).

    ``qualified`` is None when everybody in persons qualifies.
    """
    rows = observation.join(ages(persons, observation, calendar=calendar), on="person_id")
    if qualified is None:
        rows = rows.with_columns(pl.col("start").alias("qualified"))
    else:
        rows = rows.join(qualified, on="person_id", how="left")
    of_age = (
        (pl.col("born") + population.min_age * DAYS_PER_YEAR).ceil().cast(pl.Int32)
        if population.min_age
        else pl.lit(None)
    )
    return rows.with_columns(
        (pl.col("start") + population.lookback_days).alias("looked_back"), of_age.cast(pl.Int32).alias("of_age")
    )


def select(
    persons: pl.DataFrame,
    observation: pl.DataFrame,
    *,
    diagnoses: pl.DataFrame,
    deaths: pl.DataFrame,
    status: pl.DataFrame,
    population: Population,
    calendar: bool,
    study_start: int | None = None,
    study_end: int | None = None,
) -> Eligible:
    """The eligible people, one row each, and how many each rule left.

    Entry is the latest of the qualifying day, ``lookback_days`` of observation, ``min_age`` and the start of the
    study, in the earliest observation period that contains it. Rules are nested: each keeps a part of those the one
    before kept. Cost: sorting diagnoses; no loop over persons.
    """
    result = Eligible(people=pl.DataFrame())
    by_pain = population.entry == "chronic_pain"
    found = codelists.matches(diagnoses, codelists.load(population.chronic_pain_codes)) if by_pain else None
    result.nobody_matched = found is not None and found.is_empty()
    qualified = (
        None if found is None else qualifying_day(found, population.min_diagnoses, population.diagnosis_window_days)
    )
    rows = candidates(persons, observation, qualified, population, calendar=calendar)
    result.rules.append(Rule("observed at all", rows["person_id"].n_unique()))
    rows = _enter(rows, population, study_start, study_end, result.rules)
    rows = rows.join(
        deaths.select("person_id", pl.col("date").alias("died"), "cause", "contributing"), on="person_id", how="left"
    )
    rows = rows.filter(pl.col("died").is_null() | (pl.col("died") >= pl.col("entry")))
    rows = rows.sort("person_id", "start").unique("person_id", keep="first", maintain_order=True)
    result.rules.append(Rule("alive at entry", rows.height))
    for name in population.exclude:
        rows = rows.join(_excluded(rows, name, diagnoses, status), on="person_id", how="anti", maintain_order="left")
        result.rules.append(Rule(f"no {_words(name)} on record before entry", rows.height))
    result.people = follow(
        _with_censoring(rows, population.censor_at, diagnoses, status),
        population.max_followup_days, study_end, population.death_after_observation_days,
    )  # fmt: skip
    ended = result.people.filter(pl.col("exit_reason") == "end of observation")
    later = observation.select("person_id", later="start").join(ended.select("person_id", "exit"), on="person_id")
    result.observed_again = later.filter(pl.col("later") >= pl.col("exit"))["person_id"].n_unique()
    # deaths that follow-up would have reached had observation gone on
    reach = pl.min_horizontal(
        pl.col("entry") + population.max_followup_days if population.max_followup_days else pl.lit(None, pl.Int32),
        pl.lit(None if study_end is None else study_end + 1, pl.Int32),
    )
    lost = (pl.col("exit_reason") == "end of observation") & (pl.col("died") < reach.fill_null(pl.col("died") + 1))
    result.people = result.people.with_columns(death_unobserved=lost.fill_null(value=False).cast(pl.Int64))
    result.deaths_after_observation = int(result.people["death_unobserved"].sum())
    return result


def _enter(
    rows: pl.DataFrame, population: Population, study_start: int | None, study_end: int | None, rules: list[Rule]
) -> pl.DataFrame:
    """Adds ``entry`` to the periods in which it exists, requirement by requirement."""

    def keep(text: str, entry: pl.Expr, last: pl.Expr) -> None:
        nonlocal rows
        rows = rows.with_columns(entry.alias("entry")).filter(pl.col("entry") <= last)
        rules.append(Rule(text, rows["person_id"].n_unique()))

    end = pl.col("end")
    if population.entry == "chronic_pain":
        rows = rows.filter(pl.col("qualified").is_not_null())
        rules.append(Rule(_qualification(population), rows["person_id"].n_unique()))
    entry = pl.max_horizontal("qualified", "looked_back")
    before = f" and for {population.lookback_days} days before" if population.lookback_days else ""
    keep(f"observed at entry{before}", entry, end)
    if population.min_age:
        rows = rows.filter(pl.col("of_age").is_not_null())
        rules.append(Rule("age known", rows["person_id"].n_unique()))
        entry = pl.max_horizontal(entry, "of_age")
        keep(f"aged {population.min_age} or over while observed", entry, end)
    if study_start is not None or study_end is not None:
        if study_start is not None:
            entry = pl.max_horizontal(entry, pl.lit(study_start, pl.Int32))
        last = end if study_end is None else pl.min_horizontal(end, pl.lit(study_end, pl.Int32))
        keep("observed within the study's dates", entry, last)
    return rows


def _on_record(name: str, diagnoses: pl.DataFrame, status: pl.DataFrame) -> pl.DataFrame:
    """The days on which a condition is on record: person_id, date."""
    days = codelists.matches(diagnoses, codelists.load(name)).select("person_id", "date")
    if name == TREATMENT_LIST:  # treatment that was dispensed counts as well as treatment that was coded
        treated = status.filter(pl.col("state") == "treatment").select("person_id", pl.col("start").alias("date"))
        days = pl.concat([days, treated])
    return days


def _excluded(rows: pl.DataFrame, name: str, diagnoses: pl.DataFrame, status: pl.DataFrame) -> pl.DataFrame:
    """People with the condition on record on any day strictly before entry."""
    days = _on_record(name, diagnoses, status)
    return days.join(rows.select("person_id", "entry"), on="person_id").filter(pl.col("date") < pl.col("entry"))


def _with_censoring(
    rows: pl.DataFrame, lists: list[str], diagnoses: pl.DataFrame, status: pl.DataFrame
) -> pl.DataFrame:  # fmt: skip
    """Adds censored, the day of the first record from entry on of conditions that end follow-up, and censored_by."""
    days = [diagnoses.clear().select("person_id", censored="date", censored_by=pl.lit(""))]
    for name in lists:
        found = _on_record(name, diagnoses, status)
        days.append(found.select("person_id", censored="date", censored_by=pl.lit(_words(name))))
    first = (
        pl.concat(days)
        .join(rows.select("person_id", "entry"), on="person_id")
        .filter(pl.col("censored") >= pl.col("entry"))
        .sort("person_id", "censored", maintain_order=True)  # of two on one day the first named
        .unique("person_id", keep="first", maintain_order=True)
        .drop("entry")
    )
    return rows.join(first, on="person_id", how="left", maintain_order="left")


def follow(
    rows: pl.DataFrame, max_followup_days: int | None, study_end: int | None, death_after_observation_days: int
) -> pl.DataFrame:
    """Adds exit (half-open), death, cause group, exit_reason, age and observed_until to people with an entry.

    Follow-up ends after the day ``censored``, so that a death on it counts and one after it does not.

    A death up to ``death_after_observation_days`` after the last observed day extends follow-up to it (ANALYSES 3);
    ``observed_until`` is the first day that was not observed, from which on exposure is the last known one.
    """
    observed_until = pl.col("end") + 1
    reached = pl.col("died") <= pl.col("end") + death_after_observation_days
    death_exit = pl.when(reached).then(pl.col("died") + 1)
    max_exit = pl.lit(None, pl.Int32) if max_followup_days is None else pl.col("entry") + max_followup_days
    study_exit = pl.lit(None if study_end is None else study_end + 1, pl.Int32)
    censored_exit = pl.col("censored") + 1
    # nulls are passed over
    exit_day = pl.min_horizontal(pl.coalesce(death_exit, observed_until), max_exit, study_exit, censored_exit)
    return (
        rows.with_columns(exit_day.cast(pl.Int32).alias("exit"), observed_until.alias("observed_until"))
        .with_columns((death_exit == pl.col("exit")).fill_null(False).cast(pl.Int64).alias("death"))
        .with_columns(
            pl.when(pl.col("death") == 1)
            .then(pl.lit("death"))
            .when(pl.col("exit") == study_exit)
            .then(pl.lit("study end"))
            .when(pl.col("exit") == max_exit)
            .then(pl.lit("max follow-up"))
            .when(pl.col("exit") == censored_exit)
            .then(pl.lit(CENSORED) + pl.col("censored_by"))
            .otherwise(pl.lit("end of observation"))
            .alias("exit_reason"),
            pl.when(pl.col("death") == 1).then(causes.group(pl.col("cause"), pl.col("contributing"))).alias("cause"),
            ((pl.col("entry") - pl.col("born")) / DAYS_PER_YEAR).clip(upper_bound=TOP_CODED_AGE).alias("age"),
        )
        .select("person_id", "entry", "exit", "death", "cause", "exit_reason", "age", "observed_until", "died")
    )


def _qualification(population: Population) -> str:
    condition = _words(population.chronic_pain_codes)
    if population.min_diagnoses == 1:
        return f"a code of {condition}"
    number, window = population.min_diagnoses, population.diagnosis_window_days
    return f"{number} codes of {condition} on distinct days within {window} days"


def _words(name: str) -> str:
    """A code list's name as words; a path shows its file's name only."""
    return name.rsplit("/", 1)[-1].removesuffix(".csv").replace("_", " ")
