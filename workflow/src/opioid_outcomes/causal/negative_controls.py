"""The empirical null: what estimates of things known to have no effect say about the error of a design.

Schuemie et al. 2014 Stat Med 33:209 (p values), 2018 PNAS 115:2571 (intervals); R package EmpiricalCalibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival import normal

FEWEST = 20  # controls from which calibration means anything (METHODS C7)
NEWTON_STEPS = 100
TOLERANCE = 1e-13


@dataclass(frozen=True)
class Null:
    """Systematic error of a design on the log scale: normal with mean ``mu`` and standard deviation ``sigma``."""

    mu: float
    sigma: float


@dataclass(frozen=True)
class Calibrated:
    """A log ratio less the mean error of its design, and with its spread in the interval."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float


def fit_null(log_ratios: npt.ArrayLike, ses: npt.ArrayLike) -> Null:
    """Maximum likelihood of y_i ~ N(mu, sigma^2 + s_i^2), true effects all being 0 (METHODS C7). Shapes (k,), k >= 2.

    ses > 0 and everything finite, else ValueError. ``mu`` is profiled out; the remaining likelihood in sigma^2 is
    searched on a grid and refined, as it may have several maxima, one of them at 0. Cost O(k) per step.
    """
    y, s = np.asarray(log_ratios, dtype=float), np.asarray(ses, dtype=float)
    if y.ndim != 1 or y.shape != s.shape or len(y) < 2:
        raise ValueError("the empirical null needs two or more controls, each with its standard error")
    if not (np.isfinite(y).all() and np.isfinite(s).all() and (s > 0).all()):
        raise ValueError("controls must be finite, with standard errors above 0")
    from scipy.optimize import minimize_scalar

    spread = max(float(np.ptp(y)), float(s.min()))
    grid = np.concatenate([[0.0], np.geomspace(1e-6 * spread, 2 * spread, 400)])  # sigma; the variance of y bounds it
    losses = np.array([_loss(sigma, y, s) for sigma in grid])
    best = int(losses.argmin())
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    refined = minimize_scalar(_loss, bounds=(low, high), args=(y, s), method="bounded", options={"xatol": TOLERANCE})
    sigma = float(refined.x) if refined.fun < losses[best] else float(grid[best])
    if _loss(0.0, y, s) <= _loss(sigma, y, s):
        sigma = 0.0
    sigma = _polished(sigma, y, s)
    return Null(_mu(sigma, y, s), sigma)


def calibrate(log_ratio: float, se: float, null: Null) -> Calibrated:
    """The estimate with the design's error taken out: y - mu, with standard error sqrt(sigma^2 + se^2).

    The p value is that of the calibrated test, and the interval assumes the same error whatever the true effect.
    ValueError if the estimate is not finite, or there is no error at all: neither its own nor the design's.
    """
    error = math.hypot(null.sigma, se)
    if not (math.isfinite(log_ratio) and math.isfinite(error) and se >= 0 and error > 0):
        raise ValueError("calibration needs a finite estimate with a standard error")
    estimate = log_ratio - null.mu
    p_value = normal.p_value(estimate, error)
    return Calibrated(estimate, error, *normal.limits(estimate, error), p_value)


def ease(null: Null) -> float:
    """Expected absolute systematic error, E|N(mu, sigma^2)|, on the log scale (Schuemie et al. 2020 JAMIA 27:1331)."""
    if null.sigma == 0:
        return abs(null.mu)
    ratio = null.mu / null.sigma
    density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    return 2 * null.sigma * density + null.mu * math.erf(ratio / math.sqrt(2))


def _mu(sigma: float, y: npt.NDArray[np.float64], s: npt.NDArray[np.float64]) -> float:
    weight = 1 / (sigma**2 + s**2)
    return float((weight * y).sum() / weight.sum())


def _loss(sigma: float, y: npt.NDArray[np.float64], s: npt.NDArray[np.float64]) -> float:
    """Twice the negative log likelihood at the best ``mu``, but for a constant."""
    variance = sigma**2 + s**2
    return float((np.log(variance) + (y - _mu(sigma, y, s)) ** 2 / variance).sum())


def _polished(sigma: float, y: npt.NDArray[np.float64], s: npt.NDArray[np.float64]) -> float:
    """Newton on sigma^2 from close by: line searches on a flat top stop at half the digits."""
    variance = sigma**2
    for _ in range(NEWTON_STEPS if sigma else 0):
        weight = 1 / (variance + s**2)
        residual = y - (weight * y).sum() / weight.sum()
        score = float(((weight * residual) ** 2 - weight).sum())
        mean_slope = float((weight**2 * residual).sum()) ** 2 / float(weight.sum())
        slope = float((weight**2 - 2 * weight**3 * residual**2).sum()) + 2 * mean_slope
        if slope >= 0 or variance - score / slope <= 0:
            return sigma
        step = -score / slope
        variance += step
        if abs(step) <= TOLERANCE * variance:
            break
    return math.sqrt(variance)
