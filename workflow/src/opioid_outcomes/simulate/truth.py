"""The numbers that an analysis of a simulated cohort should find."""

from __future__ import annotations

from typing import Any

import numpy as np

from opioid_outcomes.simulate import futures, truth_mortality, truth_pain
from opioid_outcomes.simulate.cohort import Cohort


def of(cohort: Cohort) -> list[dict[str, Any]]:
    """The planted hazard ratio, what doses do to pain, and what bears on death."""
    lived = futures.live(cohort)
    return [*_hazard_ratio(cohort), *truth_pain.of(cohort, lived), *truth_mortality.of(cohort, lived)]


def _hazard_ratio(cohort: Cohort) -> list[dict[str, Any]]:
    """Where baseline covariates suffice to find it."""
    world = cohort.world
    if world.illness or not world.proportional:
        return []
    return [
        truth_mortality.row(
            "mortality.current_use", "adjusted_full", "on vs off", "log_hr", np.log(world.hazard_ratio),
            "hazard of death on against off opioids, planted; conditional on the baseline covariates",
        )
    ]  # fmt: skip
