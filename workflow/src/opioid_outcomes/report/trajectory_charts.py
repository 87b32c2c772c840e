"""The figure of latent classes: each class's course with its limits, named at its end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from opioid_outcomes.report.charts import panels
from opioid_outcomes.report.drawing import PALETTE, WIDTH, values
from opioid_outcomes.report.words import percent, present

Rows = list[dict[str, Any]]
HEIGHT = 240
LABEL_WIDTH = 92  # pixels to the right of a panel, for the names of the classes
LABEL_APART = 13  # pixels between two names


def trajectory_classes(by_cohort: dict[str, Rows]) -> Any:
    """Mean dose by month of each class (line, 95 % band), what its members had (points), and its share."""
    import altair as alt

    width = (WIDTH if len(by_cohort) == 1 else WIDTH // 2) - LABEL_WIDTH - 50
    charts = []
    for cohort, rows in by_cohort.items():
        classes = sorted({int(row["class"]) for row in rows})
        colour = alt.Color("class:N", legend=None, scale=_colours(classes))
        most = max(row[name] for row in rows for name in ("ci_high", "mean", "observed") if present(row[name]))
        dose = alt.Scale(domain=[0, most * 1.04], nice=True)
        base = alt.Chart(values(_points(rows))).encode(
            x=alt.X("month:Q", title="30-day months since entry", axis=alt.Axis(grid=False), scale=_months(rows)),
            color=colour,
        )
        band = base.mark_area(opacity=0.2).encode(y=alt.Y("ci_low:Q", scale=dose), y2="ci_high:Q")
        line = base.mark_line(strokeWidth=2).encode(y=alt.Y("mean:Q", title="MME/day", scale=dose))
        seen = base.mark_point(filled=True, size=14, opacity=0.75).encode(y=alt.Y("observed:Q", scale=dose))
        names = (
            alt.Chart(values(_names(rows, classes, most * 1.04)))
            .mark_text(align="left", fontSize=11, fontWeight="bold", clip=False)
            .encode(x=alt.value(width + 6), y=alt.Y("y:Q", scale=dose), text="label:N", color=colour)
        )
        charts.append((band + seen + line + names).properties(title=cohort, width=width, height=HEIGHT))
    return panels(charts)


def _colours(classes: list[int]) -> Any:
    import altair as alt

    return alt.Scale(domain=[str(number) for number in classes],
                     range=[PALETTE[place % len(PALETTE)] for place in range(len(classes))])  # fmt: skip


def _months(rows: Rows) -> Any:
    import altair as alt

    return alt.Scale(domain=[0, max(row["month"] for row in rows)], nice=False, padding=3)


def _points(rows: Rows) -> Rows:
    return [
        {
            "class": str(int(row["class"])),
            **{
                name: row[name] if present(row[name]) else None
                for name in ("month", "mean", "ci_low", "ci_high", "observed")
            },
        }
        for row in rows
        if present(row["mean"])
    ]


def _names(rows: Rows, classes: list[int], most: float) -> Rows:
    """Each class's name and share beside the end of its course, moved apart where they would overlap."""
    ends = []
    for number in classes:
        own = [row for row in rows if int(row["class"]) == number and present(row["mean"])]
        if own:
            last = max(own, key=lambda row: row["month"])
            ends.append({"class": str(number), "y": last["mean"], "label": f"{number}: {percent(last['share'])}"})
    apart = LABEL_APART * most / HEIGHT
    ends.sort(key=lambda end: end["y"])
    for lower, upper in pairwise(ends):
        upper["y"] = max(upper["y"], lower["y"] + apart)
    return ends
