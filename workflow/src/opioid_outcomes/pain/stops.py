"""Ends of long-term therapy, and the pain scores around them on a clock that is 0 on the day supply ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.hyperalgesia.histories import Histories, numbered
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints, within

LONG_TERM_DAYS = 90  # of uninterrupted therapy before the end of supply
BEFORE_DAYS = 90  # the last days on, against which pain is held
HISTORY_DAYS = 365  # before those: what the visits in them are told by
LAST_DAY = 730
OFF = ("recent", "former")


@dataclass(frozen=True)
class Stops:
    """Ends of supply, sorted by person and day: (s,) each."""

    person: Ints
    end: Ints  # first day without supply
    since: Ints  # first day of the therapy that ended
    until: Ints  # first day no longer off, or no longer followed
    restarts: Bools  # whether it is a restart (or use that is not known) that ends it
    dose: Floats  # MME/day on the last day with supply; NaN where not known


@dataclass(frozen=True)
class Scores:
    """Pain scores around the ends, sorted by stop and clock: (n,) each."""

    stop: Ints  # index of the stop
    person: Ints
    clock: Ints  # days since the end of supply; before it negative
    pain: Floats


def stops(status: pl.DataFrame, histories: Histories) -> Stops:
    """Ends of therapy for pain of at least ``LONG_TERM_DAYS``, told by the end of the carry-over without a refill.

    status: OPIOID_STATUS. Time off runs from the end of supply itself, without carry-over, until opioids of any kind
    begin again. Ends before the start of follow-up are left out. O(n log n).
    """
    day = pl.col("start", "stop", "supply_end", "on_since").cast(pl.Int64)
    state = pl.col("state").cast(pl.String)
    rows = (
        status.join(numbered(histories.cohort), on="person_id")
        .sort("person", "start")
        .select("person", day, off=state.is_in(OFF), on=state == "on")
        .with_columns(touches=(pl.col("start") == pl.col("stop").shift(1).over("person")).fill_null(False))
    )
    previous = {name: pl.col(name).shift(1).over("person") for name in ("on", "off", "on_since")}
    begins = pl.col("off") & ~(previous["off"].fill_null(False) & pl.col("touches"))
    runs = (
        rows.with_columns(
            begins=begins, ended=begins & pl.col("touches") & previous["on"].fill_null(False),
            therapy=previous["on_since"],
        )
        .filter("off")
        .with_columns(run=pl.col("begins").cum_sum())
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("person", "ended", "therapy").first(), pl.col("supply_end").first().alias("end"),
            pl.col("stop").last().alias("until"),
        )
        .filter("ended", pl.col("end") - pl.col("therapy") >= LONG_TERM_DAYS)
    )  # fmt: skip
    person, end, until = (runs[name].cast(pl.Int64).to_numpy() for name in ("person", "end", "until"))
    leaves = histories.exit[person]
    kept = (end >= histories.entry[person]) & (end < leaves)
    person, end, until, leaves = person[kept], end[kept], until[kept], leaves[kept]
    return Stops(
        person, end, runs["therapy"].cast(pl.Int64).to_numpy()[kept], np.minimum(until, leaves), until < leaves,
        histories.dose.on_day(person, end - 1),
    )  # fmt: skip


def scores(found: Stops, histories: Histories) -> Scores:
    """Scores from up to a year before the last days on to two years after the end, on therapy or off it, followed."""
    first = np.maximum(found.since, found.end - BEFORE_DAYS - HISTORY_DAYS)
    last = np.minimum(found.until - 1, found.end + LAST_DAY)
    low, high = histories.pain.window(found.person, first, last)
    stop, index = within(low, high)
    return Scores(stop, found.person[stop], histories.pain.day[index] - found.end[stop], histories.pain.score[index])
