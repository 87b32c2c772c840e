"""Bias and coverage of SMRs, standardised ratios and calibrated intervals over many replicates of a planted truth.

OPERATING_REPLICATES=1000 pytest -m bench -s tests/bench/test_external_operating_bench.py prints the table.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
import pytest

from opioid_outcomes.causal.negative_controls import calibrate, fit_null
from opioid_outcomes.mortality.smr import load
from opioid_outcomes.survival.smr import expected, standardised_mortality_ratio
from opioid_outcomes.survival.standardised import direct, log_ratio

REPLICATES = int(os.environ.get("OPERATING_REPLICATES", "1000"))
US = load("us")
Draw = tuple[float, float, float, float]  # estimate, its standard error, limits

pytestmark = pytest.mark.bench


def smr_draws(rng: np.random.Generator, people: int = 600, truth: float = 1.7) -> Callable[[], Draw]:
    """Deaths at ``truth`` times the US rates over 10 years, in steps of 20 days."""
    age, sex = rng.uniform(45, 75, people), rng.integers(0, 2, people)
    edges = np.arange(0, 3641, 20.0)
    reach = np.stack([
        expected(np.zeros(people), np.full(people, edge), -age * 365.25, sex, US, year=2008) for edge in edges
    ])  # fmt: skip

    def draw() -> Draw:
        dead = truth * reach >= rng.exponential(size=people)
        died, step = dead.any(axis=0), np.where(dead.any(axis=0), dead.argmax(axis=0), len(edges) - 1)
        ratio = standardised_mortality_ratio(int(died.sum()), float(reach[step, np.arange(people)].sum()))
        return ratio.estimate, ratio.se, ratio.ci_low, ratio.ci_high

    return draw


def ratio_draws(rng: np.random.Generator, truth: float = 0.4) -> Callable[[], Draw]:
    """Eight strata of rising rates and unequal person-time; deaths on are exp(truth) times those off."""
    rate = 0.005 * 1.6 ** np.arange(8)
    on, off = np.linspace(300, 1500, 8), np.linspace(3000, 500, 8)

    def draw() -> Draw:
        deaths = rng.poisson(rate * math.exp(truth) * on), rng.poisson(rate * off)
        rates = (direct(count, time, on + off) for count, time in zip(deaths, (on, off), strict=True))
        ratio = log_ratio(*rates)
        return ratio.estimate, ratio.se, ratio.ci_low, ratio.ci_high

    return draw


def calibrated_draws(rng: np.random.Generator, truth: float = 0.5, controls: int = 50) -> Callable[[], Draw]:
    """A design whose log ratios err by N(0.3, 0.15)."""

    def draw() -> Draw:
        ses = rng.uniform(0.05, 0.25, controls + 1)
        found = np.append(np.zeros(controls), truth) + rng.normal(0.3, 0.15, controls + 1) + rng.normal(0, ses)
        row = calibrate(found[-1], ses[-1], fit_null(found[:-1], ses[:-1]))
        return row.estimate, row.se, row.ci_low, row.ci_high

    return draw


@pytest.mark.parametrize(
    ("name", "draws", "truth"),
    [("smr", smr_draws, 1.7), ("standardised log rate ratio", ratio_draws, 0.4), ("calibrated", calibrated_draws, 0.5)],
)
def test_bias_and_coverage(name: str, draws: Callable[[np.random.Generator], Callable[[], Draw]], truth: float) -> None:
    draw = draws(np.random.default_rng(20261120))
    found = np.array([draw() for _ in range(REPLICATES)])
    spread = found[:, 0].std(ddof=1)
    bias, coverage = found[:, 0].mean() - truth, ((found[:, 2] <= truth) & (truth <= found[:, 3])).mean()
    print(
        f"{name}: bias/SD {bias / spread:.3f}, coverage {100 * coverage:.1f} %, SE/SD {found[:, 1].mean() / spread:.3f}"
    )
    widened = 2 / math.sqrt(REPLICATES)
    assert abs(bias) / spread < 0.1 + widened
    assert 0.93 - 2 * 0.007 * math.sqrt(1000 / REPLICATES) < coverage < 0.98
