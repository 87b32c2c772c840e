"""Monthly dose: each person's mean MME/day in each 30 days since entry.

Spec: ANALYSES 2 (Trajectories). From person-time, so that dose is the one that the analyses use: during carry-over the
last dose is held, and treatment of opioid use disorder is not dose.
"""

from __future__ import annotations

import numpy as np
import polars as pl

MONTH_DAYS = 30


def monthly_dose(person_time: pl.DataFrame) -> pl.DataFrame:
    """person_id, month (0, 1, ...: days [30 m, 30 m + 30) since entry), days_on, mme; only months with days on.

    ``person_time``: person_id, start, stop (days since entry), on_opioid, mme (MME/day; null = on, dose unknown). mme
    is the mean over the month's days on at a known dose, null where there is none: unknown is not zero. Sorted by
    person and month. Cost: one row per stretch on and month it touches.
    """
    on = person_time.filter(pl.col("on_opioid") == 1).sort("person_id", "start")
    first, last = on["start"].to_numpy() // MONTH_DAYS, (on["stop"].to_numpy() - 1) // MONTH_DAYS
    months = last - first + 1
    within = np.arange(months.sum()) - np.repeat(np.cumsum(months) - months, months)
    rows = on[np.repeat(np.arange(on.height), months)]
    month = pl.Series("month", np.repeat(first, months) + within, dtype=pl.Int64)
    days = pl.min_horizontal("stop", (pl.col("month") + 1) * MONTH_DAYS) - pl.max_horizontal(
        "start", pl.col("month") * MONTH_DAYS
    )
    known = pl.col("days").filter(pl.col("mme").is_not_null()).sum()
    return (
        rows.with_columns(month)
        .with_columns(days=days)
        .group_by("person_id", "month", maintain_order=True)
        .agg(
            days_on=pl.col("days").sum(),
            mme=pl.when(known > 0).then((pl.col("mme") * pl.col("days")).sum() / known),
        )
    )


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
