"""Rates with exact limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """Events per 1000 person-years with 95 % limits and standard error."""

    rate: float
    ci_low: float
    ci_high: float
    se: float


def per_1000_person_years(events: int, person_years: float) -> Rate:
    """Exact Poisson limits from the chi-square distribution (Garwood 1936 Biometrika 28:437; METHODS C6).

    person_years > 0. With no events the lower limit is 0 and the upper one the 97.5 % limit.
    """
    from scipy.stats import chi2

    unit = 1000 / person_years
    low = chi2.ppf(0.025, 2 * events) / 2 if events else 0.0
    high = chi2.ppf(0.975, 2 * (events + 1)) / 2
    return Rate(events * unit, float(low * unit), float(high * unit), events**0.5 * unit)
