"""Hazards of leaving and of beginning are what they are, however long the intervals on which they are fitted."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.causal.clone_censor import Clones, Strategy, curves, grid, layout, weigh

PEOPLE, LAST = 40_000, 360.0
INF = np.inf


def days(rng: np.random.Generator, hazard: np.ndarray) -> np.ndarray:
    """Whole days before something happens at a constant hazard."""
    return np.floor(rng.exponential(1 / hazard))


def never(covariate: np.ndarray, begins: np.ndarray, died: np.ndarray, step: float) -> Clones:
    rows = grid(np.minimum(died, LAST), (died <= LAST).astype(int), np.arange(0, LAST + 1, step))
    x = covariate[rows.person][:, None]
    return weigh(layout(rows, Strategy("never", np.where(begins < died, begins, INF)), x, names=("ill",)))


@pytest.mark.parametrize("step", [5.0, 30.0, 60.0])
def test_the_fitted_hazard_is_the_true_one_on_short_and_long_intervals(step: float) -> None:
    """Weights in an interval are exp(hazard x time up to its middle), so that they tell the hazard fitted."""
    rng = np.random.default_rng(0)
    ill = rng.normal(size=PEOPLE)
    hazard = np.exp(-5.2 + 0.5 * ill)
    clones = never(ill, days(rng, hazard), np.full(PEOPLE, INF), step)
    fitted = np.log(clones.weight) / (clones.start + (step + 1) / 2)
    for value in (-1.0, 0.0, 1.0, 2.0):
        alike = np.abs(ill[clones.person] - value) < 0.05
        assert (fitted[alike] / hazard[clones.person][alike]).mean() == pytest.approx(1, abs=0.02)


def test_risks_are_the_same_on_long_and_short_intervals_and_right() -> None:
    """The ill start sooner and die sooner; starting does nothing. A quarter starts within the first interval."""
    differences, errors = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        ill = rng.normal(size=PEOPLE // 2)
        begins, died = days(rng, np.exp(-4.6 + 0.6 * ill)), days(rng, np.exp(-7.2 + 0.8 * ill)) + 1
        risks = [
            curves(never(ill, begins, died, step), 1).risk((90.0, 180.0))[:, 0] for step in (30.0, 5.0)
        ]  # fmt: skip
        differences.append(risks[0] - risks[1])
        errors.append(risks[0] - [(died <= horizon).mean() for horizon in (90.0, 180.0)])
    np.testing.assert_allclose(np.mean(differences, axis=0), 0, atol=0.0025)
    spread = np.std(errors, axis=0, ddof=1) / np.sqrt(len(errors))
    assert (np.abs(np.mean(errors, axis=0)) < 2.5 * spread).all()


@pytest.mark.parametrize("step", [1.0, 10.0, 30.0])
def test_one_hazard_of_all_is_decisions_by_days_on_which_there_could_be_one(step: float) -> None:
    rng = np.random.default_rng(2)
    leaves = days(rng, np.full(300, 0.02))
    rows = grid(np.full(300, 60.0), np.zeros(300, int), np.arange(0, 61, step))
    clones = weigh(layout(rows, Strategy("never", leaves), np.zeros((len(rows.person), 0)), names=()))
    at_risk = np.minimum(leaves + 1, 60).sum()
    hazard = -np.log1p(-(leaves < 60).sum() / at_risk)
    np.testing.assert_allclose(np.log(clones.weight) / (clones.start + (step + 1) / 2), hazard, rtol=1e-5)


def test_those_who_begin_stand_in_for_everybody_however_long_the_intervals() -> None:
    """Of everybody alike, the weight of who has begun within grace and of who still may is that of all, exactly."""
    rng = np.random.default_rng(3)
    begins = days(rng, np.full(4000, 0.02))
    strategy = Strategy("begin", np.full(4000, INF), begins=begins, grace=60.0)
    rows = grid(np.full(4000, 120.0), np.zeros(4000, int), [0, 30, 60, 120])
    clones = weigh(layout(rows, strategy, np.zeros((len(rows.person), 0)), names=(), bands=(30.0,)))
    assert clones.weight[clones.start >= 60].sum() == pytest.approx(4000, rel=0.01)
