"""Deaths: a hazard constant in time, proportional in the baseline covariates and in being on opioids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.simulate.care import Care, Fills
from opioid_outcomes.simulate.people import People
from opioid_outcomes.simulate.world import World

CARRY_OVER_DAYS = 30
BASE_PER_YEAR = 0.017  # at age 60, pain 5, none of the conditions
REGISTRY_DAYS = 30  # deaths this long after the last observed day still reach some records
CHUNK = 1000


@dataclass(frozen=True)
class Deaths:
    """``day`` is the day of death, counted from the first observed day; -1 for the living."""

    day: np.ndarray
    cause: np.ndarray  # underlying ICD-10; "" unknown
    contributing: np.ndarray


def pain_before_entry(people: People, care: Care) -> np.ndarray:
    """Last recorded score strictly before entry, within 180 days; 5 for the few without."""
    seen = ~np.isnan(care.score) & (care.day < people.entry[:, None]) & (care.day >= people.entry[:, None] - 180)
    last = care.score.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1)
    return np.where(seen.any(axis=1), care.score[np.arange(people.n), last], 5.0)


def log_hazard(people: People, pain: np.ndarray) -> np.ndarray:
    """Linear in the covariates that the analysis adjusts for."""
    has = people.conditions
    return np.asarray(
        np.log(BASE_PER_YEAR / 365.25) + 0.06 * (people.age - 60) + 0.3 * people.male + 0.08 * (pain - 5)
        + 0.4 * has["depression"] + 0.2 * has["fibromyalgia"] + 0.9 * has["heart_failure"] + 0.7 * has["copd"]
        + 0.3 * has["diabetes"] + 0.4 * has["benzodiazepine"]
    )  # fmt: skip


def on_days(fills: Fills, persons: int, days: int) -> np.ndarray:
    """1 where a person is on opioids: day < end of supply + carry-over, from fills up to that day only."""
    stop = np.minimum(np.minimum(fills.stop + CARRY_OVER_DAYS, fills.next_day), days)
    edges = np.zeros((persons, days + 1), dtype=np.int8)
    np.add.at(edges, (fills.person, np.minimum(fills.day, days)), 1)
    np.add.at(edges, (fills.person, stop), -1)
    return np.cumsum(edges, axis=1, dtype=np.int8)[:, :days]


def draw(people: People, care: Care, world: World, rng: np.random.Generator) -> Deaths:
    n, days = people.n, int(people.length.max()) + REGISTRY_DAYS
    on = on_days(care.fills, n, days)
    # an unrecorded confounder could not be adjusted for: where pain is not recorded it does not bear on death
    pain = pain_before_entry(people, care) if world.records_pain else np.full(n, 5.0)
    hazard = np.exp(log_hazard(people, pain))
    survives = rng.exponential(size=n)
    registry = np.where(rng.random(n) < 0.2, REGISTRY_DAYS, 0)
    day = np.full(n, -1, dtype=np.int64)
    for first in range(0, n, CHUNK):
        part = slice(first, first + CHUNK)
        daily = hazard[part, None] * np.where(on[part] == 1, world.hazard_ratio, 1.0)
        daily[np.arange(days)[None, :] < people.entry[part, None]] = 0.0
        dead = np.cumsum(daily, axis=1) >= survives[part, None]
        day[part] = np.where(dead.any(axis=1), np.argmax(dead, axis=1), -1)
    day[day >= people.length + registry] = -1
    return _causes(day, on[np.arange(n), np.maximum(day, 0)] == 1, rng)


OVERDOSE = "X42"  # accidental poisoning by narcotics; T40.- among the contributing causes
OTHER_CAUSES = ("I25.1", "I50.9", "J44.9", "C34.9", "E11.9", "K74.6", "W19", "N18.5", "X70", "")
OTHER_SHARES = (0.3, 0.12, 0.14, 0.16, 0.07, 0.05, 0.05, 0.06, 0.02, 0.03)


def _causes(day: np.ndarray, on: np.ndarray, rng: np.random.Generator) -> Deaths:
    """Overdose is commoner among deaths on opioids; the hazard of any death is not touched."""
    overdose = rng.random(len(day)) < np.where(on, 0.22, 0.04)
    other = np.array(OTHER_CAUSES)[rng.choice(len(OTHER_CAUSES), len(day), p=OTHER_SHARES)]
    which = np.array(["T40.2", "T40.2;T42.4", "T40.4"])[rng.integers(0, 3, len(day))]
    return Deaths(day, np.where(overdose, OVERDOSE, other), np.where(overdose, which, ""))
