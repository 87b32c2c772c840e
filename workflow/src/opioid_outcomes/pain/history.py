"""Pain before a day, in terms that a model can hold where there was no score too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.confounders import PAIN_HISTORY_DAYS
from opioid_outcomes.hyperalgesia.histories import ScoreHistory
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints, within


@dataclass(frozen=True)
class Before:
    """``last``: (n,) score, NaN where there is none; ``terms``: (n,) each, by name, without a missing value."""

    last: Floats
    terms: dict[str, Floats]


def before(pain: ScoreHistory, person: Ints, day: Ints) -> Before:
    """Scores of the 180 days up to each day, which itself counts: a prescription follows what is said of the pain.

    Last score, mean, least squares slope per 30 days (0 of one score), count, days since the last one, and whether
    there is none; means of the others stand where there is none. O(n log scores + scores within 180 days).
    """
    low, high = pain.window(person, day - PAIN_HISTORY_DAYS, day)
    rows, count = len(low), (high - low).astype(float)
    some, at_least = count > 0, np.maximum(count, 1)
    place = np.maximum(high - 1, 0)
    last, age = np.full(rows, np.nan), np.zeros(rows)
    last[some] = pain.score[place[some]]
    age[some] = day[some] - pain.day[place[some]]
    owner, index = within(low, high)
    score, months = pain.score[index], (pain.day[index] - day[owner]) / 30.0
    mean = np.bincount(owner, score, minlength=rows) / at_least
    centred = months - (np.bincount(owner, months, minlength=rows) / at_least)[owner]
    spread = np.bincount(owner, centred**2, minlength=rows)
    rise = np.bincount(owner, centred * score, minlength=rows)
    slope = np.divide(rise, spread, out=np.zeros(rows), where=spread > 0)
    centre = [float(values[some].mean()) if some.any() else 0.0 for values in (last, mean, age)]
    terms = {
        "last pain": np.where(some, last, centre[0]),
        "mean pain in 180 days": np.where(some, mean, centre[1]),
        "slope of pain in 180 days": slope,
        "scores in 180 days": count,
        "days since the last score": np.where(some, age, centre[2]),
        "no score in 180 days": (~some).astype(float),
    }
    return Before(last, terms)
