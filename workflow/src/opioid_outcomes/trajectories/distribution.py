"""Dose in the cohort: person-time by dose band, and the course of dose since entry."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.trajectories.monthly import MONTH_DAYS, followed, monthly_dose
from opioid_outcomes.units import DAYS_PER_YEAR


def dose_distribution(person_time: pl.DataFrame) -> pl.DataFrame:
    """Display ``dose_distribution``: person-time on opioids by dose band.

    dose_band, persons (ever in the band), person_years, share_of_time (of all person-time on), bands as
    ``person_time`` names them, lowest dose first, ``unknown`` last. O(n).
    """
    on = person_time.filter(pl.col("on_opioid") == 1)
    days = on.select(pl.col("stop") - pl.col("start")).to_series().sum()
    return (
        on.group_by("dose_band")
        .agg(
            persons=pl.col("person_id").n_unique().cast(pl.Int64),
            days=(pl.col("stop") - pl.col("start")).sum(),
            lowest=pl.col("mme").min(),
        )
        .sort("lowest", "dose_band", nulls_last=True)
        .select(
            "dose_band",
            "persons",
            person_years=pl.col("days") / DAYS_PER_YEAR,
            share_of_time=pl.col("days") / days,
        )
    )


def dose_trajectory(person_time: pl.DataFrame) -> pl.DataFrame:
    """Display ``dose_trajectory``: monthly mean MME/day among people on opioids, by month since entry.

    month, persons (followed in the month), persons_on (on for at least a day of it), persons_with_dose (of these, at a
    known dose), share_on, then quartiles and mean of the latter's monthly means. Quantiles interpolate linearly.
    """
    of_month = (
        monthly_dose(person_time)
        .sort("month", "mme", "person_id")  # a fixed order of adding makes the mean the same on every machine
        .group_by("month", maintain_order=True)
        .agg(
            persons_on=pl.len().cast(pl.Int64),
            persons_with_dose=pl.col("mme").count().cast(pl.Int64),
            p25=pl.col("mme").quantile(0.25, "linear"),
            median=pl.col("mme").quantile(0.5, "linear"),
            p75=pl.col("mme").quantile(0.75, "linear"),
            mean=pl.col("mme").mean(),
        )
    )
    return (
        followed(person_time)
        .join(of_month, on="month", how="left", maintain_order="left")
        .with_columns(pl.col("persons_on", "persons_with_dose").fill_null(0))
        .select(
            "month",
            "persons",
            "persons_on",
            "persons_with_dose",
            share_on=pl.col("persons_on") / pl.col("persons"),
            p25="p25",
            median="median",
            p75="p75",
            mean="mean",
        )
    )


def dose_bands(person_time: pl.DataFrame) -> pl.DataFrame:
    """Display ``dose_bands``: month, band, persons, share (of those followed) on the first day of each month.

    Month m begins on day 30 m since entry; whoever is followed on that day counts once. band: off; treatment (of opioid
    use disorder); the bands of dose as ``person_time`` names them, lowest first; unknown (dose or state). Bands without
    anybody in a month have no row. O(rows x months touched).
    """
    band = (
        pl.when(pl.col("use_state") == "treatment")
        .then(pl.lit("treatment"))
        .when(pl.col("dose_band") == "none")
        .then(pl.lit("off"))
        .otherwise("dose_band")
    )
    others = ["off", "treatment", "unknown"]
    rank = pl.col("band").replace_strict({"off": 0, "treatment": 1, "unknown": 3}, default=2)
    first, last = -(-pl.col("start") // MONTH_DAYS), -(-pl.col("stop") // MONTH_DAYS)  # days in [start, stop)
    return (
        person_time.select("start", "stop", "mme", band=band)
        .with_columns(lowest=pl.when(~pl.col("band").is_in(others)).then("mme").min().over("band"))
        .with_columns(month=pl.int_ranges(first, last, dtype=pl.Int64))
        .explode("month", empty_as_null=False)
        .group_by("month", "band", "lowest")
        .agg(persons=pl.len().cast(pl.Int64))
        .sort("month", rank, "lowest", "band")
        .select("month", "band", "persons", share=pl.col("persons") / pl.col("persons").sum().over("month"))
    )
