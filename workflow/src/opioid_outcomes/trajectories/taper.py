"""``trajectory.taper``: after a taper, who goes back to the old dose, who stops, who dies (ANALYSES 1, C7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.counts import about
from opioid_outcomes.exposure.stretches import merge_equal
from opioid_outcomes.survival import incidence
from opioid_outcomes.survival.kaplan_meier import log_log_limits
from opioid_outcomes.units import DAYS_PER_YEAR

ANALYSIS = "trajectory.taper"
CAUSES = ("relapse", "stopped", "death")
SUCCESS = "success"
HORIZON_DAYS = 365
# Days in a row at the old dose that are a relapse: while one strength takes over from another their supplies overlap
# for some days, which is no rise of the prescribed dose. As long as the default grace of an escalation (ANALYSES 5.1).
RELAPSE_DAYS = 7
# A dose this near the old one, relatively, is the old one: means of days are not exact
ROUNDING = 1e-6
FEWEST_PERSONS = 10


@dataclass(frozen=True)
class Course:
    """One row per person at risk: ``time`` in days since follow-up began, ``cause`` 0 censored, 1.. as CAUSES."""

    time: npt.NDArray[np.int64]
    cause: npt.NDArray[np.int64]
    stopped_before: int  # people whose therapy had already ended when the taper was known


def taper(
    dose_events: pl.DataFrame, cohort: pl.DataFrame, daily_dose: pl.DataFrame, observation: pl.DataFrame, *,
    stop_days: int, taper_days: int, factors: str,
) -> list[Estimate]:  # fmt: skip
    """Cumulative incidence of relapse, stopping and death within 365 days of a person's first taper, and success.

    Tables as in the contracts (days as integers), mme on the scale of mme_before; stop_days: days without supply by
    which the discontinuations among dose_events are told; taper_days: days over which a taper is told. Each outcome
    competes with the others; follow-up begins on the day the taper is ascertained, and ends with the cohort's
    follow-up. Success is the share with neither relapse nor death, 1 less the incidence of either: still on less, or
    stopped. Aalen-Johansen, standard error by the infinitesimal jackknife over persons, limits on the log-log scale of
    what does not happen (of success: of itself). Four rows. Cost: sorts of the daily dose of people with a taper.
    """
    found = courses(dose_events, cohort, daily_dose, observation)
    events = np.bincount(found.cause, minlength=len(CAUSES) + 1)
    persons, free = len(found.time), int(events[0])
    curves = incidence.fit(0.0, found.time, found.cause, causes=len(CAUSES))
    refusal = _refusal(found)
    notes = (
        "first taper in follow-up; from the day it is ascertained; each outcome competes with the others",
        f"relapse: {RELAPSE_DAYS} days in a row at the mean dose before the taper or above (MME by {factors}),"
        f" on the last of them; stopped: {stop_days} days without supply, on the last of them",
        "success: neither relapse nor death, so still on less or stopped; success, relapse and death add up to 1",
        f"already stopped when the taper was ascertained, left out: {about(found.stopped_before)}",
        f"by definition, a taper that ends in no dose within about {taper_days} days is a discontinuation and not here",
    )
    rows = []
    for j, name in enumerate(CAUSES):
        row = Estimate(
            analysis=ANALYSIS, method="aalen_johansen", population="people after a taper", outcome=name,
            contrast="after taper", window=f"0-{HORIZON_DAYS}", scale="share", persons=persons,
            events=int(events[j + 1]), person_years=float(found.time.sum() / DAYS_PER_YEAR),
            # who has none of the events is what the shares leave of 1
            smallest_cell=smallest(int(events[j + 1]), free), gate=f"not evaluable: {refusal}", note="; ".join(notes),
        )  # fmt: skip
        rows.append(row if refusal else replace(row, **_numbers(curves, j), gate="pass"))
    return [*rows, _success(found, rows[0])]


def _success(found: Course, row: Estimate) -> Estimate:
    """Who neither goes back nor dies, of whom some stop: what the incidence of these two as one leaves of 1.

    ``row``: of another outcome. Relapse or death is told by what success and the other leave of everybody.
    """
    cause = np.choose(found.cause, [0, 1, 2, 1])  # relapse or death, and stopping
    free, relapsed, stopped, died = (int((found.cause == code).sum()) for code in range(len(CAUSES) + 1))
    row = replace(
        row, outcome=SUCCESS, events=free + stopped, smallest_cell=smallest(free + stopped, free, relapsed, died)
    )
    if row.gate != "pass":
        return row
    failed = _numbers(incidence.fit(0.0, found.time, cause, causes=2), 0)
    low, high = (None if failed.get(end) is None else 1 - failed[end] for end in ("ci_high", "ci_low"))
    return replace(row, estimate=1 - failed["estimate"], se=failed.get("se"), ci_low=low, ci_high=high)


def courses(
    dose_events: pl.DataFrame, cohort: pl.DataFrame, daily_dose: pl.DataFrame, observation: pl.DataFrame
) -> Course:
    """When follow-up after the first taper ends, and by what; sorted by person.

    Day d is (d, d + 1]: what becomes true on day d does so at d + 1 - follow_up_from, as in person-time. Dose is known
    to the end of the observation period of entry only, death to the end of the cohort's follow-up.
    """
    people = _at_risk(dose_events, cohort, observation)
    supply = (
        daily_dose.select("person_id", "start", "stop", "mme")
        .join(people.select("person_id", "begin", "known_until", "mme_before"), on="person_id", how="inner")
        .filter(pl.col("start") < pl.col("known_until"))
        .sort("person_id", "start")
    )
    people = people.join(_stopped(dose_events, people, supply), on="person_id", how="left", maintain_order="left")
    people = people.join(_relapsed(supply), on="person_id", how="left", maintain_order="left")
    before = (pl.col("stopped") <= pl.col("begin")).fill_null(value=False)
    died = pl.when(pl.col("death") == 1).then("exit")
    days = people.filter(~before).select(
        (day - pl.col("begin")).cast(pl.Int64).alias(name)
        for name, day in {
            "relapse": pl.col("relapse"), "stopped": pl.col("stopped"), "death": died,
            "end": pl.min_horizontal(pl.coalesce(died, "known_until"), pl.col("begin") + HORIZON_DAYS),
        }.items()
    )  # fmt: skip
    first = pl.min_horizontal(*CAUSES)
    # of two on one day: the dose was back before the person died, and the dead have not stopped
    cause = pl.when(first == pl.col("relapse")).then(1).when(first == pl.col("death")).then(3).otherwise(2)
    inside = (first <= pl.col("end")).fill_null(value=False)
    ended = days.select(
        time=pl.when(inside).then(first).otherwise("end"), cause=pl.when(inside).then(cause).otherwise(0)
    )
    return Course(ended["time"].to_numpy(), ended["cause"].to_numpy(), people.filter(before).height)


def _at_risk(dose_events: pl.DataFrame, cohort: pl.DataFrame, observation: pl.DataFrame) -> pl.DataFrame:
    """The first taper of each person in follow-up: person_id, begin, mme_before, exit, death, known_until."""
    period = (
        observation.select("person_id", "start", "end")
        .join(cohort.select("person_id", "entry"), on="person_id", how="inner")
        .filter(pl.col("start") <= pl.col("entry"), pl.col("entry") <= pl.col("end"))
        .group_by("person_id")
        .agg(observed_until=pl.col("end").max() + 1)
    )
    return (
        dose_events.filter(pl.col("event") == "taper", pl.col("mme_before").is_not_null())
        .select("person_id", "mme_before", begin="follow_up_from")
        .join(cohort.select("person_id", "entry", "exit", "death"), on="person_id", how="inner")
        .join(period, on="person_id", how="inner")
        .with_columns(known_until=pl.min_horizontal("exit", "observed_until"))
        .filter(pl.col("begin") >= pl.col("entry"), pl.col("begin") < pl.col("known_until"))
        .sort("person_id", "begin", "mme_before")
        .unique("person_id", keep="first", maintain_order=True)
    )


def _stopped(dose_events: pl.DataFrame, people: pl.DataFrame, supply: pl.DataFrame) -> pl.DataFrame:
    """person_id, stopped: the first day on which therapy is known to have ended, and not only for a time before."""
    last_start = supply.filter(pl.col("start") <= pl.col("begin")).group_by("person_id").agg(pl.col("start").max())
    return (
        dose_events.filter(pl.col("event") == "discontinuation")
        .select("person_id", off="date", stopped="follow_up_from")
        .join(people.select("person_id", "begin", "known_until"), on="person_id", how="inner")
        .join(last_start, on="person_id", how="left")
        .filter(
            pl.col("stopped") <= pl.col("known_until"),
            (pl.col("stopped") > pl.col("begin")) | (pl.col("start") < pl.col("off")),
        )
        .group_by("person_id")
        .agg(pl.col("stopped").min())
    )


def _relapsed(supply: pl.DataFrame) -> pl.DataFrame:
    """person_id, relapse: the day after the last of the first RELAPSE_DAYS days in a row at the old dose."""
    old_dose = pl.col("mme") >= pl.col("mme_before") * (1 - ROUNDING)
    days = supply.filter(old_dose, pl.col("stop") > pl.col("begin"))
    days = days.with_columns(pl.max_horizontal("start", "begin").alias("start"))
    runs = merge_equal(days.select("person_id", "start", "stop", "mme_before"), ["mme_before"])
    long = runs.filter(pl.col("stop") - pl.col("start") >= RELAPSE_DAYS)
    return long.group_by("person_id").agg(relapse=pl.col("start").min() + RELAPSE_DAYS)


def _refusal(found: Course) -> str | None:
    """Why nothing can be estimated."""
    if not len(found.time):
        return "nobody has a taper in follow-up"
    if len(found.time) < FEWEST_PERSONS:
        return "fewer than ten people have a taper in follow-up"
    if not (found.cause > 0).any():
        return "neither relapse, stopping nor death occurs"
    free = found.cause == 0
    if free.any() and found.time[free].max() < HORIZON_DAYS:
        return f"nobody without an outcome is followed for {HORIZON_DAYS} days"
    return None


def _numbers(curves: incidence.Incidence, cause: int) -> dict[str, Any]:
    """Incidence at the horizon with log-log limits of its complement; without an event, 0 and no limits."""
    risk = float(curves.risk(HORIZON_DAYS)[0, cause])
    if risk == 0:
        return {"estimate": 0.0}
    se = float(np.sqrt(curves.covariance(HORIZON_DAYS)[cause, cause]))
    left = np.array([1 - risk])
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = log_log_limits(left, (se / left) ** 2)
    return {"estimate": risk, "se": se, "ci_low": float(1 - high[0]), "ci_high": float(1 - low[0])}
