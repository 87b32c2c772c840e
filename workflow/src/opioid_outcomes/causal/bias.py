"""How much an unmeasured confounder, a misread outcome or an unknown cause could do to a result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Kind = Literal["rr", "hr", "or"]
COMMON = 0.15  # share with the outcome from which an HR or OR is no longer a risk ratio (VanderWeele & Ding 2017)


@dataclass(frozen=True)
class EValue:
    """The risk ratio that a confounder would need with exposure and with outcome, both, to explain the result away.

    ``point`` for the estimate, ``limit`` for the confidence limit nearest to no effect: 1 where the interval holds it,
    None where no interval is given.
    """

    point: float
    limit: float | None = None


def as_risk_ratio(ratio: npt.ArrayLike, kind: Kind, *, common: bool) -> Floats:
    """The risk ratio that a hazard or odds ratio stands for: itself where the outcome is rare, else approximately.

    Common outcome: (1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR)), and sqrt(OR) (VanderWeele 2017 Epidemiology 28:e58).
    """
    values = np.asarray(ratio, dtype=float)
    if kind == "rr" or not common:
        return values
    root = np.sqrt(values)
    return root if kind == "or" else np.asarray(np.expm1(-math.log(2) * root) / np.expm1(-math.log(2) / root))


def e_value(
    ratio: float, ci_low: float | None = None, ci_high: float | None = None, *, kind: Kind = "rr", common: bool = False
) -> EValue:
    """E-value of a ratio > 0 and of its confidence limit nearest to 1 (VanderWeele & Ding 2017 Ann Intern Med 167:268).

    RR + sqrt(RR (RR - 1)); a protective ratio is turned over. ``common``: the outcome happens to more than 15 %.
    ValueError where the ratio or a limit is not a positive number, or the limits do not hold the ratio.
    """
    given = [value for value in (ratio, ci_low, ci_high) if value is not None]
    if any(not math.isfinite(value) or value <= 0 for value in given):
        raise ValueError("an E-value needs ratios above 0")
    if (ci_low is not None and ci_low > ratio) or (ci_high is not None and ci_high < ratio):
        raise ValueError("the limits do not hold the ratio")
    point = _of(float(as_risk_ratio(ratio, kind, common=common)))
    nearest = ci_low if ratio > 1 else ci_high
    if nearest is None:
        return EValue(point)
    beyond = nearest > 1 if ratio > 1 else nearest < 1
    return EValue(point, _of(float(as_risk_ratio(nearest, kind, common=common))) if beyond else 1.0)


def _of(risk_ratio: float) -> float:
    away = risk_ratio if risk_ratio >= 1 else 1 / risk_ratio
    return away + math.sqrt(away) * math.sqrt(away - 1)  # of a product the largest ratios would be infinite


def bounding_factor(exposure: npt.ArrayLike, outcome: npt.ArrayLike) -> Floats:
    """The most by which a confounder can distort a risk ratio: RR_EU RR_UD / (RR_EU + RR_UD - 1), broadcast.

    exposure: risk ratio of exposure and confounder; outcome: of confounder and outcome; both >= 1. The E-value is
    where both are equal and the factor is the risk ratio (Ding & VanderWeele 2016 Epidemiology 27:368). ValueError
    where one is not: turn protective ones over.
    """
    first, second = np.asarray(exposure, dtype=float), np.asarray(outcome, dtype=float)
    if not ((first >= 1).all() and (second >= 1).all()):
        raise ValueError("risk ratios of a confounder must be at least 1")
    return np.asarray(first * second / (first + second - 1))


def confounder_array(
    risk_ratio: float, exposed: npt.ArrayLike, unexposed: npt.ArrayLike, effect: npt.ArrayLike
) -> Floats:
    """Risk ratio once a binary confounder is taken out: RR (p0 (g - 1) + 1) / (p1 (g - 1) + 1), broadcast.

    exposed, unexposed: how common it is among them, p1 and p0; effect: its risk ratio with the outcome, g
    (Schneeweiss 2006 Pharmacoepidemiol Drug Saf 15:291).
    """
    p1, p0, g = (np.asarray(value, dtype=float) for value in (exposed, unexposed, effect))
    return np.asarray(risk_ratio * (p0 * (g - 1) + 1) / (p1 * (g - 1) + 1))


def misclassified(
    observed: npt.ArrayLike, total: npt.ArrayLike, *, sensitivity: npt.ArrayLike, specificity: npt.ArrayLike
) -> Floats:
    """Events of a kind behind those recorded as it: (observed - (1 - Sp) total) / (Se + Sp - 1), broadcast, per arm.

    observed: recorded as of the kind; total: all that could be (deaths of any cause). NaN where the recording says
    nothing (Se + Sp <= 1) or the answer is no number of events (below 0, above total): such a sensitivity and
    specificity cannot have given the data (Lash, Fox & Fink 2009, chapter 6).
    """
    recorded, everybody = np.asarray(observed, dtype=float), np.asarray(total, dtype=float)
    se, sp = np.asarray(sensitivity, dtype=float), np.asarray(specificity, dtype=float)
    informative = se + sp > 1
    true = (recorded - (1 - sp) * everybody) / np.where(informative, se + sp - 1, np.nan)
    return np.asarray(np.where((true >= 0) & (true <= everybody), true, np.nan))


@dataclass(frozen=True)
class Bounds:
    """What a number can be at the least and at the most, whatever the unknown turn out to be."""

    low: float
    high: float


def difference_bounds(known: tuple[float, float], unknown: tuple[float, float]) -> Bounds:
    """Bounds of the difference in the risk of a cause, treated less comparator, when some causes are unknown.

    known: risk of the cause in (treated, comparator); unknown: risk of dying of an unknown cause. At the least none of
    the treated and all of the comparators died of it.
    """
    difference = known[0] - known[1]
    return Bounds(difference - unknown[1], difference + unknown[0])


def share_bounds(known: tuple[float, float], unknown: tuple[float, float], any_cause: float) -> Bounds:
    """Bounds of a cause's share in the difference of all causes (treated less comparator), which is not 0.

    ValueError where it is 0: there is nothing to share.
    """
    if any_cause == 0:
        raise ValueError("no difference in all causes to share")
    bounds = difference_bounds(known, unknown)
    low, high = sorted((bounds.low / any_cause, bounds.high / any_cause))
    return Bounds(low, high)
