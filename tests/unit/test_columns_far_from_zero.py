"""Columns far from 0 (days since an epoch, calendar years): the error keeps the digits that the estimate has."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.causal import time_varying_weights as tvw
from opioid_outcomes.causal import weighted_risk
from opioid_outcomes.survival import binary_regression

N = 2_000
RNG = np.random.default_rng(4)
X = RNG.normal(size=(N, 3))
TREATED = (RNG.random(N) < 1 / (1 + np.exp(-0.5 * X[:, 0] + 0.5 * X[:, 2]))).astype(int)
CLUSTER = np.arange(N) // 4
FAR = np.array([0.0, 0.0, 1e6])


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_the_clustered_sandwich_of_a_binary_regression(link: binary_regression.Link) -> None:
    here, there = (
        binary_regression.fit(x, TREATED, names=list("abc"), cluster=CLUSTER, link=link) for x in (X, X + FAR)
    )
    np.testing.assert_allclose(there.params[1:], here.params[1:], rtol=1e-9)
    np.testing.assert_allclose(there.robust_covariance[1:, 1:], here.robust_covariance[1:, 1:], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(here.influence(), here.scores() @ here.bread, atol=1e-12)
    np.testing.assert_allclose(there.influence()[:, 1:], here.influence()[:, 1:], atol=1e-11)
    sums = np.random.default_rng(1).normal(size=(4, 2))
    np.testing.assert_allclose(here.times_bread(sums), here.bread @ sums, atol=1e-12)


@pytest.mark.parametrize("se", ["sandwich", "bootstrap"])
def test_the_error_of_weighted_risks(se: str) -> None:
    time = np.ceil(RNG.exponential(200 * np.exp(-0.4 * X[:, 0] - 0.2 * TREATED)))
    here, there = (
        weighted_risk.risks(
            np.minimum(time, 365), (time <= 365).astype(int), TREATED, x, names=list("abc"), causes=["death"],
            horizons=[180], estimand="iptw", person=CLUSTER, se=se, replicates=40, seed=1,  # type: ignore[arg-type]
        ).risk_difference(180)
        for x in (X, X + FAR)
    )  # fmt: skip
    assert there.estimate == pytest.approx(here.estimate, rel=1e-9)
    assert there.se == pytest.approx(here.se, rel=1e-7)


def test_what_having_estimated_weights_over_time_adds() -> None:
    person, period = np.repeat(np.arange(N // 4), 4), np.tile(np.arange(4), N // 4)
    scores = np.random.default_rng(2).normal(size=(N, 2))
    found = []
    for shift in (0.0, 1e6):
        made = tvw.treatment_weights(
            person, period, TREATED, X[:, :1], X + np.array([0.0, 0.0, shift]), numerator_names=["a"],
            denominator_names=["a", "b", "c"],
        )  # fmt: skip
        found.append(tvw.estimation_influence(made, person, scores))
    np.testing.assert_allclose(found[1], found[0], atol=1e-8 * np.abs(found[0]).max())
