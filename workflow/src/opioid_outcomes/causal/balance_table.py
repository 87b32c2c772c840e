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

from opioid_outcomes.causal.balance import ROUNDING, column_differences, standardised, standardised_difference
from opioid_outcomes.survival.products import cross, row_blocks
from opioid_outcomes.survival.risk_sets import Floats

Bools = npt.NDArray[np.bool_]
# standard deviations from 0 to a column's mean from which its products are those of what it differs from the mean by
FAR = 1000.0


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
    exist: an arm without a known value, or without any variation where the means differ. Of a column over ``FAR``
    standard deviations from 0 (a year) squares and products are taken from its mean: else they would say the same as
    the column, and rounding besides.
    Cost: n p^2 a few times over, memory p^2: seconds for a million rows and 50 columns.
    """
    values, one = np.asarray(x, dtype=np.float64), np.asarray(treated).astype(bool)
    ways = [np.ones(len(one)) if way is None else np.asarray(way, dtype=np.float64) for way in (before, weights)]
    if values.shape != (len(one), len(names)) or any(way.shape != one.shape for way in ways):
        raise ValueError("x must be rows x names, with as many rows as treated and weights")
    kinds = np.array([True, *two_valued(values)])
    before_after = column_differences(values, one, ways)
    pairs = pair_names(names, kinds[1:].tolist()) if products else {}
    if pairs:
        shift = _far_from_zero(values, kinds[1:])
        arms = [_sums(values, shift, rows, ways) for rows in (one, ~one)]
        first, second = np.array(list(pairs.values())).T + 1
        found = _differences(arms, np.logical_and.outer(kinds, kinds))
        before_after = [np.r_[alone, both[first, second]] for alone, both in zip(before_after, found, strict=True)]
    columns = dict(zip(("smd_before", "smd_after"), before_after, strict=True))
    return pl.DataFrame({"covariate": [*names, *pairs], **columns}, schema_overrides={"covariate": pl.String}).fill_nan(
        None
    )


def _far_from_zero(x: Floats, binary: Bools) -> Floats:
    """What is taken off each column before its products: the mean if that is far, else 0, (p,)."""
    p = x.shape[1]
    count, total, squares = np.zeros(p), np.zeros(p), np.zeros(p)
    for part in row_blocks(len(x), p):
        known = np.isfinite(x[part])
        count += known.sum(axis=0)
        total += np.where(known, x[part], 0.0).sum(axis=0)
    mean = total / np.maximum(count, 1)
    for part in row_blocks(len(x), p):
        squares += np.square(np.where(np.isfinite(x[part]), x[part] - mean, 0.0)).sum(axis=0)
    spread = np.sqrt(squares / np.maximum(count, 1))
    return np.where(~binary & (spread > ROUNDING * np.abs(mean)) & (np.abs(mean) > FAR * spread), mean, 0.0)


def _sums(x: Floats, shift: Floats, rows: Bools, ways: Sequence[Floats]) -> _Sums:
    size = x.shape[1] + 1
    zero = np.zeros((size, size))
    total = _Sums(zero, zero, zero, [zero] * len(ways), [zero] * len(ways))
    for part in row_blocks(len(x), size):
        chosen = rows[part]
        block = np.column_stack([np.ones(int(chosen.sum())), x[part][chosen] - shift])
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
        spread = (variances[0] + variances[1]) / 2
        found = []
        for place in range(len(arms[0].weight)):
            means = [arm.weighted[place] / arm.weight[place] for arm in arms]
            found.append(standardised(means[0], means[1], spread))
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
