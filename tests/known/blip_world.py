"""Decisions, outcomes by lag and later steps of a world of pain and dose, as ``causal.nested_mean`` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pain_world import Lives, expit

from opioid_outcomes.causal.nested_mean import Lag, Later

NAMES = ("pain", "dose")


@dataclass(frozen=True)
class Decisions:
    """Every month of everybody, person by person."""

    person: np.ndarray
    month: np.ndarray
    x: np.ndarray  # score, dose before
    steps: np.ndarray


def decisions(lives: Lives) -> Decisions:
    months, persons = lives.seen.shape
    person, month = np.repeat(np.arange(persons), months), np.tile(np.arange(months), persons)
    x = np.column_stack([lives.score.T.ravel(), lives.dose[:-1].T.ravel()]).astype(float)
    return Decisions(person, month, x, lives.raised.T.ravel().astype(float))


def lags(steps: np.ndarray, outcome: np.ndarray, count: int, modifier: np.ndarray | None = None) -> Iterator[Lag]:
    """Lag 1, 2, ... All (month, person): steps, outcomes (NaN: none), modifier at each step.

    Those could have an outcome who are still followed so many months later.
    """
    months, persons = steps.shape
    month, person = np.nonzero(steps)
    amount = steps[month, person].astype(float)
    columns = [amount] if modifier is None else [amount, amount * modifier[month, person]]
    q = np.column_stack(columns)
    followed = np.tile(np.arange(months), persons)
    for lag in range(1, count + 1):
        found = np.full((persons, months), np.nan)
        found[:, : months - lag] = outcome[lag:].T
        rows, backs, parts = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], [q[:0]]
        for back in range(1, lag):
            decided = month - (lag - back)  # the decision before this step, whose outcome is ``back`` months after it
            kept = (decided >= 0) & (decided + lag < months)
            rows.append(person[kept] * months + decided[kept])
            backs.append(np.full(int(kept.sum()), back))
            parts.append(q[kept])
        later = Later(np.concatenate(rows), np.concatenate(backs), np.concatenate(parts))
        yield Lag(found.ravel(), later, followed + lag < months)


@dataclass(frozen=True)
class Varying:
    """A world whose steps differ in size and act by a state that moves, (month, person): what ``modified`` returns."""

    pain: np.ndarray
    state: np.ndarray
    dose: np.ndarray
    steps: np.ndarray

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """History (pain, dose, state), steps and person of every month of everybody."""
        x = np.column_stack([self.pain.T.ravel(), self.dose.T.ravel(), self.state.T.ravel()])
        return x, self.steps.T.ravel(), np.repeat(np.arange(self.pain.shape[1]), len(self.pain))


def modified(persons: int, months: int, seed: int, *, curved: float = 0.0) -> Varying:
    """Effect of a step of 1, k months later: EFFECT[k] + MORE[k] x state when it was taken. The state hurts, too.

    Pain returns to what is usual for the person; ``curved``: how far it was from there raises later pain besides.
    """
    rng = np.random.default_rng(seed)
    shape = (months, persons)
    pain, state, dose, steps = (np.zeros(shape) for _ in range(4))
    usual, before, flare = rng.normal(5, 1, persons), rng.random(persons) < 0.4, rng.normal(0, 1, persons)
    for month in range(months):
        state[month] = np.where(rng.random(persons) < 0.15, rng.random(persons) < 0.4, before)
        before = state[month]
        flare = 0.6 * flare + curved * (np.abs(flare) - 0.8) + rng.normal(0, 0.8, persons)
        pain[month] = usual + flare + 0.5 * state[month]
        for past in range(month):
            k = min(month - past, len(EFFECT)) - 1
            pain[month] += steps[past] * (EFFECT[k] + MORE[k] * state[past])
        dose[month] = steps[:month].sum(axis=0)
        rises = rng.random(persons) < expit(-2.6 + 0.5 * (pain[month] - 5) - 0.15 * dose[month] + 0.5 * state[month])
        steps[month] = rises * np.exp(rng.normal(0.05 * (pain[month] - 5), 0.3))
    return Varying(pain, state, dose, steps)


EFFECT, MORE = np.array([-0.6, -0.2, 0.1, 0.3]), np.array([0.2, 0.3, 0.4, 0.5])
