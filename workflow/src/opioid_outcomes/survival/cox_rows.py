"""The rows of a Cox fit: checked, without a copy of what can be used as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.clusters import known
from opioid_outcomes.survival.risk_sets import Floats, Ints

SMALLEST, LARGEST = 1e-100, 1e100
UNKNOWN = "times, weights and offsets must be known and finite"


@dataclass(frozen=True)
class Rows:
    """The rows of a fit; ``kept`` are their places in the input (rows of weight 0 are left out).

    cluster: 0..G-1, or None where each row is its own. What is the same in every row takes no memory.
    """

    kept: Ints | slice
    start: Floats
    stop: Floats
    event: npt.NDArray[np.bool_]
    weights: Floats
    cluster: Ints | None
    stratum: Ints
    strata: npt.NDArray[np.generic]
    offset: Floats
    n: int


def check(  # noqa: PLR0917 - the arguments of cox.fit, in its order
    start: npt.ArrayLike | None,
    stop: npt.ArrayLike,
    event: npt.ArrayLike,
    x: npt.ArrayLike,
    names: Sequence[str],
    weights: npt.ArrayLike | None,
    cluster: npt.ArrayLike | None,
    strata: npt.ArrayLike | None,
    offset: npt.ArrayLike | None,
) -> tuple[Rows, Floats]:
    """The rows with a weight, and their covariates. Raises ValueError when the arguments make no sense."""
    stops = np.asarray(stop, dtype=float)
    if stops.ndim != 1:
        raise ValueError(f"stop must have one dimension, has shape {stops.shape}")
    n = len(stops)
    starts = _filled(-np.inf, n) if start is None else np.asarray(start, dtype=float)
    died = np.asarray(event)
    columns = np.asarray(x, dtype=float)
    weight = _filled(1.0, n) if weights is None else np.asarray(weights, dtype=float)
    shift = _filled(0.0, n) if offset is None else np.asarray(offset, dtype=float)
    groups = _filled(0, n) if strata is None else known(strata, "strata")
    members = None if cluster is None else known(cluster)
    if columns.shape != (n, len(names)) or not len(names):
        raise ValueError(f"x must be {n} rows x {len(names)} named columns, is {columns.shape}")
    if len(set(names)) < len(names):
        raise ValueError("names of columns must differ")
    for name, values in {
        "start": starts, "event": died, "weights": weight, "offset": shift, "strata": groups, "cluster": members,
    }.items():  # fmt: skip
        if values is not None and values.shape != (n,):
            raise ValueError(f"{name} must have {n} values, has shape {values.shape}")
    if not (_finite(stops) and _finite(shift) and _finite(weight) and not np.isnan(starts).any()):
        raise ValueError(UNKNOWN)
    if (starts >= stops).any():
        raise ValueError("every row must have start < stop (nobody is at risk on a day at whose beginning they leave)")
    if not ((died == 0) | (died == 1)).all() or (weight < 0).any():
        raise ValueError("event must be 0 or 1, and weights at least 0")
    if n and weight.max() > 0 and not SMALLEST < weight.max() < LARGEST:
        raise ValueError("the largest weight is beyond what can be squared and summed")
    kept = slice(None) if (weight > 0).all() else np.flatnonzero(weight > 0)
    if not isinstance(kept, slice):
        starts, stops, died, columns = starts[kept], stops[kept], died[kept], columns[kept]
        weight, shift, groups = weight[kept], shift[kept], groups[kept]
        members = None if members is None else members[kept]
    levels, stratum = (groups[:1], groups) if strata is None else numbered(groups)
    rows = Rows(
        kept=kept, start=starts, stop=stops, event=died.astype(bool, copy=False), weights=weight,
        cluster=None if members is None else numbered(members)[1], stratum=stratum, strata=levels, offset=shift, n=n,
    )  # fmt: skip
    return rows, columns


def numbered(groups: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Ints]:
    """The different groups in order, and the number of each row's; sorted only where they are in no order."""
    if not len(groups):
        return groups, np.zeros(0, dtype=np.int64)
    if groups.dtype.kind in "iu" and groups.dtype.itemsize >= 4:
        low, high = int(groups.min()), int(groups.max())
        if high - low < 2 * len(groups):
            place = groups - groups.dtype.type(low)  # no wider than the groups are given
            seen = np.zeros(high - low + 1, dtype=bool)
            seen[place] = True
            return (np.flatnonzero(seen) + low).astype(groups.dtype), (np.cumsum(seen) - 1)[place]
    levels, number = np.unique(groups, return_inverse=True)
    return levels, number.astype(np.int64, copy=False)


def _filled(value: float, n: int) -> npt.NDArray:
    return np.broadcast_to(np.asarray(value), (n,))


def _finite(values: Floats) -> bool:
    """Whether all are, without an array of answers: an unknown or infinite value stays one in the extremes."""
    return bool(not len(values) or (np.isfinite(values.min()) and np.isfinite(values.max())))
