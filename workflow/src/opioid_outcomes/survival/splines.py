"""Natural cubic splines of a column: smooth inside the knots, straight beyond the first and the last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BSpline

from opioid_outcomes.survival.risk_sets import Floats


def knots_at(x: npt.ArrayLike, quantiles: Sequence[float]) -> Floats:
    """Distinct values of ``x`` (known ones) at ``quantiles``, ascending: the outer two are the boundary knots.

    Linear between order statistics (R's type 7). ValueError if fewer than two are distinct.
    """
    values = np.asarray(x, dtype=np.float64)
    known = values[np.isfinite(values)]
    knots = np.unique(np.quantile(known, sorted(quantiles))) if len(known) else known
    if len(knots) < 2:
        raise ValueError("a spline needs two distinct knots")
    return knots


def natural(x: npt.ArrayLike, knots: npt.ArrayLike) -> Floats:
    """Basis (n, k - 1) of natural cubic splines of ``x`` (n,) with ``knots`` (k,), k >= 2, the outer two the boundary.

    A constant is not in its span. Equal, column by column, to R splines::ns(x, knots = inner, Boundary.knots = outer):
    cubic B-splines without the first, turned so that second derivatives at the boundary vanish; beyond it a straight
    line (Hastie (1992) in Chambers & Hastie, Statistical Models in S, ch. 7). NaN where x is. Cost: n x k.
    """
    values, places = np.asarray(x, dtype=np.float64), np.asarray(knots, dtype=np.float64)
    if places.ndim != 1 or len(places) < 2 or not np.isfinite(places).all() or (np.diff(places) <= 0).any():
        raise ValueError("knots must be two or more ascending numbers")
    padded = np.concatenate([np.repeat(places[0], 3), places, np.repeat(places[-1], 3)])
    pieces = BSpline(padded, np.eye(len(padded) - 4), 3)
    ends = places[[0, -1]]
    turned = np.linalg.qr(pieces(ends, nu=2)[:, 1:].T, mode="complete")[0][:, 2:]
    inside = np.clip(values, *ends)
    basis = pieces(inside)[:, 1:] @ turned
    slopes = pieces(ends, nu=1)[:, 1:] @ turned
    for end, slope, beyond in zip(ends, slopes, (values < ends[0], values > ends[1]), strict=True):
        basis[beyond] += (values[beyond] - end)[:, None] * slope
    return np.asarray(basis)
