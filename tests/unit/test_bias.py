"""causal.bias: published E-values, and bounds that hold whatever the unknown are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from opioid_outcomes.causal.bias import (
    as_risk_ratio,
    bounding_factor,
    confounder_array,
    difference_bounds,
    e_value,
    misclassified,
    share_bounds,
)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "point", "limit"),
    [
        (3.9, 2.4, 8.7, 7.263, 4.233),  # METHODS C7; VanderWeele & Ding 2017, breastfeeding and respiratory death
        (1.64, 1.26, 2.12, 2.66, 1.83),  # Ray 2016, long-acting opioids and death
        (0.80, 0.71, 0.91, 1.81, 1.43),  # the same paper: a protective ratio is turned over
        (1.20, 0.90, 1.60, 1.69, 1.0),
        (1.0, 0.8, 1.25, 1.0, 1.0),
    ],
)
def test_published_e_values(ratio: float, low: float, high: float, point: float, limit: float) -> None:
    found = e_value(ratio, low, high)
    assert (found.point, found.limit) == pytest.approx((point, limit), abs=6e-3)


def test_nhefs_crude() -> None:
    """102 of 428 quitters and 216 of 1201 others died (METHODS F1)."""
    ratio = (102 / 428) / (216 / 1201)
    assert ratio == pytest.approx(1.3251, abs=5e-5)
    assert e_value(ratio).point == pytest.approx(1.9814, abs=5e-5)
    assert e_value(ratio).limit is None


def test_hazard_and_odds_ratios_of_common_outcomes() -> None:
    assert float(as_risk_ratio(2.0, "hr", common=False)) == 2
    assert float(as_risk_ratio(2.25, "or", common=True)) == 1.5
    by_hand = (1 - 2**-0.5) / (1 - 2**-2.0)  # HR 0.25: sqrt is 0.5, of the inverse 2
    assert float(as_risk_ratio(0.25, "hr", common=True)) == pytest.approx(by_hand)
    found = e_value(0.25, 0.16, 0.64, kind="hr", common=True)
    assert found.point == pytest.approx(1 / by_hand + (1 / by_hand * (1 / by_hand - 1)) ** 0.5)
    limit = (1 - 2**-1.25) / (1 - 2**-0.8)
    assert found.limit == pytest.approx(limit + (limit * (limit - 1)) ** 0.5)


@pytest.mark.parametrize(
    ("ratio", "low", "high"), [(0, None, None), (float("inf"), 1, 2), (2.0, 2.5, 3.0), (2.0, 1, 1.5)]
)
def test_what_has_no_e_value(ratio: float, low: float | None, high: float | None) -> None:
    with pytest.raises(ValueError, match=r"ratio"):
        e_value(ratio, low, high)


def test_a_confounder_as_strong_as_the_e_value_can_just_explain_the_ratio() -> None:
    strength = e_value(3.9).point
    assert float(bounding_factor(strength, strength)) == pytest.approx(3.9)
    assert float(bounding_factor(strength - 0.1, strength)) < 3.9
    for exposure, outcome in ((0.5, 0.5), (2.0, 0.9), (np.nan, 2.0)):
        with pytest.raises(ValueError, match="at least 1"):
            bounding_factor(exposure, outcome)


def test_confounder_array_takes_out_a_planted_confounder() -> None:
    """No effect; the confounder triples the risk, in 60 % of the exposed and 20 % of others: RR 2.2 / 1.4, then 1."""
    observed = (0.6 * 3 + 0.4) / (0.2 * 3 + 0.8)
    grid = confounder_array(observed, np.array([[0.2], [0.6]]), 0.2, np.array([1.0, 3.0]))
    np.testing.assert_allclose(grid, [[observed, observed], [observed, 1.0]])


def test_ratios_of_any_size_have_a_finite_e_value() -> None:
    for ratio in (1e300, 1e-300):
        assert e_value(ratio).point == pytest.approx(2e300, rel=1e-12)
    doubled = 1e150 / np.log(2)  # of a common outcome: 1 / (1 - 2^-x), of a small x
    for ratio in (1e300, 1e-300):
        assert e_value(ratio, kind="hr", common=True).point == pytest.approx(2 * doubled, rel=1e-12)


def test_misclassification_is_undone() -> None:
    true, deaths, se, sp = np.array([40.0, 12.0]), np.array([200.0, 150.0]), 0.7, 0.97
    recorded = se * true + (1 - sp) * (deaths - true)
    np.testing.assert_allclose(misclassified(recorded, deaths, sensitivity=se, specificity=sp), true)
    assert np.isnan(misclassified(5, 100, sensitivity=0.4, specificity=0.6))  # a coin
    assert np.isnan(misclassified(1, 100, sensitivity=0.9, specificity=0.95))  # fewer than false ones alone would be


def test_bounds_hold_every_way_the_unknown_can_be() -> None:
    known, unknown, any_cause = (0.03, 0.01), (0.02, 0.015), 0.04
    bounds, shares = difference_bounds(known, unknown), share_bounds(known, unknown, any_cause)
    found = [known[0] + a * unknown[0] - known[1] - b * unknown[1] for a, b in itertools.product((0, 0.5, 1), repeat=2)]
    assert (bounds.low, bounds.high) == pytest.approx((min(found), max(found)))
    assert (shares.low, shares.high) == pytest.approx((min(found) / any_cause, max(found) / any_cause))
    reversed_sign = share_bounds(known, unknown, -any_cause)
    assert reversed_sign.low == pytest.approx(-shares.high)
    with pytest.raises(ValueError, match="difference"):
        share_bounds(known, unknown, 0.0)
