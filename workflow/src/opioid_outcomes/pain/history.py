"""Pain before a day, in terms that a model can hold where there was no score too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.confounders import SLOPE, recent
from opioid_outcomes.hyperalgesia.histories import ScoreHistory
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints


@dataclass(frozen=True)
class Before:
    """``last``: (n,) score, NaN where there is none; ``terms``: (n,) each, by name, without a missing value."""

    last: Floats
    terms: dict[str, Floats]


def before(pain: ScoreHistory, person: Ints, day: Ints) -> Before:
    """Scores of the 180 days up to each day, which itself counts: a prescription follows what is said of the pain.

    Last score, mean, slope (``hyperalgesia.confounders.Recent``), count, days since the last one, and whether there is
    none; means of the others stand where there is none. O(n log scores + scores within 180 days).
    """
    past = recent(pain, person, day)
    some, place = past.count > 0, np.maximum(past.high - 1, 0)
    last, age = np.full(len(some), np.nan), np.zeros(len(some))
    last[some] = pain.score[place[some]]
    age[some] = day[some] - pain.day[place[some]]
    mean = past.total / np.maximum(past.count, 1)
    centre = [float(values[some].mean()) if some.any() else 0.0 for values in (last, mean, age)]
    terms = {
        "last pain": np.where(some, last, centre[0]),
        "mean pain in 180 days": np.where(some, mean, centre[1]),
        SLOPE: past.slope,
        "scores in 180 days": past.count,
        "days since the last score": np.where(some, age, centre[2]),
        "no score in 180 days": (~some).astype(float),
    }
    return Before(last, terms)
