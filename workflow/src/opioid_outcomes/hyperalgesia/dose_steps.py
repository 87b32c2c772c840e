"""Steps of the prescribed daily dose: by how much it rose or fell, on which day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.histories import DoseHistory
from opioid_outcomes.hyperalgesia.person_days import MARGIN, Bools, Floats, Ints, PersonDays, segment_reduce
from opioid_outcomes.hyperalgesia.visits import LONGEST_GAP, ROUNDING

NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class DoseSteps:
    """Changes of dose, by person, then day, sorted. ``known``: both doses are; else ``change`` is 0."""

    days: PersonDays
    key: Ints
    person: Ints
    day: Ints
    change: Floats  # MME/day; negative where the dose fell
    known: Bools

    def range(self, person: Ints, first: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """Places [low, high) of the steps on the days [first, stop)."""
        low, high = (np.searchsorted(self.key, self.days.key(person, day), side="left") for day in (first, stop))
        return low.astype(np.int64), high.astype(np.int64)

    def total(self, person: Ints, first: Ints, stop: Ints) -> Floats:
        """By how much the dose changed over the days [first, stop), MME/day; NaN where a step's size is not known."""
        low, high = self.range(person, first, stop)
        unknown = segment_reduce(np.maximum, (~self.known).astype(float), low, high, 0.0) > 0
        return np.where(unknown, np.nan, segment_reduce(np.add, self.change, low, high, 0.0))

    def first_unknown(self, person: Ints, day: Ints) -> Ints:
        """Day of the first step of unknown size on ``day`` or later; NEVER where there is none."""
        places = np.flatnonzero(~self.known)
        found = np.searchsorted(self.key[places], self.days.key(person, day), side="left")
        nearest = places[np.minimum(found, len(places) - 1)] if len(places) else np.zeros(len(person), dtype=np.int64)
        inside = found < len(places)
        inside[inside] = self.person[nearest[inside]] == person[inside]
        result = np.full(len(person), NEVER, dtype=np.int64)
        result[inside] = self.day[nearest[inside]]
        return result


def build(dose: DoseHistory, exit_day: Ints) -> DoseSteps:
    """Changes between adjoining stretches of supply. exit_day: by person, the first day no longer followed.

    Over a gap of at most 30 days the prescription is taken to go on, and a change is of the day on which supply begins
    again; a longer gap is a fall to 0 on its first day and a rise from 0 on the day after its last. O(stretches).
    """
    person, start = split(dose.days, dose.start)
    stop = dose.stop - dose.start + start
    follows = np.zeros(len(person), dtype=bool)
    follows[1:] = person[1:] == person[:-1]
    goes_on = follows.copy()
    goes_on[1:] &= start[1:] - stop[:-1] <= LONGEST_GAP
    before, before_known = np.roll(dose.mme, 1), np.roll(dose.known, 1)
    change = dose.mme - np.where(goes_on, before, 0.0)
    known = dose.known & (before_known | ~goes_on)
    last = np.ones(len(person), dtype=bool)
    last[:-1] = ~follows[1:]
    ends = np.where(last, exit_day[person] - stop > LONGEST_GAP, np.roll(~goes_on, -1))
    who, day = np.concatenate([person, person[ends]]), np.concatenate([start, stop[ends]])
    sizes = np.concatenate([change, -dose.mme[ends]])
    sure = np.concatenate([known, dose.known[ends]])
    kept = ~sure | (np.abs(sizes) > ROUNDING)
    who, day, sizes, sure = who[kept], day[kept], np.where(sure, sizes, 0.0)[kept], sure[kept]
    key = dose.days.key(who, day)
    order = np.argsort(key, kind="stable")
    return DoseSteps(dose.days, key[order], who[order], day[order], sizes[order], sure[order])


def split(days: PersonDays, key: Ints) -> tuple[Ints, Ints]:
    """Person and day of keys."""
    span = days.last - days.first + 1 + 2 * MARGIN
    person = key // span
    return person, key - person * span + days.first - MARGIN
