"""Products summed over rows whose last digit does not depend on the machine's load.

BLAS splits long sums over its threads, so their last bits change with the number of cores; ``einsum`` without
optimisation sums in one fixed order. Short products (rows x p times p x p) may use ``@``.
"""

from __future__ import annotations

import numpy as np

from opioid_outcomes.survival.risk_sets import Floats


def cross(x: Floats, y: Floats, weights: Floats | None = None) -> Floats:
    """X' diag(weights) Y, (p, q), from rows x p and rows x q."""
    if weights is None:
        return np.einsum("ni,nj->ij", x, y, optimize=False)
    return np.einsum("ni,n,nj->ij", x, weights, y, optimize=False)


def column_sums(x: Floats, weights: Floats) -> Floats:
    """Weighted sum of each column, (p,)."""
    return np.einsum("n,nj->j", weights, x, optimize=False)


def sums_by(groups: np.ndarray, x: Floats) -> Floats:
    """Sum of rows within groups 0..G-1, (G, p)."""
    count = int(groups.max()) + 1
    return np.column_stack([np.bincount(groups, column, count) for column in x.T])
