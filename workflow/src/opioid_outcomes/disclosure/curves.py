"""Survival curves as they may leave: every step of a curve stands for enough deaths."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.disclosure.profile import Profile

COUNTS = ("at_risk", "entered", "events", "left")
SHOWN = ("survival", "ci_low", "ci_high")


def thinned(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """The curve at the days by which another ``threshold`` deaths have occurred since the last day shown.

    A curve starts at its first day with enough people at risk and ends, flat, at its last. Between two points shown
    lie at least ``threshold`` deaths, so no step gives a small count back. Counts are rounded, and at risk = entered -
    events - left from the rounded counts. ``deviation``: the largest difference from the full curve, over those days.
    """
    if profile.base == 1:
        return frame.with_columns(suppressed=pl.lit(0, pl.Int8), deviation=pl.lit(0.0))
    curves = frame.sort("exposure", "group", "day").partition_by("exposure", "group", maintain_order=True)
    shown = [_thinned(curve.filter(pl.col("at_risk") >= profile.threshold), profile) for curve in curves]
    return pl.concat(shown) if shown else _thinned(frame, profile)


def _thinned(curve: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    events = curve["events"].to_numpy()
    kept = _every(events, profile.threshold)
    # each day shows the last point kept before it; the last day repeats the last point
    source = np.array(kept, dtype=np.int64)[np.searchsorted(kept, np.arange(len(events)), side="right") - 1]
    survival = curve["survival"].to_numpy()
    deviation = float(np.abs(survival - survival[source]).max()) if len(events) else 0.0
    rows = [*kept, len(events) - 1] if kept and kept[-1] != len(events) - 1 else kept
    points, values = curve[rows], curve[source[rows] if rows else []]
    points = points.with_columns(values["events"], *(values[name].round(4) for name in SHOWN))
    points = points.with_columns(profile.rounded(name) for name in COUNTS[1:])
    at_risk = pl.col("entered") - pl.col("events") - pl.col("left")
    return points.with_columns(
        at_risk=pl.max_horizontal(at_risk, pl.lit(0, pl.Int64)),
        suppressed=pl.lit(0, pl.Int8),
        deviation=pl.lit(round(deviation, 4)),
    )


def _every(events: np.ndarray, threshold: int) -> list[int]:
    """Places of the first day, and of each first day with ``threshold`` deaths more than at the place before."""
    kept: list[int] = [0] if len(events) else []
    while kept:  # one turn per point shown
        place = int(np.searchsorted(events, events[kept[-1]] + threshold))
        if place == len(events):
            break
        kept.append(place)
    return kept
