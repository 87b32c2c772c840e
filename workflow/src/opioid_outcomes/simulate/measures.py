"""How far pain has spread and how little of it is borne: measurements that answer to hyperalgesia.

Relief and its waning move none of them but by the pain of the day, of which the count of painful regions is a part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.simulate.care import Care
from opioid_outcomes.simulate.people import People

SPREAD, COLD, PRESSURE = "widespread_pain_index", "cold_pressor_tolerance_s", "pressure_pain_threshold_kpa"
SPREAD_SHARE, TESTED_SHARE = 0.4, 0.2  # of visits with a body map; with a sensory test
REGIONS = 19.0
REGIONS_BY_PAIN = 0.4  # more painful regions per point of the day's score


@dataclass(frozen=True)
class Noise:
    """What measurements vary by, by person and by visit, SD 1; and at which visits they are made (uniform)."""

    person: np.ndarray  # (persons, 3)
    visit: np.ndarray  # (persons, visits, 3)
    mapped: np.ndarray  # (persons, visits)
    tested: np.ndarray

    def rows(self, index: np.ndarray) -> Noise:
        return Noise(**{name: value[index] for name, value in vars(self).items()})


def noise(care: Care, rng: np.random.Generator) -> Noise:
    n, visits = care.score.shape
    shape = (n, visits)
    return Noise(rng.standard_normal((n, 3)), rng.standard_normal((*shape, 3)), rng.random(shape), rng.random(shape))


def values(people: People, care: Care, noise: Noise) -> dict[str, np.ndarray]:
    """What each measurement would find, (persons, visits); nan where nobody was seen."""
    harm = care.sensitised
    person, visit = noise.person[:, None, :], noise.visit
    regions = (
        7 + 3 * people.conditions["fibromyalgia"][:, None] + REGIONS_BY_PAIN * (care.score - 5) + 4 * harm
        + 1.2 * person[..., 0] + visit[..., 0]
    )  # fmt: skip
    seen = np.where(np.isnan(care.score), np.nan, 1.0)
    cold = np.maximum(45 - 15 * harm + 8 * person[..., 1] + 5 * visit[..., 1], 1.0)
    pressure = np.maximum(320 - 80 * harm + 50 * person[..., 2] + 30 * visit[..., 2], 20.0)
    return {
        SPREAD: np.clip(np.rint(regions), 0.0, REGIONS),
        COLD: np.round(cold, 1) * seen,
        PRESSURE: np.rint(pressure) * seen,
    }


def made(noise: Noise) -> dict[str, np.ndarray]:
    """At which visits each measurement is made."""
    tested = noise.tested < TESTED_SHARE
    return {SPREAD: noise.mapped < SPREAD_SHARE, COLD: tested, PRESSURE: tested}
