"""Marginal structural models of a time to event: hazard ratios, and risks had everybody followed a strategy.

The hazard ratio is weighted Cox on the rows (``survival.cox``, clustered by person); risks come from a pooled
complementary log-log regression, whose coefficients are log hazard ratios too (Prentice & Gloeckler (1978) Biometrics
34:57), standardised over baseline covariates. Hernan, Brumback & Robins (2000) Epidemiology 11:561; for the Cox model
Xiao, Abrahamowicz & Moodie (2010) Int J Biostat 6(2):13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal.contrasts import Contrast, Joint
from opioid_outcomes.causal.time_varying_weights import Weights, estimation_influence
from opioid_outcomes.survival.binary_regression import BinaryFit
from opioid_outcomes.survival.cox import CoxFit
from opioid_outcomes.survival.products import column_sums, cross, sums_by
from opioid_outcomes.survival.risk_sets import Floats, Ints

FIRST, SECOND = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def cox_influence(fit: CoxFit, person: Ints, weights: Sequence[Weights] = ()) -> Floats:
    """Influence of each person on the log hazard ratios, (persons, p): the cross product is their covariance.

    fit: weighted, on the rows the weights were made for. ``weights``: those whose product weighted it; without them
    the influence is that of known weights. Lin & Wei (1989) residuals: the derivative of the score in a row's weight
    is its score residual, whatever the row adds to the means of risk sets.
    """
    rows = np.zeros(fit.rows.n)
    rows[fit.rows.kept] = fit.rows.weights
    scores = fit.residuals("score") * rows[:, None]
    total = sums_by(person, scores)
    for made in weights:
        total = total + estimation_influence(made, person, scores)
    return np.asarray(total @ fit.covariance)


def pooled_influence(fit: BinaryFit, person: Ints, weights: Sequence[Weights] = ()) -> Floats:
    """The same for a pooled regression, (persons, p)."""
    scores = fit.scores()
    total = sums_by(person, scores)
    for made in weights:
        total = total + estimation_influence(made, person, scores)
    return fit.times_bread(total.T).T


@dataclass(frozen=True)
class Standardised:
    """Risks under S strategies at H horizons, averaged over everybody's baseline.

    risk, rmst: (S, H); their influence per person: (S, H, persons).
    """

    horizons: Floats
    risk: Floats
    rmst: Floats
    risk_influence: Floats
    rmst_influence: Floats

    def risk_difference(self, h: int, first: int = 0, second: int = 1) -> Contrast:
        return self._risks(h, first, second).combination(FIRST - SECOND)

    def rmst_difference(self, h: int, first: int = 0, second: int = 1) -> Contrast:
        pair = [first, second]
        return Joint(self.rmst[pair, h], covariance(self.rmst_influence[pair, h].T)).combination(FIRST - SECOND)

    def risk_ratio(self, h: int, first: int = 0, second: int = 1) -> Contrast:
        """The ratio itself and its standard error; limits and p value by its logarithm."""
        return self._risks(h, first, second).ratio(FIRST, SECOND)

    def _risks(self, h: int, first: int, second: int) -> Joint:
        pair = [first, second]
        return Joint(self.risk[pair, h], covariance(self.risk_influence[pair, h].T))


def standardise(
    params: Floats, influence: Floats, strategies: Floats, baseline: Floats, *, horizons: npt.ArrayLike, length: float
) -> Standardised:
    """Risks had everybody followed each strategy, from a proportional pooled model without interactions with baseline.

    params: (1 + q + r,) of a cloglog model: constant, q columns of time and treatment, r of baseline; influence:
    (persons, 1 + q + r). strategies: (S, K, q) those columns in each of K periods under each strategy. baseline:
    (persons, r). horizons: in the unit of ``length``, a period's, at most K periods.

    In person i the cumulative hazard is exp(v_i b) Lambda(t), Lambda piecewise linear, so that a risk costs one pass
    over people. Cost: persons x (horizons x (1 + q + r) + K) per strategy.
    """
    count, periods, q = strategies.shape
    ends = np.asarray(horizons, dtype=float)
    if (ends <= 0).any() or (ends > periods * length + 1e-9).any():
        raise ValueError("horizons must lie within the periods")
    multiple = np.exp(baseline @ params[1 + q :])
    shape = (count, len(ends))
    risk, rmst = np.zeros(shape), np.zeros(shape)
    persons = len(baseline)
    risk_influence, rmst_influence = np.zeros((*shape, persons)), np.zeros((*shape, persons))
    for s in range(count):
        columns = np.column_stack([np.ones(periods), strategies[s]])
        hazard = np.exp(columns @ params[: 1 + q])
        for h, end in enumerate(ends):
            lived = np.clip(end / length - np.arange(periods), 0, 1)  # share of each period before the horizon
            cumulative, slope = float(hazard @ lived), (hazard * lived) @ columns
            survival = np.exp(-multiple * cumulative)
            fall = survival * multiple
            risk[s, h] = 1 - survival.mean()
            gradient = np.concatenate([slope * fall.mean(), cumulative * column_sums(baseline, fall) / persons])
            risk_influence[s, h] = (survival.mean() - survival) / persons + influence @ gradient
            mean, own, gradient = _mean_time(hazard, columns, lived, multiple, baseline)
            rmst[s, h] = mean * length
            rmst_influence[s, h] = length * ((own - mean) / persons + influence @ gradient)
    return Standardised(ends, risk, rmst, risk_influence, rmst_influence)


def _mean_time(
    hazard: Floats, columns: Floats, lived: Floats, multiple: Floats, baseline: Floats
) -> tuple[float, Floats, Floats]:
    """Mean of everybody's restricted mean time in periods, each person's, and its gradient in the parameters."""
    persons = len(multiple)
    own = np.zeros(persons)
    gradient_time, gradient_base = np.zeros(columns.shape[1]), np.zeros(persons)
    before, slope_before = 0.0, np.zeros(columns.shape[1])
    for k in np.flatnonzero(lived > 0):
        rate, share = hazard[k], lived[k]
        at_start = np.exp(-multiple * before)
        inside = multiple * rate * share
        small = inside < 1e-8
        divisor = np.where(small, 1.0, inside)
        part = np.where(small, 1 - inside / 2, -np.expm1(-inside) / divisor)  # mean of exp(-inside u), u in (0, 1)
        bend = np.where(small, -0.5 + inside / 3, (np.exp(-inside) - part) / divisor)  # its derivative
        own += share * at_start * part
        to_before = -share * at_start * part * multiple  # derivative in the cumulative hazard before
        to_rate = share * at_start * bend * multiple * share
        gradient_time += to_before.mean() * slope_before + to_rate.mean() * rate * columns[k]
        gradient_base += to_before * before + to_rate * rate
        before, slope_before = before + rate * share, slope_before + rate * share * columns[k]
    return (
        float(own.mean()), own, np.concatenate([gradient_time, column_sums(baseline, gradient_base) / persons])
    )  # fmt: skip


def following(person: Ints, treated: Floats, value: int) -> npt.NDArray[np.bool_]:
    """Rows up to which the person's treatment has been ``value`` in every period, rows sorted by person and period."""
    other = np.cumsum(treated != value)
    first = np.concatenate([[True], np.diff(person) != 0])[: len(person)]
    before = (other - (treated != value))[first][np.cumsum(first) - 1] if len(person) else other
    return np.asarray(other - before == 0)


def covariance(influence: Floats) -> Floats:
    """Of estimates whose influence per person is given, (p, p)."""
    return cross(influence, influence)
