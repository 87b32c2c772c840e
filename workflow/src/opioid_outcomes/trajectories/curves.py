"""Bases of smooth curves of time: quadratic, or natural cubic spline; orthonormal over the observed times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Shape = Literal["quadratic", "spline"]

INNER_KNOTS = 3
# a column of which less than this share is left after the columns before it adds nothing
COLLINEAR = 1e-8


@dataclass(frozen=True)
class Basis:
    """Columns B(t) of a curve B(t) beta, with the mean of B(t)' B(t) over the observed times the identity.

    ``low`` and ``high`` are the first and last time. quadratic: 3 columns. spline: 5 columns, a natural cubic spline
    with boundary knots at ``low`` and ``high`` and three inner knots at a quarter, half and three quarters between them
    (equal spacing, because every month counts alike; as R's ns(t, knots =, intercept = TRUE)). Orthonormal columns keep
    the normal equations of a class well conditioned whatever the unit of time; the curves are the same.
    """

    shape: Shape
    low: float
    high: float
    transform: Floats

    @property
    def columns(self) -> int:
        return len(self.transform)

    def at(self, times: npt.ArrayLike) -> Floats:
        """B(t), (n, columns), at any times; beyond the ends a spline goes on in a straight line."""
        return _raw(self.shape, np.asarray(times, dtype=np.float64), self.low, self.high) @ self.transform


def basis(times: npt.ArrayLike, shape: Shape) -> Basis:
    """The basis for observed ``times`` (n,), which may repeat: each weighs as often as it is observed.

    ValueError if there are fewer distinct times than columns (3 and 5), so that the curve is not determined.
    Cost: a sort of the times; the rest by distinct time.
    """
    distinct, count = np.unique(np.asarray(times, dtype=np.float64), return_counts=True)
    needed = 3 if shape == "quadratic" else INNER_KNOTS + 2
    if len(distinct) < needed:
        raise ValueError(f"a {shape} curve needs {needed} distinct times, there are {len(distinct)}")
    low, high = float(distinct[0]), float(distinct[-1])
    weighted = _raw(shape, distinct, low, high) * np.sqrt(count / count.sum())[:, None]
    triangle = np.linalg.qr(weighted, mode="r")
    triangle = triangle * np.sign(np.diag(triangle))[:, None]  # one sign on every machine
    if np.any(np.abs(np.diag(triangle)) < COLLINEAR * np.sqrt((weighted**2).sum(axis=0))):
        raise ValueError(f"the observed times do not determine a {shape} curve")
    return Basis(shape, low, high, np.linalg.inv(triangle))


def _raw(shape: Shape, times: Floats, low: float, high: float) -> Floats:
    u = (2 * times - low - high) / (high - low)
    if shape == "quadratic":
        return np.column_stack([np.ones_like(u), u, u**2])
    return _natural_spline(u, np.linspace(-1, 1, INNER_KNOTS + 2))


def _natural_spline(u: Floats, knots: Floats) -> Floats:
    """Hastie, Tibshirani & Friedman (2009) The Elements of Statistical Learning, eq. 5.4-5.5: as many as knots."""
    cubes = np.maximum(u[:, None] - knots, 0) ** 3
    d = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones_like(u), u, d[:, :-1] - d[:, -1:]])
