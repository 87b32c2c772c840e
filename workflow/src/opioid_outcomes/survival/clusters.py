"""Rows that belong together: whether each says to what, and the sandwich of clusters that add up to nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.risk_sets import Floats

# share of the model's variance that is rounding: a search ends where scores add up to some 1e-9 of their size
NO_VARIANCE = 1e-16


def known(groups: npt.ArrayLike, name: str = "cluster") -> npt.NDArray[Any]:
    """The groups of rows as an array; ValueError where a row has none (None, NaN, NaT): those would be one together."""
    members: npt.NDArray[Any] = np.asarray(groups)
    kind = members.dtype.kind
    if kind in "mM":
        unknown = np.isnat(members)
    elif kind in "fcO":  # what is not known differs from itself, None apart
        unknown = (members != members) | (members == None)  # noqa: E711, PLR0124 - of each row
    else:
        return members
    if np.any(unknown):
        raise ValueError(f"{name} must be known in every row")
    return members


def whole(codes: npt.ArrayLike, name: str = "cause") -> npt.NDArray[np.int64]:
    """Codes as whole numbers; ValueError where one is none, or not known, rather than cut down to one."""
    values: npt.NDArray[Any] = np.asarray(codes)
    if values.dtype.kind not in "iub":
        numbers = values.astype(np.float64)
        if not (np.floor(numbers) == numbers).all():
            raise ValueError(f"{name} must be whole numbers, known in every row")
    return values.astype(np.int64)


def without_rounding(robust: Floats, model: Floats, weights: Floats) -> Floats:
    """A sandwich, symmetric, in which variances that are nothing but rounding (of one cluster, say) are 0.

    model: the covariance by the information, which is by the mean of the weights what the sandwich might be.
    """
    seen = np.diag(robust) > NO_VARIANCE * np.diag(model) * weights.mean()
    return np.where(np.logical_and.outer(seen, seen), (robust + robust.T) / 2, 0.0)
