"""Episodes: active days merged over short gaps. Descriptive only: bridging a gap depends on a later refill."""

from __future__ import annotations

import polars as pl


def build(daily: pl.LazyFrame, gap_days: int = 30) -> pl.LazyFrame:
    """Episodes of use, from the cut daily dose (CONTRACT 7, Episodes).

    ``daily`` as made by ``daily_dose.build`` and ``cut``. Stretches whose gap is at most ``gap_days`` are one episode.
    Returns person_id, episode (1, 2, ...), start, stop (without carry-over), days_active, mean_mme (over active days
    with a known part; null where no day has one), sorted by person and episode. One sort, O(n log n).
    """
    days = (pl.col("stop").to_physical() - pl.col("start").to_physical()).cast(pl.Int64)
    gap = (pl.col("start").to_physical() - pl.col("stop").to_physical().shift()).over("person_id")
    known_days = days.filter(pl.col("mme").is_not_null()).sum()
    return (
        daily.sort("person_id", "start")
        .with_columns(episode=(gap > gap_days).fill_null(True).cast(pl.Int64))
        .with_columns(pl.col("episode").cum_sum().over("person_id"))
        .group_by("person_id", "episode", maintain_order=True)
        .agg(
            start=pl.col("start").first(),
            stop=pl.col("stop").last(),
            days_active=days.sum(),
            mean_mme=pl.when(known_days > 0).then((pl.col("mme") * days).sum() / known_days),
        )
    )
