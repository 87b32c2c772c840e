"""Love plots: how alike two arms are before and after weighting."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.drawing import EXPOSED, INK, QUIET, REFERENCE, values

Rows = list[dict[str, Any]]
IN_SCORE, LEFT_OUT = 6, 4  # lines of a panel
LINE = 11  # pixels
LABEL = 124  # pixels that names of covariates may take
FEW_PANELS, COLUMNS = 4, 3  # more panels than a few stand in three columns, so that the figure fits a page
BEFORE, AFTER = "before", "after weighting"


def chosen(rows: Rows) -> Rows:
    """The rows drawn: the largest before of those in the score, then the largest after of those left out."""
    inside = sorted((row for row in rows if row["in_score"] == 1), key=lambda row: -abs(row["smd_before"] or 0))
    outside = sorted((row for row in rows if row["in_score"] != 1), key=lambda row: -abs(row["smd_after"]))
    return [*inside[:IN_SCORE], *outside[:LEFT_OUT]]


def balance(panels: dict[str, Rows], limit: float) -> Any:
    """Absolute standardised differences, one panel per comparison: open before, filled after; a line at the limit."""
    import altair as alt

    picked = {name: chosen(rows) for name, rows in panels.items()}
    ends = [abs(row[key] or 0) for rows in picked.values() for row in rows for key in ("smd_before", "smd_after")]
    scale = alt.Scale(domain=[-0.01, 1.05 * max([*ends, 2 * limit])], nice=False)
    columns = 2 if len(picked) <= FEW_PANELS else COLUMNS
    width = 180 if columns == 2 else 88
    charts = [_panel(name, rows, scale, limit, width) for name, rows in picked.items()]
    return alt.concat(*charts, columns=columns, spacing=12).resolve_scale(color="shared", shape="shared")


def _panel(name: str, rows: Rows, scale: Any, limit: float, width: int) -> Any:
    import altair as alt

    data = [
        {"label": row["label"], "when": when, "size": abs(row[key] or 0), "kind": _kind(row)}
        for row in rows
        for when, key in ((BEFORE, "smd_before"), (AFTER, "smd_after"))
    ]
    axis = alt.Axis(ticks=False, domain=False, grid=True, labelFontSize=9, labelLimit=LABEL)
    y = alt.Y("label:N", sort=[row["label"] for row in rows], title=None, axis=axis)
    x = alt.X("size:Q", title="|standardised difference|", scale=scale, axis=alt.Axis(tickCount=3, grid=False))
    rule = alt.Chart(values([{"at": limit}])).mark_rule(color=QUIET, strokeDash=[4, 3])
    colour = alt.Color(
        "when:N", title=None, scale=alt.Scale(domain=[BEFORE, AFTER], range=[REFERENCE, EXPOSED]),
        legend=alt.Legend(orient="top"),
    )  # fmt: skip
    kinds = ["in the score", "left out of it"]
    shape = alt.Shape(
        "kind:N", title=None, scale=alt.Scale(domain=kinds, range=["circle", "triangle-up"]),
        legend=alt.Legend(orient="top", symbolStrokeColor=INK),
    )  # fmt: skip
    points = (
        alt.Chart(values(data))
        .mark_point(size=24, strokeWidth=1.4, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape)
    )
    line = rule.encode(x=alt.X("at:Q", scale=scale))
    return (line + points).properties(width=width, height=LINE * len(rows), title=alt.TitleParams(name, fontSize=10))


def _kind(row: dict[str, Any]) -> str:
    return "in the score" if row["in_score"] == 1 else "left out of it"
