"""Hazard ratios of current use by time on, kind of user, lag and dose, and whether they stay the same over time."""

from __future__ import annotations

import math
from typing import Any

from opioid_outcomes.report import ratio_charts
from opioid_outcomes.report.charts import panel_width
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.ratio_lines import (
    HEADS,
    any_told,
    counted,
    days,
    drawn,
    lag_of,
    rate_of,
    ratio_of,
    told,
)
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import listed, number, plural, present

Row = dict[str, Any]
Rows = list[Row]
ANALYSIS = "mortality.current_use"
USERS = ("new user on", "prevalent user on")
PH_LIMIT = 0.05
CHANGES = (
    "New users are those whose present use began after the washout; prevalent users were on before they could be seen "
    "to start, and are those who stayed."
)


def by_time(released: Released) -> list[Block]:
    """By days since the present use began, by kind of user and with exposure read some days before."""
    panels = {name: lines for name in released.cohorts_and_pooled if (lines := _panel(released, name))}
    if not any("estimate" in line for lines in panels.values() for line in lines):
        return []
    title = "Hazard ratios of death on against off opioids, by time since the present use began, kind of user and lag"
    alt = f"{title}. " + " ".join(
        f"{name}: {'; '.join(line['label'] + ', ' + line['reading'] for line in lines)}."
        for name, lines in panels.items()
    )
    chart = ratio_charts.forest_panels(panels, title="hazard ratio (log scale)", counts="persons / deaths")
    caption = (
        f"{title}; adjusted as far as the model allows, with 95 % confidence intervals. Lagged: each day counts under "
        "the use of so many days before, so that a change of treatment because somebody is dying does not count."
    )
    told_why = (
        f"Deaths soon after a start are told apart from those later, as people are given opioids when they are ill. "
        f"{CHANGES} A hazard ratio that falls with the lag says that part of it was treatment near the end of life."
    )
    figure = Figure(
        "hazard_ratios_by_time", svg(chart, "hazard_ratios_by_time", title, alt), caption, alt, note=released.rule
    )
    return [Heading("By time on opioids, and by dose"), Paragraph(told_why), figure, *_tables(released)]


def _rows(released: Released, cohort: str) -> Rows:
    return released.rows(cohort=cohort, analysis=ANALYSIS, outcome="death")


def _windows(rows: Rows) -> list[str]:
    return [name for name in dict.fromkeys(row["window"] for row in rows) if name]


def _panel(released: Released, cohort: str) -> Rows:
    rows = _rows(released, cohort)
    asked = [("all time on", ratio_of(rows, "on vs off"))]
    asked += [(f"{days(name)} since the start", ratio_of(rows, "on vs off", window=name)) for name in _windows(rows)]
    asked += [(f"{name.removesuffix(' on')}s", ratio_of(rows, f"{name} vs off")) for name in USERS]
    lags = sorted({lag_of(row) for row in rows} - {0})
    asked += [(f"lagged by {lag} days", ratio_of(rows, "on vs off", lag=lag)) for lag in lags]
    return [drawn(label, row, released) for label, row in asked if row is not None]


def _bands(rows: Rows) -> list[str]:
    return [
        name
        for name in dict.fromkeys(row["contrast"] for row in rows)
        if name.startswith("on at ") and " vs " not in name
    ]


def _tables(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = _rows(released, cohort)
        own: list[tuple[str, ...]] = []
        groups = [(days(name) + " since the start", "on", name) for name in _windows(rows)]
        groups += [(f"{name.removesuffix(' on')}s", name, "") for name in USERS]
        groups += [(name.replace(">=", "≥").removeprefix("on "), name, "") for name in _bands(rows)]
        for label, group, window in groups:
            ratios = [ratio_of(rows, f"{group} vs off", method, window=window) for method in ("crude", "")]
            own.append(
                (
                    label,
                    *counted(rate_of(rows, group, window=window), released),
                    *(told(row, released) for row in ratios),
                )
            )
        lines += [(cohort,), *own] if any_told(own) else []
    if not lines:
        return [Notice("Rates by time on opioids and by dose may not be shown.")]
    caption = (
        "Deaths per 1,000 person-years on opioids by days since the present use began, kind of user and current dose, "
        "with the hazard ratio of each against all time off. An adjusted ratio may stand where its counts may not: it "
        f"gives none of them back.{released.rates_of}"
    )
    heads = ("Time on opioids", *HEADS, "Hazard ratio, crude", "Hazard ratio, adjusted")
    widths = (1.5, 0.8, 0.9, 0.8, 1.5, 1.5, 1.5)
    return [Table("current_use_rates", caption, heads, tuple(lines), 6, released.rule, widths, wide=True)]


def dose_response(released: Released) -> list[Block]:
    """Hazard ratio along current dose."""
    by_cohort: dict[str, Rows] = {}
    for cohort in released.cohorts:
        rows = [row for row in released.display("dose_response", cohort) if present(row["log_hr"])]
        points = [
            {
                "mme": row["mme"],
                **{
                    to: math.exp(row[of]) for to, of in (("estimate", "log_hr"), ("low", "ci_low"), ("high", "ci_high"))
                },
            }
            for row in rows
        ]
        if len(points) > 1:
            by_cohort[cohort] = points
    if not by_cohort:
        return []
    title = "Hazard ratio of death by current dose, against off opioids"
    alt = f"{title}. " + " ".join(f"{name}: {_curve_words(rows)}." for name, rows in by_cohort.items())
    chart = ratio_charts.dose_curve(by_cohort, width=panel_width(len(by_cohort)))
    caption = (
        f"{title}: natural spline with three knots, adjusted for all baseline covariates, with pointwise 95 % limits, "
        "between the 5th and 95th percentile of dose. Time on at an unknown dose is left out. It describes who is "
        "given which dose and how they fare; it is no effect of dose."
    )
    return [Figure("dose_response", svg(chart, "dose_response", title, alt), caption, alt, note=released.rule)]


def _curve_words(rows: Rows) -> str:
    places = sorted({0, len(rows) // 2, len(rows) - 1})
    return listed([
        f"{number(rows[k]['estimate'], 2)} ({number(rows[k]['low'], 2)} to {number(rows[k]['high'], 2)}) at "
        f"{number(rows[k]['mme'])} MME/day"
        for k in places
    ])  # fmt: skip


def proportionality(released: Released) -> list[Block]:
    """In words whether the hazard ratio on against off may be one number for all of follow-up."""
    told_of = []
    for cohort in released.cohorts:
        rows = released.display("proportional_hazards", cohort)
        own = next((row for row in rows if row["method"] == "adjusted_full" and row["term"] != "all"), None)
        own = own or next((row for row in rows if row["term"] != "all"), None)
        if own is None or not present(own["p_value"]):
            continue
        changes = own["p_value"] < PH_LIMIT
        p = "under 0.001" if own["p_value"] < 0.001 else number(own["p_value"], 3)
        told_of.append(
            f"in `{cohort}` the hazard ratio on against off {'changes' if changes else 'shows no change'} over "
            f"follow-up (chi-square {number(own['chi_square'], 2)}, {plural(int(own['degrees']), 'degree')} of "
            f"freedom, p {p})"
            + (": one number for all of it is an average, and the survival curves say more" if changes else "")
        )
    if not told_of:
        return []
    few = " With few deaths the test misses changes."
    return [Paragraph(f"Proportional hazards were tested (Grambsch and Therneau): {listed(told_of)}.{few}")]
