"""What is known of each person's dose, pain and state of use, to be asked for many (person, day) at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from opioid_outcomes.cohort.covariates import Sources
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints, PersonDays, segment_reduce

NEVER = 2**31 - 1  # a day that never comes


@dataclass(frozen=True)
class DoseHistory:
    """Daily dose as sorted, disjoint stretches. A dose is *known* when no part of it lacks an MME factor."""

    days: PersonDays
    start: Ints  # keys
    stop: Ints
    mme: Floats  # 0 where not known
    known: Bools

    def first_after(self, person: Ints, day: Ints) -> Ints:
        """Index of the first stretch that ends after the start of ``day``."""
        return np.searchsorted(self.stop, self.days.key(person, day), side="right").astype(np.int64)

    def first_from(self, person: Ints, day: Ints) -> Ints:
        """Index of the first stretch that starts on ``day`` or later."""
        return np.searchsorted(self.start, self.days.key(person, day), side="left").astype(np.int64)

    def on_day(self, person: Ints, day: Ints) -> Floats:
        """MME on the day: 0 without supply, NaN where the dose is not known."""
        index = self.first_after(person, day)
        if len(self.start) == 0:
            return np.zeros(len(person))
        nearest = np.minimum(index, len(self.start) - 1)
        active = (index < len(self.start)) & (self.start[nearest] <= self.days.key(person, day))
        return np.where(active, np.where(self.known[nearest], self.mme[nearest], np.nan), 0.0)

    def highest_known(self, person: Ints, first: Ints, last: Ints) -> tuple[Floats, Bools]:
        """Highest known dose on the days first..last (0 without supply), and whether all of them are known."""
        low, high = self.first_after(person, first), self.first_from(person, last + 1)
        highest = segment_reduce(np.maximum, self.mme, low, high, 0.0)
        unknown = segment_reduce(np.maximum, (~self.known).astype(float), low, high, 0.0)
        return highest, unknown == 0

    def lowest_known(self, person: Ints, first: Ints, last: Ints) -> tuple[Floats, Bools]:
        """Lowest known dose on the days with supply of first..last (infinite if none), and whether all are known."""
        low, high = self.first_after(person, first), self.first_from(person, last + 1)
        lowest = segment_reduce(np.minimum, np.where(self.known, self.mme, np.inf), low, high, np.inf)
        unknown = segment_reduce(np.maximum, (~self.known).astype(float), low, high, 0.0)
        return lowest, unknown == 0

    def mme_days(self, person: Ints, first: Ints, stop: Ints) -> Floats:
        """Sum of known daily doses over the days [first, stop)."""
        return self._sum(self.mme, person, first, stop)

    def days_with_supply(self, person: Ints, first: Ints, stop: Ints) -> Floats:
        """Number of the days [first, stop) with supply, at a known dose or not."""
        return self._sum(np.ones(len(self.mme)), person, first, stop)

    def mean(self, person: Ints, first: Ints, stop: Ints) -> Floats:
        """Mean daily MME over the days [first, stop): 0 on days without supply; days of unknown dose are left out."""
        days = (stop - first) - self._sum((~self.known).astype(float), person, first, stop)
        total = self.mme_days(person, first, stop)
        return np.divide(total, days, out=np.full(len(total), np.nan), where=days > 0.5)

    def _sum(self, rate: Floats, person: Ints, first: Ints, stop: Ints) -> Floats:
        if len(self.start) == 0:
            return np.zeros(len(person))
        totals = np.concatenate([[0.0], np.cumsum(rate * (self.stop - self.start))])
        return self._until(totals, rate, person, stop) - self._until(totals, rate, person, first)

    def _until(self, totals: Floats, rate: Floats, person: Ints, day: Ints) -> Floats:
        """Sum of rate x days over all stretches, of everybody before and this person's up to the start of ``day``."""
        count = self.first_from(person, day)
        last = np.maximum(count - 1, 0)
        overrun = np.clip(self.stop[last] - self.days.key(person, day), 0, None)
        return np.where(count > 0, totals[count] - rate[last] * overrun, 0.0)


@dataclass(frozen=True)
class ScoreHistory:
    """One score (of pain, or of another measure) per person and day, the mean where a day has several, sorted."""

    days: PersonDays
    person: Ints
    day: Ints
    score: Floats

    @cached_property
    def keys(self) -> Ints:
        """Of each score, rising."""
        return self.days.key(self.person, self.day)

    def first_from(self, person: Ints, day: Ints) -> Ints:
        """Index of the first score on ``day`` or later, of the person or of those after."""
        return np.searchsorted(self.keys, self.days.key(person, day), side="left").astype(np.int64)

    def next_day(self, person: Ints, day: Ints) -> Ints:
        """Day of the person's next score after ``day``; NEVER if there is none."""
        index = self.first_from(person, day + 1)
        if len(self.day) == 0:
            return np.full(len(person), NEVER)
        nearest = np.minimum(index, len(self.day) - 1)
        return np.where((index < len(self.day)) & (self.person[nearest] == person), self.day[nearest], NEVER)

    def window(self, person: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
        """Indices [low, high) of the person's scores on the days first..last."""
        return self.first_from(person, first), self.first_from(person, last + 1)

    def mean(self, person: Ints, first: Ints, last: Ints) -> Floats:
        """Mean score on the days first..last; NaN where there is none."""
        low, high = self.window(person, first, last)
        total = segment_reduce(np.add, self.score, low, high, 0.0)
        return np.divide(total, high - low, out=np.full(len(total), np.nan), where=high > low)


@dataclass(frozen=True)
class Histories:
    """Everything the analyses ask about, for the persons of the cohort in its order."""

    cohort: pl.DataFrame
    entry: Ints
    exit: Ints  # first day no longer followed
    death: Ints  # day of a death that ends follow-up; NEVER if it ends otherwise
    dose: DoseHistory
    pain: ScoreHistory
    on_start: Ints  # keys of the stretches on opioids for analgesia
    on_stop: Ints
    on_since: Ints
    sources: Sources | None = None  # of covariates, by the person's index; None: those of the cohort table stand
    lookback: int = 0  # days before a visit in which they are looked for

    def days_on(self, person: Ints, day: Ints) -> Floats:
        """Days since the present stretch on opioids began; NaN when not on."""
        if len(self.on_start) == 0:
            return np.full(len(person), np.nan)
        key = self.dose.days.key(person, day)
        last = np.searchsorted(self.on_start, key, side="right") - 1
        inside = (last >= 0) & (self.on_stop[np.maximum(last, 0)] > key)
        return np.where(inside, day - self.on_since[np.maximum(last, 0)], np.nan)


def build(
    cohort: pl.DataFrame,
    pain: pl.DataFrame,
    daily_dose: pl.DataFrame,
    status: pl.DataFrame,
    *,
    sources: Sources | None = None,
    lookback: int = 0,
) -> Histories:
    """Indexes the tables by person and day; rows of people outside the cohort are left out. O(n log n).

    ``pain``: scores of one scale. ``sources``: what covariates are read from, person_id being the index in the cohort.
    """
    persons = numbered(cohort)
    scores = daily_scores(pain, persons, "score")
    doses = daily_dose.join(persons, on="person_id").sort("person", "start")
    on = status.filter(pl.col("state") == "on").join(persons, on="person_id").sort("person", "start")
    seen = [_ints(frame, name) for frame, name in (
        (scores, "date"), (doses, "start"), (doses, "stop"), (on, "start"), (on, "stop"), (cohort, "entry"),
        (cohort, "exit"),
    )]  # fmt: skip
    present = [values for values in seen if len(values)]
    first, last = min((int(v.min()) for v in present), default=0), max((int(v.max()) for v in present), default=0)
    days = PersonDays(first, last)
    known = (doses["mme"].is_not_null() & (doses["mme_incomplete"] == 0)).to_numpy()
    person = _ints(doses, "person")
    return Histories(
        cohort=cohort,
        entry=_ints(cohort, "entry"),
        exit=_ints(cohort, "exit"),
        death=np.where(cohort["death"].to_numpy() == 1, _ints(cohort, "exit") - 1, NEVER),
        dose=DoseHistory(
            days,
            days.key(person, _ints(doses, "start")),
            days.key(person, _ints(doses, "stop")),
            np.where(known, doses["mme"].fill_null(0.0).to_numpy(), 0.0),
            known,
        ),
        pain=ScoreHistory(days, _ints(scores, "person"), _ints(scores, "date"), scores["score"].to_numpy()),
        on_start=days.key(_ints(on, "person"), _ints(on, "start")),
        on_stop=days.key(_ints(on, "person"), _ints(on, "stop")),
        on_since=_ints(on, "on_since"),
        sources=sources,
        lookback=lookback,
    )


def numbered(cohort: pl.DataFrame) -> pl.DataFrame:
    """person_id and ``person``, its index in the cohort."""
    return cohort.select("person_id").with_row_index("person").with_columns(pl.col("person").cast(pl.Int64))


def daily_scores(table: pl.DataFrame, persons: pl.DataFrame, value: str) -> pl.DataFrame:
    """person, date and the mean value of the day, sorted; rows of other people are left out."""
    return (
        table.join(persons, on="person_id")
        .sort("person", "date", value)
        .group_by("person", "date", maintain_order=True)
        .agg(pl.col(value).mean())
    )


def score_history(table: pl.DataFrame, histories: Histories, *, value: str) -> ScoreHistory:
    """Scores of a measure (person_id, date, ``value``) beside the histories' own pain."""
    scores = daily_scores(table, numbered(histories.cohort), value)
    return ScoreHistory(
        histories.dose.days, _ints(scores, "person"), _ints(scores, "date"), scores[value].cast(pl.Float64).to_numpy()
    )


def _ints(frame: pl.DataFrame, column: str) -> Ints:
    return frame[column].cast(pl.Int64).to_numpy()
