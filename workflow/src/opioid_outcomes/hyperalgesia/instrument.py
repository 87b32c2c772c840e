"""Rows of pain say on which scale: points of one scale are not those of another, though all run from 0 to 10."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from opioid_outcomes.contracts.estimates import Estimate

OF_OTHER_MEASURES = ("hyperalgesia.spread", "hyperalgesia.threshold")
SAID = r"pain on (.+?), 0-10"  # how a note says it


def words(scale: str) -> str:
    """What a note says of the scale."""
    return f"pain on {scale.replace('_', ' ')}, 0-10"


def named(rows: Iterable[Estimate], scale: str | None) -> list[Estimate]:
    """The rows of pain with the scale that was analysed, and notes of numbers that say so; others as they are."""
    return [
        row if scale is None or row.analysis in OF_OTHER_MEASURES else _named(row, scale)
        for row in rows
    ]  # fmt: skip


def _named(row: Estimate, scale: str) -> Estimate:
    told = [row.note, words(scale)] if row.estimate is not None else [row.note]
    return replace(row, instrument=scale, note="; ".join(part for part in told if part))
