"""Strategies sustained over time, by cloning, censoring and weighting, from one row per person.

Everybody follows every strategy at time zero, so each person has a clone per strategy, which is censored from the time
at which the person no longer follows it; those who go on following stand in for the censored who were like them, by the
inverse probability of not leaving (Hernan 2018 BMJ 360:k182; Cain et al. 2010 Int J Biostat 6:18 for grace periods).
The assignment uses nothing later than the time it is made at, so nobody must live to belong to an arm.

Leaving has a hazard that is constant within an interval (complementary log-log regression on intervals, the time at
risk in it as offset). What must begin within a grace period leaves nobody censored before its end: the probability is 1
until then. Who has not begun when the last interval of grace opens must begin in it, and those who do are weighted by
the inverse of that probability (logistic) from the end of grace on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival import binary_regression, incidence
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats, Ints

Bools = npt.NDArray[np.bool_]
# Per observation, of the standardised coefficients: bears a period in which nobody leaves, and moves nothing else
RIDGE = 1e-6


@dataclass(frozen=True)
class Strategy:
    """One strategy, and when each of n persons leaves it.

    leaves: (n,) whole times from which the person no longer follows it (inf: never; 0: from time zero on). Where it
    asks for something to ``begin`` within ``grace``: begins, (n,) time at which the person does (inf: never); leaving
    before is no leaving, and who has not begun before the time ``grace`` leaves then.
    """

    name: str
    leaves: Floats
    begins: Floats | None = None
    grace: float | None = None

    @cached_property
    def left(self) -> Floats:
        """(n,) the time from which the clone is censored."""
        if self.begins is None or self.grace is None:
            return self.leaves
        return np.where(self.begins < self.grace, np.maximum(self.leaves, self.begins), self.grace)

    @cached_property
    def may_leave_from(self) -> Floats:
        """(n,) the time from which it takes a decision every day to go on."""
        return np.zeros(len(self.leaves)) if self.begins is None else self.begins


@dataclass(frozen=True)
class Grid:
    """Intervals [edges[k], edges[k + 1]) of n persons as far as each is followed: R rows, by person, then interval."""

    edges: Floats
    time: Floats  # (n,) end of follow-up, at most the last edge
    cause: Ints  # (n,) 0 none by then
    person: Ints  # (R,)
    interval: Ints  # (R,)

    @property
    def opens(self) -> Floats:
        """(R,) the time at which each interval begins: covariates of a row lie before it."""
        return self.edges[self.interval]


def grid(time: npt.ArrayLike, cause: npt.ArrayLike, edges: Sequence[float]) -> Grid:
    """Rows for covariates; time: (n,) > 0, of the event or the end of follow-up; cause: (n,) 0 none, 1..K.

    edges: rising, from 0 to the last horizon; fine where leaving has its own pattern, and the end of grace among them.
    """
    ends, kinds, cuts = np.asarray(time, float), np.asarray(cause, np.int64), np.asarray(edges, float)
    if cuts[0] != 0 or (np.diff(cuts) <= 0).any():
        raise ValueError("edges must rise from 0")
    if ends.shape != kinds.shape or not np.isfinite(ends).all() or (ends <= 0).any() or (kinds < 0).any():
        raise ValueError("time must be known and above 0, cause 0 or more, of one length")
    within = ends <= cuts[-1]
    ends, kinds = np.where(within, ends, cuts[-1]), np.where(within, kinds, 0)
    count = np.searchsorted(cuts, ends, side="left")
    person = np.repeat(np.arange(len(ends)), count)
    first = np.cumsum(count) - count
    return Grid(cuts, ends, kinds, person, np.arange(count.sum()) - np.repeat(first, count))


@dataclass(frozen=True)
class Clones:
    """The clones of one strategy: rows at risk over (start, stop], of ``person``, with their weights."""

    strategy: Strategy
    person: Ints
    start: Floats
    stop: Floats
    cause: Ints
    row: Ints  # of the grid
    weight: Floats  # for censoring, times the person's
    problem: str | None = None  # why the weights cannot be had, in general words


@dataclass(frozen=True)
class Layout:
    """What does not change with people's weights."""

    grid: Grid
    strategy: Strategy
    rows: Ints  # of the grid: the intervals in which the clone is followed or leaves
    z: Floats  # covariates and bands of time of those
    names: tuple[str, ...]
    length: Floats  # time in each interval at which going on is a decision
    risk: Floats  # of it, time until the person leaves, dies or is no longer followed
    leaves: Bools
    followed: Bools  # rows with time followed
    asked: Ints  # places in rows: the last interval of grace of those who must begin in it
    begun: Bools  # whether they do

    @property
    def person(self) -> Ints:
        return self.grid.person[self.rows]


def layout(grid: Grid, strategy: Strategy, x: Floats, *, names: Sequence[str], bands: Sequence[float] = ()) -> Layout:
    """Find the intervals of the clones of a strategy; x: (R, p) covariates known before each interval opens.

    bands: times since time zero (and since the person began) at which the hazard of leaving may change.
    """
    if x.shape != (len(grid.person), len(names)):
        raise ValueError(f"x must be {len(grid.person)} rows x {len(names)} named columns, is {x.shape}")
    if strategy.grace is not None and strategy.grace not in grid.edges:
        raise ValueError("the end of grace must be one of the edges")
    left, begin = strategy.left, strategy.may_leave_from
    rows = np.flatnonzero(grid.opens <= left[grid.person])
    who, opens, closes = grid.person[rows], grid.opens[rows], grid.edges[grid.interval[rows] + 1]
    low = np.maximum(opens, begin[who])
    by_decision = (left < grid.time) & ((strategy.grace is None) | (begin < (strategy.grace or np.inf)))
    leaves = by_decision[who] & (left[who] < closes)
    end = np.where(leaves, left[who] + 1, np.minimum(closes, grid.time[who]))
    asked, begun = _asked(grid, strategy, who, opens)
    z, columns = _design(x[rows], names, opens, opens - begin[who] if strategy.begins is not None else None, bands)
    return Layout(
        grid, strategy, rows, z, columns, np.maximum(closes - low, 0.0), np.maximum(end - low, 0.0), leaves,
        opens < left[who], asked, begun,
    )  # fmt: skip


def _asked(grid: Grid, strategy: Strategy, who: Ints, opens: Floats) -> tuple[Ints, Bools]:
    """Of those followed at the end of grace, who had not begun when its last interval opened; and if they do then."""
    if strategy.begins is None or strategy.grace is None:
        return np.zeros(0, np.int64), np.zeros(0, bool)
    last = grid.edges[np.searchsorted(grid.edges, strategy.grace) - 1]
    waits = (strategy.begins >= last) & (grid.time > strategy.grace)
    places = np.flatnonzero((opens == last) & waits[who])
    return places, strategy.begins[who[places]] < strategy.grace


def _design(
    x: Floats, names: Sequence[str], opens: Floats, since: Floats | None, bands: Sequence[float]
) -> tuple[Floats, tuple[str, ...]]:
    """Covariates, and bands of time since time zero and since the person began, without what does not vary."""
    parts, columns = [x], list(names)
    for clock, label in ((opens, "time"), (since, "time since begun")):
        if clock is None:
            continue
        place = np.searchsorted(np.asarray(bands, float), clock, side="right")
        for k in range(1, len(bands) + 1):
            parts.append((place == k)[:, None].astype(float))
            columns.append(f"{label} from {bands[k - 1]:g}")
    return np.hstack(parts), tuple(columns)


def weigh(
    found: Layout, weights: Floats | None = None, *, ridge: float = RIDGE, truncation: tuple[float, float] = (0, 100),
    modelled: bool = True,
) -> Clones:  # fmt: skip
    """Clones with their weights; weights: (n,) of persons (sampling, or of a bootstrap), who count so in the models.

    truncation: percentiles at which the weights for censoring are cut. modelled False: weights are the persons' alone.
    A model without an estimate is no exception: ``problem`` says so. Cost: two regressions on the rows.
    """
    mass = np.ones(len(found.grid.time)) if weights is None else np.asarray(weights, float)
    if not modelled:
        return _clones(found, np.ones(len(found.rows)), mass, None)
    problem, hazard, factor = None, np.zeros(len(found.rows)), np.ones(len(found.grid.time))
    try:
        hazard = _hazard(found, mass[found.person], ridge)
    except RegressionFailure as failure:
        if failure.reason != "no events":  # if nobody leaves, nobody stands in for others
            problem = f"no model of leaving ({failure.reason})"
    try:
        factor[found.person[found.asked]] = _begins(found, mass[found.person], ridge)
    except RegressionFailure as failure:
        if failure.reason == "no events" and len(found.asked):
            problem = "nobody begins in the last interval of grace, and so nobody stands in for those who do not"
        elif failure.reason not in ("no events", "everybody"):
            problem = f"no model of beginning ({failure.reason})"
    weight = _stays(found, hazard)
    if found.strategy.grace is not None:
        weight *= np.where(found.grid.opens[found.rows] >= found.strategy.grace, factor[found.person], 1.0)
    return _clones(found, _cut(weight, found.followed, truncation), mass, problem)


def _hazard(found: Layout, mass: Floats, ridge: float) -> Floats:
    """Hazard of leaving per unit of time in each interval, 0 where going on is no decision."""
    fitted_on = (found.risk > 0) & (mass > 0)
    fitted = binary_regression.fit(
        found.z[fitted_on], found.leaves[fitted_on], names=found.names, weights=mass[fitted_on],
        offset=np.log(found.risk[fitted_on]), link="cloglog", ridge=ridge,
    )  # fmt: skip
    return np.where(found.length > 0, np.exp(fitted.linear(found.z)), 0.0)


def _begins(found: Layout, mass: Floats, ridge: float) -> Floats:
    """1 / probability of beginning in the last interval of grace, of those asked."""
    counted = mass[found.asked] > 0
    places = found.asked[counted]
    fitted = binary_regression.fit(
        found.z[places], found.begun[counted], names=found.names, weights=mass[places], ridge=ridge
    )
    return 1 / fitted.predict(found.z[found.asked])


def _stays(found: Layout, hazard: Floats) -> Floats:
    """1 / probability of having stayed, in the middle of each interval: it is one number for all of it."""
    who = found.person
    gone = hazard * found.length
    before = np.cumsum(gone) - gone
    middle = np.where(found.length > 0, (found.length + 1) / 2, 0.0)
    return np.exp(before - before[np.searchsorted(who, who)] + hazard * middle)


def _cut(weight: Floats, followed: Bools, truncation: tuple[float, float]) -> Floats:
    if truncation == (0, 100) or not followed.any():
        return weight
    return np.clip(weight, *np.percentile(weight[followed], truncation))


def _clones(found: Layout, weight: Floats, mass: Floats, problem: str | None) -> Clones:
    kept = np.flatnonzero(found.followed)
    grid, left = found.grid, found.strategy.left
    who, interval = found.person[kept], grid.interval[found.rows[kept]]
    stop = np.minimum(np.minimum(grid.edges[interval + 1], grid.time[who]), left[who])
    dies = (stop == grid.time[who]) & (grid.cause[who] > 0)
    return Clones(
        found.strategy, who, grid.edges[interval], stop, np.where(dies, grid.cause[who], 0), found.rows[kept],
        weight[kept] * mass[who], problem,
    )  # fmt: skip


def curves(clones: Clones, causes: int) -> incidence.Incidence:
    """Weighted Aalen-Johansen curves of the clones of a strategy, clustered by person."""
    return incidence.fit(
        clones.start, clones.stop, clones.cause, causes=causes, weights=clones.weight, cluster=clones.person
    )
