"""The report as PDF/UA-1: tagged, each image with a text instead, the same bytes on every run."""

from __future__ import annotations

import json
import re

from opioid_outcomes.report.document import Document
from opioid_outcomes.report.drawing import shipped
from opioid_outcomes.report.numbering import numbered

# What the shipped font can print; PDF/UA refuses a document with a sign that no font has.
UNPRINTABLE = re.compile(
    r"[^\n\u0020-\u007e\u00a0-\u017f\u0192\u0218-\u021b\u02c6-\u02dd\u0370-\u03ff\u0400-\u045f\u1e80-\u1e85"
    r"\u2010-\u2027\u202f-\u203a\u2044\u2070-\u208e\u20ac\u2116\u2122\u2126\u2190-\u2193\u2202-\u2265\u25a0\u25ca\u2713]"
)
TIMESTAMP = 0  # a fixed day: the run's own would make two runs differ


def render(document: Document) -> bytes:
    """The document as PDF."""
    import typst

    content = json.dumps(numbered(document), ensure_ascii=False)
    return typst.compile(
        shipped("report.typ"),
        root=shipped(""),
        font_paths=[shipped("fonts")],
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=["ua-1"],
        timestamp=TIMESTAMP,
        sys_inputs={"document": UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", content)},
    )
