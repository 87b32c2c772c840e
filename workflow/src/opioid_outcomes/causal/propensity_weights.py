"""Weights from a propensity score, and how they move with it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.risk_sets import Floats

Estimand = Literal["overlap", "iptw", "att"]


def weights(score: npt.ArrayLike, treated: npt.ArrayLike, estimand: Estimand, *, share: float | None = None) -> Floats:
    """Weight of each row, (n,), not normalised.

    overlap (ATO, Li, Morgan & Zaslavsky (2018) JASA 113:390): 1 - e in the treated, e in the others. iptw (ATE,
    stabilised, Robins, Hernan & Brumback (2000) Epidemiology 11:550): p / e and (1 - p) / (1 - e), p the ``share``
    treated (of the rows, unless given). att: 1 and e / (1 - e). Infinite where a score of 0 or 1 is divided by.
    """
    e, one, p = _prepared(score, treated, share)
    with np.errstate(divide="ignore", invalid="ignore"):
        if estimand == "overlap":
            return np.where(one, 1 - e, e)
        if estimand == "iptw":
            return np.where(one, p / e, (1 - p) / (1 - e))
        if estimand == "att":
            return np.where(one, 1.0, e / (1 - e))
    raise ValueError("estimand must be overlap, iptw or att")


def weight_slopes(
    score: npt.ArrayLike, treated: npt.ArrayLike, estimand: Estimand, *, share: float | None = None
) -> Floats:
    """d weight / d logit of the score, (n,), the treated share held: what the sandwich of an estimated score needs."""
    e, one, p = _prepared(score, treated, share)
    with np.errstate(divide="ignore", invalid="ignore"):
        if estimand == "overlap":
            return np.where(one, -1.0, 1.0) * e * (1 - e)
        if estimand == "iptw":
            return np.where(one, -p * (1 - e) / e, (1 - p) * e / (1 - e))
        if estimand == "att":
            return np.where(one, 0.0, e / (1 - e))
    raise ValueError("estimand must be overlap, iptw or att")


def _prepared(
    score: npt.ArrayLike, treated: npt.ArrayLike, share: float | None
) -> tuple[Floats, npt.NDArray[np.bool_], float]:
    e, one = np.asarray(score, dtype=np.float64), np.asarray(treated).astype(bool)
    if e.shape != one.shape:
        raise ValueError("score and treated must be of one length")
    mean = float(one.mean()) if len(one) else float("nan")
    return e, one, mean if share is None else share
