"""Repair of quantity and days_supply, by named rules; what cannot be repaired stays unknown.

Spec: ANALYSES 2 (Repair ledger), METHODS B4. Missing is never zero and never one.
"""

from __future__ import annotations

import polars as pl

PERSON, PRODUCT = ["person_id", "product"], ["product"]  # whose other fills a repair learns from


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
    missing = pl.col("days_supply").is_null()
    broken = frame.with_row_index("row").filter(missing)
    for keys in PERSON, PRODUCT:
        broken = broken.join(_usual(frame.filter(~missing), broken, keys), on=keys, how="left")
    candidates = {
        "person_units": pl.col("quantity") / pl.col("units_of_person"),
        "product_units": pl.col("quantity") / pl.col("units_of_product"),
        "person_days": pl.col("days_of_person"),
        "product_days": pl.col("days_of_product"),
    }
    plausible = {rule: pl.when(value.is_between(1, max_days_supply)).then(value) for rule, value in candidates.items()}
    mended = broken.select(
        "row",
        repair=pl.coalesce(pl.when(value.is_not_null()).then(pl.lit(rule)) for rule, value in plausible.items()),
        mended=pl.coalesce(plausible.values()),
    )
    return (
        frame.with_row_index("row")
        .join(mended, on="row", how="left", maintain_order="left")
        .with_columns(pl.coalesce("days_supply", "mended"))
        .drop("row", "mended")
    )


def _usual(recorded: pl.DataFrame, broken: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Median units per day and days_supply of the fills of these keys."""
    of = "person" if keys == PERSON else "product"
    units = pl.col("quantity") / pl.col("days_supply")
    return (
        recorded.join(broken.select(keys).unique(), on=keys, how="semi")
        .group_by(keys)
        .agg(units.median().alias(f"units_of_{of}"), pl.col("days_supply").median().alias(f"days_of_{of}"))
    )
