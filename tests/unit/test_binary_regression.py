"""survival.binary_regression against R glm, sandwich, geepack and glmnet (tests/reference/survival)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_blocks import BLOCK
from opioid_outcomes.survival.binary_regression import BinaryFit, Link, RegressionFailure

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
EXPECTED = json.loads((REFERENCE / "binary_regression.json").read_text())
ROWS = pl.read_csv(REFERENCE / "binary_regression.csv")
X, Y, NAMES = ROWS.select("a", "b", "age").to_numpy(), ROWS["y"].to_numpy(), ["a", "b", "age"]
EVERYTHING: dict[str, Any] = {
    "weights": ROWS["weight"].to_numpy(), "offset": ROWS["offset"].to_numpy(), "cluster": ROWS["cluster"].to_numpy(),
}  # fmt: skip


def fit(**arguments: Any) -> BinaryFit:
    return binary_regression.fit(X, Y, names=NAMES, **arguments)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
@pytest.mark.parametrize("data", ["plain", "everything"])
def test_equals_glm(link: Link, data: str) -> None:
    expected = EXPECTED[f"{link}_{data}"]
    found = fit(link=link, **(EVERYTHING if data == "everything" else {}))
    assert found.names == ("(intercept)", "a", "b", "age")
    np.testing.assert_allclose(found.params, expected["params"], rtol=1e-8)
    np.testing.assert_allclose(found.covariance, expected["covariance"], rtol=1e-6)
    np.testing.assert_allclose(found.robust_covariance, expected["robust"], rtol=1e-6)
    assert found.loglik == pytest.approx(expected["loglik"][0], rel=1e-12)


def test_clustered_sandwich_equals_geepack() -> None:
    found = fit(**EVERYTHING)
    np.testing.assert_allclose(found.params, EXPECTED["geepack"]["params"], rtol=1e-7)
    np.testing.assert_allclose(found.robust_covariance, EXPECTED["geepack"]["robust"], rtol=1e-6)


@pytest.mark.parametrize("ridge", [0.02, 0.3])
def test_ridge_equals_glmnet(ridge: float) -> None:
    found = fit(weights=EVERYTHING["weights"], ridge=ridge)
    np.testing.assert_allclose(found.params, EXPECTED[f"ridge_{ridge}"]["params"], rtol=1e-6)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_scores_sum_to_nothing_and_are_what_a_row_adds(link: Link) -> None:
    found = fit(link=link, **EVERYTHING)
    scores = found.scores()
    np.testing.assert_allclose(scores.sum(axis=0), 0, atol=1e-7)
    sums = np.zeros((ROWS["cluster"].max(), 4))
    np.add.at(sums, ROWS["cluster"].to_numpy() - 1, scores)
    np.testing.assert_allclose(found.robust_covariance, found.bread @ sums.T @ sums @ found.bread, rtol=1e-10)
    if link == "cloglog":  # its bread is of the expected information, as R's
        return
    # influence of a row: what a little more weight on it moves
    heavier = EVERYTHING["weights"] * np.where(np.arange(len(Y)) == 7, 1.0001, 1.0)
    moved = fit(link=link, **{**EVERYTHING, "weights": heavier}).params - found.params
    np.testing.assert_allclose(moved / 0.0001, (scores @ found.bread)[7], rtol=2e-3)


def test_scores_of_a_ridge_sum_to_its_slope() -> None:
    found = fit(ridge=0.1)
    slope = 0.1 * len(Y) * X.var(axis=0) * found.params[1:]
    np.testing.assert_allclose(found.scores().sum(axis=0), [0, *slope], rtol=1e-8, atol=1e-8)


def test_predictions_of_other_rows() -> None:
    found = fit(**EVERYTHING)
    np.testing.assert_allclose(found.predict(X, EVERYTHING["offset"]), found.fitted, rtol=1e-13)
    expected = found.params @ [1.0, 2.0, 0.0, 60.0]
    assert found.linear([[2.0, 0.0, 60.0]])[0] == pytest.approx(expected)
    assert found.predict([[2.0, 0.0, 60.0]])[0] == pytest.approx(1 / (1 + np.exp(-expected)))
    with pytest.raises(ValueError, match="3 columns"):
        found.linear(np.zeros((5, 4)))


def test_a_warm_start_saves_steps_and_nothing_else() -> None:
    cold = fit(**EVERYTHING)
    warm = fit(start=cold.params, **EVERYTHING)
    assert warm.n_iter < cold.n_iter
    np.testing.assert_allclose(warm.params, cold.params, rtol=1e-11)
    far = fit(start=[3.0, -4.0, 5.0, 0.5], **EVERYTHING)  # halved on the way back
    np.testing.assert_allclose(far.params, cold.params, rtol=1e-9)


def test_weights_count_rows() -> None:
    times = np.random.default_rng(1).integers(0, 4, len(Y))
    weighted = fit(weights=times)
    repeated = binary_regression.fit(np.repeat(X, times, axis=0), np.repeat(Y, times), names=NAMES)
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-9)
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-8)


def test_whatever_the_unit_of_a_column() -> None:
    found = fit()
    other = binary_regression.fit(X * [1, 1, 1e6] + [0, 0, 1e8], Y, names=NAMES)
    np.testing.assert_allclose(other.params[1:] * [1, 1, 1e6], found.params[1:], rtol=1e-7)


@pytest.mark.parametrize("kind", [np.float32, np.int16, bool])
def test_columns_of_any_type(kind: type) -> None:
    columns = (X > [0, 0, 50]).astype(kind)
    found = binary_regression.fit(columns, Y, names=NAMES)
    np.testing.assert_allclose(
        found.params, binary_regression.fit(columns.astype(float), Y, names=NAMES).params, rtol=1e-12
    )


def test_only_a_constant() -> None:
    empty = np.zeros((len(Y), 0))
    found = binary_regression.fit(empty, Y, names=[])
    share = Y.mean()
    assert found.params[0] == pytest.approx(np.log(share / (1 - share)), rel=1e-10)
    assert found.covariance[0, 0] == pytest.approx(1 / (len(Y) * share * (1 - share)), rel=1e-10)
    np.testing.assert_allclose(found.predict(empty[:2]), share)


def test_without_a_constant() -> None:
    dummies = np.column_stack([X[:, 1], 1 - X[:, 1]])
    found = binary_regression.fit(dummies, Y, names=["b", "not b"], intercept=False)
    share = [Y[X[:, 1] == 1].mean(), Y[X[:, 1] == 0].mean()]
    np.testing.assert_allclose(found.params, np.log(share) - np.log1p(-np.array(share)), rtol=1e-9)
    assert found.names == ("b", "not b")
    with pytest.raises(RegressionFailure, match="collinear: b, not b"):
        binary_regression.fit(dummies, Y, names=["b", "not b"])


def test_many_blocks_of_rows_and_clusters_across_their_borders() -> None:
    rng = np.random.default_rng(2)
    n = 2 * BLOCK + 777
    x = rng.normal(size=(n, 2))
    y = (rng.random(n) < 0.3).astype(int)
    cluster = rng.integers(0, 400, n)
    cluster[: BLOCK + 9] = 1  # larger than a block
    found = binary_regression.fit(x, y, names=["u", "v"], cluster=cluster)
    sums = np.zeros((400, 3))
    np.add.at(sums, cluster, found.scores())
    np.testing.assert_allclose(found.robust_covariance, found.bread @ sums.T @ sums @ found.bread, rtol=1e-10)
    design = np.column_stack([np.ones(n), x])
    information = design.T @ (design * (found.fitted * (1 - found.fitted))[:, None])
    np.testing.assert_allclose(found.covariance, np.linalg.inv(information), rtol=1e-9)


def test_log_hazard_ratios_of_the_complementary_log_log() -> None:
    """Survival in continuous time, seen once a period: cloglog gives the log hazard ratio, the logit another number."""
    rng = np.random.default_rng(3)
    n = 200_000
    arm = rng.integers(0, 2, n).astype(float)
    died = rng.exponential(1 / (0.4 * np.exp(0.7 * arm))) < 1
    found = binary_regression.fit(arm[:, None], died, names=["arm"], link="cloglog")
    se = float(np.sqrt(found.covariance[1, 1]))
    assert abs(found.params[1] - 0.7) < 3 * se
    assert abs(binary_regression.fit(arm[:, None], died, names=["arm"]).params[1] - 0.7) > 10 * se
