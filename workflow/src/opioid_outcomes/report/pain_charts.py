"""The figures of the test of hyperalgesia: effect by lag, the conditions of the verdict, how often it errs."""

from __future__ import annotations

import math
from typing import Any

from opioid_outcomes.report.charts import panel_width, panels
from opioid_outcomes.report.drawing import BLUE, GREEN, GRID, INK, QUIET, REFERENCE, VERMILION, values

Rows = list[dict[str, Any]]
# Shapes that the mechanisms predict for the effect of one dose step by months since, METHODS D2
WANING, GROWING = 2.0, 3.0  # months: relief falls as exp(-(m - 1) / 2), harm rises as 1 - exp(-m / 3)
RELIEF, HARM = "tolerance: relief that wanes", "hyperalgesia: harm that grows"
MONTH = 30  # days
MET = {True: "met", False: "not met", None: "not measurable"}
STATES = (GREEN, VERMILION, QUIET)  # colours of these
SHAPES = ("circle", "circle", "stroke")  # full, open, a dash: told apart without colour
CONDITION_WIDTH = 430  # pixels
CELL_WIDTH = 108  # pixels: a mark and "not measurable", and a gap before the next mark


def predicted(first: float, months: int) -> Rows:
    """Two schematic courses from the effect found in the first month: relief that wanes, and with it harm that grows.

    ``first``: points of pain; where it is not below 0 there is no relief to wane, and harm starts at 0. Both courses
    start alike; harm brings the last month one point above where relief alone leaves it.
    """
    relief = min(first, 0.0)
    start = math.exp(-1 / GROWING)  # what the first month's effect already holds
    rise = start - math.exp(-months / GROWING)
    rows = []
    for month in range(1, months + 1):
        waned = relief * math.exp(-(month - 1) / WANING)
        grown = (start - math.exp(-month / GROWING)) / rise if rise else 0.0
        rows += [
            {"month": month, "course": RELIEF, "value": waned},
            {"month": month, "course": HARM, "value": waned + grown},
        ]
    return rows


def effect_by_lag(by_cohort: dict[str, Rows], *, smallest: float, step: str) -> Any:
    """Effect of one dose step by months since (points, 95 % intervals), with the courses that mechanisms predict.

    ``by_cohort``: rows with ``month``, ``estimate``, ``low``, ``high``. ``step``: the unit, for the axis.
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
        y = alt.Y("estimate:Q", title=f"effect, {step}")
        base = alt.Chart(values(rows)).encode(x=x)
        band = alt.Chart(values([{"low": -smallest, "high": smallest}])).mark_rect(color=GRID, opacity=0.8)
        null = alt.Chart(values([{"null": 0.0}])).mark_rule(color=QUIET).encode(y="null:Q")
        # black: no colour of a mechanism
        spans = base.mark_rule(color=INK, strokeWidth=1.6).encode(y=alt.Y("low:Q"), y2="high:Q")
        points = base.mark_point(filled=True, size=50, opacity=1, shape="square", color=INK).encode(y=y)
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
    """The conditions of each reading as lines, with a column per cohort: met or not, and the number it is about.

    ``by_cohort``: rows with ``reading``, ``name``, ``met``, ``value`` (text); the same conditions in every cohort.
    """
    import altair as alt

    lines = _condition_lines(next(iter(by_cohort.values())))
    column = max(CELL_WIDTH, max(len(name) for name in by_cohort) * 6 + 28)
    order = [row["line"] for row in lines]
    y = alt.Y("line:N", sort=order, axis=None)
    texts = alt.Chart(values(lines)).encode(y=y, text="text:N")
    heads = texts.transform_filter("datum.head").mark_text(align="left", fontWeight="bold")
    plain = texts.transform_filter("!datum.head").mark_text(align="left")
    layers = [heads.encode(x=alt.value(0)), plain.encode(x=alt.value(12))]
    states = list(MET.values())
    scale = alt.Scale(domain=[*states, ""], range=[*STATES, INK])
    colour = alt.Color("state:N", legend=None, scale=scale)
    fill = alt.Fill("state:N", legend=None, scale=alt.Scale(domain=states, range=[STATES[0], "white", "white"]))
    shape = alt.Shape("state:N", legend=None, scale=alt.Scale(domain=states, range=list(SHAPES)))
    for place, (cohort, rows) in enumerate(by_cohort.items()):
        start = CONDITION_WIDTH + place * column
        base = alt.Chart(values(_cells(cohort, rows))).encode(y=y)
        marks = base.transform_filter("datum.state").mark_point(size=45, strokeWidth=1.6, opacity=1)
        told = base.mark_text(align="left").encode(x=alt.value(start + 12), text="value:N", color=colour)
        layers += [
            marks.encode(
                x=alt.value(start), fill=fill, shape=shape, stroke=alt.Stroke("state:N", legend=None, scale=scale)
            ),
            told,
        ]
    return alt.layer(*layers).properties(width=CONDITION_WIDTH + len(by_cohort) * column, height=alt.Step(15))


def _condition_lines(rows: Rows) -> Rows:
    """A heading for each reading, and below it its conditions; the first line is for the names of the cohorts."""
    lines: Rows = [{"line": "", "text": "conditions met, and their numbers", "head": False}]
    for reading in dict.fromkeys(row["reading"] for row in rows):
        lines.append({"line": reading, "text": reading[:1].upper() + reading[1:], "head": True})
        lines += [
            {"line": f"{reading}: {row['name']}", "text": row["name"], "head": False}
            for row in rows
            if row["reading"] == reading
        ]
    return lines


def _cells(cohort: str, rows: Rows) -> Rows:
    """What stands in the column of a cohort."""
    cells: Rows = [{"line": "", "state": "", "value": cohort}]
    for reading in dict.fromkeys(row["reading"] for row in rows):
        own = [row for row in rows if row["reading"] == reading]
        met = sum(row["met"] is True for row in own)
        cells.append({"line": reading, "state": "", "value": f"{met} of {len(own)}"})
        cells += [
            {
                "line": f"{reading}: {row['name']}", "state": MET[row["met"]],
                "value": row["value"] if row["met"] is not None else MET[None],
            }
            for row in own
        ]  # fmt: skip
    return cells


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
                "verdict:N",
                sort=verdicts,
                title="verdict reached:",
                axis=alt.Axis(orient="top", labelAngle=0, ticks=False, titleAnchor="start", titlePadding=8),
            ),
            y=alt.Y(
                "world:N",
                sort=worlds,
                title="simulated world",
                axis=alt.Axis(ticks=False, labelLimit=260, titlePadding=12),
            ),
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
            opacity=alt.condition("datum.share > 0", alt.value(1), alt.value(0.45)),
        )
        charts.append((cells + frame + labels).properties(title=cohort, width=440, height=alt.Step(34)))
    return alt.vconcat(*charts, spacing=18)


def event_study(by_cohort: dict[str, Rows]) -> Any:
    """Coefficients by 30-day month from the event, at 0: ``start`` in days, ``estimate``, ``low``, ``high``.

    Each stands in the middle of its month; the month before the event, with which they are compared, at 0.
    """
    import altair as alt

    width = panel_width(len(by_cohort))
    charts = []
    for cohort, rows in by_cohort.items():
        data = [row | {"month": row["start"] / MONTH + 0.5} for row in rows]
        ends = [math.floor(min(row["month"] for row in data)), math.ceil(max(row["month"] for row in data))]
        scale = alt.Scale(domain=[min(ends[0], -1), max(ends[1], 1)], nice=False)
        axis = alt.Axis(grid=False, tickMinStep=1)
        x = alt.X("month:Q", title="30-day months from the escalation", scale=scale, axis=axis)
        y = alt.Y("estimate:Q", title="points, against the month before")
        base = alt.Chart(values(data)).encode(x=x)
        spans = base.mark_rule(color=QUIET, strokeWidth=1.4).encode(y=alt.Y("low:Q"), y2="high:Q")
        points = base.mark_point(filled=True, size=70, opacity=1, shape="cross", angle=45, color=QUIET).encode(y=y)
        compared = alt.Chart(values([{"month": -0.5, "estimate": 0.0}])).encode(x=x, y=y)
        null = alt.Chart(values([{"null": 0.0}])).mark_rule(color=QUIET).encode(y="null:Q")
        now = alt.Chart(values([{"month": 0.0}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x=x)
        reference = compared.mark_point(size=50, fill="white", stroke=QUIET, opacity=1)
        charts.append((null + now + spans + points + reference).properties(title=cohort, width=width, height=190))
    return panels(charts)
