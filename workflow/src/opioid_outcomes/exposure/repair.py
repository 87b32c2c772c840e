"""Repair of quantity and days_supply, by named rules; what cannot be repaired stays unknown.

Spec: ANALYSES 2 (Repair ledger; On depends on fills up to the day only), METHODS B4. Missing is never zero or one.
"""

from __future__ import annotations

import numpy as np
import polars as pl

LATEST_FILLS = 3  # of a person: enough to outvote a slip, few enough to follow a change of dose
ENOUGH_PEOPLE = 10  # other people whose fills tell what is usual of a product


def repair(fills: pl.DataFrame, max_days_supply: float) -> pl.DataFrame:
    """Fills with plausible quantity and days_supply, and ``repair``: the rule that mended days_supply.

    A quantity that is missing or 0 is unknown (null). A days_supply that is missing, 0 or above ``max_days_supply`` is
    replaced by the first of these that lies within 1 and ``max_days_supply``:
    person_units: quantity / the median units per day of the person's latest fills of the product up to that day;
    product_units: quantity / the median over other people, at least ``ENOUGH_PEOPLE``, of their median units per day;
    person_days, product_days: the same medians of days_supply;
    else it is null: the fill has no interval. So no repair depends on a later fill of the same person. Medians are over
    fills as recorded. Needs person_id, product, date. O(n log n).
    """
    frame = fills.with_columns(
        quantity=pl.when(pl.col("quantity") > 0).then("quantity"),
        days_supply=pl.when(pl.col("days_supply").is_between(0, max_days_supply, closed="right")).then("days_supply"),
    ).with_row_index("row")
    missing = pl.col("days_supply").is_null()
    broken = frame.filter(missing)
    recorded = (
        frame.filter(~missing)
        .join(broken.select("product").unique(), on="product", how="semi")
        .select("person_id", "product", "date", units=pl.col("quantity") / pl.col("days_supply"), days="days_supply")
    )
    for measure in ("units", "days"):
        known = recorded.drop_nulls(measure)
        broken = _usual_of_person(broken, known, measure)
        broken = _usual_of_others(broken, known, measure)
    candidates = {
        "person_units": pl.col("quantity") / pl.col("person_units"),
        "product_units": pl.col("quantity") / pl.col("product_units"),
        "person_days": pl.col("person_days"),
        "product_days": pl.col("product_days"),
    }
    plausible = {rule: pl.when(value.is_between(1, max_days_supply)).then(value) for rule, value in candidates.items()}
    mended = broken.select(
        "row",
        repair=pl.coalesce(pl.when(value.is_not_null()).then(pl.lit(rule)) for rule, value in plausible.items()),
        mended=pl.coalesce(plausible.values()),
    )
    return (
        frame.join(mended, on="row", how="left", maintain_order="left")
        .with_columns(pl.coalesce("days_supply", "mended"))
        .drop("row", "mended")
    )


def _usual_of_person(broken: pl.DataFrame, known: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Adds person_<measure>: the median of the person's latest fills of the product on or before the day."""
    keys = ["person_id", "product"]
    name = f"person_{measure}"
    own = known.join(broken.select(keys).unique(), on=keys, how="semi").sort(*keys, "date", measure)
    so_far = own.select(
        *keys, "date", pl.col(measure).rolling_median(LATEST_FILLS, min_samples=1).over(keys).alias(name)
    )
    found = broken.select("row", *keys, "date").sort(*keys, "date", "row").join_asof(
        so_far, on="date", by=keys, strategy="backward", check_sortedness=False
    )  # fmt: skip
    return broken.join(found.select("row", name), on="row", how="left", maintain_order="left")


def _usual_of_others(broken: pl.DataFrame, known: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Adds product_<measure>: the median over other people of each one's median; null if they are too few."""
    people = (
        known.group_by("product", "person_id")
        .agg(pl.col(measure).median())
        .sort("product", measure, "person_id")
        .with_row_index("place")
    )
    groups = people.group_by("product").agg(first=pl.col("place").min().cast(pl.Int64), people=pl.len().cast(pl.Int64))
    own = people.select("product", "person_id", own=pl.col("place").cast(pl.Int64))
    rows = broken.select("row", "product", "person_id").join(groups, on="product", how="left", maintain_order="left")
    rows = rows.join(own, on=["product", "person_id"], how="left", maintain_order="left")
    others = pl.col("people") - pl.col("own").is_not_null()
    rows = rows.with_columns(others=others).filter(pl.col("others") >= ENOUGH_PEOPLE)
    values = people.get_column(measure).to_numpy()
    middle = [_without_own(rows, (pl.col("others") - 1) // 2), _without_own(rows, pl.col("others") // 2)]
    usual = rows.select("row", pl.Series(f"product_{measure}", (values[middle[0]] + values[middle[1]]) / 2))
    return broken.join(usual, on="row", how="left", maintain_order="left")


def _without_own(rows: pl.DataFrame, rank: pl.Expr) -> np.ndarray:
    """Place of the value of this rank among the people of the product, the person's own left out."""
    place = pl.col("first") + rank
    return rows.select(place + (pl.col("own") <= place).fill_null(False).cast(pl.Int64)).to_series().to_numpy()
