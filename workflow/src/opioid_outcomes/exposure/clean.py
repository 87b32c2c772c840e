"""Dispensings to clean fills of opioids: product, why kept apart, repair, MME/day."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.derived import DISPENSINGS_CLEAN
from opioid_outcomes.exposure import mme, products, repair, set_apart
from opioid_outcomes.exposure.repair_strength import mend_strength
from opioid_outcomes.exposure.stretches import Array

AS_FILLS = (
    "person_id", "date", "days_supply", "mme_per_day", "tiered_mg_per_day", "product", "quantity", "repair",
    "ingredient",
)  # fmt: skip
AMOUNTS = ("quantity", "days_supply", *products.RANGE_ENDS)
REPAIRED_DROPPED = "repaired_dropped"
SOURCE_WITHOUT_QUANTITY = "source_without_quantity"


def clean(resolved: products.Resolved, table: pl.DataFrame, rules: Exposure) -> pl.DataFrame:
    """DISPENSINGS_CLEAN: one row a fill of an opioid. ``table``: factors of ``mme.factors``.

    quantity, days_supply and strength are as repaired (null = unknown). Fills kept apart are not repaired, but for
    treatment of opioid use disorder, whose supply is a state of its own. Where no fill of an opioid has a quantity as
    recorded, only 0 or none, that is the source's way, and the reason for an unknown dose is source_without_quantity.

    Sorted by person and date. Text is categorical (Enum), as 20 million names would fill the memory; in a file it is
    text. O(n): what depends on the product is worked out once per product; O(m log m) for the m fills of products with
    something to repair.
    """
    kinds = set_apart.classify(resolved.products, rules.buprenorphine.sublingual_without_indication)
    fills = _of_opioids(resolved.fills, kinds)
    quantities = fills.select(pl.any_horizontal((pl.col(name) != 0).any() for name in ("quantity", "quantity_to")))
    fills, kinds = _repaired(*_in_order(fills), kinds, rules)
    repaired = repair.labels(fills.get_column("repair"), rules.ranges)
    fills = _dosed(fills.drop("repair"), _categorical(mme.per_unit(kinds, table)), mme.tiers(table))
    if not quantities.item():
        fills = _without_quantities(fills)
    return fills.with_columns(repaired.alias("repair")).select(DISPENSINGS_CLEAN.names)


def without_repaired(fills: pl.DataFrame) -> pl.DataFrame:
    """DISPENSINGS_CLEAN with the repaired fills kept apart too. Use is then unknown from their day on, never none."""
    repaired = pl.col("repair").is_not_null()
    if not fills.select(repaired.any()).item():
        return fills
    dropped = pl.lit(REPAIRED_DROPPED, fills.schema["reason"])
    return fills.with_columns(
        analgesic=pl.when(repaired).then(0).otherwise("analgesic"),
        reason=pl.when(repaired).then(dropped).otherwise("reason"),
        mme_per_day=pl.when(~repaired).then("mme_per_day"),
        tiered_mg_per_day=pl.when(~repaired).then("tiered_mg_per_day"),
    )


def as_text(fills: pl.DataFrame) -> pl.DataFrame:
    return fills.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def supplied() -> pl.Expr:
    """Fills, or products, that people take at home: for pain, or as treatment of opioid use disorder."""
    return (pl.col("analgesic") == 1) | (pl.col("reason") == set_apart.OUD).fill_null(False)


def analgesic_fills(fills: pl.DataFrame, which: pl.Expr | None = None) -> pl.DataFrame:
    """What ``daily_dose.build`` needs of the fills that are analgesic exposure, or of some of them."""
    analgesic = pl.col("analgesic") == 1
    return _as_fills(fills, analgesic if which is None else analgesic & which)


def treatment_fills(fills: pl.DataFrame) -> pl.DataFrame:
    """The same of treatment for opioid use disorder, whose supply is never left over for analgesia of one product."""
    treatment = _as_fills(fills, pl.col("reason") == set_apart.OUD)
    return treatment.with_columns(pl.col("product").cast(pl.String) + f"|{set_apart.OUD}")


def dropped_fills(fills: pl.DataFrame) -> pl.DataFrame:
    """person_id, start of the fills that ``without_repaired`` has set aside: their supply is not known."""
    dropped = fills.filter((pl.col("reason") == REPAIRED_DROPPED).fill_null(False))
    return dropped.select("person_id", pl.col("date").alias("start"))


def _as_fills(fills: pl.DataFrame, which: pl.Expr) -> pl.DataFrame:
    return rows_where(fills.select(AS_FILLS), fills.select(which.fill_null(False)).to_series()).select(
        "person_id",
        pl.col("date").alias("start"),
        "days_supply",
        "mme_per_day",
        "tiered_mg_per_day",
        "product",
        units_per_day=pl.col("quantity") / pl.col("days_supply"),
        repaired=pl.col("repair").is_not_null().cast(pl.Int64),
        is_buprenorphine=(pl.col("ingredient") == "buprenorphine").cast(pl.Int64),
    )


def rows_where(fills: pl.DataFrame, holds: pl.Series) -> pl.DataFrame:
    """``fills`` for which it holds: mostly all of them, then without a copy."""
    return fills if holds.all() else fills.filter(holds)


def _of_opioids(fills: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    opioid = kinds.get_column("opioid")
    return fills if opioid.all() else rows_where(fills, opioid.gather(fills.get_column("product_row")))


def _in_order(fills: pl.DataFrame) -> tuple[pl.DataFrame, Array]:
    """By person and day, and on one day by all that a fill holds, so that the order of the source does not matter.

    Also the number of each fill's person. A source in order by person and day, as ingest writes it, is left so: only
    fills of one day are sorted.
    """
    rest = [name for name in ("product_row", *AMOUNTS) if fills.get_column(name).null_count() < fills.height]
    if fills.get_column("person_id").is_sorted():
        person = _numbered(fills)
        day = person << 32
        day += fills.get_column("date").to_numpy()
        step = np.diff(day)
    if not fills.get_column("person_id").is_sorted() or (step < 0).any():
        fills = fills.sort("person_id", "date", *rest)
        return fills, _numbered(fills)
    same = step == 0
    if not same.any():
        return fills, person
    at = np.flatnonzero(np.append(same, False) | np.append(False, same))
    ties = fills[at].with_columns(pl.Series("day", day[at])).sort("day", *rest)
    return fills.with_columns(fills.get_column(name).scatter(at, ties.get_column(name)) for name in rest), person


def _numbered(fills: pl.DataFrame) -> Array:
    return fills.select(pl.col("person_id").rle_id().cast(pl.Int64)).to_series().to_numpy()


def _repaired(
    fills: pl.DataFrame, person: Array, kinds: pl.DataFrame, rules: Exposure
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fills with repaired amounts and bits of rules, and products with those of mended strength added."""
    at_home = kinds.select(supplied()).to_series().gather(fills.get_column("product_row"))
    work = rows_where(fills.with_columns(person=pl.Series(person)), at_home)
    work, kinds = mend_strength(work, kinds, rules)
    work = repair.repair(work, kinds, rules)
    names = ("product_row", "quantity", "days_supply", "repair")
    if work.height == fills.height:
        return fills.with_columns(work.get_column(name) for name in names), kinds
    fills = fills.with_columns(repair=pl.lit(0, pl.UInt16))
    at = at_home.arg_true()
    return fills.with_columns(fills.get_column(name).scatter(at, work.get_column(name)) for name in names), kinds


def _dosed(fills: pl.DataFrame, kinds: pl.DataFrame, tiers: pl.DataFrame | None) -> pl.DataFrame:
    """Fills with what is known of their products and doses; ``kinds``: text as categories."""
    row = fills.get_column("product_row")
    of_product = [name for name in DISPENSINGS_CLEAN.names if name in kinds.columns]
    told = fills.with_columns(kinds.get_column(name).gather(row) for name in (*of_product, *mme.OF_UNIT))
    return mme.per_day(told.lazy(), tiers).collect()


def _without_quantities(fills: pl.DataFrame) -> pl.DataFrame:
    without, source = pl.col("reason") == "quantity_unknown", pl.lit(SOURCE_WITHOUT_QUANTITY, fills.schema["reason"])
    return fills.with_columns(reason=pl.when(without).then(source).otherwise("reason"))


def _categorical(kinds: pl.DataFrame) -> pl.DataFrame:
    """Products with each text as a category of its own column; those of reasons and doses share one set."""
    texts = [name for name, dtype in kinds.schema.items() if dtype == pl.String]
    reasons = {REPAIRED_DROPPED, SOURCE_WITHOUT_QUANTITY, *mme.NO_DOSE, *kinds.get_column("reason").drop_nulls()}
    own = {name: kinds.get_column(name).drop_nulls().unique().sort() for name in texts}
    shared = {"reason": sorted(reasons), "no_dose": sorted(reasons)}
    return kinds.with_columns(pl.col(name).cast(pl.Enum(shared.get(name, own[name]))) for name in texts)
