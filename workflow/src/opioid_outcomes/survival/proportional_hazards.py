"""Whether hazard ratios change with time (Grambsch & Therneau 1994 Biometrika 81:515), as R cox.zph computes it.

A score test for adding covariate x g(time) to the model, its variance summed over the event times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl

from opioid_outcomes.survival import cox_likelihood as likelihood
from opioid_outcomes.survival import risk_sets
from opioid_outcomes.survival.risk_sets import Floats

if TYPE_CHECKING:
    from opioid_outcomes.survival.cox import CoxFit, Rows

Transform = Literal["km", "log", "identity"]
# share of what the events say of x g(time) at which the rest, once x itself is fitted, is rounding
NOTHING_LEFT = 1e-9


def score_test(fitted: CoxFit, transform: Transform) -> pl.DataFrame:
    """One row per column and one for all together ("all"): term, chi_square, degrees, p_value. Model-based variance.

    Null where the data cannot say: of all events at one time, or a column that varies in the risk set of one time only.
    "all" is of what the others can say, with as many degrees. ValueError for an unknown transform, or the logarithm of
    times at or below 0.
    """
    from scipy.stats import chi2

    rows, sets, x = fitted.rows, fitted.sets, fitted.x
    moment = _transformed(rows, sets.time, transform)
    rounding = 1e-12 * float(np.abs(moment).max())
    moment = moment - np.average(moment, weights=sets.deaths)  # changes no test, only its rounding
    moment = np.where(np.abs(moment) > rounding, moment, 0.0)
    by_moment, by_square = fitted.hazards.times(moment), fitted.hazards.times(moment**2)
    weights_by_moment = rows.weights[sets.died] * moment[sets.died_in]
    gradient = likelihood.score(sets, x, weights_by_moment, by_moment, fitted.moments)
    mixed = likelihood.information(by_moment, likelihood.with_hazards(sets, x, by_moment, fitted.moments))
    square = likelihood.information(by_square, likelihood.with_hazards(sets, x, by_square, fitted.moments))
    variance = square - mixed.T @ fitted.covariance @ mixed
    told = np.diag(variance) > NOTHING_LEFT * np.diag(square)
    each = np.full(len(gradient), np.nan)
    each[told] = gradient[told] ** 2 / np.diag(variance)[told]
    together, rank = _together(gradient[told], variance[np.ix_(told, told)])
    degrees = np.r_[np.ones(len(each), dtype=np.int64), rank]
    statistic = np.r_[each, together]
    return pl.DataFrame(
        {
            "term": [*fitted.names, "all"],
            "chi_square": statistic,
            "degrees": degrees,
            "p_value": chi2.sf(statistic, degrees),
        }
    ).with_columns(pl.col("chi_square", "p_value").fill_nan(None))


def _together(gradient: Floats, variance: Floats) -> tuple[float, int]:
    """Gradient' variance^-1 gradient over the directions that have a variance, and how many there are."""
    if not len(gradient):
        return np.nan, 0
    root = np.sqrt(np.diag(variance))
    sizes, directions = np.linalg.eigh(variance / np.outer(root, root))
    along = (gradient / root) @ directions
    seen = sizes > NOTHING_LEFT * sizes[-1]
    return float((along[seen] ** 2 / sizes[seen]).sum()), int(seen.sum())


def _transformed(rows: Rows, time: Floats, transform: Transform) -> Floats:
    """g(time): time itself, its logarithm, or 1 - Kaplan-Meier just before it (all strata together, unweighted)."""
    if transform not in get_args(Transform):
        raise ValueError("transform must be km, log or identity")
    if transform == "identity":
        return time
    if transform == "log":
        if (time <= 0).any():
            raise ValueError("the logarithm of time needs events after time 0")
        return np.log(time)
    pooled = risk_sets.build(rows.start, rows.stop, rows.event, np.broadcast_to(np.int64(0), len(rows.stop)))
    survival = np.cumprod(1 - pooled.deaths / pooled.sums(np.ones(len(rows.stop))))
    return 1 - np.r_[1.0, survival][np.searchsorted(pooled.time, time, side="left")]
