"""Balance of covariates between two groups: standardised differences."""

from __future__ import annotations

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
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    binary = np.asarray(np.isin(filled, (0.0, 1.0)).all(axis=0))
    means, variances = [], []
    for rows in (exposed, ~exposed):
        means.append(_mean(filled[rows], known[rows], weight[rows, None]))
        variances.append(_variance(filled[rows], known[rows], binary))
    difference = means[0] - means[1]
    spread = np.sqrt((variances[0] + variances[1]) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        result = difference / spread
    return np.where(spread == 0, np.where(difference == 0, 0.0, np.nan), result)


def _mean(values: Floats, known: npt.NDArray[np.bool_], weight: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((values * weight).sum(axis=0) / (known * weight).sum(axis=0))


def _variance(values: Floats, known: npt.NDArray[np.bool_], binary: npt.NDArray[np.bool_]) -> Floats:
    n = known.sum(axis=0)
    mean = _mean(values, known, np.ones((len(values), 1)))
    squares = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(binary, mean * (1 - mean), squares / (n - 1))
