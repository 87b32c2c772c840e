"""Effects in those treated where the truth is known: one model wrong, outcomes missing, persons that repeat."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.causal import augmented

N = 200_000
EFFECT = 0.5
NAMES = ["pain", "dose", "age"]


def chance(eta: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-eta))


def fitted(x: np.ndarray, treated: np.ndarray, y: np.ndarray, **given: np.ndarray) -> augmented.Effects:
    names = [f"x{j}" for j in range(x.shape[1])]
    return augmented.effects(augmented.assignment(x, treated, names=names, person=np.arange(len(x))), y, **given)


def crude(treated: np.ndarray, y: np.ndarray) -> float:
    seen = ~np.isnan(y)
    return float(y[treated & seen].mean() - y[~treated & seen].mean())


def within(effects: augmented.Effects, method: augmented.Method, truth: float, by: float = 4.0) -> bool:
    joint = effects.joint(method)
    return bool(abs(joint.values[0] - truth) < by * np.sqrt(joint.covariance[0, 0]))


def test_the_outcome_model_wrong_and_the_propensity_right() -> None:
    """Pain is curved in the history, the log odds of treatment straight: AIPW and IPW stay, regression does not."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, 3))
    treated = rng.random(N) < chance(-2 + 0.9 * x[:, 0])
    y = (x[:, 0] + x[:, 0] ** 2 + EFFECT * treated + rng.normal(size=N))[:, None]
    found = fitted(x, treated, y)
    assert crude(treated, y[:, 0]) > EFFECT + 1
    assert found.values("regression")[0] > EFFECT + 0.2
    assert within(found, "aipw", EFFECT)
    assert within(found, "ipw", EFFECT)


def test_the_propensity_wrong_and_the_outcome_model_right() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(N, 3))
    treated = rng.random(N) < chance(-2 + 0.6 * x[:, 0] + 0.4 * x[:, 0] ** 2)
    y = (x[:, 0] + EFFECT * treated + rng.normal(size=N))[:, None]
    found = fitted(x, treated, y)
    assert abs(found.values("ipw")[0] - EFFECT) > 0.1
    assert within(found, "aipw", EFFECT)
    assert within(found, "regression", EFFECT)


def test_an_effect_that_differs_is_that_in_those_treated() -> None:
    """The effect grows with pain, and so does treatment: not the mean of everybody's."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 3))
    treated = rng.random(N) < chance(-1.5 + 0.9 * x[:, 0])
    effect = EFFECT + 0.5 * x[:, 0]
    y = (x[:, 0] + effect * treated + rng.normal(size=N))[:, None]
    truth = float(effect[treated].mean())
    found = fitted(x, treated, y)
    assert truth > EFFECT + 0.25
    assert within(found, "aipw", truth)
    assert within(found, "ipw", truth)


def test_outcomes_missing_by_arm_and_history() -> None:
    """Those in pain come back more often, and treated less; the effect is larger in those in pain, and pain curved.

    The complete cases' own effect is another one; weighted for being observed, those treated have theirs back.
    """
    rng = np.random.default_rng(4)
    x = rng.normal(size=(N, 3))
    treated = rng.random(N) < chance(-1.5 + 0.8 * x[:, 0])
    effect = EFFECT + 0.5 * x[:, 0]
    y = x[:, 0] + 0.5 * x[:, 0] ** 2 + effect * treated + rng.normal(size=N)
    y[rng.random(N) > chance(0.3 + 1.1 * x[:, 0] - 0.8 * treated)] = np.nan
    seen, truth = ~np.isnan(y), float(effect[treated].mean())
    found, complete = fitted(x, treated, y[:, None]), fitted(x[seen], treated[seen], y[seen, None])
    assert abs(crude(treated, y) - truth) > 0.4
    for method in ("aipw", "ipw"):
        assert complete.values(method)[0] > truth + 0.1
        assert within(found, method, truth)
    assert found.observation_model == "logistic"
    shares = (seen[~treated].mean(), seen[treated].mean())
    assert found.observation == pytest.approx(shares, rel=1e-12)


def test_those_who_deviate_count_by_those_who_do_not() -> None:
    """Deviation by the arm and what comes after the visit: weights of having followed recover, leaving out does not."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N, 3))
    treated = rng.random(N) < chance(-1.5 + 0.8 * x[:, 0])
    later = x[:, 0] + rng.normal(size=N)
    follows = chance(1 - 0.9 * later * treated)
    y = (later + EFFECT * treated + rng.normal(size=N))[:, None]
    stayed = rng.random(N) < follows
    weighted = fitted(x, treated, y, followed=stayed / follows)
    plain = fitted(x, treated, y, followed=stayed.astype(float))
    assert within(weighted, "aipw", EFFECT)
    assert plain.values("aipw")[0] < EFFECT - 0.15


def small_worlds(rng: np.random.Generator, persons: int, visits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    usual = np.repeat(rng.normal(size=persons), visits)
    x = np.column_stack([usual + rng.normal(size=len(usual)), rng.normal(size=len(usual))])
    treated = rng.random(len(x)) < chance(-1 + 0.7 * x[:, 0] + 0.3 * x[:, 1])
    # persons differ in what the history does not tell: rows of one person depend
    own = np.repeat(rng.normal(size=persons), visits)
    y = x[:, 0] + EFFECT * treated * (1 + 0.5 * own) + own + rng.normal(size=len(x))
    y[rng.random(len(x)) > chance(1 + 0.5 * x[:, 0] - 0.5 * treated)] = np.nan
    return x, treated, y


def test_limits_cover_the_truth_as_often_as_they_say() -> None:
    """400 worlds of 250 persons x 6 visits; the errors told are those seen."""
    rng, worlds, person = np.random.default_rng(6), 400, np.repeat(np.arange(250), 6)
    told: dict[str, list[tuple[float, float]]] = {method: [] for method in augmented.METHODS}
    for _ in range(worlds):
        x, treated, y = small_worlds(rng, 250, 6)
        found = augmented.effects(augmented.assignment(x, treated, names=["a", "b"], person=person), y[:, None])
        for method in augmented.METHODS:
            joint = found.joint(method)
            told[method].append((float(joint.values[0]), float(np.sqrt(joint.covariance[0, 0]))))
    for method, numbers in told.items():
        values, errors = np.array(numbers).T
        covered = (np.abs(values - EFFECT) < 1.96 * errors).mean()
        assert 0.925 < covered < 0.975, method
        assert errors.mean() / values.std() == pytest.approx(1, abs=0.08), method


def test_rows_of_a_person_taken_for_strangers_would_be_too_sure() -> None:
    """The effect differs between persons."""
    rng, person = np.random.default_rng(7), np.repeat(np.arange(3000), 6)
    x, treated, _ = small_worlds(rng, 3000, 6)
    y = (x[:, 0] + treated * (EFFECT + 2 * rng.normal(size=3000)[person]) + rng.normal(size=len(x)))[:, None]
    sure = [
        augmented.effects(augmented.assignment(x, treated, names=["a", "b"], person=who), y).joint("aipw").covariance
        for who in (person, np.arange(len(x)))
    ]
    assert sure[0][0, 0] > 1.5 * sure[1][0, 0]
