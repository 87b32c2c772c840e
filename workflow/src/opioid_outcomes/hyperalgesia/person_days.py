"""Persons and days as one rising integer, so that one sorted array answers questions about everybody at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Empty days kept on either side of the data, so that a question about one person's day never meets another's.
MARGIN = 2000


@dataclass(frozen=True)
class PersonDays:
    """Keys of (person, day): persons are 0, 1, ..., days any integers between ``first`` and ``last``."""

    first: int
    last: int

    def key(self, person: Ints, day: Ints) -> Ints:
        """Rises with person, then day; days beyond the margin are drawn back to it, where nothing lies."""
        span = self.last - self.first + 1 + 2 * MARGIN
        return person * span + np.clip(day - self.first + MARGIN, 0, span - 1)


def segment_reduce(ufunc: np.ufunc, values: Floats, low: Ints, high: Ints, empty: float) -> Floats:
    """``ufunc`` over values[low:high] for each pair; ``empty`` where low >= high. One pass, no expansion."""
    out = np.full(len(low), empty)
    filled = low < high
    if filled.any():
        bounds = np.stack([low[filled], high[filled]], axis=1).ravel()
        out[filled] = ufunc.reduceat(np.append(values, empty), bounds)[::2]
    return out


def within(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Every (owner, index) with low[owner] <= index < high[owner]; owners in order."""
    count = np.maximum(high - low, 0)
    owner = np.repeat(np.arange(len(low)), count)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    return owner, np.repeat(low, count) + offset
