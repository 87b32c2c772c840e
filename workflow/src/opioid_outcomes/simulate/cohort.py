"""One simulated cohort: people, their care, their deaths, and what is recorded of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.simulate import care, deaths, people, records
from opioid_outcomes.simulate.world import World


@dataclass(frozen=True)
class Cohort:
    """Everything about a simulated cohort, the unrecorded included."""

    world: World
    seed: int
    people: people.People
    draws: care.Draws
    care: care.Care
    deaths: deaths.Deaths
    records: records.Records


def generator(seed: int, part: int) -> np.random.Generator:
    """An independent stream per part, so that a change in one leaves the others as they were."""
    return np.random.default_rng([seed, part])


def simulate(world: World, persons: int, seed: int) -> Cohort:
    everybody = people.draw(persons, generator(seed, 0))
    draws = care.draw(everybody, generator(seed, 1))
    cared = care.run(everybody, draws, world)
    dead = deaths.draw(everybody, cared, world, generator(seed, 2))
    recorded = records.build(everybody, cared, dead, world, generator(seed, 3))
    return Cohort(world, seed, everybody, draws, cared, dead, recorded)
