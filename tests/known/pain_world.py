"""METHODS D2: pain, and doses that follow it, month by month, with what a raised dose does to pain planted.

Pain is a person's usual pain, an AR(1) flare, and for every past step of +20 MME an effect that depends on the months
since. Whoever decides sees the true pain or the recorded score, and the dose. Every random number is drawn beforehand,
so that the same people can live again with another decision: truth is the mean difference of such twins, over the
decisions at which the dose was raised (ATT).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

MONTH, STEP_MME = 30, 20.0
FIRST_DOSE = 2  # steps of 20 MME
KEPT = 0.6  # of a flare after a month
WINDOWS = {"1-30": (1, 1), "31-90": (2, 3), "91-180": (4, 6), "181-365": (7, 12)}  # months of monthly visits
STABLE_MONTHS, LEAST_RISE = 3, 0.2  # what makes a decision eligible, and a rise an escalation
BEFORE = 120  # days of supply at the first dose before the first visit
OBSERVED_BEFORE = 400


@dataclass(frozen=True)
class World:
    """Effects of a step are (kappa) relief that wanes, (h) harm that grows, (s) what stays, METHODS D2."""

    kappa: float = 0.0
    h: float = 0.0
    s: float = 0.0
    persons: int = 60_000
    months: int = 24
    escalation: float = -4.2  # log odds of raising the dose at pain 5 on 40 MME
    by_pain: float = 0.45
    noise: float = 0.0  # SD of the error of a recorded score
    decided_on: Literal["true", "recorded"] = "true"
    seen: float = np.inf  # log odds of a visit at pain 5; nobody decides anything without one
    seen_pain: float = 0.0  # more of them for a point of the pain of that month
    seen_last: float = 0.0  # more of them for a point of the last recorded score
    seen_raised: float = 0.0  # more of them once the dose has ever been raised
    rounded: bool = False  # whole numbers from 0 to 10, as people answer

    def blip(self, months: np.ndarray | int) -> np.ndarray:
        """Effect of one step so many months later; none before it or in its own month."""
        k = np.asarray(months)
        later = -self.kappa * np.exp(-(np.maximum(k, 1) - 1) / 2) + self.h * -np.expm1(-k / 3) + self.s
        return np.where(k > 0, later, 0.0)


D2 = {
    "null": World(),
    "relief": World(s=-0.5),
    "tolerance": World(kappa=0.8),
    "hyperalgesia": World(kappa=0.8, h=0.6),
}


@dataclass(frozen=True)
class Draws:
    """The random numbers of a cohort, (month, person), the same whatever is decided."""

    usual: np.ndarray
    flare: np.ndarray
    error: np.ndarray  # SD 1
    choice: np.ndarray
    visit: np.ndarray

    @classmethod
    def of(cls, world: World, seed: int | np.random.Generator) -> Draws:
        rng = np.random.default_rng(seed)
        shape = (world.months, world.persons)
        usual, flare = rng.normal(5, 1.2, world.persons), rng.normal(0, 1.5, shape)
        for month in range(1, world.months):
            flare[month] = KEPT * flare[month - 1] + np.sqrt(1 - KEPT**2) * flare[month]
        return cls(usual, flare, rng.standard_normal(shape), rng.random(shape), rng.random(shape))


@dataclass(frozen=True)
class Forced:
    """By person, the month in which the decision is set, and to what."""

    month: np.ndarray
    raised: bool


@dataclass(frozen=True)
class Lives:
    """What happened, (month, person)."""

    pain: np.ndarray
    score: np.ndarray  # what is recorded whenever somebody is seen
    seen: np.ndarray
    chance: np.ndarray  # of raising the dose; 0 without a visit
    raised: np.ndarray
    dose: np.ndarray  # (months + 1, person), steps: before each month's decision, and after the last

    @property
    def recorded(self) -> np.ndarray:
        return np.where(self.seen, self.score, np.nan)


def live(world: World, draws: Draws, forced: Forced | None = None) -> Lives:
    """Everybody's months. Cost: a tenth of a second for 60,000 people x 24 months."""
    shape, effect = draws.flare.shape, world.blip(np.arange(world.months))
    pain, score, chance = np.empty(shape), np.empty(shape), np.zeros(shape)
    seen, raised = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    dose = np.full((shape[0] + 1, shape[1]), FIRST_DOSE)
    last = np.full(shape[1], 5.0)
    for month in range(shape[0]):
        pain[month] = draws.usual + draws.flare[month]
        for before in range(month if effect.any() else 0):
            pain[month] += effect[month - before] * raised[before]
        answer = pain[month] + world.noise * draws.error[month]
        score[month] = np.clip(np.rint(answer), 0, 10) if world.rounded else answer
        come = (
            world.seen + world.seen_pain * (pain[month] - 5) + world.seen_last * (last - 5)
            + world.seen_raised * (dose[month] > FIRST_DOSE)
        )  # fmt: skip
        seen[month] = draws.visit[month] < expit(come)
        last = np.where(seen[month], score[month], last)
        known = pain[month] if world.decided_on == "true" else score[month]
        odds = world.escalation + world.by_pain * (known - 5) - 0.15 * (dose[month] - 2)
        chance[month] = np.where(seen[month], expit(odds), 0.0)
        raised[month] = draws.choice[month] < chance[month]
        if forced is not None:
            raised[month] = np.where(forced.month == month, forced.raised, raised[month])
        dose[month + 1] = dose[month] + raised[month]
    return Lives(pain, score, seen, chance, raised, dose)


def expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def eligible(lives: Lives) -> np.ndarray:
    """Decisions that count: seen, the dose of 90 days within 20 % of its mean, and a step that is an escalation."""
    dose = lives.dose
    before = np.concatenate([np.full((STABLE_MONTHS - 1, dose.shape[1]), FIRST_DOSE), dose])
    span = np.stack([before[lag : lag + len(lives.seen)] for lag in range(STABLE_MONTHS)])
    mean = span.mean(axis=0)
    steady = (np.abs(span - mean) <= 0.2 * mean + 1e-9).all(axis=0)
    return np.asarray(lives.seen & steady & (dose[:-1] * LEAST_RISE <= 1 + 1e-9))


def truth(world: World, draws: Draws, *, twins: int = 4, seed: int = 1) -> dict[str, tuple[float, float]]:
    """By window: effect on recorded scores of raising the dose now, later decisions free, where it was raised (ATT).

    The second number is its Monte Carlo error. Each person lives twice from each of ``twins`` eligible decisions.
    """
    found: dict[str, list[np.ndarray]] = {label: [] for label in WINDOWS}
    for difference, month, weight in _twins(world, draws, twins, np.random.default_rng(seed)):
        everybody = np.arange(len(month))
        total = np.concatenate([np.zeros((1, len(month))), np.cumsum(difference, axis=0)])
        for label, (first, last) in WINDOWS.items():
            start, stop = np.minimum(month + first, world.months), np.minimum(month + last + 1, world.months)
            mean = (total[stop, everybody] - total[start, everybody]) / np.maximum(stop - start, 1)
            kept = weight * (stop > start)
            found[label].append(np.stack([kept * mean, kept]))
    return {label: _ratio(np.sum(parts, axis=0)) for label, parts in found.items()}


def _twins(
    world: World, draws: Draws, twins: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Difference of scores (month, person), month of the decision, and its weight: the chance of raising the dose."""
    lives = live(world, draws)
    possible = eligible(lives)
    count = possible.sum(axis=0)
    for _ in range(twins):
        rank = (rng.random(world.persons) * count).astype(np.int64)
        month = np.where(count > 0, np.argmax(np.cumsum(possible, axis=0) > rank, axis=0), world.months)
        raised, kept = (live(world, draws, Forced(month, decision)).score for decision in (True, False))
        chance = lives.chance[np.minimum(month, world.months - 1), np.arange(world.persons)]
        yield raised - kept, month, np.where(count > 0, count * chance, 0.0)


def _ratio(sums: np.ndarray) -> tuple[float, float]:
    mean = sums[0].sum() / sums[1].sum()
    return float(mean), float(np.sqrt(((sums[0] - mean * sums[1]) ** 2).sum()) / sums[1].sum())


def tables(world: World, lives: Lives) -> dict[str, pl.DataFrame]:
    """The pipeline's tables: a visit every 30 days, the new dose from the day of the visit, doses as stretches."""
    end, person = world.months * MONTH, np.arange(world.persons)
    changes = np.concatenate([np.ones((1, world.persons), dtype=bool), lives.raised]).T
    who, step = np.nonzero(changes)  # by person; the first stretch is of the dose before any decision
    start = np.where(step == 0, -BEFORE, (step - 1) * MONTH)
    stop = np.where(np.append(who[1:], -1) == who, np.append(start[1:], 0), end)
    some = stop > start
    doses = pl.DataFrame({"person_id": who, "start": start, "stop": stop, "mme": lives.dose.T[who, step] * STEP_MME})
    doses = doses.filter(some).with_columns(pl.col("start", "stop").cast(pl.Int32), mme_incomplete=pl.lit(0))
    month, seen = np.nonzero(lives.seen)
    scores = pl.DataFrame({"person_id": seen, "date": month * MONTH, "score": lives.score[month, seen]})
    everybody = pl.DataFrame({"person_id": person})
    return {
        "cohort": everybody.with_columns(entry=pl.lit(0), exit=pl.lit(end), death=pl.lit(0)),
        "pain": scores.with_columns(scale=pl.lit("NRS")),
        "daily_dose": doses,
        "opioid_status": everybody.with_columns(
            start=pl.lit(-BEFORE), stop=pl.lit(end), state=pl.lit("on"), on_since=pl.lit(-BEFORE)
        ),
    }


def write(world: World, lives: Lives, folder: Path) -> None:
    """Raw files of format ``tables`` with day offsets (``date_basis: offset``), for the pipeline from its beginning.

    Morphine is dispensed for 30 days at a time. Nobody dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = 1000 + np.arange(world.persons)
    end = world.months * MONTH
    everybody = pl.DataFrame({"person_id": number})
    fills = range(-BEFORE // MONTH, world.months)
    dose = np.concatenate([np.full((BEFORE // MONTH, world.persons), FIRST_DOSE), lives.dose[1:]])
    dispensings = pl.DataFrame(
        {
            "person_id": np.tile(number, len(fills)),
            "date": np.repeat(np.array(fills) * MONTH, world.persons),
            "quantity": (dose * STEP_MME / 10 * MONTH).ravel().astype(np.int64),  # tablets of 10 mg
        }
    ).with_columns(
        ingredient=pl.lit("morphine"), route=pl.lit("oral"), strength=pl.lit(10), strength_unit=pl.lit("mg"),
        release=pl.lit("IR"), days_supply=pl.lit(MONTH),
    )  # fmt: skip
    month, seen = np.nonzero(lives.seen)
    files = {
        "persons": everybody.with_columns(
            sex=pl.when(pl.col("person_id") % 2 == 0).then(pl.lit("F")).otherwise(pl.lit("M")),
            age_at_entry=40 + pl.col("person_id") * 7 % 41,
        ),
        "observation": everybody.with_columns(start=pl.lit(-OBSERVED_BEFORE), end=pl.lit(end - 1)),
        "dispensings": dispensings,
        "diagnoses": pl.concat(
            [everybody.with_columns(date=pl.lit(day)) for day in (20 - OBSERVED_BEFORE, 60 - OBSERVED_BEFORE)]
        ).with_columns(code=pl.lit("M54.5"), vocabulary=pl.lit("ICD10CM")),
        "pain": pl.DataFrame(
            {"person_id": number[seen], "date": month * MONTH, "score": np.clip(lives.score[month, seen], 0, 10)}
        ).with_columns(scale=pl.lit("NRS")),
    }
    for name, frame in files.items():
        frame.write_csv(folder / f"{name}.csv")
