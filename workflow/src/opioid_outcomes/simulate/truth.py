"""The numbers that an analysis of a simulated cohort should find."""

from __future__ import annotations

from typing import Any

import numpy as np

from opioid_outcomes.simulate.cohort import Cohort


def of(cohort: Cohort) -> list[dict[str, Any]]:
    return [_hazard_ratio(cohort)]


def _hazard_ratio(cohort: Cohort) -> dict[str, Any]:
    return {
        "analysis": "mortality.current_use",
        "method": "adjusted_full",
        "outcome": "death",
        "contrast": "on vs off",
        "window": "",
        "scale": "log_hr",
        "truth": float(np.log(cohort.world.hazard_ratio)),
        "se": 0.0,
        "description": "hazard ratio of death on against off opioids, planted; conditional on the baseline covariates",
    }
