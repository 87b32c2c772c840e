"""Person bootstrap of weighted curves: in every replicate the score, the weights and the curves are made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal import propensity
from opioid_outcomes.causal.propensity import Estimand, Propensity
from opioid_outcomes.causal.weighted_arms import Arms, values
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.person_bootstrap import Persons
from opioid_outcomes.survival.products import column_sums, linear
from opioid_outcomes.survival.risk_sets import Floats

# Steps with the information of the whole sample; each leaves about sqrt(columns / events) of the error, so ten are many
STEPS = 40
# After some steps each must be this much shorter, in squared length, than the one before: else no estimate is near
PATIENCE, SHORTER = 8, 0.25
# Squared length of a step in standard errors at which it is the last
SETTLED = 1e-12
# Penalty that stands for none where people drawn with some value of a covariate are of one arm: their score goes to 0
# or 1 without end, but every weight has a limit
SLIGHT = 1e-6


@dataclass(frozen=True)
class Refit:
    """Weights of the index dates at other weights of their people."""

    x: npt.NDArray
    treated: Floats
    names: tuple[str, ...]
    ridge: float
    estimand: Estimand
    found: Propensity

    def __call__(self, drawn: Floats) -> Floats:
        """Propensity weights, (n,), where each row counts ``drawn`` times in the score; RegressionFailure if none."""
        score = None if self.ridge > 0 else self._nearby(drawn)
        if score is None:
            score = self._again(drawn)
        return propensity.weights(score, self.treated, self.estimand)

    def _again(self, drawn: Floats) -> Floats:
        start = self.found.fit.params
        for ridge in (self.ridge, SLIGHT):
            try:
                return propensity.estimate(
                    self.x, self.treated, names=self.names, weights=drawn, ridge=ridge, start=start
                ).score
            except RegressionFailure as failure:
                if ridge == SLIGHT or failure.reason not in {"separation", "no convergence"}:
                    raise
        raise AssertionError

    def _nearby(self, drawn: Floats) -> Floats | None:
        """Score by Newton's steps from the estimate of all, with its information; None if they do not settle."""
        fit = self.found.fit
        params, score = fit.params.copy(), self.found.score
        before = np.inf
        for number in range(STEPS):
            residual = drawn * (self.treated - score)
            gradient = np.r_[residual.sum(), column_sums(self.x, residual)]
            step = fit.times_bread(gradient)
            params += step
            length = float(gradient @ step)
            if not np.isfinite(length) or (number > PATIENCE and length > SHORTER * before):
                return None
            before = length
            score = _expit(linear(self.x, params[1:]) + params[0])
            if length < SETTLED:
                return score
        return None


def _expit(eta: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(eta, -700, 700)))


def replicate_values(
    arms: Arms, prior: Floats, refit: Callable[[Floats], Floats] | None, horizons: Floats, persons: Persons, *,
    replicates: int, seed: int, factors: Callable[[Floats], Floats] | None = None,
) -> Floats:  # fmt: skip
    """``weighted_arms.values`` in each replicate that has an estimate, (at most B, 2, H, K + 1).

    prior: (n,) weights given for the index dates. refit: propensity weights at the weights of a replicate, or None.
    factors: the weights of all rows of follow-up at those of a replicate; if None they stay as they are. A
    replicate without an estimate (an arm, or the score's, is missing) is left out. Follow-up is that of the sample: a
    replicate whose last person left earlier keeps its curve level. Memory: some columns of n numbers beside the data.
    """
    found = []
    for replicate in range(replicates):
        drawn = prior * persons.weights(replicate, seed)
        try:
            weights = drawn if refit is None else drawn * refit(drawn)
            again = arms if factors is None else arms.with_factors(factors(drawn))
        except RegressionFailure:
            continue
        weights = np.where(drawn > 0, weights, 0.0)
        if not np.isfinite(weights).all() or not all((weights[place] > 0).any() for place in arms.place):
            continue
        found.append(values(again.curves(weights), horizons, carry=True))
    return np.stack(found) if found else np.empty((0, 2, len(horizons), arms.rows[0].causes + 1))
