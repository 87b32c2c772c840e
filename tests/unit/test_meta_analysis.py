"""Pooling against metafor, and what two, three and four cohorts may claim."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from opioid_outcomes.synthesis import meta_analysis

R = json.loads((Path(__file__).parents[1] / "reference/synthesis/meta_analysis.json").read_text())


@pytest.mark.parametrize("name", ["spread", "three", "agree"])
def test_random_effects_equal_metafor(name: str) -> None:
    expected = R[name]
    got = meta_analysis.pool(np.array(expected["y"]), np.array(expected["s"]))
    for field in ("estimate", "se", "ci_low", "ci_high", "tau2", "i2"):
        assert getattr(got, field) == pytest.approx(expected[field], rel=1e-6, abs=1e-9), field
    if len(expected["y"]) >= 4:
        assert got.prediction == pytest.approx((expected["pi_low"], expected["pi_high"]), rel=1e-6)
    else:
        assert got.prediction is None


def test_two_cohorts_get_a_common_effect_and_no_claim_about_spread() -> None:
    got = meta_analysis.pool(np.array([0.47, 0.62]), np.array([0.12, 0.20]))
    assert got.method == "common effect"
    assert (got.tau2, got.i2, got.prediction) == (None, None, None)
    for field in ("estimate", "se", "ci_low", "ci_high"):
        assert getattr(got, field) == pytest.approx(R["two"][field], rel=1e-9)


def test_agreement_by_chance_never_narrows_the_interval() -> None:
    y, s = np.array(R["agree"]["y"]), np.array(R["agree"]["s"])
    got = meta_analysis.pool(y, s)
    assert got.tau2 == 0
    assert got.se == pytest.approx((1 / s**2).sum() ** -0.5, rel=1e-12)  # the common-effect SE, not less


def test_order_of_cohorts_changes_nothing() -> None:
    y, s = np.array(R["spread"]["y"]), np.array(R["spread"]["s"])
    assert meta_analysis.pool(y, s).estimate == pytest.approx(meta_analysis.pool(y[::-1], s[::-1]).estimate, rel=1e-12)


@pytest.mark.parametrize(
    ("y", "s"), [([1.0], [0.1]), ([1.0, np.nan], [0.1, 0.1]), ([1.0, 2.0], [0.1, 0.0]), ([1.0, 2.0], [0.1, np.inf])]
)
def test_what_cannot_be_pooled_is_refused(y: list[float], s: list[float]) -> None:
    with pytest.raises(ValueError, match="estimate"):
        meta_analysis.pool(np.array(y), np.array(s))
