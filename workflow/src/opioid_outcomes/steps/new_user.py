"""Stage ``estimate_new_user``: death in new users of opioids against comparators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes import io
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS


def estimate_new_user(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Death in new users of opioids against comparators; returns one line for the terminal, in counts."""
    table = estimates.frame([], study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(table, outputs["estimates"])
    io.write_frame(DISPLAYS["new_user_balance"].empty(), outputs["new_user_balance"])
    io.write_frame(DISPLAYS["new_user_survival"].empty(), outputs["new_user_survival"])
    io.write_frame(DISPLAYS["new_user_diagnostics"].empty(), outputs["new_user_diagnostics"])
    io.write_frame(DISPLAYS["missing_by_arm"].empty(), outputs["missing_by_arm"])
    io.write_frame(DISPLAYS["cause_incidence"].empty(), outputs["cause_incidence"])
    return "nothing estimated"
