"""Strategies sustained over time, by cloning, censoring and weighting, from one row per person.

Everybody follows every strategy at time zero, so each person has a clone per strategy, which is censored from the time
at which the person no longer follows it; those who go on following stand in for the censored who were like them, by the
inverse probability of what they did (Hernan 2018 BMJ 360:k182; Cain et al. 2010 Int J Biostat 6:18 for grace periods).
An arm is made of nothing later than the time it is read at, so nobody must live to belong to it.

What must begin within a grace period leaves nobody censored before its end. The strategy is then to begin at a time
drawn from that at which people begin who do so within grace, whatever their covariates: a clone that has begun weighs
by the density of that time over the person's own, one that has not by the two probabilities of not having begun yet, 0
when grace ends. So all who begin stand in for those who do not, not only the last of them.

Hazards, of leaving and of beginning, are constant within an interval and times are whole: each unit of time at risk is
a trial with a complementary log-log chance (Prentice & Gloeckler 1978 Biometrics 34:57). Time without the decision is
one row with its length as offset, the day of it another: a row that ends in it has not had its length at risk in vain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal.time_varying_weights import truncate
from opioid_outcomes.survival import binary_regression, incidence
from opioid_outcomes.survival.binary_regression import BinaryFit, RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats, Ints

Bools = npt.NDArray[np.bool_]
# Per observation, of the standardised coefficients, where the likelihood has no maximum: a period in which nobody
# leaves, or a covariate that tells who does for sure
RIDGE = 1e-6
CERTAIN = 1e-9  # a chance of staying is not taken as smaller
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
    separated: tuple[str, ...] = ()  # covariates that tell some decisions for sure
    penalised: bool = False  # whether a model had no maximum without a slight ridge


@dataclass(frozen=True)
class Decision:
    """To leave, or to begin, in each of a layout's rows.

    length: time of the interval at which it is a decision; risk: of it, time until the person does it, dies or is no
    longer followed; does: whether the person does.
    """

    length: Floats
    risk: Floats
    does: Bools

    def trials(self, counted: Bools) -> tuple[Ints, Floats, Bools]:
        """Rows of time without the decision and of its last unit, with it or not: place, time at risk, outcome."""
        rows = np.flatnonzero(counted & (self.risk > 0))
        does, risk = self.does[rows], self.risk[rows]
        before = rows[does & (risk > 1)]
        return (
            np.concatenate([rows, before]),
            np.concatenate([np.where(does, np.minimum(risk, 1.0), risk), self.risk[before] - 1]),
            np.concatenate([does, np.zeros(len(before), dtype=bool)]),
        )


@dataclass(frozen=True)
class Layout:
    """What does not change with people's weights."""

    grid: Grid
    strategy: Strategy
    rows: Ints  # of the grid: the intervals in which the clone is followed or leaves
    z: Floats  # covariates and bands of time of those
    names: tuple[str, ...]
    covariates: tuple[str, ...]  # those of the names that are no bands of time
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
    _check(grid, strategy, lost)
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
    return Layout(grid, strategy, rows, z, columns, tuple(names), staying, beginning, loss)


def _check(grid: Grid, strategy: Strategy, lost: Bools | None) -> None:
    n = len(grid.time)
    for what, times in (("leaves", strategy.leaves), ("begins", strategy.begins)):
        if times is not None and (np.shape(times) != (n,) or not (np.asarray(times) >= 0).all()):
            raise ValueError(f"{what} of '{strategy.name}' must be {n} known times, 0 or later")
    if strategy.grace is not None and strategy.grace not in grid.edges:
        raise ValueError("the end of grace must be one of the edges")
    if lost is not None and np.shape(lost) != (n,):
        raise ValueError(f"lost must have {n} values, has shape {np.shape(lost)}")


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
    found: Layout, weights: Floats | None = None, *, truncation: tuple[float, float] = (0, 100), modelled: bool = True,
    penalised: bool = False,
) -> Clones:  # fmt: skip
    """Clones with their weights; weights: (n,) of persons (sampling, or of a bootstrap), who count so in the models.

    truncation: percentiles at which the weights for censoring are cut. modelled False: weights are the persons' alone.
    penalised: whether a slight ridge is known to be needed, which is else tried last. A model without an estimate is no
    exception: ``problem`` says so. Cost: two regressions on the rows, a third or fourth where covariates separate.
    """
    n = len(found.grid.time)
    mass = np.ones(n) if weights is None else np.asarray(weights, float)
    if mass.shape != (n,) or not (np.isfinite(mass) & (mass >= 0)).all():
        raise ValueError(f"weights must be {n} known numbers, at least 0")
    alike = np.ones(len(found.rows))
    models = _Models(found, mass[found.person], penalised)
    try:
        if found.beginning is not None and not (found.beginning.does & (mass[found.person] > 0)).any():
            raise _NoModel("nobody begins within grace")
        waits, stays = (alike, alike) if not modelled else models.weights()
    except _NoModel as failure:
        return _clones(models, (alike, alike), mass, truncation, str(failure))
    return _clones(models, (waits, stays), mass, truncation, None)


class _NoModel(Exception):
    """Why there are no weights, in general words."""


class _Models:
    """The models of a layout's decisions, mass: (rows,); ``separated`` and ``penalised`` tell what they needed."""

    def __init__(self, found: Layout, mass: Floats, penalised: bool) -> None:
        self.found, self.mass, self.at_once = found, mass, penalised
        self.separated: list[str] = []
        self.penalised = penalised

    def weights(self) -> tuple[Floats, Floats]:
        """Of clones that have not begun, and of those that have, in each row."""
        found = self.found
        with np.errstate(over="ignore", invalid="ignore"):
            lost = self._stays(found.lost, "loss to follow-up")
            stays = lost * self._stays(found.staying, "leaving")
            waits, begun = self._begins()
            waits, stays = waits * lost, stays * begun[found.person]
        if not ((waits < EXPLODED) & (stays < EXPLODED)).all():
            blame = f" ({', '.join(self.told)})" if self.told else ""
            raise _NoModel(f"weights without bound: some who leave are like nobody who stays{blame}")
        return waits, stays

    @property
    def told(self) -> tuple[str, ...]:
        """Covariates that tell some decisions for sure."""
        return tuple(name for name in self.found.covariates if name in self.separated)

    def _stays(self, of: Decision | None, what: str) -> Floats:
        """1 / probability of not having done it up to the middle of each row; 1 where nobody does."""
        if of is None:
            return np.ones(len(self.found.rows))
        try:
            return np.exp(_in_the_middle(self.found, self.hazard(of), of))
        except RegressionFailure as failure:
            if failure.reason == "no events":
                return np.ones(len(self.found.rows))
            raise _NoModel(f"no model of {what} ({failure.reason})") from None

    def _begins(self) -> tuple[Floats, Floats]:
        of, found = self.found.beginning, self.found
        if of is None:
            return np.ones(len(found.rows)), np.ones(len(found.grid.time))
        try:
            return _grace(found, of, self.hazard(of), self.mass)
        except RegressionFailure as failure:
            raise _NoModel(f"no model of beginning ({failure.reason})") from None

    def hazard(self, of: Decision) -> Floats:
        """Hazard of a decision per unit of time in each interval, 0 where it is none."""
        rows, risk, does = of.trials(self.mass > 0)
        fitted = self._fit(rows, risk, does)
        counted = (of.length > 0) & (self.mass > 0)
        with np.errstate(over="ignore"):  # without bound: told by ``weights``
            return np.where(counted, np.exp(np.where(counted, fitted.linear(self.found.z), 0.0)), 0.0)

    def _fit(self, rows: Ints, risk: Floats, does: Bools) -> BinaryFit:
        z, names, mass, offset = self.found.z[rows], self.found.names, self.mass[rows], np.log(risk)
        if not self.at_once:
            try:
                return binary_regression.fit(
                    z, does, names=names, weights=mass, offset=offset, link="cloglog", redundant="drop"
                )
            except RegressionFailure as failure:
                if failure.reason not in ("separation", "no convergence"):
                    raise
                self.separated.extend(failure.columns)
        self.penalised = True
        return binary_regression.fit(z, does, names=names, weights=mass, offset=offset, link="cloglog", ridge=RIDGE)


def _before(found: Layout, values: Floats) -> Floats:
    """Sum of the person's earlier rows."""
    so_far = np.cumsum(values) - values
    return so_far - so_far[np.searchsorted(found.person, found.person)]


def _in_the_middle(found: Layout, hazard: Floats, of: Decision) -> Floats:
    """Cumulative hazard up to the middle of each interval, the decision of that time included."""
    return _before(found, hazard * of.length) + hazard * np.where(of.length > 0, (of.length + 1) / 2, 0.0)


def _grace(found: Layout, of: Decision, own: Floats, mass: Floats) -> tuple[Floats, Floats]:
    """Weights of clones that have not begun, in each row, and of each person's clone that has.

    own: (rows,) hazard of beginning. With Lambda the person's cumulative hazard of beginning and M everybody's,
    exp(-M) / (1 - exp(-M(grace))) is what the times of beginning have in common, of all who begin within grace.
    """
    interval, count = found.grid.interval[found.rows], len(found.grid.edges) - 1
    time = np.bincount(interval, mass * of.risk, count)
    began = np.bincount(interval, mass * of.does, count)
    rates = -np.log(np.maximum(1 - np.divide(began, time, out=np.zeros(count), where=time > 0), CERTAIN))
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
    models: _Models, weights: tuple[Floats, Floats], mass: Floats, truncation: tuple[float, float], problem: str | None
) -> Clones:
    """Rows of the time followed, before and after the person began, with the ``weights`` of either."""
    found, (waits, stays) = models.found, weights
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
    if len(weight):
        weight = truncate(weight, *truncation)
    return Clones(
        strategy, person, start, end, np.where(dies, grid.cause[person], 0), found.rows[place], weight * mass[person],
        problem, models.told, models.penalised,
    )  # fmt: skip


def curves(clones: Clones, causes: int, cluster: Ints | None = None) -> incidence.Incidence:
    """Weighted Aalen-Johansen curves of the clones of a strategy; cluster: (n,) of each person, else the person."""
    who = clones.person if cluster is None else cluster[clones.person]
    return incidence.fit(clones.start, clones.stop, clones.cause, causes=causes, weights=clones.weight, cluster=who)
