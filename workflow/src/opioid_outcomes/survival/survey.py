"""Variance of estimates from a stratified cluster sample, by Taylor linearisation (Binder 1983 Int Stat Rev 51:279).

Each row's influence on the estimate (for Cox: its weighted dfbeta, Binder 1992 Biometrika 79:139) is totalled over
primary sampling units, and the variance is that of the totals within strata: as R survey::svycoxph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.products import cross, sums_by
from opioid_outcomes.survival.risk_sets import Floats


@dataclass(frozen=True)
class DesignCovariance:
    """covariance: (p, p). ``lonely``: strata with a single sampling unit. degrees: sampling units minus strata."""

    covariance: Floats
    degrees: int
    lonely: int


def design_covariance(influence: Floats, *, strata: npt.ArrayLike | None, units: npt.ArrayLike) -> DesignCovariance:
    """Covariance of an estimate given each row's influence on it.

    influence: (n, p), weights included, summing to about 0. strata: (n,) or None for one stratum. units: (n,) primary
    sampling units, numbered within strata. Within a stratum of n units, n / (n - 1) times the squares of their totals
    about the stratum's mean; a stratum with one unit counts its square about the mean of all, 0 (R's "adjust").
    """
    rows = len(influence)
    stratum = np.zeros(rows, np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    unit = np.unique(np.asarray(units), return_inverse=True)[1]
    pairs, place = np.unique(stratum * (unit.max() + 1) + unit, return_inverse=True)
    totals = sums_by(place, influence)
    of_stratum = pairs // (unit.max() + 1)
    size = np.bincount(of_stratum)
    means = sums_by(of_stratum, totals) / size[:, None]
    alone = size == 1
    centred = totals - np.where(alone[:, None], 0.0, means)[of_stratum]
    factor = np.where(alone, 1.0, size / np.maximum(size - 1, 1))
    covariance = cross(centred, centred, factor[of_stratum])
    return DesignCovariance(covariance, degrees=len(pairs) - len(size), lonely=int(alone.sum()))
