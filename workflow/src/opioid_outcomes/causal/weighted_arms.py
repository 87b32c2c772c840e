"""Follow-up of two arms, their weighted curves, and everybody's influence on them, the estimated score included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival import incidence
from opioid_outcomes.survival.binary_regression import BinaryFit
from opioid_outcomes.survival.incidence import Incidence
from opioid_outcomes.survival.incidence_influence import Rows
from opioid_outcomes.survival.person_bootstrap import Persons
from opioid_outcomes.survival.products import column_sums, linear
from opioid_outcomes.survival.risk_sets import Floats, Ints


@dataclass(frozen=True)
class FollowUp:
    """Time at risk of index dates, (m,) each: one row of (0, time], or several where a weight changes over time.

    place: number of the index date. factor: what its weight is multiplied by over this row.
    """

    start: Floats
    stop: Floats
    cause: Ints
    place: Ints
    factor: Floats


@dataclass(frozen=True)
class Score:
    """A logistic propensity score as the sandwich needs it. slopes: (n,) of the weights by the linear predictor."""

    x: npt.NDArray
    fit: BinaryFit
    slopes: Floats

    def influence(self, moved: Floats) -> Floats:
        """Of each row through the score, (n,), on a value that moves with each row's linear predictor by ``moved``.

        A row's score, residual times columns, times bread, times the value's derivative by the coefficients: in that
        order nothing as large as the columns is formed. With a penalty the scores sum to its slope, of which each row
        has a part by its weight (the slope itself is taken as known).
        """
        direction = self.fit.times_bread(np.r_[moved.sum(), column_sums(self.x, moved)])
        rows = self.fit.rows
        residual = rows.weights * (rows.y - self.fit.fitted)
        scores = residual * (linear(self.x, direction[1:]) + direction[0])
        return np.asarray(scores - rows.weights * (scores.sum() / rows.weights.sum()))


@dataclass(frozen=True)
class Arms:
    """Rows of the comparators [0] and the treated [1], with event times found once for any weights."""

    rows: tuple[Rows, Rows]
    place: tuple[Ints, Ints]
    factor: tuple[Floats, Floats]
    number: tuple[Ints, Ints]  # of the rows among all of the follow-up

    def curves(self, weights: Floats, persons: Persons | None = None) -> tuple[Incidence, Incidence]:
        """At weights of the index dates, (n,); of clusters ``persons`` if errors are wanted."""
        comparator, treated = (
            incidence.weighted(
                rows, weights[place] * factor, None if persons is None else persons.distinct[persons.codes[place]]
            )
            for rows, place, factor in zip(self.rows, self.place, self.factor, strict=True)
        )
        return comparator, treated

    def with_factors(self, factor: Floats) -> Arms:
        """At other factors of the rows of follow-up, (m,), in their order."""
        return replace(self, factor=(factor[self.number[0]], factor[self.number[1]]))


def arms_of(follow_up: FollowUp, treated: npt.NDArray[np.bool_], causes: int) -> Arms:
    """Split the rows by the arm of their index date, (n,)."""
    of_row = treated[follow_up.place]
    rows, places, factors, numbers = [], [], [], []
    for arm in (False, True):
        chosen = np.flatnonzero(of_row == arm)
        start, stop, cause = follow_up.start[chosen], follow_up.stop[chosen], follow_up.cause[chosen]
        rows.append(incidence.rows_of(start, stop, cause, causes=causes))
        places.append(follow_up.place[chosen])
        factors.append(follow_up.factor[chosen])
        numbers.append(chosen)
    return Arms((rows[0], rows[1]), (places[0], places[1]), (factors[0], factors[1]), (numbers[0], numbers[1]))


def values(curves: Sequence[Incidence], horizons: Floats, *, carry: bool = False) -> Floats:
    """Of each arm by each horizon: incidence of each cause, then the restricted mean time, (2, H, K + 1)."""
    return np.stack([np.column_stack([c.risk(horizons, carry=carry), c.rmst(horizons, carry=carry)]) for c in curves])


def influence(
    arms: Arms, curves: Sequence[Incidence], weights: Floats, horizon: float, *, persons: Persons, score: Score | None
) -> Floats:
    """Of each person on ``values`` by one horizon, (people, 2, K + 1): the variance is the sum of squares.

    With theta(w) a value at weights w(gamma), and gamma the score's coefficients, a person's influence is the sum over
    its rows of d theta / d w_i w_i, plus d theta / d gamma times its influence on gamma (Stefanski & Boos 2002 Am Stat
    56:29), d theta / d gamma = sum of d theta / d w_i d w_i / d gamma over all rows. Cost: a pass over the rows and
    the columns of the score for each value; memory: people x values.
    """
    n, causes = len(weights), arms.rows[0].causes
    out = np.zeros((persons.count, 2, causes + 1))
    for arm, curve in enumerate(curves):
        unit = np.column_stack([curve.unit_influence(horizon)[:, 0], curve.unit_rmst_influence(horizon)])
        for j in range(causes + 1):
            slope = np.bincount(arms.place[arm], unit[:, j] * arms.factor[arm], n)
            total = slope * weights
            if score is not None:
                total += score.influence(slope * score.slopes)
            out[:, arm, j] = np.bincount(persons.codes, total, persons.count)
    return out
