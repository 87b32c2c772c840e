"""Sums over any window of days of a person, and the first day on which conditions on such sums hold.

Sums are whole numbers and exact: doses count in millionths of an MME. A window's sum is the difference of two running
sums, so its cost does not depend on the window's length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import polars as pl

from opioid_outcomes.exposure.stretches import Array, distinct_days

PARTS_PER_MME = 10**6
TOLERANCE = (
    1 / PARTS_PER_MME
)  # MME/day: doses are sums and means of numbers rounded so far, and no more exact than that
NEVER = np.iinfo(np.int64).max
Condition = Callable[[Array, Array], list[Array]]
Dose = TypeVar("Dose", Array, pl.Series, pl.Expr)


def reaches(dose: Dose, bound: Array | float, of: Array | float = 1.0) -> Dose:
    """Whether a dose is at least a bound, but for rounding: 60 + 20.1 + 9.9 MME reach 90.

    ``of``: the dose by which both may be off in proportion, for bounds that are shares of a dose.
    """
    return dose >= bound - TOLERANCE * of


def exceeds(dose: Dose, bound: Array | float, of: Array | float = 1.0) -> Dose:
    """Whether a dose is above a bound, and not by rounding."""
    return dose > bound + TOLERANCE * of


class Accrual:
    """Running sums of quantities that are constant over stretches of days.

    ``person`` (codes 0, 1, ...), ``start``, ``stop``: half-open stretches sorted by person and start, which do not
    overlap; ``per_day``: what accrues on each day of a stretch, whole numbers, one array per quantity. Days outside the
    stretches accrue nothing. A person's sums must stay below 2^63. O(n) to build, O(m log n) to ask.
    """

    def __init__(self, person: Array, start: Array, stop: Array, **per_day: Array) -> None:
        self.person, self.start, self.stop = (array.astype(np.int64) for array in (person, start, stop))
        self.rate = {name: rate.astype(np.int64) for name, rate in per_day.items()}
        self.first = int(self.start.min(initial=0))
        self.width = int(self.start.max(initial=0)) - self.first + 3
        self.keys = self._key(self.person, self.start)
        length = self.stop - self.start
        first = np.searchsorted(self.person, self.person)  # of the same person
        self.before: dict[str, Array] = {}
        for name, rate in self.rate.items():
            # over all people the sum may wrap around 2^64; within one it does not, and the difference is exact
            accrued = np.cumsum(rate * length) - rate * length
            self.before[name] = accrued - accrued[first]

    def row(self, person: Array, day: Array) -> Array:
        """The person's latest stretch that begins on or before ``day``; -1 if there is none."""
        if not len(self.person):
            return np.full(len(person), -1, dtype=np.int64)
        found = np.searchsorted(self.keys, self._key(person, day), side="right") - 1
        return np.where((found >= 0) & (self.person[found] == person), found, -1)

    def _key(self, person: Array, day: Array) -> Array:
        """Person and day as one number; days before or after all stretches are as good as the day next to these."""
        return person * self.width + np.clip(day - self.first + 1, 0, self.width - 1)

    def covers(self, person: Array, day: Array) -> Array:
        """1 where a stretch of the person holds ``day``, else 0."""
        if not len(self.person):
            return np.zeros(len(person), dtype=np.int64)
        row = self.row(person, day)
        return ((row >= 0) & (day < self.stop[row])).astype(np.int64)

    def until(self, person: Array, day: Array, *what: str) -> list[Array]:
        """Of each quantity, what each person has accrued on all days before ``day``."""
        if not len(self.person):
            return [np.zeros(len(person), dtype=np.int64) for _ in what]
        row = self.row(person, day)
        elapsed = np.minimum(day, self.stop[row]) - self.start[row]
        return [np.where(row < 0, 0, self.before[name][row] + self.rate[name][row] * elapsed) for name in what]

    def between(self, person: Array, start: Array, stop: Array, *what: str) -> list[Array]:
        """Of each quantity, what each person accrues on the days [start, stop)."""
        parts = (self.until(person, day, *what) for day in (start, stop))
        return [high - low for low, high in zip(*parts, strict=True)]


def days_of(person: Array, day: Array, **per_day: Array) -> Accrual:
    """Accrual of what falls on single days (dispensings): one row per person and day, sorted."""
    return Accrual(person, day, day + 1, **per_day)


def first_met(knots: list[tuple[Array, Array]], conditions: list[Condition], people: int) -> Array:
    """Each person's first day on which every condition is 0 or more; ``NEVER`` where there is none.

    A condition of a person and a day is a list of whole numbers that change linearly with the day between two ``knots``
    (person, day) of a person; nothing is met before a person's first knot or after the last. On a piece between knots
    each holds from, or up to, a day that is a division, so no day is walked; pieces on which one holds nowhere are not
    asked for the next. O(k log k) for k knots.
    """
    person, day = distinct_days(knots)
    same = np.append(person[1:] == person[:-1], False)[: len(day)]
    length = np.where(same, np.append(day[1:], 0) - day, 1)
    low, high = np.zeros(len(day), dtype=np.int64), length - 1
    for condition in conditions:
        for now, then in zip(condition(person, day), condition(person, day + 1), strict=True):
            _narrow(low, high, now, then - now)
        kept = low <= high
        person, day, low, high = person[kept], day[kept], low[kept], high[kept]
    result = np.full(people, NEVER)
    leading = np.diff(person, prepend=-1) != 0
    result[person[leading]] = (day + low)[leading]
    return result


def _narrow(low: Array, high: Array, now: Array, slope: Array) -> None:
    """Narrows the days ``low`` to ``high`` after a piece's first, in place, to those with now + slope x days >= 0."""
    rising, falling = slope > 0, slope < 0
    reached = -(now // np.where(rising, slope, 1))  # the days until it is 0 or more
    np.maximum(low, np.where(now >= 0, 0, np.where(rising, reached, NEVER)), out=low)
    kept = np.where(now >= 0, now // np.where(falling, -slope, 1), -1)
    np.minimum(high, np.where(falling, kept, high), out=high)
