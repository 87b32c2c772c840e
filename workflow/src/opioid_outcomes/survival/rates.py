"""Rates with exact limits, and their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass

from opioid_outcomes.survival import normal


@dataclass(frozen=True)
class Rate:
    """Events per 1000 person-years with 95 % limits and standard error."""

    rate: float
    ci_low: float
    ci_high: float
    se: float


def per_1000_person_years(events: int, person_years: float) -> Rate:
    """Exact Poisson limits.

    person_years > 0. With no events the lower limit is 0 and the upper one the 97.5 % limit.
    """
    low, high = exact_limits(events)
    unit = 1000 / person_years
    return Rate(events * unit, low * unit, high * unit, events**0.5 * unit)


def exact_limits(events: int) -> tuple[float, float]:
    """95 % limits of a Poisson mean, from the chi-square distribution (Garwood 1936 Biometrika 28:437; METHODS C6)."""
    from scipy.stats import chi2

    low = float(chi2.ppf(0.025, 2 * events)) / 2 if events else 0.0
    return low, float(chi2.ppf(0.975, 2 * (events + 1))) / 2


@dataclass(frozen=True)
class LogRatio:
    """Log of a ratio with 95 % limits, standard error and two-sided p-value."""

    estimate: float
    ci_low: float
    ci_high: float
    se: float
    p_value: float


def log_rate_ratio(events: tuple[int, int], person_years: tuple[float, float]) -> LogRatio:
    """Log ratio of the first rate to the second; events > 0. Variance 1/d1 + 1/d0 (Rothman, Modern Epidemiology)."""
    estimate = math.log(events[0] / person_years[0]) - math.log(events[1] / person_years[1])
    se = math.sqrt(1 / events[0] + 1 / events[1])
    p_value = normal.p_value(estimate, se)
    return LogRatio(estimate, estimate - normal.Z * se, estimate + normal.Z * se, se, p_value)
