"""From a chart to a standalone, accessible, reproducible SVG; and the look all charts share."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

FONT = "Inter"
INK = "#1b1f24"
QUIET = "#57606a"
GRID = "#e3e6ea"

# Okabe & Ito 2008, "Color universal design": told apart with any of the common colour vision deficiencies.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
EXPOSED, REFERENCE = VERMILION, BLUE
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)

WIDTH = 680  # of a figure, in pixels: fits an A4 page and a narrow window


def shipped(name: str) -> Path:
    """A file of the report's own: template, style sheet or font."""
    return Path(str(resources.files("opioid_outcomes"))) / "data" / "report" / name


@cache
def _register_font() -> None:
    import vl_convert

    vl_convert.register_font_directory(str(shipped("fonts")))


def look() -> dict[str, Any]:
    """Chart configuration: the shipped font, quiet axes, dark on white. Texts inside carry no labels for screen
    readers because the SVG as a whole does."""
    axis = {"labelColor": INK, "titleColor": INK, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"}
    return {
        "font": FONT,
        "aria": False,
        "background": "white",
        "view": {"stroke": None},
        "axis": {**axis, "gridColor": GRID, "domainColor": QUIET, "tickColor": QUIET, "labelLimit": 400},
        "legend": {
            "labelFontSize": 11,
            "titleFontSize": 11,
            "labelColor": INK,
            "titleColor": INK,
            "symbolStrokeWidth": 2,
        },
        "title": {"fontSize": 12, "color": INK, "anchor": "start", "fontWeight": "bold", "offset": 8},
        "header": {"labelFontSize": 12, "labelColor": INK, "labelFontWeight": "bold", "labelAnchor": "start"},
        "text": {"color": INK, "fontSize": 11},
    }


def values(rows: list[dict[str, Any]]) -> Any:
    """Rows as chart data, without a detour through a data frame library."""
    import altair as alt

    return alt.Data(values=rows)


def svg(chart: Any, name: str, title: str, description: str) -> str:
    """The chart as SVG, the same bytes on every run, with its title and description for screen readers."""
    import vl_convert

    _register_font()
    drawn = vl_convert.vegalite_to_svg(chart.properties(config=look()).to_dict())
    return _accessible(_settled_ids(drawn, name), name, title, description)


def note_svg(name: str, title: str, sentence: str) -> str:
    """A figure that could not be drawn: the sentence saying why, so that no file of the release is missing."""
    text = f'<text x="12" y="30" font-family="{FONT}" font-size="12" fill="{INK}">{escape(sentence)}</text>'
    empty = (
        '<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="680" height="48" viewBox="0 0 680 48">'
        f'<rect width="680" height="48" fill="white"/>{text}</svg>'
    )
    return _accessible(empty, name, title, sentence)


def _settled_ids(drawn: str, name: str) -> str:
    """The renderer numbers clip paths over the life of the process; number them within the figure instead."""
    found = dict.fromkeys(re.findall(r'id="([^"]+)"', drawn))
    for place, old in enumerate(found):
        drawn = re.sub(rf'(id="|url\(#|href="#){re.escape(old)}(?=["\)])', rf"\g<1>{name}-part{place}", drawn)
    return drawn


def _accessible(drawn: str, name: str, title: str, description: str) -> str:
    labelled = f' role="img" aria-labelledby="{name}-title {name}-desc"'
    head, rest = drawn.split(">", 1)
    told = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return f"{head}{labelled}>{told}{rest}"
