"""Survival curves by opioid use, and survival at the study's horizons as far as they tell it."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report import charts
from opioid_outcomes.report.document import Block, Figure, Notice, Paragraph, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, listed, number, percent, present, weighted

Rows = list[dict[str, Any]]
# A curve's tail rests on few people; Pocock, Clayton & Altman 2002 (Lancet 359:1686) advise to stop before it.
FEWEST_AT_RISK = 10
GROUPS = {"time_varying": ("on", "off"), "baseline": ("baseline user", "non user")}


def survival(released: Released) -> list[Block]:
    found = {name: supported(released.display("survival", name), released.threshold) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if rows}
    absent = _left_out(released, found)
    if not by_cohort:
        return [
            Notice(" ".join(["No survival curve is shown.", *(absent or ["In no cohort is use of opioids known."])]))
        ]
    alt = " ".join(_words(name, rows, thinned=released.thinned) for name, rows in by_cohort.items())
    title = "Survival by opioid use"
    figure = Figure(
        "survival", svg(charts.survival(by_cohort), "survival", title, alt),
        f"{title}, with 95 % confidence bands and the numbers at risk below. The vertical axis need not start at "
        f"zero. {_extent(released, by_cohort)}",
        alt, note=released.rule,
    )  # fmt: skip
    texts = (*_what_curves_are(released), *absent)
    return [*(Paragraph(text) for text in texts), figure, _horizons(released, by_cohort)]


def supported(rows: Rows, threshold: int) -> Rows:
    """What of each group's curve may be drawn; one point, or no released step, is no curve.

    Under disclosure control the curve has been cut already, at ``threshold`` people at risk by unrounded counts.
    """
    kept: Rows = []
    for group in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group and present(row["survival"]) and present(row["at_risk"])]
        if threshold <= 1:
            last = max((row["day"] for row in own if row["at_risk"] >= FEWEST_AT_RISK), default=-1)
            own = [row for row in own if row["day"] <= last]
        elif not own or own[0]["survival"] == own[-1]["survival"]:
            continue
        kept += own if len(own) > 1 else []
    return kept


def _extent(released: Released, by_cohort: dict[str, Rows]) -> str:
    """How far and how finely the curves are drawn."""
    if not released.thinned:
        return f"A curve ends at its last step after which at least {FEWEST_AT_RISK} people are at risk."
    told = (
        f"A curve is shown at every {released.threshold}th death, from the first to the last day with at least "
        f"{released.threshold} people at risk; confidence bands and numbers at risk are those of the last day shown."
    )
    largest = {
        name: max(row["deviation"] for row in rows if present(row.get("deviation")))
        for name, rows in by_cohort.items()
        if any(present(row.get("deviation")) for row in rows)
    }
    if not largest:
        return told
    parts = [f"{number(100 * value, 1)} in {name}" for name, value in largest.items()]
    return (
        f"{told} The largest distance between a curve shown and the full one is, in percentage points, {listed(parts)}."
    )


def _what_curves_are(released: Released) -> list[str]:
    kinds = released.exposures
    told = []
    if "time_varying" in kinds:
        told.append(
            "Where use is followed over time these are extended Kaplan–Meier curves (Simon and Makuch): people move "
            "between the groups as their use changes and at each day count in the group they are in that day, so "
            "that nobody is immortal while waiting to start. A curve is what would be seen if the death rates met by "
            "those in the group day by day held for one group of people; no fixed group followed it, it is not "
            "adjusted, and it is not the effect of opioids."
        )
    if "baseline" in kinds:
        told.append(
            "Where use is known at one interview only, the curves follow the groups formed at the interview, "
            "whatever was used afterwards; they are not adjusted, and the difference between them is not the effect "
            "of opioids."
        )
    sampled = [f"`{name}`" for name in released.cohorts if any(weighted(row) for row in released.rows(cohort=name))]
    if sampled:
        told.append(
            f"In {listed(sampled)} survival is weighted to the sampled population; numbers at risk count people."
        )
    if released.thinned:
        told.append(
            f"To keep small numbers from being read off, a curve is shown only at every {released.threshold}th death. "
            "Between two such days the full curve lies between their two values, below the line drawn; the numbers "
            "at risk are those of the last day shown, and people may have entered or left the group since."
        )
    return told


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
        f"a curve needs at least {released.threshold} deaths, and as many people at risk"
        if released.thinned
        else f"a curve needs at least {FEWEST_AT_RISK} people at risk"
    )
    return next(failed, few)


def _words(cohort: str, rows: Rows, *, thinned: bool) -> str:
    parts = []
    for group in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group]
        day = own[-1]["day"]
        parts.append(f"{group} {survival_at(own, day, thinned=thinned)} at {day / charts.DAYS_PER_YEAR:.1f} years")
    return f"{cohort}: survival {', '.join(parts)}."


def _horizons(released: Released, by_cohort: dict[str, Rows]) -> Block:
    """Survival at the config's horizons, as far as the released curves tell it."""
    lines: list[tuple[str, ...]] = []
    horizons = released.config.mortality.horizons_days
    for cohort, rows in by_cohort.items():
        lines.append((cohort,))
        for group in charts.exposed_first(row["group"] for row in rows):
            own = [row for row in rows if row["group"] == group]
            lines.append((group, *(survival_at(own, day, thinned=released.thinned) for day in horizons)))
    caption = "Survival (95 % CI) at the study's horizons, from the curves above; "
    if released.thinned:
        caption = (
            "Survival at the study's horizons, as far as the curves above tell it. Between two days shown it lies "
            "between their two values, and after the last death shown no further below the last value than the "
            "largest distance told above: a range, not a confidence interval. A 95 % CI stands only where a horizon is "
            "a day shown; "
        )
    heads = ("Group", *(f"{day:,} days" for day in horizons))
    caption += "a dash where a curve does not reach, and for limits where nobody has died."
    widths = (1, *(1.4 for _ in horizons))
    return Table("survival_horizons", caption, heads, tuple(lines), len(horizons), released.rule, widths)


def survival_at(rows: Rows, day: float, *, thinned: bool) -> str:
    """Survival of one group at a day, or the range in which a thinned curve leaves it."""
    if not rows or not rows[0]["day"] <= day <= rows[-1]["day"]:
        return MISSING
    place = max(place for place, row in enumerate(rows) if row["day"] <= day)
    row = rows[place]
    value = percent(row["survival"])
    flat = place > 0 and rows[place - 1]["survival"] == row["survival"]
    if thinned and (flat or row["day"] < day):
        low = _lowest(row, rows[place + 1 :])
        return f"at most {value}" if low is None else f"{number(100 * low, 1)} to {value}"
    if row["survival"] == 1 or not present(row["ci_low"]):
        return f"{value} ({MISSING})"
    return f"{value} ({number(100 * row['ci_low'], 1)} to {number(100 * row['ci_high'], 1)})"


def _lowest(row: dict[str, Any], following: Rows) -> float | None:
    """The least that survival can be after a point shown: that of the next step, or as far as the curve departs."""
    lows = [after["survival"] for after in following[:1] if after["survival"] < row["survival"]]
    lows += [row["survival"] - row["deviation"]] if present(row.get("deviation")) else []
    return max(lows, default=None)
