"""Stage ``estimate_sustained``: death under sustained strategies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS


def estimate_sustained(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Death under sustained strategies; returns one line for the terminal, in counts."""
    table = estimates.frame([], study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    io.write_frame(DISPLAYS["sustained_survival"].empty(), outputs["sustained_survival"])
    io.write_frame(DISPLAYS["sustained_diagnostics"].empty(), outputs["sustained_diagnostics"])
    return "nothing estimated"
