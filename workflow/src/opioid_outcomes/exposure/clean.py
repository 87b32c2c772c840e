"""Dispensings to clean fills of opioids: product, why kept apart, repair, MME/day."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.derived import DISPENSINGS_CLEAN
from opioid_outcomes.exposure import mme, products, repair, set_apart
from opioid_outcomes.exposure.strength import mend_strength

AMOUNTS = ("quantity", "days_supply", *products.RANGE_ENDS)
REPAIRED_DROPPED = "repaired_dropped"
SOURCE_WITHOUT_QUANTITY = "source_without_quantity"


def clean(resolved: products.Resolved, table: pl.DataFrame, rules: Exposure) -> pl.DataFrame:
    """DISPENSINGS_CLEAN: one row a fill of an opioid. ``table``: factors of ``mme.factors``.

    quantity, days_supply and strength are as repaired (null = unknown). Fills kept apart are not repaired, but for
    treatment of opioid use disorder, whose supply is a state of its own. Where no fill has a quantity, that is the
    source's way, and the reason for an unknown dose is source_without_quantity.

    Sorted by person and date. Text is categorical, as 20 million names would fill the memory: ``as_text`` undoes it.
    O(n): what depends on the product is worked out once per product; O(m log m) for the m fills of products with
    something to repair.
    """
    kinds = set_apart.classify(resolved.products, rules.buprenorphine.sublingual_without_indication)
    fills, kinds = _repaired(_in_order(_of_opioids(resolved.fills, kinds)), kinds, rules)
    dosed = _dosed(fills, mme.per_unit(kinds, table), mme.tiers(table))
    dosed = dosed.with_columns(repair.labels(fills.get_column("repair"), rules.ranges).cast(pl.Categorical))
    row = dosed.get_column("product_row")
    of_product = [name for name in DISPENSINGS_CLEAN.names if name not in dosed.columns]
    named = dosed.with_columns(
        *(_categorical(kinds.get_column(name)).gather(row) for name in of_product),
        pl.col("reason").cast(pl.Categorical),
    )
    return named.select(DISPENSINGS_CLEAN.names)


def without_repaired(fills: pl.DataFrame) -> pl.DataFrame:
    """DISPENSINGS_CLEAN with the repaired fills kept apart too: nobody's use is then unknown because of them."""
    repaired = pl.col("repair").is_not_null()
    if not fills.select(repaired.any()).item():
        return fills
    dropped = pl.lit(REPAIRED_DROPPED, pl.Categorical)
    return fills.with_columns(
        analgesic=pl.when(repaired).then(0).otherwise("analgesic"),
        reason=pl.when(repaired).then(dropped).otherwise("reason"),
        mme_per_day=pl.when(~repaired).then("mme_per_day"),
        tiered_mg_per_day=pl.when(~repaired).then("tiered_mg_per_day"),
    )


def as_text(fills: pl.DataFrame) -> pl.DataFrame:
    """Categories as plain text, as the contract has them in a file."""
    return fills.with_columns(pl.col(pl.Categorical).cast(pl.String))


def supplied() -> pl.Expr:
    """Fills, or products, that people take at home: for pain, or as treatment of opioid use disorder."""
    return (pl.col("analgesic") == 1) | (pl.col("reason") == set_apart.OUD).fill_null(False)


def analgesic_fills(fills: pl.DataFrame) -> pl.DataFrame:
    """What ``daily_dose.build`` needs of the fills that are analgesic exposure."""
    return _as_fills(fills.filter(pl.col("analgesic") == 1))


def treatment_fills(fills: pl.DataFrame) -> pl.DataFrame:
    """The same of treatment for opioid use disorder, whose supply is never left over for analgesia of one product."""
    treatment = _as_fills(fills.filter(pl.col("reason") == set_apart.OUD))
    return treatment.with_columns(pl.col("product").cast(pl.String) + f"|{set_apart.OUD}")


def _as_fills(fills: pl.DataFrame) -> pl.DataFrame:
    return fills.select(
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


def _of_opioids(fills: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    opioid = kinds.get_column("opioid")
    return fills if opioid.all() else fills.filter(opioid.gather(fills.get_column("product_row")))


def _in_order(fills: pl.DataFrame) -> pl.DataFrame:
    """By person and day, and on one day by all that a fill holds, so that the order of the source does not matter.

    A source in order by person and day, as ingest writes it, is left so: only fills of one day are sorted.
    """
    rest = ["product_row", *AMOUNTS]
    person, day = pl.col("person_id"), pl.col("date")
    same = (person == person.shift()) & (day == day.shift())
    ahead = (person > person.shift()) | ((person == person.shift()) & (day > day.shift()))
    steps = fills.select(same=same.fill_null(False), ahead=ahead.fill_null(True))
    if not steps.select((pl.col("same") | pl.col("ahead")).all()).item():
        return fills.sort("person_id", "date", *rest)
    tied = steps.select(pl.col("same") | pl.col("same").shift(-1, fill_value=False)).to_series()
    if not tied.any():
        return fills
    at = tied.arg_true().to_numpy()
    day_number = steps.select((~pl.col("same")).cum_sum()).to_series()
    sorted_ties = fills.filter(tied).with_columns(day_number.filter(tied).alias("tie"), pl.Series("at", at))
    order = np.arange(fills.height, dtype=np.uint32)
    order[at] = sorted_ties.sort("tie", *rest).get_column("at").to_numpy()
    return fills[order]


def _repaired(fills: pl.DataFrame, kinds: pl.DataFrame, rules: Exposure) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fills with repaired amounts and bits of rules, and products with those of mended strength added."""
    person = fills.select(pl.col("person_id").rle_id()).to_series()
    at_home = kinds.select(supplied()).to_series().gather(fills.get_column("product_row"))
    work = fills.with_columns(person=person) if at_home.all() else fills.with_columns(person=person).filter(at_home)
    work, kinds = mend_strength(work, kinds, rules)
    work = repair.repair(work, kinds, rules)
    names = ("product_row", "quantity", "days_supply", "repair")
    if work.height == fills.height:
        return fills.with_columns(work.get_column(name) for name in names), kinds
    fills = fills.with_columns(repair=pl.lit(0, pl.UInt16))
    at = at_home.arg_true()
    return fills.with_columns(fills.get_column(name).scatter(at, work.get_column(name)) for name in names), kinds


def _dosed(fills: pl.DataFrame, kinds: pl.DataFrame, tiers: pl.DataFrame | None) -> pl.DataFrame:
    """Fills with analgesic, reason and doses."""
    row = fills.get_column("product_row")
    of_product = ("analgesic", "reason", *mme.OF_UNIT)
    told = fills.drop("repair").with_columns(kinds.get_column(name).gather(row) for name in of_product)
    dosed = mme.per_day(told.lazy(), tiers).collect().drop(mme.OF_UNIT)
    if told.height and not (told.get_column("quantity") > 0).any():
        without = pl.col("reason") == "quantity_unknown"
        dosed = dosed.with_columns(reason=pl.when(without).then(pl.lit(SOURCE_WITHOUT_QUANTITY)).otherwise("reason"))
    return dosed


def _categorical(column: pl.Series) -> pl.Series:
    return column.cast(pl.Categorical) if column.dtype == pl.String else column
