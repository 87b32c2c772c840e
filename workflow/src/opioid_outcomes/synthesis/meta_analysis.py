"""Effects of several cohorts in one number: common effect for two, REML random effects with Hartung-Knapp from three.

General: knows nothing of opioids. Sources: Viechtbauer 2005 (REML for meta-analysis), Hartung & Knapp 2001 (variance),
Roever et al. 2015 (its factor not below 1), Higgins & Thompson 2002 (I2), Higgins et al. 2009 (prediction interval).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opioid_outcomes.survival import normal

MAX_STEPS = 200
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Pooled:
    """A pooled effect on the scale of the inputs. ``tau2``, ``i2`` and the prediction interval are None where two
    cohorts say too little to estimate them (tau2, i2 from three; prediction from four)."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    method: str
    tau2: float | None = None
    i2: float | None = None
    prediction: tuple[float, float] | None = None


def pool(estimates: NDArray[np.float64], ses: NDArray[np.float64], level: float = 0.95) -> Pooled:
    """Pool k >= 2 independent estimates of one estimand.

    estimates, ses: shape (k,), finite, ses > 0; else ValueError. Cost O(k) per REML step.
    """
    y, s = np.asarray(estimates, dtype=float), np.asarray(ses, dtype=float)
    if y.shape != s.shape or y.ndim != 1 or len(y) < 2:
        raise ValueError("pooling needs two or more estimates, each with its standard error")
    if not (np.isfinite(y).all() and np.isfinite(s).all() and (s > 0).all()):
        raise ValueError("estimates must be finite and standard errors positive")
    return _common(y, s, level) if len(y) == 2 else _random(y, s, level)


def _common(y: NDArray[np.float64], s: NDArray[np.float64], level: float) -> Pooled:
    from scipy.stats import norm

    w = 1 / s**2
    estimate, se = float(w @ y / w.sum()), float(w.sum() ** -0.5)
    reach = norm.ppf(0.5 + level / 2) * se
    p_value = normal.p_value(estimate, se)
    return Pooled(estimate, se, estimate - reach, estimate + reach, p_value, "common effect")


def _random(y: NDArray[np.float64], s: NDArray[np.float64], level: float) -> Pooled:
    from scipy.stats import t

    k, v = len(y), s**2
    tau2 = _reml(y, v)
    w = 1 / (v + tau2)
    estimate = float(w @ y / w.sum())
    # Hartung-Knapp, its factor kept at 1 or more so that agreement by chance never narrows the interval
    factor = max(1.0, float(w @ (y - estimate) ** 2 / (k - 1)))
    se = float((factor / w.sum()) ** 0.5)
    reach = t.ppf(0.5 + level / 2, k - 1) * se
    typical = (k - 1) * (1 / v).sum() / ((1 / v).sum() ** 2 - (1 / v**2).sum())
    prediction = None
    if k >= 4:
        spread = float(t.ppf(0.5 + level / 2, k - 1) * (tau2 + se**2) ** 0.5)
        prediction = (estimate - spread, estimate + spread)
    return Pooled(
        estimate, se, estimate - reach, estimate + reach, float(2 * t.sf(abs(estimate / se), k - 1)),
        "random effects (REML, Hartung-Knapp)", tau2, float(tau2 / (tau2 + typical)), prediction,
    )  # fmt: skip


def _reml(y: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """Between-cohort variance by Fisher scoring on the restricted likelihood, at least 0."""
    tau2 = max(0.0, float(np.var(y, ddof=1) - v.mean()))
    for _ in range(MAX_STEPS):
        w = 1 / (v + tau2)
        total = w.sum()
        residual = y - w @ y / total
        score = 0.5 * (w**2 @ residual**2 - total + (w**2).sum() / total)
        information = 0.5 * ((w**2).sum() - 2 * (w**3).sum() / total + ((w**2).sum() / total) ** 2)
        step = score / information
        while tau2 + step < 0 and abs(step) > TOLERANCE:
            step /= 2
        tau2 = max(0.0, tau2 + step)
        if abs(step) <= TOLERANCE:
            break
    return tau2
