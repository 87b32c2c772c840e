"""Limits and p-value of a number that is roughly normal on its scale."""

from __future__ import annotations

import math

Z = 1.959963984540054  # 97.5 % quantile


def limits(estimate: float, se: float) -> tuple[float, float]:
    """95 % confidence limits."""
    return estimate - Z * se, estimate + Z * se


def p_value(estimate: float, se: float) -> float:
    """Two-sided, for 0; NaN without a standard error above 0."""
    return math.erfc(abs(estimate / se) / math.sqrt(2)) if se > 0 else math.nan
