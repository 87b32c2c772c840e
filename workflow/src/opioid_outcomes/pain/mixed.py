"""A linear mixed model of repeated scores: random intercept, and random slope in time where it can be told."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints
from opioid_outcomes.survival.products import cross, sums_by

# of a covariance of intercept and slope, the smallest eigenvalue as a share of the largest: less is on the boundary
BOUNDARY = 1e-6
DIGITS = 7


@dataclass(frozen=True)
class Mixed:
    """Fixed effects with the model's covariance; ``slope``: whether there is a random slope."""

    joint: Joint
    slope: bool


def fit(x: Floats, y: Floats, person: Ints, time: Floats) -> Mixed | None:
    """Restricted maximum likelihood (variances by statsmodels MixedLM); None where it does not converge.

    x: (n, p) with its constant. y: (n,). person: (n,) whose random effects. time: (n,) the slope's, in years. A model
    with a slope is kept where it converges inside the space of its parameters. Cost: a pass over the people, in Python
    within statsmodels, per step of the search.
    """
    constant = np.ones((len(y), 1))
    for slope in (True, False):
        fitted = _fitted(x, y, person, np.column_stack([constant, time]) if slope else constant)
        if fitted is not None:
            return Mixed(fitted, slope)
    return None


def _fitted(x: Floats, y: Floats, person: Ints, random: Floats) -> Joint | None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = MixedLM(y, x, groups=person, exog_re=random).fit(reml=True, method=["bfgs", "lbfgs"], gtol=1e-8)
            between, within = _rounded(found.cov_re), float(_rounded(found.scale))
            told = _least_squares(x, y, person, random, between=between, within=within)
        except (np.linalg.LinAlgError, ValueError):
            return None
    size = np.linalg.eigvalsh(between)
    inside = bool(size[0] > BOUNDARY * size[-1] > 0) if len(size) > 1 else bool(size[0] >= 0)
    known = bool(np.isfinite(told.values).all() and (np.diag(told.covariance) > 0).all())
    return told if found.converged and inside and known else None


def _rounded(variances: npt.ArrayLike) -> Floats:
    """To seven digits of the largest, so that the last ones of a search, which differ by machine, tell nothing."""
    values = np.asarray(variances, dtype=np.float64)
    unit = 10.0 ** (np.floor(np.log10(np.abs(values).max(initial=1e-300))) - DIGITS)
    return np.asarray(np.round(values / unit) * unit)


def _least_squares(x: Floats, y: Floats, person: Ints, random: Floats, *, between: Floats, within: float) -> Joint:
    """Generalised least squares with V = within I + Z between Z', and its covariance (X'V^-1 X)^-1, as lme4 has it.

    Laird & Ware (1982) Biometrics 38:963; V^-1 = (I - Z (within I + between Z'Z)^-1 between Z') / within. O(n p).
    """
    _, codes = np.unique(person, return_inverse=True)
    both = np.column_stack([x, y])
    q, p = random.shape[1], both.shape[1]
    zx = sums_by(codes, (random[:, :, None] * both[:, None, :]).reshape(-1, q * p)).reshape(-1, q, p)
    zz = sums_by(codes, (random[:, :, None] * random[:, None, :]).reshape(-1, q * q)).reshape(-1, q, q)
    inner = np.linalg.solve(within * np.eye(q) + between @ zz, between @ zx)
    information = (cross(both, both) - np.einsum("gqi,gqj->ij", zx, inner, optimize=False)) / within
    covariance = np.linalg.inv(information[:-1, :-1])
    return Joint(covariance @ information[:-1, -1], covariance)
