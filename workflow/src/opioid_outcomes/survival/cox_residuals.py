"""Residuals of a fitted Cox model (Therneau & Grambsch 2000, ch. 4), in the order of the rows that were fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from opioid_outcomes.survival import cox_likelihood as likelihood
from opioid_outcomes.survival.risk_sets import Floats

if TYPE_CHECKING:
    from opioid_outcomes.survival.cox import CoxFit


def martingale(fitted: CoxFit) -> Floats:
    """Events minus expected events, (rows,)."""
    return fitted.rows.event - _relative_risk(fitted) * likelihood.expected_hazard(fitted.sets, fitted.terms)


def score(fitted: CoxFit) -> Floats:
    """Each row's own term of the score, (rows, p): integral of (x - xbar) dM; the weights are not in it."""
    sets, at = fitted.sets, fitted.terms
    x = fitted.rows.x - fitted.centre
    expected = sets.between(np.cumsum(at.hazard_mean(), axis=0))
    expected[sets.died] -= at.hazard_mean_tied()[sets.died_in]
    hazard = likelihood.expected_hazard(sets, at)
    result = -_relative_risk(fitted)[:, None] * (x * hazard[:, None] - expected)
    result[sets.died] += schoenfeld(fitted)
    return result


def dfbeta(fitted: CoxFit) -> Floats:
    """Weighted influence on the coefficients, (rows, p)."""
    return (fitted.rows.weights[:, None] * score(fitted)) @ fitted.covariance


def schoenfeld(fitted: CoxFit) -> Floats:
    """Covariates of each event minus the mean of its risk set, (events, p), by stratum, time and row."""
    sets = fitted.sets
    return (fitted.rows.x - fitted.centre)[sets.died] - fitted.terms.mean_covariates()[sets.died_in]


def _relative_risk(fitted: CoxFit) -> Floats:
    """exp(eta - shift), the scale on which the hazards of ``terms`` are."""
    return fitted.terms.risk / fitted.rows.weights
