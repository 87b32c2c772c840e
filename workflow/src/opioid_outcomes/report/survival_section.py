"""Survival curves by opioid use, and survival at the study's horizons."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report import charts
from opioid_outcomes.report.document import Block, Figure, Notice, Paragraph, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, listed, number, percent, present
from opioid_outcomes.units import DAYS_PER_YEAR

Rows = list[dict[str, Any]]
# A curve's tail rests on few people; Pocock, Clayton & Altman 2002 (Lancet 359:1686) advise to stop before it.
FEWEST_AT_RISK = 10
GROUPS = {"time_varying": ("on", "off"), "baseline": ("baseline user", "non user")}


def survival(released: Released) -> list[Block]:
    found = {name: supported(released.display("survival", name), rounded=released.rounded) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if rows}
    absent = _left_out(released, found)
    if not by_cohort:
        return [
            Notice(" ".join(["No survival curve is shown.", *(absent or ["In no cohort is use of opioids known."])]))
        ]
    alt = " ".join(_words(name, rows) for name, rows in by_cohort.items())
    title = "Survival by opioid use"
    figure = Figure(
        "survival", svg(charts.survival(by_cohort), "survival", title, alt),
        f"{title}, with 95 % confidence bands and the numbers at risk below. The vertical axis need not start at "
        f"zero. {_extent(released, by_cohort)}",
        alt, note=released.rule,
    )  # fmt: skip
    texts = (*_what_curves_are(released, by_cohort), *absent)
    return [*(Paragraph(text) for text in texts), figure, _horizons(released, by_cohort)]


def supported(rows: Rows, *, rounded: bool) -> Rows:
    """What of each group's curve may be drawn; one point is no curve, nor of rounded counts a curve without a step.

    Curves of rounded counts have been cut already, where too few people are at risk.
    """
    kept: Rows = []
    for group in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group and present(row["survival"]) and present(row["at_risk"])]
        if not rounded:
            last = max((row["day"] for row in own if row["at_risk"] >= FEWEST_AT_RISK), default=-1)
            own = [row for row in own if row["day"] <= last]
        elif own and own[0]["survival"] == own[-1]["survival"]:
            continue
        kept += own if len(own) > 1 else []
    return kept


def _extent(released: Released, by_cohort: dict[str, Rows]) -> str:
    """How far the curves are drawn, and from which counts."""
    if not released.rounded:
        return f"A curve ends at its last step after which at least {FEWEST_AT_RISK} people are at risk."
    told = (
        "Curves and numbers at risk are computed from counts of people entered, died and left rounded to "
        f"{released.rounding} (0 until there are {released.threshold}), and shown while at least "
        f"{released.threshold} people are at risk."
    )
    if any(_is_weighted(rows) for rows in by_cohort.values()):
        told += " A weighted curve is its own, shown on the days on which the rounded number of deaths changes."
    largest = {name: max(row["deviation"] for row in rows) for name, rows in by_cohort.items()}
    parts = [f"{number(100 * value, 1)} in {name}" for name, value in largest.items()]
    return f"{told} The largest difference from the unrounded curve is, in percentage points, {listed(parts)}."


def _what_curves_are(released: Released, by_cohort: dict[str, Rows]) -> list[str]:
    kinds = released.exposures
    told = []
    if "time_varying" in kinds:
        told.append(
            "Where use is followed over time these are extended Kaplan–Meier curves (Simon and Makuch): people move "
            "between the groups as their use changes and at each day count in the group they are in that day, so "
            "that nobody is immortal while waiting to start. A curve begins, at 100 %, when ten people are first at "
            "risk in its group. It is what would be seen if the death rates met by those in the group day by day "
            "held for one group of people; no fixed group followed it, it is not adjusted, and it is not the effect "
            "of opioids."
        )
    if "baseline" in kinds:
        told.append(
            "Where use is known at one interview only, the curves follow the groups formed at the interview, "
            "whatever was used afterwards; they are not adjusted, and the difference between them is not the effect "
            "of opioids."
        )
    sampled = [f"`{name}`" for name, rows in by_cohort.items() if _is_weighted(rows)]
    if sampled:
        told.append(
            f"In {listed(sampled)} survival is weighted to the sampled population; numbers at risk count people."
        )
    return told


def _is_weighted(rows: Rows) -> bool:
    return any(row["weighted"] for row in rows)


def _left_out(released: Released, found: dict[str, Rows]) -> list[str]:
    """The groups of which there is no curve, and why."""
    told = []
    for cohort, rows in found.items():
        expected = GROUPS.get(str(released.about(cohort).get("exposure")), ())
        absent = [f"“{group}”" for group in expected if group not in {row["group"] for row in rows}]
        if absent:
            told.append(f"In `{cohort}` no curve is shown for {listed(absent)}: {_why(released, cohort)}.")
    return told


def _why(released: Released, cohort: str) -> str:
    """Why a group has no curve: a gate that fails the cohort's mortality, or too few people."""
    failed = (
        row["gate"].removeprefix("fail: ")
        for row in released.rows(cohort=cohort)
        if row["analysis"].startswith("mortality.") and row["gate"].startswith("fail: ")
    )
    few = (
        f"a curve needs at least {released.threshold} people at risk, and a death that the rounded counts show"
        if released.rounded
        else f"a curve needs at least {FEWEST_AT_RISK} people at risk"
    )
    return next(failed, few)


def _words(cohort: str, rows: Rows) -> str:
    parts = []
    for group in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group]
        day = own[-1]["day"]
        parts.append(f"{group} {survival_at(own, day)} at {day / DAYS_PER_YEAR:.1f} years")
    return f"{cohort}: survival {', '.join(parts)}."


def _horizons(released: Released, by_cohort: dict[str, Rows]) -> Block:
    """Survival at the config's horizons."""
    lines: list[tuple[str, ...]] = []
    horizons = released.config.mortality.horizons_days
    for cohort, rows in by_cohort.items():
        lines.append((cohort,))
        for group in charts.exposed_first(row["group"] for row in rows):
            own = [row for row in rows if row["group"] == group]
            lines.append((group, *(survival_at(own, day) for day in horizons)))
    heads = ("Group", *(f"{day:,} days" for day in horizons))
    caption = (
        "Survival (95 % CI) at the study's horizons, from the curves above; a dash where a curve does not reach, and "
        "for limits before its first death."
    )
    widths = (1, *(1.4 for _ in horizons))
    return Table("survival_horizons", caption, heads, tuple(lines), len(horizons), released.rule, widths)


def survival_at(rows: Rows, day: float) -> str:
    """Survival of one group at a day, with its limits: that of the last row at or before it, where the curve reaches.

    Before the first death there are no limits.
    """
    if not rows or not rows[0]["day"] <= day <= rows[-1]["day"]:
        return MISSING
    row = max((row for row in rows if row["day"] <= day), key=lambda row: row["day"])
    value = percent(row["survival"])
    if row["survival"] == 1 or not present(row["ci_low"]):
        return f"{value} ({MISSING})"
    return f"{value} ({number(100 * row['ci_low'], 1)} to {number(100 * row['ci_high'], 1)})"
