"""What the sections on pain share: which rows they read, and how windows are named."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import days_words, has_interval, plain

Row = dict[str, Any]
Rows = list[Row]
ESCALATION = "hyperalgesia.escalation"
MAIN = "aipw"


def days_of(row: Row) -> str:
    """``31 to 90``."""
    return days_words(str(row["window"]))


def escalations(released: Released, method: str = MAIN, scale: str = "mean_difference") -> Rows:
    """Effects on pain of raising the dose that could be estimated."""
    rows = released.rows(analysis=ESCALATION, scale=scale, outcome="pain", method=method)
    return [row for row in rows if has_interval(row)]


def reasons(released: Released, rows: Rows) -> str:
    """Why rows have no number, cohort by cohort, each reason once."""
    told: dict[str, list[str]] = {}
    for row in rows:
        why = plain(str(row["gate"]).partition(": ")[2])
        if why and why not in told.setdefault(row["cohort"], []):
            told[row["cohort"]].append(why)
    return "; ".join(f"{name}: {', '.join(told[name])}" for name in released.cohorts_and_pooled if told.get(name))
