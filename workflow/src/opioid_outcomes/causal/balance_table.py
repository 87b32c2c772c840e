"""Balance of covariates, their squares and products, before and after weighting, without ever making the products.

The weighted mean of a product of two columns is an element of X' diag(w) X, and its variance one of the same of the
squared columns: a few matrix products replace as many columns as there are pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.survival.products import cross, row_blocks
from opioid_outcomes.survival.risk_sets import Floats

Bools = npt.NDArray[np.bool_]
# share of a mean square below which a variance, the difference of two sums, is rounding
ROUNDING = 1e-13


@dataclass
class _Sums:
    """Of one arm, by pair of columns, the first a constant: known values, their products, squared products."""

    count: Floats
    product: Floats
    square: Floats
    weight: list[Floats]
    weighted: list[Floats]


def pair_names(names: Sequence[str], two_valued: Sequence[bool]) -> dict[str, tuple[int, int]]:
    """Squares (of columns of more than 0 and 1) and products -> their two columns."""
    return {
        f"{names[j]} squared" if j == k else f"{names[j]} x {names[k]}": (j, k)
        for j in range(len(names))
        for k in range(j, len(names))
        if k > j or not two_valued[j]
    }


def two_valued(x: Floats) -> list[bool]:
    """Whether each column holds nothing but 0, 1 and missing."""
    found = np.ones(x.shape[1], dtype=bool)
    for part in row_blocks(len(x), x.shape[1]):
        block = x[part]
        found &= ((block == 0) | (block == 1) | np.isnan(block)).all(axis=0)
    return [bool(each) for each in found]


def with_squares_and_interactions(x: npt.ArrayLike, names: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
    """x (n, p) with its squares and pairwise products beside it, (n, p + about p^2 / 2), and all names."""
    values = np.asarray(x, dtype=np.float64)
    pairs = pair_names(names, two_valued(values))
    first, second = ([pair[side] for pair in pairs.values()] for side in (0, 1))
    return np.hstack([values, values[:, first] * values[:, second]]), (*names, *pairs)


def balance_table(
    x: npt.ArrayLike,
    names: Sequence[str],
    treated: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    before: npt.ArrayLike | None = None,
    products: bool = True,
) -> pl.DataFrame:
    """covariate, smd_before, smd_after: of each column of x (n, p), then of squares and products.

    As ``standardised_difference``, whose denominator (the unweighted arms') serves both: ``before`` are the weights the
    rows came with (1 if None), ``weights`` those after. Missing (NaN) is left out pair by pair. Null where it does not
    exist: an arm without a known value, or without any variation where the means differ.
    Cost: n p^2 a few times over, memory p^2: seconds for a million rows and 50 columns.
    """
    values, one = np.asarray(x, dtype=np.float64), np.asarray(treated).astype(bool)
    ways = [np.ones(len(one)) if way is None else np.asarray(way, dtype=np.float64) for way in (before, weights)]
    if values.shape != (len(one), len(names)) or any(way.shape != one.shape for way in ways):
        raise ValueError("x must be rows x names, with as many rows as treated and weights")
    kinds = np.array([True, *two_valued(values)])
    pairs = {name: (0, j + 1) for j, name in enumerate(names)}
    if products:
        pairs |= {name: (j + 1, k + 1) for name, (j, k) in pair_names(names, kinds[1:].tolist()).items()}
        found = _differences([_sums(values, rows, ways) for rows in (one, ~one)], np.logical_and.outer(kinds, kinds))
        first, second = np.array(list(pairs.values())).T if pairs else np.zeros((2, 0), dtype=np.int64)
        before_after = [difference[first, second] for difference in found]
    else:
        before_after = [standardised_difference(values, one, way) for way in ways]
    columns = dict(zip(("smd_before", "smd_after"), before_after, strict=True))
    return pl.DataFrame({"covariate": list(pairs), **columns}, schema_overrides={"covariate": pl.String}).fill_nan(None)


def _sums(x: Floats, rows: Bools, ways: Sequence[Floats]) -> _Sums:
    size = x.shape[1] + 1
    zero = np.zeros((size, size))
    total = _Sums(zero, zero, zero, [zero] * len(ways), [zero] * len(ways))
    for part in row_blocks(len(x), size):
        chosen = rows[part]
        block = np.column_stack([np.ones(int(chosen.sum())), x[part][chosen]])
        known = np.isfinite(block)
        whole = bool(known.all())
        if not whole:
            block = np.where(known, block, 0.0)
        there = known.astype(np.float64)
        squares = block**2
        total.count = total.count + (len(block) if whole else cross(there, there))
        total.product = total.product + cross(block, block)
        total.square = total.square + cross(squares, squares)
        for place, way in enumerate(ways):
            weight = way[part][chosen]
            more = weight.sum() if whole else cross(there, there, weight)
            total.weight[place] = total.weight[place] + more
            total.weighted[place] = total.weighted[place] + cross(block, block, weight)
    return total


def _differences(arms: Sequence[_Sums], binary: Bools) -> list[Floats]:
    """Standardised differences of all pairs for each way of weighting."""
    with np.errstate(invalid="ignore", divide="ignore"):
        variances = []
        for arm in arms:
            mean, square = arm.product / arm.count, arm.square / arm.count
            spread = np.where(square - mean**2 > ROUNDING * square, square - mean**2, 0.0)
            variances.append(np.where(binary, mean * (1 - mean), spread * arm.count / (arm.count - 1)))
        spread = np.sqrt((variances[0] + variances[1]) / 2)
        found = []
        for place in range(len(arms[0].weight)):
            means = [arm.weighted[place] / arm.weight[place] for arm in arms]
            difference = means[0] - means[1]
            same = np.abs(difference) <= ROUNDING * np.abs(means[0])
            found.append(np.where(spread == 0, np.where(same, 0.0, np.nan), difference / spread))
    return found


def balance_at_horizons(
    x: npt.ArrayLike,
    names: Sequence[str],
    treated: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    until: npt.ArrayLike,
    horizons: Sequence[float],
) -> pl.DataFrame:
    """horizon, covariate, smd among rows followed to each horizon at least, under their weights then.

    until: (n,) end of each row's follow-up. weights: (n,), or (n, horizons) where they change, as with weights for
    censoring. Denominator: the unweighted arms at the beginning, so that leaving cannot look like balance. Null where
    an arm has nobody left.
    """
    ends, given = np.asarray(until, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    parts = []
    for place, horizon in enumerate(horizons):
        weight = np.where(ends >= horizon, given if given.ndim == 1 else given[:, place], 0.0)
        smd = standardised_difference(x, treated, weight)
        parts.append(pl.DataFrame({"horizon": float(horizon), "covariate": list(names), "smd": smd}))
    empty = pl.DataFrame(schema={"horizon": pl.Float64, "covariate": pl.String, "smd": pl.Float64})
    return pl.concat([empty, *parts]).fill_nan(None)
