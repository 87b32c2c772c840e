"""The Cox partial likelihood with its first two derivatives, for tied event times after Efron or Breslow.

Efron, B. (1977) JASA 72:557; weighted as in Therneau & Grambsch (2000) Modeling Survival Data, ch. 3: the m tied events
of a cell share their mean weight, and the l-th of them (l = 0..m-1) leaves l/m of the tied rows' risk out of the
denominator. Breslow is the same with no risk left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival.centred import Centred
from opioid_outcomes.survival.products import cross
from opioid_outcomes.survival.risk_sets import Floats, RiskSets, from_zero


@dataclass(frozen=True)
class Hazards:
    """What the likelihood itself needs, at given coefficients.

    risk: w_i exp(eta_i - shift), rows. inverse[j]: per cell, mean weight x sum over the tied events of f^j /
    denominator, f = l/m, j = 0, 1; likewise ``inverse_square`` with the denominator squared, j = 0, 1, 2.
    ``mean_inverse`` is ``inverse`` per weight and event.
    """

    risk: Floats
    shift: float
    inverse: tuple[Floats, Floats]
    inverse_square: tuple[Floats, Floats, Floats]
    mean_inverse: tuple[Floats, Floats]
    loglik: float

    def times(self, by: Floats) -> Hazards:
        """The hazards of each cell, multiplied by a number of its own."""
        plain, square = self.inverse, self.inverse_square
        return Hazards(
            self.risk, self.shift, (plain[0] * by, plain[1] * by), (square[0] * by, square[1] * by, square[2] * by),
            self.mean_inverse, self.loglik,
        )  # fmt: skip


@dataclass(frozen=True)
class Moments:
    """Sums of risk x covariates over each risk set (s1) and over its tied events (t1), cells x p.

    second: X' diag(c) X, c_i the row's risk times the increase of the baseline hazard over its time at risk. That is
    the sum over events of S2/S0, which so needs no second moments per risk set.
    """

    s1: Floats
    t1: Floats
    second: Floats


def hazards(sets: RiskSets, weights: Floats, eta: Floats, *, efron: bool) -> Hazards:
    """The likelihood and the hazards at linear predictor ``eta``, whose memory ``risk`` takes; no covariates in it."""
    shift, dead_eta = float(eta.max()), eta[sets.died]
    # exp() of what is left is at most 1; the shift cancels in every ratio
    risk = np.exp(np.subtract(eta, shift, out=eta), out=eta)
    risk *= weights
    t0 = sets.sums_of_dead(risk)
    s0 = np.maximum(sets.sums(risk), t0)  # the dead are at risk: only rounding can say otherwise
    cell, deaths = sets.died_in, sets.deaths
    rank = np.arange(len(cell)) - np.repeat(sets.opens, deaths)
    left_out = rank / deaths[cell] if efron else np.zeros(len(cell))
    denominator = s0[cell] - left_out * t0[cell]
    dead_weight = weights[sets.died]
    mean_weight = sets.per_cell(dead_weight) / deaths
    plain = [sets.per_cell(left_out**j / denominator) for j in range(2)]
    squares = [sets.per_cell(left_out**j / denominator**2) for j in range(3)]
    expected = np.sum(mean_weight[cell] * (np.log(denominator) + shift))
    return Hazards(
        risk=risk,
        shift=shift,
        inverse=(mean_weight * plain[0], mean_weight * plain[1]),
        inverse_square=(mean_weight * squares[0], mean_weight * squares[1], mean_weight * squares[2]),
        mean_inverse=(plain[0] / deaths, plain[1] / deaths),
        loglik=float(np.sum(dead_weight * dead_eta) - expected),
    )


def moments(sets: RiskSets, x: Centred, at: Hazards) -> Moments:
    """First and second moments in one pass over the rows, a block at a time."""
    p = x.columns
    change, second = np.zeros((sets.cells + 1, p)), np.zeros((p, p))
    cumulative = from_zero(at.inverse[0])
    for rows, block in x.blocks(least=sets.cells):
        risk = at.risk[rows]
        change += sets.changes(rows, risk, block)
        second += cross(block, block, risk * sets.between(cumulative, rows))
    dead, risk_of_dead = x.take(sets.died), at.risk[sets.died]
    second -= cross(dead, dead, risk_of_dead * at.inverse[1][sets.died_in])
    return Moments(sets.accumulate(change), sets.per_cell(risk_of_dead[:, None] * dead), second)


def score(sets: RiskSets, x: Centred, weights: Floats, at: Hazards, m: Moments) -> Floats:
    """Gradient of the log-likelihood, length p; ``weights`` are those of the events, in the order of ``died``."""
    expected = m.s1 * at.inverse[0][:, None] - m.t1 * at.inverse[1][:, None]
    return (weights[:, None] * x.take(sets.died)).sum(axis=0) - expected.sum(axis=0)


def information(at: Hazards, m: Moments) -> Floats:
    """Minus the second derivative, p x p."""
    a, b, c = at.inverse_square
    mixed = cross(m.s1, m.t1, b)
    outer = cross(m.s1, m.s1, a) - mixed - mixed.T + cross(m.t1, m.t1, c)
    result = m.second - outer
    return (result + result.T) / 2


def with_hazards(sets: RiskSets, x: Centred, at: Hazards, m: Moments) -> Moments:
    """The moments when the hazards are other ones and the risks the same; one pass over the rows."""
    second = np.zeros_like(m.second)
    cumulative = from_zero(at.inverse[0])
    for rows, block in x.blocks():
        second += cross(block, block, at.risk[rows] * sets.between(cumulative, rows))
    dead = x.take(sets.died)
    second -= cross(dead, dead, at.risk[sets.died] * at.inverse[1][sets.died_in])
    return Moments(m.s1, m.t1, second)


def expected_hazard(sets: RiskSets, at: Hazards) -> Floats:
    """Baseline hazard (per unit of exp(eta - shift)) each row meets while at risk; a tied event leaves out its l/m."""
    hazard = sets.between(from_zero(at.inverse[0]))
    hazard[sets.died] -= at.inverse[1][sets.died_in]
    return hazard


def hazard_mean(at: Hazards, m: Moments) -> Floats:
    """Per cell, the hazard times the risk set's mean covariate, summed over the tied events."""
    square = at.inverse_square
    return m.s1 * square[0][:, None] - m.t1 * square[1][:, None]


def hazard_mean_tied(at: Hazards, m: Moments) -> Floats:
    """The same with l/m as a factor: the part in which the tied rows themselves do not share."""
    square = at.inverse_square
    return m.s1 * square[1][:, None] - m.t1 * square[2][:, None]


def mean_covariates(at: Hazards, m: Moments) -> Floats:
    """Mean covariate of the risk set, averaged over the tied events (cells x p)."""
    return m.s1 * at.mean_inverse[0][:, None] - m.t1 * at.mean_inverse[1][:, None]
