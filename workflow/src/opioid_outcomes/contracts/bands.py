"""Dose bands by their labels: which comes first, and what neighbours are called together."""

from __future__ import annotations

from collections.abc import Iterable

OFF, TREATMENT, UNKNOWN = "off", "treatment", "unknown"
OR = " or "


def parts(band: str) -> list[str]:
    """The bands of which a label tells together."""
    return band.split(OR)


def ordered(bands: Iterable[str]) -> list[str]:
    """Each once: off, treatment, doses from low to high, unknown; those told together by their first."""
    return sorted(set(bands), key=lambda band: (*_place(parts(band)[0]), band))


def together(one: str, other: str) -> str:
    """What two bands are called that are told together."""
    return OR.join(ordered([*parts(one), *parts(other)]))


def _place(band: str) -> tuple[int, float]:
    states = {OFF: 0, TREATMENT: 1, UNKNOWN: 3}
    return (states[band], 0.0) if band in states else (2, lower_bound(band))


def lower_bound(band: str) -> float:
    """Of ``<20`` 0, of ``20-49`` 20, of ``>=90`` 90, in MME/day."""
    return 0.0 if band.startswith("<") else float(band.removeprefix(">=").split("-")[0])
