"""Excess deaths of new users by cause, and their shares."""

from __future__ import annotations

import re
from typing import Any

from opioid_outcomes.report import cause_chart
from opioid_outcomes.report.document import Block, Bullets, Figure, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.mortality_words import (
    NEW_USER_CONTRASTS,
    against,
    find,
    primary_horizon,
    reasons,
    short,
    within,
)
from opioid_outcomes.report.new_user_section import told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    MISSING,
    POOLED,
    WITHHELD,
    has_interval,
    interval,
    number,
    percent,
    present,
    printed,
)

Row = dict[str, Any]
Rows = list[Row]
CAUSE, SHARE = "mortality.cause", "mortality.overdose_share"
OVERDOSE = "death:opioid overdose"
BOUNDS = re.compile(r"from (-?[\d.]+) to (-?[\d.]+) as the unknown causes may have been")
SUM = "all causes (sum)"


def causes(released: Released) -> Section | None:
    """None where the study did not ask for it."""
    if not _all(released):
        return None
    lead = Paragraph(
        "Which causes the difference in deaths between new users and comparators is made of, in the treated (ATT): "
        "cumulative incidence by cause with the other causes competing, from the same weights and risk sets for all, "
        "so that differences add up to that of all deaths and shares to 100 %. A share is given only where the "
        "difference in all deaths is told apart from none and no cause points the other way with its interval. Unknown "
        "causes are a cause of their own. This is exploratory."
    )
    blocks: list[Block] = [lead]
    for days in (primary_horizon(released.config), max(released.config.mortality.horizons_days)):
        tables = _tables(released, days)
        if tables:
            return Section("causes", "Causes of the excess deaths", (*blocks, *tables, *_absent(released, days)))
    notice = Notice("No difference by cause may be shown; the reasons follow.")
    blocks += [notice, *_absent(released, primary_horizon(released.config))]
    return Section("causes", "Causes of the excess deaths", tuple(blocks))


def _all(released: Released) -> Rows:
    """Differences and shares in new users; hazards by cause of the same analysis are told elsewhere."""
    rows = [*released.rows(analysis=CAUSE), *released.rows(analysis=SHARE)]
    return [row for row in rows if row["contrast"] in NEW_USER_CONTRASTS.values() and row["scale"] != "log_hr"]


def _of(released: Released, cohort: str, comparator: str, days: int) -> tuple[Rows, Rows]:
    """Differences and shares by cause."""
    contrast, window = NEW_USER_CONTRASTS[comparator], f"0-{days}"
    found = [
        row for row in _all(released) if (row["cohort"], row["contrast"], row["window"]) == (cohort, contrast, window)
    ]
    return [r for r in found if r["analysis"] == CAUSE], [r for r in found if r["analysis"] == SHARE]


def _panels(released: Released, days: int) -> dict[tuple[str, str], tuple[Rows, Rows]]:
    """Differences and shares of the comparisons in which two causes or more may be told."""
    found = {}
    for cohort in released.cohorts:
        for comparator in NEW_USER_CONTRASTS:
            differences, shares = _of(released, cohort, comparator, days)
            if sum(present(row["estimate"]) for row in differences) > 1:
                found[cohort, comparator] = differences, shares
    return found


def _tables(released: Released, days: int) -> list[Block]:
    panels = _panels(released, days)
    if not panels:
        return []
    lines: list[tuple[str, ...]] = []
    bounds: list[str] = []
    for (cohort, comparator), (differences, shares) in panels.items():
        name = f"{cohort}, {against(comparator)}"
        lines.append((name,))
        for row in differences:
            share = find(shares, outcome=row["outcome"])
            lines.append((_cause(row), *_risks(released, cohort, comparator, row), *_cells(released, row, share)))
        lines.append(_sum(released, differences, shares))
        bounds += _bounds(name, shares)
    caption = (
        f"Deaths within {within(days)} by cause: cumulative incidence in the arms, the difference in percentage "
        "points, and its share of the difference in all deaths (95 % CI). Deaths of either arm count people."
    )
    heads = ("Cause", "Risk, new users", "Risk, comparators", "Difference", "Share", "Deaths")
    table = Table("cause_table", caption, heads, tuple(lines), 5, released.rule, (1.8, 1, 1, 1.7, 1.6, 0.8))
    blocks: list[Block] = [_figure(released, panels, days), table, *_pooled(released, days)]
    return [*blocks, Paragraph("Opioid overdose and the unknown causes:"), Bullets(tuple(bounds))] if bounds else blocks


def _pooled(released: Released, days: int) -> list[Block]:
    """Shares of all cohorts together, where there are any."""
    lines = []
    for comparator in NEW_USER_CONTRASTS:
        _, shares = _of(released, POOLED, comparator, days)
        known = [f"{_cause(row)} {interval(row, released.scale(row))} %" for row in shares if present(row["estimate"])]
        if known:
            lines.append(f"{against(comparator)}: {'; '.join(known)}.")
    lead = "Shares of the cohorts pooled: differences by cause over that in all deaths, with the weights of the latter:"
    return [Paragraph(lead), Bullets(tuple(lines))] if lines else []


def _cause(row: Row) -> str:
    return str(row["outcome"].removeprefix("death:"))


def _risks(released: Released, cohort: str, comparator: str, row: Row) -> tuple[str, str]:
    rows = released.display("cause_incidence", cohort)
    own = find(rows, comparator=comparator, cause=_cause(row), window=row["window"])
    if own is None or not present(row["estimate"]):
        return WITHHELD, WITHHELD
    if own["suppressed"]:
        return WITHHELD, WITHHELD
    return percent(own["risk_new_users"]), percent(own["risk_comparators"])


def _cells(released: Released, row: Row, share: Row | None) -> tuple[str, str, str]:
    deaths = number(row["events"]) if present(row["events"]) else WITHHELD
    return told(released, row), short(share, lambda known: interval(known, released.scale(known))), deaths


def _sum(released: Released, differences: Rows, shares: Rows) -> tuple[str, ...]:
    """The sum over causes, where none of them is withheld."""
    if not all(present(row["estimate"]) for row in differences):
        return (SUM, MISSING, MISSING, "a cause is withheld", MISSING, MISSING)
    scale = released.scale(differences[0])
    total = printed(sum(row["estimate"] for row in differences), scale)
    whole = MISSING
    if shares and all(present(row["estimate"]) for row in shares):
        whole = printed(sum(row["estimate"] for row in shares), released.scale(shares[0]))
    deaths = number(sum(row["events"] or 0 for row in differences))
    return (SUM, MISSING, MISSING, total, whole, deaths)


def _bounds(name: str, shares: Rows) -> list[str]:
    row = find(shares, outcome=OVERDOSE)
    found = BOUNDS.search(row["note"]) if row and present(row["estimate"]) else None
    if found is None:
        return []
    low, high = (f"{100 * float(value):.0f} %" for value in found.groups())
    return [
        f"{name}: had none or all of the unknown causes been opioid overdoses, in the arm where that matters most, the "
        f"share would lie from {low} to {high}."
    ]


def _figure(released: Released, panels: dict[tuple[str, str], tuple[Rows, Rows]], days: int) -> Figure:
    drawn: dict[str, Rows] = {}
    for (cohort, comparator), (differences, shares) in panels.items():
        rows = []
        for row in differences:
            if not has_interval(row):
                continue
            share = find(shares, outcome=row["outcome"])
            known = share is not None and present(share["estimate"])
            rows.append(
                {
                    "label": _cause(row), "estimate": 100 * row["estimate"], "low": 100 * row["ci_low"],
                    "high": 100 * row["ci_high"], "reading": interval(row, released.scale(row)),
                    "counts": printed(share["estimate"], released.scale(share)) + " %" if share and known else MISSING,
                }
            )  # fmt: skip
        if rows:
            drawn[f"{cohort}: {against(comparator)}"] = rows
    title = f"Difference in deaths within {within(days)} by cause"
    alt = f"{title}, new users minus comparators, percentage points. " + " ".join(
        f"{name}: " + "; ".join(f"{row['label']} {row['reading']}" for row in rows) + "."
        for name, rows in drawn.items()
    )
    caption = (
        f"{title}, new users minus comparators, in percentage points with 95 % confidence intervals, and each cause's "
        "share of the difference in all deaths. Causes with too few deaths are not drawn."
    )
    chart = cause_chart.differences(drawn)
    return Figure("cause_incidence", svg(chart, "cause_incidence", title, alt), caption, alt, note=released.rule)


def _absent(released: Released, days: int) -> list[Block]:
    asked = [row | {"window": ""} for row in _all(released) if row["window"] in ("", f"0-{days}")]
    comparators = {contrast: name for name, contrast in NEW_USER_CONTRASTS.items()}
    groups: dict[tuple[str, str, str], Rows] = {}
    for row in asked:
        groups.setdefault((row["cohort"], row["contrast"], row["analysis"]), []).append(row)
    told_of = []
    for (cohort, contrast, analysis), rows in groups.items():
        # of what has no difference to be a share of, one sentence is enough
        if analysis == SHARE and not any(present(row["estimate"]) for row in groups.get((cohort, contrast, CAUSE), [])):
            continue
        name = f"{cohort}, {against(comparators[contrast])}{', shares' if analysis == SHARE else ''}"
        for gate in dict.fromkeys(row["gate"] for row in rows if not present(row["estimate"])):
            own = [row for row in rows if row["gate"] == gate]
            some = "" if len(own) == len(rows) else ", some causes" if len(own) > 1 else f", {_cause(own[0])}"
            told_of.append((f"{name}{some}", own[0]))
    withheld = reasons(told_of)
    return [Paragraph("Not shown, and why:"), Bullets(withheld)] if withheld else []
