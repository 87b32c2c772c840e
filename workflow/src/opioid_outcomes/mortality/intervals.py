"""Thirty-day intervals since an index date, with what was known at the beginning of each: for weights over time."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from opioid_outcomes.cohort.covariates import Sources, measure

INTERVAL_DAYS = 30
LAST_PAIN = "last_pain"
DOSE, DOSE_UNKNOWN = "dose", "dose_unknown"


def intervals(
    rows: pl.DataFrame, time_varying: Sequence[str], sources: Sources, status: pl.DataFrame, *, lookback: int
) -> pl.DataFrame:
    """One row per index date and 30-day interval begun before its end; sorted by row and interval.

    rows: row (a number, unique), person_id, index (day) and until (days from index to the end of what is looked at,
    1 or more). Returns row, person_id, interval k, start = 30 k and stop = min(30 k + 30, until) in days since index,
    and what is known at the beginning of day index + 30 k: ``last_pain`` (the last score in ``lookback`` days), the
    ``time_varying`` covariates, and the dose held on its eve, in the first interval on the index date itself (``dose``:
    0 off opioids and where it is not known, of which ``dose_unknown`` is 1): that of the day would tell who leaves on
    it. ``age`` is left out: it advances with the interval. Cost: as-of joins of rows x intervals, which is what fills
    the memory: 100 to 200 bytes each.
    """
    updated = [name for name in dict.fromkeys(time_varying) if name not in ("age", "pain", "mme")]
    cut = (
        rows.select("row", "person_id", "index", "until")
        .with_columns(interval=pl.int_ranges(0, -(-pl.col("until") // INTERVAL_DAYS), dtype=pl.Int64))
        .explode("interval")
        .with_columns(start=INTERVAL_DAYS * pl.col("interval"))
        .with_columns(
            stop=pl.min_horizontal(pl.col("start") + INTERVAL_DAYS, "until"),
            day=(pl.col("index") + pl.col("start")).cast(pl.Int32),
        )
        .sort("person_id", "day", "row")
    )
    anchors = cut.select("person_id", "day").unique(maintain_order=True)
    known = measure(anchors, ["pain", *updated], sources, lookback).frame.rename({"pain": LAST_PAIN})
    columns = [name for name in known.columns if name not in ("person_id", "day")]
    cut = cut.join(known, on=["person_id", "day"], how="left", maintain_order="left").with_columns(
        (pl.col("day") - (pl.col("interval") > 0)).cast(pl.Int32).alias("day")
    )
    return (
        _with_dose(cut.sort("person_id", "day", "row"), status)
        .sort("row", "interval")
        .select("row", "person_id", "interval", "start", "stop", *columns, DOSE, DOSE_UNKNOWN)
    )


def _with_dose(known: pl.DataFrame, status: pl.DataFrame) -> pl.DataFrame:
    """Adds the dose held on each ``day``, as the fills up to that day tell it."""
    on = status.filter(pl.col("state").cast(pl.String) == "on").select("person_id", since="start", to="stop", mme="mme")
    held = known.join_asof(
        on.sort("person_id", "since"), left_on="day", right_on="since", by="person_id", strategy="backward",
        check_sortedness=False,
    )  # fmt: skip
    using = (pl.col("to") > pl.col("day")).fill_null(False)
    return held.with_columns(
        pl.when(using).then(pl.col("mme").fill_null(0.0)).otherwise(0.0).alias(DOSE),
        (using & pl.col("mme").is_null()).cast(pl.Float64).alias(DOSE_UNKNOWN),
    )
