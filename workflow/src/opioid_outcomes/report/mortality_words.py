"""Words and small sums that the sections on mortality share: contrasts, horizons, risks by arm, reasons of gates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opioid_outcomes.config.model import Config
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, hidden_by_disclosure, listed, percent, plain, present

Row = dict[str, Any]
Rows = list[Row]
PRIMARY_DAYS = 365  # ANALYSES 1: the primary horizon
COMPARATORS = {
    "non_user": "non-users",
    "nsaid": "new users of an NSAID",
    "gabapentinoid": "new users of a gabapentinoid",
    "antidepressant": "new users of an antidepressant",
    "weak_opioid": "new users of a weak opioid",
}
NEW_USER_CONTRASTS = {
    "non_user": "new user vs non user",
    "nsaid": "new user vs nsaid",
    "gabapentinoid": "new user vs gabapentinoid",
    "antidepressant": "new user vs antidepressant",
    "weak_opioid": "strong vs weak opioid",
}
RATIO_IS_ONE = 1e-9


def primary_horizon(config: Config) -> int:
    """The primary horizon, or where the config does not have it the nearest."""
    return min(config.mortality.horizons_days, key=lambda day: (abs(day - PRIMARY_DAYS), day))


def within(day: int) -> str:
    return "a year" if day == PRIMARY_DAYS else f"{day:,} days"


def against(comparator: str) -> str:
    """A comparison by its comparator, short enough for a line of a figure."""
    if comparator == "weak_opioid":
        return "strong against weak opioid"
    return f"against {COMPARATORS[comparator].removeprefix('new users of ')}"


def find(rows: Iterable[Row], **wanted: Any) -> Row | None:
    """The first row with these values."""
    return next((row for row in rows if all(row[name] == value for name, value in wanted.items())), None)


def risks_by_arm(difference: Row | None, ratio: Row | None) -> tuple[float | None, float | None]:
    """Risks of the exposed and the others, which their difference and ratio give; None of what is missing or pooled.

    With d = p1 - p0 and r = p1 / p0: p0 = d / (r - 1).
    """
    if difference is None or ratio is None or difference["cohort"] == "pooled":
        return None, None
    d, r = difference["estimate"], ratio["estimate"]
    if not (present(d) and present(r)) or abs(r - 1) < RATIO_IS_ONE:
        return None, None
    other = d / (r - 1)
    return (r * other, other) if 0 <= other <= 1 and 0 <= r * other <= 1 else (None, None)


def risk(value: float | None) -> str:
    return MISSING if value is None else percent(value, 2)


def short(row: Row | None, told: Callable[[Row], str]) -> str:
    """A number as ``told``, or in a word why there is none; a dash where nothing was asked for."""
    if row is None:
        return MISSING
    if present(row["estimate"]):
        return told(row)
    if hidden_by_disclosure(row):
        return "withheld"
    return "failed a gate" if row["gate"].startswith("fail") else "not evaluable"


def why(row: Row) -> str:
    """The reason that a gate gives."""
    return str(row["gate"].partition(": ")[2]) or "no reason is given"


def reasons(rows: Iterable[tuple[str, Row]]) -> tuple[str, ...]:
    """Sentences on what is withheld and why, each reason once: of ``(what, row)`` those rows without a number.

    The horizons of what is withheld for one reason stand behind its name.
    """
    by_reason: dict[tuple[str, str], dict[str, list[str]]] = {}
    for what, row in rows:
        if present(row["estimate"]):
            continue
        kind = "withheld" if row["gate"].startswith("fail") or hidden_by_disclosure(row) else "not evaluable"
        named = by_reason.setdefault((kind, why(row).removeprefix("withheld").lstrip(": ")), {})
        days = named.setdefault(what, [])
        horizon = f"{int(row['window'].partition('-')[2]):,}" if row["window"] else ""
        days += [horizon] if horizon and horizon not in days else []
    return tuple(
        f"{'; '.join(_with_days(*each) for each in named.items())}: {kind} because {reason}."
        for (kind, reason), named in by_reason.items()
    )


def _with_days(what: str, days: list[str]) -> str:
    return f"{what} ({listed(days)} days)" if days else what


def simulated(released: Released) -> list[str]:
    return [name for name in released.cohorts if released.about(name).get("simulated")]


def covariate_words(name: str) -> str:
    """A column of a design as people read it."""
    level = name.replace(" x ", " × ").replace("=", ": ")
    return plain(level)
