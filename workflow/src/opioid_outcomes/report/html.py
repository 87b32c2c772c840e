"""The report as one HTML file that opens offline: no script, no request."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from opioid_outcomes.report.document import Document
from opioid_outcomes.report.drawing import shipped
from opioid_outcomes.report.numbering import numbered

WEIGHTS = {"Inter-Regular.otf": 400, "Inter-Bold.otf": 700}


def render(document: Document) -> str:
    """The document as HTML. Every text is escaped; only figures go in as markup, being our own."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters["inline"] = _inline
    environment.filters["drawn"] = Markup
    template = environment.from_string(shipped("report.html.j2").read_text(encoding="utf-8"))
    css = shipped("report.css").read_text(encoding="utf-8")
    return template.render(
        document=numbered(document), css=Markup(css + _printed_marks(document.marks)), fonts=Markup(_fonts())
    )


def _printed_marks(marks: Iterable[str]) -> str:
    """A rule that puts the marks at the head of every printed page; each sign is escaped, so no text can be markup."""
    words = "   ".join(marks)
    text = "".join(sign if sign.isascii() and sign.isalnum() else f"\\{ord(sign):x} " for sign in words)
    return f'@page {{ @top-left {{ content: "{text}"; font: bold 7.5pt Inter, sans-serif; color: #8a3b00; }} }}\n'


def _inline(words: str) -> Any:
    from markupsafe import Markup, escape

    parts = [escape(part) for part in words.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _fonts() -> str:
    faces = []
    for name, weight in WEIGHTS.items():
        data = base64.b64encode(shipped("fonts").joinpath(name).read_bytes()).decode("ascii")
        source = f"url(data:font/otf;base64,{data}) format('opentype')"
        faces.append(f"@font-face{{font-family:Inter;font-weight:{weight};src:{source}}}")
    return "\n".join(faces)
