"""``mortality.baseline_use``: death by opioid use at time zero, where exposure is known at one interview only.

It says nothing of current use: who starts or stops later stays in the group of the interview.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import BASELINE_USE, Exposure, Missing
from opioid_outcomes.mortality.hazard_ratio import adjusted_ratios, not_asked

ANALYSIS = "mortality.baseline_use"
OTHERWISE = {
    "time_varying": "use is followed over time, as mortality.current_use reads it",
    "none": "no opioid exposure is recorded",
}


def baseline_use(
    person_time: pl.DataFrame, baseline: Sequence[str], missing: Missing, *, exposure: Exposure
) -> list[Estimate]:
    """Hazard ratios of users against non users at the interview, crude and adjusted; else one row saying why not."""
    if exposure != "baseline":
        return [not_asked(person_time, BASELINE_USE, analysis=ANALYSIS, why=OTHERWISE[exposure])]
    return list(adjusted_ratios(person_time, BASELINE_USE, analysis=ANALYSIS, baseline=baseline, missing=missing))
