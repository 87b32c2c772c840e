"""Step ``write_report``: the released files of a study as a report people read."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.io import replacing, write_text
from opioid_outcomes.report import html, pdf, released
from opioid_outcomes.report.compose import compose
from opioid_outcomes.report.document import Document
from opioid_outcomes.report.drawing import note_svg

Files = dict[str, Any]  # a path, or a list of paths, by name


def write_report(inputs: Files, outputs: Files, settings: dict[str, Any]) -> str:
    """Write the report from what has been released; returns a line saying what was written.

    ``inputs``: ``release``, ``manifest``, ``estimates``, the displays by name, ``truth``,
    the worked ``example``, the emulated ``trials``, the ``verdict`` and its ``calibration``.
    ``outputs``: ``html`` and ``pdf`` where the config asks for them, and ``figures``, the SVG files of
    ``contracts.displays.FIGURES``; one that cannot be drawn holds a sentence.
    ``settings`` is the whole config.
    """
    config = Config(**{name: settings[name] for name in Config.model_fields if name in settings})
    document = compose(
        released.read(
            config,
            release=inputs["release"],
            manifest=inputs["manifest"],
            estimates=inputs["estimates"],
            displays=[inputs[name] for name in DISPLAYS if name in inputs],
            truth=inputs.get("truth"),
            example=inputs.get("example"),
            trials=inputs.get("trials"),
            verdict=inputs.get("verdict"),
            calibration=inputs.get("calibration"),
        )
    )
    for path in outputs["figures"]:
        write_text(path, _figure(document, path.stem))
    for stale in outputs["figures"][0].parent.parent.glob("report.*"):
        stale.unlink()  # of a format no longer asked for: it would stand beside newer numbers
    written = []
    if "html" in outputs:
        write_text(outputs["html"], html.render(document))
        written.append("html")
    if "pdf" in outputs:
        with replacing(outputs["pdf"]) as temporary:
            temporary.write_bytes(pdf.render(document))
        written.append("pdf")
    return f"report written ({', '.join(written)}; {len(document.figures)} figures)"


def _figure(document: Document, name: str) -> str:
    drawn = next((figure.svg for figure in document.figures if figure.name == name), None)
    title = name.replace("_", " ")
    return drawn or note_svg(name, title, "Not drawn: too few people, or no such data. The report says which.")
