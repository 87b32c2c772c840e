"""``synthesis``, ``disclosure`` and ``report``: what comes out."""

from __future__ import annotations

from typing import Literal

from opioid_outcomes.config.base import Section, key


class Synthesis(Section):
    """Several cohorts."""

    pool: bool = key(True, "false when cohorts share people: then they are listed, not pooled.")


class Disclosure(Section):
    """The door out."""

    profile: Literal["cms11", "opensafely", "ohdsi5", "none"] = key(
        "cms11", "cms11: no cell of 1-10 people; none: no control, for public or simulated data only.",
        available=("cms11", "none"),
    )  # fmt: skip
    reason: str | None = key(None, "Why profile none is right; printed on the report.")


class Report(Section):
    """The report."""

    formats: list[Literal["html", "pdf", "docx"]] = key(
        lambda: ["html", "pdf"], "Formats to write.", available=("html", "pdf"), min_length=1
    )
