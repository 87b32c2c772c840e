"""Stage ``estimate_pain``: Pain after starting and stopping opioids, and other therapies on and off them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates


def estimate_pain(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Pain after starting and stopping opioids, and other therapies on and off them."""
    io.write_frame(estimates.frame([], study=settings["study"], cohort=settings["cohort_name"]), outputs["estimates"])
    return "0 estimates"
