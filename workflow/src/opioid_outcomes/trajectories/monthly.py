"""Monthly dose: each person's mean MME/day in each 30 days since entry.

Spec: ANALYSES 2 (Trajectories). From person-time, so that dose is the one that the analyses use: during carry-over the
last dose is held, and treatment of opioid use disorder is not dose.
"""

from __future__ import annotations

import numpy as np
import polars as pl

MONTH_DAYS = 30
# Days of a month by which it counts: half of it
MIN_DAYS = 15


def monthly_dose(person_time: pl.DataFrame) -> pl.DataFrame:
    """person_id, month (0, 1, ...: days [30 m, 30 m + 30) since entry), days_on, days_known, mme; only months on.

    ``person_time``: person_id, start, stop (days since entry), on_opioid, mme (MME/day; null = on, dose unknown). mme
    is the mean over the month's days on at a known dose (days_known), null where there is none: unknown is not zero.
    Sorted by person and month. Cost: one row per stretch on and month it touches.
    """
    days = _by_month(person_time.filter(pl.col("on_opioid") == 1))
    known = pl.col("days").filter(pl.col("mme").is_not_null()).sum()
    return days.group_by("person_id", "month", maintain_order=True).agg(
        days_on=pl.col("days").sum(),
        days_known=known,
        mme=pl.when(known > 0).then((pl.col("mme") * pl.col("days")).sum() / known),
    )


def monthly_mean(person_time: pl.DataFrame, months: int, min_days: int = MIN_DAYS) -> pl.DataFrame:
    """person_id, month (0 .. months - 1), days, days_on, mme: every month followed for at least a day.

    mme is the mean MME/day over all followed days of the month, days off counting 0. It is null, never 0, if any of
    them is a day of unknown dose, unknown state or treatment of opioid use disorder, and if fewer than ``min_days`` of
    the month are followed. Sorted by person and month. Cost: one row per stretch and month it touches.
    """
    days = _by_month(person_time.filter(pl.col("start") < months * MONTH_DAYS), months)
    dose = pl.when(pl.col("on_opioid") == 1).then("mme").when(pl.col("on_opioid") == 0).then(0.0)
    enough = pl.col("days").sum() >= min_days
    return (
        days.with_columns(dose=dose)
        .group_by("person_id", "month", maintain_order=True)
        .agg(
            pl.col("days").sum(),
            days_on=pl.col("days").filter(pl.col("on_opioid") == 1).sum(),
            mme=pl.when(enough & pl.col("dose").is_not_null().all()).then(
                (pl.col("dose") * pl.col("days")).sum() / pl.col("days").sum()
            ),
        )
    )


def _by_month(stretches: pl.DataFrame, months: int | None = None) -> pl.DataFrame:
    """Stretches cut at the months they touch (up to ``months``): person_id, month, days, on_opioid, mme."""
    stretches = stretches.select("person_id", "start", "stop", "on_opioid", "mme").sort("person_id", "start")
    if months is not None:
        stretches = stretches.with_columns(pl.min_horizontal("stop", pl.lit(months * MONTH_DAYS)).alias("stop"))
    first, last = stretches["start"].to_numpy() // MONTH_DAYS, (stretches["stop"].to_numpy() - 1) // MONTH_DAYS
    touched = last - first + 1
    within = np.arange(touched.sum()) - np.repeat(np.cumsum(touched) - touched, touched)
    rows = stretches[np.repeat(np.arange(stretches.height), touched)]
    month = pl.Series("month", np.repeat(first, touched) + within, dtype=pl.Int64)
    begin, end = pl.col("month") * MONTH_DAYS, (pl.col("month") + 1) * MONTH_DAYS
    days = pl.min_horizontal("stop", end) - pl.max_horizontal("start", begin)
    return rows.with_columns(month).select("person_id", "month", "on_opioid", "mme", days=days)


def followed(person_time: pl.DataFrame) -> pl.DataFrame:
    """month, persons: how many people are followed for at least a day of each month."""
    last_month = (
        person_time.group_by("person_id")
        .agg(month=(pl.col("stop").max() - 1) // MONTH_DAYS)
        .get_column("month")
        .to_numpy()
    )
    leaving = np.bincount(last_month) if len(last_month) else np.zeros(0, dtype=np.int64)
    persons = np.cumsum(leaving[::-1])[::-1]
    return pl.DataFrame({"month": np.arange(len(persons), dtype=np.int64), "persons": persons.astype(np.int64)})
