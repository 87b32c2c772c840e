"""Medicines beside opioids as care goes on: the comparators of new users, statins, benzodiazepines that are kept up.

None of them bears on death. They are started at visits, for reasons on record, whatever becomes of opioids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.simulate.care import Care, expit
from opioid_outcomes.simulate.drugs import ATORVASTATIN, BENZODIAZEPINE, DULOXETINE, NAPROXEN, PREGABALIN
from opioid_outcomes.simulate.people import MONTH, People

MOST_FILLS = 24
CONTINUES = 0.85  # chance of one more fill after each
COMPARATORS = {"nsaid": NAPROXEN, "gabapentinoid": PREGABALIN, "antidepressant": DULOXETINE}
BENZODIAZEPINE_FILLS = (8, 50)  # fills of those who take them before this module takes over, and days between


@dataclass(frozen=True)
class Given:
    """Fills, in no order."""

    person: np.ndarray
    day: np.ndarray
    product: np.ndarray


def start_chance(people: People, product: int, score: np.ndarray) -> np.ndarray:
    """Chance of starting at a visit, (persons, visits); 0 where nobody was seen. Depends on what is on record only."""
    has = people.conditions
    age = (people.age - 55) / 10
    pain = np.where(np.isnan(score), 0.0, score - 5)
    by_person, by_pain = {
        NAPROXEN: (-3.6 - 0.1 * age - 0.6 * has["heart_failure"] - 0.2 * has["copd"], 0.15),
        PREGABALIN: (-4.4 + 0.6 * has["fibromyalgia"] + 0.5 * has["diabetes"] + 0.2 * has["depression"], 0.15),
        DULOXETINE: (-4.6 + 0.8 * has["depression"] + 0.5 * has["fibromyalgia"], 0.05),
        ATORVASTATIN: (-4.6 + 0.3 * age + 0.8 * has["diabetes"] + 0.5 * has["heart_failure"], 0.0),
    }[product]
    return np.where(np.isnan(score), 0.0, expit(by_person[:, None] + by_pain * pain))


def draw(people: People, care: Care, rng: np.random.Generator) -> Given:
    """Every person starts each of them once at most, and refills it for some months."""
    parts = [_starters(people, care, product, rng) for product in (*COMPARATORS.values(), ATORVASTATIN)]
    parts.append(_benzodiazepines(people, rng))
    return Given(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _starters(
    people: People, care: Care, product: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = rng.random(care.score.shape) < start_chance(people, product, care.score)
    who = np.flatnonzero(starts.any(axis=1))
    first = care.day[who, np.argmax(starts[who], axis=1)] + rng.integers(0, 3, len(who))
    fills = np.minimum(rng.geometric(1 - CONTINUES, len(who)), MOST_FILLS)
    return _refilled(who, first, fills, MONTH, product, rng)


def _benzodiazepines(people: People, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whoever takes them goes on, so that the record of it does not end before its bearing on death."""
    fills, between = BENZODIAZEPINE_FILLS
    who = np.flatnonzero(people.conditions["benzodiazepine"] == 1)
    first = people.recorded["benzodiazepine"][who] + fills * between
    return _refilled(who, first, -(-(people.length[who] - first) // between), between - 5, BENZODIAZEPINE, rng)


def _refilled(  # noqa: PLR0917
    who: np.ndarray, first: np.ndarray, fills: np.ndarray, between: int, product: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fills = np.maximum(fills, 0)
    row = np.repeat(np.arange(len(who)), fills)
    number = np.arange(len(row)) - np.repeat(np.cumsum(fills) - fills, fills)
    day = first[row] + number * between + np.where(number > 0, rng.integers(0, 8, len(row)), 0)
    return who[row], day, np.full(len(row), product)
