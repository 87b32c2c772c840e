"""Tables and figures numbered in reading order, the same in every format."""

from __future__ import annotations

import re
from typing import Any

from opioid_outcomes.report.document import Document, as_data

TEXT_WIDTH = 680.0  # pixels of a drawing that is as wide as the text of a page
PAGE_HEIGHT = 820.0  # and as high as a page leaves beside a caption


def numbered(document: Document) -> dict[str, Any]:
    """The document as data, its tables and figures with ``label`` and its figures with ``width`` in pixels."""
    data = as_data(document)
    places = {"table": 0, "figure": 0}
    for section in data["sections"]:
        for block in section["blocks"]:
            if block["kind"] in places:
                places[block["kind"]] += 1
                block["label"] = str(places[block["kind"]])
            if block["kind"] == "figure":
                block["width"] = _width(block["svg"])
    return data


def _width(svg: str) -> float:
    """Width at which a drawing is printed: its own, or less where it would be higher than a page and its caption."""
    width, height = (re.search(rf'<svg[^>]* {side}="([\d.]+)"', svg) for side in ("width", "height"))
    wide = float(width.group(1)) if width else TEXT_WIDTH
    return wide * min(1.0, PAGE_HEIGHT / float(height.group(1))) if height else wide
