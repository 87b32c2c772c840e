"""Inverse-intensity weights: means over time of something that is recorded when people come, and they come for a reason.

The intensity of visits given what is known before them, lambda0(t) exp(gamma'Z), by Andersen & Gill (1982) Ann Stat
10:1100; each visit counts exp(delta'X) / exp(gamma'Z), X being what the mean itself is modelled by, and the baseline
cancels: Lin, Scharfstein & Rosenheck (2004) JRSS B 66:791; Buzkova & Lumley (2007) Can J Stat 35:485. Then a linear
model by generalised estimating equations with an independence working correlation, the only one under which these
weights are right. As in R IrregLong; the errors know that the weights are estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.survival import cox
from opioid_outcomes.survival.cox import CoxFit
from opioid_outcomes.survival.cox_search import CoxFailure
from opioid_outcomes.survival.products import Floats, column_sums, cross, linear, sums_by

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
__all__ = ["AtRisk", "CoxFailure", "Gee", "Intensity", "at_risk", "gee", "weights"]


@dataclass(frozen=True)
class AtRisk:
    """Time at risk of the next visit, one row per stretch of days since the last one; in order of subject and time.

    last: (r,) index of the last visit. start, stop: (r,) at risk in (start, stop], on the visits' clock. since: (r,)
    number of the stretch. visit: (r,) index of the visit at stop, -1 where there is none.
    """

    last: Ints
    start: Ints
    stop: Ints
    since: Ints
    visit: Ints


def at_risk(subject: npt.ArrayLike, day: npt.ArrayLike, until: npt.ArrayLike, cuts: Sequence[int] = ()) -> AtRisk:
    """Rows at risk between the visits of each subject, and after the last one until follow-up ends.

    subject, day: (n,) of the visits, sorted by subject, then day, no two on one day. until: (n,) last day of the
    subject's follow-up, on the same clock. cuts: days since the last visit after which a new row begins. ValueError if
    visits are not sorted so. O(n x cuts).
    """
    who, when = np.asarray(subject), np.asarray(day).astype(np.int64)
    same = who[1:] == who[:-1]
    if np.any(who[1:] < who[:-1]) or np.any(same & (when[1:] <= when[:-1])):
        raise ValueError("visits must be sorted by subject and day, one a day")
    n = len(when)
    following = np.append(np.where(same, np.arange(1, n), -1), -1)[:n].astype(np.int64)
    end = np.where(following >= 0, when[following], np.asarray(until).astype(np.int64))
    edges = np.array([0, *cuts], dtype=np.int64)
    begin = when[:, None] + edges
    finish = np.minimum(end[:, None], np.append(when[:, None] + edges[1:], end[:, None], axis=1))
    filled = begin < end[:, None]
    last, since = np.nonzero(filled)
    stop = finish[filled]
    seen = (stop == end[last]) & (following[last] >= 0)
    return AtRisk(last, begin[filled], stop, since, np.where(seen, following[last], -1))


@dataclass(frozen=True)
class Intensity:
    """Weights (n,) of the visits, 1 of a subject's first, and how they move with the coefficients behind them.

    derivative: (n, q) of the log weight by the coefficients of all models. influence: (persons, q) of these.
    """

    weights: Floats
    fits: tuple[CoxFit, ...]
    derivative: Floats
    influence: Floats

    def times(self, other: Intensity) -> Intensity:
        """Weights of both, as of visits that are made and of staying to make them."""
        return Intensity(
            self.weights * other.weights, (*self.fits, *other.fits), np.hstack([self.derivative, other.derivative]),
            np.hstack([self.influence, other.influence]),
        )  # fmt: skip


def weights(
    rows: AtRisk,
    z: Floats,
    *,
    names: Sequence[str],
    person: npt.ArrayLike,
    stabiliser: Sequence[str] = (),
) -> Intensity:
    """exp(delta'X) / exp(gamma'Z) of each visit.

    z: (r, q) of the rows at risk, named ``names``, known before each row ends; columns that say nothing are to be left
    out before. person: (n,) of the visits, 0..G-1: errors are by person. stabiliser: the names of X among ``names``,
    what the mean is modelled by. The weights of later visits are shares of their geometric mean: any constant gives a
    consistent mean, and beside first visits of weight 1 this one is stable. CoxFailure where there is no estimate.
    """
    who = np.asarray(person).astype(np.int64)
    event = rows.visit >= 0
    places = rows.visit[event]
    log = np.zeros(len(who))
    fits, derivatives, influences = [], [], []
    chosen = [names.index(name) for name in stabiliser]
    for sign, columns in ((-1.0, list(range(len(names)))), (1.0, chosen)):
        if not columns:
            continue
        x = np.ascontiguousarray(z[:, columns])
        fit = cox.fit(rows.start, rows.stop, event, x, names=[names[c] for c in columns], cluster=who[rows.last])
        derivative = np.zeros((len(who), len(columns)))
        derivative[places] = sign * (x[event] - x[event].mean(axis=0))
        log += linear(derivative, fit.params)
        influence = np.zeros((int(who.max()) + 1, len(columns)))
        found = fit.influence(who[rows.last])
        influence[: len(found)] = found
        fits.append(fit)
        derivatives.append(derivative)
        influences.append(influence)
    return Intensity(np.exp(log), tuple(fits), np.hstack(derivatives), np.hstack(influences))


@dataclass(frozen=True)
class Gee:
    """Coefficients (p,) of a linear model, and their influence by person (G, p), the weights' own part in it."""

    names: tuple[str, ...]
    params: Floats
    influence: Floats

    @property
    def covariance(self) -> Floats:
        """Of the sums by person, times G / (G - 1)."""
        persons = len(self.influence)
        return persons / max(persons - 1, 1) * cross(self.influence, self.influence)

    def joint(self) -> Joint:
        """The coefficients as numbers that covary."""
        return Joint(self.params, self.covariance)


def gee(
    x: Floats, y: Floats, *, names: Sequence[str], person: npt.ArrayLike, intensity: Intensity | None = None
) -> Gee:
    """Weighted least squares of y (n,) on x (n, p), which holds its own constant; errors by person 0..G-1.

    intensity: weights of the rows, with their part in the errors; None: every row counts 1. LinAlgError where x is
    collinear. O(n p^2).
    """
    who = np.asarray(person).astype(np.int64)
    weight = np.ones(len(y)) if intensity is None else intensity.weights
    bread = np.linalg.inv(cross(x, x, weight))
    params = bread @ column_sums(x, weight * y)
    scores = x * (weight * (y - linear(x, params)))[:, None]
    summed = sums_by(who, scores)
    if intensity is not None:
        summed = summed + intensity.influence[: len(summed)] @ cross(intensity.derivative, scores)
    return Gee(tuple(names), params, summed @ bread)
