"""Passes over the rows of a binary regression, block by block: likelihood, score, information, sandwich.

Blocks are added in order, so that the last digit does not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.products import column_sums, cross, linear
from opioid_outcomes.survival.risk_sets import Floats, Ints

Link = Literal["logit", "cloglog"]
Reals = npt.NDArray[np.generic]

# rows held at a time; with 50 columns a block stays in the processor's cache
BLOCK = 4096


@dataclass(frozen=True)
class Beside:
    """Some ``columns`` of x, after a column ``first`` if given: read as an array is, by blocks of rows, never copied.

    Models of one large table may so differ in their columns. first: (n,). columns: places in x, in order.
    """

    x: Reals
    columns: Ints
    first: Floats | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.x), int(self.first is not None) + len(self.columns)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return self.x.dtype

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice | Ints) -> Reals:
        values = self.x[rows]
        if len(self.columns) < values.shape[1]:
            values = values[:, self.columns]
        return values if self.first is None else np.concatenate([self.first[rows, None], values], axis=1)

    def only(self, columns: Ints) -> Beside:
        """Some of them, by place, rising."""
        before = int(self.first is not None)
        first = self.first if before and 0 in columns else None
        return Beside(self.x, self.columns[columns[columns >= before] - before], first)

    def centred(self, rows: slice, centre: Floats, out: Floats) -> None:
        """The columns of some rows, less their centre, into ``out`` (columns, rows)."""
        before = int(self.first is not None)
        if self.first is not None:
            np.subtract(self.first[rows], centre[0], out=out[0])
        values = self.x[rows]
        if len(self.columns) < values.shape[1]:
            values = values[:, self.columns]
        np.subtract(values.T, centre[before:, None], out=out[before:])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[np.generic]:
        return np.asarray(self[slice(None)], dtype=dtype)


@dataclass(frozen=True)
class Rows:
    """The rows of a fit, checked: x (n, p) of any real type, y 0.0/1.0, cluster numbered from 0."""

    x: Reals
    y: Floats
    weights: Floats
    offset: Floats | None
    cluster: Ints | None
    intercept: bool


@dataclass(frozen=True)
class Design:
    """Columns ``active`` of x, centred and scaled as they are read; ``centre`` and ``spread`` are of all columns."""

    rows: Rows
    centre: Floats
    spread: Floats
    active: Ints

    def only(self, active: Ints) -> Design:
        return replace(self, active=active)

    def blocks(self, every: int = 1) -> Iterator[tuple[slice, Floats]]:
        """Row numbers and columns of every so-many-th block, a constant first if the model has one.

        A block's columns, not its rows, lie together in memory: what is done to all rows of a column is most of it.
        """
        first, x = int(self.rows.intercept), self.rows.x
        everything = len(self.active) == x.shape[1]
        centre, spread = self.centre[self.active], self.spread[self.active]
        scale = 1 / np.where(spread > 0, spread, 1.0)
        buffer = np.empty((first + len(self.active), BLOCK))
        buffer[:first] = 1.0
        for part in slices(len(self.rows.y), every):
            block = buffer[:, : part.stop - part.start]
            if everything and isinstance(x, Beside):
                x.centred(part, centre, block[first:])
            else:
                values = x[part] if everything else x[part][:, self.active]
                np.subtract(values.T, centre[:, None], out=block[first:])
            block[first:] *= scale[:, None]
            yield part, block.T

    def take(self, rows: Ints) -> Floats:
        """Some rows, by place, as in ``blocks``."""
        spread = self.spread[self.active]
        values = np.asarray(self.rows.x[rows][:, self.active], dtype=np.float64)
        values = (values - self.centre[self.active]) / np.where(spread > 0, spread, 1.0)
        return np.column_stack([np.ones(len(rows)), values]) if self.rows.intercept else values

    def scaled(self, params: Floats) -> Floats:
        """Coefficients of the centred, scaled columns that say the same as ``params``."""
        first = int(self.rows.intercept)
        slopes = params[first:][self.active]
        beta = slopes * self.spread[self.active]
        return np.concatenate([params[:1] + slopes @ self.centre[self.active], beta]) if first else beta

    def back(self) -> Floats:
        """(all columns, active ones): takes coefficients of the scaled columns to those of x."""
        first = int(self.rows.intercept)
        spread = np.where(self.spread > 0, self.spread, 1.0)[self.active]
        matrix = np.zeros((first + self.rows.x.shape[1], first + len(self.active)))
        matrix[first + self.active, first + np.arange(len(self.active))] = 1 / spread
        if first:
            matrix[0, 0] = 1.0
            matrix[0, 1:] = -self.centre[self.active] / spread
        return matrix


@dataclass(frozen=True)
class Point:
    """The likelihood at coefficients ``beta`` of the scaled columns, with the information asked for."""

    beta: Floats
    eta: Floats
    loglik: float
    score: Floats
    information: Floats


def slices(n: int, every: int = 1) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, every * BLOCK))


def at(design: Design, beta: Floats, link: Link, every: int = 1, *, expected: bool = False) -> Point:
    """One pass over the rows, or over every so-many-th block of them: n x p^2.

    Information: observed, whose steps are Newton's, or ``expected``, which R reports; for the logit they are the same.
    """
    rows, size = design.rows, len(beta)
    eta = np.zeros(len(rows.y)) if rows.offset is None else rows.offset.copy()
    loglik, score, information = 0.0, np.zeros(size), np.zeros((size, size))
    for part, block in design.blocks(every):
        eta[part] += linear(block, beta)
        likelihood, slope, curvature = _terms(eta[part], rows.y[part], link, expected=expected)
        weights = rows.weights[part]
        loglik += float((weights * likelihood).sum())
        score += column_sums(block, weights * slope)
        information += cross(block, block, weights * curvature)
    return Point(beta, eta, loglik, score, information)


def _terms(eta: Floats, y: Floats, link: Link, *, expected: bool) -> tuple[Floats, Floats, Floats]:
    """Per row: log-likelihood, its slope in the linear predictor, and minus its curvature, as it is or expected."""
    if link == "logit":
        small = np.exp(-np.abs(eta))
        share = np.where(eta >= 0, 1.0, small) / (1 + small)
        likelihood = y * eta - np.maximum(eta, 0) - np.log1p(small)
        return likelihood, y - share, small / (1 + small) ** 2
    with np.errstate(over="ignore"):
        hazard = np.exp(np.clip(eta, -700, 700))
        odds = hazard / np.expm1(hazard)
    likelihood = np.where(y == 1, np.log(-np.expm1(-hazard)), -hazard)
    curvature = hazard * odds if expected else np.where(y == 1, odds * (hazard + odds - 1), hazard)
    return likelihood, np.where(y == 1, odds, -hazard), curvature


def probability(eta: Floats, link: Link) -> Floats:
    if link == "logit":
        small = np.exp(-np.abs(eta))
        return np.asarray(np.where(eta >= 0, 1.0, small) / (1 + small))
    return np.asarray(-np.expm1(-np.exp(np.minimum(eta, 700))))


def null(design: Design, link: Link) -> Floats:
    """Coefficients of a model that says the same of everybody, before any offset."""
    rows = design.rows
    beta = np.zeros(int(rows.intercept) + len(design.active))
    if rows.intercept:
        share = float((rows.weights * rows.y).sum() / rows.weights.sum())
        beta[0] = np.log(share / (1 - share)) if link == "logit" else np.log(-np.log1p(-share))
        if rows.offset is not None:
            beta[0] -= float((rows.weights * rows.offset).sum() / rows.weights.sum())
    return beta


def location_and_spread(rows: Rows) -> tuple[Floats, Floats]:
    """Weighted mean (0 in a model without a constant) and root mean square about it, per column."""
    p = rows.x.shape[1]
    total = rows.weights.sum()
    centre, square = np.zeros(p), np.zeros(p)
    if rows.intercept:
        for part in slices(len(rows.y)):
            centre += column_sums(np.asarray(rows.x[part], dtype=np.float64), rows.weights[part])
        centre /= total
    for part in slices(len(rows.y)):
        square += column_sums((np.asarray(rows.x[part], dtype=np.float64) - centre) ** 2, rows.weights[part])
    return centre, np.sqrt(square / total)


def finite(x: Reals) -> npt.NDArray[np.bool_]:
    """Whether each column holds finite numbers only, (p,)."""
    told = np.ones(x.shape[1], dtype=bool)
    for part in slices(len(x)):
        told &= np.isfinite(x[part]).all(axis=0)
    return told


def times(x: Reals, params: Floats) -> Floats:
    """x @ params, (n,), in an order that does not depend on the number of cores."""
    result = np.empty(len(x))
    for part in slices(len(x)):
        result[part] = linear(np.asarray(x[part], dtype=np.float64), params)
    return result


def residuals(rows: Rows, eta: Floats, link: Link) -> Floats:
    """Weight times the slope of the log-likelihood in the linear predictor, (n,)."""
    return rows.weights * _terms(eta, rows.y, link, expected=True)[1]


def with_intercept(rows: Rows) -> Floats:
    """The design as it was given, (n, p), a copy."""
    found = np.ones((len(rows.x), int(rows.intercept) + rows.x.shape[1]))
    found[:, int(rows.intercept) :] = rows.x
    return found


def meat(design: Design, eta: Floats, link: Link) -> Floats:
    """Sum over clusters of the outer product of their summed scores, of the scaled columns, without holding them."""
    rows = design.rows
    residual = residuals(rows, eta, link)
    order = np.arange(len(eta)) if rows.cluster is None else np.argsort(rows.cluster, kind="stable")
    cluster = order if rows.cluster is None else rows.cluster[order]
    starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
    ends = np.r_[starts[1:], len(order)]
    size = int(rows.intercept) + len(design.active)
    total = np.zeros((size, size))
    begin = 0
    while begin < len(starts):  # blocks of whole clusters
        after = max(begin + 1, int(np.searchsorted(ends, starts[begin] + BLOCK, side="right")))
        taken = order[starts[begin] : ends[after - 1]]
        block = design.take(taken) * residual[taken, None]
        sums = np.add.reduceat(block, starts[begin:after] - starts[begin], axis=0)
        total += cross(sums, sums)
        begin = after
    return total


def dependent(information: Floats, tolerance: float) -> dict[int, list[int]]:
    """Columns of which less than ``tolerance`` is left after those before them -> the columns that say it."""
    root = np.sqrt(np.diag(information))
    root = np.where(root > 0, root, 1.0)
    correlation = information / np.outer(root, root)
    kept: list[int] = []
    found: dict[int, list[int]] = {}
    for j in range(len(root)):
        if kept:
            inside = correlation[np.ix_(kept, kept)]
            part = np.linalg.solve(inside, correlation[kept, j])
            if correlation[j, j] - correlation[kept, j] @ part < tolerance:
                found[j] = [k for k, weight in zip(kept, part, strict=True) if abs(weight) > 1e-5]
                continue
        kept.append(j)
    return found


def separating(design: Design) -> Ints:
    """Numbers of active columns whose values with and without the event overlap at one value at most.

    Columns that overlap in the rows read so far are not looked at again: mostly a few blocks are read.
    """
    rows, left = design.rows, design.active
    low, high = np.full((2, len(left)), np.inf), np.full((2, len(left)), -np.inf)  # by outcome
    for part in slices(len(rows.y)):
        few = rows.x.only(left)[part] if isinstance(rows.x, Beside) else rows.x[part][:, left]
        values = np.asarray(few, dtype=np.float64)
        for outcome in (0, 1):
            chosen = values[(rows.y[part] == outcome) & (rows.weights[part] > 0)]
            low[outcome] = np.minimum(low[outcome], chosen.min(axis=0, initial=np.inf))
            high[outcome] = np.maximum(high[outcome], chosen.max(axis=0, initial=-np.inf))
        apart = (high[1] <= low[0]) | (high[0] <= low[1])
        left, low, high = left[apart], low[:, apart], high[:, apart]
        if not left.size:
            break
    return left


def spans(design: Design) -> Floats:
    """Range of each active column in its standard deviations."""
    low, high = np.full(len(design.active), np.inf), np.full(len(design.active), -np.inf)
    for part in slices(len(design.rows.y)):
        values = np.asarray(design.rows.x[part][:, design.active], dtype=np.float64)
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
    return (high - low) / np.where(design.spread > 0, design.spread, 1.0)[design.active]
