"""Which person-time is compared with which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

Missing = Literal["indicator", "complete"]
Exposure = Literal["time_varying", "baseline", "none"]  # how a cohort knows its exposure: cohort_notes.json
# Why there is no contrast of on against off over time
UNKNOWN = {
    "baseline": "exposure known at one interview only",  # later use is not known
    "none": "no opioid exposure is recorded",
}


@dataclass(frozen=True)
class Contrast:
    """Two groups of person-time. ``exposure`` is 1 in the first, 0 in the second and null in neither."""

    label: str
    exposure: pl.Expr

    @property
    def arms(self) -> tuple[str, str]:
        first, second = self.label.split(" vs ")
        return first, second


def on_against(state: str) -> Contrast:
    """On opioids against one kind of off."""
    use = pl.col("use_state")
    return Contrast(f"on vs {state}", pl.when(use == "on").then(1).when(use == state).then(0))


ON_OFF = Contrast("on vs off", pl.col("on_opioid"))
KINDS_OF_OFF = tuple(on_against(state) for state in ("never", "recent", "former"))
BASELINE_USE = Contrast("baseline user vs non user", pl.col("baseline_user"))


def main_contrast(exposure: Exposure) -> Contrast | None:
    """The two groups a cohort can compare."""
    return {"time_varying": ON_OFF, "baseline": BASELINE_USE, "none": None}[exposure]
