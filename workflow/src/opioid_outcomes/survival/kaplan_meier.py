"""Kaplan-Meier survival by a group that may change: people enter a group and leave it as their exposure changes.

Simon & Makuch (1984) Stat Med 3:35: time before a change counts for the group one was in, so there is no immortal time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from opioid_outcomes.survival import incidence, normal
from opioid_outcomes.survival.risk_sets import Floats


def survival_by_group(rows: pl.DataFrame, *, days: Sequence[int] = (), fewest: int = 1) -> pl.DataFrame:
    """Survival at each event time (and at 0 and ``days``, as far as anybody is followed), per value of ``group``.

    rows: columns person, group (never null), start, stop, event (0/1 at stop) and weight, in any order. Returns group,
    day, at_risk, entered, events, left, survival, ci_low, ci_high, variance. Counts are of people, unweighted and
    cumulative up to the end of the day: entered (a stay in the group begins), events, left (a stay ends otherwise);
    at_risk = entered - events - left. Survival is weighted; variance after Greenwood, where weighted with the effective
    number at risk (sum w)^2 / sum w^2 (Xie & Liu 2005 Stat Med 24:3089); limits on the log-log scale.
    A group's curve begins, at 1, when ``fewest`` people are first at risk in it (if ever): where people enter a group
    over time, a death among the first few would else pull down the curve of all who follow. Cost: one sort of the rows.
    """
    parts = [
        _curve(stays, days, fewest).with_columns(pl.lit(name).alias("group"))
        for (name,), stays in _stays(rows).group_by("group", maintain_order=True)
    ]
    columns = ["group", "day", "at_risk", "entered", "events", "left", "survival", "ci_low", "ci_high", "variance"]
    return pl.concat(parts).select(columns) if parts else pl.DataFrame(schema=dict.fromkeys(columns, pl.Float64))


def _stays(rows: pl.DataFrame) -> pl.DataFrame:
    """Unbroken stretches of one person in one group at one weight, sorted by group."""
    rows = rows.sort("person", "start")
    unbroken = pl.col("start") == pl.col("stop").shift()
    for name in ("person", "group", "weight"):
        unbroken &= pl.col(name) == pl.col(name).shift()
    return (
        rows.with_columns((~unbroken.fill_null(False)).cum_sum().alias("stay"))
        .group_by("stay", maintain_order=True)
        .agg(pl.col("group", "start", "weight").first(), pl.col("stop", "event").last())
        .sort("group", "stay")
    )


def _curve(stays: pl.DataFrame, days: Sequence[int], fewest: int) -> pl.DataFrame:
    weight = stays["weight"].to_numpy().astype(float)
    rows = incidence.rows_of(stays["start"], stays["stop"], stays["event"], causes=1)
    found = incidence.weighted(rows, weight)
    squares = incidence.at_risk_of(rows, weight**2)
    # deaths without weight, of nobody at risk, are none
    followed = np.where(found.at_risk > 0, found.at_risk, 1.0)
    hazard = found.events[:, 0] / followed
    enough = incidence.at_risk_of(rows, np.ones(len(weight))) >= fewest
    if enough.any():  # else from the beginning
        hazard[: np.argmax(enough)] = 0.0
    survival = np.cumprod(1 - hazard)
    with np.errstate(divide="ignore", invalid="ignore"):
        cumulative = np.cumsum(hazard / (1 - hazard) * squares / followed**2)
    steps = pl.DataFrame({"day": found.time, "survival": survival, "cumulative": cumulative})
    return _display(stays, steps, days)


def _display(stays: pl.DataFrame, steps: pl.DataFrame, days: Sequence[int]) -> pl.DataFrame:
    """The steps and the days asked for, with limits, and counts up to the end of each day."""
    times, last = steps["day"].to_numpy(), float(stays["stop"].to_numpy().max())
    at = np.union1d(times, [float(day) for day in (0, *days) if day <= last])
    step = np.searchsorted(times, at, side="right")
    survival = np.r_[1.0, steps["survival"].to_numpy()][step]
    spread = np.r_[0.0, steps["cumulative"].to_numpy()][step]
    low, high = log_log_limits(survival, spread)
    died = pl.col("event") == 1
    counts = {
        name: np.searchsorted(np.sort(moments.to_numpy()), at, side="right")
        for name, moments in {
            "entered": stays["start"], "events": stays.filter(died)["stop"], "left": stays.filter(~died)["stop"]
        }.items()
    }  # fmt: skip
    frame = pl.DataFrame({"day": at, **counts, "survival": survival, "ci_low": low, "ci_high": high})
    variance = survival**2 * np.where(survival > 0, spread, np.nan)
    at_risk = pl.col("entered") - pl.col("events") - pl.col("left")
    return frame.with_columns(at_risk.alias("at_risk"), pl.Series("variance", variance)).fill_nan(None)


def log_log_limits(survival: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """95 % limits of survival on the scale log(-log S); at 1 they are 1, and where survival has reached 0 unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        half = normal.Z * np.sqrt(spread) / np.abs(np.log(survival))
        low, high = survival ** np.exp(half), survival ** np.exp(-half)
    whole, gone = survival == 1, survival <= 0
    return np.where(gone, np.nan, np.where(whole, 1.0, low)), np.where(gone, np.nan, np.where(whole, 1.0, high))
