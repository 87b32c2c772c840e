"""causal.negative_controls against R (tests/reference/causal/negative_controls.R) and against planted bias."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal.negative_controls import Null, calibrate, ease, fit_null

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"
CONTROLS = pl.read_csv(REFERENCE / "negative_controls.csv")
R = json.loads((REFERENCE / "negative_controls.json").read_text())


@pytest.mark.parametrize("name", ["biased", "few", "no_spread"])
def test_null_and_calibration_equal_r(name: str) -> None:
    rows, theirs = CONTROLS.filter(set=name), R[name]
    null = fit_null(rows["log_ratio"].to_numpy(), rows["se"].to_numpy())
    assert null.mu == pytest.approx(theirs["mu"], abs=1e-6)
    assert null.sigma == pytest.approx(theirs["sigma"], abs=2e-6)
    found = calibrate(0.7326, 0.0737, null)
    assert found.p_value == pytest.approx(theirs["p"], rel=1e-4)
    assert (found.ci_low, found.ci_high) == pytest.approx((theirs["low"], theirs["high"]), abs=3e-6)
    assert ease(null) == pytest.approx(theirs["ease"], abs=3e-6)


def test_likelihood_is_at_its_top() -> None:
    rows = CONTROLS.filter(set="biased")
    y, s = rows["log_ratio"].to_numpy(), rows["se"].to_numpy()
    null = fit_null(y, s)

    def minus_loglik(mu: float, sigma: float) -> float:
        variance = sigma**2 + s**2
        return 0.5 * float((np.log(variance) + (y - mu) ** 2 / variance).sum())

    top = minus_loglik(null.mu, null.sigma)
    assert top <= R["biased"]["minimum"] + 1e-10
    for step in (-1e-4, 1e-4):
        assert minus_loglik(null.mu + step, null.sigma) > top
        assert minus_loglik(null.mu, null.sigma + step) > top


def test_under_planted_bias_calibrated_intervals_cover_and_plain_ones_do_not() -> None:
    """Error N(0.3, 0.15): 10 seeds, 40 controls, 200 true effects each: about 95 % against under 60 %."""
    covered, plain = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        s = rng.uniform(0.05, 0.2, 240)
        truth = np.concatenate([np.zeros(40), rng.normal(0, 0.5, 200)])
        y = truth + rng.normal(0.3, 0.15, 240) + rng.normal(0, s)
        null = fit_null(y[:40], s[:40])
        rows = [calibrate(value, error, null) for value, error in zip(y[40:], s[40:], strict=True)]
        covered += [row.ci_low <= true <= row.ci_high for row, true in zip(rows, truth[40:], strict=True)]
        plain += list(np.abs(y[40:] - truth[40:]) <= 1.96 * s[40:])
    assert abs(np.mean(covered) - 0.95) < 0.035  # controls of one seed share their null
    assert np.mean(plain) < 0.6


def test_controls_that_agree_have_no_spread() -> None:
    null = fit_null([0.2, 0.2, 0.2], [0.1, 0.2, 0.3])
    assert (null.mu, null.sigma) == (pytest.approx(0.2), 0.0)
    assert ease(null) == pytest.approx(0.2)


def test_ease_of_a_centred_error() -> None:
    assert ease(Null(0.0, 0.3)) == pytest.approx(0.3 * math.sqrt(2 / math.pi))
    assert ease(Null(-0.2, 0.1)) == pytest.approx(ease(Null(0.2, 0.1)))


@pytest.mark.parametrize(("y", "s"), [([0.1], [0.1]), ([0.1, 0.2], [0.1, 0.0]), ([0.1, np.nan], [0.1, 0.1])])
def test_what_is_no_set_of_controls(y: list[float], s: list[float]) -> None:
    with pytest.raises(ValueError, match="control"):
        fit_null(y, s)
