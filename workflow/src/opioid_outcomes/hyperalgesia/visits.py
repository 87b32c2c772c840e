"""Decision visits: days on which somebody on stable long-term therapy reported pain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.histories import DoseHistory, Histories
from opioid_outcomes.hyperalgesia.person_days import MARGIN, Bools, Floats, Ints, segment_reduce

# METHODS B5: the prior dose lies within +/-20 %, with no gap above 30 days
STABLE_BAND = 0.2
LONGEST_GAP = 30
ROUNDING = 1e-6  # MME/day; two equal doses may differ by this after adding and subtracting


@dataclass(frozen=True)
class Visits:
    """One decision per row, by person (index in the cohort), then day."""

    person: Ints
    day: Ints
    pain: Floats  # score on the day of the visit
    dose: Floats  # MME/day on the day before the visit
    days_on: Floats  # since the present stretch on opioids began

    def rows(self, chosen: Bools | slice) -> Visits:
        return Visits(**{name: values[chosen] for name, values in vars(self).items()})


def eligible(histories: Histories, *, stable_days: int) -> Visits:
    """Days with a pain score, in follow-up, on opioids, after ``stable_days`` of one known dose.

    Stable: supply throughout the days [v - stable_days, v) with no gap above 30 days (a gap that reaches into them
    counts in full, so therapy began before them) and in hand on the last of them (who has run out may have stopped
    already, and then there is nothing to decide), every dose in them known and within 20 % of their mean over days
    with supply. All of it is known on the day of the visit. Cost: O(scores x log stretches).
    """
    person, day, pain = histories.pain.person, histories.pain.day, histories.pain.score
    followed = (histories.entry[person] <= day) & (day < histories.exit[person])
    person, day, pain = person[followed], day[followed], pain[followed]
    days_on = histories.days_on(person, day)
    stable = _stable(histories.dose, person, day, stable_days) & np.isfinite(days_on)
    dose = histories.dose.on_day(person, day - 1)
    return Visits(person, day, pain, dose, days_on).rows(stable)


def _stable(dose: DoseHistory, person: Ints, day: Ints, stable_days: int) -> Bools:
    first = day - stable_days
    low, high = dose.first_after(person, first), dose.first_from(person, day)
    some = low < high
    if not some.any():
        return some
    # days without supply before each stretch; before a person's first one there are more than a margin of them
    gap = np.concatenate([[MARGIN], dose.start[1:] - dose.stop[:-1]])
    begin, end = np.minimum(low, len(gap) - 1), np.maximum(high - 1, 0)
    supplied_from = (dose.start[begin] <= dose.days.key(person, first)) | (gap[begin] <= LONGEST_GAP)
    supplied_to = dose.stop[end] >= dose.days.key(person, day)
    unbroken = segment_reduce(np.maximum, gap.astype(float), low + 1, high, 0.0) <= LONGEST_GAP
    known = segment_reduce(np.minimum, dose.known.astype(float), low, high, 0.0) > 0
    return some & supplied_from & supplied_to & unbroken & known & _steady(dose, person, first, day)


def _steady(dose: DoseHistory, person: Ints, first: Ints, stop: Ints) -> Bools:
    """Whether every dose in [first, stop) is within the band around the mean over days with supply."""
    days = dose.days_with_supply(person, first, stop)
    mean = np.divide(dose.mme_days(person, first, stop), days, out=np.zeros(len(days)), where=days > 0.5)
    low, high = dose.first_after(person, first), dose.first_from(person, stop)
    lowest = segment_reduce(np.minimum, dose.mme, low, high, 0.0)
    highest = segment_reduce(np.maximum, dose.mme, low, high, 0.0)
    band = STABLE_BAND * mean + ROUNDING
    return (mean > ROUNDING) & (highest <= mean + band) & (lowest >= mean - band)
