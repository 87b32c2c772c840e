"""Rows that say nothing, or the wrong thing, are refused in words; weights of any size are borne."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal import imputation, negative_controls, weighted_risk
from opioid_outcomes.causal import time_varying_weights as tvw
from opioid_outcomes.causal.weighted_risk import CensoringRows
from opioid_outcomes.survival import binary_regression, cox, fine_gray, incidence

N = 300
RNG = np.random.default_rng(1)
X = RNG.normal(size=(N, 2))
TIME = np.ceil(RNG.exponential(100, N))
DIED = RNG.integers(0, 2, N)
ARM = np.arange(N) % 2
NAMES = ["age", "pain"]
HOLED = np.where((np.arange(N)[:, None] == 7) & np.array([False, True]), np.nan, X)
NOBODY: list[Any] = [
    np.where(np.arange(N) < 9, np.nan, 1.0),
    np.array([None, "a"] * (N // 2), dtype=object),
    np.array([float("nan"), "a"] * (N // 2), dtype=object),
    np.array([None] * N),
    np.full(N, np.datetime64("NaT")),
]


def risks(**change: Any) -> weighted_risk.Risks:
    arguments: dict[str, Any] = {
        "time": TIME, "cause": DIED, "treated": ARM, "x": X, "names": NAMES, "causes": ["death"], "horizons": [60],
        "estimand": "iptw", "person": np.arange(N), **change,
    }  # fmt: skip
    return weighted_risk.risks(**arguments)


@pytest.mark.parametrize("cluster", NOBODY)
def test_rows_of_no_cluster_are_not_one_cluster(cluster: Any) -> None:
    with pytest.raises(ValueError, match="cluster must be known in every row"):
        cox.fit(None, TIME, DIED, X, names=NAMES, cluster=cluster)
    with pytest.raises(ValueError, match="strata must be known in every row"):
        cox.fit(None, TIME, DIED, X, names=NAMES, strata=cluster)
    with pytest.raises(ValueError, match="cluster must be known in every row"):
        binary_regression.fit(X, DIED, names=NAMES, cluster=cluster)
    with pytest.raises(ValueError, match="cluster must be known in every row"):
        incidence.fit(0, TIME, DIED, causes=1, cluster=cluster)
    with pytest.raises(ValueError, match="person must be known in every row"):
        risks(person=cluster)


def test_one_cluster_has_no_error_rather_than_that_of_rounding() -> None:
    fitted = cox.fit(None, TIME, DIED, X, names=NAMES, cluster=np.zeros(N))
    assert not fitted.robust_covariance.any()
    assert fitted.tests().filter(test="wald_robust")["statistic"].to_list() == [None]
    assert not binary_regression.fit(X, DIED, names=NAMES, cluster=np.zeros(N)).robust_covariance.any()
    two = cox.fit(None, TIME, DIED, X, names=NAMES, cluster=np.arange(N) % 2)
    assert (np.diag(two.robust_covariance) > 0).all()


def test_the_column_that_is_not_known_is_named() -> None:
    for fit in (
        lambda: cox.fit(None, TIME, DIED, HOLED, names=NAMES),
        lambda: binary_regression.fit(HOLED, DIED, names=NAMES),
    ):
        with pytest.raises(ValueError, match=r"covariates must be known and finite: pain$"):
            fit()
    with pytest.raises(ValueError, match="names of columns must differ"):
        cox.fit(None, TIME, DIED, X, names=["age", "age"])
    with pytest.raises(ValueError, match="names of columns must differ"):
        binary_regression.fit(X, DIED, names=["age", "age"])
    with pytest.raises(ValueError, match="stop must have one dimension"):
        cox.fit(None, TIME[:, None], DIED, X, names=NAMES)


@pytest.mark.parametrize("cause", [np.where(DIED == 1, 1.5, 0.0), np.where(DIED == 1, np.nan, 0.0)])
def test_a_cause_that_is_no_whole_number(cause: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cause must be whole numbers, known in every row"):
        incidence.fit(0, TIME, cause, causes=2)
    with pytest.raises(ValueError, match="cause must be whole numbers, known in every row"):
        risks(cause=cause)
    assert incidence.fit(0, TIME, DIED.astype(float), causes=1).incidence.tolist() == (
        incidence.fit(0, TIME, DIED == 1, causes=1).incidence.tolist()
    )


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e300])
def test_weights_of_any_size(size: float) -> None:
    weights = np.random.default_rng(2).exponential(1, N)
    here, far = (incidence.fit(0, TIME, DIED, causes=1, weights=weights * by) for by in (1.0, size))
    np.testing.assert_allclose(far.incidence, here.incidence, rtol=1e-12)
    np.testing.assert_allclose(far.se, here.se, rtol=1e-9)
    np.testing.assert_allclose(far.risk_se([30, 60]), here.risk_se([30, 60]), rtol=1e-9)
    told, other = (risks(weights=weights * by).risk_difference(60) for by in (1.0, size))
    assert (other.estimate, other.se) == pytest.approx((told.estimate, told.se), rel=1e-7)


def test_weights_that_differ_by_more_than_can_be_squared_have_an_error() -> None:
    for weights in ([1e200, 1e200, 1], [1, 1, 1e-170]):
        found = incidence.fit(0, [1, 2.0, 3], [1, 0, 1], causes=1, weights=weights)
        np.testing.assert_allclose(found.se.ravel(), [np.sqrt(1 / 8), 0.0], atol=1e-12)
        np.testing.assert_allclose(found.risk_se([1, 3]).ravel(), [np.sqrt(1 / 8), 0.0], atol=1e-12)


def test_horizons_and_censoring_rows() -> None:
    with pytest.raises(ValueError, match="at least one horizon"):
        risks(horizons=())
    rows = CensoringRows(np.zeros(N), TIME, np.arange(N), np.ones(3))
    with pytest.raises(ValueError, match="censoring rows must be of one length"):
        risks(censoring=rows)


def test_weights_over_time_of_nobody() -> None:
    none = np.zeros((0, 1))
    with pytest.raises(ValueError, match="no rows"):
        tvw.treatment_weights([], [], [], none, none, numerator_names=["a"], denominator_names=["a"])
    for weights in (np.array([]), np.array([1.0, np.nan])):
        with pytest.raises(ValueError, match="there, known and finite"):
            tvw.truncate(weights, 1, 99)
    person, x = np.arange(N), X[:, :1]
    with pytest.raises(ValueError, match="strata must be known"):
        tvw.treatment_weights(person, person * 0, ARM, x, x, numerator_names=["a"], denominator_names=["a"],
                              strata=np.where(ARM, np.nan, 0.0))  # fmt: skip


def test_no_calibration_without_any_error() -> None:
    for log_ratio, se in ((0.5, 0.0), (0.5, math.nan), (math.inf, 0.1), (0.5, -0.1)):
        with pytest.raises(ValueError, match="finite estimate with a standard error"):
            negative_controls.calibrate(log_ratio, se, negative_controls.Null(0.1, 0.0))
    assert negative_controls.calibrate(0.5, 0.0, negative_controls.Null(0.1, 0.2)).se == 0.2


def test_the_hazard_at_covariates_far_from_zero() -> None:
    """Calendar years: no hazard at year 0 is a number, at the mean year it is that of years counted from it."""
    years = 2020 + 3e-3 * X * [1, 0] + X * [0, 1]
    slope = np.array([150.0, 0.5])  # a thousandth of a year matters
    time = np.ceil(np.random.default_rng(3).exponential(200 / np.exp((years - 2020) @ slope)))
    died = time < 300
    far = cox.fit(None, np.minimum(time, 300), died, years, names=["year", "pain"])
    near = cox.fit(None, np.minimum(time, 300), died, years - far.x.centre, names=["year", "pain"])
    with pytest.raises(ValueError, match="hazard at 0 of the covariates"):
        far.baseline_hazard()
    np.testing.assert_allclose(
        far.baseline_hazard(at_means=True)["hazard"], near.baseline_hazard()["hazard"], rtol=1e-6
    )
    curve = fine_gray.cumulative_incidence(far, far.x.centre)["incidence"]
    expected = 1 - np.exp(-near.baseline_hazard()["cumulative_hazard"].to_numpy())
    np.testing.assert_allclose(curve, expected, rtol=1e-6)


def test_a_yes_or_no_is_imputed_as_such() -> None:
    rng = np.random.default_rng(5)
    pain = rng.normal(size=N)
    frame = pl.DataFrame({"pain": pain, "smoker": rng.random(N) < 1 / (1 + np.exp(-2 * pain)), "died": DIED})
    holed = frame.with_columns(smoker=pl.when(pl.int_range(N) % 5 == 0).then(None).otherwise("smoker"))
    (found,) = imputation.completed(holed, ["pain", "smoker"], known=["died"], imputations=1, seed=1)
    assert found.schema == frame.schema
    assert found["smoker"].null_count() == 0
    drawn = pl.int_range(N) % 5 == 0
    assert found.filter(~drawn).equals(frame.filter(~drawn))
    assert (found["smoker"] == frame["smoker"]).filter(frame.select(drawn).to_series()).mean() > 0.6
