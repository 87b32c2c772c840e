"""Shares of several cohorts pooled as parts and wholes: what rows do not hold is solved for, and checked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import t

from opioid_outcomes.causal.contrasts import Joint, fieller
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.synthesis.shares import PARTS, SHARES, pool_shares, share_rows

CAUSES = ("opioid overdose", "cancer", "other")
ROW = Estimate(
    analysis=PARTS, method="att", population="p", outcome="death", contrast="a vs b", scale="risk_difference",
    window="0-365", persons=100, events=20, person_years=90.0,
)  # fmt: skip
# cov of the three differences, not diagonal
COVARIANCE = 1e-6 * np.array([[4.0, 0.5, -0.6], [0.5, 6.0, 0.8], [-0.6, 0.8, 9.0]])


def joint(parts: tuple[float, ...], scale: float = 1.0, replicates: int = 0) -> Joint:
    covariance = scale * COVARIANCE
    drawn = np.random.default_rng(1).multivariate_normal(parts, covariance, replicates) if replicates else None
    return Joint(np.array(parts), covariance, drawn)


def of(cohort: str, found: Joint, *, without: tuple[str, ...] = (), **changes: Any) -> pl.DataFrame:
    """Rows of one cohort as ``mortality.trial_causes`` has them, of what the analysis itself would tell."""
    rows = []
    for cause, part in zip(CAUSES, np.eye(3), strict=True):
        told = ((PARTS, "risk_difference", found.combination(part)), (SHARES, "share", found.share(part, np.ones(3))))
        for analysis, scale, contrast in told:
            numbers = {name: getattr(contrast, name) for name in ("estimate", "se", "ci_low", "ci_high", "p_value")}
            gate = "pass" if contrast.reason is None and analysis not in without else "not evaluable: x"
            row = replace(ROW, analysis=analysis, scale=scale, outcome=f"death:{cause}", gate=gate, **numbers)
            rows.append(replace(row, **changes))
    return estimates.frame(rows, study="s", cohort=cohort)


def pooled(*cohorts: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["outcome"].removeprefix("death:"): row for row in share_rows(pl.concat(cohorts), "s").to_dicts()}


@pytest.mark.parametrize("replicates", [0, 400])
def test_parts_and_wholes_have_the_weights_of_the_whole_and_their_true_covariance(replicates: int) -> None:
    """Against the covariance that rows do not hold, whether limits were Fieller's or percentiles."""
    ones, scales = np.ones(3), (1.0, 3.0)
    parts = np.array([[0.010, 0.012, 0.008], [0.020, 0.004, 0.030]])
    found = [joint(tuple(row), scale, replicates) for row, scale in zip(parts, scales, strict=True)]
    rows = pooled(*(of(name, one) for name, one in zip("ab", found, strict=True)))
    weights = 1 / np.array([scale * ones @ COVARIANCE @ ones for scale in scales])
    weights /= weights.sum()
    sums, covariance = weights @ parts, sum(w**2 * s for w, s in zip(weights, scales, strict=True)) * COVARIANCE
    for place, cause in enumerate(CAUSES):
        part = np.eye(3)[place]
        limits = fieller(
            sums[place], sums.sum(), (covariance[place, place], ones @ covariance @ ones), part @ covariance @ ones
        )
        row = rows[cause]
        assert (row["gate"], row["cohort"], row["persons"]) == ("pass", "pooled", 200)
        assert row["estimate"] == pytest.approx(sums[place] / sums.sum(), rel=1e-9)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(limits, rel=1e-8)
        slope = (part - row["estimate"] * ones) / sums.sum()
        assert row["se"] == pytest.approx(math.sqrt(slope @ covariance @ slope), rel=1e-8)
    assert sum(row["estimate"] for row in rows.values()) == pytest.approx(1.0, abs=1e-12)


def test_a_pooled_share_lies_between_those_of_the_cohorts_which_weights_by_cause_would_not() -> None:
    """Both cohorts have a half of each cause; their errors by cause differ the other way round."""
    one, other = np.diag([1e-6, 9e-6, 1e-6]), np.diag([9e-6, 1e-6, 1e-6])
    parts = np.array([[0.01, 0.01, 0.01], [0.04, 0.04, 0.04]])
    rows = pooled(of("a", Joint(parts[0], one)), of("b", Joint(parts[1], other)))
    assert rows["cancer"]["estimate"] == pytest.approx(1 / 3)
    errors = np.array([[1, 9], [9, 1], [1, 1]])
    of_each = [float((d / v).sum() / (1 / v).sum()) for d, v in zip(parts.T, errors, strict=True)]
    assert of_each[0] / sum(of_each) < 0.2 < 1 / 3  # the wrong way


def test_three_cohorts_have_limits_of_t_and_at_least_the_spread_that_they_show() -> None:
    part, whole = np.array([0.010, 0.030, 0.012]), np.array([0.030, 0.034, 0.031])
    variances = np.full(3, 1e-6), np.full(3, 3e-6)
    apart = pool_shares(part, whole, variances, np.full(3, 1e-6))
    alike = pool_shares(whole / 3, whole, variances, np.full(3, 1e-6))
    share = alike.estimate
    assert share == pytest.approx(1 / 3)
    assert alike.se == pytest.approx(math.sqrt((1e-6 + share**2 * 3e-6 - 2 * share * 1e-6) / 3) / whole.mean())
    assert (alike.ci_high - alike.ci_low) / (2 * alike.se) == pytest.approx(t.ppf(0.975, 2), rel=0.1)
    assert apart.se > 3 * alike.se
    residual = part - apart.estimate * whole
    assert apart.se == pytest.approx(math.sqrt((residual**2).mean() / 2) / whole.mean())


def test_limits_hold_the_truth_as_often_as_they_say_and_not_without_the_covariance_of_part_and_whole() -> None:
    """Two cohorts of one true share, the second with thrice the variance; part and whole covary at 0.43."""
    rng, truth, scales = np.random.default_rng(20), np.array([0.006, 0.012, 0.012]), np.array([1.0, 3.0])
    drawn = np.stack([rng.multivariate_normal(truth, scale * COVARIANCE, 1_500) for scale in scales], axis=1)
    of_part, of_whole = scales * COVARIANCE[0, 0], scales * COVARIANCE.sum()
    covariance = scales * COVARIANCE[0].sum()
    held = []
    for given in (covariance, 0 * covariance):
        found = [pool_shares(one[:, 0], one.sum(axis=1), (of_part, of_whole), given) for one in drawn]
        held.append(np.mean([one.ci_low <= 0.2 <= one.ci_high for one in found]))
    assert abs(held[0] - 0.95) < 0.015  # 2.7 errors of the simulation
    assert held[1] > 0.97


def test_only_cohorts_with_all_parts_and_their_shares_are_pooled() -> None:
    one, other = of("a", joint((0.01, 0.012, 0.008))), of("b", joint((0.02, 0.01, 0.03)))
    assert len(pooled(one, other)) == 3
    third = of("c", joint((0.02, 0.01, 0.02)), without=(SHARES,))
    assert "withheld in c" in pooled(one, other, third)["cancer"]["note"]
    assert pooled(one, third) == {}
    assert pooled(one, other.filter(pl.col("outcome") != "death:cancer")) == {}
    assert pooled(one, of("b", joint((0.02, 0.01, 0.03)), contrast="another")) == {}
    assert pooled(one.clear()) == {}
    assert pooled(one) == {}


def test_rows_that_contradict_each_other_are_not_pooled() -> None:
    one, other = of("a", joint((0.01, 0.012, 0.008))), of("b", joint((0.02, 0.01, 0.03)))
    is_share = pl.col("scale") == "share"
    assert pooled(one, other.with_columns(pl.when(is_share).then(pl.col("se") * 9).otherwise("se").alias("se"))) == {}
    moved = pl.when(is_share).then(pl.col("estimate") + 0.01).otherwise("estimate").alias("estimate")
    assert pooled(one, other.with_columns(moved)) == {}


def test_differences_of_either_sign_are_not_shared_out() -> None:
    rows = pooled(of("a", joint((0.01, 0.012, 0.008))), of("b", joint((-0.02, -0.01, -0.03))))
    assert {row["gate"] for row in rows.values()} == {
        "not evaluable: the cohorts' differences in all deaths do not point the same way"
    }
    assert all(row["estimate"] is None and row["ci_low"] is None for row in rows.values())


def test_a_cause_that_differs_the_other_way_once_pooled_withholds_all() -> None:
    """-0.0035 with an error of 0.002 in each of two: told apart from 0 in both together."""
    rows = pooled(of("a", joint((-0.0035, 0.02, 0.02))), of("b", joint((-0.0035, 0.02, 0.02))))
    assert {row["gate"] for row in rows.values()} == {"not evaluable: opioid overdose differs the other way"}


def test_a_whole_that_is_not_told_apart_from_none_withholds_all() -> None:
    """Three cohorts that differ so much that their pooled difference may be 0."""
    parts = [(0.006, 0.006, 0.006), (0.006, 0.006, 0.006), (0.1, 0.1, 0.1)]
    rows = pooled(*(of(name, joint(one)) for name, one in zip("abc", parts, strict=True)))
    assert {row["gate"] for row in rows.values()} == {
        "not evaluable: the pooled difference in all deaths is not told apart from none"
    }
