"""Who is simulated: enrolment, diagnoses, and the baseline confounders that are on record before entry.

Days are counted from each person's own first observed day; ``start`` turns them into calendar days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from opioid_outcomes.units import DAYS_PER_YEAR

LOOKBACK_DAYS = 180
CONDITIONS = {
    "depression": "F32.9", "fibromyalgia": "M79.7", "heart_failure": "I50.9", "copd": "J44.9", "diabetes": "E11.9",
}  # fmt: skip
CONFOUNDERS = (*CONDITIONS, "benzodiazepine")
CHRONIC_PAIN = ("M54.5", "M17.11", "M17.9")
EXCLUDING = {"cancer": "C50.919", "palliative_care": "Z51.5"}
FIRST_START = 15340  # 2012-01-01 in days since 1970-01-01
MONTH = 30


@dataclass(frozen=True)
class People:
    """Arrays over persons. ``second`` is -1 where no second pain code was ever recorded."""

    person_id: np.ndarray
    birth_year: np.ndarray
    male: np.ndarray
    start: np.ndarray  # calendar day of the first observed day
    length: np.ndarray  # observed days
    pain_code: np.ndarray  # index in CHRONIC_PAIN
    first: np.ndarray
    second: np.ndarray
    entry: np.ndarray  # time zero of those who qualify
    age: np.ndarray  # years at entry
    conditions: dict[str, np.ndarray]  # 0/1, CONFOUNDERS
    recorded: dict[str, np.ndarray]  # day on which each is recorded, before entry
    excluded: dict[str, np.ndarray]  # 0/1, EXCLUDING
    mean_pain: np.ndarray

    @property
    def n(self) -> int:
        return len(self.start)

    def rows(self, index: np.ndarray) -> People:
        """The people of these rows, who may be repeated."""
        chosen: dict[str, Any] = {
            name: {key: column[index] for key, column in value.items()} if isinstance(value, dict) else value[index]
            for name, value in vars(self).items()
        }
        return People(**chosen)


def draw(n: int, rng: np.random.Generator) -> People:
    """``n`` people. Entry is the later of the second pain code and 180 observed days, as the pipeline computes it."""
    start = FIRST_START + rng.integers(0, 5 * 365, n)
    length = rng.integers(2 * 365, 6 * 365 + 1, n)
    birth_year = rng.integers(1936, 1991, n)
    male = (rng.random(n) < 0.42).astype(np.int64)
    early = rng.random(n) < 0.6
    first = np.where(early, rng.integers(5, 120, n), rng.integers(100, 400, n))
    second = first + np.where(early, rng.integers(14, 60, n), rng.integers(20, 170, n))
    entry = np.maximum(second, LOOKBACK_DAYS)
    second = np.where(rng.random(n) < 0.05, -1, second)
    # 1 July stands for the birthday, as in the pipeline
    birthday = np.array([f"{year}-07-01" for year in birth_year], dtype="datetime64[D]").astype(np.int64)
    age = (start + entry - birthday) / DAYS_PER_YEAR
    older = (age - 55) / 10
    depression = (rng.random(n) < 0.25).astype(np.int64)
    conditions = {
        "depression": depression,
        "fibromyalgia": (rng.random(n) < 0.08 + 0.08 * (1 - male)).astype(np.int64),
        "heart_failure": (rng.random(n) < np.clip(0.07 + 0.04 * older, 0.01, 0.4)).astype(np.int64),
        "copd": (rng.random(n) < np.clip(0.10 + 0.03 * older, 0.01, 0.4)).astype(np.int64),
        "diabetes": (rng.random(n) < np.clip(0.16 + 0.03 * older, 0.01, 0.4)).astype(np.int64),
        "benzodiazepine": (rng.random(n) < 0.10 + 0.12 * depression).astype(np.int64),
    }
    recorded = {name: entry - rng.integers(1, 150, n) for name in CONFOUNDERS}
    # Fibromyalgia may itself be a pain code: recorded on the day of the first one, it cannot move entry.
    recorded["fibromyalgia"] = first
    excluded = {
        "cancer": (rng.random(n) < 0.03).astype(np.int64),
        "palliative_care": (rng.random(n) < 0.01).astype(np.int64),
    }
    # METHODS D2: person mean N(5, 1.2); confounders raise it, and the centre keeps it at 5 overall
    raised = 0.4 * conditions["fibromyalgia"] + 0.4 * depression
    mean_pain = 5 + raised - raised.mean() + rng.normal(0, 1.2, n)
    return People(
        person_id=100_000 + np.sort(rng.permutation(n * 7)[:n]),
        birth_year=birth_year,
        male=male,
        start=start,
        length=length,
        pain_code=rng.integers(0, len(CHRONIC_PAIN), n),
        first=first,
        second=second,
        entry=entry,
        age=age,
        conditions=conditions,
        recorded=recorded,
        excluded=excluded,
        mean_pain=mean_pain,
    )
