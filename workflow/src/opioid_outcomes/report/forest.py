"""Forest plots: estimates with their intervals, one line each, the numbers beside them."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.drawing import EXPOSED, GRID, INK, QUIET, values

Rows = list[dict[str, Any]]
LINE = 24  # pixels
TICKS = (0.1, 0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 50, 100)
FEW_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def ratios(rows: Rows, *, title: str, counts: str) -> Any:
    """A forest plot of ratios on a logarithmic axis, with a line at 1.

    ``rows``: ``label``, ``estimate``, ``low`` and ``high`` as printed, ``reading`` and ``counts`` as text.
    """
    import altair as alt

    ends = [1.0, *(row[name] for row in rows for name in ("low", "high"))]
    low, high = 0.92 * min(ends), 1.08 * max(ends)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if tick in FEW_TICKS]
    x: dict[str, Any] = {
        "title": title,
        "scale": alt.Scale(type="log", domain=[low, high], nice=False),
        "axis": alt.Axis(values=ticks, format="~g"),
    }
    null = alt.Chart(values([{"null": 1.0}])).mark_rule(color=QUIET).encode(x=alt.X("null:Q", **x))
    return _beside([null, *_marks(rows, x)], rows, counts)


def differences(rows: Rows, *, title: str, counts: str, smallest: float) -> Any:
    """A forest plot of differences, with a line at 0 and a band of those smaller than ``smallest``; rows as above."""
    import altair as alt

    ends = [-smallest, smallest, *(row[name] for row in rows for name in ("low", "high"))]
    edge = max(0.1, 0.03 * (max(ends) - min(ends)))
    x: dict[str, Any] = {"title": title, "scale": alt.Scale(domain=[min(ends) - edge, max(ends) + edge], nice=False)}
    band = alt.Chart(values([{"from": -smallest, "to": smallest}])).mark_rect(color=GRID, opacity=0.8)
    null = alt.Chart(values([{"null": 0.0}])).mark_rule(color=QUIET)
    under = [band.encode(x=alt.X("from:Q", **x), x2="to:Q")] if smallest else []
    under.append(null.encode(x=alt.X("null:Q", **x)))
    return _beside([*under, *_marks(rows, x)], rows, counts)


def _marks(rows: Rows, x: dict[str, Any]) -> list[Any]:
    import altair as alt

    axis = alt.Axis(ticks=False, domain=False, grid=False)
    base = alt.Chart(values(rows)).encode(y=alt.Y("label:N", sort=_order(rows), title=None, axis=axis))
    spans = base.mark_rule(strokeWidth=1.6, color=INK).encode(x=alt.X("low:Q", **x), x2="high:Q")
    at = alt.X("estimate:Q", **x)
    right = base.transform_filter("!datum.wrong").mark_point(
        filled=True, size=70, opacity=1, shape="square", color=EXPOSED
    )
    # a wrong answer, told as such, looks like none of the others
    wrong = base.transform_filter("datum.wrong").mark_point(
        filled=True, size=80, opacity=1, shape="cross", angle=45, color=QUIET
    )
    return [spans, right.encode(x=at), *([wrong.encode(x=at)] if any(row.get("wrong") for row in rows) else [])]


def _beside(layers: list[Any], rows: Rows, counts: str) -> Any:
    """The plot, and as text beside each line the estimate and the counts behind it."""
    import altair as alt

    height = LINE * len(rows)
    base = alt.Chart(values(rows)).encode(y=alt.Y("label:N", sort=_order(rows), axis=None), x=alt.value(0))
    readings = base.mark_text(align="left").encode(text="reading:N")
    people = base.mark_text(align="left", color=QUIET).encode(text="counts:N")
    heads = [alt.TitleParams(text, fontSize=11, offset=4) for text in ("estimate (95 % CI)", counts)]
    return alt.hconcat(
        alt.layer(*layers).properties(width=250, height=height),
        readings.properties(width=112, height=height, title=heads[0]),
        people.properties(width=118, height=height, title=heads[1]),
        spacing=8,
    )


def _order(rows: Rows) -> list[str]:
    return [row["label"] for row in rows]
