"""Cumulative incidence of competing events after Aalen & Johansen (1978) Scand J Stat 5:141, with weights.

Everybody is followed from time 0. Variance by the infinitesimal jackknife, as in R survival's survfit (3.x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.risk_sets import Floats

# A hazard so near 1 that what is left of the risk set is rounding of the weights
WHOLE = 1 - 1e-12


@dataclass(frozen=True)
class CumulativeIncidence:
    """Curves at each distinct time at which somebody has an event or is censored; K causes, coded 1 to K."""

    time: Floats  # (T,)
    at_risk: Floats  # (T,) weight at risk just before
    events: Floats  # (T, K) weight with the event at that time
    survival: Floats  # (T,) without any event
    incidence: Floats  # (T, K)
    se: Floats  # (T, K)

    def at(self, time: float) -> tuple[Floats, Floats]:
        """Incidence and standard error of each cause at a time, (K,) each; 0 before the first event."""
        place = int(np.searchsorted(self.time, time, side="right")) - 1
        nothing = np.zeros(self.incidence.shape[1])
        return (self.incidence[place], self.se[place]) if place >= 0 else (nothing, nothing)


def cumulative_incidence(
    time: npt.ArrayLike, cause: npt.ArrayLike, *, causes: int, weights: npt.ArrayLike | None = None
) -> CumulativeIncidence:
    """Probability of each cause's event by each time, each competing with the others.

    time: (n,) > 0, of the first event or of censoring. cause: (n,) 0 censored, 1..``causes``. weights: (n,) >= 0,
    known. At a tie events come before censoring. ValueError if the arguments make no sense. Cost: one sort of the
    times; the rest goes by distinct times.
    """
    ends, kinds, weight = _check(time, cause, causes, weights)
    times, place = np.unique(ends, return_inverse=True)
    cell = place * (causes + 1) + kinds
    shape = (len(times), causes + 1)
    left, squares = _sums(cell, weight, shape), _sums(cell, weight**2, shape)
    at_risk = np.cumsum(left.sum(axis=1)[::-1])[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        hazards = np.where(at_risk[:, None] > 0, left[:, 1:] / at_risk[:, None], 0.0)
    hazard = hazards.sum(axis=1)
    hazard = np.where(hazard > WHOLE, 1.0, hazard)
    survival = np.cumprod(1 - hazard)
    before = np.r_[1.0, survival[:-1]]
    incidence = np.cumsum(before[:, None] * hazards, axis=0)
    steps = _Steps(squares, at_risk, hazard, hazards, before, incidence)
    se = np.stack([np.sqrt(steps.variance(j)) for j in range(causes)], axis=1) if causes else incidence
    return CumulativeIncidence(times, at_risk, left[:, 1:], survival, incidence, se)


def _sums(cell: npt.NDArray[np.int64], values: Floats, shape: tuple[int, int]) -> Floats:
    return np.bincount(cell, values, shape[0] * shape[1]).astype(np.float64).reshape(shape)


def _check(
    time: npt.ArrayLike, cause: npt.ArrayLike, causes: int, weights: npt.ArrayLike | None
) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    ends, kinds = np.asarray(time, dtype=float), np.asarray(cause, dtype=np.int64)
    weight = np.ones(len(ends)) if weights is None else np.asarray(weights, dtype=float)
    if kinds.shape != ends.shape or weight.shape != ends.shape:
        raise ValueError("time, cause and weights must be of one length")
    if not np.isfinite(ends).all() or (ends <= 0).any():
        raise ValueError("times must be known, finite and above 0")
    if (kinds < 0).any() or (kinds > causes).any():
        raise ValueError(f"causes must be 0 (censored) to {causes}")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError("weights must be known and at least 0")
    return ends, kinds, weight


@dataclass(frozen=True)
class _Steps:
    """What the infinitesimal jackknife needs, by distinct time: nobody's influence is ever formed.

    The influence of a person with end x on F(t) is B(t) while still followed, and alpha + beta (F(t) - F(x)) from x on:
    with h the hazard, Y the weight at risk, A = cumsum h / (Y (1 - h)) and G = cumsum of S(-) h_j / Y,
    B = cumsum(A(-) dF) - G; beta = A(x) - [event] / (Y (1 - h)); alpha = B(x) + [event of cause j] S(x-) / Y(x).
    Squares therefore add up from sums over those who have left, times 1, F(t) and F(t)^2.
    """

    squares: Floats  # (T, 1 + K) squared weight leaving, censored first
    at_risk: Floats
    hazard: Floats
    hazards: Floats
    before: Floats
    incidence: Floats

    def variance(self, j: int) -> Floats:
        """Variance of the incidence of cause j (from 0) at each time."""
        remaining = self.at_risk * (1 - self.hazard)
        with np.errstate(invalid="ignore", divide="ignore"):
            # where nobody is left, nothing adds to F any more
            leaving = np.where(remaining > 0, 1 / remaining, 0.0)
            risk = np.where(self.at_risk > 0, 1 / self.at_risk, 0.0)
        slope = np.cumsum(self.hazard * leaving)
        curve = self.incidence[:, j]
        increment = np.diff(curve, prepend=0.0)
        followed = np.cumsum(np.r_[0.0, slope[:-1]] * increment) - np.cumsum(self.before * self.hazards[:, j] * risk)
        total = np.zeros((3, len(curve)))
        for cause in range(self.squares.shape[1]):
            beta = slope - (leaving if cause else 0.0)
            alpha = followed + (self.before * risk if cause == j + 1 else 0.0) - beta * curve
            total += self.squares[:, cause] * np.stack([alpha**2, 2 * alpha * beta, beta**2])
        gone = np.cumsum(total, axis=1)
        out = self.squares.sum(axis=1)
        still = np.maximum(np.cumsum(out[::-1])[::-1] - out, 0.0)
        return np.maximum(still * followed**2 + gone[0] + gone[1] * curve + gone[2] * curve**2, 0.0)
