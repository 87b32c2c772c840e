"""Figures of exposure: dose bands by month, gaps between supplies, people over thresholds by definition."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from opioid_outcomes.contracts.bands import OFF, TREATMENT, UNKNOWN, ordered, parts
from opioid_outcomes.report.charts import panel_width, panels, people_below
from opioid_outcomes.report.drawing import GRID, INK, QUIET, REFERENCE, values
from opioid_outcomes.report.words import number, percent, present

Rows = list[dict[str, Any]]
WITHHELD = "withheld"
SEQUENTIAL = ("#cfe3f3", "#8fbfe0", "#4292c6", "#1f66a8", "#08306b")  # one hue, light to dark: low to high dose
OTHER_COLOURS = {OFF: GRID, TREATMENT: "#8fcdb8", UNKNOWN: "#E69F00", WITHHELD: "#ffffff"}
PALE = "#a9cbe5"
THRESHOLDS = (50, 90)  # MME/day, as the display names its columns
DEFINITIONS = {
    1: "1: per day of supply",
    2: "2: per day on therapy",
    3: "3: per day of window",
    4: "4: highest day",
}
DARK_ENOUGH = 0.55  # of the colour scale: from here on the number in a cell is white


def dose_bands(by_cohort: dict[str, Rows]) -> Any:
    """Stacked shares of status and dose band on the first day of each month since entry."""
    import altair as alt

    order = ordered(row["band"] for rows in by_cohort.values() for row in rows)
    stacked = {cohort: _stacked(rows, order) for cohort, rows in by_cohort.items()}
    drawn = [*order, *([WITHHELD] if any(row["band"] == WITHHELD for own in stacked.values() for row in own) else [])]
    width = panel_width(len(by_cohort))
    charts = []
    for cohort, rows in by_cohort.items():
        last = max(row["month"] for row in rows) + 1
        scale = alt.Scale(domain=[0, last], nice=False)
        ticks = alt.Axis(grid=False, values=_told_months(last))
        bars = (
            alt.Chart(values(stacked[cohort]))
            .mark_rect(stroke="white", strokeWidth=0.3)
            .encode(
                x=alt.X("month:Q", title="30-day months since entry", scale=scale, axis=ticks),
                x2="next:Q",
                y=alt.Y("from:Q", title="share of people followed", axis=alt.Axis(format=".0%"), scale=_share()),
                y2="to:Q",
                color=alt.Color(
                    "band:N", title="state, or dose in MME/day", scale=_band_colours(drawn), legend=_legend(drawn)
                ),
            )
            .properties(width=width, height=190, title=cohort)
        )
        told = _followed(rows, last)
        charts.append(alt.vconcat(bars, people_below("people followed", told, [""], scale, width), spacing=6))
    return panels(charts)


def _stacked(rows: Rows, order: list[str]) -> Rows:
    """Where each band begins and ends in each month; what is not shown is left over at the top."""
    by_month: dict[float, dict[str, float]] = {}
    for row in rows:
        by_month.setdefault(row["month"], {})[row["band"]] = row["share"] if present(row["share"]) else 0.0
    withheld = {row["month"] for row in rows if not present(row["share"])}
    made: Rows = []
    for month, shares in by_month.items():
        base = 0.0
        for band in order:
            top = min(1.0, base + shares.get(band, 0.0))
            made.append({"month": month, "next": month + 1, "band": band, "from": base, "to": top})
            base = top
        if month in withheld:
            made.append({"month": month, "next": month + 1, "band": WITHHELD, "from": base, "to": 1.0})
    return made


def _told_months(last: float) -> list[int]:
    step = next((s for s in (3, 6, 12, 24) if last / s <= 6), 48)
    return list(range(0, int(last), step))


def _followed(rows: Rows, last: float) -> Rows:
    """The number of people behind a bar, where all its parts are shown, at months far enough apart to print."""
    told = []
    for month in _told_months(last):
        parts = [row["persons"] for row in rows if row["month"] == month]
        if parts and all(present(part) for part in parts):
            told.append({"group": "", "x": month, "label": number(sum(parts))})
    return told


def _share() -> Any:
    import altair as alt

    return alt.Scale(domain=[0, 1])


def _band_colours(bands: list[str]) -> Any:
    import altair as alt

    colours = {band: OTHER_COLOURS[parts(band)[0]] for band in bands if parts(band)[0] in OTHER_COLOURS}
    doses = [band for band in bands if band not in colours]
    colours |= dict(zip(doses, _ramp(len(doses)), strict=True))
    return alt.Scale(domain=bands, range=[colours[band] for band in bands])


def _ramp(steps: int) -> list[str]:
    """So many colours from light to dark."""
    if steps > len(SEQUENTIAL):
        return [SEQUENTIAL[place * len(SEQUENTIAL) // steps] for place in range(steps)]
    spread = (len(SEQUENTIAL) - 1) / max(steps - 1, 1)
    return [SEQUENTIAL[round(place * spread)] for place in range(steps)]


def _legend(bands: list[str]) -> Any:
    import altair as alt

    return alt.Legend(
        orient="top", symbolType="square", symbolStrokeColor=QUIET, symbolStrokeWidth=0.5, columns=len(bands),
        values=bands, labelExpr="replace(datum.label, '>=', '≥')", labelLimit=260,
    )  # fmt: skip


def gap_distribution(by_cohort: dict[str, Rows], gap_days: float | None) -> Any:
    """Shares of gaps by length; those that an episode bridges are dark, and the longest bridged gap is marked."""
    import altair as alt

    charts = []
    for cohort, rows in by_cohort.items():
        labels = [_in_lines(gap_label(row)) for row in rows]
        cut = None if gap_days is None else _place(rows, gap_days)
        axis = alt.Axis(
            values=[place + 0.5 for place in range(len(rows))], grid=False, ticks=False, labelPadding=4,
            labelExpr=f"{labels}[floor(datum.value)]", labelOverlap=False, labelFontSize=10,
        )  # fmt: skip
        x = alt.X("from:Q", title="days without supply", scale=alt.Scale(domain=[0, len(rows)], nice=False), axis=axis)
        most = max(row["share"] for row in rows if present(row["share"]))
        height = alt.Scale(domain=[0, 1.18 * most], nice=False)
        y = alt.Y("share:Q", title="share of gaps", axis=alt.Axis(format=".0%", tickCount=5), scale=height)
        bars = alt.Chart(values(_bars(rows, cut))).mark_rect().encode(
            x=x, x2="to:Q", y=y, y2=alt.datum(0),
            color=alt.Color("kind:N", legend=None, scale=alt.Scale(domain=["yes", "no"], range=[REFERENCE, PALE])),
        )  # fmt: skip
        tops = [
            {"x": place + 0.5, "share": row["share"], "label": percent(row["share"])}
            for place, row in enumerate(rows)
            if present(row["share"])
        ]
        told = alt.Chart(values(tops)).mark_text(dy=-7, fontSize=10)
        told = told.encode(x=alt.X("x:Q", axis=axis), y="share:Q", text="label:N")
        layers = [bars, told, *([] if cut is None or gap_days is None else _chosen_gap(cut, gap_days, axis))]
        charts.append(alt.layer(*layers).properties(title=cohort, width=panel_width(len(by_cohort)), height=190))
    return panels(charts)


def gap_label(row: dict[str, Any]) -> str:
    low, high = row["gap_days_from"], row["gap_days_to"]
    return f"≥{low:g}" if not present(high) else f"{low:g}–{high:g}"


def _in_lines(label: str) -> list[str]:
    """Long labels in two lines, so that neighbours do not meet."""
    low, _, high = label.partition("–")
    return [label] if len(label) <= 6 else [f"{low}–", high]


def _place(rows: Rows, gap_days: float) -> float:
    """Where a gap of this length stands among the bars, each of which is one wide."""
    for place, row in enumerate(rows):
        low, high = row["gap_days_from"], row["gap_days_to"]
        if not present(high):
            return place + (0.0 if gap_days < low else 0.5)
        if gap_days <= high:
            return place + max(0.0, (gap_days - low + 1) / (high - low + 1))
    return float(len(rows))


def _bars(rows: Rows, cut: float | None) -> Rows:
    """Bars, cut in two where a gap of the chosen length stands inside."""
    made = []
    for place, row in enumerate(rows):
        if not present(row["share"]):
            continue
        edges = [place + 0.06, *([cut] if cut is not None and place + 0.06 < cut < place + 0.94 else []), place + 0.94]
        for low, high in pairwise(edges):
            bridged = cut is not None and high <= cut + 0.07
            made.append({"from": low, "to": high, "share": row["share"], "kind": "yes" if bridged else "no"})
    return made


def _chosen_gap(cut: float, gap_days: float, axis: Any) -> list[Any]:
    import altair as alt

    chosen = alt.Chart(values([{"cut": cut, "label": f"gap_days = {gap_days:g}"}]))
    rule = chosen.mark_rule(color=INK, strokeDash=[4, 3], strokeWidth=1.4).encode(x=alt.X("cut:Q", axis=axis))
    label = chosen.mark_text(align="left", dx=5, fontWeight="bold", baseline="top").encode(
        x=alt.X("cut:Q", axis=axis), y=alt.value(2), text="label:N"
    )
    return [rule, label]


def mme_thresholds(by_cohort: dict[str, Rows], chosen: str, sign: str) -> Any:
    """Shares of people who ever cross a threshold, definition by factor table, with share and count in each cell."""
    import altair as alt

    shares = [row[f"share_{t}"] for rows in by_cohort.values() for row in rows for t in THRESHOLDS]
    most = max((share for share in shares if present(share)), default=1.0) or 1.0
    rows_of_panels = []
    for cohort, rows in by_cohort.items():
        pair = [
            _heat(rows, threshold, chosen, most, f"{cohort}: {sign}{threshold} MME/day", labelled=place == 0)
            for place, threshold in enumerate(THRESHOLDS)
        ]
        rows_of_panels.append(alt.hconcat(*pair, spacing=14))
    return alt.vconcat(*rows_of_panels, spacing=18)


def people_by_table(rows: Rows) -> dict[str, float | None]:
    """By factor table: people with a known dose, None where withheld."""
    known: dict[str, float | None] = {}
    for row in rows:
        persons = row["persons"] if present(row["persons"]) else None
        known[row["factors"]] = max(filter(None, (known.get(row["factors"]), persons)), default=None)
    return known


def _heat(rows: Rows, threshold: int, chosen: str, most: float, title: str, *, labelled: bool) -> Any:
    import altair as alt

    people = people_by_table(rows)
    below = {table: f"{table}_n {number(n) if n else 'withheld'}" for table, n in people.items()}
    tables = list(below.values())
    data = [_cell(row, threshold, most) | {"factors": below[row["factors"]]} for row in rows]
    order = [DEFINITIONS[int(row["definition"])] for row in sorted(rows, key=lambda row: row["definition"])]
    lines = alt.Axis(
        orient="bottom", labelExpr="split(datum.label, '_')", labelLineHeight=12, labelAngle=0, ticks=False,
        domain=False,
    )  # fmt: skip
    side = alt.Axis(ticks=False, domain=False, labelPadding=6) if labelled else None
    x = alt.X("factors:N", sort=tables, axis=lines, title="factor table")
    y = alt.Y("definition:N", sort=list(dict.fromkeys(order)), axis=side, title=None)
    scale = alt.Scale(domain=[0, most], range=["#f3f8fc", *SEQUENTIAL[1:]], interpolate="rgb")
    colour = alt.Color("share:Q", scale=scale, legend=None)
    layers = [alt.Chart(values(data)).mark_rect(stroke="white", strokeWidth=1.5).encode(x=x, y=y, color=colour)]
    for ink in ("#ffffff", INK):
        written = alt.Chart(values([cell for cell in data if cell["ink"] == ink])).encode(x=x, y=y)
        layers.append(written.mark_text(dy=-6, fontSize=11, color=ink).encode(text="told:N"))
        layers.append(written.mark_text(dy=8, fontSize=9.5, color=ink).encode(text="people:N"))
    ours = alt.Chart(values([cell for cell in data if cell["factors"] == below.get(chosen)]))
    layers.append(ours.mark_rect(filled=False, stroke=INK, strokeWidth=2).encode(x=x, y=y))
    return alt.layer(*layers).properties(
        width=alt.Step(50), height=alt.Step(38), title=alt.TitleParams(title, offset=6)
    )


def _cell(row: dict[str, Any], threshold: int, most: float) -> dict[str, Any]:
    share = row[f"share_{threshold}"]
    shown = present(share)
    return {
        "factors": row["factors"],
        "definition": DEFINITIONS[int(row["definition"])],
        "share": share if shown else None,
        "told": percent(share) if shown else "–",
        "people": number(row[f"over_{threshold}"]) if shown else "withheld",
        "ink": "#ffffff" if shown and share > DARK_ENOUGH * most else INK,
    }
