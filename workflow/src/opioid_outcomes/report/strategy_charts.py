"""Weights over follow-up: how far they are from one, and what they leave of the people."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.charts import panel_width, panels
from opioid_outcomes.report.drawing import EXPOSED, GRID, QUIET, REFERENCE, values

Rows = list[dict[str, Any]]
MEAN, P99, PEOPLE, EFFECTIVE = "mean weight", "99th percentile", "people followed", "effective number"


def weights(by_cohort: dict[str, Rows], band: tuple[float, float]) -> Any:
    """Mean and 99th percentile of weights by period with the band of the gate, and below people and their effective
    number."""
    import altair as alt

    width = panel_width(len(by_cohort), 80)
    charts = []
    for cohort, rows in by_cohort.items():
        top = _lines(rows, {MEAN: "mean", P99: "p99"}, "weight", zero=False)
        grey = alt.Chart(values([{"low": band[0], "high": band[1]}])).mark_rect(color=GRID)
        grey = grey.encode(y=alt.Y("low:Q", title="weight", scale=alt.Scale(zero=False)), y2="high:Q")
        below = _lines(rows, {PEOPLE: "persons", EFFECTIVE: "ess"}, "people", zero=True)
        upper = (grey + top).properties(width=width, height=140, title=cohort)
        charts.append(alt.vconcat(upper, below.properties(width=width, height=90), spacing=8))
    return panels(charts).resolve_scale(color="shared", strokeDash="shared")


def _lines(rows: Rows, names: dict[str, str], title: str, *, zero: bool) -> Any:
    import altair as alt

    data = [
        {"period": row["period"], "what": what, "value": row[column]}
        for what, column in names.items()
        for row in rows
        if row[column] is not None
    ]
    order = [MEAN, P99, PEOPLE, EFFECTIVE]
    colour = alt.Color(
        "what:N", title=None, legend=alt.Legend(orient="top"),
        scale=alt.Scale(domain=order, range=[EXPOSED, REFERENCE, QUIET, EXPOSED]),
    )  # fmt: skip
    dash = alt.StrokeDash("what:N", title=None, scale=alt.Scale(domain=order, range=[[1, 0], [6, 3], [1, 0], [2, 2]]))
    return (
        alt.Chart(values(data))
        .mark_line(strokeWidth=1.8)
        .encode(
            x=alt.X("period:Q", title="30-day period since entry"),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=zero), axis=alt.Axis(tickCount=4)),
            color=colour, strokeDash=dash,
        )
    )  # fmt: skip
