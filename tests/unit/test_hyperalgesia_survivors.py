"""Bounds where the arms' mortality differs: trimming as Lee (2009) does it, and survival weighted by the odds."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.causal import augmented
from opioid_outcomes.hyperalgesia import survivors
from opioid_outcomes.hyperalgesia.confounders import Confounders
from opioid_outcomes.hyperalgesia.survivors import Survival
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.hyperalgesia.visits import Visits


def trial_of(taken: np.ndarray) -> Trial:
    n = len(taken)
    nothing = np.zeros(n)
    terms = Confounders(
        np.zeros((n, 0)), [], np.ones(n, dtype=bool), [], [], np.zeros(0, dtype=int), np.zeros((n, 0, 0)),
        np.zeros(0, dtype=int),
    )  # fmt: skip
    visits = Visits(np.arange(n), np.zeros(n, dtype=int), nothing, nothing, nothing)
    return Trial(visits, taken, terms, 0, 0, 0)


def window_of(pain: list[float], alive: list[bool]) -> Window:
    return Window("1-30", np.array(pain), np.zeros(len(pain)), np.array(alive))


def test_the_share_that_lives_in_one_arm_only_is_trimmed_from_either_end() -> None:
    # taken: 8 live of 10, maintained: 4 of 10: half of those who live after taking it would not have lived otherwise
    taken = np.array([True] * 10 + [False] * 10)
    nan = float("nan")
    pain = [1.0, 2, 3, 4, 5, 6, 7, 8, nan, nan, 3, 4, 5, 6, *[nan] * 6]
    window = window_of(pain, [True] * 8 + [False] * 2 + [True] * 4 + [False] * 6)
    survival = Survival((0.4, 0.8), np.ones(20, dtype=bool))
    assert survival.differs
    low, high = survivors.bounds(trial_of(taken), window, survival, np.ones(20), np.ones(20))
    assert low.values[0] == pytest.approx(np.mean([1, 2, 3, 4]) - 4.5)
    assert high.values[0] == pytest.approx(np.mean([5, 6, 7, 8]) - 4.5)


def test_a_score_on_the_threshold_counts_in_part_and_by_its_weight() -> None:
    taken = np.array([True, True, True, False, False])
    nan = float("nan")
    window = window_of([1.0, 2.0, 3.0, 5.0, nan], [True, True, True, True, False])
    # a third is trimmed: of the weights 1, 1, 2 what is kept is 8/3
    survival = Survival((2 / 3, 1.0), np.ones(5, dtype=bool))
    low, high = survivors.bounds(trial_of(taken), window, survival, *[np.array([1.0, 1.0, 2.0, 1.0, 1.0])] * 2)
    assert low.values[0] == pytest.approx((1 + 2 + 3 * 2 / 3) / (8 / 3) - 5)
    assert high.values[0] == pytest.approx((3 * 2 + 2 * 2 / 3) / (8 / 3) - 5)


def test_the_arm_that_lives_longer_may_be_the_one_that_maintained() -> None:
    taken = np.array([True] * 2 + [False] * 4)
    window = window_of([5.0, float("nan"), 1, 2, 3, 4], [True, False, True, True, True, True])
    survival = Survival((1.0, 0.5), np.ones(6, dtype=bool))
    low, high = survivors.bounds(trial_of(taken), window, survival, np.ones(6), np.ones(6))
    assert (low.values[0], high.values[0]) == (pytest.approx(5 - 3.5), pytest.approx(5 - 1.5))


def test_scores_stand_for_those_not_seen_like_them() -> None:
    """Who hurts less comes less: with the chance of coming in the weights, the bounds are those of everybody."""
    rng = np.random.default_rng(8)
    n = 200_000
    taken, ill = rng.random(n) < 0.5, rng.random(n) < 0.5
    alive = rng.random(n) < np.where(taken, 0.9, 0.8)
    pain = np.where(alive, rng.normal(4, 1, n) + 3 * ill, np.nan)
    seen = rng.random(n) < np.where(ill, 0.9, 0.3)
    trial, ones, known = trial_of(taken), np.ones(n), np.ones(n, dtype=bool)
    survival = Survival((float(alive[~taken].mean()), float(alive[taken].mean())), known)
    everybody = survivors.bounds(trial, Window("1-30", pain, pain, alive), survival, ones, ones)
    some = np.where(seen, pain, np.nan)
    model = augmented.assignment(ill[:, None], taken, names=["ill"], person=np.arange(n))
    weights = augmented.outcome_weights(model, np.isfinite(some), eligible=alive)
    found = survivors.bounds(trial, Window("1-30", some, some, alive), survival, ones, weights)
    for part, whole in zip(found, everybody, strict=True):
        assert part.values[0] == pytest.approx(whole.values[0], abs=0.02)
    plain = survivors.bounds(trial, Window("1-30", some, some, alive), survival, ones, ones)
    assert abs(plain[0].values[0] - everybody[0].values[0]) > 0.05


def test_standard_errors_are_those_of_repeated_samples() -> None:
    """Lee's variance, by simulation: 400 samples of 2,000 decisions, mortality 10 % against 30 %."""
    rng = np.random.default_rng(5)
    found, errors = [], []
    for _ in range(400):
        n = 2_000
        taken = rng.random(n) < 0.4
        alive = rng.random(n) < np.where(taken, 0.9, 0.7)
        pain = np.where(alive, rng.normal(5, 2, n), np.nan)
        shares = tuple(float(alive[taken == arm].mean()) for arm in (False, True))
        survival = Survival((shares[0], shares[1]), np.ones(n, dtype=bool))
        low, high = survivors.bounds(trial_of(taken), Window("1-30", pain, pain, alive), survival, *[np.ones(n)] * 2)
        found.append([low.values[0], high.values[0]])
        errors.append([np.sqrt(low.covariance[0, 0]), np.sqrt(high.covariance[0, 0])])
    assert np.mean(errors, axis=0) == pytest.approx(np.std(found, axis=0), rel=0.08)
    # the mean of the lowest 7/9 of a normal, in standard deviations below its mean
    assert np.mean(found, axis=0) == pytest.approx([-2 * 0.3828, 2 * 0.3828], abs=0.02)


def test_small_differences_in_mortality_need_no_bounds() -> None:
    everybody = np.ones(2, dtype=bool)
    assert not Survival((0.95, 0.959), everybody).differs
    assert Survival((0.95, 0.9601), everybody).differs
