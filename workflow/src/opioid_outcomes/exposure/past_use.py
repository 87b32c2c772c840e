"""What lies behind a day of use: MME consumed so far, and the days without opioids before the use began.

Spec: ANALYSES 2 (new user), METHODS B4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.exposure.records import Records, at, days, of_people
from opioid_outcomes.exposure.stretches import Array

PARTS = 10**7  # MME are added as whole ten-millionths: exact, whoever else is in the table; up to 9e11 MME a person
LONG_AGO = -(2**40)  # a day so early that it never matters
NOT_KNOWN = -1


@dataclass(frozen=True)
class Doses(Records):
    """Daily dose from each day to stop."""

    stop: Array
    mme: Array  # NaN = unknown

    @classmethod
    def of(cls, daily: pl.DataFrame, ids: pl.Series) -> Doses:
        """``daily``: person_id, start, stop, mme, sorted by person and start."""
        rows, person = of_people(daily, ids)
        mme = rows.get_column("mme")
        known = mme.cast(pl.Float64).fill_null(np.nan) if mme.null_count() else mme
        return cls(person, days(rows, "start"), days(rows, "stop"), known.to_numpy().astype(np.float64))

    def consumed_before(self, person: Array, day: Array, row: Array | None = None) -> Array:
        """MME consumed before each day: the daily dose summed over the days with supply.

        Days of carry-over or of unknown dose add nothing. ``row``: as ``latest`` gives it, if it is known already.
        O(n log n).
        """
        known = np.nan_to_num(self.mme)
        parts = np.rint(known * (self.stop - self.day) * PARTS).astype(np.int64)
        so_far = np.cumsum(parts) - parts  # of everybody; if it wraps around, differences within a person do not
        row = self.latest(person, day) if row is None else row
        first = np.searchsorted(self.person, np.arange(int(person.max(initial=-1)) + 1))[person]
        taken = np.minimum(day, at(self.stop, row, 0)) - at(self.day, row, 0)
        since = np.rint(at(known, row, 0) * taken * PARTS).astype(np.int64)
        before = at(so_far, row, 0) - at(so_far, np.where(row < 0, -1, first), 0)
        return (before + since) / PARTS


@dataclass(frozen=True)
class Periods(Records):
    """Periods of observation of a person that do not touch, from day to end (inclusive)."""

    end: Array

    @classmethod
    def of(cls, observation: pl.DataFrame, ids: pl.Series) -> Periods:
        """``observation``: person_id, start, end, in any order."""
        rows, person = of_people(observation.sort("person_id", "start"), ids)
        return cls(person, days(rows, "start"), days(rows, "end"))

    def observed_before(self, person: Array, day: Array) -> Array:
        """Days observed without a break up to the day before each day."""
        row = self.latest(person, day)
        throughout = at(self.end, row, LONG_AGO) >= day - 1
        return np.where(throughout, day - at(self.day, row, 0), 0)


def naive_days(observed: Array, free_from: Array, day: Array) -> Array:
    """Observed days without opioids directly before each day on which use begins.

    ``observed``: days observed without a break before it; ``free_from``: the first day after the last one on which an
    opioid was dispensed, carried over or in treatment, or use was not known.
    """
    return np.maximum(np.minimum(observed, day - free_from), 0)


def new_user(naive: Array, free_from: Array, day: Array, washout_days: int) -> Array:
    """1 new (no opioid in ``washout_days`` with observation throughout), 0 an opioid in those days, else NOT_KNOWN.

    An opioid in those days makes the use prevalent whether or not all of them were observed.
    """
    return np.where(naive >= washout_days, 1, np.where(free_from > day - washout_days, 0, NOT_KNOWN))
