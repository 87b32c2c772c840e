"""The sequential trials as a table: each eligible index date with its follow-up and the covariates of its eve.

Contracts TRIALS; ANALYSES 3 (deaths_complete_until, deaths after observation) and 4.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from opioid_outcomes.cohort import causes, codelists
from opioid_outcomes.cohort.covariates import Sources, measure
from opioid_outcomes.cohort.eligibility import TOP_CODED_AGE, TREATMENT_LIST
from opioid_outcomes.contracts.derived import TRIALS
from opioid_outcomes.mortality.index_dates import histories, index_dates
from opioid_outcomes.units import DAYS_PER_YEAR

# Look-back of conditions, in days: whatever is on record, as chronic ones are not coded every half year
EVER = 2**31 - 1


@dataclass(frozen=True)
class Rules:
    """What the config says of the trials. Days are absolute."""

    comparators: Sequence[str]
    baseline: Sequence[str]
    exclude: Sequence[str]
    washout_days: int
    lookback_days: int
    encounter_window_days: int
    death_after_observation_days: int = 30
    max_followup_days: int | None = None
    study_end: int | None = None
    deaths_complete_until: int | None = None


@dataclass
class Trials:
    """``table``: contracts TRIALS and the covariates; ``costs``: what could not be measured, and why."""

    table: pl.DataFrame
    costs: list[str] = field(default_factory=list)


def build(cohort: pl.DataFrame, tables: Mapping[str, pl.DataFrame], rules: Rules) -> Trials:
    """One row per comparator and eligible index date of the cohort's people, sorted by comparator, person and index.

    ``tables``: the canonical tables, dispensings_clean, opioid_status and daily_dose; rows of other people do not
    matter. Covariates are those of the eve of each index date, never those of cohort entry. Cost: as-of joins over the
    encounters and the index dates; 60 to 100 bytes a row. People are independent, so a large cohort may be cut.
    """
    people = followed(cohort, tables, rules)
    known = histories(people, tables)
    washout = max(rules.washout_days, rules.lookback_days)
    parts = [
        index_dates(known, name, washout=washout, encounter_window=rules.encounter_window_days).with_columns(
            comparator=pl.lit(name)
        )
        for name in rules.comparators
    ]
    dates = pl.concat(parts)
    covariates, costs = _covariates(dates, cohort, tables, rules)
    table = (
        with_follow_up(dates, people, rules.death_after_observation_days)
        .join(covariates, on=["person_id", "index"], how="left", maintain_order="left")
        .select(*TRIALS.names, *rules.baseline)
        .with_columns(
            pl.col("comparator").cast(pl.Categorical),
            pl.col("arm", "event").cast(pl.Int8),
            pl.col("trial", "days_since_entry", "follow_up", "as_treated_until").cast(pl.Int32),
            # 0/1, or counts of days or codes: tens of millions of rows are to fit
            *(
                pl.col(name).cast(pl.Int16)
                for name in rules.baseline
                if covariates.schema[name] == pl.Int64 and name not in tables["persons"].columns
            ),
        )
    )
    return Trials(table, costs)


def followed(cohort: pl.DataFrame, tables: Mapping[str, pl.DataFrame], rules: Rules) -> pl.DataFrame:
    """When each person of the cohort is observed and followed: what ``index_dates.Histories`` calls people, and death.

    Adds to it died (1 if follow-up ends in death) and cause. Follow-up by intention to treat ends with
    ``deaths_complete_until`` for everybody, however long they were observed, else with the cohort's own.
    """
    people = cohort.select("person_id", "entry", "exit", "death", "cause").join(
        tables["observation"].select("person_id", observed_from="start", observed_until=pl.col("end") + 1),
        on="person_id",
    )
    people = people.filter(
        pl.col("observed_from") <= pl.col("entry"), pl.col("entry") < pl.col("observed_until")
    ).rename({"exit": "end", "death": "died"})
    if rules.deaths_complete_until is not None:
        people = _complete(people, tables["deaths"], rules)
    return people.join(_exclusions(tables, rules), on="person_id", how="left").sort("person_id")


def _complete(people: pl.DataFrame, deaths: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Follow-up to the day up to which deaths are known for everybody."""
    until = pl.min_horizontal(
        pl.lit(rules.deaths_complete_until, pl.Int32) + 1,
        pl.lit(None, pl.Int32) if rules.max_followup_days is None else pl.col("entry") + rules.max_followup_days,
        pl.lit(None if rules.study_end is None else rules.study_end + 1, pl.Int32),
    )
    dead = deaths.select(
        "person_id", dies=pl.col("date") + 1, group=causes.group(pl.col("cause"), pl.col("contributing"))
    )
    died = (pl.col("dies") <= until).fill_null(False)
    return people.join(dead, on="person_id", how="left").select(
        "person_id", "entry", "observed_from", "observed_until",
        end=pl.when(died).then("dies").otherwise(until).cast(pl.Int32),
        died=died.cast(pl.Int64),
        cause=pl.when(died).then("group"),
    )  # fmt: skip


def _exclusions(tables: Mapping[str, pl.DataFrame], rules: Rules) -> pl.DataFrame:
    """The first day on which each person has a condition that excludes: person_id, excluded_from."""
    diagnoses, status = tables["diagnoses"], tables["opioid_status"]
    days = [diagnoses.clear().select("person_id", "date")]
    for name in rules.exclude:
        days.append(codelists.matches(diagnoses, codelists.load(name)).select("person_id", "date"))
        if name == TREATMENT_LIST:  # treatment that was dispensed counts as well as treatment that was coded
            treated = status.filter(pl.col("state").cast(pl.String) == "treatment")
            days.append(treated.select("person_id", date="start"))
    return pl.concat(days).group_by("person_id").agg(excluded_from=pl.col("date").min())


def with_follow_up(dates: pl.DataFrame, people: pl.DataFrame, death_after_observation_days: int) -> pl.DataFrame:
    """Adds days_since_entry, follow_up, event, cause and as_treated_until to index dates.

    as_treated_until is the day the strategy is left, or the first on which a death is no longer counted: until then one
    counts with the last known exposure (ANALYSES 3).
    """
    unknown = pl.col("observed_until") + death_after_observation_days
    left = pl.when(pl.col("left") < pl.col("observed_until")).then("left")  # records end with observation, use need not
    until = pl.min_horizontal(left, unknown) - pl.col("index")
    return (
        dates.join(people.drop("excluded_from"), on="person_id", how="left", maintain_order="left")
        .with_columns(
            days_since_entry=(pl.col("index") - pl.col("entry")).cast(pl.Int64),
            follow_up=(pl.col("end") - pl.col("index")).cast(pl.Int64),
            event=pl.col("died").cast(pl.Int64),
            cause=pl.col("cause").cast(pl.String),
        )
        .with_columns(as_treated_until=pl.when(until < pl.col("follow_up")).then(until).cast(pl.Int64))
    )


def _covariates(
    dates: pl.DataFrame, cohort: pl.DataFrame, tables: Mapping[str, pl.DataFrame], rules: Rules
) -> tuple[pl.DataFrame, list[str]]:
    """person_id, index and the baseline covariates as known strictly before the index date."""
    anchors = dates.select("person_id", day="index").unique().sort("person_id", "day")
    persons = tables["persons"]
    if "age" in rules.baseline:
        persons = persons.join(cohort.select("person_id", "age"), on="person_id", how="left")
    sources = Sources(
        persons=persons,
        **{name: tables[name] for name in ("diagnoses", "dispensings", "pain", "measurements", "stays", "daily_dose")},
    )
    found = measure(anchors, list(rules.baseline), sources, rules.lookback_days, of_code_lists=EVER)
    frame = found.frame
    if "age" in rules.baseline:
        entry = frame.join(cohort.select("person_id", "entry"), on="person_id", how="left", maintain_order="left")
        older = (entry["day"] - entry["entry"]) / DAYS_PER_YEAR
        frame = frame.with_columns((pl.col("age") + older).clip(upper_bound=TOP_CODED_AGE))
    return frame.rename({"day": "index"}), found.costs
