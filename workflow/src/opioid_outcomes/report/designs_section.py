"""One number per design, side by side: why the naive answer misleads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from opioid_outcomes.report import forest
from opioid_outcomes.report.document import Block, Figure, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.mortality_words import find, primary_horizon, simulated, within
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import has_interval, interval, number

Row = dict[str, Any]
TRAP = "ever_vs_never"


@dataclass(frozen=True)
class Design:
    """A way to ask. ``wanted``: columns of its row; ``asks``: its estimand in words."""

    name: str
    asks: str
    wanted: dict[str, str]
    wrong: bool = False


def designs_of(released: Released) -> tuple[Design, ...]:
    """The designs, from the one that is wrong by construction to those that answer causal questions."""
    config = released.config
    days = primary_horizon(config)
    window = f"0-{days}"
    return (
        Design(
            "ever against never, from entry",
            "WRONG BY DESIGN, shown for simulated cohorts only: people who ever use are counted as users from entry "
            "on, though they had to live until they started. Deaths before starting all fall to never users "
            "(immortal time).",
            {"analysis": "mortality.current_use", "method": TRAP, "scale": "log_hr"}, wrong=True,
        ),
        Design(
            "current use, adjusted",
            "Descriptive: the death rate on a day on opioids against a day off them, among people alike at entry. Use "
            "that changes because somebody is dying is in it.",
            {
                "analysis": "mortality.current_use", "method": "adjusted_full", "scale": "log_hr",
                "contrast": "on vs off", "window": "",
            },
        ),
        Design(
            "new users",
            f"Primary: the risk of death within {within(days)} if an opioid is started on an eligible day, against not "
            "starting that day, whatever follows, in people about whom there is doubt whether to treat.",
            {
                "analysis": "mortality.new_user", "method": config.mortality.weights, "scale": "risk_ratio",
                "contrast": "new user vs non user", "window": window,
            },
        ),
        Design(
            "marginal structural model",
            "Secondary: the death rate on a day, had everybody been on opioids against off, with what drives use over "
            "time balanced by weights.",
            {"analysis": "mortality.msm", "method": "iptw", "scale": "log_hr", "contrast": "on vs off"},
        ),
        Design(
            "start and stay against never",
            f"Secondary: the risk of death within {within(days)} if everybody started within the grace period and "
            "stayed on, against never starting.",
            {
                "analysis": "mortality.sustained", "method": "ipw", "scale": "risk_ratio",
                "contrast": "start and stay vs never", "window": window,
            },
        ),
    )  # fmt: skip


def designs(released: Released) -> Section | None:
    """None where fewer than two designs have a number in some cohort."""
    told: list[tuple[str, Design, Row]] = []
    for cohort in released.cohorts:
        own = [(cohort, design, row) for design in designs_of(released) if (row := _row(released, cohort, design))]
        told += own if len(own) > 1 else []
    if not told:
        return None
    wrong = any(design.wrong for _, design, _ in told)
    blocks: list[Block] = [Paragraph(_reading(wrong=wrong)), _figure(released, told), _table(released, told)]
    return Section("designs", "The same deaths, asked in different ways", tuple(blocks))


def _row(released: Released, cohort: str, design: Design) -> Row | None:
    if design.wrong and cohort not in simulated(released):
        return None
    rows = [row for row in released.rows(cohort=cohort, outcome="death") if has_interval(row)]
    return find(rows, **design.wanted)


def _reading(*, wrong: bool) -> str:
    trap = (
        " The first line is a trap that is easily fallen into, drawn in grey with a cross: the time before "
        "starting, in which users cannot die, makes opioids look safer than they are, whatever is adjusted for."
        if wrong
        else ""
    )
    return (
        "Each design asks another question of the same people, and none of the numbers is a correction of another: "
        "they differ in whom they speak of, for how long, and in what they take as given." + trap + " A risk ratio and "
        "a hazard ratio are close where deaths are few, and are not the same number."
    )


def _ratio(released: Released, row: Row) -> tuple[float, float, float, str]:
    ends = [row[name] for name in ("estimate", "ci_low", "ci_high")]
    if row["scale"] == "log_hr":
        ends = [math.exp(value) for value in ends]
    return ends[0], ends[1], ends[2], interval(row, released.scale(row))


def _figure(released: Released, told: list[tuple[str, Design, Row]]) -> Figure:
    rows: list[dict[str, Any]] = []
    for cohort, design, row in told:
        estimate, low, high, reading = _ratio(released, row)
        rows.append(
            {
                "label": f"{cohort}: {design.name}{' (wrong)' if design.wrong else ''}", "estimate": estimate,
                "low": low, "high": high, "reading": reading, "wrong": design.wrong,
                "counts": f"{number(row['persons'])} / {number(row['events'])}",
            }
        )  # fmt: skip
    title = "Death on against off opioids, by design"
    alt = f"{title}, ratios: " + "; ".join(f"{row['label']}, {row['reading']}" for row in rows) + "."
    chart = forest.ratios(rows, title="hazard or risk ratio (log scale)", counts="persons / deaths")
    caption = (
        f"{title}: one number per design, with 95 % confidence intervals. What each asks is in the table below; "
        "designs that a gate withholds are left out."
    )
    return Figure("designs", svg(chart, "designs", title, alt), caption, alt, note=released.rule)


def _table(released: Released, told: list[tuple[str, Design, Row]]) -> Table:
    lines: list[tuple[str, ...]] = []
    for design in designs_of(released):
        found = [(cohort, row) for cohort, other, row in told if other == design]
        if found:
            numbers = "; ".join(f"{cohort}: {_ratio(released, row)[3]}" for cohort, row in found)
            scale = "risk ratio" if design.wanted["scale"] == "risk_ratio" else "hazard ratio"
            lines.append((design.name, design.asks, scale, numbers))
    heads = ("Design", "What it asks", "Number", "Found (95 % CI)")
    return Table("designs", "What each design asks.", heads, tuple(lines), 0, released.rule, (1.2, 3, 0.7, 1.6))
