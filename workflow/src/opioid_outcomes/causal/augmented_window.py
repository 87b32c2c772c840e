"""One window of ``augmented``: who is observed, the outcome model, the three estimates and every row's influence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal.augmented_assignment import Assignment
from opioid_outcomes.causal.augmented_error import less_error
from opioid_outcomes.survival import binary_blocks as blocks
from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_regression import BinaryFit
from opioid_outcomes.survival.binary_search import COLLINEAR, RegressionFailure
from opioid_outcomes.survival.products import column_sums, cross, linears
from opioid_outcomes.survival.risk_sets import Floats, Ints

Bools = npt.NDArray[np.bool_]
# penalty of the observation model where columns tell for sure that some are observed, as all of a small group may be
RIDGE = 1e-4
TREATED = "treated"
CONSTANT, TREATMENT = 0, 1  # places in a block's columns, those of the history after them
HISTORY = 2


@dataclass(frozen=True)
class Window:
    """weights: (n,) of rows, 0 where not eligible or deviated. seen: (n,) with every outcome. outcomes: (n, k)."""

    given: Assignment
    weights: Floats
    seen: Bools
    outcomes: Floats


@dataclass(frozen=True)
class Observed:
    """chance: (n,) of an outcome; fit: its model, if there is one."""

    chance: Floats
    model: Literal["none", "logistic", "ridge"]
    fit: BinaryFit | None


@dataclass(frozen=True)
class Solved:
    """By method (AIPW, IPW, regression) and outcome: estimates (3, k); influences of rows (n, 3, k). means: (k,) of the
    treated. slopes: (columns kept, k) per unit. weights: (n,) with which outcomes count.
    """

    estimates: Floats
    influences: Floats
    means: Floats
    slopes: Floats
    weights: Floats


@dataclass(frozen=True)
class _Block:
    """Some rows. recorded: columns (constant, treatment, history). tilted: those of the untreated whose mean under the
    odds is the truth's. weights: of outcomes; odds: of those of the untreated, by their odds. covariance: of errors.
    """

    part: slice
    recorded: Floats
    tilted: Floats
    weights: Floats
    odds: Floats
    outcomes: Floats
    covariance: Floats | None


def observe(window: Window) -> Observed:
    """P(observed | treatment, history), in rows that count; 1 if all of them are observed."""
    given, counted = window.given, window.weights > 0
    if window.seen[counted].all():
        return Observed(np.ones(len(counted)), "none", None)
    names = [TREATED, *(f"{j}" for j in given.kept)]
    model: Literal["logistic", "ridge"] = "logistic"
    fit = partial(
        binary_regression.fit, given.columns, window.seen, names=names, weights=window.weights, like=given.design
    )
    try:
        found = fit(redundant="drop")
    except RegressionFailure:
        model, found = "ridge", fit(ridge=RIDGE)
    return Observed(np.where(counted, found.fitted, 1.0), model, found)


def solve(window: Window, observed: Observed) -> Solved:
    """Estimates, and influences with those of the assignment, the observation and the outcome model in them."""
    return _Equations(window, observed, window.weights * window.seen / observed.chance).solve()


@dataclass(frozen=True)
class _Sums:
    """Over rows: of weights of the treated, and of the untreated by their odds; outcomes and columns with these."""

    moments: Floats
    products: Floats
    treated: float
    untreated: float
    treated_outcomes: Floats
    untreated_outcomes: Floats
    untreated_columns: Floats


@dataclass(frozen=True)
class _Fitted:
    """theta: (size, k) of the outcome models. means: (2, k) of the treated and the weighted untreated. left: (k,) mean
    residual of the weighted untreated. pulls: (size, 2) slopes of AIPW and regression in theta, times its bread.
    """

    theta: Floats
    means: Floats
    left: Floats
    pulls: Floats


@dataclass(frozen=True)
class _Equations:
    window: Window
    observed: Observed
    weights: Floats

    def blocks(self) -> Iterator[_Block]:
        given = self.window.given
        noise, slopes = given.noise, self._assignment_slopes()
        for part, recorded in given.design.blocks():
            tilted, covariance = recorded, None
            if noise is not None:
                places = noise.at(HISTORY)
                covariance = noise.covariance(part)
                tilted = recorded.copy()
                tilted[:, places] -= np.einsum("nij,j->ni", covariance, slopes[places], optimize=False)
            values = np.where(self.window.seen[part], self.window.outcomes[part].T, 0.0).T
            odds = np.where(given.treated[part], 0.0, given.odds[part]) * self.weights[part]
            # outcomes that count for nothing weigh nothing, whatever the odds
            odds = np.where(self.weights[part] > 0, odds, 0.0)
            yield _Block(part, recorded, tilted, self.weights[part], odds, values, covariance)

    def _assignment_slopes(self) -> Floats:
        """In places of a block; nothing for treatment."""
        return np.insert(self.window.given.params, TREATMENT, 0.0)

    def solve(self) -> Solved:
        sums = self._sums()
        active, inverse = self._outcome_model(sums)
        size = len(sums.moments)
        theta = np.zeros((size, sums.products.shape[1]))
        theta[active] = inverse @ sums.products[active]
        below = sums.untreated_columns / sums.untreated
        means = np.stack([sums.treated_outcomes / sums.treated, sums.untreated_outcomes / sums.untreated])
        left = means[1] - below @ theta  # weighted mean residual of the untreated
        estimates = np.stack([theta[TREATMENT] - left, means[0] - means[1], theta[TREATMENT]])
        turn = np.zeros((size, size))
        turn[np.ix_(active, active)] = inverse
        effect = np.eye(size)[TREATMENT]
        pulls = np.column_stack([turn @ (effect + below), turn @ effect])
        influences = self._influences(sums, _Fitted(theta, means, left, pulls))
        spread = self.window.given.design.spread[1:]
        return Solved(estimates, influences, means[0], theta[HISTORY:] / spread[:, None], self._weights_of_outcomes())

    def _weights_of_outcomes(self) -> Floats:
        return np.where(self.weights > 0, self.weights * self.window.given.odds, 0.0)

    def _sums(self) -> _Sums:
        treated = self.window.given.treated
        size, k = 1 + len(self.window.given.design.active), self.window.outcomes.shape[1]
        moments, products = np.zeros((size, size)), np.zeros((size, k))
        above, below, columns = np.zeros(k), np.zeros(k), np.zeros(size)
        for block in self.blocks():
            moments += cross(block.recorded, block.recorded, block.weights)
            products += cross(block.recorded, block.outcomes, block.weights)
            above += column_sums(block.outcomes, block.weights * treated[block.part])
            below += column_sums(block.outcomes, block.odds)
            columns += column_sums(block.tilted, block.odds)
        return _Sums(moments, products, float(moments[0, TREATMENT]), float(columns[0]), above, below, columns)

    def _outcome_model(self, sums: _Sums) -> tuple[Ints, Floats]:
        """Columns that say something of their own, and the inverse of their moments, less the error's."""
        moments, noise = sums.moments, self.window.given.noise
        empty = np.diag(moments) <= 0
        dependent = blocks.dependent(moments, COLLINEAR)
        active = np.array([j for j in range(len(moments)) if j not in dependent and not empty[j]])
        if noise is not None:
            moments = less_error(moments, noise, self.weights, HISTORY, active)
        return active, np.asarray(np.linalg.inv(moments[np.ix_(active, active)]), dtype=np.float64)

    def _influences(self, sums: _Sums, fitted: _Fitted) -> Floats:
        """Rows' own part, and the slopes of the estimates in the assignment and the observation; then these models'."""
        n, k = self.window.outcomes.shape
        size = len(sums.moments)
        found = _columns(n, k)
        assigned, seen = np.zeros((size, 3, k)), np.zeros((size, 3 * k))
        for block in self.blocks():
            own = found[block.part]
            slopes = self._own(block, sums, fitted, own)
            assigned[:, :2] += slopes
            if self.observed.fit is not None:
                unseen = 1 - self.observed.chance[block.part]
                seen -= cross(block.recorded, _flat(own), unseen)
        self._add_models(found, assigned.reshape(size, -1), seen)
        return found

    def _own(self, block: _Block, sums: _Sums, fitted: _Fitted, own: Floats) -> Floats:
        """Fills ``own`` (rows, 3, k), the influences of some rows as if the assignment and the observation were known;
        and the rows' part of the slopes of AIPW and IPW in the assignment's coefficients, (size, 2, k).
        """
        given, theta, means = self.window.given, fitted.theta, fitted.means
        share = block.odds[:, None] / sums.untreated
        below = share * (block.outcomes - linears(block.tilted, theta) - fitted.left)
        plain = share * (block.outcomes - means[1])
        above = (block.weights * given.treated[block.part] / sums.treated)[:, None] * (block.outcomes - means[0])
        residual = block.outcomes - linears(block.recorded, theta)
        model = linears(block.recorded, fitted.pulls)[:, :, None] * residual[:, None, :]
        slopes = np.stack([-cross(block.tilted, below), -cross(block.tilted, plain)], axis=1)
        if block.covariance is not None and given.noise is not None:
            places = given.noise.at(HISTORY)
            noisy = np.einsum("nij,jk->nik", block.covariance, theta[places], optimize=False)
            slopes[places, 0] -= np.einsum("n,nik->ik", share[:, 0], noisy, optimize=False)
            model += np.einsum("im,nik->nmk", fitted.pulls[places], noisy, optimize=False)
        model *= block.weights[:, None, None]
        np.subtract(model[:, 0], below, out=own[:, 0])
        np.subtract(above, plain, out=own[:, 1])
        own[:, 2] = model[:, 1]
        return slopes

    def _add_models(self, found: Floats, assigned: Floats, seen: Floats) -> None:
        """Influences of the assignment's and the observation's coefficients, in place."""
        given, window, fit = self.window.given, self.window, self.observed.fit
        history = np.delete(np.arange(len(assigned)), TREATMENT)
        by_assignment = np.zeros_like(assigned)
        by_assignment[history] = given.inverse.T @ assigned[history]
        by_seen = np.zeros_like(seen) if fit is None else _turned(self._between(fit), fit.scaled_bread, seen)
        slopes = self._assignment_slopes()
        for part, block in given.design.blocks():
            statistic = block
            if given.noise is not None:
                places = given.noise.at(HISTORY)
                moved = np.einsum("nij,j->ni", given.noise.covariance(part), slopes[places], optimize=False)
                statistic = block.copy()
                statistic[:, places] += moved * (given.treated[part, None] - 0.5)
            surprise = given.weights[part] * (given.treated[part] - given.score[part])
            added = surprise[:, None] * linears(statistic, by_assignment)
            if fit is not None:
                surprise = window.weights[part] * (window.seen[part] - self.observed.chance[part])
                added += surprise[:, None] * linears(block, by_seen)
            flat = _flat(found[part])
            flat += added

    def _between(self, fit: BinaryFit) -> Floats:
        """(its scaled columns, ours): takes our columns to those of the observation model, constant first."""
        ours, theirs = self.window.given.design, fit.design
        spread = theirs.spread[theirs.active]
        spread = np.where(spread > 0, spread, 1.0)
        matrix = np.zeros((1 + len(theirs.active), 1 + len(ours.active)))
        matrix[0, 0] = 1.0
        matrix[1:, 0] = (ours.centre[theirs.active] - theirs.centre[theirs.active]) / spread
        matrix[1 + np.arange(len(theirs.active)), 1 + theirs.active] = ours.spread[theirs.active] / spread
        return matrix


def _columns(rows: int, k: int) -> Floats:
    """(rows, 3, k) numbers, those of a method and an outcome together in memory."""
    return np.empty((3, k, rows)).transpose(2, 0, 1)


def _flat(influences: Floats) -> Floats:
    """(rows, 3 k), the same numbers, of (rows, 3, k) as ``_columns`` lays them out."""
    rows, methods, k = influences.shape
    return influences.transpose(1, 2, 0).reshape(methods * k, rows).T


def _turned(between: Floats, bread: Floats, sums: Floats) -> Floats:
    return np.asarray(between.T @ (bread @ (between @ sums)))
