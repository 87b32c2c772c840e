"""Whether numbers vary: rounding is no variation."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.survival.risk_sets import Floats

# Share of the largest number, or of 1, below which numbers differ by rounding (means of equal numbers do)
ROUNDING = 1e-9


def varies(values: Floats) -> bool:
    """Whether the numbers (n,) differ by more than rounding; no number does not vary. Cost O(n)."""
    return len(values) > 0 and float(np.ptp(values)) > ROUNDING * max(1.0, float(np.abs(values).max()))
