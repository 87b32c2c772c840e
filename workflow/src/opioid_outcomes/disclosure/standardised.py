"""Ratios to expected deaths and standardised rates as they may leave: from the rounded counts, not the exact ones.

An exact count would follow from the numbers: SMR x expected deaths, or from estimate over standard error, which of a
rate is the root of its count. What remains, deaths expected and the weights of strata, counts nobody.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from opioid_outcomes.survival.rates import exact_limits
from opioid_outcomes.survival.smr import excess_rate, standardised_mortality_ratio
from opioid_outcomes.survival.standardised import StandardisedRate, log_ratio

SMR, EXCESS, STANDARDISED = "smr", "excess", "standardised"


def of_expected(row: dict[str, Any], exact_events: int, exact_person_years: float) -> dict[str, float]:
    """SMR or excess rate of the rounded deaths, and person-years, in ``row`` to the deaths expected before."""
    if row["scale"] == SMR:
        limit = exact_limits(0)[1]
        expected = exact_events / row["estimate"] if exact_events else limit / row["ci_high"]
        return asdict(standardised_mortality_ratio(row["events"], expected))
    expected = exact_events - row["estimate"] * exact_person_years / 1000
    return asdict(excess_rate(row["events"], expected, row["person_years"]))


def rate_of(row: dict[str, Any], exact_events: int, exact_person_years: float) -> StandardisedRate:
    """A standardised rate moved as rounding moves the crude one, with limits and error of as many deaths as are shown.

    Of one stratum these are the exact limits of the rounded count.
    """
    if not exact_events or not row["events"] or not row["person_years"]:
        return StandardisedRate(row["estimate"], row["ci_low"], row["ci_high"], row["se"])
    from scipy.stats import gamma

    moved = row["events"] / exact_events * (exact_person_years / row["person_years"])
    rate = row["estimate"] * moved
    shape = (row["estimate"] / row["se"]) ** 2 * row["events"] / exact_events
    low, high = gamma.ppf(0.025, shape), gamma.ppf(0.975, shape + 1)
    return StandardisedRate(rate, float(low) * rate / shape, float(high) * rate / shape, rate / math.sqrt(shape))


def ratio_of(first: StandardisedRate, second: StandardisedRate) -> dict[str, float]:
    """Log ratio of two such rates."""
    return asdict(log_ratio(first, second))
