"""Repair of strength: which product a fill is taken to be of, where its strength is unknown.

Spec: ANALYSES 2 (Repair ledger). Strength is the product's: a fill whose strength is mended points to a further
product, its own with the strength of another.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure import products as product_table
from opioid_outcomes.exposure.repair import BITS, range_value
from opioid_outcomes.exposure.repair_usual import ENOUGH_PEOPLE
from opioid_outcomes.exposure.stretches import Array, latest

USUAL_SHARE = 0.8  # of the other people: below it a guess of the product would often be wrong
KIND = ("ingredient", "route", "release")  # what a fill without a strength still tells of its product


def mend_strength(fills: pl.DataFrame, products: pl.DataFrame, rules: Exposure) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fills that point to a product whose strength is believed, or null; and the products with the new ones added.

    fills: person (codes 0, 1, ...), date (day), product_row and strength_to (upper end of a recorded range), sorted by
    person and date. products: ``Resolved.products``, row i being product_row i. Adds repair (bits of ``repair.RULES``).

    A strength that cannot be (``products.strength_plausible``) is unknown; so is a range, if ranges are set aside.
    Rules for unknown ones, in the configured order, among fills of the same ingredient, route and release whose
    strength is as recorded:
    person_product: that of the person's latest such fill on or before the day (of several that day, the strongest);
    usual_product: the one that at least ``USUAL_SHARE`` of at least ``ENOUGH_PEOPLE`` other people have, and more of
    them than any other.
    O(n log n) over the fills of the kinds of which something is unknown; O(products) if nothing is.
    """
    fills = fills.with_columns(repair=pl.lit(0, pl.UInt16))
    recorded = products.height
    ranged = _ranged(fills, products)
    fills, products = _read_ranges(fills, products, ranged, rules.ranges)
    products = _forget_what_cannot_be(products)
    for rule in rules.strength.repair:
        fills, products = _mend(fills, products, recorded, rule)
    return _name_ranges(fills, products, ranged), products


def _ranged(fills: pl.DataFrame, products: pl.DataFrame) -> pl.Series:
    """Rows whose strength was recorded as a range."""
    if fills.get_column("strength_to").null_count() == fills.height:
        return pl.Series([], dtype=pl.UInt32)
    low = products.get_column("strength").gather(fills.get_column("product_row"))
    return (fills.get_column("strength_to") >= low).fill_null(False).arg_true()


def _read_ranges(
    fills: pl.DataFrame, products: pl.DataFrame, rows: pl.Series, rule: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    if rows.is_empty():
        return fills, products
    ranged = fills.select("product_row", "strength_to").gather(rows)
    kinds = ranged.unique().sort("product_row", "strength_to").with_row_index("new", products.height)
    own = products.gather(kinds.get_column("product_row"))
    value = range_value(own["strength"].to_numpy(), kinds["strength_to"].to_numpy(), rule)
    further = own.with_columns(pl.Series("strength", value).fill_nan(None))
    new = ranged.join(kinds, on=["product_row", "strength_to"], how="left", maintain_order="left").get_column("new")
    return _pointed(fills, rows, new, np.uint16(0)), _with(products, further)


def _name_ranges(fills: pl.DataFrame, products: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """Ranges that became a strength are named; what stays unknown was not mended."""
    row = fills.get_column("product_row").gather(rows)
    rows = rows.filter(products.get_column("strength").is_not_null().gather(row))
    return _pointed(fills, rows, fills.get_column("product_row").gather(rows), BITS["strength_range"])


def _forget_what_cannot_be(products: pl.DataFrame) -> pl.DataFrame:
    """Strengths of opioids that cannot be are unknown, and so is that part of the product's key."""
    wrong = pl.col("opioid") & ~pl.col("strength_plausible")
    if not products.select(wrong.any()).item():
        return products
    blank = products.with_columns(strength=pl.when(~wrong).then("strength"))
    return blank.with_columns(product=pl.when(wrong).then(product_table.product_key()).otherwise("product"))


def _mend(fills: pl.DataFrame, products: pl.DataFrame, recorded: int, rule: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One rule: fills of unknown strength point to products with that of the source the rule finds."""
    unknown = products.select(pl.col("opioid") & pl.col("strength").is_null()).to_series()
    row = fills.get_column("product_row")
    rows = unknown.gather(row).arg_true().to_numpy() if unknown.any() else np.empty(0, dtype=np.int64)
    if not len(rows):
        return fills, products
    history = _History(fills, products, recorded)
    source = history.of_person(rows) if rule == "person_product" else history.of_others(rows)
    rows, source = rows[source >= 0], source[source >= 0]
    pairs = pl.DataFrame({"own": row.gather(rows), "source": pl.Series(source, dtype=pl.UInt32)})
    kinds = pairs.unique().sort("own", "source").with_row_index("new", products.height)
    own, of = products.gather(kinds.get_column("own")), products.gather(kinds.get_column("source"))
    further = own.with_columns(of.get_column("strength"), of.get_column("strength_unit"), other=of.get_column("form"))
    further = further.with_columns(form=pl.coalesce("form", "other")).drop("other")
    new = pairs.join(kinds, on=["own", "source"], how="left", maintain_order="left").get_column("new")
    return _pointed(fills, pl.Series(rows), new, BITS[rule]), _with(products, further)


class _History:
    """Fills of known strength, by kind: who had which product when."""

    def __init__(self, fills: pl.DataFrame, products: pl.DataFrame, recorded: int) -> None:
        kind = products.select(pl.struct(KIND).rank("dense").cast(pl.Int64)).to_series()
        self.row = fills.get_column("product_row").to_numpy()
        self.kind = kind.to_numpy()[self.row]
        self.person = fills.get_column("person").to_numpy().astype(np.int64)
        self.day = fills.get_column("date").to_numpy()
        self.key = products.get_column("product").rank("dense").to_numpy()
        self.strength = products.get_column("strength").to_numpy()
        at_hand = products.select(
            pl.col("strength").is_not_null() & pl.col("strength_unit").is_not_null() & pl.col("opioid")
        )
        self.known = (at_hand.to_series().to_numpy() & (np.arange(products.height) < recorded))[self.row]
        self.people = int(self.person.max(initial=0)) + 1

    def of_person(self, rows: Array) -> Array:
        """product_row of each one's latest fill of the kind on or before the day; -1 without one."""
        asked = np.zeros(self.people, dtype=bool)
        asked[self.person[rows]] = True
        own = np.flatnonzero(self.known & asked[self.person])
        group = self.kind[own] * self.people + self.person[own]
        order = np.lexsort((self.row[own], self.strength[self.row[own]], self.day[own], group))
        own, group = own[order], group[order]
        found = latest(self.kind[rows] * self.people + self.person[rows], self.day[rows], group, self.day[own])
        return np.where(found >= 0, self.row[own[found]].astype(np.int64), -1) if len(own) else found

    def of_others(self, rows: Array) -> Array:
        """product_row of the product that nearly all others with the kind have; -1 without one, or few."""
        asked = np.zeros(int(self.kind.max(initial=0)) + 1, dtype=bool)
        asked[self.kind[rows]] = True
        known = np.flatnonzero(self.known & asked[self.kind])
        used = pl.DataFrame(
            {
                "kind": self.kind[known],
                "person": self.person[known],
                "key": self.key[self.row[known]],
                "row": self.row[known],
            }
        )
        # every person counts once for every product; the first product_row of a key stands for it
        have = used.group_by("kind", "key", "person").agg(pl.col("row").min())
        of_kind = have.group_by("kind").agg(all=pl.col("person").n_unique())
        of_key = have.group_by("kind", "key").agg(people=pl.len(), row=pl.col("row").min())
        asking = pl.DataFrame({"kind": self.kind[rows], "person": self.person[rows]}).with_row_index("at")
        own = have.select("kind", "key", "person", mine=pl.lit(1, pl.UInt32))
        ever = have.select("kind", "person").unique().with_columns(one=pl.lit(1, pl.UInt32))
        others = pl.col("all").cast(pl.Int64) - pl.col("one").fill_null(0).cast(pl.Int64)
        users = pl.col("people").cast(pl.Int64) - pl.col("mine").fill_null(0).cast(pl.Int64)
        found = (
            asking.join(of_kind, on="kind")
            .join(ever, on=["kind", "person"], how="left")
            .join(of_key.filter(pl.col("people") > 1), on="kind")
            .join(own, on=["kind", "key", "person"], how="left")
            .with_columns(others=others, users=users)
            .filter((pl.col("others") >= ENOUGH_PEOPLE) & (pl.col("users") >= USUAL_SHARE * pl.col("others")))
            .filter(pl.col("users") == pl.col("users").max().over("at"))
            .filter(pl.len().over("at") == 1)  # where as many people have each of two, neither is the usual one
        )
        source = np.full(len(rows), -1, dtype=np.int64)
        source[found.get_column("at").to_numpy()] = found.get_column("row").to_numpy()
        return source


def _pointed(fills: pl.DataFrame, rows: pl.Series, new: pl.Series, bits: np.uint16) -> pl.DataFrame:
    row, repair = (fills.get_column(name).to_numpy().copy() for name in ("product_row", "repair"))
    row[rows.to_numpy()] = new.to_numpy()
    repair[rows.to_numpy()] |= bits
    return fills.with_columns(pl.Series("product_row", row), pl.Series("repair", repair))


def _with(products: pl.DataFrame, further: pl.DataFrame) -> pl.DataFrame:
    """The products with further ones, keyed and numbered on."""
    of_strength = product_table.product_key(), product_table.strength_plausible()
    added = pl.concat([products, further.with_columns(of_strength)])
    return added.drop("product_row").with_row_index("product_row").select(products.columns)
