"""Worlds with known truth (METHODS D2): the adjusted contrast finds it, the naive slope says hyperalgesia in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.steps.hyperalgesia import analyse

PERSONS, MONTHS, STEP, FIRST_DOSE = 10_000, 24, 20.0, 2
WINDOWS = {"1-30": (1, 1), "31-90": (2, 3), "91-180": (4, 6), "181-365": (7, 12)}  # lags in months of monthly visits
WORLDS = {
    "null": (0.0, 0.0, 0.0),
    "relief": (0.0, 0.0, -0.5),
    "tolerance": (0.8, 0.0, 0.0),
    "hyperalgesia": (0.8, 0.6, 0.0),
}


@dataclass(frozen=True)
class Draws:
    """The random numbers of a cohort, the same whatever is decided."""

    usual: np.ndarray
    flare: np.ndarray
    choice: np.ndarray

    @classmethod
    def of(cls, seed: int) -> Draws:
        rng = np.random.default_rng(seed)
        usual = rng.normal(5, 1.2, PERSONS)
        flare = np.empty((MONTHS, PERSONS))
        flare[0] = rng.normal(0, 1.5, PERSONS)
        for month in range(1, MONTHS):
            flare[month] = 0.6 * flare[month - 1] + rng.normal(0, 1.5 * np.sqrt(1 - 0.36), PERSONS)
        return cls(usual, flare, rng.random((MONTHS, PERSONS)))


def blips(world: tuple[float, float, float]) -> np.ndarray:
    """Effect of one step k months later, k = 0, 1, ..."""
    relief, harm, lasting = world
    lag = np.arange(MONTHS)
    effect = -relief * np.exp(-(lag - 1) / 2) + harm * (1 - np.exp(-lag / 3)) + lasting
    return np.where(lag == 0, 0.0, effect)


def live(
    draws: Draws, world: tuple[float, float, float], forced: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pain (month x person), doses in steps, and escalations; ``forced`` = (month, decision) for everybody."""
    effect = blips(world)
    pain, dose = np.empty((MONTHS, PERSONS)), np.full((MONTHS + 1, PERSONS), FIRST_DOSE)
    rises = np.zeros((MONTHS, PERSONS), dtype=int)
    for month in range(MONTHS):
        past = effect[month - np.arange(month)] @ rises[:month] if month else 0.0
        pain[month] = draws.usual + draws.flare[month] + past
        chance = 1 / (1 + np.exp(-(-4.2 + 0.45 * (pain[month] - 5) - 0.15 * (dose[month] - 2))))
        rises[month] = draws.choice[month] < chance
        if forced and month == forced[0]:
            rises[month] = forced[1]
        dose[month + 1] = dose[month] + rises[month]
    return pain, dose, rises


def truth(draws: Draws, world: tuple[float, float, float]) -> dict[str, float]:
    """Effect of escalating at a visit against not, later decisions left free, by counterfactual simulation."""
    found: dict[str, list[float]] = {label: [] for label in WINDOWS}
    for month in (4, 8, 11):
        difference = live(draws, world, (month, 1))[0] - live(draws, world, (month, 0))[0]
        for label, (first, last) in WINDOWS.items():
            found[label].append(float(difference[month + first : month + last + 1].mean()))
    return {label: float(np.mean(values)) for label, values in found.items()}


def tables(draws: Draws, world: tuple[float, float, float]) -> dict[str, pl.DataFrame]:
    """The world as the pipeline's tables: a visit every 30 days, the new dose from the day of the visit."""
    pain, dose, _ = live(draws, world)
    person = np.tile(np.arange(PERSONS), MONTHS)
    day = np.repeat(np.arange(MONTHS) * 30, PERSONS)
    months = pl.DataFrame({"person_id": person, "start": day, "mme": dose[1:].ravel() * STEP})
    before = pl.DataFrame({"person_id": np.arange(PERSONS), "start": -120, "mme": dose[0] * STEP})
    supply = pl.concat([before.select(months.columns).cast(months.schema), months]).sort("person_id", "start")
    supply = supply.with_columns(
        pl.col("start").cast(pl.Int32),
        (pl.col("start") + pl.when(pl.col("start") < 0).then(120).otherwise(30)).cast(pl.Int32).alias("stop"),
        mme_incomplete=pl.lit(0),
    )
    ends = {"start": -120, "stop": MONTHS * 30, "state": "on", "on_since": -120}
    status = pl.DataFrame({"person_id": np.arange(PERSONS)}).with_columns(**{k: pl.lit(v) for k, v in ends.items()})
    followed = {"entry": 0, "exit": MONTHS * 30, "death": 0}
    cohort = pl.DataFrame({"person_id": np.arange(PERSONS)}).with_columns(**{k: pl.lit(v) for k, v in followed.items()})
    scores = pl.DataFrame({"person_id": person, "date": day, "score": pain.ravel()}).with_columns(scale=pl.lit("NRS"))
    return {"cohort": cohort, "pain": scores, "daily_dose": supply, "opioid_status": status}


@pytest.fixture(scope="module")
def draws() -> Draws:
    return Draws.of(20260101)


@pytest.mark.parametrize("name", WORLDS)
def test_the_truth_of_each_world_is_found_and_the_naive_slope_misleads(name: str, draws: Draws) -> None:
    rows, _, decisions = analyse(tables(draws, WORLDS[name]), Hyperalgesia(), baseline=[], missing="indicator")
    found = {(row.analysis, row.scale, row.window): row for row in rows}
    assert decisions > 50_000
    for label, expected in truth(draws, WORLDS[name]).items():
        row = found["hyperalgesia.escalation", "mean_difference", label]
        per_step = found["hyperalgesia.escalation", "mean_difference_per_step", label]
        assert abs(per_step.estimate - expected) < 3 * per_step.se + 0.05, label  # the separation is close to one step
        assert row.gate == "pass"
        assert row.se < 0.1
        assert abs(row.estimate - expected) < 3 * row.se, label
    slope = found["hyperalgesia.naive", "slope", ""]
    assert slope.gate.startswith("fail: by design")
    assert slope.ci_low > 0
    crude = found["hyperalgesia.naive", "mean_difference", "1-30"]
    assert crude.gate.startswith("fail: by design")
    assert crude.ci_low > 0
