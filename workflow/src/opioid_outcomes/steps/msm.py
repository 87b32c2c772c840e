"""Stage ``estimate_msm``: death on against off opioids by a marginal structural model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS


def estimate_msm(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Death on against off opioids by a marginal structural model; returns one line for the terminal, in counts."""
    table = estimates.frame([], study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    io.write_frame(DISPLAYS["msm_weights"].empty(), outputs["msm_weights"])
    io.write_frame(DISPLAYS["msm_truncation"].empty(), outputs["msm_truncation"])
    return "nothing estimated"
