"""Propensity scores, their weights and diagnostics against R (tests/reference/causal/propensity.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from opioid_outcomes.causal import propensity
from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.causal.propensity import Estimand
from opioid_outcomes.survival.binary_regression import RegressionFailure

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"
EXPECTED = json.loads((REFERENCE / "propensity.json").read_text())
ROWS = pl.read_csv(REFERENCE / "propensity.csv")
NAMES = ["age", "pain", "sex"]
X, TREATED, Y = ROWS.select(NAMES).to_numpy(), ROWS["treated"].to_numpy(), ROWS["y"].to_numpy()
ESTIMANDS: list[Estimand] = ["overlap", "iptw", "att"]


def contrast(weights: np.ndarray, treated: np.ndarray = TREATED, y: np.ndarray = Y) -> float:
    one = treated == 1
    return float(np.average(y[one], weights=weights[one]) - np.average(y[~one], weights=weights[~one]))


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_weights_equal_r(estimand: Estimand) -> None:
    score = propensity.estimate(X, TREATED, names=NAMES).score
    weights, expected = propensity.weights(score, TREATED, estimand), EXPECTED[estimand]
    np.testing.assert_allclose(weights[::9], expected["every_ninth"], rtol=1e-9)
    assert contrast(weights) == pytest.approx(expected["contrast"][0], rel=1e-9)
    sizes = [propensity.effective_sample_size(weights[arm == TREATED]) for arm in (0, 1)]
    np.testing.assert_allclose(sizes, expected["ess"], rtol=1e-9)


def test_diagnostics_equal_r() -> None:
    score = propensity.estimate(X, TREATED, names=NAMES).score
    np.testing.assert_allclose(propensity.preference(score, TREATED)[::9], EXPECTED["preference"], rtol=1e-9)
    assert propensity.equipoise(score, TREATED) == pytest.approx(EXPECTED["equipoise"][0])
    assert propensity.outside(score, 0.15, 0.6) == pytest.approx(EXPECTED["outside"][0])
    assert propensity.minimal_detectable_ratio(120, TREATED.mean()) == pytest.approx(EXPECTED["mdrr"][0], rel=1e-12)


def test_overlap_weights_balance_the_score_exactly() -> None:
    """Li, Morgan & Zaslavsky (2018), theorem 3; the others balance nearly."""
    score = propensity.estimate(X, TREATED, names=NAMES).score
    left = {
        each: np.abs(standardised_difference(X, TREATED, propensity.weights(score, TREATED, each))).max()
        for each in ESTIMANDS
    }
    assert left["overlap"] < 1e-9
    assert 1e-3 < left["iptw"] < 0.05
    assert np.abs(standardised_difference(X, TREATED)).max() > 0.3


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_slopes_are_derivatives(estimand: Estimand) -> None:
    score = propensity.estimate(X, TREATED, names=NAMES).score
    share, step = float(TREATED.mean()), 1e-6
    up, down = (
        propensity.weights(expit(logit(score) + move), TREATED, estimand, share=share) for move in (step, -step)
    )
    slopes = propensity.weight_slopes(score, TREATED, estimand)
    np.testing.assert_allclose(slopes, (up - down) / (2 * step), rtol=1e-7, atol=1e-9)


def test_each_estimand_finds_its_own_truth() -> None:
    """An effect that grows with the trait that leads to treatment: four populations, four numbers."""
    rng = np.random.default_rng(4)
    n = 400_000
    trait = rng.integers(0, 2, n).astype(float)
    treated = rng.random(n) < np.where(trait == 1, 0.6, 0.2)
    y = treated * (1 + 3 * trait) + 2 * trait + rng.normal(size=n)
    score = propensity.estimate(trait[:, None], treated, names=["trait"]).score
    share_with = {"iptw": 0.5, "att": 0.6 / 0.8, "overlap": 0.24 / (0.24 + 0.16)}
    for estimand in ESTIMANDS:
        found = contrast(propensity.weights(score, treated, estimand), treated, y)
        assert found == pytest.approx(1 + 3 * share_with[estimand], abs=0.02)
    assert contrast(np.ones(n), treated, y) > 3.5


def test_weights_of_rows_enter_the_score() -> None:
    twice = np.where(np.arange(len(Y)) % 3 == 0, 2, 1)
    weighted = propensity.estimate(X, TREATED, names=NAMES, weights=twice).score
    repeated = propensity.estimate(np.repeat(X, twice, axis=0), np.repeat(TREATED, twice), names=NAMES).score
    np.testing.assert_allclose(np.repeat(weighted, twice), repeated, rtol=1e-9)


def test_columns_that_say_nothing_are_left_out_and_told() -> None:
    wide = np.column_stack([X, np.ones(len(Y)), X[:, 0] * 2])
    found = propensity.estimate(wide, TREATED, names=[*NAMES, "site", "age again"])
    assert found.fit.dropped == (("site", "no variation"), ("age again", "collinear"))
    np.testing.assert_allclose(found.score, propensity.estimate(X, TREATED, names=NAMES).score, rtol=1e-9)


def test_no_overlap_names_the_covariate_and_a_ridge_bears_it() -> None:
    sure = np.column_stack([X, TREATED])
    with pytest.raises(RegressionFailure, match="separation: prescribed") as caught:
        propensity.estimate(sure, TREATED, names=[*NAMES, "prescribed"])
    assert caught.value.columns == ("prescribed",)
    kept = propensity.estimate(sure, TREATED, names=[*NAMES, "prescribed"], ridge=0.05)
    assert np.isfinite(kept.score).all()
    for treated, reason in ((np.zeros(len(Y)), "no events"), (np.ones(len(Y)), "everybody")):
        with pytest.raises(RegressionFailure, match=reason):
            propensity.estimate(X, treated, names=NAMES)


def test_positivity_by_bands_of_the_score() -> None:
    table = propensity.positivity([0.005, 0.01, 0.3, 0.3, 1.0], [0, 1, 0, 1, 1])
    assert table.filter(pl.col("comparator") + pl.col("treated") > 0).rows() == [
        (0.0, 0.01, 1, 0), (0.01, 0.05, 0, 1), (0.25, 0.5, 1, 1), (0.99, 1.0, 0, 1),
    ]  # fmt: skip
    assert propensity.positivity([0.3, 0.3], [0, 1], [2.0, 3.5])["treated"].sum() == 3.5


def test_nothing_to_say_of_nobody() -> None:
    assert np.isnan(propensity.equipoise([], []))
    assert np.isnan(propensity.outside([]))
    assert propensity.effective_sample_size([]) == 0
    assert propensity.effective_sample_size([0, 0]) == 0
    assert propensity.minimal_detectable_ratio(0, 0.5) == float("inf")
    assert propensity.minimal_detectable_ratio(10, 1.0) == float("inf")
    assert propensity.weights([], [], "iptw").size == 0
    with pytest.raises(ValueError, match="overlap, iptw or att"):
        propensity.weights([0.5], [1], "ate")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="overlap, iptw or att"):
        propensity.weight_slopes([0.5], [1], "ate")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one length"):
        propensity.weights([0.5], [1, 0], "att")
