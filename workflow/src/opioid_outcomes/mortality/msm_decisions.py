"""The panel's covariates as they were when use changed, where it changed within the 30 days before a period.

A period's covariates are those of the eve of its first day. For somebody who began to use some days before, that eve
lies after the decision: what use had done to them by then would be taken for its cause. So in a period on whose first
day use differs from the period before, they are those of the day of the change; all of them lie before the period's
first day, or on it if use began on that very day, as does the visit at which it was prescribed.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from opioid_outcomes.cohort.covariates import Sources, measure
from opioid_outcomes.cohort.panel import PERIOD_DAYS
from opioid_outcomes.contracts.derived import PANEL


def changes(panel: pl.DataFrame, person_time: pl.DataFrame) -> pl.DataFrame:
    """person_id, period, since, on_opioid: periods with another use than the last; since: its first day after entry.

    Before entry counts what is known of its eve: use under way. Use that began earlier than the period before is left.
    """
    key = ("person_id", "start")
    on = pl.col("on_opioid")
    stretches = (
        person_time.select(*key, "on_opioid", "days_since_start")
        .sort(*key)
        .with_columns((~on.eq_missing(on.shift(1).over("person_id"))).fill_null(True).alias("new"))
        .filter(pl.col("new") | (pl.col("start") == 0))
        .with_columns(
            pl.when((pl.col("start") == 0) & (on == 1)).then(-pl.col("days_since_start"))
            .when(pl.col("start") > 0).then("start").cast(pl.Int64).alias("since")
        )
        .select("person_id", pl.col("start").cast(pl.Int64), "since")
    )  # fmt: skip
    first = (PERIOD_DAYS * pl.col("period")).cast(pl.Int64)
    before = on.shift(1).over("person_id")
    return (
        panel.select("person_id", "period", "on_opioid")
        .sort("person_id", "period")
        .with_columns(first.alias("first"), before.alias("before"))
        .join_asof(
            stretches, left_on="first", right_on="start", by="person_id", strategy="backward", check_sortedness=False
        )
        .filter(pl.when(pl.col("period") == 0).then(pl.col("since") == 0).otherwise(on != pl.col("before")))
        .filter((pl.col("since") > pl.col("first") - PERIOD_DAYS) & (pl.col("since") <= pl.col("first")))
        .select("person_id", "period", "since", "on_opioid")
    )


def at_decisions(
    panel: pl.DataFrame, person_time: pl.DataFrame, cohort: pl.DataFrame, sources: Sources, *,
    time_varying: Sequence[str], lookback: int,
) -> pl.DataFrame:  # fmt: skip
    """PANEL with pain and the time-varying covariates of the day of the change in the periods of ``changes``.

    Pain: the mean of the 30 days that end on the day on which use begins (the visit's own score among them), or on the
    eve of the day from which it has ended. Other covariates: strictly before that day, in the look-back. Sorted by
    person and period. Cost: linear in rows; covariates are measured where use changed only.
    """
    moved = changes(panel, person_time).join(
        cohort.select("person_id", pl.col("entry").cast(pl.Int64)), on="person_id", maintain_order="left"
    ).with_columns((pl.col("entry") + pl.col("since")).cast(pl.Int32).alias("day"))  # fmt: skip
    updated = [name for name in time_varying if name not in PANEL.names and name != "age"]
    decided = moved.select("person_id", "period", "day").with_columns(_pain(moved, sources.pain))
    if updated and moved.height:
        measured = measure(decided.select("person_id", "day"), updated, sources, lookback).frame
        decided = decided.join(measured, on=["person_id", "day"], maintain_order="left")
    names = ["pain", *(name for name in updated if name in decided.columns)]
    key = ["person_id", "period"]
    decided = decided.select(*key, *(pl.col(name).alias(f"{name} then") for name in names), changed=pl.lit(True))
    rows = panel.sort(key).join(decided, on=key, how="left", maintain_order="left")
    return (
        rows.with_columns(
            pl.when("changed").then(f"{name} then").otherwise(name).cast(panel.schema[name]).alias(name)
            for name in names
        )
        .with_columns(
            pl.when("changed").then(pl.col("pain").is_not_null().cast(pl.Int64)).otherwise("pain_observed")
            .alias("pain_observed")
        )
        .select(panel.columns)
    )  # fmt: skip


def _pain(moved: pl.DataFrame, pain: pl.DataFrame) -> pl.Series:
    last = pl.col("day") - pl.when(pl.col("on_opioid") == 1).then(0).otherwise(1)
    numbered = moved.select("person_id", last.alias("last")).with_row_index("order")
    means = (
        numbered.join(pain.select("person_id", "date", "score"), on="person_id")
        .filter((pl.col("date") <= pl.col("last")) & (pl.col("date") > pl.col("last") - PERIOD_DAYS))
        .sort("order", "date", "score")
        .group_by("order", maintain_order=True)
        .agg(pl.col("score").mean().alias("pain"))
    )
    return numbered.join(means, on="order", how="left", maintain_order="left")["pain"].cast(pl.Float64)
