"""A world in which people decide at visits whether to start an opioid, with the hazard of death known.

Visits are 30 days apart, the first of those followed on the day of entry. At each visit a score is recorded. Whoever
has been free of opioids for the washout starts with a chance that depends on what was on record before the visit; a
fill lasts 30 days and is refilled with a chance at the next visit, or resumed later. The hazard is constant within a
period and depends on baseline, on the score of the visit before, and on being on (supply and 30 days of carry-over, as
the status has it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from trial_cohorts import cohort, table

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.steps.exposure import doses_and_status, opioid_fills

PERIOD, ENTRY_PERIOD, WASHOUT_PERIODS = 30, 7, 6
ENTRY = PERIOD * ENTRY_PERIOD  # day of entry; 180 days of look-back lie before it


@dataclass(frozen=True)
class World:
    hazard_ratio: float = 1.6  # of death while on
    per_year: float = 0.12  # death rate at age 60, score 5, without depression
    start: float = -3.6  # log odds of starting at a visit, score 5, without depression
    refill: float = 0.8
    periods: int = 40  # observed
    sick: float = 0.15  # log hazard and log odds of starting per point of score
    resume: float = 0.0  # chance at a visit of resuming after a gap, before the washout is over
    offset: int = 0  # days from the first day of a block to its visit


@dataclass
class Lives:
    """State of n people at the beginning of a period; arrays over people."""

    age: np.ndarray
    depressed: np.ndarray
    mean_score: np.ndarray
    score: np.ndarray  # recorded at the visit before
    supplied: np.ndarray  # a fill lasts to this period's first day
    on: np.ndarray  # on in the last period
    free: np.ndarray  # whole periods free of opioids so far

    def take(self, rows: np.ndarray) -> Lives:
        return Lives(**{name: values[rows] for name, values in vars(self).items()})


def people(n: int, rng: np.random.Generator) -> Lives:
    depressed = (rng.random(n) < 0.3).astype(float)
    mean = 4.5 + depressed + rng.normal(0, 1.5, n)
    return Lives(
        rng.uniform(40, 80, n), depressed, mean, recorded(mean, rng), np.zeros(n, bool), np.zeros(n, bool),
        np.full(n, WASHOUT_PERIODS),
    )  # fmt: skip


def recorded(mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(mean + rng.normal(0, 1.5, len(mean))), 0, 10)


def chance(world: World, lives: Lives) -> np.ndarray:
    """Of starting at this period's visit, of those free long enough."""
    odds = world.start + 0.8 * lives.depressed + 2 * world.sick * (lives.score - 5) + 0.02 * (lives.age - 60)
    gap = (lives.free > 0) & (lives.free < WASHOUT_PERIODS)
    return np.select([lives.free >= WASHOUT_PERIODS, gap], [1 / (1 + np.exp(-odds)), world.resume], 0.0)


def live(world: World, lives: Lives, starts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One period: filled at its visit, and the day (0-29) of a death in it, -1 for none. ``lives`` moves on."""
    refilled = lives.supplied & (rng.random(len(starts)) < world.refill)
    filled = starts | refilled
    on = filled | lives.supplied  # carried over
    log_hazard = (
        0.06 * (lives.age - 60) + 0.5 * lives.depressed + world.sick * (lives.score - 5)
        + np.where(on, np.log(world.hazard_ratio), 0.0)
    )  # fmt: skip
    daily = world.per_year / 365.25 * np.exp(log_hazard)
    waited = rng.exponential(size=len(daily)) / daily
    died = np.where(waited < PERIOD, waited, -1).astype(np.int64)
    lives.free = np.where(on, 0, lives.free + 1)
    lives.supplied, lives.on = filled, on
    lives.score = recorded(lives.mean_score, rng)
    return filled, died


def observed(world: World, n: int, seed: int) -> tuple[pl.DataFrame, Mapping[str, pl.DataFrame]]:
    """Cohort (with age) and tables, as a study would have them."""
    rng = np.random.default_rng(seed)
    lives = people(n, rng)
    base = lives.take(np.arange(n))
    alive, death = np.ones(n, bool), np.full(n, -1)
    fills, scores = [], [(np.arange(n), np.full(n, ENTRY - PERIOD + world.offset), base.score.copy())]
    for period in range(ENTRY_PERIOD, world.periods):
        starts = rng.random(n) < chance(world, lives)
        filled, died = live(world, lives, starts, rng)
        day = period * PERIOD + world.offset
        fills.append((np.flatnonzero(filled & alive), day))
        scores.append((np.flatnonzero(alive), np.full(int(alive.sum()), day), lives.score[alive]))
        death[alive & (died >= 0)] = (day + died)[alive & (died >= 0)]
        alive &= died < 0
    last = np.where(death >= 0, death, world.periods * PERIOD - 1 + world.offset)
    return _cohort(base, death, last), _tables(base, fills, scores, death, last)


def _cohort(base: Lives, death: np.ndarray, last: np.ndarray) -> pl.DataFrame:
    found = cohort(zip(range(len(last)), np.full(len(last), ENTRY), last + 1, (death >= 0).astype(int), strict=True))
    return found.with_columns(age=pl.Series(base.age))


def _tables(
    base: Lives, fills: list, scores: list, death: np.ndarray, last: np.ndarray
) -> dict[str, pl.DataFrame]:  # fmt: skip
    ids = np.arange(len(last))
    made = {name: table(name, ()) for name in ("therapies", "measurements", "stays")}

    def filled(name: str, **columns: object) -> pl.DataFrame:
        empty = table(name, ())
        frame = pl.DataFrame(columns)
        return pl.concat([empty, frame.cast({key: empty.schema[key] for key in columns})], how="diagonal")  # type: ignore[arg-type]

    who = np.concatenate([rows for rows, _ in fills])
    made["persons"] = filled("persons", person_id=ids, sex=np.full(len(ids), "F"))
    made["observation"] = filled("observation", person_id=ids, start=np.zeros(len(ids), int), end=last)
    made["dispensings"] = filled(
        "dispensings", person_id=who, date=np.concatenate([np.full(len(rows), day) for rows, day in fills]),
        ingredient=np.full(len(who), "morphine"), route=np.full(len(who), "oral"), release=np.full(len(who), "IR"),
        strength=np.full(len(who), 10.0), strength_unit=np.full(len(who), "mg"), quantity=np.full(len(who), 60.0),
        days_supply=np.full(len(who), 30.0),
    ).sort("person_id", "date")  # fmt: skip
    seen, day, score = (np.concatenate([part[k] for part in scores]) for k in range(3))
    made["pain"] = filled("pain", person_id=seen, date=day, scale=np.full(len(seen), "NRS"), score=score)
    sad = np.flatnonzero(base.depressed)
    made["diagnoses"] = filled(
        "diagnoses", person_id=sad, date=np.full(len(sad), ENTRY - 100), code=np.full(len(sad), "F329"),
        vocabulary=np.full(len(sad), "ICD10CM"),
    )  # fmt: skip
    dead = np.flatnonzero(death >= 0)
    made["deaths"] = filled("deaths", person_id=dead, date=death[dead])
    clean = opioid_fills(made["dispensings"], Exposure())[1]
    daily, _, status = doses_and_status(clean, made, Exposure())
    return made | {"dispensings_clean": clean, "daily_dose": daily, "opioid_status": status}


def truth(
    world: World, horizon: int, n: int = 200_000, seed: int = 0, *, sustained: bool = False
) -> dict[str, float]:  # fmt: skip
    """Risk of death within ``horizon`` days (a multiple of 30) had people started, or not, at an eligible visit.

    Both decisions are simulated from one visit each of n people, drawn evenly over the visits of follow-up, weighted by
    e (1 - e) (the overlap population); later care free, or ``sustained``: refilled throughout, or never begun.
    """
    rng = np.random.default_rng([seed, 1])
    lives = people(n, rng)
    visit = rng.integers(0, world.periods - ENTRY_PERIOD - horizon // PERIOD, n)
    at, alive, alive_then = lives.take(np.arange(n)), np.ones(n, bool), np.ones(n, bool)
    for period in range(int(visit.max()) + 1):
        for name, values in vars(at).items():
            values[visit == period] = vars(lives)[name][visit == period]
        alive_then = np.where(visit >= period, alive, alive_then)
        _, died = live(world, lives, rng.random(n) < chance(world, lives), rng)
        alive = alive & (died < 0)
    e = chance(world, at)
    weight = np.where(alive_then & (at.free >= WASHOUT_PERIODS), e * (1 - e), 0.0)
    risks = {}
    after = replace(world, refill=1.0) if sustained else world
    for name, decision in (("started", True), ("not", False)):
        future, dead = at.take(np.arange(n)), np.zeros(n, bool)
        follows = np.random.default_rng([seed, 2])
        for period in range(horizon // PERIOD):
            starts = np.full(n, decision) if period == 0 else follows.random(n) < chance(world, future)
            _, died = live(after, future, starts & (decision or not sustained), follows)
            dead |= died >= 0
        risks[name] = float(np.average(dead, weights=weight))
    return risks
