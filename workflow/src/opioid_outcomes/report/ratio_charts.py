"""Figures of many ratios: forests in panels, ratios along bands of time, and a curve along dose."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.charts import panels as side_by_side
from opioid_outcomes.report.drawing import EXPOSED, GRID, INK, PALETTE, QUIET, values

Rows = list[dict[str, Any]]
LINE = 17  # pixels of a line of a forest
LABELS = 190  # pixels for its labels, the same in all panels so that they stand below each other
TICKS = (0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 1, 1.5, 2, 3, 5, 10, 20, 50)
EDGES = 0.05, 50.0  # wider intervals are cut at the edge of the axis


def _log_scale(ends: list[float], step: float = 1.08) -> tuple[Any, list[float]]:
    import altair as alt

    low, high = max(EDGES[0], min([1.0, *ends]) / step), min(EDGES[1], max([1.0, *ends]) * step)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    if len(ticks) > 7:
        ticks = [tick for tick in ticks if tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)]
    return alt.Scale(type="log", domain=[low, high], nice=False, clamp=True), ticks


def _ends(rows: Rows) -> list[float]:
    return [row[name] for row in rows if "estimate" in row for name in ("low", "high")]


def forest_panels(by_panel: dict[str, Rows], *, title: str, counts: str) -> Any:
    """Forests below each other on one axis; lines are as ``ratio_lines.drawn`` makes them."""
    import altair as alt

    scale, ticks = _log_scale([end for rows in by_panel.values() for end in _ends(rows)])
    charts = []
    for place, (name, rows) in enumerate(by_panel.items()):
        last = place == len(by_panel) - 1
        axis = alt.Axis(values=ticks, format="~g", labels=last, ticks=last, domain=last, gridColor=GRID)
        x: dict[str, Any] = {"title": title if last else None, "scale": scale, "axis": axis}
        charts.append(_forest_panel(name, rows, x, counts if place == 0 else ""))
    return alt.vconcat(*charts, spacing=10)


def _forest_panel(name: str, rows: Rows, x: dict[str, Any], counts: str) -> Any:
    import altair as alt

    order = [row["label"] for row in rows]
    axis = alt.Axis(ticks=False, domain=False, grid=False, minExtent=LABELS, maxExtent=LABELS, labelLimit=LABELS)
    y = alt.Y("label:N", sort=order, title=None, axis=axis)
    shown = [row for row in rows if "estimate" in row]
    null = alt.Chart(values([{"null": 1.0}])).mark_rule(color=QUIET).encode(x=alt.X("null:Q", **x))
    # every label needs its line, also where nothing is drawn in it
    labels = alt.Chart(values(rows)).mark_point(opacity=0).encode(y=y)
    base = alt.Chart(values(shown)).encode(y=y)
    spans = base.mark_rule(strokeWidth=1.5, color=INK).encode(x=alt.X("low:Q", **x), x2="high:Q")
    points = base.mark_point(filled=True, size=46, opacity=1, shape="square", color=EXPOSED)
    height = LINE * len(rows)
    head = alt.TitleParams(name, fontSize=11, offset=4, anchor="start")
    plot = alt.layer(labels, null, spans, points.encode(x=alt.X("estimate:Q", **x)))
    hidden = alt.Y("label:N", sort=order, axis=None)
    texts = alt.Chart(values(rows)).encode(y=hidden, x=alt.value(0))
    heads = [alt.TitleParams(text, fontSize=10, offset=4) for text in ("estimate (95 % CI)" if counts else "", counts)]
    return alt.hconcat(
        plot.properties(width=220, height=height, title=head),
        texts.mark_text(align="left", fontSize=10).encode(text="reading:N").properties(
            width=108, height=height, title=heads[0]
        ),
        texts.mark_text(align="left", fontSize=10, color=QUIET).encode(text="counts:N").properties(
            width=80, height=height, title=heads[1]
        ),
        spacing=8, bounds="flush",
    )  # fmt: skip


def along_bands(by_panel: dict[str, Rows], bands: list[str], *, width: int, titles: dict[str, str]) -> Any:
    """Ratios along bands, one colour and shape per ``series``, side by side within each band; a panel per name.

    ``titles``: of the axes, ``x`` and ``y``, and by panel of its series.
    """
    import altair as alt

    scale, ticks = _log_scale([end for rows in by_panel.values() for end in _ends(rows)])
    charts = []
    for name, rows in by_panel.items():
        series = list(dict.fromkeys(row["series"] for row in rows))
        x = alt.X("band:N", sort=bands, scale=alt.Scale(domain=bands), title=titles["x"], axis=alt.Axis(labelAngle=0))
        offset = alt.XOffset("series:N", sort=series, scale=alt.Scale(domain=series, paddingInner=0.3))
        axis = alt.Axis(values=ticks, format="~g")
        colour = alt.Color(
            "series:N", title=titles[name], scale=alt.Scale(domain=series, range=list(PALETTE)),
            legend=alt.Legend(orient="top", titleOrient="left", titleFontWeight="normal", symbolStrokeWidth=1),
        )  # fmt: skip
        shapes = alt.Scale(domain=series, range=["circle", "square", "triangle-up"])
        shape = alt.Shape("series:N", title=titles[name], scale=shapes, legend=alt.Legend(orient="top"))
        base = alt.Chart(values([row for row in rows if "estimate" in row])).encode(x=x, xOffset=offset, color=colour)
        y: dict[str, Any] = {"scale": scale, "axis": axis, "title": titles["y"]}
        spans = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q", **y), y2="high:Q")
        points = base.mark_point(filled=True, size=50, opacity=1).encode(y=alt.Y("estimate:Q", **y), shape=shape)
        null = alt.Chart(values([{"null": 1.0}])).mark_rule(color=QUIET).encode(y=alt.Y("null:Q", **y))
        charts.append((null + spans + points).properties(width=width, height=150, title=name))
    return alt.concat(*charts, columns=2, spacing=16).resolve_scale(color="independent", shape="independent")


def dose_curve(by_cohort: dict[str, Rows], *, width: int) -> Any:
    """Hazard ratio along dose with its band: rows ``mme``, ``estimate``, ``low``, ``high``."""
    import altair as alt

    scale, ticks = _log_scale([end for rows in by_cohort.values() for end in _ends(rows)])
    charts = []
    for name, rows in by_cohort.items():
        y: dict[str, Any] = {"scale": scale, "axis": alt.Axis(values=ticks, format="~g")}
        domain = alt.Scale(domain=[rows[0]["mme"], rows[-1]["mme"]], nice=False)
        base = alt.Chart(values(rows)).encode(x=alt.X("mme:Q", title="current MME/day", scale=domain))
        band = base.mark_area(color=EXPOSED, opacity=0.18).encode(
            y=alt.Y("low:Q", title="hazard ratio, against off", **y), y2="high:Q"
        )
        line = base.mark_line(color=EXPOSED, strokeWidth=2).encode(y=alt.Y("estimate:Q", **y))
        null = alt.Chart(values([{"null": 1.0}])).mark_rule(color=QUIET).encode(y=alt.Y("null:Q", **y))
        charts.append((band + line + null).properties(width=width, height=190, title=name))
    return side_by_side(charts)
