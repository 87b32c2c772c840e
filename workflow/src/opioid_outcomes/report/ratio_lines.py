"""Lines of tables and forests in which a hazard ratio stands beside the rates of what it compares."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    WITHHELD,
    has_interval,
    hidden_by_disclosure,
    interval,
    number,
    person_years,
    present,
)

Row = dict[str, Any]
Rows = list[Row]
LAG = re.compile(r"_lag_(\d+)$")
FULLEST = ("adjusted_full", "adjusted", "crude")
COUNTED = ("persons", "person_years", "events", "rate")
HEADS = ("Persons", "Person-years", "Deaths", "Rate (95 % CI)")


def lag_of(row: Row) -> int:
    """Days before which exposure is read."""
    found = LAG.search(row["method"])
    return int(found[1]) if found else 0


def plain_method(row: Row) -> str:
    """The method without its lag."""
    return LAG.sub("", row["method"])


def rate_of(rows: Iterable[Row], group: str, *, window: str = "", lag: int = 0) -> Row | None:
    """The crude rate of a group."""
    return next(
        (
            row
            for row in rows
            if row["scale"] == "rate_per_1000py"
            and (row["contrast"], row["window"], lag_of(row)) == (group, window, lag)
        ),
        None,
    )


def ratio_of(rows: Iterable[Row], contrast: str, method: str = "", *, window: str = "", lag: int = 0) -> Row | None:
    """The hazard ratio of a contrast by a method; without one the most fully adjusted that was estimated."""
    found = {
        plain_method(row): row
        for row in rows
        if row["scale"] == "log_hr" and (row["contrast"], row["window"], lag_of(row)) == (contrast, window, lag)
    }
    if method:
        return found.get(method)
    asked = [found[name] for name in FULLEST if name in found]
    return next((row for row in asked if present(row["estimate"])), asked[0] if asked else None)


def told(row: Row | None, released: Released) -> str:
    """An estimate with its interval, or in a word or two why there is none."""
    if row is None:
        return "–"
    if present(row["estimate"]):
        return interval(row, released.scale(row))
    if hidden_by_disclosure(row):
        return WITHHELD
    return "failed a gate" if row["gate"].startswith("fail") else "not evaluable"


def counted(row: Row | None, released: Released) -> tuple[str, str, str, str]:
    """Persons, person-years, deaths and rate of a group."""
    if row is None:
        return "–", "–", "–", "–"
    if hidden_by_disclosure(row):
        return WITHHELD, WITHHELD, WITHHELD, WITHHELD
    return number(row["persons"]), person_years(row["person_years"]), number(row["events"]), told(row, released)


def behind(row: Row) -> str:
    """Persons and deaths behind a ratio, or that they are withheld while it is not."""
    if not present(row["persons"]):
        return WITHHELD
    return f"{number(row['persons'])} / {number(row['events'])}"


def drawn(label: str, row: Row, released: Released) -> Row:
    """The line of a forest; without a point where there is none."""
    line: Row = {"label": label, "reading": told(row, released), "counts": behind(row) if has_interval(row) else ""}
    if has_interval(row):
        line |= {
            name: math.exp(row[of]) for name, of in (("estimate", "estimate"), ("low", "ci_low"), ("high", "ci_high"))
        }
    return line


def days(window: str) -> str:
    """A window of days in words: ``0-30`` or, open, ``181-``."""
    first, last = window.split("-")
    return f"{first}–{last} days" if last else f"over {int(first) - 1} days"


def any_told(lines: Iterable[tuple[str, ...]]) -> bool:
    """Whether a line says anything but that nothing may be said."""
    silent = {WITHHELD, "–", "not evaluable", "failed a gate"}
    return any(set(line[1:]) - silent for line in lines)
