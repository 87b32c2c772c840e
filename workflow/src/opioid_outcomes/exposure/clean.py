"""Dispensings to clean fills of opioids: product, why kept apart, repair, MME/day."""

from __future__ import annotations

from typing import Literal

import polars as pl

from opioid_outcomes.contracts.derived import DISPENSINGS_CLEAN
from opioid_outcomes.exposure import mme, products, repair, set_apart


def clean(
    resolved: pl.DataFrame,
    factors: pl.DataFrame,
    *,
    max_days_supply: float,
    sublingual_without_indication: Literal["opioid_use_disorder", "pain"] = "opioid_use_disorder",
) -> pl.DataFrame:
    """DISPENSINGS_CLEAN: one row a fill of an opioid, from what ``products.resolve`` returns.

    quantity and days_supply are as repaired (null = unknown). Fills kept apart are not repaired, but for treatment of
    opioid use disorder, whose supply is a state of its own. Sorted by person and date.
    """
    opioids = resolved.filter("opioid").with_columns(products.product_key())
    fills = set_apart.classify(opioids, sublingual_without_indication)
    supplied = (pl.col("analgesic") == 1) | (pl.col("reason") == set_apart.OUD)
    fills = pl.concat(
        [
            repair.repair(fills.filter(supplied), max_days_supply),
            fills.filter(~supplied).with_columns(repair=pl.lit(None, pl.String)),
        ]
    )
    dosed = mme.attach(fills.lazy(), factors).collect()
    return dosed.select(DISPENSINGS_CLEAN.names).sort(
        "person_id", "date", "product", "quantity", "days_supply", maintain_order=True
    )


def analgesic_fills(fills: pl.DataFrame) -> pl.DataFrame:
    """What ``daily_dose.build`` needs of the fills that are analgesic exposure."""
    return _as_fills(fills.filter(pl.col("analgesic") == 1))


def treatment_fills(fills: pl.DataFrame) -> pl.DataFrame:
    """The same of treatment for opioid use disorder, whose supply is never left over for analgesia of one product."""
    treatment = _as_fills(fills.filter(pl.col("reason") == set_apart.OUD))
    return treatment.with_columns(pl.col("product") + f"|{set_apart.OUD}")


def _as_fills(fills: pl.DataFrame) -> pl.DataFrame:
    return fills.select(
        "person_id",
        pl.col("date").alias("start"),
        "days_supply",
        "mme_per_day",
        "product",
        units_per_day=pl.col("quantity") / pl.col("days_supply"),
        repaired=pl.col("repair").is_not_null().cast(pl.Int64),
        is_buprenorphine=(pl.col("ingredient") == "buprenorphine").cast(pl.Int64),
    )
