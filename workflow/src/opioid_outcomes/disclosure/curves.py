"""Survival curves as they may leave: computed from rounded cumulative counts."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.disclosure.profile import Profile
from opioid_outcomes.survival.kaplan_meier import log_log_limits

CUMULATIVE = ("entered", "events", "left")
SHOWN = ("survival", "ci_low", "ci_high")
DECIMALS = 4


def rounded(frame: pl.DataFrame, keys: tuple[str, ...], profile: Profile) -> pl.DataFrame:
    """Curves from cumulative entries, deaths and leavings rounded, while enough people are at risk (DISCLOSURE Out 5).

    keys: what names a curve, and last its day.

    A row for each day on which a rounded count changes. At risk = entered - events - left; survival and its limits are
    those of these counts; of a weighted curve they are its own, at the days on which the rounded deaths change, as
    weights hide the counts. A cumulative count is held at 0 until it may be shown: the first step of a curve would else
    give a small one back. ``deviation``: the largest difference from the full curve over the days shown. Cost O(rows).
    """
    if profile.base == 1:
        return frame.with_columns(suppressed=pl.lit(0, pl.Int8), deviation=pl.lit(0.0))
    curves = frame.sort(*keys).partition_by(*keys[:-1], maintain_order=True)
    empty = frame.clear().with_columns(suppressed=pl.lit(0, pl.Int8), deviation=pl.lit(0.0))
    return pl.concat([empty, *(_rounded(curve, profile) for curve in curves)])


def _rounded(curve: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    counts = {name: profile.held(curve[name].to_numpy()) for name in CUMULATIVE}
    at_risk = counts["entered"] - counts["events"] - counts["left"]
    deaths = np.diff(counts["events"], prepend=0)
    if curve["weighted"][0]:
        survival = _held(curve["survival"].to_numpy(), deaths > 0)
        limits = [_held(curve[name].to_numpy(), deaths > 0) for name in SHOWN[1:]]
    else:
        # rows stand at days of deaths: those who have left since the row before left after the deaths, which come first
        before = np.maximum(at_risk + deaths, np.r_[0, at_risk[:-1]])
        survival, *limits = _kaplan_meier(deaths, np.maximum(before, 1))
    shown = at_risk >= profile.threshold
    changes = np.any([np.diff(values, prepend=-1) != 0 for values in counts.values()], axis=0)
    full = curve["survival"].to_numpy()
    deviation = float(np.abs(survival - full)[shown].max()) if shown.any() else 0.0
    told = counts | {"at_risk": at_risk}
    values = dict(zip(SHOWN, (survival, *limits), strict=True))
    return curve.with_columns(
        *(pl.Series(name, count).cast(pl.Int64) for name, count in told.items()),
        *(pl.Series(name, value).round(DECIMALS).fill_nan(None) for name, value in values.items()),
        suppressed=pl.lit(0, pl.Int8),
        deviation=pl.lit(round(deviation, DECIMALS)),
    ).filter(pl.Series(shown & changes))


def _kaplan_meier(deaths: np.ndarray, at_risk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Survival and 95 % limits from deaths and people at risk just before them."""
    hazard = np.minimum(deaths / at_risk, 1.0)
    survival = np.cumprod(1 - hazard)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.cumsum(hazard / (1 - hazard) / at_risk)
    return survival, *log_log_limits(survival, spread)


def _held(values: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """The value of the last day of change, on every day; before the first, that of the first day."""
    last = np.maximum.accumulate(np.where(changes, np.arange(len(values)), 0))
    return values[last]
