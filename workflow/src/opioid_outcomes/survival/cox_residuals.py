"""Residuals of a fitted Cox model (Therneau & Grambsch 2000, ch. 4), in the order of the rows that were fitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival import cox_likelihood as likelihood
from opioid_outcomes.survival.products import cross
from opioid_outcomes.survival.risk_sets import Floats, Ints, from_zero

if TYPE_CHECKING:
    from opioid_outcomes.survival.cox import CoxFit


def martingale(fitted: CoxFit) -> Floats:
    """Events minus expected events, (rows,)."""
    relative = fitted.hazards.risk / fitted.rows.weights  # exp(eta - shift), the scale on which the hazards are
    return fitted.rows.event - relative * likelihood.expected_hazard(fitted.sets, fitted.hazards)


def score(fitted: CoxFit) -> Floats:
    """Each row's own term of the score, (rows, p): integral of (x - xbar) dM; the weights are not in it."""
    result = np.empty(fitted.x.x.shape)
    for rows, block in weighted_scores(fitted):
        np.divide(block, fitted.rows.weights[rows, None], out=result[rows])
    return result


def dfbeta(fitted: CoxFit) -> Floats:
    """Weighted influence on the coefficients, (rows, p)."""
    result = np.empty(fitted.x.x.shape)
    for rows, block in weighted_scores(fitted):
        result[rows] = np.einsum("nj,jk->nk", block, fitted.covariance, optimize=False)
    return result


def schoenfeld(fitted: CoxFit) -> Floats:
    """Covariates of each event minus the mean of its risk set, (events, p), by stratum, time and row."""
    sets = fitted.sets
    return fitted.x.take(sets.died) - likelihood.mean_covariates(fitted.hazards, fitted.moments)[sets.died_in]


def scaled_schoenfeld(fitted: CoxFit) -> Floats:
    """The coefficient as each event alone would have it, (events, p): beta(t) against time (Grambsch & Therneau)."""
    return fitted.params + fitted.events * (schoenfeld(fitted) @ fitted.covariance)


def weighted_scores(fitted: CoxFit) -> Iterator[tuple[slice, Floats]]:
    """Weight times score residual, a block of rows at a time; valid until the next block is asked for."""
    sets, at, x = fitted.sets, fitted.hazards, fitted.x
    hazard = from_zero(at.inverse[0])
    mean = from_zero(likelihood.hazard_mean(at, fitted.moments))
    by_row = np.argsort(sets.died)
    died, own = sets.died[by_row], _of_the_dead(fitted)[by_row]
    for rows, block in x.blocks():
        scores = np.multiply(block, sets.between(hazard, rows)[:, None], out=block)
        scores -= sets.between(mean, rows)
        scores *= -at.risk[rows, None]
        first, last = np.searchsorted(died, (rows.start, rows.stop))
        scores[died[first:last] - rows.start] += own[first:last]
        yield rows, scores


def _of_the_dead(fitted: CoxFit) -> Floats:
    """What having the event adds to the weighted score residual: its Schoenfeld term, and the l/m it does not share."""
    sets, at = fitted.sets, fitted.hazards
    tied = likelihood.hazard_mean_tied(at, fitted.moments)[sets.died_in]
    left_out = at.inverse[1][sets.died_in, None] * fitted.x.take(sets.died) - tied
    weights, risk = fitted.rows.weights[sets.died, None], at.risk[sets.died, None]
    return weights * schoenfeld(fitted) + risk * left_out


def meat(fitted: CoxFit) -> Floats:
    """Sum of squares and products of the weighted scores, summed within clusters, (p, p)."""
    groups = fitted.rows.cluster
    if groups is None:
        total = np.zeros((len(fitted.names), len(fitted.names)))
        for _, block in weighted_scores(fitted):
            total += cross(block, block)
        return total
    sums = score_sums(fitted, groups)
    return cross(sums, sums)


def score_sums(fitted: CoxFit, groups: Ints) -> Floats:
    """Weighted scores summed within groups 0..G-1, (G, p), in one pass: no score per row is kept."""
    sums = np.zeros((int(groups.max()) + 1, len(fitted.names)))
    for rows, block in weighted_scores(fitted):
        members, local = _numbered(groups[rows])
        sums[members] += _sums_within(local, block, len(members))
    return sums


def _numbered(groups: Ints) -> tuple[Ints, npt.NDArray[np.int32]]:
    """The different groups of a block, and which of them each row is in; no sorting where they are in order."""
    if (groups[1:] >= groups[:-1]).all():
        changes = np.r_[True, groups[1:] != groups[:-1]]
        return groups[changes], np.cumsum(changes, dtype=np.int32) - np.int32(1)
    members, local = np.unique(groups, return_inverse=True)
    return members, local.astype(np.int32)


def _sums_within(local: npt.NDArray[np.int32], block: Floats, count: int) -> Floats:
    from scipy.sparse import csc_array

    size = len(local)
    ends = np.arange(size + 1, dtype=np.int32)
    return np.asarray(csc_array((np.ones(size), local, ends), shape=(count, size)) @ block)
