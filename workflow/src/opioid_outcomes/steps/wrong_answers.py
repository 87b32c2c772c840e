"""Stage ``estimate_wrong_answers``: The wrong answers, shown as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates


def estimate_wrong_answers(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """The wrong answers, shown as such."""
    io.write_frame(estimates.frame([], study=settings["study"], cohort=settings["cohort_name"]), outputs["estimates"])
    return "0 estimates"
