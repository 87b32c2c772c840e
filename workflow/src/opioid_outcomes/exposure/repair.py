"""Repair of quantity and days_supply, by named rules; what cannot be repaired stays unknown.

Spec: ANALYSES 2 (Repair ledger), METHODS B4. Missing is never zero and never one.
"""

from __future__ import annotations

import polars as pl


def repair(fills: pl.DataFrame, max_days_supply: float) -> pl.DataFrame:
    """Fills with plausible quantity and days_supply, and ``repair``: the rule that mended days_supply.

    A quantity that is missing or 0 is unknown (null). A days_supply that is missing, 0 or above ``max_days_supply`` is
    replaced by the first of these that lies within 1 and ``max_days_supply``:
    person_units: quantity / the person's median units per day of the product; product_units: the same of everybody;
    person_days, product_days: median days_supply of the person's, of everybody's fills of the product;
    else it is null: the fill has no interval. Medians are over fills as recorded. Needs person_id, product. O(n log n).
    """
    frame = fills.with_columns(
        quantity=pl.when(pl.col("quantity") > 0).then("quantity"),
        days_supply=pl.when(pl.col("days_supply").is_between(0, max_days_supply, closed="right")).then("days_supply"),
    )
    if frame.get_column("days_supply").null_count() == 0:
        return frame.with_columns(repair=pl.lit(None, pl.String))
    units = (pl.col("quantity") / pl.col("days_supply")).median()
    candidates = {
        "person_units": pl.col("quantity") / units.over("person_id", "product"),
        "product_units": pl.col("quantity") / units.over("product"),
        "person_days": pl.col("days_supply").median().over("person_id", "product"),
        "product_days": pl.col("days_supply").median().over("product"),
    }
    plausible = {rule: pl.when(value.is_between(1, max_days_supply)).then(value) for rule, value in candidates.items()}
    missing = pl.col("days_supply").is_null()
    chosen = pl.coalesce(pl.when(value.is_not_null()).then(pl.lit(rule)) for rule, value in plausible.items())
    return frame.with_columns(
        days_supply=pl.coalesce("days_supply", *plausible.values()),
        repair=pl.when(missing).then(chosen),
    )
