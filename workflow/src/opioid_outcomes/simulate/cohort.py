"""One simulated cohort: people, their care, their deaths, and what is recorded of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    hazards: deaths.Hazards
    deaths: deaths.Deaths
    records: records.Records


def generator(seed: int, part: int) -> np.random.Generator:
    """An independent stream per part, so that a change in one leaves the others as they were."""
    return np.random.default_rng([seed, part])


def simulate(world: World, persons: int, seed: int) -> Cohort:
    everybody = people.draw(persons, generator(seed, 0))
    draws = care.draw(everybody, generator(seed, 1))
    fate = generator(seed, 2)
    patience = fate.exponential(size=persons)
    draws = replace(draws, illness=world.illness * deaths.nearness(patience))
    cared = care.run(everybody, draws, world)
    risk, use = deaths.hazards(everybody, cared, world, patience, generator(seed, 6))
    dead = deaths.draw(everybody, world, risk, use, fate)
    recorded = records.build(everybody, cared, dead, world, generator(seed, 3), generator(seed, 5))
    return Cohort(world, seed, everybody, draws, cared, risk, dead, recorded)
