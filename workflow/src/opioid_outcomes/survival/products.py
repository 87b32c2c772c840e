"""Products summed over rows whose last digit does not depend on the machine's load.

BLAS splits long sums over its threads, so their last bits change with the number of cores. Here rows are taken in short
runs, each too small for BLAS to split, and the runs are added in order. Short products (rows x p times p x p) may use
``@``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# OpenBLAS keeps a matrix product under 262,144 multiply-adds, a matrix-vector product under 9,216, on one thread
PRODUCT, VECTOR = 65_536, 8_192
TILE = 64  # columns of one product; more are taken tile by tile
LARGEST = 1e100  # weight, or one over the smallest, whose square and sums are numbers still
BLOCK = 262_144  # numbers worked on at a time: what fits a processor's second cache


def row_blocks(rows: int, columns: int, least: int = 1) -> Iterator[slice]:
    """The rows in order, in blocks whose size depends on the arguments alone; ``least``: rows at the least."""
    size = max(BLOCK // max(columns, 1), least, 1)
    return (slice(begin, min(begin + size, rows)) for begin in range(0, rows, size))


def cross(x: Floats, y: Floats, weights: Floats | None = None) -> Floats:
    """X' diag(weights) Y, (p, q), from rows x p and rows x q. Cost: rows x p x q, a block of rows in memory."""
    total = np.zeros((x.shape[1], y.shape[1]))
    for rows in row_blocks(len(x), max(x.shape[1], y.shape[1])):
        right = y[rows] if weights is None else y[rows] * weights[rows, None]
        for i in range(0, x.shape[1], TILE):
            for j in range(0, y.shape[1], TILE):
                total[i : i + TILE, j : j + TILE] += _in_runs(x[rows, i : i + TILE], right[:, j : j + TILE])
    return total


def linear(x: Floats, beta: Floats) -> Floats:
    """X beta, (rows,); each row's sum is in the order of the columns."""
    return np.einsum("nj,j->n", x, beta, optimize=False)


def linears(x: Floats, betas: Floats) -> Floats:
    """X betas, (rows, q), of few columns, each of which lies together: in runs so short that no threads are called
    for."""
    (n, p), q = x.shape, betas.shape[1]
    found, columns, turned = np.empty((q, n)), x.T, betas.T
    length = max(1, min(PRODUCT // (p * q), n))
    whole = n - n % length
    runs = columns[:, :whole].reshape(p, -1, length).transpose(1, 0, 2)
    np.matmul(turned, runs, out=found[:, :whole].reshape(q, -1, length).transpose(1, 0, 2))
    np.matmul(turned, columns[:, whole:], out=found[:, whole:])
    return found.T


def column_sums(x: Floats, weights: Floats) -> Floats:
    """Weighted sum of each column, (p,)."""
    return np.einsum("n,nj->j", weights, x, optimize=False)


def sums_by(groups: np.ndarray, x: Floats) -> Floats:
    """Sum of rows within groups 0..G-1, (G, p)."""
    count = int(groups.max()) + 1
    return np.column_stack([np.bincount(groups, column, count) for column in x.T])


def effective_sample_size(weights: npt.ArrayLike) -> float:
    """(sum w)^2 / sum w^2, Kish (1965); 0 of no weight, or where one is not a finite number. Of any size."""
    values = np.asarray(weights, dtype=np.float64)
    largest = float(np.abs(values).max(initial=0.0))
    if not 0 < largest < np.inf:
        return 0.0
    share = values / largest
    return float(share.sum() ** 2 / np.square(share).sum())


def within_range(weights: Floats) -> Floats:
    """The weights, or where the largest is beyond what can be squared and summed, their shares of it."""
    largest = float(weights.max(initial=0.0))
    return weights / largest if largest > LARGEST or 0 < largest < 1 / LARGEST else weights


def _in_runs(x: Floats, y: Floats) -> Floats:
    (n, p), q = x.shape, y.shape[1]
    length = max(1, min(PRODUCT // (p * q), VECTOR // max(p, q)))
    whole = n - n % length
    runs = x[:whole].reshape(-1, length, p).transpose(0, 2, 1) @ y[:whole].reshape(-1, length, q)
    return runs.sum(axis=0) + x[whole:].T @ y[whole:]
