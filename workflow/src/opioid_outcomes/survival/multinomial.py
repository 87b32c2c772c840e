"""Multinomial logistic regression in which a row may belong to several classes by weights; with two classes, logistic.

Ours because statsmodels' MNLogit takes no weights and its GLM says nothing of separation. Row i enters class k with
weight w_ik: sum over i and k of w_ik log P_k(x_i) is maximised, as if each row were K rows weighted so. Standard errors
are robust (Huber-White), rows being the independent units, so that a row's weights need not be counts.
Cost: a Newton step takes one pass over the rows per pair of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.products import column_sums, cross
from opioid_outcomes.survival.risk_sets import Floats

MAX_STEPS = 60
Bools = npt.NDArray[np.bool_]
# Newton's decrement, per unit of weight, at which that step, doubling the digits, is the last
DECREMENT = 1e-12
# a column whose coefficient still moves by this much over its range when the likelihood stands still has no estimate
STILL_MOVING = 1e-2
# Rows of one value of a two-valued column expected in a class below which that class has none of it: weights of a class
# are seldom quite 0, and of a hundred rows of 1e-6 log odds come to rest at -11 or so, as if that were known
LEAST_EXPECTED = 1.0
# log odds beyond which no data tell a probability from 0 or 1
BEYOND = 50.0
# share of a column's variance that must be left after the columns before it
COLLINEAR = 1e-10
# share of the largest eigenvalue of the information below which rounding cannot tell one from 0
SILENT = 1e-12
# share of a coefficient in directions of which the data say nothing beyond which it has no estimate
UNTOLD = 1e-6
INTERCEPT = "intercept"


class NoEstimate(Exception):
    """A model that has no estimate: why, and through which columns.

    reason: "empty class", "no variation", "collinear", "separation" (the likelihood rises for ever, or would but for
    weights near 0: some value goes with one class only) or "no convergence".
    """

    def __init__(self, reason: str, columns: Sequence[str] = ()) -> None:
        self.reason, self.columns = reason, tuple(columns)
        super().__init__(f"{reason}: {', '.join(self.columns)}" if self.columns else reason)


@dataclass(frozen=True)
class MultinomialFit:
    """``params``: log odds (K - 1, 1 + p) of each class against the first: the intercept, then the columns, as given.

    ``covariance`` (model) and ``robust_covariance`` are square in the same order, class by class. NaN: no estimate, as
    the classes that rows can be in say nothing of it.
    """

    names: tuple[str, ...]
    params: Floats
    covariance: Floats
    robust_covariance: Floats
    loglik: float
    n_iter: int

    @property
    def robust_se(self) -> Floats:
        """Shaped as ``params``."""
        return np.sqrt(np.diag(self.robust_covariance)).reshape(self.params.shape)


def fit(
    x: npt.ArrayLike, classes: npt.ArrayLike, *, names: Sequence[str], never: npt.ArrayLike | None = None
) -> MultinomialFit:
    """Fit log odds ratios. x: (n, p) named by ``names``, without intercept; classes: (n, K) weights >= 0, K >= 2.

    never: (n, K), classes in which a row cannot be, weights there counting as 0. Where a class has nobody of a level,
    its log odds there are minus infinity; with the class ruled out for that level the other coefficients are those of
    that limit, exactly, and the infinite one is NaN.

    Raises NoEstimate when there is none, ValueError when the arguments make no sense. Agrees with R nnet::multinom on
    the rows written K times, and for K = 2 with glm; robust covariance as sandwich's HC0, clustered by row.
    """
    columns, weight, barred = _check(x, classes, names, never)
    centre, spread = _location_and_spread(columns, weight.sum(axis=1))
    _identified(columns, centre, weight, names)
    _told_in_every_class(columns, weight, barred, names)
    scaled = np.column_stack([np.ones(len(columns)), (columns - centre) / spread])
    search = _Search(scaled, weight, (INTERCEPT, *names), barred)
    point, n_iter = search.run()
    back = np.zeros((len(centre) + 1,) * 2)  # from coefficients of scaled columns to those of the columns as given
    back[0, 0] = 1.0
    back[0, 1:] = -centre / spread
    back[1:, 1:] = np.diag(1 / spread)
    every = np.kron(np.eye(weight.shape[1] - 1), back)
    still = search.silent @ search.silent.T
    inverse = np.linalg.inv(point.information + still) - still
    untold = np.abs(every @ search.silent).max(axis=1, initial=0) > UNTOLD * np.abs(every).max(axis=1)
    gaps = np.where(untold | untold[:, None], np.nan, 0.0)
    params = point.beta @ back.T
    return MultinomialFit(
        names=tuple(names),
        params=np.where(untold.reshape(params.shape), np.nan, params),
        covariance=every @ inverse @ every.T + gaps,
        robust_covariance=every @ inverse @ search.meat(point) @ inverse @ every.T + gaps,
        loglik=point.loglik,
        n_iter=n_iter,
    )


def _check(
    x: npt.ArrayLike, classes: npt.ArrayLike, names: Sequence[str], never: npt.ArrayLike | None
) -> tuple[Floats, Floats, Bools | None]:
    columns, weight = np.asarray(x, dtype=float), np.asarray(classes, dtype=float)
    if weight.ndim != 2 or weight.shape[1] < 2 or columns.shape != (len(weight), len(names)):
        raise ValueError(f"x must be rows x {len(names)} named columns, classes rows x at least 2 weights")
    if not (np.isfinite(columns).all() and np.isfinite(weight).all()) or (weight < 0).any():
        raise ValueError("columns and weights must be known and finite, and weights at least 0")
    barred = None if never is None or not np.any(never) else np.asarray(never, dtype=bool)
    if barred is not None:
        weight = np.where(barred, 0.0, weight)
    empty = np.flatnonzero(weight.sum(axis=0) <= 0)
    if len(empty):
        raise NoEstimate("empty class", [f"class {k + 1}" for k in empty])
    told = weight.sum(axis=1) > 0
    return columns[told], weight[told], None if barred is None else barred[told]


def _location_and_spread(x: Floats, weights: Floats) -> tuple[Floats, Floats]:
    centre = column_sums(x, weights) / weights.sum()
    return centre, np.sqrt(column_sums((x - centre) ** 2, weights) / weights.sum())


def _identified(x: Floats, centre: Floats, weight: Floats, names: Sequence[str]) -> None:
    """Refuse columns that do not vary, or that the columns before them already say."""
    moments = cross(x - centre, (x - centre) * weight.sum(axis=1)[:, None]) / weight.sum()
    size = np.diag(moments)
    flat = size <= 1e-24 * np.maximum(1, centre**2)
    if flat.any():
        raise NoEstimate("no variation", [name for name, is_flat in zip(names, flat, strict=True) if is_flat])
    correlation = moments / np.sqrt(np.outer(size, size))
    for j in range(1, len(size)):
        shares = np.linalg.lstsq(correlation[:j, :j], correlation[:j, j], rcond=None)[0]
        if 1 - correlation[j, :j] @ shares < COLLINEAR:
            raise NoEstimate("collinear", [names[k] for k in (*np.flatnonzero(np.abs(shares) > 1e-5), j)])


def _told_in_every_class(x: Floats, weight: Floats, barred: Bools | None, names: Sequence[str]) -> None:
    """Refuse two-valued columns of one value of which less than one row is expected in a class."""
    share = weight / weight.sum(axis=1, keepdims=True)
    possible = np.ones(weight.shape, dtype=bool) if barred is None else ~barred
    lacking = []
    for name, column in zip(names, x.T, strict=True):
        high = column == column.max()
        if (high | (column == column.min())).all():
            for value in (high, ~high):
                if ((share[value].sum(axis=0) < LEAST_EXPECTED) & possible[value].any(axis=0)).any():
                    lacking.append(name)
                    break
    if lacking:
        raise NoEstimate("separation", lacking)


@dataclass(frozen=True)
class _Point:
    beta: Floats  # (K - 1, 1 + p)
    surplus: Floats  # (n, K - 1) weight in the class minus that expected
    loglik: float
    score: Floats
    information: Floats


@dataclass(frozen=True)
class _Search:
    """Newton-Raphson with step halving; the information is that of the model."""

    x: Floats  # with intercept, scaled
    weight: Floats
    names: tuple[str, ...]
    barred: Bools | None  # classes that rows cannot be in

    def at(self, beta: Floats) -> _Point:
        eta = np.column_stack([np.zeros(len(self.x)), np.einsum("np,kp->nk", self.x, beta, optimize=False)])
        if self.barred is not None:
            eta[self.barred] = -np.inf
        top = eta.max(axis=1, keepdims=True)
        total = np.log(np.exp(eta - top).sum(axis=1, keepdims=True)) + top
        chance, size = np.exp(eta - total)[:, 1:], self.weight.sum(axis=1)
        log_chance = eta - total if self.barred is None else np.where(self.barred, 0.0, eta - total)
        loglik = float(np.einsum("nk,nk->", self.weight, log_chance, optimize=False))
        surplus = self.weight[:, 1:] - size[:, None] * chance
        score = cross(surplus, self.x).ravel()
        q, p = beta.shape
        information = np.empty((q, p, q, p))
        for a in range(q):
            for b in range(a + 1):
                spread = size * chance[:, a] * ((a == b) - chance[:, b])
                block = cross(self.x, self.x * spread[:, None])
                information[a, :, b, :] = information[b, :, a, :] = block
        return _Point(beta, surplus, loglik, score, information.reshape(q * p, q * p))

    @cached_property
    def start(self) -> _Point:
        shares = self.weight.sum(axis=0)
        beta = np.zeros((self.weight.shape[1] - 1, self.x.shape[1]))
        beta[:, 0] = np.log(shares[1:] / shares[0])
        return self.at(beta)

    @cached_property
    def silent(self) -> Floats:
        """Orthonormal directions, in columns, in which no chance of any row changes; none unless classes are barred."""
        information = self.start.information
        if self.barred is None:
            return np.zeros((len(information), 0))
        value, vector = np.linalg.eigh(information)
        return np.asarray(vector[:, value <= SILENT * value[-1]], np.float64)

    def meat(self, point: _Point) -> Floats:
        """Sum over rows of the outer product of their scores."""
        q, p = point.beta.shape
        meat = np.empty((q, p, q, p))
        for a in range(q):
            for b in range(a + 1):
                block = cross(self.x, self.x * (point.surplus[:, a] * point.surplus[:, b])[:, None])
                meat[a, :, b, :] = meat[b, :, a, :] = block
        return meat.reshape(q * p, q * p)

    def run(self) -> tuple[_Point, int]:
        """The maximum, from the shares of the classes, and the number of steps taken."""
        point = self.start
        beta = step = point.beta
        still = self.weight.sum() * self.silent @ self.silent.T
        for n_iter in range(1, MAX_STEPS + 1):
            try:
                step = np.linalg.solve(point.information + still, point.score).astype(np.float64).reshape(beta.shape)
            except np.linalg.LinAlgError:
                raise self._failure("separation", point.beta) from None
            decrement = float((step.ravel() * point.score).sum())
            point = self._uphill(point, step)
            if decrement < DECREMENT * self.weight.sum():
                if (np.abs(step) * self._range > STILL_MOVING).any() or self._beyond(point):
                    raise self._failure("separation", step if np.abs(step).max() > STILL_MOVING else point.beta)
                return point, n_iter
        raise self._failure("no convergence", step)

    def _uphill(self, point: _Point, step: Floats) -> _Point:
        """The point after the longest of the step, its half, quarter, ... that does not lower the likelihood."""
        slack = 1e-10 * (1 + abs(point.loglik))  # rounding
        for _ in range(30):
            trial = self.at(point.beta + step)
            if np.isfinite(trial.information).all() and trial.loglik >= point.loglik - slack:
                return trial
            step = 0.5 * step
        raise self._failure("separation" if self._beyond(point) else "no convergence", point.beta)

    def _beyond(self, point: _Point) -> bool:
        return bool((np.abs(point.beta[:, 1:]) * self._range[1:] > BEYOND).any())

    @property
    def _range(self) -> Floats:
        reach = np.ptp(self.x, axis=0)
        reach[0] = 1.0
        return reach

    def _failure(self, reason: str, movement: Floats) -> NoEstimate:
        distance = (np.abs(movement) * self._range).max(axis=0)[1:]
        if not distance.size or distance.max() == 0:
            return NoEstimate(reason)
        moving = distance > 0.1 * distance.max()
        return NoEstimate(reason, [name for name, moves in zip(self.names[1:], moving, strict=True) if moves])
