"""The figures of the test of hyperalgesia: effect by lag, the conditions of the verdict, how often it errs."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import Any

from opioid_outcomes.report.charts import panel_width, panels
from opioid_outcomes.report.drawing import BLUE, EXPOSED, GREEN, GRID, INK, QUIET, REFERENCE, VERMILION, values

Rows = list[dict[str, Any]]
# Shapes that the mechanisms predict for the effect of one dose step by months since, METHODS D2
WANING, GROWING = 2.0, 3.0  # months: relief falls as exp(-(m - 1) / 2), harm rises as 1 - exp(-m / 3)
RELIEF, HARM = "tolerance: relief that wanes", "hyperalgesia: harm that grows"
MET = {True: "met", False: "not met", None: "not measurable"}
MARKS = {"met": "●", "not met": "○", "not measurable": "?"}
CONDITION_WIDTH = 74  # characters in a line


def predicted(first: float, months: int) -> Rows:
    """Two schematic courses from the effect found in the first month: relief that wanes, and with it harm that grows.

    ``first``: points of pain; where it is not below 0 there is no relief to wane, and harm starts from there.
    """
    relief = min(first, 0.0)
    # harm that brings the last month one point above where relief alone would leave it
    rise = 1 / -math.expm1(-months / GROWING)
    rows = []
    for month in range(1, months + 1):
        waned = relief * math.exp(-(month - 1) / WANING)
        grown = rise * (-math.expm1(-month / GROWING) + math.expm1(-1 / GROWING))
        rows += [
            {"month": month, "course": RELIEF, "value": waned},
            {"month": month, "course": HARM, "value": waned + grown},
        ]
    return rows


def effect_by_lag(by_cohort: dict[str, Rows], *, smallest: float) -> Any:
    """Effect of one dose step by months since (points, 95 % intervals), with the courses that mechanisms predict.

    ``by_cohort``: rows with ``month``, ``estimate``, ``low``, ``high``.
    """
    import altair as alt

    width = panel_width(len(by_cohort))
    charts = []
    for cohort, rows in by_cohort.items():
        months = max(int(row["month"]) for row in rows)
        x = alt.X(
            "month:Q",
            title="months since the dose step",
            scale=alt.Scale(domain=[0.5, months + 0.5], nice=False),
            axis=alt.Axis(grid=False, tickMinStep=1),
        )
        y = alt.Y("estimate:Q", title="effect on pain, points per step")
        base = alt.Chart(values(rows)).encode(x=x)
        band = alt.Chart(values([{"low": -smallest, "high": smallest}])).mark_rect(color=GRID, opacity=0.8)
        null = alt.Chart(values([{"null": 0.0}])).mark_rule(color=QUIET).encode(y="null:Q")
        spans = base.mark_rule(color=INK, strokeWidth=1.6).encode(y=alt.Y("low:Q"), y2="high:Q")
        points = base.mark_point(filled=True, size=60, opacity=1, shape="square", color=EXPOSED).encode(y=y)
        shapes = (
            alt.Chart(values(predicted(rows[0]["estimate"], months)))
            .mark_line(strokeWidth=1.8)
            .encode(
                x=x,
                y="value:Q",
                color=alt.Color(
                    "course:N",
                    title="predicted shapes (schematic)",
                    scale=alt.Scale(domain=[RELIEF, HARM], range=[BLUE, VERMILION]),
                    legend=alt.Legend(orient="top", labelLimit=300),
                ),
                strokeDash=alt.StrokeDash(
                    "course:N", legend=None, scale=alt.Scale(domain=[RELIEF, HARM], range=[[2, 2], [7, 3]])
                ),
            )
        )
        layers = band.encode(y="low:Q", y2="high:Q") + null + shapes + spans + points
        charts.append(layers.properties(title=cohort, width=width, height=240))
    return panels(charts)


def verdict_conditions(by_cohort: dict[str, Rows]) -> Any:
    """Each condition of each reading as a line: met, not met or not measurable, and the number it is about.

    ``by_cohort``: rows with ``reading``, ``name``, ``met``, ``value`` (text).
    """
    import altair as alt

    charts = []
    for cohort, rows in by_cohort.items():
        data = [
            {
                "line": f"{row['reading']}: " + "\n".join(wrap(row["name"], CONDITION_WIDTH)),
                "state": MET[row["met"]],
                "mark": MARKS[MET[row["met"]]],
                "value": f"{MET[row['met']]}{', ' + row['value'] if row['value'] else ''}",
            }
            for row in rows
        ]
        lines = alt.Axis(ticks=False, domain=False, labelExpr="split(datum.label, '\\n')", labelLimit=520)
        base = alt.Chart(values(data)).encode(
            y=alt.Y("line:N", sort=[row["line"] for row in data], title=None, axis=lines),
            color=alt.Color(
                "state:N",
                legend=None,
                scale=alt.Scale(domain=list(MARKS), range=[GREEN, VERMILION, QUIET]),
            ),
        )
        marks = base.mark_text(fontSize=15, fontWeight="bold").encode(x=alt.value(10), text="mark:N")
        told = base.mark_text(align="left").encode(x=alt.value(24), text="value:N")
        charts.append((marks + told).properties(title=cohort, width=170, height=alt.Step(17)))
    return alt.vconcat(*charts, spacing=18)


def calibration(by_cohort: dict[str, Rows], worlds: list[str], verdicts: list[str]) -> Any:
    """Heat map: how often each verdict (column) is reached in each world (row).

    ``by_cohort``: rows with ``world``, ``verdict``, ``share``, ``label``, ``right`` (1 where the verdict is the true
    one).
    """
    import altair as alt

    charts = []
    for cohort, rows in by_cohort.items():
        base = alt.Chart(values(rows)).encode(
            x=alt.X(
                "verdict:N", sort=verdicts, title="verdict", axis=alt.Axis(orient="top", labelAngle=0, ticks=False)
            ),
            y=alt.Y("world:N", sort=worlds, title="simulated world", axis=alt.Axis(ticks=False, labelLimit=260)),
        )
        cells = base.mark_rect(stroke="white", strokeWidth=2).encode(
            color=alt.Color(
                "share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=["#f4f6f8", REFERENCE], nice=False)
            )
        )
        frame = (
            base.transform_filter("datum.right == 1")
            .mark_rect(fill=None, stroke=INK, strokeWidth=2)
            .encode(color=alt.value("transparent"))
        )
        labels = base.mark_text(fontWeight="bold").encode(
            text="label:N",
            color=alt.condition("datum.share > 0.55", alt.value("white"), alt.value(INK)),
        )
        charts.append((cells + frame + labels).properties(title=cohort, width=440, height=alt.Step(34)))
    return alt.vconcat(*charts, spacing=18)


def event_study(by_cohort: dict[str, Rows]) -> Any:
    """Coefficients by days from the event: ``start`` of 30 days, ``estimate``, ``low``, ``high``; the event at 0."""
    import altair as alt

    width = panel_width(len(by_cohort))
    charts = []
    for cohort, rows in by_cohort.items():
        base = alt.Chart(values([row | {"month": row["start"] / 30} for row in rows])).encode(
            x=alt.X("month:Q", title="30-day months from the escalation", axis=alt.Axis(grid=False, tickMinStep=1))
        )
        spans = base.mark_rule(color=QUIET, strokeWidth=1.4).encode(y=alt.Y("low:Q"), y2="high:Q")
        points = base.mark_point(size=70, opacity=1, shape="cross", angle=45, color=QUIET, strokeWidth=2).encode(
            y=alt.Y("estimate:Q", title="points, against the month before")
        )
        null = alt.Chart(values([{"null": 0.0}])).mark_rule(color=QUIET).encode(y="null:Q")
        now = alt.Chart(values([{"x": -0.5}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="x:Q")
        charts.append((null + now + spans + points).properties(title=cohort, width=width, height=190))
    return panels(charts)
