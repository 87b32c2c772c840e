"""Effects in those treated against stacked estimating equations in R (tests/reference/causal/augmented.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal import augmented

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"
EXPECTED = json.loads((REFERENCE / "augmented.json").read_text())
ROWS = pl.read_csv(REFERENCE / "augmented.csv")
NAMES = ["last", "mean", "age", "highest"]
X = ROWS.select(NAMES).to_numpy()
VARIANCE = 0.25


def column(name: str) -> np.ndarray:
    return ROWS[name].to_numpy()


def error(variance: float = VARIANCE) -> augmented.Error:
    between = 0.2 / column("count")
    unit = np.stack([np.ones(len(X)), between, between, 1 / column("count")], axis=1).reshape(-1, 2, 2)
    return augmented.Error(np.array([0, 1]), unit, variance, np.array([3]))


def found(case: str, order: np.ndarray | None = None) -> augmented.Effects:
    rows = np.arange(len(X)) if order is None else order
    weighted = "weighted" in case
    outcomes = ROWS.select("pain", "dose").to_numpy().copy()
    if case not in ("complete", "error"):
        outcomes[column("seen") == 0] = np.nan
    given = error() if "error" in case else None
    if given is not None:
        given = augmented.Error(given.columns, given.unit[rows], given.variance, given.without)
    who = augmented.assignment(
        X[rows], column("treated")[rows], names=NAMES, person=column("person")[rows],
        weights=column("weight")[rows] if weighted else None, error=given,
    )  # fmt: skip
    return augmented.effects(
        who, outcomes[rows], eligible=column("eligible")[rows] == 1 if weighted else None,
        followed=column("followed")[rows] if weighted else None,
    )  # fmt: skip


@pytest.mark.parametrize("case", EXPECTED)
def test_estimates_and_standard_errors_equal_r(case: str) -> None:
    expected, effects = EXPECTED[case], found(case)
    values = np.array(expected["values"]).reshape(3, 2)
    covariance = np.array(expected["covariance"]).reshape(6, 6)
    for number, method in enumerate(augmented.METHODS):
        joint, at = effects.joint(method), slice(2 * number, 2 * number + 2)
        np.testing.assert_allclose(joint.values, values[number], rtol=1e-8)
        np.testing.assert_allclose(joint.covariance, covariance[at, at], rtol=1e-6)
    together = np.concatenate([effects.influence(method) for method in augmented.METHODS], axis=1)
    people = effects.people
    np.testing.assert_allclose(together.T @ together * people / (people - 1), covariance, rtol=1e-6, atol=1e-9)
    assert effects.persons == expected["persons"]


@pytest.mark.parametrize("case", EXPECTED)
def test_slopes_of_the_outcome_model_equal_r(case: str) -> None:
    slopes = np.array(EXPECTED[case]["slopes"]).reshape(2, -1).T
    slopes[2] /= 10  # of age in years, in R in tens
    effects = found(case)
    np.testing.assert_allclose(effects.slopes[: len(slopes)], slopes, rtol=1e-8, atol=1e-12)
    assert (effects.slopes[len(slopes) :] == 0).all()


@pytest.mark.parametrize("case", ["weighted", "error_weighted"])
def test_the_order_of_rows_does_not_matter(case: str) -> None:
    shuffled, plain = found(case, np.random.default_rng(3).permutation(len(X))), found(case)
    for method in augmented.METHODS:
        np.testing.assert_allclose(shuffled.values(method), plain.values(method), rtol=1e-10)
        np.testing.assert_allclose(shuffled.influence(method), plain.influence(method), rtol=1e-7, atol=1e-10)


def test_windows_combine_by_person() -> None:
    """Two outcomes asked for one at a time have the covariance they have together."""
    outcomes = ROWS.select("pain", "dose").to_numpy()
    who = augmented.assignment(X, column("treated"), names=NAMES, person=column("person"))
    apart = [augmented.effects(who, outcomes[:, [each]]) for each in range(2)]
    for method in augmented.METHODS:
        joint, together = augmented.joint(apart, method), augmented.effects(who, outcomes).joint(method)
        np.testing.assert_allclose(joint.values, together.values, rtol=1e-12)
        np.testing.assert_allclose(joint.covariance, together.covariance, rtol=1e-9)


@pytest.mark.parametrize("case", ["complete", "missing", "weighted"])
def test_error_of_variance_0_is_none(case: str) -> None:
    weighted = case == "weighted"
    outcomes = ROWS.select("pain", "dose").to_numpy().copy()
    if case != "complete":
        outcomes[column("seen") == 0] = np.nan
    answers = [
        augmented.effects(
            augmented.assignment(
                X, column("treated"), names=NAMES, person=column("person"),
                weights=column("weight") if weighted else None, error=given,
            ),
            outcomes,
        )
        for given in (None, error(0.0))
    ]  # fmt: skip
    for method in augmented.METHODS:
        assert answers[0].values(method) == pytest.approx(answers[1].values(method), rel=1e-12)
        np.testing.assert_allclose(answers[0].influence(method), answers[1].influence(method), rtol=1e-12)


def test_a_vanishing_error_approaches_none() -> None:
    """The corrected equations themselves, without the column that correction leaves out."""
    kept = X[:, :3]
    outcomes = ROWS.select("pain", "dose").to_numpy()
    nearly = augmented.Error(np.array([0, 1]), error().unit, 1e-12, np.zeros(0, dtype=np.int64))
    pair = [
        augmented.effects(
            augmented.assignment(kept, column("treated"), names=NAMES[:3], person=column("person"), error=given),
            outcomes,
        )
        for given in (None, nearly)
    ]
    for method in augmented.METHODS:
        np.testing.assert_allclose(pair[0].values(method), pair[1].values(method), rtol=1e-9)
        np.testing.assert_allclose(pair[0].joint(method).covariance, pair[1].joint(method).covariance, rtol=1e-8)


def test_the_influence_of_a_person_is_what_their_weight_moves() -> None:
    step, outcomes = 1e-5, ROWS.select("pain", "dose").to_numpy().copy()
    outcomes[column("seen") == 0] = np.nan

    def of(weights: np.ndarray) -> augmented.Effects:
        who = augmented.assignment(
            X, column("treated"), names=NAMES, person=column("person"), weights=weights, error=error()
        )
        return augmented.effects(who, outcomes)

    plain = of(np.ones(len(X)))
    for person in (1, 40, 250):
        moved = [of(1 + sign * step * (column("person") == person)) for sign in (1, -1)]
        for method in augmented.METHODS:
            slope = (moved[0].values(method) - moved[1].values(method)) / (2 * step)
            np.testing.assert_allclose(plain.influence(method)[person - 1], slope, rtol=1e-4, atol=1e-7)
