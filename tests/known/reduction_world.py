"""Doses lowered in people who get better, and by policies whatever the pain, with what a fall does to pain planted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

PERSONS, MONTHS, MONTH = 12_000, 24, 30
FIRST_MME, LEFT, LEAST = 150.0, 0.75, 3  # a fall leaves three quarters of the dose; nobody falls more than three times
POLICY_MONTHS = (9, 10, 11)  # whoever a policy concerns is seen under it in one of these, all in one quarter
NEVER = 999


@dataclass(frozen=True)
class World:
    """by_pain: log odds of lowering the dose per point of the true pain, at pain 5; gain: fall of pain in the end."""

    lowered: float = -3.6
    by_pain: float = -0.7
    gain: float = 0.0
    noise: float = 0.0
    affected: float = 0.3  # of people, by a policy
    reason: str = "policy"

    def effect(self, months: np.ndarray) -> np.ndarray:
        return np.where(months > 0, -self.gain * -np.expm1(-months / 3), 0.0)


def tables(world: World, seed: int = 1, persons: int = PERSONS) -> dict[str, pl.DataFrame]:
    """The pipeline's tables, days from 1970-01-01; a visit every 30 days, the new dose from the day of the visit."""
    rng = np.random.default_rng(seed)
    usual, flare = rng.normal(5, 1.2, persons), rng.normal(0, 1.5, (MONTHS, persons))
    for month in range(1, MONTHS):
        flare[month] = 0.6 * flare[month - 1] + 0.8 * flare[month]
    policy = np.where(rng.random(persons) < world.affected, rng.choice(POLICY_MONTHS, persons), NEVER)
    pain, falls = np.empty((MONTHS, persons)), np.zeros((MONTHS, persons), dtype=bool)
    count = np.zeros((MONTHS + 1, persons), dtype=int)  # of falls so far
    effect = world.effect(np.arange(MONTHS))
    for month in range(MONTHS):
        pain[month] = usual + flare[month] + sum(effect[month - k] * falls[k] for k in range(month))
        chance = 1 / (1 + np.exp(-(world.lowered + world.by_pain * (pain[month] - 5))))
        falls[month] = ((rng.random(persons) < chance) | (policy == month)) & (count[month] < LEAST)
        count[month + 1] = count[month] + falls[month]
    return _tables(world, pain + world.noise * rng.standard_normal(pain.shape), FIRST_MME * LEFT**count, policy)


def _tables(world: World, score: np.ndarray, dose: np.ndarray, policy: np.ndarray) -> dict[str, pl.DataFrame]:
    persons = score.shape[1]
    who = np.arange(persons)
    supply = pl.DataFrame(
        {
            "person_id": np.tile(who, MONTHS + 1),
            "start": np.repeat(np.append(-120, np.arange(MONTHS) * MONTH), persons).astype(np.int32),
            "stop": np.repeat(np.append(0, np.arange(1, MONTHS + 1) * MONTH), persons).astype(np.int32),
            "mme": dose.ravel(),
        }
    ).with_columns(mme_incomplete=pl.lit(0))
    concerned = np.flatnonzero(policy < NEVER)
    everybody = pl.DataFrame({"person_id": who})
    return {
        "cohort": everybody.with_columns(entry=pl.lit(0), exit=pl.lit(MONTHS * MONTH), death=pl.lit(0)),
        "pain": pl.DataFrame(
            {"person_id": np.tile(who, MONTHS), "date": np.repeat(np.arange(MONTHS) * MONTH, persons)}
        ).with_columns(score=pl.Series(score.ravel()), scale=pl.lit("NRS")),
        "daily_dose": supply,
        "opioid_status": everybody.with_columns(
            start=pl.lit(-120), stop=pl.lit(MONTHS * MONTH), state=pl.lit("on"), on_since=pl.lit(-120)
        ),
        # told some days before the visit at which it is carried out
        "changes": pl.DataFrame({"person_id": concerned, "date": policy[concerned] * MONTH - 20}).with_columns(
            reason=pl.lit(world.reason)
        ),
        "measurements": pl.DataFrame(
            schema={"person_id": pl.Int64, "date": pl.Int64, "measure": pl.String, "value": pl.Float64}
        ),
    }
