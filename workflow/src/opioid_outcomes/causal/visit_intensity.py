"""Inverse-intensity weights: means over time of what is recorded when people come, and they come for a reason.

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
__all__ = ["AtRisk", "CoxFailure", "Gee", "Intensity", "at_risk", "gee", "split", "staying", "weights"]


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


def split(rows: AtRisk, at: int) -> AtRisk:
    """The same time at risk, with a row that goes on over the day ``at`` of the clock cut there."""
    over = (rows.start < at) & (at < rows.stop)
    place = np.repeat(np.arange(len(rows.start)), 1 + over)
    second = np.append(False, place[1:] == place[:-1])[: len(place)]
    first = over[place] & ~second
    return AtRisk(
        rows.last[place], np.where(second, at, rows.start[place]), np.where(first, at, rows.stop[place]),
        rows.since[place], np.where(first, -1, rows.visit[place]),
    )  # fmt: skip


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


def staying(
    rows: AtRisk, leaves: Bools, chosen: Bools, z: Floats, *, names: Sequence[str], subject: Ints, person: Ints
) -> Intensity:
    """Weights of the visits by the chance of having stayed until then, 1 / exp(-sum exp(gamma'Z) dLambda0).

    leaves: (r,) whether follow-up ends at the row's stop for a reason that z may tell. chosen: (r,) rows at risk of
    that. subject, person: (n,) of the visits. Stabilised by what somebody with the mean of z has; the errors take the
    baseline hazard as known. CoxFailure where there is no estimate. As censoring weights of Robins & Finkelstein (2000)
    Biometrics 56:779.
    """
    x = np.ascontiguousarray(z[chosen])
    fit = cox.fit(
        rows.start[chosen], rows.stop[chosen], leaves[chosen], x, names=names, cluster=person[rows.last[chosen]]
    )
    hazard = fit.baseline_hazard(at_means=True)
    total = np.append(0.0, hazard["cumulative_hazard"].to_numpy())
    times = hazard["time"].to_numpy()
    passed = np.zeros(len(chosen))
    passed[chosen] = (
        total[np.searchsorted(times, rows.stop[chosen], side="right")]
        - total[np.searchsorted(times, rows.start[chosen], side="right")]
    )
    centred = z - fit.x.centre
    relative = np.exp(linear(centred, fit.params))
    begins = np.flatnonzero(np.append(True, np.diff(subject[rows.last]) != 0))
    amounts = np.column_stack([(relative - 1) * passed, centred * (relative * passed)[:, None]])
    running = np.cumsum(amounts, axis=0)
    before = np.repeat(running[begins] - amounts[begins], np.diff(np.append(begins, len(chosen))), axis=0)
    seen = rows.visit >= 0
    moved = np.zeros((len(person), amounts.shape[1]))
    moved[rows.visit[seen]] = (running - before)[seen]
    influence = np.zeros((int(person.max()) + 1, len(names)))
    found = fit.influence(person[rows.last[chosen]])
    influence[: len(found)] = found
    return Intensity(np.exp(moved[:, 0]), (fit,), np.ascontiguousarray(moved[:, 1:]), influence)


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
