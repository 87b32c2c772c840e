"""Propensity score: the chance of treatment given covariates, and what it says of who can be compared.

Rosenbaum & Rubin (1983) Biometrika 70:41.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from opioid_outcomes.causal.propensity_weights import Estimand, weight_slopes, weights
from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_regression import BinaryFit
from opioid_outcomes.survival.risk_sets import Floats

__all__ = [
    "Estimand", "Propensity", "effective_sample_size", "equipoise", "estimate", "minimal_detectable_ratio", "outside",
    "preference", "weight_slopes", "weights",
]  # fmt: skip

# preference scores between which either treatment is a real choice (Walker et al. (2013) Comp Eff Res 3:11)
EQUIPOISE = (0.3, 0.7)


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


def preference(score: npt.ArrayLike, treated: npt.ArrayLike) -> Floats:
    """Score as it would be if half of all were treated: logit F = logit e - logit P(treated). Walker et al. 2013."""
    e, share = np.asarray(score, dtype=np.float64), float(np.asarray(treated, dtype=np.float64).mean())
    favoured = e * (1 - share)
    return np.asarray(favoured / (favoured + (1 - e) * share))


def equipoise(score: npt.ArrayLike, treated: npt.ArrayLike) -> float:
    """Share of everybody whose preference score is within [0.3, 0.7]; NaN of nobody."""
    favoured = preference(score, treated)
    return float(((favoured >= EQUIPOISE[0]) & (favoured <= EQUIPOISE[1])).mean()) if len(favoured) else float("nan")


def effective_sample_size(weights: npt.ArrayLike) -> float:
    """(sum w)^2 / sum w^2, Kish (1965); 0 of no weight."""
    values = np.asarray(weights, dtype=np.float64)
    square = float((values**2).sum())
    return float(values.sum()) ** 2 / square if square > 0 else 0.0


def outside(score: npt.ArrayLike, low: float = 0.01, high: float = 0.99) -> float:
    """Share of scores below ``low`` or above ``high``; NaN of nobody."""
    values = np.asarray(score, dtype=np.float64)
    return float(((values < low) | (values > high)).mean()) if len(values) else float("nan")


def minimal_detectable_ratio(events: float, share_treated: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest hazard ratio above 1 that ``events`` would show, exp((z_a/2 + z_b) / sqrt(events p (1 - p))).

    Schoenfeld (1983) Biometrics 39:499. Infinite without events or with one arm only.
    """
    spread = events * share_treated * (1 - share_treated)
    if not spread > 0:
        return float("inf")
    needed = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    return float(np.exp(needed / np.sqrt(spread)))
