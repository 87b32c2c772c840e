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

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.causal.clone_layout import Bools, Decision, Grid, Layout, Strategy, grid, layout
from opioid_outcomes.causal.time_varying_weights import truncate
from opioid_outcomes.survival import binary_regression, incidence
from opioid_outcomes.survival.binary_regression import BinaryFit, RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats, Ints

__all__ = ["Bools", "Clones", "Grid", "Layout", "Strategy", "curves", "grid", "layout", "weigh"]
# Per observation, of the standardised coefficients, where the likelihood has no maximum: a period in which nobody
# leaves, or a covariate that tells who does for sure
RIDGE = 1e-6
CERTAIN = 1e-9  # a chance of staying is not taken as smaller
# A weight that no number of people bears
EXPLODED = 1e9


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
