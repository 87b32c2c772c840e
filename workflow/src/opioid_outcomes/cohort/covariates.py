"""Baseline and time-updated covariates: what was on record strictly before a day, within the look-back.

A covariate that a cohort cannot measure is null for everybody and said so; it is never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from opioid_outcomes.cohort import codelists
from opioid_outcomes.cohort.covariate_names import refuse_unknown
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.canonical import PERSONS
from opioid_outcomes.exposure import stays as inpatient
from opioid_outcomes.exposure.drug_classes import fills_of_classes
from opioid_outcomes.units import DAYS_PER_YEAR

RECENT_DAYS = 30  # of hospital_days and new_diagnoses
EPOCH = 1970


@dataclass(frozen=True)
class Sources:
    """The tables covariates are read from; persons carries age at entry as ``age``."""

    persons: pl.DataFrame
    diagnoses: pl.DataFrame
    dispensings: pl.DataFrame
    pain: pl.DataFrame
    measurements: pl.DataFrame
    daily_dose: pl.DataFrame
    stays: pl.DataFrame | None = None

    def further_columns(self) -> list[str]:
        return [name for name in self.persons.columns if name not in PERSONS.names and name != "age"]

    def measures(self) -> list[str]:
        return sorted(self.measurements["measure"].unique())


@dataclass
class Measured:
    """``frame``: person_id, day and one column per covariate; ``costs``: what could not be measured, and why."""

    frame: pl.DataFrame
    costs: list[str] = field(default_factory=list)


def dropped(names: list[str]) -> list[str]:
    """What it costs that a cohort's dates are not actual: calendar terms mean nothing there (``config.slices``)."""
    return [
        f"Covariate {name.replace('_', ' ')} is dropped: dates are not actual (date_basis of the cohort)."
        for name in names
    ]


def measure(
    anchors: pl.DataFrame, names: list[str], sources: Sources, lookback: int, *, of_code_lists: int | None = None
) -> Measured:
    """Covariates as known on the eve of each anchor (person_id, day).

    Code lists and drug classes are 1 if on record in [day - lookback, day), else 0; ``pain`` and measures are the
    last value there; ``prior_mme`` the mean MME/day over those days; ``hospital_days`` the days in hospital among the
    last 30 (of the look-back), ``new_diagnoses`` the distinct codes first recorded in them; ``calendar_year`` the
    anchor's, with its fraction, which only actual dates have; ``age``, ``sex`` and further columns of persons belong
    to the person. A column of persons goes before a code list of the same name.
    ``of_code_lists``: the look-back of code lists, where it is another. UserError names every unknown covariate.
    Cost: one as-of join per covariate.
    """
    refuse_unknown(names, sources.further_columns(), sources.measures())
    result = Measured(anchors.select("person_id", "day").sort("person_id", "day"))
    further = sources.further_columns()
    of_person = [name for name in names if name in ("age", "sex") or name in further]
    result.frame = result.frame.join(
        sources.persons.select("person_id", *of_person), on="person_id", how="left", maintain_order="left"
    )
    classes: pl.DataFrame | None = None
    for name in names:
        if name in of_person:
            continue
        if name == "pain":
            column = _last(result, name, sources.pain.rename({"score": "value"}), lookback, "no pain scores")
        elif name == "prior_mme":
            column = _mean_dose(result, name, sources, lookback)
        elif name == "hospital_days":
            column = _hospital_days(result, name, sources.stays, min(RECENT_DAYS, lookback))
        elif name == shipped.CALENDAR_YEAR:
            column = result.frame["day"].cast(pl.Float64) / DAYS_PER_YEAR + EPOCH
        elif name == "new_diagnoses":
            column = _new_diagnoses(result, name, sources.diagnoses, min(RECENT_DAYS, lookback))
        elif name in shipped.code_lists():
            found = codelists.matches(sources.diagnoses, codelists.load(name)) if sources.diagnoses.height else None
            reach = lookback if of_code_lists is None else of_code_lists
            column = _any(result, name, found, reach, "no diagnoses")
        elif name in shipped.drug_classes():
            if classes is None:
                classes = fills_of_classes(sources.dispensings)
            found = classes.filter(pl.col("class") == name) if classes.height else None
            column = _any(result, name, found, lookback, "no dispensing is recognised as a drug other than an opioid")
        else:
            values = sources.measurements.filter(pl.col("measure") == name)
            column = _last(result, name, values, lookback, "no such measurements")
        result.frame = result.frame.with_columns(column.alias(name))
    result.frame = result.frame.select("person_id", "day", *names)
    return result


def _unmeasured(result: Measured, name: str, dtype: pl.DataType, why: str) -> pl.Series:
    result.costs.append(f"Covariate {name.replace('_', ' ')} is missing for everybody: {why}.")
    return pl.Series(name, [None] * result.frame.height, dtype=dtype)


def _before(anchors: pl.DataFrame, events: pl.DataFrame, lookback: int) -> pl.DataFrame:
    """Per anchor, in order, the last event row (person_id, date, ...) in [day - lookback, day); null if none."""
    joined = anchors.select("person_id", "day").join_asof(
        events.sort("person_id", "date").with_columns(pl.col("date").alias("event_day")),
        left_on="day",
        right_on="date",
        by="person_id",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    return joined.with_columns((pl.col("day") - pl.col("event_day") <= lookback).fill_null(False).alias("in_lookback"))


def _any(result: Measured, name: str, events: pl.DataFrame | None, lookback: int, why: str) -> pl.Series:
    if events is None or lookback == 0:
        return _unmeasured(result, name, pl.Int64(), why if events is None else "there is no look-back")
    days = events.select("person_id", "date").unique()
    return _before(result.frame, days, lookback)["in_lookback"].cast(pl.Int64)


def _last(result: Measured, name: str, events: pl.DataFrame, lookback: int, why: str) -> pl.Series:
    """The last day's value; several of one day are averaged."""
    if events.is_empty() or lookback == 0:
        return _unmeasured(result, name, pl.Float64(), why if events.is_empty() else "there is no look-back")
    daily = (
        events.sort("person_id", "date", "value")
        .group_by("person_id", "date", maintain_order=True)
        .agg(pl.col("value").mean())
    )
    found = _before(result.frame, daily, lookback)
    return found.select(pl.when("in_lookback").then("value"))["value"]


def _mean_dose(result: Measured, name: str, sources: Sources, lookback: int) -> pl.Series:
    """Mean MME/day over the look-back, days without supply counting 0; null if any day's dose is not fully known."""
    if sources.daily_dose.is_empty() or lookback == 0:
        return _unmeasured(result, name, pl.Float64(), "no daily doses" if lookback else "there is no look-back")
    unknown = pl.col("mme").is_null() | (pl.col("mme_incomplete") == 1)
    length = pl.col("stop") - pl.col("start")
    cumulative: Callable[[pl.Expr], pl.Expr] = lambda value: (value.cum_sum() - value).over("person_id")  # noqa: E731
    doses = (
        sources.daily_dose.sort("person_id", "start")
        .with_columns(
            pl.when(unknown).then(0.0).otherwise(pl.col("mme")).alias("known"),
            unknown.cast(pl.Float64).alias("unknown"),
        )
        .select(
            "person_id", "start", "stop", "known", "unknown",
            cumulative(pl.col("known") * length).alias("known_before"),
            cumulative(pl.col("unknown") * length).alias("unknown_before"),
        )
    )  # fmt: skip

    def totals(day: pl.Expr) -> pl.DataFrame:
        at = result.frame.select("person_id", day.alias("day")).join_asof(
            doses, left_on="day", right_on="start", by="person_id", strategy="backward", check_sortedness=False
        )
        elapsed = pl.min_horizontal("day", "stop") - pl.col("start")
        return at.select(
            (pl.col("known_before") + pl.col("known") * elapsed).fill_null(0.0).alias("dose"),
            (pl.col("unknown_before") + pl.col("unknown") * elapsed).fill_null(0.0).alias("unknown"),
        )

    end, start = totals(pl.col("day")), totals(pl.col("day") - lookback)
    spent = pl.DataFrame({"dose": end["dose"] - start["dose"], "unknown": end["unknown"] - start["unknown"]})
    return spent.select(pl.when(pl.col("unknown") == 0).then(pl.col("dose") / lookback).alias(name))[name]


def _hospital_days(result: Measured, name: str, stays: pl.DataFrame | None, reach: int) -> pl.Series:
    """Days in hospital in [day - reach, day): admission counts, discharge does not; stays that overlap count once."""
    merged = inpatient.merge(stays) if stays is not None else None
    if merged is None or merged.is_empty() or reach == 0:
        return _unmeasured(result, name, pl.Int64(), "there is no look-back" if reach == 0 else "no hospital stays")
    length = pl.col("end") - pl.col("start")
    before = (length.cum_sum() - length).over("person_id").alias("before")
    merged = merged.sort("person_id", "start").with_columns(before)

    def spent(day: pl.Expr) -> pl.Series:
        at = _latest(result, merged, "start", day)
        elapsed = pl.min_horizontal("day", "end") - pl.col("start")
        return at.select((pl.col("before") + elapsed).fill_null(0).cast(pl.Int64))["before"]

    return spent(pl.col("day")) - spent(pl.col("day") - reach)


def _new_diagnoses(result: Measured, name: str, diagnoses: pl.DataFrame, reach: int) -> pl.Series:
    """Distinct codes whose first record falls in [day - reach, day)."""
    if diagnoses.is_empty() or reach == 0:
        return _unmeasured(result, name, pl.Int64(), "no diagnoses" if reach else "there is no look-back")
    first = (
        diagnoses.select("person_id", "date", "vocabulary", codelists.normalised(pl.col("code")).alias("code"))
        .group_by("person_id", "vocabulary", "code")
        .agg(pl.col("date").min())
        .sort("person_id", "date", "vocabulary", "code")
        .select("person_id", "date", pl.int_range(1, pl.len() + 1).over("person_id").alias("seen"))
        .unique(["person_id", "date"], keep="last", maintain_order=True)
    )

    def seen(day: pl.Expr) -> pl.Series:
        return _latest(result, first, "date", day)["seen"].fill_null(0).cast(pl.Int64)

    return seen(pl.col("day")) - seen(pl.col("day") - reach)


def _latest(result: Measured, events: pl.DataFrame, date: str, day: pl.Expr) -> pl.DataFrame:
    """Per anchor, in order, the last row of events (sorted, one per person and date) strictly before the day."""
    return result.frame.select("person_id", day.alias("day")).join_asof(
        events, left_on="day", right_on=date, by="person_id", strategy="backward", allow_exact_matches=False,
        check_sortedness=False,
    )  # fmt: skip
