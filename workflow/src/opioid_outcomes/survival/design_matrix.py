"""From columns of a table to the columns of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.survival.risk_sets import Floats

MISSING = "missing"


@dataclass(frozen=True)
class Design:
    """x: (kept rows, columns), named by ``names``; ``keep``: which rows of the table; ``notes``: what was done."""

    x: Floats
    names: tuple[str, ...]
    keep: npt.NDArray[np.bool_]
    notes: tuple[str, ...]
    constant: tuple[str, ...] = ()  # columns that do not vary, so that nothing is adjusted for them


def build(frame: pl.DataFrame, columns: Sequence[str], *, missing: Literal["indicator", "complete"]) -> Design:
    """Covariates as numbers: numeric columns linear about their mean, text as 0/1 per level but the most frequent one.

    ``indicator``: a missing number takes the mean and a 0/1 column of its own, a missing category is the level
    "missing". ``complete``: rows with anything missing are left out. Columns that do not vary are dropped, and named.
    Names read ``age``, ``sex=M``, ``income missing``. Cost: linear in rows x columns.
    """
    absent = frame.select(pl.any_horizontal(*(_is_missing(frame, name) for name in columns), pl.lit(False)))
    absent_any = absent.to_series().to_numpy()
    keep = ~absent_any if missing == "complete" else np.ones(frame.height, dtype=bool)
    notes = [] if keep.all() else ["rows with a missing covariate left out"]
    kept = frame.filter(pl.Series(keep)) if not keep.all() else frame
    parts: list[tuple[str, Floats]] = []
    dropped: list[str] = []
    for name in columns:
        made = _numeric(kept, name) if frame.schema[name].is_numeric() else _levels(kept, name)
        parts += made
        if not made:
            dropped.append(name)
    if dropped:
        notes.append(f"not varying, left out: {', '.join(dropped)}")
    x = np.column_stack([values for _, values in parts]) if parts else np.zeros((kept.height, 0))
    return Design(x, tuple(name for name, _ in parts), keep, tuple(notes), tuple(dropped))


def _is_missing(frame: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name)
    return column.is_null() | column.is_nan() if frame.schema[name].is_float() else column.is_null()


def _numeric(frame: pl.DataFrame, name: str) -> list[tuple[str, Floats]]:
    """The column about its mean, and where it is missing."""
    values = frame[name].cast(pl.Float64).to_numpy()
    missing = np.isnan(values)
    if missing.all():
        return []
    centred = np.where(missing, 0.0, values - values[~missing].mean())
    found = [(name, centred)] if np.ptp(values[~missing]) > 0 else []
    return [*found, (f"{name} missing", missing.astype(float))] if missing.any() else found


def _levels(frame: pl.DataFrame, name: str) -> list[tuple[str, Floats]]:
    """0/1 per level, in alphabetical order, without the most frequent one (the first of equals)."""
    text = frame[name].cast(pl.String).fill_null(MISSING)
    counts = text.value_counts().sort(["count", name], descending=[True, False])
    others = sorted(counts[name].to_list()[1:])
    return [(f"{name}={level}", (text == level).cast(pl.Float64).to_numpy()) for level in others]
