"""Rates directly standardised to one distribution of strata, with gamma limits, and their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival import normal
from opioid_outcomes.survival.rates import LogRatio


@dataclass(frozen=True)
class StandardisedRate:
    """Events per unit of person-time with 95 % limits and standard error."""

    rate: float
    ci_low: float
    ci_high: float
    se: float


def direct(
    events: npt.ArrayLike, person_time: npt.ArrayLike, standard: npt.ArrayLike, *, per: float = 1.0
) -> StandardisedRate:
    """Sum over strata of (share of ``standard``) x events / person-time, times ``per``.

    Shapes (k,): person_time > 0 in every stratum, standard >= 0 with a sum above 0 (any unit). Gamma limits of
    Fay & Feuer 1997 (Stat Med 16:791), as ageadjust.direct of the R package epitools; with no events the lower one is
    0. They reduce to the exact Poisson limits where there is one stratum.
    """
    from scipy.stats import gamma

    count, time, weight = (np.asarray(values, dtype=float) for values in (events, person_time, standard))
    weight = weight / weight.sum() / time
    rate, variance = math.fsum(weight * count), math.fsum(weight**2 * count)
    largest = float(weight.max())
    low = float(gamma.ppf(0.025, rate**2 / variance, scale=variance / rate)) if rate else 0.0
    spread = variance + largest**2
    high = float(gamma.ppf(0.975, (rate + largest) ** 2 / spread, scale=spread / (rate + largest)))
    return StandardisedRate(rate * per, low * per, high * per, math.sqrt(variance) * per)


def log_ratio(first: StandardisedRate, second: StandardisedRate) -> LogRatio:
    """Log ratio of two standardised rates of the same standard, both above 0; delta method, independent events."""
    estimate = math.log(first.rate / second.rate)
    se = math.hypot(first.se / first.rate, second.se / second.rate)
    p_value = normal.p_value(estimate, se)
    return LogRatio(estimate, estimate - normal.Z * se, estimate + normal.Z * se, se, p_value)
