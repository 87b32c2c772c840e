"""Survival curves as they may leave: every step of a curve stands for enough deaths."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.disclosure.profile import Profile

COUNTS = ("at_risk", "entered", "events", "left")


def thinned(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """The curve at the days on which another ``threshold`` deaths have occurred, until too few are at risk.

    Between two points shown lie at least ``threshold`` deaths, so no step gives a small count back; the curve drawn
    through them as a step function departs from the full one by at most threshold / at risk. Counts are rounded, and
    at risk = entered - events - left from the rounded counts. A curve with fewer deaths keeps its first point only.
    """
    if profile.base == 1:
        return frame.with_columns(suppressed=pl.lit(0, pl.Int8))
    group = ["exposure", "group"]
    frame = frame.sort([*group, "day"])
    first = pl.int_range(pl.len()).over(group) == 0
    block = pl.col("events") // profile.threshold
    new_block = (block != block.shift(1, fill_value=0)).over(group)
    kept = frame.filter((first | new_block) & (pl.col("at_risk") >= profile.threshold))
    rounded = kept.with_columns(profile.rounded(name).alias(name) for name in COUNTS[1:])
    at_risk = pl.col("entered") - pl.col("events") - pl.col("left")
    return rounded.with_columns(
        at_risk=pl.max_horizontal(at_risk, pl.lit(0)),
        survival=pl.col("survival").round(4),
        ci_low=pl.col("ci_low").round(4),
        ci_high=pl.col("ci_high").round(4),
        suppressed=pl.lit(0, pl.Int8),
    )
