"""The monthly panel: 30-day periods of follow-up, looking back only (ANALYSES 3 "Panel")."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.cohort import covariates as cov
from opioid_outcomes.contracts.derived import PANEL
from opioid_outcomes.units import DAYS_PER_YEAR

PERIOD_DAYS = 30


def build(
    person_time: pl.DataFrame,
    cohort: pl.DataFrame,
    pain: pl.DataFrame,
    *,
    baseline: list[str],
    time_varying: list[str],
    sources: cov.Sources,
    lookback: int,
) -> pl.DataFrame:
    """PANEL: one row per person and period k, days [30k, 30k + 30) since entry, as long as the first day is followed.

    Use and dose are those on the period's first day, pain the mean of the 30 days strictly before it; nothing later
    in the period says anything of exposure. Time-varying covariates are what was on record strictly before the first
    day, within the look-back; a baseline covariate of the same name becomes ``<name>_at_entry``.
    """
    updated = [name for name in time_varying if name not in PANEL.names]
    clash = {*updated, *PANEL.names}
    at_entry = {name: f"{name}_at_entry" if name in clash else name for name in baseline}
    first = -(-pl.col("start") // PERIOD_DAYS)  # ceiling: the first period that begins in the stretch
    beyond = -(-pl.col("stop") // PERIOD_DAYS)
    dies = pl.col("person_id").is_in(cohort.filter(pl.col("death") == 1)["person_id"].implode())
    rows = (
        person_time.select("person_id", "start", "stop", "mme", "on_opioid")
        .with_columns(pl.int_ranges(first, beyond, dtype=pl.Int64).alias("period"))
        .filter(pl.col("period").list.len() > 0)
        .explode("period")
        .drop("start", "stop")
        .sort("person_id", "period")
        .join(
            cohort.select("person_id", "entry", *(pl.col(name).alias(new) for name, new in at_entry.items())),
            on="person_id",
            maintain_order="left",
        )
        .with_columns((pl.col("entry") + PERIOD_DAYS * pl.col("period")).cast(pl.Int32).alias("day"))
        .with_columns(
            (dies & (pl.col("period") == pl.col("period").max().over("person_id"))).cast(pl.Int64).alias("death")
        )
        .join(_pain_by_period(pain, cohort), on=["person_id", "period"], how="left", maintain_order="left")
        .with_columns(pl.col("pain").is_not_null().cast(pl.Int64).alias("pain_observed"))
    )
    if updated:
        values = cov.measure(rows, updated, sources, lookback).frame
        rows = rows.with_columns(*values.select(updated).get_columns())
    if "age" in updated:
        rows = rows.with_columns(pl.col("age") + PERIOD_DAYS * pl.col("period") / DAYS_PER_YEAR)
    return rows.select(*PANEL.names, *at_entry.values(), *updated)


def _pain_by_period(pain: pl.DataFrame, cohort: pl.DataFrame) -> pl.DataFrame:
    """Mean score by the period whose 30 preceding days hold it."""
    return (
        pain.join(cohort.select("person_id", "entry"), on="person_id")
        .with_columns(((pl.col("date") - pl.col("entry")) // PERIOD_DAYS + 1).cast(pl.Int64).alias("period"))
        .sort("person_id", "period", "date", "score")
        .group_by("person_id", "period", maintain_order=True)
        .agg(pl.col("score").mean().alias("pain"))
    )
