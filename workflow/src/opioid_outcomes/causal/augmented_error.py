"""A score recorded with error: logistic assignment by the conditional score, and moments less those of the error.

Classical error: recorded W = truth X + U, U normal about 0, independent of everything else, of known covariance in each
row. It stands in some columns of the design, which are linear in the noisy scores (last, mean, slope; not the highest).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival import binary_blocks as blocks
from opioid_outcomes.survival.binary_blocks import Design
from opioid_outcomes.survival.binary_search import RegressionFailure
from opioid_outcomes.survival.products import column_sums, cross, linear
from opioid_outcomes.survival.risk_sets import Floats, Ints

# share of its recorded variance that must be truth in every combination of the columns
TRUTH = 1e-3
# the largest step, in standard deviations of the coefficients, at which the search ends, and how long it may take
CLOSE, STEPS, HALVINGS = 1e-10, 50, 20


@dataclass(frozen=True)
class Error:
    """Classical error in some columns of x.

    columns: (q,) columns of x that are linear in noisy scores. unit: (n, q, q) covariance of their errors in each row
    if one score's error variance were 1. variance: of one score's error, taken as known. without: columns of x left out
    of the models where there is error, as they are not linear in the scores (the highest score).
    """

    columns: Ints
    unit: Floats
    variance: float
    without: Ints

    def check(self, n: int, p: int) -> None:
        """ValueError where the parts do not belong together, or to x of n rows and p columns."""
        q = len(self.columns)
        named = np.concatenate([self.columns, self.without]).astype(np.int64)
        if self.unit.shape != (n, q, q):
            raise ValueError(f"unit must be {n} x {q} x {q}, is {self.unit.shape}")
        if len(np.unique(named)) < len(named) or (named < 0).any() or (named >= p).any():
            raise ValueError("columns and without must be different columns of x")
        if not (np.isfinite(self.variance) and self.variance >= 0):
            raise ValueError("the error's variance must be known, and at least 0")


@dataclass(frozen=True)
class Noise:
    """The error in a design's scaled columns. places: (q,) among them, the constant and what is before them not
    counted. unit: as in ``Error``, ``which`` its rows and columns that are meant. scale: (q, q) for the covariance.
    """

    places: Ints
    unit: Floats
    which: Ints
    scale: Floats

    def covariance(self, part: slice) -> Floats:
        """Of the errors in some rows, (rows, q, q)."""
        unit = self.unit[part]
        if len(self.which) < unit.shape[1]:
            unit = unit[:, self.which][:, :, self.which]
        return np.asarray(unit * self.scale)

    def at(self, first: int) -> Ints:
        """Places in blocks whose columns begin after ``first`` others."""
        return self.places + first


def noise(error: Error | None, design: Design, kept: Ints) -> Noise | None:
    """The error in the columns ``kept`` of x, in the units of the design; None if there is none.

    design: of x, or of columns of it, whose active columns are those kept, in their order.
    """
    if error is None or error.variance == 0:
        return None
    found = {int(column): place for place, column in enumerate(kept)}
    which = np.array([j for j, column in enumerate(error.columns) if int(column) in found], dtype=np.int64)
    if not which.size:
        return None
    places = np.array([found[int(error.columns[j])] for j in which], dtype=np.int64)
    spread = design.spread[design.active][places]
    return Noise(places, error.unit, which, error.variance / np.outer(spread, spread))


def conditional_score(
    design: Design, treated: Floats, weights: Floats, noisy: Noise, start: Floats
) -> tuple[Floats, Floats]:
    """Coefficients of P(A = 1 | truth), (p,), of the design's scaled columns, and the inverse of minus the slope.

    Stefanski & Carroll (1987) Biometrika 74:703: given Delta = W + Sigma g (A - 1/2) the truth says nothing more of A,
    and logit P(A = 1 | Delta) = g'(1, Delta); the scores (A - P) (1, Delta) have mean 0 whatever the truth's
    distribution. start: coefficients that take the recorded for the truth, from which the nearest root is sought.
    Raises RegressionFailure "error" where the error is larger than the variance, "no root" where none is found:
    decisions so steep in the truth that recorded pain with such an error could not follow from it.
    """
    return _Search(design, treated, weights, noisy).run(start)


@dataclass(frozen=True)
class _Search:
    """Newton's method on the conditional score, steps halved while the score, in its own units, grows."""

    design: Design
    treated: Floats
    weights: Floats
    noisy: Noise

    def run(self, start: Floats) -> tuple[Floats, Floats]:
        gamma = start
        score, slope, information = self._at(gamma)
        for _ in range(STEPS):
            step = _solve(slope, score)
            size = float(score @ _solve(information, score))
            for _ in range(HALVINGS):
                next_score, next_slope, next_information = self._at(gamma + step)
                if float(next_score @ _solve(information, next_score)) < size or size < CLOSE**2:
                    break
                step = step / 2
            else:
                raise self._no_root()
            gamma, score, slope, information = gamma + step, next_score, next_slope, next_information
            if float(np.abs(step).max()) < CLOSE * max(1.0, float(np.abs(gamma).max())):
                _refuse(slope, information)
                return gamma, np.asarray(np.linalg.inv(slope), dtype=np.float64)
        raise self._no_root()

    def _no_root(self) -> RegressionFailure:
        """Why there is none: the error is larger than the variance, else the decisions follow the truth too steeply."""
        size = len(self.design.active) + 1
        moments = np.zeros((size, size))
        for part, recorded in self.design.blocks():
            moments += cross(recorded, recorded, self.weights[part])
        try:
            less_error(moments, self.noisy, self.weights, 1, np.arange(size))
        except RegressionFailure as failure:
            return failure
        return RegressionFailure("no root")

    def _at(self, gamma: Floats) -> tuple[Floats, Floats, Floats]:
        """Score, minus its slope, and the information of Delta taken for the truth."""
        size = len(gamma)
        places = self.noisy.at(1)
        score, slope, information = np.zeros(size), np.zeros((size, size)), np.zeros((size, size))
        for part, recorded in self.design.blocks():
            covariance = self.noisy.covariance(part)
            half = self.treated[part] - 0.5
            moved = np.einsum("nij,j->ni", covariance, gamma[places], optimize=False) * half[:, None]
            delta, twice = recorded.copy(), recorded.copy()
            delta[:, places] += moved
            twice[:, places] += 2 * moved
            chance = blocks.probability(linear(delta, gamma), "logit")
            residual = self.weights[part] * (self.treated[part] - chance)
            curvature = self.weights[part] * chance * (1 - chance)
            score += column_sums(delta, residual)
            slope += cross(delta, twice, curvature)
            information += cross(delta, delta, curvature)
            slope[np.ix_(places, places)] -= np.einsum("n,nij->ij", residual * half, covariance, optimize=False)
        return score, slope, information


def _solve(matrix: Floats, right: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise RegressionFailure("no root") from None


def _refuse(corrected: Floats, recorded: Floats) -> None:
    """RegressionFailure "error" unless enough of every combination's recorded variance is truth."""
    root = np.sqrt(np.maximum(np.diag(recorded), 0.0))
    root = np.where(root > 0, root, 1.0)
    unit = np.outer(root, root)
    try:
        left = np.linalg.inv(np.linalg.cholesky(recorded / unit))
    except np.linalg.LinAlgError:
        raise RegressionFailure("error") from None
    symmetric = (corrected + corrected.T) / (2 * unit)
    if not np.isfinite(symmetric).all() or float(np.linalg.eigvalsh(left @ symmetric @ left.T).min()) < TRUTH:
        raise RegressionFailure("error")


def less_error(moments: Floats, noisy: Noise, weights: Floats, first: int, active: Ints) -> Floats:
    """Moments of recorded columns less those of the error: Fuller (1987) Measurement Error Models, ch. 2.

    moments: (size, size) sum of weights x row x row'. Raises RegressionFailure "error" where what is left of the
    ``active`` columns' is no covariance of a truth.
    """
    places = noisy.at(first)
    total = np.zeros((len(places), len(places)))
    for part in blocks.slices(len(weights)):
        total += np.einsum("n,nij->ij", weights[part], noisy.covariance(part), optimize=False)
    corrected = moments.copy()
    corrected[np.ix_(places, places)] -= total
    _refuse(corrected[np.ix_(active, active)], moments[np.ix_(active, active)])
    return corrected
