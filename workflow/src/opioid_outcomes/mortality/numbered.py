"""An estimate's row with its number."""

from __future__ import annotations

from dataclasses import replace

from opioid_outcomes.causal.contrasts import Contrast
from opioid_outcomes.contracts.estimates import Estimate


def numbered(row: Estimate, contrast: Contrast) -> Estimate:
    """The row with its number and gate ``pass``, or with the reason why there is none."""
    if contrast.reason is not None:
        return replace(row, gate=f"not evaluable: {contrast.reason}")
    return replace(
        row, estimate=contrast.estimate, se=contrast.se, ci_low=contrast.ci_low, ci_high=contrast.ci_high,
        p_value=contrast.p_value, gate="pass",
    )  # fmt: skip
