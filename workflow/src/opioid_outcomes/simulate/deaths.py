"""Deaths: a hazard constant in time, proportional in the baseline covariates, times what use of opioids makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from opioid_outcomes.simulate.care import Care, Fills
from opioid_outcomes.simulate.people import People
from opioid_outcomes.simulate.world import STOPPING_DAYS, World
from opioid_outcomes.units import DAYS_PER_YEAR

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


@dataclass(frozen=True)
class Hazards:
    """What decides about each person's death, all of it unrecorded."""

    base: np.ndarray  # a day, off opioids
    patience: np.ndarray  # the cumulative hazard at which the person dies
    susceptible: np.ndarray  # 0/1
    chance: np.ndarray  # of being susceptible, for somebody with these covariates and this use who has lived to entry


def nearness(patience: np.ndarray) -> np.ndarray:
    """How near to death people are, in SD: normal, the higher the sooner they die under any one course of use.

    Pain that rises with it is a confounder, though the hazard ratio given use and baseline covariates stays what it
    is: the device of Havercroft & Didelez 2012 (Stat Med 31:4190), where one uniform number drives both.
    """
    return np.asarray(-ndtri(-np.expm1(-patience)))


def pain_before_entry(people: People, care: Care) -> np.ndarray:
    """Last recorded score strictly before entry, within 180 days; 5 for the few without."""
    seen = ~np.isnan(care.score) & (care.day < people.entry[:, None]) & (care.day >= people.entry[:, None] - 180)
    last = care.score.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1)
    return np.where(seen.any(axis=1), care.score[np.arange(people.n), last], 5.0)


def log_hazard(people: People, pain: np.ndarray) -> np.ndarray:
    """Linear in the covariates that the analysis adjusts for."""
    has = people.conditions
    return np.asarray(
        np.log(BASE_PER_YEAR / DAYS_PER_YEAR) + 0.06 * (people.age - 60) + 0.3 * people.male + 0.08 * (pain - 5)
        + 0.4 * has["depression"] + 0.2 * has["fibromyalgia"] + 0.9 * has["heart_failure"] + 0.7 * has["copd"]
        + 0.3 * has["diabetes"] + 0.4 * has["benzodiazepine"]
    )  # fmt: skip


def on_days(fills: Fills, persons: int, days: int) -> np.ndarray:
    """1 where a person is on opioids: day < end of supply + carry-over, from fills up to that day only."""
    return _between(fills, fills.day, fills.stop + CARRY_OVER_DAYS, persons, days)


def stopped_days(fills: Fills, persons: int, days: int) -> np.ndarray:
    """1 on the ``STOPPING_DAYS`` days after supply has ended, as long as nothing is dispensed."""
    return _between(fills, fills.stop, fills.stop + STOPPING_DAYS, persons, days)


def _between(fills: Fills, first: np.ndarray, stop: np.ndarray, persons: int, days: int) -> np.ndarray:
    """1 from ``first`` to before ``stop`` of each fill, but not from the next fill on."""
    latest = np.minimum(fills.next_day, days)
    edges = np.zeros((persons, days + 1), dtype=np.int8)
    np.add.at(edges, (fills.person, np.minimum(first, latest)), 1)
    np.add.at(edges, (fills.person, np.minimum(stop, latest)), -1)
    return np.cumsum(edges, axis=1, dtype=np.int8)[:, :days]


@dataclass(frozen=True)
class Use:
    """Use of opioids as far as it bears on death, (persons, days), 0/1."""

    on: np.ndarray
    stopped: np.ndarray | None  # where stopping does nothing, nobody counts it

    @classmethod
    def of(cls, fills: Fills, world: World, persons: int, days: int) -> Use:
        stopped = stopped_days(fills, persons, days) if world.stopping != 1.0 else None
        return cls(on_days(fills, persons, days), stopped)

    def hazard(self, world: World, base: np.ndarray, susceptible: np.ndarray | int, rows: slice) -> np.ndarray:
        """Of death a day, (rows, days)."""
        on = self.on[rows] == 1
        daily = base[rows, None] * np.where(on, world.hazard_ratio, 1.0)
        if self.stopped is not None:
            daily *= np.where(self.stopped[rows] == 1, world.stopping, 1.0)
        if world.susceptible:
            chosen = np.broadcast_to(np.asarray(susceptible), (len(self.on),))[rows] == 1
            daily[chosen] = np.where(on[chosen], world.susceptible.on, world.susceptible.off) / DAYS_PER_YEAR
        return daily


def cumulative(  # noqa: PLR0917
    world: World, use: Use, base: np.ndarray, entry: np.ndarray, susceptible: np.ndarray | int, rows: slice
) -> np.ndarray:
    """Cumulative hazard at the end of each day, 0 before entry, (rows, days)."""
    daily = use.hazard(world, base, susceptible, rows)
    daily[np.arange(daily.shape[1])[None, :] < entry[rows, None]] = 0.0
    return np.cumsum(daily, axis=1)


def hazards(
    people: People, care: Care, world: World, patience: np.ndarray, rng: np.random.Generator
) -> tuple[Hazards, Use]:
    """Hazards and use on every day on which a death could be recorded.

    Who is susceptible and would have died of it before entry is not there to enter: whoever stands in their place is
    not susceptible.
    """
    n, days = people.n, int(people.length.max()) + REGISTRY_DAYS
    use = Use.of(care.fills, world, n, days)
    # an unrecorded confounder could not be adjusted for: where pain is not recorded it does not bear on death
    pain = pain_before_entry(people, care) if world.records_pain else np.full(n, 5.0)
    base = np.exp(log_hazard(people, pain))
    if world.susceptible is None:
        return Hazards(base, patience, np.zeros(n, dtype=np.int64), np.zeros(n)), use
    used = (use.on & (np.arange(days)[None, :] < people.entry[:, None])).sum(axis=1)
    borne = (used * world.susceptible.on + (people.entry - used) * world.susceptible.off) / DAYS_PER_YEAR
    chance = world.susceptible.share * np.exp(-borne)
    return Hazards(base, patience, (rng.random(n) < chance).astype(np.int64), chance), use


def draw(people: People, world: World, risk: Hazards, use: Use, rng: np.random.Generator) -> Deaths:
    n = people.n
    registry = np.where(rng.random(n) < 0.2, REGISTRY_DAYS, 0)
    day = np.full(n, -1, dtype=np.int64)
    for first in range(0, n, CHUNK):
        part = slice(first, first + CHUNK)
        dead = cumulative(world, use, risk.base, people.entry, risk.susceptible, part) >= risk.patience[part, None]
        day[part] = np.where(dead.any(axis=1), np.argmax(dead, axis=1), -1)
    day[day >= people.length + registry] = -1
    on = use.on[np.arange(n), np.maximum(day, 0)] == 1
    return _planted_causes(day, on, world, rng) if world.causes else _causes(day, on, rng)


OVERDOSE = "X42"  # accidental poisoning by narcotics; T40.- among the contributing causes
OTHER_CAUSES = ("I25.1", "I50.9", "J44.9", "C34.9", "E11.9", "K74.6", "W19", "N18.5", "X70", "")
OTHER_SHARES = (0.3, 0.12, 0.14, 0.16, 0.07, 0.05, 0.05, 0.06, 0.02, 0.03)
OVERDOSE_ON, OVERDOSE_OFF = 0.22, 0.04  # shares of the deaths on and off opioids


def cause_shares(world: World) -> tuple[dict[str, float], dict[str, float]]:
    """Share of each group of causes in the deaths off and on opioids."""
    if not world.causes:
        return ({"opioid overdose": OVERDOSE_OFF}, {"opioid overdose": OVERDOSE_ON})
    return (
        {cause.group: cause.share for cause in world.causes},
        {cause.group: cause.share * cause.hazard_ratio / world.hazard_ratio for cause in world.causes},
    )


def _causes(day: np.ndarray, on: np.ndarray, rng: np.random.Generator) -> Deaths:
    """Overdose is commoner among deaths on opioids; the hazard of any death is not touched."""
    overdose = rng.random(len(day)) < np.where(on, OVERDOSE_ON, OVERDOSE_OFF)
    other = np.array(OTHER_CAUSES)[rng.choice(len(OTHER_CAUSES), len(day), p=OTHER_SHARES)]
    which = np.array(["T40.2", "T40.2;T42.4", "T40.4"])[rng.integers(0, 3, len(day))]
    return Deaths(day, np.where(overdose, OVERDOSE, other), np.where(overdose, which, ""))


def _planted_causes(day: np.ndarray, on: np.ndarray, world: World, rng: np.random.Generator) -> Deaths:
    """Of each death one cause, as often as its part of the hazard on or off opioids."""
    off_share = np.array([cause.share for cause in world.causes])
    on_share = off_share * [cause.hazard_ratio for cause in world.causes]
    drawn = rng.random(len(day))
    which = np.where(
        on,
        *(np.searchsorted(np.cumsum(shares / shares.sum()), drawn, side="right") for shares in (on_share, off_share)),
    )
    which = np.minimum(which, len(world.causes) - 1)
    codes, drugs = rng.random(len(day)), rng.random(len(day))
    cause = np.full(len(day), "", dtype="U5")
    contributing = np.full(len(day), "", dtype="U11")
    for number, group in enumerate(world.causes):
        rows = which == number
        for column, words, where in ((cause, group.codes or ("",), codes), (contributing, group.contributing, drugs)):
            column[rows] = np.array(words)[(where[rows] * len(words)).astype(np.int64)]
    return Deaths(day, cause, contributing)
