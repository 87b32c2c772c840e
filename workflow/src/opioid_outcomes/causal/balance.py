"""Balance of covariates between two groups: standardised differences."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def standardised_difference(x: npt.ArrayLike, group: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """(mean in group 1 - mean in group 0) / sqrt((v1 + v0) / 2), one per column of ``x``.

    ``x``: (n,) or (n, p), NaN = missing, left out column by column. ``group``: (n,) of 1 and 0. ``weights`` enter the
    means only: the denominator is always that of the unweighted groups, so that weighting cannot look like balance
    by spreading a group out. Variances: p(1 - p) for columns of 0 and 1, the sample variance otherwise.
    NaN where a group has no known value, or where the means differ and neither group varies; 0 where they do not.

    Austin PC. Stat Med 2009;28:3083 (equations 1 and 2).
    """
    values = np.asarray(x, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    exposed = np.asarray(group).astype(bool)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    arms = (np.flatnonzero(exposed), np.flatnonzero(~exposed))
    loads = [weight[rows] for rows in arms]
    result = np.empty(values.shape[1])
    for j, column in enumerate(values.T):  # one at a time, so that nothing the size of x is copied
        sides = [column[rows] for rows in arms]
        known = [np.isfinite(side) for side in sides]
        seen = [side[told] for side, told in zip(sides, known, strict=True)]
        binary = all(bool(((side == 0) | (side == 1)).all()) for side in seen)
        means = [_mean(side, load[told]) for side, load, told in zip(seen, loads, known, strict=True)]
        difference, spread = means[0] - means[1], sum(_variance(side, binary) for side in seen) / 2
        if spread > 0:
            result[j] = difference / math.sqrt(spread)
        else:
            result[j] = 0.0 if spread == 0 and difference == 0 else math.nan
    return result


def _mean(values: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    return float((values * weight).sum()) / total if total != 0 else math.nan


def _variance(values: Floats, binary: bool) -> float:
    if not len(values):
        return math.nan
    mean = float(values.mean())
    if binary:
        return mean * (1 - mean)
    return float(((values - mean) ** 2).sum()) / (len(values) - 1) if len(values) > 1 else math.nan
