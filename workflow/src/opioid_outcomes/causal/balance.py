"""Balance of covariates between two groups: standardised differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.products import column_sums, row_blocks

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
# share of a value below which a difference, or a range, is the rounding of sums
ROUNDING = 1e-13


def standardised_difference(x: npt.ArrayLike, group: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """(mean in group 1 - mean in group 0) / sqrt((v1 + v0) / 2), one per column of ``x``.

    ``x``: (n,) or (n, p), NaN = missing, left out column by column. ``group``: (n,) of 1 and 0. ``weights`` enter the
    means only: the denominator is always that of the unweighted groups, so that weighting cannot look like balance
    by spreading a group out. Variances: p(1 - p) for columns of 0 and 1, the sample variance otherwise, 0 of a column
    that is the same throughout a group. NaN where a group has no known value, or where the means differ and neither
    group varies; 0 where they do not, but for rounding.

    Austin PC. Stat Med 2009;28:3083 (equations 1 and 2).
    """
    values = np.asarray(x, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    return column_differences(values, np.asarray(group).astype(bool), [weight])[0]


def column_differences(x: Floats, exposed: Bools, ways: Sequence[Floats]) -> list[Floats]:
    """``standardised_difference`` of the columns of x (n, p) for each of several weights (n,); two passes over them."""
    one, other = (_side(x, rows, ways) for rows in (exposed, ~exposed))
    binary = one.binary & other.binary
    first, second = (np.where(binary, side.centre * (1 - side.centre), side.variance) for side in (one, other))
    return [standardised(*means, (first + second) / 2) for means in zip(one.means, other.means, strict=True)]


def standardised(mean: Floats, other: Floats, variance: Floats) -> Floats:
    """Difference of two means in standard deviations: of no variance 0 if they are the same, NaN if not."""
    difference = mean - other
    same = np.abs(difference) <= ROUNDING * np.maximum(np.abs(mean), np.abs(other))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance == 0, np.where(same, 0.0, np.nan), difference / np.sqrt(variance))


@dataclass(frozen=True)
class _Side:
    """Of one group, by column: unweighted mean and variance, whether all is 0 or 1, and the mean by each weight."""

    centre: Floats
    variance: Floats
    binary: Bools
    means: list[Floats]


def _side(x: Floats, rows: Bools, ways: Sequence[Floats]) -> _Side:
    p = x.shape[1]
    count, total, squares = np.zeros(p), np.zeros(p), np.zeros(p)
    low, high, binary = np.full(p, np.inf), np.full(p, -np.inf), np.ones(p, dtype=bool)
    weight, moved = np.zeros((len(ways), p)), np.zeros((len(ways), p))
    for part in row_blocks(len(x), p):
        block = x[part][rows[part]]
        known = np.isfinite(block)
        count += known.sum(axis=0)
        total += np.where(known, block, 0.0).sum(axis=0)
        low = np.minimum(low, np.where(known, block, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(known, block, -np.inf).max(axis=0, initial=-np.inf))
        binary &= ((block == 0) | (block == 1) | ~known).all(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.where(count > 0, np.clip(total / count, low, high), np.nan)
        for part in row_blocks(len(x), p):  # from the mean: of large values the squares say nothing of the spread
            block = x[part][rows[part]]
            known = np.isfinite(block)
            apart = np.where(known, block - centre, 0.0)
            squares += np.square(apart).sum(axis=0)
            for place, way in enumerate(ways):
                weight[place] += column_sums(known.astype(np.float64), way[part][rows[part]])
                moved[place] += column_sums(apart, way[part][rows[part]])
        flat = (high - low <= ROUNDING * np.maximum(np.abs(low), np.abs(high))) & (count > 1)
        variance = np.where(flat, 0.0, np.where(count > 1, squares / (count - 1), np.nan))
        means = [centre + np.where(total != 0, by / total, np.nan) for by, total in zip(moved, weight, strict=True)]
    return _Side(centre, variance, binary, means)
