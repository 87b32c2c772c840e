"""One simulated cohort: people, their care, their deaths, and what is recorded of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.simulate import care, deaths, draws, measures, people, records
from opioid_outcomes.simulate.world import World


@dataclass(frozen=True)
class Cohort:
    """Everything about a simulated cohort, the unrecorded included."""

    world: World
    seed: int
    people: people.People
    draws: draws.Draws
    care: care.Care
    noise: measures.Noise
    hazards: deaths.Hazards
    deaths: deaths.Deaths
    records: records.Records


def generator(seed: int, part: int) -> np.random.Generator:
    """An independent stream per part, so that a change in one leaves the others as they were."""
    return np.random.default_rng([seed, part])


def simulate(world: World, persons: int, seed: int) -> Cohort:
    everybody = people.draw(persons, generator(seed, 0))
    drawn = draws.beside(everybody, draws.draw(everybody, generator(seed, 1)), generator(seed, 8))
    fate = generator(seed, 2)
    patience = fate.exponential(size=persons)
    drawn = replace(drawn, illness=world.illness * deaths.nearness(patience))
    cared = care.run(everybody, drawn, world)
    risk, use = deaths.hazards(everybody, cared, world, patience, generator(seed, 6))
    dead = deaths.draw(everybody, world, risk, use, fate)
    streams = records.Streams(generator(seed, 3), generator(seed, 5), generator(seed, 9))
    noise = measures.noise(cared, generator(seed, 10))
    recorded = records.build(everybody, cared, dead, world, streams, noise)
    return Cohort(world, seed, everybody, drawn, cared, noise, risk, dead, recorded)
