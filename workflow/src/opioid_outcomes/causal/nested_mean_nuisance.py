"""What a structural nested mean model must first know: the step expected of each decision, and the chance of a score.

Every model is kept with the derivatives by which the errors of its coefficients pass into those of the effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opioid_outcomes.survival import binary_blocks, binary_regression
from opioid_outcomes.survival.binary_blocks import Design
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.products import column_sums, cross, linear
from opioid_outcomes.survival.risk_sets import Floats, Ints

COLLINEAR = 1e-10  # share of a column's information that must be left after the columns before it
# Newton's decrement per unit of weight at which a search ends, where d_k (d_k / d_k-1)^2 is expected of the next step
ENOUGH, MOST_STEPS = 1e-18, 30
SAMPLED, FEWEST_BLOCKS = 16, 64  # every how many-th block finds where to begin, of so many blocks
RIDGE = 1e-5  # where the likelihood has no maximum: per row, on standardised coefficients
SURE = 30.0  # a linear predictor beyond which a chance is 0 or 1: the likelihood has no maximum


@dataclass(frozen=True)
class Assignment:
    """The step expected given the history: e = chance x size, each (n,).

    design: the history's columns, standardised, constant first, without those that say nothing more (``dropped``).
    separated: columns that tell some decisions for sure.
    chance_influence, size_influence: (people, columns) of the two models' coefficients.
    """

    design: Design
    person: Ints
    weights: Floats
    chance: Floats
    size: Floats
    chance_influence: Floats
    size_influence: Floats
    dropped: tuple[tuple[str, str], ...]
    separated: tuple[str, ...]

    @property
    def expected(self) -> Floats:
        return self.chance * self.size


def assign(x: Floats, steps: Floats, *, names: Sequence[str], person: Ints, people: int, weights: Floats) -> Assignment:
    """Logistic model of any step, least squares of its size among those who take one.

    Where columns tell some decisions for sure, a slight ridge: those decisions say nothing of the effect, and need not.
    RegressionFailure where nobody takes a step ("no events"), or all do ("everybody").
    """
    taken = (steps > 0).astype(np.float64)
    try:
        fitted = binary_regression.fit(x, taken, names=names, weights=weights, redundant="drop")
        separated: tuple[str, ...] = ()
    except RegressionFailure as failure:
        if failure.reason not in ("separation", "no convergence"):
            raise
        fitted = binary_regression.fit(x, taken, names=names, weights=weights, ridge=RIDGE)
        separated = failure.columns
    design, chance = fitted.design, fitted.fitted
    score = weights * (taken - chance)
    chance_influence = times(person_sums(design, score, person, people), fitted.scaled_bread)
    gram, moment = _among(design, weights * taken, steps)
    bread = inverse(gram)
    size = predictor(design, bread @ moment)
    residual = weights * taken * (steps - size)
    size_influence = times(person_sums(design, residual, person, people), bread)
    return Assignment(
        design, person, weights, chance, size, chance_influence, size_influence, fitted.dropped, separated
    )


@dataclass(frozen=True)
class Scores:
    """Who has a score: the history's columns, the step, 1 or 0, and weights that are 0 in rows that could have none."""

    design: Design
    steps: Floats
    scored: Floats
    weights: Floats

    @cached_property
    def rows(self) -> Ints:
        """Places of the rows with weight."""
        return np.flatnonzero(self.weights)

    def blocks(self, every: int = 1) -> Iterator[tuple[Ints, Floats]]:
        """Rows with weight, and their columns: the history's, then the step. Or every so-many-th block of them."""
        for rows, block in taken(self.design, self.rows, 1, every):
            block[:, -1] = self.steps[rows]
            yield rows, block

    def total(self, every: int = 1) -> float:
        places = self.rows
        return sum(float(self.weights[places[part]].sum()) for part in binary_blocks.slices(len(places), every))


@dataclass(frozen=True)
class Observation:
    """Chance of a score, (n,), given the history and the step; 1 in rows that could have none."""

    scores: Scores
    chance: Floats
    bread: Floats

    def residual(self) -> Floats:
        """Weight x (had a score - chance); 0 in rows that could have none."""
        return self.scores.weights * (self.scores.scored - self.chance)


def observe(scores: Scores) -> Observation:
    """Logistic model of having a score, by Newton's method from the maximum in a sample of the rows.

    Where columns tell for sure who has one, a slight ridge; RegressionFailure where there is no maximum even so.
    Cost: three to six passes of n x columns^2, and no memory beyond a few columns.
    """
    for ridge in (0.0, RIDGE):
        start = None
        if len(scores.steps) >= SAMPLED * FEWEST_BLOCKS * binary_blocks.BLOCK:
            start = _search(scores, None, ridge, SAMPLED)
        beta = _search(scores, start, ridge)
        if beta is not None:
            return _observed(scores, beta, ridge)
    raise RegressionFailure("no convergence")


def _search(scores: Scores, start: Floats | None, ridge: float, every: int = 1) -> Floats | None:
    """Coefficients at the maximum over every so-many-th block; None where there seems to be none."""
    total = scores.total(every)
    if total == 0:
        return None
    beta = _null(scores) if start is None else start
    before = 0.0
    for _ in range(MOST_STEPS):
        score, information, furthest = _derivatives(scores, beta, ridge, every)
        if furthest > SURE and ridge == 0:
            return None
        kept = independent(information)
        step = np.zeros_like(beta)
        step[kept] = np.linalg.solve(information[np.ix_(kept, kept)], score[kept])
        beta = beta + step
        decrement = float(step @ score) / total
        ratio = min(decrement / before, 1.0) if before > 0 else 1.0
        if decrement * ratio**2 <= ENOUGH:
            return beta
        before = decrement
    return None


def _null(scores: Scores) -> Floats:
    """Coefficients of a model that says the same of everybody."""
    share = float((scores.weights * scores.scored).sum() / scores.weights.sum())
    beta = np.zeros(2 + len(scores.design.active))
    beta[0] = np.log(share / (1 - share))
    return beta


def _derivatives(scores: Scores, beta: Floats, ridge: float, every: int = 1) -> tuple[Floats, Floats, float]:
    """Slope and information of the log-likelihood, and the furthest linear predictor."""
    penalty = np.r_[0.0, np.full(len(beta) - 1, ridge * scores.total(every))]
    slope, information, furthest = -penalty * beta, np.diag(penalty), 0.0
    for rows, block in scores.blocks(every):
        eta = linear(block, beta)
        chance, weight = binary_blocks.probability(eta, "logit"), scores.weights[rows]
        furthest = max(furthest, float(np.abs(eta).max()))
        slope += column_sums(block, weight * (scores.scored[rows] - chance))
        information += cross(block, block, weight * chance * (1 - chance))
    return slope, information, furthest


def _observed(scores: Scores, beta: Floats, ridge: float) -> Observation:
    information = np.diag(np.r_[0.0, np.full(len(beta) - 1, ridge * scores.total())])
    everybody = np.ones(len(scores.steps))
    for rows, block in scores.blocks():
        chance = binary_blocks.probability(linear(block, beta), "logit")
        information += cross(block, block, scores.weights[rows] * chance * (1 - chance))
        everybody[rows] = chance
    return Observation(scores, everybody, inverse(information))


def inverse(gram: Floats) -> Floats:
    """Inverse over the columns that say something beyond those before them, 0 elsewhere."""
    kept = independent(gram)
    result = np.zeros_like(gram)
    result[np.ix_(kept, kept)] = np.linalg.inv(gram[np.ix_(kept, kept)])
    return result


def independent(gram: Floats) -> Ints:
    """Places of columns that say something beyond those before them, by their products."""
    dependent = binary_blocks.dependent(gram, COLLINEAR)
    return np.array([j for j in range(len(gram)) if j not in dependent and gram[j, j] > 0], dtype=np.int64)


def predictor(design: Design, beta: Floats) -> Floats:
    """Design times coefficients, (n,)."""
    result = np.empty(len(design.rows.y))
    for part, block in design.blocks():
        result[part] = linear(block, beta)
    return result


def person_sums(design: Design, factor: Floats, person: Ints, people: int) -> Floats:
    """Sums of factor x columns by person, (people, columns). Cost: one pass; rows of any order."""
    total = np.zeros((people, 1 + len(design.active)))
    for part, block in design.blocks():
        order = np.argsort(person[part], kind="stable")
        codes = person[part][order]
        starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
        total[codes[starts]] += np.add.reduceat((block * factor[part, None])[order], starts, axis=0)
    return total


def times(x: Floats, matrix: Floats) -> Floats:
    """x @ matrix, whose last digit does not depend on the number of cores."""
    return np.einsum("nj,jk->nk", x, matrix, optimize=False)


def taken(design: Design, rows: Ints, extra: int = 0, every: int = 1) -> Iterator[tuple[Ints, Floats]]:
    """Some rows of the design, block by block, with ``extra`` columns to be filled beside it; the block is used again.

    every: every so-many-th block only.
    """
    whole = len(design.active) == design.rows.x.shape[1]
    columns, spread = 1 + len(design.active), design.spread[design.active]
    centre, scale = design.centre[design.active], 1 / np.where(spread > 0, spread, 1.0)
    buffer = np.ones((min(binary_blocks.BLOCK, len(rows)), columns + extra))
    for part in binary_blocks.slices(len(rows), every):
        places = rows[part]
        values = design.rows.x[places]
        block = buffer[: len(places)]
        np.subtract(values if whole else values[:, design.active], centre, out=block[:, 1:columns])
        block[:, 1:columns] *= scale
        yield places, block


def _among(design: Design, weights: Floats, outcome: Floats) -> tuple[Floats, Floats]:
    """Products of the columns, and with the outcome, over rows with weight."""
    size = 1 + len(design.active)
    gram, moment = np.zeros((size, size)), np.zeros(size)
    for rows, block in taken(design, np.flatnonzero(weights)):
        gram += cross(block, block, weights[rows])
        moment += column_sums(block, weights[rows] * outcome[rows])
    return gram, moment
