"""Contrasts of estimates that covary: differences, ratios on the log scale, and shares of a difference.

Confidence limits from the covariance (normal), or from bootstrap replicates (percentiles) where there are enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival import normal
from opioid_outcomes.survival.risk_sets import Floats

# Replicates from which a percentile limit is read (2.5 % of them lie beyond it); with fewer the limits are normal ones
ENOUGH = 200
# share of the numbers that make an estimate below which its standard error is their rounding, and stands for none
ROUNDING = 1e-12
CANCELLED = 1e-14  # the same of a variance, in its terms
NO_ERROR = "its standard error is 0"
NOT_TOLD = "the difference that is to be shared out is not told apart from none"


@dataclass(frozen=True)
class Contrast:
    """A number with its error, on its own scale (the ratio's from the log: se = ratio x se of its log).

    ``reason``: why it cannot be told, in general words, else None; then every number is NaN.
    """

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    reason: str | None = None


def unknown(reason: str) -> Contrast:
    """A number that cannot be told."""
    nothing = float("nan")
    return Contrast(nothing, nothing, nothing, nothing, nothing, reason)


@dataclass(frozen=True)
class Joint:
    """Estimates (D,), their covariance (D, D), and bootstrap replicates of them (B, D) if there are any."""

    values: Floats
    covariance: Floats
    replicates: Floats | None = None

    def combination(self, gradient: Floats) -> Contrast:
        """A sum of the estimates with the coefficients given, (D,)."""
        estimate = float(gradient @ self.values)
        se = self._se(gradient)
        if not self._told(gradient, se):
            return unknown(NO_ERROR)
        low, high = self._limits(None if self.replicates is None else self.replicates @ gradient, estimate, se)
        return Contrast(estimate, se, low, high, normal.p_value(estimate, se))

    def ratio(self, upper: Floats, lower: Floats) -> Contrast:
        """Ratio of two sums of the estimates, both above 0: limits and p-value by the logarithm."""
        above, below = float(upper @ self.values), float(lower @ self.values)
        if not (above > 0 and below > 0):
            return unknown("one of the two is 0")
        gradient = upper / above - lower / below
        log, se = float(np.log(above / below)), self._se(gradient)
        if not self._told(gradient, se):
            return unknown(NO_ERROR)
        replicates = None
        if self.replicates is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                replicates = np.log(self.replicates @ upper) - np.log(self.replicates @ lower)
        low, high = self._limits(replicates, log, se)
        ratio = float(np.exp(log))
        return Contrast(ratio, ratio * se, float(np.exp(low)), float(np.exp(high)), normal.p_value(log, se))

    def share(self, part: Floats, whole: Floats) -> Contrast:
        """Ratio of a part to a whole of either sign; limits by Fieller (1954) JRSS B 16:175, or by percentiles.

        Cannot be told where the whole's limits include 0: the share's are then not an interval. Replicates whose whole
        is 0 have no share and are left out. p-value: of the part.
        """
        denominator = self.combination(whole)
        if denominator.reason is not None or denominator.ci_low <= 0 <= denominator.ci_high:
            return unknown(NOT_TOLD)
        numerator, total = float(part @ self.values), float(whole @ self.values)
        share = numerator / total
        gradient = (part - share * whole) / total
        se = self._se(gradient)
        replicates = self._shares(part, whole)
        if len(replicates) >= ENOUGH:
            low, high = _percentiles(replicates)
        else:
            low, high = fieller(
                numerator, total, (float(part @ self.covariance @ part), float(whole @ self.covariance @ whole)),
                float(part @ self.covariance @ whole),
            )  # fmt: skip
            if not np.isfinite(low + high):
                return unknown(NOT_TOLD)
        spread = self._se(part)
        return Contrast(
            share, se, low, high, normal.p_value(numerator, spread) if self._told(part, spread) else math.nan
        )

    def _shares(self, part: Floats, whole: Floats) -> Floats:
        """Of the replicates that have one."""
        if self.replicates is None:
            return np.zeros(0)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = (self.replicates @ part) / (self.replicates @ whole)
        return shares[np.isfinite(shares)]

    def _told(self, gradient: Floats, se: float) -> bool:
        """Whether a standard error is more than the rounding of influences that add up to nothing."""
        return se > ROUNDING * float(np.abs(gradient) @ np.abs(self.values))

    def _se(self, gradient: Floats) -> float:
        """0 where the variances of the parts cancel but for rounding, as of causes that all die of one or the other."""
        variance, size = float(gradient @ self.covariance @ gradient), np.abs(gradient)
        return math.sqrt(variance) if variance > CANCELLED * float(size @ np.abs(self.covariance) @ size) else 0.0

    def _limits(self, replicates: Floats | None, estimate: float, se: float) -> tuple[float, float]:
        if replicates is not None and len(replicates) >= ENOUGH:
            low, high = _percentiles(replicates)
            if np.isfinite(low) and np.isfinite(high):
                return low, high
        return normal.limits(estimate, se)


def fieller(
    numerator: float, denominator: float, variances: tuple[float, float], covariance: float
) -> tuple[float, float]:
    """95 % limits of a ratio of two normal estimates: all r at which numerator - r denominator may be 0.

    variances: of the numerator and of the denominator. NaN where the denominator may itself be 0, as those r are then
    no interval. Fieller (1954) JRSS B 16:175.
    """
    above, below = variances
    a = denominator**2 - normal.Z**2 * below
    b = numerator * denominator - normal.Z**2 * covariance
    c = numerator**2 - normal.Z**2 * above
    if not a > 0:
        return float("nan"), float("nan")
    root = float(np.sqrt(max(b * b - a * c, 0.0)))
    return (b - root) / a, (b + root) / a


def _percentiles(values: Floats) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):  # a replicate without events in an arm: its log ratio is infinite
        low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
