"""Tables and figures numbered in reading order, the same in every format."""

from __future__ import annotations

import re
from typing import Any

from opioid_outcomes.report.document import Document, as_data


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
                width = re.search(r'<svg[^>]* width="([\d.]+)"', block["svg"])
                block["width"] = float(width.group(1)) if width else 680.0
    return data
