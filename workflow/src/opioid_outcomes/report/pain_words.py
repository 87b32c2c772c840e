"""What the sections on pain share: which rows they read, and how windows are named."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import has_interval

Row = dict[str, Any]
Rows = list[Row]
ESCALATION = "hyperalgesia.escalation"
MAIN = "aipw"


def days_of(row: Row) -> str:
    """``31 to 90``."""
    return str(row["window"]).replace("-", " to ")


def escalations(released: Released, method: str = MAIN, scale: str = "mean_difference") -> Rows:
    """Effects on pain of raising the dose that could be estimated."""
    rows = released.rows(analysis=ESCALATION, scale=scale, outcome="pain", method=method)
    return [row for row in rows if has_interval(row)]
