"""The timeline of the worked example: from fills to supply, dose, status, episodes and events."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.drawing import BLUE, GREEN, GRID, INK, ORANGE, PURPLE, QUIET, SKY, VERMILION, values
from opioid_outcomes.report.words import number, plain, present

Rows = list[dict[str, Any]]
PLOT_WIDTH = 520  # pixels
ROW = 15
PRODUCT_COLOURS = (BLUE, GREEN, SKY, PURPLE, ORANGE)
DOSE_COLOURS = {"known": VERMILION, "repaired": "#f0b489", "unknown": "#c9ced6"}
STATUS_COLOURS = {
    "on": "#2c7fb8", "carry-over": "#7fcdbb", "treatment": PURPLE, "recent": "#9aa3ad", "former": "#c9ced6",
    "unknown": ORANGE,
}  # fmt: skip
KEY_AT = 402  # pixels: right of the last supply
WIDE = 100  # days: room for a label inside a bar


def timeline(rows: Rows) -> Any:
    """``rows`` as ``exposure.example.lanes`` gives them, drawn on one axis of days since the first fill."""
    import altair as alt

    by_lane: dict[str, Rows] = {}
    for row in rows:
        by_lane.setdefault(row["lane"], []).append(row)
    canvas = _Canvas(by_lane, max(row["stop"] for row in rows if present(row["stop"])))
    panels = [
        canvas.panel("", _marks(canvas), 16),
        canvas.panel("Fills: units / days of supply, as recorded", *_fills(canvas)),
        canvas.panel("Supply, with early refills and the stay worked in", *_supply(canvas)),
        canvas.panel("Units on hand: tablets, or patches", _stock(canvas), 78),
        canvas.panel("Daily dose, MME/day", _dose(canvas), 96),
        canvas.panel("Status, as known on the day", *_states(canvas)),
        canvas.panel("Episodes", _episodes(canvas), 16),
        canvas.panel("Events", *_events(canvas), last=True),
    ]
    return alt.vconcat(*panels, spacing=7).resolve_scale(color="independent")


class _Canvas:
    """The lanes and what they share: the axis of days, the stay behind them, the lines of the marks."""

    def __init__(self, by_lane: dict[str, Rows], end: float) -> None:
        import altair as alt

        self.by_lane = by_lane
        self.products = list(dict.fromkeys(row["label"].split(": ")[0] for row in by_lane["fill"]))
        colours = [PRODUCT_COLOURS[place % len(PRODUCT_COLOURS)] for place in range(len(self.products))]
        self.of_product = alt.Scale(domain=self.products, range=colours)
        self.scale = alt.Scale(domain=[-4, end], nice=False)

    def lane(self, name: str) -> Rows:
        return self.by_lane.get(name, [])

    def x(self, field: str, axis: Any = None) -> Any:
        import altair as alt

        return alt.X(f"{field}:Q", scale=self.scale, axis=axis, title="days since the first fill" if axis else None)

    def panel(self, title: str, layers: list[Any], height: int, *, last: bool = False) -> Any:
        import altair as alt

        axis = alt.Axis(grid=False, tickCount=10) if last else None
        stay = alt.Chart(values(self.lane("stay"))).mark_rect(color=GRID, opacity=0.9)
        behind = [stay.encode(x=self.x("start", axis), x2="stop:Q")]
        if title:
            lines = alt.Chart(values(self.lane("mark"))).mark_rule(color=QUIET, strokeDash=[2, 3], strokeWidth=0.7)
            behind.append(lines.encode(x=self.x("start", axis)))
        head = alt.TitleParams(title, fontSize=11, offset=3, anchor="start", fontWeight="bold", frame="group")
        return alt.layer(*behind, *layers).properties(width=PLOT_WIDTH, height=height, title=head)


def _marks(canvas: _Canvas) -> list[Any]:
    import altair as alt

    base = alt.Chart(values(canvas.lane("mark"))).encode(x=canvas.x("start"), y=alt.value(8))
    rings = base.mark_point(size=140, filled=True, color=INK, opacity=1)
    letters = base.mark_text(fontSize=9.5, fontWeight="bold", color="white").encode(text="label:N")
    beside = []
    for stay in canvas.lane("stay"):
        clear = max(row["start"] for row in canvas.lane("mark") if row["start"] <= stay["stop"] + 15)
        beside.append({"day": clear, "told": f"grey: {stay['label']}"})
    told = alt.Chart(values(beside)).mark_text(align="left", dx=10, fontSize=9.5, color=QUIET)
    return [rings, letters, told.encode(x=canvas.x("day"), y=alt.value(8), text="told:N")]


def _fills(canvas: _Canvas) -> tuple[list[Any], int]:
    """Bars of what was dispensed; of a product with several fills they alternate between two lines."""
    import altair as alt

    rows = [(*row["label"].split(": ", 1), row) for row in canvas.lane("fill")]
    count = {product: sum(name == product for name, _, _ in rows) for product in canvas.products}
    lines = [2 if count[product] > 1 else 1 for product in canvas.products]
    first = {product: sum(lines[:place]) for place, product in enumerate(canvas.products)}
    data, seen = [], dict.fromkeys(canvas.products, 0)
    for product, told, row in rows:
        place = canvas.products.index(product)
        data.append(
            {
                "row": first[product] + seen[product] % lines[place] + 0.5, "product": product, "told": told,
                "start": row["start"], "stop": row["stop"] if present(row["stop"]) else row["start"] + 3,
            }
        )  # fmt: skip
        seen[product] += 1
    y = _rows_axis(canvas.products, lines)
    bars = alt.Chart(values(data)).mark_bar(height=11, opacity=0.4, strokeWidth=1).encode(
        x=canvas.x("start"), x2="stop:Q", y=y,
        color=alt.Color("product:N", scale=canvas.of_product, legend=None),
        stroke=alt.Stroke("product:N", scale=canvas.of_product, legend=None),
    )  # fmt: skip
    told = alt.Chart(values(data)).encode(x=canvas.x("start"), y=y, text="told:N")
    return [bars, *_legible(told, align="left", dx=3, fontSize=9, baseline="middle")], ROW * sum(lines)


def _legible(base: Any, halo: float = 2, **text: Any) -> list[Any]:
    """Text over lines: white around it first."""
    return [base.mark_text(stroke="white", strokeWidth=halo, strokeJoin="round", **text), base.mark_text(**text)]


def _rows_axis(names: list[str], lines: list[int] | None = None) -> Any:
    """Names down the side, each beside its lines."""
    import altair as alt

    lines = lines or [1] * len(names)
    middle = [sum(lines[:place]) + lines[place] / 2 for place in range(len(names))]
    axis = alt.Axis(
        values=middle, labelExpr=f"{names}[indexof({middle}, datum.value)]", ticks=False, domain=False, grid=False,
        labelLimit=160, labelFontSize=10, labelOverlap=False,
    )  # fmt: skip
    return alt.Y("row:Q", scale=alt.Scale(domain=[0, sum(lines)], reverse=True, nice=False), axis=axis, title=None)


def _supply(canvas: _Canvas) -> tuple[list[Any], int]:
    import altair as alt

    places = {product: place + 0.5 for place, product in enumerate(canvas.products)}
    data = [{**row, "row": places[row["label"]]} for row in canvas.lane("supply")]
    bars = alt.Chart(values(data)).mark_bar(height=9, stroke="white", strokeWidth=1).encode(
        x=canvas.x("start"), x2="stop:Q", y=_rows_axis(canvas.products),
        color=alt.Color("label:N", scale=canvas.of_product, legend=None),
    )  # fmt: skip
    return [bars], ROW * len(canvas.products)


def _stock(canvas: _Canvas) -> list[Any]:
    """A line for each product, with the number of units where it jumps up."""
    import altair as alt

    data = [{**row, "order": place} for place, row in enumerate(canvas.lane("stock"))]
    before = [{"label": None, "value": 0.0}, *data[:-1]]
    jumps = [
        {**row, "told": f"{row['value']:g}"}
        for row, last in zip(data, before, strict=True)
        if row["value"] > (last["value"] if row["label"] == last["label"] else 0.0) + 1
    ]
    most = 1.3 * max((row["value"] for row in data), default=1.0)
    y = alt.Y("value:Q", scale=alt.Scale(domain=[0, most], nice=False), title=None, axis=alt.Axis(tickCount=4))
    lines = alt.Chart(values(data)).mark_line(strokeWidth=1.4).encode(
        x=canvas.x("start"), y=y, order="order:Q",
        color=alt.Color("label:N", scale=canvas.of_product, legend=None),
    )  # fmt: skip
    told = alt.Chart(values(jumps)).encode(x=canvas.x("start"), y=y, text="told:N")
    return [lines, *_legible(told, align="left", dx=2, dy=-5, fontSize=8.5)]


def _dose(canvas: _Canvas) -> list[Any]:
    import altair as alt

    rows = canvas.lane("dose")
    most = 1.25 * max((row["value"] for row in rows if present(row["value"])), default=1.0)
    kinds = [kind for kind in DOSE_COLOURS if any(row["label"] == kind for row in rows)]
    data = [{**row, "top": row["value"] if present(row["value"]) else most / 1.25} for row in rows]
    y = alt.Y("top:Q", scale=alt.Scale(domain=[0, most], nice=False), title=None, axis=alt.Axis(tickCount=4))
    scale = alt.Scale(domain=kinds, range=[DOSE_COLOURS[kind] for kind in kinds])
    base = alt.Chart(values([row for row in data if row["label"] != "unknown"]))
    steps = base.mark_rect(strokeWidth=0).encode(
        x=canvas.x("start"), x2="stop:Q", y=y, y2=alt.datum(0), color=alt.Color("label:N", scale=scale, legend=None)
    )
    unsure = alt.Chart(values([row for row in data if row["label"] == "unknown"]))
    box = unsure.mark_rect(filled=True, color="white", stroke=QUIET, strokeDash=[3, 2]).encode(
        x=canvas.x("start"), x2="stop:Q", y=y, y2=alt.datum(0)
    )
    query = unsure.transform_calculate(middle="(datum.start + datum.stop) / 2").mark_text(fontSize=15, color=QUIET)
    told = alt.Chart(values(_dose_labels(data))).encode(x=canvas.x("start"), y=y, text="told:N")
    return [
        steps, box, query.encode(x=canvas.x("middle"), y=alt.value(58), text=alt.value("?")),
        *_legible(told, align="left", dx=2, dy=-6, fontSize=9.5), *_dose_key(kinds),
    ]  # fmt: skip


def _dose_labels(data: Rows) -> Rows:
    """The dose where it changes, once for each stretch of one dose."""
    told: Rows = []
    before: Any = None
    for row in data:
        if present(row["value"]) and (
            before is None or before["value"] != row["value"] or before["stop"] != row["start"]
        ):
            told.append({"start": row["start"], "top": row["top"], "told": f"{row['value']:g}"})
        before = row
    return told


def _dose_key(kinds: list[str]) -> list[Any]:
    import altair as alt

    told = {"known": "as recorded", "repaired": "rests on a repair or a stay", "unknown": "?  on, dose not known"}
    layers = []
    for place, kind in enumerate(kinds):
        at = alt.value(10 + 14 * place)
        one = alt.Chart(values([{"told": told[kind]}]))
        if kind != "unknown":
            square = one.mark_point(shape="square", filled=True, size=70, color=DOSE_COLOURS[kind], opacity=1)
            layers.append(square.encode(x=alt.value(KEY_AT), y=at))
        words = one.mark_text(align="left", dx=-3 if kind == "unknown" else 8, fontSize=9.5)
        layers.append(words.encode(x=alt.value(KEY_AT), y=at, text="told:N"))
    return layers


def _states(canvas: _Canvas) -> tuple[list[Any], int]:
    import altair as alt

    rows = canvas.lane("status")
    found = {row["label"] for row in rows}
    states = [state for state in STATUS_COLOURS if state in found]
    scale = alt.Scale(domain=states, range=[STATUS_COLOURS[state] for state in states])
    data = [{**row, "row": states.index(row["label"]) + 0.5} for row in rows]
    bars = alt.Chart(values(data)).mark_bar(height=9).encode(
        x=canvas.x("start"), x2="stop:Q", y=_rows_axis(states), color=alt.Color("label:N", scale=scale, legend=None)
    )  # fmt: skip
    return [bars], (ROW - 2) * len(states)


def _episodes(canvas: _Canvas) -> list[Any]:
    import altair as alt

    data = []
    for row in canvas.lane("episode"):
        mean = f" (mean {number(row['value'])} MME/day)" if present(row["value"]) else ""
        told = f"{row['label']}{mean}" if row["stop"] - row["start"] > WIDE else row["label"].split(" ")[-1]
        data.append({**row, "told": told, "middle": (row["start"] + row["stop"]) / 2})
    base = alt.Chart(values(data))
    bars = base.mark_rect(color="#5c6670", stroke="white").encode(x=canvas.x("start"), x2="stop:Q")
    told = base.mark_text(fontSize=9.5, color="white")
    return [bars, told.encode(x=canvas.x("middle"), y=alt.value(8), text="told:N")]


def _events(canvas: _Canvas) -> tuple[list[Any], int]:
    import altair as alt

    names = list(dict.fromkeys(row["label"] for row in canvas.lane("event")))
    data = [{**row, "row": names.index(row["label"]) + 0.5, "told": _change(row)} for row in canvas.lane("event")]
    y = _rows_axis([plain(name) for name in names] or [""])
    axis = alt.Axis(grid=False, tickCount=10)
    base = alt.Chart(values(data)).encode(x=canvas.x("start", axis), y=y)
    points = base.mark_point(shape="diamond", size=60, filled=True, color=INK, opacity=1)
    told = _legible(base.encode(text="told:N"), halo=6, align="left", dx=8, fontSize=9.5)
    return [*told, points], ROW * max(1, len(names))


def _change(row: dict[str, Any]) -> str:
    rise = "+" if present(row["value"]) and row["value"] > 0 else ""
    return f"day {number(row['start'])}" + (f", {rise}{number(100 * row['value'])} %" if present(row["value"]) else "")
