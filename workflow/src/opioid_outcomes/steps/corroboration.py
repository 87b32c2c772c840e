"""Stage ``estimate_corroboration``: What corroborates the test, or not, and in whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates


def estimate_corroboration(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """What corroborates the test, or not, and in whom."""
    io.write_frame(estimates.frame([], study=settings["study"], cohort=settings["cohort_name"]), outputs["estimates"])
    return "0 estimates"
