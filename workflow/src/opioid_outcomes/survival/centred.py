"""Covariates minus their means, a block of rows at a time: a copy of eleven million rows is a gigabyte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival.products import Floats, column_sums, linear, row_blocks


@dataclass(frozen=True)
class Centred:
    """x (n, p) as it was given, never copied; ``centre`` (p,) is taken off wherever rows are looked at.

    low, high, spread: (p,) smallest and largest value, and weighted standard deviation (1 where nothing varies).
    """

    x: Floats
    centre: Floats
    low: Floats
    high: Floats
    spread: Floats

    def __len__(self) -> int:
        return len(self.x)

    @property
    def columns(self) -> int:
        return self.x.shape[1]

    def blocks(self, least: int = 1) -> Iterator[tuple[slice, Floats]]:
        """Places and centred rows of each block, row-major; valid until the next block is asked for."""
        buffer = None
        for rows in row_blocks(len(self.x), self.columns, least):
            size = rows.stop - rows.start
            if buffer is None:
                buffer = np.empty((size, self.columns))
            yield rows, np.subtract(self.x[rows], self.centre, out=buffer[:size])

    def take(self, rows: np.ndarray) -> Floats:
        """Some centred rows, by place."""
        return self.x[rows] - self.centre

    def linear(self, beta: Floats, offset: Floats) -> Floats:
        """The centred linear predictor, (n,)."""
        eta = np.array(offset)
        for rows, block in self.blocks():
            eta[rows] += linear(block, beta)
        return eta


def centre(x: Floats, weights: Floats, names: Sequence[str]) -> Centred:
    """Weighted mean and standard deviation per column: a well-conditioned search. Two passes over the rows.

    Raises ValueError where a value is unknown or infinite, with the names of those columns.
    """
    p = x.shape[1]
    low, high, total = np.full(p, np.inf), np.full(p, -np.inf), np.zeros(p)
    for rows in row_blocks(len(x), p):
        low, high = np.minimum(low, x[rows].min(axis=0)), np.maximum(high, x[rows].max(axis=0))
        total += column_sums(x[rows], weights[rows])
    finite = np.isfinite(low) & np.isfinite(high)
    if not finite.all():
        unknown = [name for name, told in zip(names, finite, strict=True) if not told]
        raise ValueError(f"covariates must be known and finite: {', '.join(unknown)}")
    means = np.clip(total / weights.sum(), low, high)
    squares = np.zeros(p)
    for rows, block in Centred(x, means, low, high, means).blocks():
        np.square(block, out=block)
        squares += column_sums(block, weights[rows])
    spread = np.sqrt(squares / weights.sum())
    varies = np.isfinite(spread) & (spread > 1e-12 * np.maximum(np.abs(low), np.abs(high)))
    return Centred(x, means, low, high, np.where(varies, spread, 1.0))
