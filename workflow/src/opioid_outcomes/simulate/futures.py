"""Risks of death after starting opioids at a visit and after not starting, by letting everybody live both lives.

An index date is a visit, after entry and ``care.WASHOUT_DAYS`` without supply, at which somebody off opioids decides.
Each person lives on from one such visit, drawn at random, twice, with the same random numbers: once they start, once
they do not; later care is free (intention to treat). Risks are integrals of the planted hazard along both lives, not
counts of simulated deaths, but where care itself depends on the nearness of death.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.simulate import care, comedication, deaths
from opioid_outcomes.simulate.cohort import Cohort, generator

FOLLOWED = 365  # days
PAIN_WINDOWS = ((181, 365), (301, 425))
LIVES = 2500  # people at most
STARTS, DOES_NOT = 0, 1


@dataclass(frozen=True)
class Futures:
    """By life (0 starts, 1 does not) and person; ``alive`` and ``died_on`` by day since the index date as well.

    alive: chance of being alive at the end of each day and alive at the index date; the first is at the index date.
    died_on: chance of having died on opioids by the end of each day, alive at the index date.
    """

    person: np.ndarray
    visits: np.ndarray  # eligible visits of the person: their one index date stands for as many
    chance: np.ndarray  # of starting opioids at the visit
    other: dict[str, np.ndarray]  # chance of starting each comparator at the visit
    alive: np.ndarray  # (2, persons, FOLLOWED + 1)
    died_on: np.ndarray  # (2, persons, FOLLOWED + 1)
    pain: np.ndarray  # (2, persons, PAIN_WINDOWS): mean recorded score in each window, of who lives; nan without any


def qualified(cohort: Cohort) -> np.ndarray:
    """Whom the study takes in."""
    people = cohort.people
    excluded = np.logical_or.reduce([flag == 1 for flag in people.excluded.values()])
    return np.asarray(~excluded & (people.second >= 0) & (people.length > people.entry))


def live(cohort: Cohort) -> Futures | None:
    """None where nobody has an index date early enough."""
    people, days = cohort.people, int(cohort.people.length.max())
    index = cohort.draws.day + cohort.draws.delay
    possible = cohort.care.may_start & qualified(cohort)[:, None] & (index + FOLLOWED < days)
    who = np.flatnonzero(possible.any(axis=1))
    if not len(who):
        return None
    rng = generator(cohort.seed, 7)
    place = rng.random(people.n)
    if len(who) > LIVES and not cohort.world.illness:  # one may do with few: they are not counted until they die
        who = np.sort(rng.permutation(who)[:LIVES])
    rank = (place[who] * possible[who].sum(axis=1)).astype(np.int64)
    visit = np.argmax(np.cumsum(possible[who], axis=1) > rank[:, None], axis=1)
    lived = _both_lives(cohort, who, visit, index[who, visit], days)
    return Futures(
        who,
        possible[who].sum(axis=1),
        cohort.care.start_probability[who, visit],
        {
            name: comedication.start_chance(people, product, cohort.care.score)[who, visit]
            for name, product in comedication.COMPARATORS.items()
        },
        *lived,
    )


def _both_lives(
    cohort: Cohort, who: np.ndarray, visit: np.ndarray, index: np.ndarray, days: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    people = cohort.people.rows(who)
    people.length[:] = index + PAIN_WINDOWS[-1][1] + 1  # nobody's observation ends within the time compared
    draws, risk, world = cohort.draws.rows(who), cohort.hazards, cohort.world
    alive = np.zeros((2, len(who), FOLLOWED + 1))
    died_on = np.zeros_like(alive)
    pain = np.full((2, len(who), len(PAIN_WINDOWS)), np.nan)
    for life, taken in ((STARTS, True), (DOES_NOT, False)):
        lived = care.run(people, draws, world, care.Forced(visit, taken, "start"))
        pain[life] = _pain(lived, index)
        use = deaths.Use.of(lived.fills, world, len(who), days)
        for first in range(0, len(who), deaths.CHUNK):
            rows = slice(first, first + deaths.CHUNK)
            window = index[rows, None] + np.arange(-1, FOLLOWED)
            on = np.take_along_axis(use.on[rows], window[:, 1:], axis=1) == 1
            for kind, share in ((1, risk.chance[who]), (0, 1 - risk.chance[who])):
                if not share.any():
                    continue
                borne = deaths.cumulative(world, use, risk.base[who], people.entry, kind, rows)
                borne = np.take_along_axis(borne, window, axis=1)
                # where use depends on how much the person can bear, that has to be the same in both lives
                counted = (borne < risk.patience[who][rows, None]).astype(np.float64) if world.illness else None
                left = share[rows, None] * (np.exp(-borne) if counted is None else counted)
                alive[life, rows] += left
                died_on[life, rows, 1:] += np.cumsum(-np.diff(left, axis=1) * on, axis=1)
    return alive, died_on, pain


def _pain(lived: care.Care, index: np.ndarray) -> np.ndarray:
    since, means = lived.day - index[:, None], []
    for first, last in PAIN_WINDOWS:
        inside = (since >= first) & (since <= last) & ~np.isnan(lived.score)
        count = inside.sum(axis=1)
        means.append(np.where(inside, lived.score, 0.0).sum(axis=1) / np.where(count, count, np.nan))
    return np.stack(means, axis=1)
