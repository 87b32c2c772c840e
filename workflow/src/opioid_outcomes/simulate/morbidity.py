"""Diagnoses as care goes on: chronic conditions told again, new ones, and opioid use disorder.

Chronic conditions are coded again every few months, as in real records: who enters a comparison years after entry must
still be known to have them. New diagnoses come at rates that nothing but age bears on; two of them stand for outcomes
that opioids cannot cause. Opioid use disorder follows dose and duration of use ``OUD_LAG_DAYS`` before.
"""

from __future__ import annotations

import numpy as np

from opioid_outcomes.simulate.care import Care, Fills
from opioid_outcomes.simulate.deaths import CARRY_OVER_DAYS, CHUNK
from opioid_outcomes.simulate.people import CONDITIONS, People
from opioid_outcomes.units import DAYS_PER_YEAR

AGAIN_DAYS = 80  # days between codes of a chronic condition, and up to 40 more: two in any 240 days
NEW_PER_YEAR = {  # at age 55; half as many ten years before
    "I10": 0.10, "N18.3": 0.03, "F41.9": 0.04, "J18.9": 0.04, "S82.90XA": 0.02,
    "H25.9": 0.03, "L60.0": 0.02,
}  # fmt: skip
NEGATIVE_OUTCOMES = ("H25.9", "L60.0")  # cataract, ingrowing nail
OUD = "F11.20"
OUD_LAG_DAYS = 90
OUD_PER_YEAR = 0.002  # off opioids
ROUNDING = 1e-6
OUD_BOUNDS = (0.0, 20.0, 50.0, 90.0)  # lower bounds of MME/day on opioids
OUD_RATIOS = (3.0, 6.0, 12.0, 24.0)  # of the hazard by dose, over that off opioids
OUD_LONG_DAYS, OUD_LONG_RATIO = 90, 2.0  # after so many days of uninterrupted use, times so much


def draw(people: People, care: Care, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """person, day, code of everything coded after entry."""
    parts = [*_again(people, rng), *_new(people, rng), *_opioid_use_disorder(people, care, rng)]
    person, day, code = (np.concatenate(column) for column in zip(*parts, strict=True))
    return person, day, code


def _again(people: People, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    times = int(people.length.max()) // AGAIN_DAYS + 1
    parts = []
    for name, code in CONDITIONS.items():
        # fibromyalgia counts as chronic pain: told again, it would let in those without a second code for pain
        who = np.flatnonzero((people.conditions[name] == 1) & (people.second >= 0))
        gaps = AGAIN_DAYS + rng.integers(0, 41, (len(who), times))
        day = np.maximum(people.recorded[name], people.entry)[who, None] + np.cumsum(gaps, axis=1)
        parts.append((np.repeat(who, times), day.ravel(), np.full(day.size, code)))
    return parts


def _new(people: People, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    parts = []
    for code, rate in NEW_PER_YEAR.items():
        by_age = rate * 2 ** ((people.age - 55) / 10)
        day = people.entry + 1 + np.floor(rng.exponential(size=people.n) / by_age * DAYS_PER_YEAR).astype(np.int64)
        who = np.flatnonzero(day < people.length)
        parts.append((who, day[who], np.full(len(who), code)))
    return parts


def held_mme(fills: Fills, persons: int, days: int) -> np.ndarray:
    """MME of the last fill on each day on opioids, carry-over included; 0 off."""
    stop = np.minimum(np.minimum(fills.stop + CARRY_OVER_DAYS, fills.next_day), days)
    edges = np.zeros((persons, days + 1))
    np.add.at(edges, (fills.person, fills.day), fills.mme)
    np.add.at(edges, (fills.person, stop), -fills.mme)
    return np.cumsum(edges, axis=1)[:, :days]


def days_since_start(on: np.ndarray) -> np.ndarray:
    """Days since each day's stretch of use began, -1 off, (persons, days)."""
    day = np.arange(on.shape[1], dtype=np.int64)
    return np.where(on, day - np.maximum.accumulate(np.where(on, -1, day), axis=1) - 1, -1)


def lagged_use(mme: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From MME on each day: the band of dose (0 off) and days since the start of use, ``OUD_LAG_DAYS`` before."""
    on = mme > ROUNDING
    band = np.where(on, 1 + np.searchsorted(OUD_BOUNDS[1:], mme + ROUNDING, side="right"), 0)
    before = [np.zeros_like(band), np.full_like(band, -1)]
    for column, value in zip(before, (band, days_since_start(on)), strict=True):
        column[:, OUD_LAG_DAYS:] = value[:, :-OUD_LAG_DAYS]
    return before[0], before[1]


def oud_hazard(band: np.ndarray, since: np.ndarray) -> np.ndarray:
    """Hazard a day of a first diagnosis, from what ``lagged_use`` gives."""
    return (
        OUD_PER_YEAR / DAYS_PER_YEAR * np.array([1.0, *OUD_RATIOS])[band]
        * np.where(since >= OUD_LONG_DAYS, OUD_LONG_RATIO, 1.0)
    )  # fmt: skip


def _opioid_use_disorder(
    people: People, care: Care, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A first code after entry, and up to two more in the months after it."""
    n, days = people.n, int(people.length.max())
    borne = rng.exponential(size=n)
    first = np.full(n, days)
    mme = held_mme(care.fills, n, days)
    for begin in range(0, n, CHUNK):
        rows = slice(begin, begin + CHUNK)
        hazard = oud_hazard(*lagged_use(mme[rows]))
        hazard[np.arange(days)[None, :] <= people.entry[rows, None]] = 0.0
        reached = np.cumsum(hazard, axis=1) >= borne[rows, None]
        first[rows] = np.where(reached.any(axis=1), np.argmax(reached, axis=1), days)
    who = np.flatnonzero(first < people.length)
    later = np.cumsum(rng.integers(20, 60, (len(who), 2)), axis=1)
    kept = rng.random((len(who), 2)) < 0.8
    parts = [(who, first[who])] + [(who[kept[:, k]], (first[who] + later[:, k])[kept[:, k]]) for k in range(2)]
    return [(person, day, np.full(len(person), OUD)) for person, day in parts]
