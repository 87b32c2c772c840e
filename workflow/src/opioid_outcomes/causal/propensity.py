"""Propensity score: the chance of treatment given covariates, and what it says of who can be compared.

Rosenbaum & Rubin (1983) Biometrika 70:41.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt

from opioid_outcomes.causal.matching import Matched, match, strata, stratum_weights
from opioid_outcomes.causal.overlap import (
    effective_sample_size,
    equipoise,
    minimal_detectable_ratio,
    outside,
    positivity,
    preference,
    trim,
)
from opioid_outcomes.causal.propensity_weights import Estimand, weight_slopes, weights
from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_regression import BinaryFit
from opioid_outcomes.survival.risk_sets import Floats

__all__ = [
    "Estimand", "Matched", "Propensity", "effective_sample_size", "equipoise", "estimate", "match",
    "minimal_detectable_ratio", "outside", "positivity", "preference", "strata", "stratum_weights", "trim",
    "weight_slopes", "weights",
]  # fmt: skip


@dataclass(frozen=True)
class Propensity:
    """``score``: (n,) probability of treatment. ``fit``: the logistic model; its ``dropped`` columns said nothing."""

    score: Floats
    fit: BinaryFit


def estimate(
    x: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    names: Sequence[str],
    weights: npt.ArrayLike | None = None,
    ridge: float = 0.0,
    start: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
) -> Propensity:
    """Logistic model of treatment. x: (n, p) without a constant; treated: (n,) 0/1; weights: (n,) of the rows.

    Columns that say nothing beyond the others are left out, told in ``fit.dropped``. Raises RegressionFailure: "no
    events" (nobody treated), "everybody", "separation" by named columns (positivity is violated), "no convergence".
    """
    fitted = binary_regression.fit(
        x, treated, names=names, weights=weights, ridge=ridge, start=start, cluster=cluster, redundant="drop"
    )
    return Propensity(fitted.fitted, fitted)
