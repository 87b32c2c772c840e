"""``mortality.baseline_use``: death by opioid use at time zero, where exposure is known at one interview only.

It says nothing of current use: who starts or stops later stays in the group of the interview.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import BASELINE_USE, Missing
from opioid_outcomes.mortality.hazard_ratio import adjusted_ratios


def baseline_use(person_time: pl.DataFrame, baseline: Sequence[str], missing: Missing) -> list[Estimate]:
    """Hazard ratios of users against non users at the interview, crude and adjusted."""
    return list(
        adjusted_ratios(
            person_time, BASELINE_USE, analysis="mortality.baseline_use", baseline=baseline, missing=missing
        )
    )
