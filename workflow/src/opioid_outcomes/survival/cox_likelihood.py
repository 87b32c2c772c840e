"""The Cox partial likelihood with its first two derivatives, for tied event times after Efron or Breslow.

Efron, B. (1977) JASA 72:557; weighted as in Therneau & Grambsch (2000) Modeling Survival Data, ch. 3: the m tied events
of a cell share their mean weight, and the l-th of them (l = 0..m-1) leaves l/m of the tied rows' risk out of the
denominator. Breslow is the same with no risk left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival.products import cross
from opioid_outcomes.survival.risk_sets import Floats, RiskSets


@dataclass(frozen=True)
class Terms:
    """What the likelihood and its residuals need per cell, at given coefficients.

    risk: w_i exp(eta_i - shift), rows. s1, t1: sums of risk x covariates over the risk set, and over the tied events
    (cells x p). inverse[j]: mean weight x sum over the tied events of f^j / denominator, f = l/m, j = 0, 1; likewise
    ``inverse_square`` with the denominator squared, j = 0, 1, 2. ``mean_inverse`` is ``inverse`` per weight and event.
    """

    risk: Floats
    shift: float
    s1: Floats
    t1: Floats
    inverse: tuple[Floats, Floats]
    inverse_square: tuple[Floats, Floats, Floats]
    mean_inverse: tuple[Floats, Floats]
    log_denominators: float

    def hazard_mean(self) -> Floats:
        """Per cell, the hazard times the risk set's mean covariate, summed over the tied events."""
        square = self.inverse_square
        return self.s1 * square[0][:, None] - self.t1 * square[1][:, None]

    def hazard_mean_tied(self) -> Floats:
        """The same with l/m as a factor: the part in which the tied rows themselves do not share."""
        square = self.inverse_square
        return self.s1 * square[1][:, None] - self.t1 * square[2][:, None]

    def mean_covariates(self) -> Floats:
        """Mean covariate of the risk set, averaged over the tied events (cells x p)."""
        return self.s1 * self.mean_inverse[0][:, None] - self.t1 * self.mean_inverse[1][:, None]


def terms(sets: RiskSets, x: Floats, weights: Floats, eta: Floats, *, efron: bool) -> Terms:
    """Everything per cell at linear predictor ``eta``."""
    shift = float(eta.max())  # exp() of what is left is at most 1; the shift cancels in every ratio
    risk = weights * np.exp(eta - shift)
    weighted = risk[:, None] * x
    s0, s1 = sets.sums(risk), sets.sums(weighted)
    t0, t1 = sets.sums_of_dead(risk), sets.sums_of_dead(weighted)
    s0 = np.maximum(s0, t0)  # the dead are at risk: only rounding can say otherwise
    cell, deaths = sets.died_in, sets.deaths
    rank = np.arange(len(cell)) - np.repeat(sets.opens, deaths)
    left_out = rank / deaths[cell] if efron else np.zeros(len(cell))
    denominator = s0[cell] - left_out * t0[cell]
    mean_weight = sets.sums_of_dead(weights) / deaths
    plain = [sets.per_cell(left_out**j / denominator) for j in range(2)]
    squares = [sets.per_cell(left_out**j / denominator**2) for j in range(3)]
    return Terms(
        risk=risk,
        shift=shift,
        s1=s1,
        t1=t1,
        inverse=(mean_weight * plain[0], mean_weight * plain[1]),
        inverse_square=(mean_weight * squares[0], mean_weight * squares[1], mean_weight * squares[2]),
        mean_inverse=(plain[0] / deaths, plain[1] / deaths),
        log_denominators=float(np.sum(mean_weight[cell] * (np.log(denominator) + shift))),
    )


def loglik(sets: RiskSets, weights: Floats, eta: Floats, at: Terms) -> float:
    return float(np.sum(weights[sets.died] * eta[sets.died])) - at.log_denominators


def score(sets: RiskSets, x: Floats, weights: Floats, at: Terms) -> Floats:
    """Gradient of the log-likelihood, length p."""
    expected = at.s1 * at.inverse[0][:, None] - at.t1 * at.inverse[1][:, None]
    return (weights[sets.died, None] * x[sets.died]).sum(axis=0) - expected.sum(axis=0)


def information(sets: RiskSets, x: Floats, at: Terms) -> Floats:
    """Minus the second derivative, p x p.

    The sum over events of S2/S0 needs no second moments per risk set: it is X' diag(c) X, where c_i is the row's risk
    times the increase of the baseline hazard over its time at risk.
    """
    second = cross(x, x, at.risk * expected_hazard(sets, at))
    a, b, c = at.inverse_square
    mixed = cross(at.s1, at.t1, b)
    outer = cross(at.s1, at.s1, a) - mixed - mixed.T + cross(at.t1, at.t1, c)
    result = second - outer
    return (result + result.T) / 2


def expected_hazard(sets: RiskSets, at: Terms) -> Floats:
    """Baseline hazard (per unit of exp(eta - shift)) each row meets while at risk; a tied event leaves out its l/m."""
    hazard = sets.between(np.cumsum(at.inverse[0]))
    hazard[sets.died] -= at.inverse[1][sets.died_in]
    return hazard
