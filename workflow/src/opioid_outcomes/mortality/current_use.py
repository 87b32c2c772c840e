"""``mortality.current_use``: death on against off opioids, as use changes over time. Descriptive, not causal."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import KINDS_OF_OFF, ON_OFF, Exposure, Missing
from opioid_outcomes.mortality.hazard_ratio import adjusted_ratios, not_asked

ANALYSIS = "mortality.current_use"
UNKNOWN = {
    "baseline": "exposure known at one interview only",  # later use is not known
    "none": "no opioid exposure is recorded",
}


def current_use(
    person_time: pl.DataFrame, baseline: Sequence[str], missing: Missing, *, exposure: Exposure
) -> list[Estimate]:
    """Hazard ratios on against off and each kind of off; one row saying why where use over time is not known."""
    if exposure != "time_varying":
        return [not_asked(person_time, ON_OFF, analysis=ANALYSIS, why=UNKNOWN[exposure])]
    return [
        row
        for contrast in (ON_OFF, *KINDS_OF_OFF)
        for row in adjusted_ratios(person_time, contrast, analysis=ANALYSIS, baseline=baseline, missing=missing)
    ]
