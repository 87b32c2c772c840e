"""What the doses rest on: days with supply from all fills, and without the repaired ones (``repair_sensitivity``)."""

from __future__ import annotations

import numpy as np
import polars as pl

ALL, WITHOUT = "all", "without repaired"
THRESHOLDS = (50, 90)  # MME/day: CDC 2016 and 2022 ask for care from 50 on, CDC 2016 for justification from 90 on
DAYS_PER_YEAR = 365.25
COLUMNS = {
    "fills_used": pl.String, "persons": pl.Int64, "person_years": pl.Float64, "mean_mme": pl.Float64,
    "share_50": pl.Float64, "share_90": pl.Float64, "persons_50": pl.Int64, "persons_90": pl.Int64,
}  # fmt: skip


def repair_sensitivity(every: pl.DataFrame, without: pl.DataFrame, repaired_people: int) -> pl.DataFrame:
    """fills_used, persons, person_years, mean_mme, share_50, share_90 of two daily doses, cut: a row for each.

    ``every``, ``without``: person_id, start, stop, mme, in an order of their own. Days are those with supply; mean
    and shares (at 50 and 90 MME/day or more) are over days of a known dose, null without any. persons_repaired
    (in the row of all fills: persons), persons_50 and persons_90 are the people behind the difference and the shares.
    No rows if nobody has a day with supply. O(n).
    """
    rows = [_summary(ALL, every), _summary(WITHOUT, without)]
    behind = pl.Series("persons_repaired", [rows[0]["persons"], repaired_people], pl.Int64)
    return pl.DataFrame(rows, schema=COLUMNS).with_columns(behind).head(0 if every.is_empty() else 2)


def _summary(fills_used: str, daily: pl.DataFrame) -> dict[str, object]:
    days = daily.select((pl.col("stop") - pl.col("start")).cast(pl.Int64)).to_series().to_numpy()
    mme = daily.get_column("mme").fill_null(np.nan).to_numpy()
    known = ~np.isnan(mme)
    total = int(days[known].sum())
    row: dict[str, object] = {
        "fills_used": fills_used,
        "persons": daily.get_column("person_id").n_unique(),
        "person_years": float(days.sum() / DAYS_PER_YEAR),
        "mean_mme": float((mme[known] * days[known]).sum() / total) if total else None,
    }
    for threshold in THRESHOLDS:
        over = known & (mme >= threshold)
        row[f"share_{threshold}"] = int(days[over].sum()) / total if total else None
        row[f"persons_{threshold}"] = daily.get_column("person_id").filter(pl.Series(over)).n_unique()
    return row
