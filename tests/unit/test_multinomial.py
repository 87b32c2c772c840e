"""survival.multinomial against R (tests/reference/trajectories_estimates), statsmodels, and on known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival.multinomial import NoEstimate, fit

REFERENCE = Path(__file__).parents[1] / "reference" / "trajectories_estimates"
X = ["age", "fibromyalgia", "depression"]


def test_rows_in_every_class_by_weight_equal_multinom_and_the_sandwich_clustered_by_person() -> None:
    rows, theirs = pl.read_csv(REFERENCE / "classes.csv"), pl.read_csv(REFERENCE / "multinomial.csv")
    ours = fit(rows.select(X).to_numpy(), rows.select("^posterior_.*$").to_numpy(), names=X)
    np.testing.assert_allclose(ours.params.ravel(), theirs["params"], atol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance)), theirs["se"], rtol=1e-7)
    np.testing.assert_allclose(ours.robust_se.ravel(), theirs["robust_se"], rtol=1e-7)


def test_two_classes_with_weights_equal_glm_and_hc0() -> None:
    rows, theirs = pl.read_csv(REFERENCE / "logistic_rows.csv"), pl.read_csv(REFERENCE / "logistic.csv")
    met, weight = rows["met"].to_numpy(), rows["weight"].to_numpy()
    ours = fit(rows.select(X).to_numpy(), np.column_stack([weight * (1 - met), weight * met]), names=X)
    np.testing.assert_allclose(ours.params[0], theirs["params"], rtol=1e-9)
    np.testing.assert_allclose(ours.robust_se[0], theirs["robust_se"], rtol=1e-7)


def test_two_classes_equal_statsmodels() -> None:
    import statsmodels.api as sm

    rows = pl.read_csv(REFERENCE / "logistic_rows.csv")
    x, met = rows.select(X).to_numpy(), rows["met"].to_numpy()
    theirs = sm.GLM(met, sm.add_constant(x), family=sm.families.Binomial()).fit(cov_type="HC0", tol=1e-14)
    ours = fit(x, np.column_stack([1 - met, met]), names=X)
    np.testing.assert_allclose(ours.params[0], theirs.params, rtol=1e-9)
    np.testing.assert_allclose(ours.robust_se[0], theirs.bse, rtol=1e-7)
    assert ours.loglik == pytest.approx(theirs.llf)


def test_without_columns_it_is_the_log_odds_of_the_shares() -> None:
    found = fit(np.zeros((100, 0)), np.repeat([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [50, 30, 20], axis=0), names=[])
    np.testing.assert_allclose(found.params[:, 0], np.log([30 / 50, 20 / 50]))
    np.testing.assert_allclose(found.robust_se[:, 0], np.sqrt([1 / 30 + 1 / 50, 1 / 20 + 1 / 50]))


def test_shift_and_scale_of_a_column_change_its_coefficient_only() -> None:
    rows = pl.read_csv(REFERENCE / "classes.csv")
    x, posterior = rows.select(X).to_numpy().astype(float), rows.select("^posterior_.*$").to_numpy()
    one, other = fit(x, posterior, names=X), fit(x * [1e-4, 1, 1] + [1e3, 0, 0], posterior, names=X)
    np.testing.assert_allclose(other.params[:, 1:], one.params[:, 1:] * [1e4, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(other.robust_se[:, 1:], one.robust_se[:, 1:] * [1e4, 1, 1], rtol=1e-6)


def test_weight_of_zero_is_as_if_the_row_were_not_there() -> None:
    rng = np.random.default_rng(2)
    x, classes = rng.normal(size=(60, 1)), rng.dirichlet(np.ones(3), 60)
    classes[40:] = 0
    np.testing.assert_array_equal(fit(x, classes, names=["x"]).params, fit(x[:40], classes[:40], names=["x"]).params)


@pytest.mark.parametrize(
    ("x", "y", "reason", "columns"),
    [
        ("number apart", "above 0", "separation", ("a",)),
        ("level", "never in it", "separation", ("b",)),
        ("sum", "coin", "collinear", ("a", "b", "c")),
        ("constant", "coin", "no variation", ("b",)),
        ("number apart", "nobody", "empty class", ("class 2",)),
    ],
)
def test_a_model_without_estimate_says_why_and_through_what(
    x: str, y: str, reason: str, columns: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=200), rng.normal(size=200)
    level = np.arange(200) < 8
    design = {
        "number apart": [a, b], "level": [a, level.astype(float)], "sum": [a, b, a + 2 * b], "constant": [a, 0 * b + 7],
    }[x]  # fmt: skip
    coin = rng.random(200) < 0.5
    met = {"above 0": a > 0, "never in it": coin & ~level, "coin": coin, "nobody": coin & False}[y]
    with pytest.raises(NoEstimate) as failure:
        fit(np.column_stack(design), np.column_stack([~met, met]), names=list("abc")[: len(design)])
    assert (failure.value.reason, failure.value.columns) == (reason, columns)


@pytest.mark.parametrize("small", [0, 1e-12, 1e-8, 1e-6, 1e-4])
def test_weights_near_zero_do_not_hide_a_separation(small: float) -> None:
    """None of x = 1 in the third class but for ``small`` of each: less than one row expected there."""
    rng = np.random.default_rng(0)
    x, k = (rng.random(300) < 0.3).astype(float), rng.integers(0, 2, 300)
    k[(x == 0) & (rng.random(300) < 0.07)] = 2
    weights = np.eye(3)[k]
    weights[x == 1] *= 1 - small
    weights[x == 1, 2] = small
    with pytest.raises(NoEstimate) as failure:
        fit(x[:, None], weights, names=["depression"])
    assert (failure.value.reason, failure.value.columns) == ("separation", ("depression",))


def test_a_class_ruled_out_for_a_level_leaves_the_other_estimates_at_their_limit() -> None:
    """As a coefficient held at -30 has it: the likelihood of all others is then the same to 13 digits."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(6)
    level, age = (rng.random(500) < 0.3).astype(float), rng.normal(size=500)
    k = np.where(level == 1, rng.integers(0, 2, 500), rng.integers(0, 3, 500))
    x, weights = np.column_stack([level, age]), np.eye(3)[k]
    never = np.outer(level == 1, [False, False, True])
    ours = fit(x, weights, names=["level", "age"], never=never)
    assert np.isnan(ours.params).tolist() == [[False, False, False], [False, True, False]]
    assert np.isnan(ours.robust_se).tolist() == np.isnan(ours.params).tolist()

    def minus_loglik(free: np.ndarray) -> float:
        beta = np.array([[0, 0, 0], free[:3], [free[3], -30, free[4]]])
        eta = np.column_stack([np.ones(500), x]) @ beta.T
        return float(-(eta[np.arange(500), k] - np.log(np.exp(eta).sum(axis=1))).sum())

    held = minimize(minus_loglik, np.zeros(5), method="BFGS", options={"gtol": 1e-7})
    assert ours.loglik == pytest.approx(-held.fun, abs=1e-8)
    np.testing.assert_allclose(ours.params[~np.isnan(ours.params)], held.x, atol=1e-5)


def test_the_first_class_ruled_out_for_a_level_leaves_the_other_estimates_at_their_limit() -> None:
    """Of the level only what tells the other classes apart is known."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(6)
    level, age = (rng.random(500) < 0.3).astype(float), rng.normal(size=500)
    k = np.where(level == 1, rng.integers(1, 3, 500), rng.integers(0, 3, 500))
    x = np.column_stack([level, age])
    never = np.outer(level == 1, [True, False, False])
    ours = fit(x, np.eye(3)[k], names=["level", "age"], never=never)
    assert np.isnan(ours.params).tolist() == [[False, True, False]] * 2

    def minus_loglik(free: np.ndarray) -> float:
        beta = np.array([[0, 0, 0], [free[0], 30, free[1]], [free[2], 30 + free[3], free[4]]])
        eta = np.column_stack([np.ones(500), x]) @ beta.T
        return float(-(eta[np.arange(500), k] - np.log(np.exp(eta).sum(axis=1))).sum())

    held = minimize(minus_loglik, np.zeros(5), method="BFGS", options={"gtol": 1e-7})
    assert ours.loglik == pytest.approx(-held.fun, abs=1e-8)
    np.testing.assert_allclose(ours.params[~np.isnan(ours.params)], held.x[[0, 1, 2, 4]], atol=1e-5)


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="2 named columns"):
        fit(np.zeros((3, 1)), np.ones((3, 2)), names=["a", "b"])
    with pytest.raises(ValueError, match="at least 2 weights"):
        fit(np.zeros((3, 1)), np.ones((3, 1)), names=["a"])
    with pytest.raises(ValueError, match="known and finite"):
        fit(np.full((3, 1), np.nan), np.ones((3, 2)), names=["a"])


def test_known_truth_in_which_weighting_corrects_a_selected_sample() -> None:
    """Rows of the second class are kept half as often where x = 1; weights of 2 give the log odds ratio of 1 back."""
    rng, n, reps = np.random.default_rng(20260102), 3000, 40
    weighted, naive, errors = [], [], []
    for _ in range(reps):
        x = (rng.random(n) < 0.4).astype(float)
        met = rng.random(n) < 1 / (1 + np.exp(1 - x))
        kept = ~(met & (x == 1)) | (rng.random(n) < 0.5)
        weight = np.where(met & (x == 1), 2.0, 1.0)[kept]
        classes = np.column_stack([~met, met])[kept].astype(float)
        found = fit(x[kept, None], classes * weight[:, None], names=["x"])
        weighted.append(found.params[0, 1])
        errors.append(found.robust_se[0, 1])
        naive.append(fit(x[kept, None], classes, names=["x"]).params[0, 1])
    spread = np.std(weighted, ddof=1)
    assert abs(np.mean(weighted) - 1) < 3 * spread / np.sqrt(reps)
    assert np.mean(errors) == pytest.approx(spread, rel=0.3)
    assert np.mean(naive) < 0.5
