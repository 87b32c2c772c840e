"""``estimates.csv``: one row per number, and the gate that says whether it may be read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import polars as pl

SCALES = (
    "log_hr", "log_or", "log_rate_ratio", "risk_difference", "risk_ratio", "rmst_days", "rate_per_1000py", "smr",
    "share", "mean_difference", "mean_difference_per_step", "slope",
)  # fmt: skip

SCHEMA: dict[str, pl.DataType] = {
    "study": pl.String(), "cohort": pl.String(), "analysis": pl.String(), "method": pl.String(),
    "population": pl.String(), "outcome": pl.String(), "contrast": pl.String(), "window": pl.String(),
    "scale": pl.String(), "estimate": pl.Float64(), "ci_low": pl.Float64(), "ci_high": pl.Float64(),
    "se": pl.Float64(), "p_value": pl.Float64(), "persons": pl.Int64(), "events": pl.Int64(),
    "person_years": pl.Float64(), "spec": pl.String(), "gate": pl.String(), "note": pl.String(),
}  # fmt: skip
DESCRIPTIONS: dict[str, str] = {
    "study": "name of the study",
    "cohort": "name of the cohort, or pooled",
    "analysis": "what is estimated, by its id, e.g. mortality.current_use",
    "method": "how: crude, adjusted (age and sex), adjusted_full (every baseline covariate), regression, ...",
    "population": "who the number is about",
    "outcome": "death, death:<cause>, pain, ...",
    "contrast": "A vs B; the number compares A with B",
    "window": "days, from-to; a horizon is 0-to; empty means all follow-up",
    "scale": "what kind of number it is; see the scales",
    "estimate": "the number; empty where the gate is not pass, or where too few people are behind it",
    "ci_low": "lower 95 % confidence limit",
    "ci_high": "upper 95 % confidence limit",
    "se": "standard error, on the scale of the estimate",
    "p_value": "two-sided, for no difference; no verdict rests on it",
    "persons": "people behind the number, rounded by the disclosure profile",
    "events": "events behind it, rounded likewise",
    "person_years": "person-time behind it, rounded likewise",
    "spec": "main, or the name of a sensitivity specification",
    "gate": "pass; fail: why; not evaluable: why",
    "note": "definitions, and what was left out",
}
NUMBERS = ("estimate", "ci_low", "ci_high", "se", "p_value")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One row of ``estimates.csv``; study, cohort and spec are filled in by the step.

    ``gate`` is ``pass``, ``fail: why`` or ``not evaluable: why``; unless it is ``pass`` the numbers are withheld,
    unless it begins with ``fail: by design`` (a wrong answer shown as such).
    A number that is not finite makes the row *not evaluable*: infinities never travel silently.
    ``persons`` and ``events`` are the counts behind the number, by which disclosure control judges it, and
    ``smallest_cell`` the smallest positive count of people or events in any arm of it; that one is never published.
    ``instrument`` is what the outcome was measured with where cohorts may differ in it (the pain scale), for pooling;
    what is published of it is in the note.
    """

    analysis: str
    method: str
    population: str
    outcome: str
    contrast: str
    scale: str
    window: str = ""
    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    se: float | None = None
    p_value: float | None = None
    persons: int | None = None
    events: int | None = None
    person_years: float | None = None
    smallest_cell: int | None = None
    instrument: str = ""
    gate: str = "pass"
    note: str = ""

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"unknown scale {self.scale}")
        if not (self.gate == "pass" or self.gate.startswith(("fail: ", "not evaluable: "))):
            raise ValueError("gate must be pass, 'fail: why' or 'not evaluable: why'")
        if self.gate == "pass" and (self.estimate is None or not math.isfinite(self.estimate)):
            object.__setattr__(self, "gate", "not evaluable: no finite estimate")
        if not self.gate.startswith(("pass", "fail: by design")):
            for name in NUMBERS:
                object.__setattr__(self, name, None)
        for name in NUMBERS:
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                object.__setattr__(self, name, None)


# Until disclosure, rows also carry what it judges them by, and what pooling does.
INTERNAL = SCHEMA | {"smallest_cell": pl.Int64(), "instrument": pl.String()}


def smallest(*counts: int | None) -> int | None:
    """The smallest positive count, for ``smallest_cell``; None if there is none."""
    return min((count for count in counts if count), default=None)


def frame(rows: Iterable[Estimate], *, study: str, cohort: str, spec: str = "main") -> pl.DataFrame:
    """The rows as a table with the contract's columns in the contract's order, and what disclosure judges them by."""
    records = [asdict(row) | {"study": study, "cohort": cohort, "spec": spec} for row in rows]
    return pl.DataFrame([{name: record[name] for name in INTERNAL} for record in records], schema=INTERNAL)
