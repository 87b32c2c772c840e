"""Linear structural nested mean model: the effect of one step of treatment, so many months later, by g-estimation.

Robins (1994) Commun Stat 23:2379; Vansteelandt & Joffe (2014) Stat Sci 29:707; Vansteelandt & Sjolander (2016)
Epidemiol Methods 5:37. Rows are decisions, each with a step A >= 0 (0: none) and the history L before it. A step a
whose modifiers are M adds psi_k' (1, M) a to the mean outcome k months later, whatever came before it and comes after.
What later steps added is taken from the outcome, by the effects of the shorter lags, and for psi_k, with q = (1, M),

    sum w q (A - e(L)) (Y_k - sum_j<k psi_j' B_kj - psi_k' (q A + B_kk) - m_k(L)) = 0

where B_kj sums the later steps, with their modifiers, that lie j months before that outcome, e(L) is the step expected
given the history (chance x size) and m_k is linear in L, estimated jointly: consistent if either is right. w weights
for having an outcome. Closed form, one lag after the other; the covariance is of all equations together, those of e, w
and the effects of shorter lags included, summed by person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal import nested_mean_nuisance as nuisance
from opioid_outcomes.causal.contrasts import Contrast, Joint, unknown
from opioid_outcomes.causal.nested_mean_nuisance import Assignment, Observation, Scores
from opioid_outcomes.causal.variation import varies
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.products import column_sums, cross, linear, sums_by
from opioid_outcomes.survival.risk_sets import Floats, Ints

__all__ = ["Lag", "Later", "NestedMean", "RegressionFailure", "fit"]
Bools = npt.NDArray[np.bool_]
NO_OUTCOME, FEW, CONSTANT, COLLINEAR, OBSERVATION = "no outcome", "few", "constant", "collinear", "observation"
NO_EFFECT = "no lag has an effect"


@dataclass(frozen=True)
class Later:
    """Steps after the decision and before its outcome, one entry each.

    row: of the decision. lag: how many months before the outcome, 1 for the first lag. step: signed, times (1,
    modifiers at that step), (entries, 1 + modifiers). Where the outcome is a mean of scores, so are they.
    """

    row: Ints
    lag: Ints
    step: Floats


@dataclass(frozen=True)
class Lag:
    """Outcome at one lag, (n,), NaN without one; the later steps in it; who could have one (None: everybody)."""

    outcome: Floats
    later: Later | None = None
    eligible: Bools | None = None


@dataclass
class NestedMean:
    """Effects psi, (lags, 1 + modifiers), of one step; 0 at lags without an effect of their own.

    reasons: why a lag has none ("no outcome", "few", "constant", "collinear",
    "observation": no model of who has an outcome), else None. acts_as: the lag whose effect
    a later step takes instead: the next that has one. influence: (people, lags x (1 + modifiers)). seen: people with
    an outcome at a lag after a step and after none, (lags, 2, people). dropped: columns that say nothing more, and why;
    separated: those that tell some decisions for sure. observed: by lag, the share of those who could have an outcome
    that have one.
    """

    psi: Floats
    reasons: list[str | None]
    acts_as: Ints
    influence: Floats
    seen: Bools
    people: int  # with a row of weight above 0
    dropped: tuple[tuple[str, str], ...]
    separated: tuple[str, ...]
    observed: list[float]

    def joint(self) -> Joint:
        """All effects, lag by lag, and their covariance."""
        factor = self.people / max(self.people - 1, 1)
        return Joint(self.psi.ravel(), factor * cross(self.influence, self.influence))

    def mean(self, lags: Sequence[int], term: int = 0) -> Contrast:
        """Mean over those of the lags (1 is the first) that have an effect; ``term``: 0 of a step, j of modifier j."""
        own = [lag - 1 for lag in lags if self.reasons[lag - 1] is None]
        if not own:
            return unknown(NO_EFFECT)
        gradient = np.zeros(self.psi.shape)
        gradient[own, term] = 1 / len(own)
        return self.joint().combination(gradient.ravel())


def fit(
    x: Floats,
    steps: Floats,
    lags: Iterable[Lag],
    *,
    names: Sequence[str],
    person: npt.ArrayLike,
    modifiers: Floats | None = None,
    weights: Floats | None = None,
    observation: bool = True,
    fewest: int = 2,
) -> NestedMean:
    """Sequential g-estimation.

    x: (n, p) history named by ``names``, without a constant; the modifiers should be among it. steps: (n,) >= 0.
    lags: read one at a time, so that they may be made as they are asked for. person: (n,) rows of one are dependent.
    modifiers: (n, r) at the decision. weights: (n,) >= 0. observation: weight each lag by 1 / chance of an outcome
    (logistic in x and the step, among the eligible). fewest: people in either arm below which a lag has no effect.

    Raises RegressionFailure where nobody takes a step ("no events"), or all do ("everybody").
    Cost: one pass of n p^2 per lag over blocks of rows, and some four more where outcomes are missing; memory: some
    fifteen columns of n.
    """
    amounts = np.asarray(steps, dtype=np.float64)
    n = len(amounts)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    codes = np.unique(np.asarray(person), return_inverse=True)[1].astype(np.int64)
    if not n:
        raise RegressionFailure("no events")
    if not (amounts >= 0).all() or not np.isfinite(amounts).all():
        raise ValueError("steps must be known and at least 0; rows whose treatment fell are no decisions")
    q = np.ones((n, 1)) if modifiers is None else np.column_stack([np.ones(n), modifiers])
    people = int(codes.max()) + 1
    model = nuisance.assign(x, amounts, names=names, person=codes, people=people, weights=weight)
    state = _Sequence(model, amounts, q, people, observation=observation, fewest=fewest)
    for lag in lags:
        state.add(lag)
    return state.result()


@dataclass(frozen=True)
class _Equations:
    """One lag's rows: weights (0 without an outcome), q, q (A - e), q A + B_kk, and the outcome blipped down."""

    weights: Floats
    q: Floats
    instrument: Floats
    exposure: Floats
    outcome: Floats


@dataclass(frozen=True)
class _Solved:
    """One lag: effects, the matrix that takes equations to effects (``inverse``, ``projection``), and m_k."""

    psi: Floats
    beta: Floats
    inverse: Floats  # (r, r)
    projection: Floats  # (r, columns): what m_k takes from the instruments


class _Sequence:
    """The lags so far. Effects of lags in vain are waited for: a step there acts as at the next that has one."""

    def __init__(
        self, model: Assignment, steps: Floats, q: Floats, people: int, *, observation: bool, fewest: int
    ) -> None:
        self.model, self.steps, self.q, self.people = model, steps, q, people
        self.observation, self.fewest = observation, fewest
        self.instrument = q * (steps - model.expected)[:, None]
        self.psi: list[Floats] = []
        self.influence: list[Floats] = []
        self.reasons: list[str | None] = []
        self.seen: list[Bools] = []
        self.observed: list[float] = []

    def add(self, lag: Lag) -> None:
        """Estimate the next lag."""
        scored = np.isfinite(lag.outcome)
        weights = self.model.weights * scored
        could = self.model.weights * (True if lag.eligible is None else lag.eligible | scored)
        self.observed.append(float(weights.sum() / could.sum()) if could.any() else 0.0)
        reason, watch = self._reason(lag, weights), None
        if reason is None and self.observation and (could > 0).sum() > (weights > 0).sum():
            try:
                watch = nuisance.observe(Scores(self.model.design, self.steps, scored.astype(np.float64), could))
                weights = weights / watch.chance
            except RegressionFailure:
                reason = OBSERVATION
        psi, influence = np.zeros(self.q.shape[1]), np.zeros((self.people, self.q.shape[1]))
        if reason is None:
            equations = self._equations(lag, weights)
            solved = _solve(self.model, equations)
            if solved is None:
                reason = COLLINEAR
            else:
                psi, influence = solved.psi, self._influence(lag, equations, solved, watch)
        self.reasons.append(reason)
        self.psi.append(psi)
        self.influence.append(influence)

    def result(self) -> NestedMean:
        size, lags = self.q.shape[1], len(self.psi)
        counted = len(np.unique(self.model.person[self.model.weights > 0]))
        return NestedMean(
            np.array(self.psi).reshape(lags, size), self.reasons, self._acts_as(lags),
            np.concatenate(self.influence, axis=1) if lags else np.zeros((self.people, 0)),
            np.array(self.seen).reshape(lags, 2, self.people), counted, self.model.dropped,
            self.model.separated, self.observed,
        )  # fmt: skip

    def _reason(self, lag: Lag, weights: Floats) -> str | None:
        """Why this lag has no effect of its own, if it has none; counts whom it sees."""
        seen = np.zeros((2, self.people), dtype=bool)
        for arm, rows in enumerate((self.steps > 0, self.steps == 0)):
            seen[arm, self.model.person[rows & (weights > 0)]] = True
        self.seen.append(seen)
        if not seen.any():
            return NO_OUTCOME
        if seen.sum(axis=1).min() < self.fewest:
            return FEW
        values = lag.outcome[weights > 0]
        return None if varies(values) else CONSTANT

    def _acts_as(self, until: int) -> Ints:
        """(lags,) the lag whose effect a step takes: its own or the next one's that has any; 0 where none has."""
        acts, following = np.zeros(until, dtype=np.int64), 0
        for number in range(until, 0, -1):
            if number > len(self.reasons) or self.reasons[number - 1] is None:
                following = number
            acts[number - 1] = following
        return acts

    def _equations(self, lag: Lag, weights: Floats) -> _Equations:
        """The outcome less what later steps added by the effects so far, and what this lag's own multiply."""
        outcome = np.where(np.isfinite(lag.outcome), lag.outcome, 0.0)
        exposure = self.q * self.steps[:, None]
        if lag.later is not None and len(lag.later.row):
            n, row, step = len(outcome), lag.later.row, lag.later.step
            number = len(self.reasons) + 1
            acts = self._acts_as(number)[lag.later.lag - 1]
            own = acts == number
            known = np.array([*self.psi, np.zeros(self.q.shape[1])])[acts - 1]
            outcome -= np.bincount(row, (known * step).sum(axis=1), minlength=n)
            for term in range(self.q.shape[1]):
                exposure[:, term] += np.bincount(row[own], step[own, term], minlength=n)
        return _Equations(weights, self.q, self.instrument, exposure, outcome)

    def _influence(self, lag: Lag, equations: _Equations, solved: _Solved, watch: Observation | None) -> Floats:
        """(people, r): of this lag's effects, through every model."""
        rows, turn, slopes = _rows_influence(self.model, equations, solved, watch)
        found = nuisance.times(self.model.chance_influence, slopes.chance.T)
        found += nuisance.times(self.model.size_influence, slopes.size.T)
        if lag.later is not None and len(lag.later.row):
            acts = self._acts_as(len(self.psi) + 1)[lag.later.lag - 1]
            weighted = turn[lag.later.row] * equations.weights[lag.later.row, None]
            for before in np.unique(acts[acts <= len(self.psi)]):
                these = acts == before
                slope = -cross(weighted[these], lag.later.step[these])
                found += nuisance.times(self.influence[before - 1], slope.T)
        if watch is not None:
            _add_observation(watch, slopes.observation, rows)
        return found + sums_by(self.model.person, rows)


@dataclass(frozen=True)
class _Slopes:
    """How a lag's effects follow the coefficients of the models of the step's chance, its size, and having a score."""

    chance: Floats
    size: Floats
    observation: Floats


def _solve(model: Assignment, equations: _Equations) -> _Solved | None:
    """The lag's equations in closed form; None where the history tells the step, or the modifiers each other."""
    r, columns = equations.q.shape[1], 1 + len(model.design.active)
    size = columns + 2 * r + 1
    gram = np.zeros((size, size))
    for rows, both in nuisance.taken(model.design, np.flatnonzero(equations.weights), 2 * r + 1):
        both[:, columns : columns + r] = equations.instrument[rows]
        both[:, columns + r : -1] = equations.exposure[rows]
        both[:, -1] = equations.outcome[rows]
        gram += cross(both, both, equations.weights[rows])
    history = nuisance.independent(gram[:columns, :columns])
    z, v, y = columns + np.arange(r), columns + r + np.arange(r), [size - 1]
    for treatment in (z, v):
        chosen = np.concatenate([history, treatment])
        if len(nuisance.independent(gram[np.ix_(chosen, chosen)])) < len(chosen):
            return None
    from_history = np.linalg.solve(gram[np.ix_(history, history)], gram[np.ix_(history, np.r_[z, v, y])])
    projection = np.zeros((r, columns))
    projection[:, history] = from_history[:, :r].T
    left = gram[np.ix_(z, np.r_[v, y])] - projection[:, history] @ gram[np.ix_(history, np.r_[v, y])]
    if np.linalg.matrix_rank(left[:, :r]) < r:
        return None
    inverse = np.linalg.inv(left[:, :r])
    psi = inverse @ left[:, r]
    beta = np.zeros(columns)
    beta[history] = from_history[:, -1] - from_history[:, r : 2 * r] @ psi
    return _Solved(psi, beta, inverse, projection)


def _rows_influence(
    model: Assignment, equations: _Equations, solved: _Solved, watch: Observation | None
) -> tuple[Floats, Floats, _Slopes]:
    """Of rows on the effects, (n, r); the instruments less history, likewise; and the slopes."""
    (n, r), columns = equations.q.shape, len(solved.beta)
    on_effects, turn = np.zeros((n, r)), np.zeros((n, r))
    by_chance, by_size, by_observation = (np.zeros((r, columns + extra)) for extra in (0, 0, 1))
    for rows, block in nuisance.taken(model.design, np.flatnonzero(equations.weights)):
        q, chance = equations.q[rows], model.chance[rows]
        left = equations.instrument[rows] - nuisance.times(block, solved.projection.T)
        turn[rows] = turned = nuisance.times(left, solved.inverse.T)
        residual = equations.outcome[rows] - linear(equations.exposure[rows], solved.psi) - linear(block, solved.beta)
        weighted = equations.weights[rows] * residual
        on_effects[rows] = added = turned * weighted[:, None]
        by_chance -= cross(q, block, weighted * model.size[rows] * chance * (1 - chance))
        by_size -= cross(q, block, weighted * chance)
        if watch is not None:
            unseen = added * (1 - watch.chance[rows])[:, None]
            by_observation[:, :-1] -= cross(unseen, block)
            by_observation[:, -1] -= column_sums(unseen, watch.scores.steps[rows])
    return on_effects, turn, _Slopes(solved.inverse @ by_chance, solved.inverse @ by_size, by_observation)


def _add_observation(watch: Observation, slope: Floats, on_effects: Floats) -> None:
    """Adds to the rows' influence what they have on it through the model of who has an outcome."""
    turn, residual = (slope @ watch.bread).T, watch.residual()
    for rows, block in watch.scores.blocks():
        on_effects[rows] += nuisance.times(block, turn) * residual[rows, None]
