"""causal.contrasts and causal.risks: differences, ratios, shares, their limits, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from opioid_outcomes.causal.contrasts import Joint, fieller
from opioid_outcomes.causal.risks import Risks
from opioid_outcomes.causal.weighted_risk import Estimand, risks
from opioid_outcomes.survival.risk_sets import Floats

COVARIANCE = np.array([[4e-4, 1e-4], [1e-4, 9e-4]])


def test_difference_and_ratio_by_hand() -> None:
    joint = Joint(np.array([0.3, 0.2]), COVARIANCE)
    difference = joint.combination(np.array([1.0, -1.0]))
    assert difference.se == pytest.approx(np.sqrt(4e-4 + 9e-4 - 2e-4))
    assert difference.ci_low == pytest.approx(0.1 - 1.959963984540054 * difference.se)
    ratio = joint.ratio(np.array([1.0, 0]), np.array([0, 1.0]))
    log_se = np.sqrt(4e-4 / 0.09 + 9e-4 / 0.04 - 2e-4 / 0.06)
    assert ratio.estimate == pytest.approx(1.5)
    assert ratio.se == pytest.approx(1.5 * log_se)
    assert ratio.ci_high == pytest.approx(1.5 * np.exp(1.959963984540054 * log_se))


def test_fieller_limits_are_where_numerator_less_ratio_times_denominator_is_just_told_from_zero() -> None:
    low, high = fieller(0.3, 1.0, (0.01, 0.02), 0.005)
    for limit in (low, high):
        spread = np.sqrt(0.01 + limit**2 * 0.02 - 2 * limit * 0.005)
        assert abs(0.3 - limit * 1.0) / spread == pytest.approx(1.959963984540054)
    assert low < 0.3 < high
    assert np.isnan(fieller(0.3, 0.2, (0.01, 0.02), 0.0)).all()


def test_fieller_covers_where_the_delta_method_is_symmetric() -> None:
    rng = np.random.default_rng(6)
    draws = rng.multivariate_normal([0.3, 1.0], [[0.02, 0.01], [0.01, 0.06]], 4000)
    limits = np.array([fieller(a, b, (0.02, 0.06), 0.01) for a, b in draws])
    told = np.isfinite(limits[:, 0])
    inside = (limits[told, 0] <= 0.3) & (limits[told, 1] >= 0.3)
    assert told.mean() > 0.95
    assert inside.mean() == pytest.approx(0.95, abs=0.01)


def test_percentiles_once_there_are_enough_replicates() -> None:
    replicates = np.random.default_rng(1).gamma(2, 0.1, (1000, 2))
    joint = Joint(np.array([0.2, 0.2]), np.cov(replicates, rowvar=False), replicates)
    first = joint.combination(np.array([1.0, 0]))
    assert (first.ci_low, first.ci_high) == pytest.approx(tuple(np.quantile(replicates[:, 0], [0.025, 0.975])))
    few = Joint(joint.values, joint.covariance, replicates[:50]).combination(np.array([1.0, 0]))
    assert few.ci_high - 0.2 == pytest.approx(0.2 - few.ci_low)


def world(**shift: float) -> Risks:
    """Two causes, nobody confounded."""
    rng = np.random.default_rng(8)
    n = 4000
    treated = np.arange(n) % 2
    rate = np.column_stack([0.002 + shift.get("one", 0) * treated, 0.003 + shift.get("two", 0) * treated])
    time = rng.exponential(size=n) / rate.sum(axis=1)
    cause = np.where(time < 300, 1 + (rng.random(n) > rate[:, 0] / rate.sum(axis=1)), 0)
    return risks(np.minimum(time, 300), cause, treated, None, causes=["one", "two"], horizons=[30, 200, 400],
                 estimand="given", person=np.arange(n))  # fmt: skip


def test_shares_sum_to_one_with_limits_that_mirror() -> None:
    found = world(one=0.002, two=0.001).share(200)
    assert sum(share.estimate for share in found.values()) == 1
    assert found["one"].se == pytest.approx(found["two"].se)
    assert found["one"].ci_low == pytest.approx(1 - found["two"].ci_high)
    assert found["one"].ci_low < found["one"].estimate < found["one"].ci_high


@pytest.mark.parametrize("estimand", ["overlap", "iptw", "att"])
def test_shares_of_many_causes_sum_to_one_to_the_last_digit(estimand: Estimand) -> None:
    told = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, causes = 1200, int(rng.integers(2, 7))
        x, treated = rng.normal(size=(n, 1)), rng.random(n) < 0.5
        rate = rng.uniform(0.2, 1, causes) * 2e-3 * np.where(treated, 4.0, 1.0)[:, None]
        time = rng.exponential(size=n) / rate.sum(axis=1)
        cause = np.where(time < 300, 1 + rng.choice(causes, n, p=rate[0] / rate[0].sum()), 0)
        found = risks(np.minimum(time, 300), cause, treated, x, names=["x"], causes=list("abcdef")[:causes],
                      horizons=[200], estimand=estimand, person=np.arange(n)).share(200)  # fmt: skip
        if all(share.reason is None for share in found.values()):
            told += 1
            assert sum(share.estimate for share in found.values()) == 1
    assert told > 8


def test_a_replicate_without_a_whole_leaves_the_limits_of_the_others() -> None:
    """One in 500 in which nothing differs has no share, and takes the limits from nobody."""
    drawn = np.random.default_rng(3).normal([5.0, 3.0], 0.3, (499, 2))
    part, whole = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    covariance = np.cov(drawn, rowvar=False)
    share = Joint(np.array([5.0, 3.0]), covariance, np.vstack([drawn, [0.0, 0.0]])).share(part, whole)
    assert (share.ci_low, share.ci_high) == pytest.approx(
        tuple(np.quantile(drawn[:, 0] / drawn.sum(axis=1), [0.025, 0.975])), rel=1e-12
    )
    assert share.ci_low < share.estimate == 5 / 8 < share.ci_high
    few = np.vstack([drawn[:198], np.zeros((3, 2))])  # too few have a share for percentiles
    fallback = Joint(np.array([5.0, 3.0]), covariance, few).share(part, whole)
    assert fallback == Joint(np.array([5.0, 3.0]), covariance).share(part, whole)
    assert fallback.reason is None


def test_an_error_that_is_rounding_stands_for_none() -> None:
    """Influences of one person add up to nothing but for the last digits: no limits are made of those."""
    rng = np.random.default_rng(4)
    time, treated = rng.exponential(300, 400), np.arange(400) % 2
    found = risks(np.minimum(time, 365), time < 365, treated, None, causes=["death"], horizons=[180],
                  estimand="given", person=np.zeros(400))  # fmt: skip
    for contrast in (found.risk_difference(180), found.risk_ratio(180), found.rmst_difference(180), found.risk(180, 0)):
        assert contrast.reason == "its standard error is 0"
        assert np.isnan([contrast.estimate, contrast.se, contrast.ci_low, contrast.p_value]).all()
    everybody = risks(time, 1 + np.arange(400) % 3, treated, None, causes=list("abc"), horizons=[9e3],
                      estimand="given", person=np.arange(400))  # fmt: skip
    assert everybody.risk(9e3, 1, "a").se > 0.01  # each cause has an error, all together none
    for contrast in (everybody.risk_difference(9e3), everybody.risk_ratio(9e3), everybody.risk(9e3, 1)):
        assert contrast.reason == "its standard error is 0"
    tiny = Joint(np.array([0.3, 0.2]), COVARIANCE * 1e-30)
    assert tiny.combination(np.array([1.0, -1.0])).reason == "its standard error is 0"
    assert Joint(np.array([0.3, 0.2]) * 1e-9, COVARIANCE * 1e-18).combination(np.array([1.0, -1.0])).reason is None


def test_no_share_of_nothing() -> None:
    found = world().share(200)
    assert {share.reason for share in found.values()} == {"the difference in any cause is not told apart from none"}
    assert all(np.isnan(share.estimate) for share in found.values())


def test_no_share_where_a_cause_differs_the_other_way() -> None:
    found = world(one=0.006, two=-0.0029)
    assert found.risk_difference(200).ci_low > 0
    assert found.risk_difference(200, "two").ci_high < 0
    assert {share.reason for share in found.share(200).values()} == {"two differs the other way"}


def test_causes_add_up_to_any_cause() -> None:
    found = world(one=0.002)
    parts = [found.risk_difference(200, cause).estimate for cause in found.causes]
    assert sum(parts) == pytest.approx(found.risk_difference(200).estimate, abs=1e-15)


def test_beyond_follow_up_is_not_evaluable() -> None:
    found = world(one=0.002)
    for contrast in (
        found.risk_difference(400), found.risk_ratio(400), found.rmst_difference(400), found.risk(400, 0),
        found.mean_time(400, 1), *found.share(400).values(),
    ):  # fmt: skip
        assert contrast.reason == "follow-up of the comparators ends before the horizon"
        assert np.isnan([contrast.estimate, contrast.se, contrast.ci_low, contrast.ci_high, contrast.p_value]).all()
    with pytest.raises(ValueError, match="not at 90"):
        found.risk_difference(90)


def test_without_replicates_that_have_an_estimate_nothing_is_told() -> None:
    found = world(one=0.002)
    unknown: Floats = np.full_like(found.covariance, np.nan)
    reason = replace(found, covariance=unknown).risk_difference(200).reason
    assert reason == "too many bootstrap replicates have no estimate"
