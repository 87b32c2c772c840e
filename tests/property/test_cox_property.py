"""What must hold of any Cox fit, whatever the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opioid_outcomes.survival import cox, risk_sets

NAMES = ["exposed", "severity"]


@dataclass(frozen=True)
class Rows:
    start: np.ndarray
    stop: np.ndarray
    event: np.ndarray
    x: np.ndarray
    weights: np.ndarray
    strata: np.ndarray

    def fit(self, **change: Any) -> cox.CoxFit:
        """The fit, or no example at all where the data happen to hold no estimate."""
        arguments = vars(self) | change
        names = arguments.pop("names", NAMES)
        try:
            return cox.fit(names=names, **arguments)
        except cox.CoxFailure:
            assume(False)
            raise

    def take(self, order: np.ndarray) -> Rows:
        return Rows(**{name: values[order] for name, values in vars(self).items()})


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Some hundred rows with delayed entry, many ties, weights and two strata."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, span = draw(st.integers(60, 200)), draw(st.sampled_from([8, 40, 400]))
    start = rng.integers(0, span, n).astype(float)
    stop = start + rng.integers(1, span, n)
    x = np.column_stack([rng.integers(0, 2, n), rng.normal(size=n)])
    event = rng.random(n) < 0.6 * np.exp(0.4 * x[:, 0] + 0.3 * x[:, 1]).clip(0, 1.5)
    return Rows(start, stop, event.astype(int), x, rng.integers(1, 5, n).astype(float), rng.integers(0, 2, n))


@given(rows(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_of_rows_does_not_matter(data: Rows, random: Any) -> None:
    order = np.array(random.sample(range(len(data.stop)), len(data.stop)))
    one, other = data.fit(), data.take(order).fit()
    np.testing.assert_allclose(one.params, other.params, atol=1e-9)
    np.testing.assert_allclose(one.robust_covariance, other.robust_covariance, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(one.residuals("martingale")[order], other.residuals("martingale"), atol=1e-8)


@given(rows(), st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_splitting_a_person_in_two_rows_changes_nothing(data: Rows, after: int) -> None:
    person = np.arange(len(data.stop))
    one = data.fit(cluster=person)
    cut = data.start + after
    long = np.flatnonzero(cut < data.stop)
    split = Rows(
        np.r_[data.start, cut[long]],
        np.r_[np.where(cut < data.stop, cut, data.stop), data.stop[long]],
        np.r_[np.where(cut < data.stop, 0, data.event), data.event[long]],
        np.vstack([data.x, data.x[long]]),
        np.r_[data.weights, data.weights[long]],
        np.r_[data.strata, data.strata[long]],
    )
    other = split.fit(cluster=np.r_[person, long])
    np.testing.assert_allclose(one.params, other.params, atol=1e-9)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(one.robust_covariance, other.robust_covariance, rtol=1e-7, atol=1e-12)
    assert abs(one.loglik - other.loglik) < 1e-8 * abs(one.loglik)


@given(rows())
@settings(max_examples=40, deadline=None)
def test_a_whole_number_weight_is_that_many_people(data: Rows) -> None:
    """Exactly so with Breslow's ties; with Efron's, copies of a person die together, which is another model."""
    times = data.weights.astype(int)
    copies = np.repeat(np.arange(len(times)), times)
    one, other = data.fit(ties="breslow"), data.take(copies).fit(ties="breslow", weights=None, cluster=copies)
    np.testing.assert_allclose(one.params, other.params, atol=1e-8)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(one.robust_covariance, other.robust_covariance, rtol=1e-6, atol=1e-12)


@given(rows(), st.floats(1e-6, 1e6))
@settings(max_examples=40, deadline=None)
def test_unit_of_weights_does_not_matter_to_the_sandwich(data: Rows, unit: float) -> None:
    one, other = data.fit(), data.fit(weights=unit * data.weights)
    np.testing.assert_allclose(one.params, other.params, atol=1e-8)
    np.testing.assert_allclose(one.robust_covariance, other.robust_covariance, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(one.covariance, unit * other.covariance, rtol=1e-6, atol=1e-12)


@given(rows(), st.floats(0.01, 100), st.floats(-1000, 1000))
@settings(max_examples=40, deadline=None)
def test_unit_and_origin_of_a_covariate_only_change_its_scale(data: Rows, unit: float, origin: float) -> None:
    one, other = data.fit(), data.fit(x=data.x * [1, unit] + [0, origin])
    np.testing.assert_allclose(one.params, other.params * [1, unit], atol=1e-7)
    assert abs(one.loglik - other.loglik) < 1e-8 * abs(one.loglik)


@given(rows())
@settings(max_examples=40, deadline=None)
def test_only_the_order_of_times_matters(data: Rows) -> None:
    other = data.fit(start=np.expm1(data.start / 50), stop=np.expm1(data.stop / 50))
    np.testing.assert_allclose(data.fit().params, other.params, atol=1e-9)


@given(rows(), st.sampled_from(["efron", "breslow"]))
@settings(max_examples=40, deadline=None)
def test_residuals_sum_to_nothing(data: Rows, ties: str) -> None:
    fitted = data.fit(ties=ties)
    scale = data.weights.sum()
    assert abs(data.weights @ fitted.residuals("martingale")) < 1e-9 * scale
    np.testing.assert_allclose(data.weights @ fitted.residuals("score") / scale, 0, atol=1e-9)
    np.testing.assert_allclose(fitted.residuals("dfbeta").sum(axis=0), 0, atol=1e-9)


@given(rows())
@settings(max_examples=40, deadline=None)
def test_the_maximum_is_a_maximum(data: Rows) -> None:
    """The likelihood computed cell by cell, by definition, is nowhere higher nearby."""
    fitted = data.fit()
    assert abs(_efron(data, fitted.params) - fitted.loglik) < 1e-8 * abs(fitted.loglik)
    for direction in np.vstack([np.eye(2), -np.eye(2)]):
        assert _efron(data, fitted.params + 0.01 * direction) < fitted.loglik


@given(rows())
@settings(max_examples=40, deadline=None)
def test_sums_over_risk_sets_are_those_sums(data: Rows) -> None:
    sets = risk_sets.build(data.start, data.stop, data.event == 1, data.strata)
    at_risk = (
        (data.start < sets.time[:, None]) & (data.stop >= sets.time[:, None]) & (data.strata == sets.stratum[:, None])
    )
    np.testing.assert_allclose(sets.sums(data.x), at_risk @ data.x, atol=1e-10)
    np.testing.assert_array_equal(sets.last - sets.first, at_risk.sum(axis=0))


def _efron(data: Rows, beta: np.ndarray) -> float:
    """Efron's weighted partial likelihood, by its definition."""
    eta = data.x @ beta
    total = 0.0
    for stratum in np.unique(data.strata):
        here = data.strata == stratum
        for time in np.unique(data.stop[here & (data.event == 1)]):
            at_risk = here & (data.start < time) & (data.stop >= time)
            tied = here & (data.event == 1) & (data.stop == time)
            m = tied.sum()
            risk, dead = (data.weights * np.exp(eta))[at_risk].sum(), (data.weights * np.exp(eta))[tied].sum()
            left = np.log(risk - np.arange(m) / m * dead).sum()
            total += data.weights[tied] @ eta[tied] - data.weights[tied].mean() * left
    return total
