"""Stage ``estimate_blip``: Effect of one dose step by months since, by g-estimation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates


def estimate_blip(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Effect of one dose step by months since, by g-estimation."""
    io.write_frame(estimates.frame([], study=settings["study"], cohort=settings["cohort_name"]), outputs["estimates"])
    return "0 estimates"
