"""Stage ``estimate_addiction``: opioid use disorder by dose and duration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates


def estimate_addiction(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Opioid use disorder by dose and duration; returns one line for the terminal, in counts."""
    table = estimates.frame([], study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    return "nothing estimated"
