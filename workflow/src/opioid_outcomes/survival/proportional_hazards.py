"""Whether hazard ratios change with time (Grambsch & Therneau 1994 Biometrika 81:515), as R cox.zph computes it.

A score test for adding covariate x g(time) to the model, its variance summed over the event times.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from opioid_outcomes.survival import cox_likelihood as likelihood
from opioid_outcomes.survival import risk_sets
from opioid_outcomes.survival.risk_sets import Floats

if TYPE_CHECKING:
    from opioid_outcomes.survival.cox import CoxFit, Rows

Transform = Literal["km", "log", "identity"]


def score_test(fitted: CoxFit, transform: Transform) -> pl.DataFrame:
    """One row per column and one for all together ("all"): term, chi_square, degrees, p_value. Model-based variance."""
    from scipy.stats import chi2

    rows, sets = fitted.rows, fitted.sets
    x, cells = rows.x - fitted.centre, np.arange(fitted.sets.cells)
    moment = _transformed(rows, sets.time, transform)
    moment = moment - np.average(moment, weights=sets.deaths)  # changes no test, only its rounding
    by_moment, by_square = _times(fitted.terms, moment), _times(fitted.terms, moment**2)
    at_death = np.zeros(len(rows.stop))
    at_death[sets.died] = moment[np.repeat(cells, sets.deaths)]
    gradient = likelihood.score(sets, x, rows.weights * at_death, by_moment)
    mixed = likelihood.information(sets, x, by_moment)
    variance = likelihood.information(sets, x, by_square) - mixed.T @ fitted.covariance @ mixed
    each = gradient**2 / np.diag(variance)
    statistic = np.r_[each, gradient @ np.linalg.solve(variance, gradient)]
    degrees = np.r_[np.ones(len(each), dtype=np.int64), len(each)]
    return pl.DataFrame(
        {
            "term": [*fitted.names, "all"],
            "chi_square": statistic,
            "degrees": degrees,
            "p_value": chi2.sf(statistic, degrees),
        }
    )


def _times(at: likelihood.Terms, by: Floats) -> likelihood.Terms:
    """The terms of each event time, multiplied by a number of its own."""
    plain, square = at.inverse, at.inverse_square
    return replace(
        at, inverse=(plain[0] * by, plain[1] * by), inverse_square=(square[0] * by, square[1] * by, square[2] * by)
    )


def _transformed(rows: Rows, time: Floats, transform: Transform) -> Floats:
    """g(time): time itself, its logarithm, or 1 - Kaplan-Meier just before it (all strata together, unweighted)."""
    if transform == "identity":
        return time
    if transform == "log":
        return np.log(time)
    pooled = risk_sets.build(rows.start, rows.stop, rows.event, np.zeros(len(rows.stop), dtype=np.int64))
    survival = np.cumprod(1 - pooled.deaths / pooled.sums(np.ones(len(rows.stop))))
    return 1 - np.r_[1.0, survival][np.searchsorted(pooled.time, time, side="left")]
