"""Who can be compared: preference scores, equipoise, extreme scores, trimming, and what the size can show.

Scores must be known, within 0 and 1: ValueError else, as one that is not would count as nowhere extreme.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from opioid_outcomes.survival.products import effective_sample_size
from opioid_outcomes.survival.risk_sets import Floats

__all__ = [
    "effective_sample_size", "equipoise", "minimal_detectable_ratio", "outside", "positivity", "preference", "trim",
]  # fmt: skip
Bools = npt.NDArray[np.bool_]
# preference scores between which either treatment is a real choice (Walker et al. (2013) Comp Eff Res 3:11)
EQUIPOISE = (0.3, 0.7)
# scores beyond which weights by their inverse rest on a few (ANALYSES 4, gates)
EXTREME = (0.01, 0.99)
BANDS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
Trim = Literal["crump", "sturmer", "common_range"]
# Crump et al. (2009) Biometrika 96:187, their rule of thumb; Sturmer et al. (2010) AJE 172:843, fifth centile
BOUND = {"crump": 0.1, "sturmer": 0.05, "common_range": 0.0}


def preference(score: npt.ArrayLike, treated: npt.ArrayLike) -> Floats:
    """Score as it would be if half of all were treated: logit F = logit e - logit P(treated). Walker et al. 2013."""
    e, one = _known(score), np.asarray(treated, dtype=np.float64)
    share = float(one.mean()) if len(one) else 0.5
    favoured = e * (1 - share)
    return np.asarray(favoured / (favoured + (1 - e) * share))


def equipoise(score: npt.ArrayLike, treated: npt.ArrayLike) -> float:
    """Share of everybody whose preference score is within [0.3, 0.7]; NaN of nobody."""
    favoured = preference(score, treated)
    return float(((favoured >= EQUIPOISE[0]) & (favoured <= EQUIPOISE[1])).mean()) if len(favoured) else float("nan")


def outside(score: npt.ArrayLike, low: float = EXTREME[0], high: float = EXTREME[1]) -> float:
    """Share of scores below ``low`` or above ``high``; NaN of nobody."""
    values = _known(score)
    return float(((values < low) | (values > high)).mean()) if len(values) else float("nan")


def minimal_detectable_ratio(events: float, share_treated: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest hazard ratio above 1 that ``events`` would show, exp((z_a/2 + z_b) / sqrt(events p (1 - p))).

    Schoenfeld (1983) Biometrics 39:499. Infinite without events or with one arm only.
    """
    spread = events * share_treated * (1 - share_treated)
    if not spread > 0:
        return float("inf")
    needed = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    return float(np.exp(needed / np.sqrt(spread)))


def trim(score: npt.ArrayLike, treated: npt.ArrayLike, rule: Trim, bound: float | None = None) -> Bools:
    """Rows kept, (n,); the score is to be estimated again in them.

    crump: scores within [bound, 1 - bound]. sturmer: from the ``bound`` quantile of the treated to the 1 - bound
    quantile of the comparators, inside the range the arms share. common_range: the range that both arms reach.
    Nobody is kept where an arm is empty.
    """
    e, one = _known(score), np.asarray(treated).astype(bool)
    if rule not in BOUND:
        raise ValueError("rule must be crump, sturmer or common_range")
    edge = BOUND[rule] if bound is None else bound
    if not 0 <= edge < 0.5:
        raise ValueError("bound must be in [0, 0.5)")
    if rule == "crump":
        return np.asarray((e >= edge) & (e <= 1 - edge))
    if one.all() or not one.any():
        return np.zeros(len(e), dtype=bool)
    low, high = max(e[one].min(), e[~one].min()), min(e[one].max(), e[~one].max())
    if rule == "sturmer":
        low, high = max(low, np.quantile(e[one], edge)), min(high, np.quantile(e[~one], 1 - edge))
    return np.asarray((e >= low) & (e <= high))


def positivity(score: npt.ArrayLike, treated: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> pl.DataFrame:
    """How many of either arm have a score in each band: low, high, comparator, treated (sums of ``weights`` if given).

    A band is [low, high), the last one closed. A band with one arm only is where the other is never seen.
    """
    e, one = _known(score), np.asarray(treated).astype(bool)
    weight = np.ones(len(e)) if weights is None else np.asarray(weights, dtype=np.float64)
    counts = [np.histogram(e[arm], BANDS, weights=weight[arm])[0] for arm in (~one, one)]
    return pl.DataFrame({"low": BANDS[:-1], "high": BANDS[1:], "comparator": counts[0], "treated": counts[1]})


def _known(score: npt.ArrayLike) -> Floats:
    values = np.asarray(score, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("propensity scores must be known, and within 0 and 1")
    return values
