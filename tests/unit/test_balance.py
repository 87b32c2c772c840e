"""Standardised differences against hand calculation and published definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opioid_outcomes.causal.balance import standardised_difference


def test_continuous_uses_the_sample_variances() -> None:
    # means 3 and 2; sample variances 4 and 1
    x = [1, 3, 5, 1, 2, 3]
    assert standardised_difference(x, [1, 1, 1, 0, 0, 0])[0] == pytest.approx(1 / math.sqrt(2.5), abs=1e-12)


def test_binary_uses_p_times_one_minus_p() -> None:
    x = [1, 1, 1, 0, 1, 0, 0, 0]  # 0.75 against 0.25
    assert standardised_difference(x, [1] * 4 + [0] * 4)[0] == pytest.approx(0.5 / math.sqrt(0.1875), abs=1e-12)


def test_weights_move_the_means_and_leave_the_denominator() -> None:
    x, group = [0.0, 10.0, 4.0, 6.0], [1, 1, 0, 0]
    weighted = standardised_difference(x, group, weights=[3, 1, 1, 1])[0]
    assert weighted == pytest.approx((2.5 - 5) / math.sqrt((50 + 2) / 2), abs=1e-12)


def test_columns_are_independent_and_missing_values_leave_one_column_only() -> None:
    a = np.array([1.0, 3, 5, 1, 2, 3])
    b = np.array([1.0, np.nan, 5, 1, np.nan, 3])
    both = standardised_difference(np.column_stack([a, b]), [1, 1, 1, 0, 0, 0])
    assert both[0] == standardised_difference(a, [1, 1, 1, 0, 0, 0])[0]
    assert both[1] == pytest.approx((3 - 2) / math.sqrt((8 + 2) / 2), abs=1e-12)


def test_exchange_of_groups_changes_the_sign() -> None:
    x = np.random.default_rng(1).normal(size=40)
    group = np.arange(40) % 2
    assert standardised_difference(x, group)[0] == pytest.approx(-standardised_difference(x, 1 - group)[0], abs=1e-15)


def test_location_and_scale_do_not_matter() -> None:
    x = np.random.default_rng(2).normal(size=40)
    group = np.arange(40) % 2
    assert standardised_difference(7 * x - 3, group)[0] == pytest.approx(
        standardised_difference(x, group)[0], rel=1e-12
    )


def test_what_does_not_exist_is_nan_and_no_difference_is_zero() -> None:
    assert standardised_difference([2.0, 2, 2, 2], [1, 1, 0, 0])[0] == 0
    assert np.isnan(standardised_difference([2.0, 2, 3, 3], [1, 1, 0, 0])[0])
    assert np.isnan(standardised_difference([1.0, 2], [1, 1])[0])
    assert np.isnan(standardised_difference([np.nan, np.nan, 1, 2], [1, 1, 0, 0])[0])


def test_nobody_in_either_group_is_unknown_and_no_crash() -> None:
    assert np.isnan(standardised_difference(np.array([]), np.array([], dtype=bool))).all()


def test_a_constant_that_no_sum_holds_exactly_is_in_balance() -> None:
    """A tenth summed a thousand times is not a hundred: that rounding is neither a difference nor a spread."""
    rng = np.random.default_rng(3)
    assert standardised_difference(np.full(1001, 0.1), np.arange(1001) % 2, rng.exponential(1, 1001))[0] == 0
    for _ in range(100):
        n, constant = int(rng.integers(50, 2000)), round(float(rng.uniform(0, 100)), 1)
        assert standardised_difference(np.full(n, constant), rng.integers(0, 2, n), rng.exponential(1, n))[0] == 0


def test_a_constant_of_each_group_of_its_own_has_no_difference_in_standard_deviations() -> None:
    group = np.arange(1000) % 2
    assert np.isnan(standardised_difference(np.where(group, 0.1, 0.3), group)[0])
    one_varies = np.where(group, 0.1, np.arange(1000) % 4 / 2)  # 0 and 1: variance 0.25 but for the sample's divisor
    assert standardised_difference(one_varies + 0.5 * (1 - group), group)[0] == pytest.approx(
        (0.1 - 1.0) / math.sqrt(0.25 * 500 / 499 / 2), rel=1e-12
    )
