"""Whether hazard ratios change with time (Grambsch & Therneau 1994 Biometrika 81:515), as R cox.zph computes it.

A score test for adding covariate x g(time) to the model, its variance summed over the event times.
"""

from __future__ import annotations

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

    rows, sets, x = fitted.rows, fitted.sets, fitted.x
    moment = _transformed(rows, sets.time, transform)
    moment = moment - np.average(moment, weights=sets.deaths)  # changes no test, only its rounding
    by_moment, by_square = fitted.hazards.times(moment), fitted.hazards.times(moment**2)
    weights_by_moment = rows.weights[sets.died] * moment[sets.died_in]
    gradient = likelihood.score(sets, x, weights_by_moment, by_moment, fitted.moments)
    mixed = likelihood.information(by_moment, likelihood.with_hazards(sets, x, by_moment, fitted.moments))
    square = likelihood.information(by_square, likelihood.with_hazards(sets, x, by_square, fitted.moments))
    variance = square - mixed.T @ fitted.covariance @ mixed
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


def _transformed(rows: Rows, time: Floats, transform: Transform) -> Floats:
    """g(time): time itself, its logarithm, or 1 - Kaplan-Meier just before it (all strata together, unweighted)."""
    if transform == "identity":
        return time
    if transform == "log":
        return np.log(time)
    pooled = risk_sets.build(rows.start, rows.stop, rows.event, np.broadcast_to(np.int64(0), len(rows.stop)))
    survival = np.cumprod(1 - pooled.deaths / pooled.sums(np.ones(len(rows.stop))))
    return 1 - np.r_[1.0, survival][np.searchsorted(pooled.time, time, side="left")]
