"""Every random number of care, drawn before anybody is treated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.simulate.people import MONTH, People

NEVER = np.iinfo(np.int32).max
FLARE_SD, KEPT_A_MONTH = 1.5, 0.6  # METHODS D2
STAY = 0.012  # chance per visit of a stay in hospital before the next one
CHANGED_SHARE = 0.5  # of people whose dose, if they have one, is lowered by a rule at some visit


@dataclass(frozen=True)
class Draws:
    """Every random number of care, indexed by person and visit, so that counterfactual runs share them."""

    day: np.ndarray  # day of each visit, rising; beyond the observed days nothing happens
    attendance: np.ndarray
    flare: np.ndarray
    noise: np.ndarray
    start: np.ndarray
    product: np.ndarray
    long_term: np.ndarray
    supply: np.ndarray  # how many days a fill is for
    escalate: np.ndarray
    other: np.ndarray  # taper or stop
    delay: np.ndarray  # days from decision to dispensing, 0-3
    refill: np.ndarray  # how early or late the next refill is
    refill_days: np.ndarray
    admission: np.ndarray  # day of a stay in hospital between this visit and the next, ``NEVER`` without one
    stay_days: np.ndarray
    illness: np.ndarray  # by person: points by which pain is higher from entry on
    therapy: np.ndarray
    change: np.ndarray  # by person: visit at which a rule, not pain, lowers the dose; -1 never

    def rows(self, index: np.ndarray) -> Draws:
        return Draws(**{name: value[index] for name, value in vars(self).items()})


def draw(people: People, rng: np.random.Generator) -> Draws:
    n, visits = people.n, int(people.length.max()) // 26 + 2
    shape = (n, visits)
    gap = MONTH + rng.integers(-4, 5, shape)
    gap[:, 0] = rng.integers(0, 20, n)
    day = np.cumsum(gap, axis=1)
    # a stationary AR(1)
    flare = FLARE_SD * rng.standard_normal(shape)
    for k in range(1, visits):
        rho = KEPT_A_MONTH ** (gap[:, k] / MONTH)
        flare[:, k] = rho * flare[:, k - 1] + np.sqrt(1 - rho**2) * flare[:, k]
    refill = rng.random(shape)
    early = -rng.integers(1, 6, shape)
    late = rng.integers(0, 4, shape)
    gap_days = rng.integers(5, 25, shape)
    long_gap = rng.integers(35, 75, shape)
    refill_days = np.select([refill < 0.55, refill < 0.88, refill < 0.985], [early, late, gap_days], long_gap)
    return Draws(
        day=day,
        attendance=rng.random(shape),
        flare=flare,
        noise=rng.standard_normal(shape),
        start=rng.random(shape),
        product=rng.random(shape),
        long_term=rng.random(shape),
        supply=rng.random(shape),
        escalate=rng.random(shape),
        other=rng.random(shape),
        delay=rng.integers(0, 4, shape),
        refill=refill,
        refill_days=refill_days,
        # between what one visit decides, dispensed within 3 days, and the next visit, 26 days or more after it
        admission=np.where(rng.random(shape) < STAY, day + rng.integers(5, 11, shape), NEVER),
        stay_days=rng.integers(2, 15, shape),
        illness=np.zeros(n),
        therapy=np.ones(shape),
        change=np.full(n, -1),
    )


def beside(people: People, draws: Draws, rng: np.random.Generator) -> Draws:
    """With therapies other than drugs, and changes of the dose that nobody's pain has asked for.

    A stream of their own: without them care is what it was.
    """
    n = people.n
    changed, place = rng.random(n) < CHANGED_SHARE, rng.random(n)
    visit = (place * people.length / MONTH).astype(np.int64)
    return replace(draws, therapy=rng.random(draws.day.shape), change=np.where(changed, visit, -1))
