"""From what a cohort's use of opioids is known."""

from __future__ import annotations

from typing import Literal

import polars as pl

Source = Literal["dispensings", "reports", "none"]
SELF_REPORTED = "use of opioids is self-reported"  # how the note on a cohort of reports says so


def source(dispensings: pl.DataFrame, fills: pl.DataFrame, reports: pl.DataFrame) -> Source:
    """``dispensings`` decide where they hold an opioid, and where nobody reports use; else ``reports``; else ``none``.

    dispensings: canonical; fills: those of them that are opioids; reports: canonical opioid_use. Dispensings without an
    opioid beside reports of use are those of other medicines: they say nothing of who uses opioids.
    """
    if dispensings.height and (fills.height or reports.is_empty()):
        return "dispensings"
    return "reports" if reports.height else "none"
