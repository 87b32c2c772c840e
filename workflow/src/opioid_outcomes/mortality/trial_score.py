"""Covariates of index dates as the columns of a propensity score, and those on which balance is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.mortality.contrasts import Missing
from opioid_outcomes.survival import design_matrix
from opioid_outcomes.survival.risk_sets import Floats
from opioid_outcomes.survival.splines import knots_at, natural

KNOTS = (0.05, 0.35, 0.65, 0.95)  # Harrell (2015) Regression Modeling Strategies, 2nd ed., table 2.3, four knots
FEWEST_VALUES = 10  # a column of fewer distinct values is linear
SINCE_ENTRY = "days_since_entry"


@dataclass(frozen=True)
class ScoreDesign:
    """x: (kept rows, p) the score's columns, by ``names``: numbers as splines, levels as 0/1, missing as 0/1 columns.

    covariates: (kept rows, q) the same covariates as they are, numbers about their mean, NaN where missing, by
    ``covariate_names``. keep: which rows of the table; notes: what was done.
    """

    x: Floats
    names: tuple[str, ...]
    covariates: Floats
    covariate_names: tuple[str, ...]
    keep: npt.NDArray[np.bool_]
    notes: tuple[str, ...]
    two_valued: tuple[bool, ...]  # covariates of 0 and 1


def score_design(frame: pl.DataFrame, baseline: Sequence[str], missing: Missing) -> ScoreDesign:
    """``baseline`` and the days since entry, for a score. Cost: linear in rows x columns, three columns a number."""
    columns = [*(name for name in baseline if name != SINCE_ENTRY), SINCE_ENTRY]
    design = design_matrix.build(frame, columns, missing=missing)
    kept = frame if design.keep.all() else frame.filter(pl.Series(design.keep))
    parts, names = [], []
    plain = design.x.copy()
    for j, name in enumerate(design.names):
        column = design.x[:, j]
        if name in columns and kept.schema[name].is_numeric():
            known = kept[name].is_not_null().to_numpy()
            if kept[name].drop_nulls().n_unique() == 2:
                plain[:, j] = column == column[known].max()
            plain[~known, j] = np.nan
            if kept[name].n_unique() >= FEWEST_VALUES:
                basis = _spline(column, known)
                parts.append(basis)
                names += [name, *(f"{name} (curve {k})" for k in range(1, basis.shape[1]))]
                continue
        parts.append(column[:, None])
        names.append(name)
    x = np.column_stack(parts) if parts else np.zeros((kept.height, 0))
    two_valued = tuple(bool(np.isin(column[np.isfinite(column)], (0.0, 1.0)).all()) for column in plain.T)
    return ScoreDesign(x, tuple(names), plain, design.names, design.keep, design.notes, two_valued)


def _spline(column: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Natural cubic spline of the known values, 0 where missing; a straight line where knots coincide."""
    try:
        knots = knots_at(column[known], KNOTS)
    except ValueError:
        return column[:, None]
    basis = natural(column, knots)
    basis[~known] = 0.0
    return basis
