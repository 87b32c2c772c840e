"""Decisions, outcomes by lag and later steps of a world of pain and dose, as ``causal.nested_mean`` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pain_world import Lives

from opioid_outcomes.causal.nested_mean import Lag, Later


@dataclass(frozen=True)
class Decisions:
    """Every month of everybody, person by person."""

    person: np.ndarray
    month: np.ndarray
    x: np.ndarray  # score, dose before
    steps: np.ndarray


NAMES = ("pain", "dose")


def decisions(lives: Lives) -> Decisions:
    months, persons = lives.seen.shape
    person, month = np.repeat(np.arange(persons), months), np.tile(np.arange(months), persons)
    x = np.column_stack([lives.score.T.ravel(), lives.dose[:-1].T.ravel()]).astype(float)
    return Decisions(person, month, x, lives.raised.T.ravel().astype(float))


def lags(lives: Lives, count: int, modifier: np.ndarray | None = None) -> Iterator[Lag]:
    """Lag 1, 2, ...; ``modifier``: (month, person) at each step."""
    months, persons = lives.seen.shape
    month, person = np.nonzero(lives.raised)
    for lag in range(1, count + 1):
        outcome = np.full((persons, months), np.nan)
        outcome[:, : months - lag] = lives.recorded[lag:].T
        rows, backs, amounts = [], [], []
        for back in range(1, lag):
            decided = month - (lag - back)  # the decision before this step, whose outcome is ``back`` months after it
            kept = (decided >= 0) & (decided + lag < months)
            rows.append(person[kept] * months + decided[kept])
            backs.append(np.full(int(kept.sum()), back))
            columns = [np.ones(int(kept.sum()))]
            if modifier is not None:
                columns.append(modifier[month[kept], person[kept]])
            amounts.append(np.column_stack(columns))
        later = Later(np.concatenate(rows), np.concatenate(backs), np.concatenate(amounts)) if rows else None
        yield Lag(outcome.ravel(), later)
