"""Strategies sustained over time, by cloning, censoring and weighting, from one row per person.

Everybody follows every strategy at time zero, so each person has a clone per strategy, which is censored from the time
at which the person no longer follows it; those who go on following stand in for the censored who were like them, by the
inverse probability of what they did (Hernan 2018 BMJ 360:k182; Cain et al. 2010 Int J Biostat 6:18 for grace periods).
An arm is made of nothing later than the time it is read at, so nobody must live to belong to it.

What must begin within a grace period leaves nobody censored before its end. The strategy is then to begin at a time
drawn from that at which people begin who do so within grace, whatever their covariates: a clone that has begun weighs
by the density of that time over the person's own, one that has not by the two probabilities of not having begun yet, 0
when grace ends. So all who begin stand in for those who do not, not only the last of them.

Hazards, of leaving and of beginning, are constant within an interval: complementary log-log regressions on intervals,
with the time at risk in each as offset.
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
# A weight that no number of people bears
EXPLODED = 1e9


@dataclass(frozen=True)
class Strategy:
    """One strategy, and when each of n persons leaves it.

    leaves: (n,) whole times from which the person no longer follows it (inf: never; 0: from time zero on). Where it
    asks for something to begin within ``grace``: begins, (n,) whole times at which the person does (inf: never);
    leaving before is no leaving, and who has not begun before the time ``grace`` leaves then.
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


def grid(
    time: npt.ArrayLike, cause: npt.ArrayLike, edges: Sequence[float], until: npt.ArrayLike | None = None
) -> Grid:  # fmt: skip
    """Rows for covariates; time: (n,) > 0, of the event or the end of follow-up; cause: (n,) 0 none, 1..K.

    edges: rising, from 0 to the last horizon; fine where leaving has its own pattern, and the end of grace among them.
    until: (n,) times from which no strategy of interest is followed any more: later intervals need no row. A person may
    be here several times, from several time zeros: "persons" are then these.
    """
    ends, kinds, cuts = np.asarray(time, float), np.asarray(cause, np.int64), np.asarray(edges, float)
    if cuts[0] != 0 or (np.diff(cuts) <= 0).any():
        raise ValueError("edges must rise from 0")
    if ends.shape != kinds.shape or not np.isfinite(ends).all() or (ends <= 0).any() or (kinds < 0).any():
        raise ValueError("time must be known and above 0, cause 0 or more, of one length")
    within = ends <= cuts[-1]
    ends, kinds = np.where(within, ends, cuts[-1]), np.where(within, kinds, 0)
    count = np.searchsorted(cuts, ends, side="left")
    if until is not None:
        count = np.minimum(count, np.searchsorted(cuts, np.asarray(until, float), side="right"))
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
class Decision:
    """To leave, or to begin, in each of a layout's rows.

    length: time of the interval at which it is a decision; risk: of it, time until the person does it, dies or is no
    longer followed; does: whether the person does.
    """

    length: Floats
    risk: Floats
    does: Bools


@dataclass(frozen=True)
class Layout:
    """What does not change with people's weights."""

    grid: Grid
    strategy: Strategy
    rows: Ints  # of the grid: the intervals in which the clone is followed or leaves
    z: Floats  # covariates and bands of time of those
    names: tuple[str, ...]
    staying: Decision
    beginning: Decision | None  # None: nothing must begin
    lost: Decision | None  # to follow-up; None: nobody

    @property
    def person(self) -> Ints:
        return self.grid.person[self.rows]


def layout(
    grid: Grid, strategy: Strategy, x: Floats, *, names: Sequence[str], bands: Sequence[float] = (),
    lost: Bools | None = None,
) -> Layout:  # fmt: skip
    """Find the intervals of the clones of a strategy; x: (R, p) covariates known before each interval opens.

    bands: times since time zero (and since the person began) at which the hazard of leaving may change. lost: (n,)
    whether follow-up ends for a reason that may have to do with the event: those still followed then stand in for them.
    """
    if x.shape != (len(grid.person), len(names)):
        raise ValueError(f"x must be {len(grid.person)} rows x {len(names)} named columns, is {x.shape}")
    if strategy.grace is not None and strategy.grace not in grid.edges:
        raise ValueError("the end of grace must be one of the edges")
    left = strategy.left
    rows = np.flatnonzero(grid.opens <= left[grid.person])
    who, opens, closes = grid.person[rows], grid.opens[rows], grid.edges[grid.interval[rows] + 1]
    since, begins, beginning = None, np.zeros(len(left)), None
    if strategy.begins is not None and strategy.grace is not None:
        begins = np.where(strategy.begins < strategy.grace, strategy.begins, np.inf)
        since = opens - begins[who]
        within = np.where(opens < strategy.grace, np.minimum(closes, strategy.grace), opens)
        beginning = _decision(grid, begins, who, opens, within)
        left = np.where(np.isfinite(begins), left, np.inf)  # the end of grace is no decision
    staying = _decision(grid, left, who, np.maximum(opens, begins[who]), closes)
    loss = None if lost is None else _loss(grid, strategy, lost, rows)
    z, columns = _design(x[rows], names, opens, since, bands)
    return Layout(grid, strategy, rows, z, columns, staying, beginning, loss)


def _loss(grid: Grid, strategy: Strategy, lost: Bools, rows: Ints) -> Decision:
    """The loss of clones that still follow the strategy, at the end of the last day followed."""
    who, opens, closes = grid.person[rows], grid.opens[rows], grid.edges[grid.interval[rows] + 1]
    last_day = np.where(lost & (grid.cause == 0) & (grid.time < grid.edges[-1]), grid.time - 1, np.inf)
    here = _decision(grid, last_day, who, opens, closes)
    followed = np.maximum(np.minimum(strategy.left, grid.time)[who] - opens, 0.0)
    return Decision(here.length, np.minimum(here.risk, followed), here.does & (strategy.left[who] >= grid.time[who]))


def _decision(grid: Grid, does: Floats, who: Ints, low: Floats, high: Floats) -> Decision:
    """Of something that each person does at a time, in rows of people ``who`` from low to high."""
    here = (low <= does[who]) & (does[who] < np.minimum(high, grid.time[who]))
    end = np.where(here, does[who] + 1, np.minimum(high, grid.time[who]))
    ahead = does[who] >= low
    length, risk = (np.where(ahead, np.maximum(until - low, 0.0), 0.0) for until in (high, end))
    return Decision(length, risk, here)


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
        alike = np.ones(len(found.rows))
        return _clones(found, (alike, alike), mass, truncation, None)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            lost = _stays(found, found.lost, mass, ridge, "loss to follow-up")
            stays = lost * _stays(found, found.staying, mass, ridge, "leaving")
            waits, begun = _begins(found, mass, ridge)
            waits, stays = waits * lost, stays * begun[found.person]
        if not ((waits < EXPLODED) & (stays < EXPLODED)).all():
            raise _NoModel("weights without bound: some who leave are like nobody who stays")
    except _NoModel as failure:
        alike = np.ones(len(found.rows))
        return _clones(found, (alike, alike), mass, truncation, str(failure))
    return _clones(found, (waits, stays), mass, truncation, None)


class _NoModel(Exception):
    """Why there are no weights, in general words."""


def _stays(found: Layout, of: Decision | None, mass: Floats, ridge: float, what: str) -> Floats:
    """1 / probability of not having done it up to the middle of each row; 1 where nobody does."""
    if of is None:
        return np.ones(len(found.rows))
    try:
        return np.exp(_in_the_middle(found, _hazard(found, of, mass[found.person], ridge), of))
    except RegressionFailure as failure:
        if failure.reason == "no events":
            return np.ones(len(found.rows))
        raise _NoModel(f"no model of {what} ({failure.reason})") from None


def _begins(found: Layout, mass: Floats, ridge: float) -> tuple[Floats, Floats]:
    if found.beginning is None:
        return np.ones(len(found.rows)), np.ones(len(mass))
    try:
        return _grace(found, found.beginning, mass[found.person], ridge)
    except RegressionFailure as failure:
        nobody = failure.reason == "no events"
        raise _NoModel(
            "nobody begins within grace" if nobody else f"no model of beginning ({failure.reason})"
        ) from None


def _hazard(found: Layout, of: Decision, mass: Floats, ridge: float) -> Floats:
    """Hazard of a decision per unit of time in each interval, 0 where it is none."""
    fitted_on = (of.risk > 0) & (mass > 0)
    fitted = binary_regression.fit(
        found.z[fitted_on], of.does[fitted_on], names=found.names, weights=mass[fitted_on],
        offset=np.log(of.risk[fitted_on]), link="cloglog", ridge=ridge,
    )  # fmt: skip
    counted = (of.length > 0) & (mass > 0)
    with np.errstate(over="ignore"):  # without bound: told by ``weigh``
        return np.where(counted, np.exp(np.where(counted, fitted.linear(found.z), 0.0)), 0.0)


def _before(found: Layout, values: Floats) -> Floats:
    """Sum of the person's earlier rows."""
    so_far = np.cumsum(values) - values
    return so_far - so_far[np.searchsorted(found.person, found.person)]


def _in_the_middle(found: Layout, hazard: Floats, of: Decision) -> Floats:
    """Cumulative hazard up to the middle of each interval, the decision of that time included."""
    return _before(found, hazard * of.length) + hazard * np.where(of.length > 0, (of.length + 1) / 2, 0.0)


def _grace(found: Layout, of: Decision, mass: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Weights of clones that have not begun, in each row, and of each person's clone that has.

    With Lambda the person's cumulative hazard of beginning and M everybody's, exp(-M) / (1 - exp(-M(grace))) is what
    the times of beginning have in common, of all who begin within grace.
    """
    own = _hazard(found, of, mass, ridge)
    interval, count = found.grid.interval[found.rows], len(found.grid.edges) - 1
    time = np.bincount(interval, mass * of.risk, count)
    began = np.bincount(interval, mass * of.does, count)
    rates = np.divide(began, time, out=np.zeros(count), where=time > 0)
    common = np.where(of.length > 0, rates[interval], 0.0)
    size = found.grid.edges[1:] - found.grid.edges[:-1]
    total = float((rates * size * (found.grid.edges[1:] <= (found.strategy.grace or 0))).sum())
    whole, beyond = -np.expm1(-total), np.exp(-total)
    everybody, person = _in_the_middle(found, common, of), _in_the_middle(found, own, of)
    waits = np.maximum(np.exp(-everybody) - beyond, 0.0) / whole * np.exp(person)
    weight = np.ones(len(found.grid.time))
    row = np.flatnonzero(of.does & (mass > 0))
    waited = [_before(found, rate * of.length)[row] + rate[row] * (of.risk[row] - 1) for rate in (own, common)]
    chance = np.expm1(-common[row]) / np.expm1(-own[row])
    weight[found.person[row]] = chance * np.exp(waited[0] - waited[1]) / whole
    return waits, weight


def _clones(
    found: Layout, weights: tuple[Floats, Floats], mass: Floats, truncation: tuple[float, float], problem: str | None
) -> Clones:
    """Rows of the time followed, before and after the person began, with the ``weights`` of either."""
    waits, stays = weights
    grid, strategy, who = found.grid, found.strategy, found.person
    opens = grid.opens[found.rows]
    stop = np.minimum(np.minimum(grid.edges[grid.interval[found.rows] + 1], grid.time[who]), strategy.left[who])
    begins = np.zeros(len(who)) if strategy.begins is None else strategy.begins[who]
    parts = [(opens, np.minimum(stop, begins), waits), (np.maximum(opens, begins), stop, stays)]
    place = np.concatenate([np.arange(len(who))] * 2)
    start, end, weight = (np.concatenate(values) for values in zip(*parts, strict=True))
    kept = np.flatnonzero(start < end)
    kept = kept[np.lexsort((start[kept], who[place[kept]]))]
    place, start, end, weight = place[kept], start[kept], end[kept], weight[kept]
    person = who[place]
    dies = (end == grid.time[person]) & (grid.cause[person] > 0)
    return Clones(
        strategy, person, start, end, np.where(dies, grid.cause[person], 0), found.rows[place],
        _cut(weight, truncation) * mass[person], problem,
    )  # fmt: skip


def _cut(weight: Floats, truncation: tuple[float, float]) -> Floats:
    if truncation == (0, 100) or not len(weight):
        return weight
    return np.clip(weight, *np.percentile(weight, truncation))


def curves(clones: Clones, causes: int, cluster: Ints | None = None) -> incidence.Incidence:
    """Weighted Aalen-Johansen curves of the clones of a strategy; cluster: (n,) of each person, else the person."""
    who = clones.person if cluster is None else cluster[clones.person]
    return incidence.fit(clones.start, clones.stop, clones.cause, causes=causes, weights=clones.weight, cluster=who)
