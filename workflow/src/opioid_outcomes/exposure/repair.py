"""Repair of quantity and days_supply, by named rules; what cannot be repaired stays unknown.

Spec: ANALYSES 2 (Repair ledger; On depends on fills up to the day only), METHODS B4. Missing is never zero or one.
No rule looks at a later fill of the same person.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure.packed import slices
from opioid_outcomes.exposure.repair_usual import Records, Waits
from opioid_outcomes.exposure.stretches import Array

RANGED = ("strength", "quantity", "days_supply")
# Every rule that may mend a fill, in the order in which they are applied: `repair` holds their bits until it is text.
RULES = (
    *(f"{name}_range" for name in RANGED),
    "person_product", "usual_product",
    "person_units", "product_units", "person_days", "product_days", "waiting_time",
    "quantity_person_units", "quantity_product_units",
)  # fmt: skip
BITS = {rule: np.uint16(1 << place) for place, rule in enumerate(RULES)}
# Units a day of supply that are believed, in proportion to tablets: mL are ten times as many; nobody changes or wears
# a tenth as many patches as tablets can be taken.
LIQUID, PATCH = 10.0, 0.1
LIQUID_FORMS = ("solution", "suspension")


def repair(fills: pl.DataFrame, products: pl.DataFrame, rules: Exposure) -> pl.DataFrame:
    """``fills`` with quantity and days_supply that can be believed, or null, and the rules that mended them.

    fills: person (codes 0, 1, ...), date (day), product_row, quantity, days_supply, quantity_to, days_supply_to (upper
    ends of recorded ranges) and repair (bits of ``RULES`` that have mended the fill already), sorted by person and
    date. products: row i is product_row i, with product (the stockpiling key), strength_unit and form.

    A range becomes one number by ``rules.ranges``, or is set aside: unknown until a rule mends it. A days_supply that
    is missing, not above 0 or above ``days_supply.max`` is unknown; so is a quantity that is missing, not above 0 or
    above ``quantity.max_per_day`` tablets a day of supply; ten times as many mL, a tenth as many patches
    (``most_per_day``). Unknown ones are replaced by the first of the configured rules that gives a believable value:

    days_supply (1 to max days): person_units, product_units: quantity / the usual units a day; person_days,
    product_days: the usual days of supply; waiting_time: ``waiting_time_quantile`` of the times between successive
    fills of the product among other people, at least ``ENOUGH_PEOPLE``, without those above ``LONGEST_WAIT`` days,
    which are stops; each person counts once, however many fills they have (``repair_usual.Waits``). It is the empirical
    variant of the reverse waiting time distribution, in which that quantile of the parametric inter-arrival density is
    taken (Stovring et al., Pharmacoepidemiol Drug Saf 2016;25:785 and 2017;26:1301).
    quantity: person_units, product_units: days_supply x the usual units a day.

    Usual of a person is the median of the latest ``LATEST_FILLS`` fills of the product on or before the day; usual of
    the product the median over other people, at least ``ENOUGH_PEOPLE``, of each one's median
    (``repair_usual.Records``). They are learned from fills as recorded: neither ranges nor repaired ones.
    days_supply goes first, as quantity needs it. O(n log n) over the products of which something is broken.
    """
    work = _Work(fills, products, rules)
    work.read_ranges()
    work.forget_what_cannot_be()
    work.mend_days()
    work.mend_quantity()
    work.name_ranges()
    return fills.with_columns(
        pl.Series("quantity", work.quantity).fill_nan(None),
        pl.Series("days_supply", work.days).fill_nan(None),
        pl.Series("repair", work.repair),
    )


def range_value(low: Array, high: Array, rule: str) -> Array:
    """The one number that a recorded range stands for; NaN where it is set aside."""
    known = {"midpoint": (low + high) / 2, "lower": low, "upper": high}
    return known.get(rule, np.full(len(low), np.nan))


def labels(bits: pl.Series, rule_of_ranges: str) -> pl.Series:
    """The rules of each fill in words (Enum), joined by " + "; null as recorded."""
    names = [f"{name}_{rule_of_ranges}" if name.endswith("_range") else name for name in RULES]
    found = bits.unique().to_list()
    texts: list[str | None] = [None] * (max(found, default=0) + 1)
    for code in found:
        texts[code] = " + ".join(names[place] for place in range(len(RULES)) if code >> place & 1) or None
    known = pl.Enum(sorted({text for text in texts if text}))
    return pl.Series(bits.name, texts, known).gather(bits)


def most_per_day(products: pl.DataFrame, max_per_day: float) -> Array:
    """Units a day of supply up to which a quantity is believed, by product: tablets, mL or patches."""
    liquid = (pl.col("strength_unit") == "mg/mL") | (
        pl.col("strength_unit").is_null() & pl.col("form").is_in(LIQUID_FORMS)
    )
    factor = (
        pl.when(liquid.fill_null(False))
        .then(LIQUID)
        .when((pl.col("strength_unit") == "mcg/h").fill_null(False))
        .then(PATCH)
        .otherwise(1.0)
    )
    return products.select(factor * max_per_day).to_series().to_numpy()


class _Work:
    """The columns on the way, unknown as NaN, and what is learned from fills as recorded, when a rule asks for it."""

    def __init__(self, fills: pl.DataFrame, products: pl.DataFrame, rules: Exposure) -> None:
        self.rules = rules
        self.fills = fills
        self.person = fills.get_column("person").to_numpy()
        self.day = fills.get_column("date").to_numpy()
        row = fills.get_column("product_row")
        # codes by key, not by row: products of one key, as recorded in different ways, are one
        keys = products.get_column("product").rank("dense").fill_null(0).cast(pl.Int32)
        self.product = keys.gather(row).to_numpy()
        self.most = pl.Series(most_per_day(products, rules.quantity.max_per_day)).gather(row).to_numpy()
        self.quantity = _numbers(fills, "quantity")
        self.days = _numbers(fills, "days_supply")
        self.repair = fills.get_column("repair").to_numpy().copy()
        self.of_product = self.repair == 0  # of the product as recorded: it was not guessed
        self.as_recorded = self.of_product.copy()
        self.ranged: dict[str, Array] = {}  # rows whose amount was recorded as a range

    def read_ranges(self) -> None:
        for name, values in (("quantity", self.quantity), ("days_supply", self.days)):
            ends = self.fills.get_column(f"{name}_to")
            if ends.null_count() == len(ends):
                continue
            high = _numbers(self.fills, f"{name}_to")
            rows = np.flatnonzero(high >= values)
            values[rows] = range_value(values[rows], high[rows], self.rules.ranges)
            self.as_recorded[rows] = False
            self.ranged[name] = rows

    def forget_what_cannot_be(self) -> None:
        for part in slices(len(self.days)):
            days, quantity = self.days[part], self.quantity[part]  # views
            days[~((days > 0) & (days <= self.rules.days_supply.max))] = np.nan
            quantity[~((quantity > 0) & (quantity < np.inf))] = np.nan
            quantity[quantity > days * self.most[part]] = np.nan
        self.days_known = self.as_recorded & ~np.isnan(self.days)
        self.units_known = self.days_known & ~np.isnan(self.quantity)

    def mend_days(self) -> None:
        rows = unknown = np.flatnonzero(np.isnan(self.days))
        candidates: dict[str, Callable[[Array], Array]] = {
            "person_units": lambda rows: self.quantity[rows] / self._of_person(self.units, rows),
            "product_units": lambda rows: self.quantity[rows] / self._of_others(self.units, rows),
            "person_days": lambda rows: self._of_person(self.usual_days, rows),
            "product_days": lambda rows: self._of_others(self.usual_days, rows),
            "waiting_time": lambda rows: self.waits.of_others(
                self.product[rows], self.person[rows], self.rules.days_supply.waiting_time_quantile
            ),
        }
        for rule in self.rules.days_supply.repair:
            rows = rows[np.isnan(self.days[rows])]
            if len(rows):
                value = candidates[rule](rows)
                believed = (value >= 1) & (value <= self.rules.days_supply.max)
                self._set(self.days, rows[believed], value[believed], rule)
        beyond = self.quantity[unknown] > self.days[unknown] * self.most[unknown]
        self.quantity[unknown[beyond]] = np.nan

    def mend_quantity(self) -> None:
        rows = np.flatnonzero(np.isnan(self.quantity) & ~np.isnan(self.days))
        candidates = {"person_units": self._of_person, "product_units": self._of_others}
        if not self.units_known.any():  # a source without quantities: nothing to learn from
            return
        for rule in self.rules.quantity.repair:
            rows = rows[np.isnan(self.quantity[rows])]
            if len(rows):
                value = self.days[rows] * candidates[rule](self.units, rows)
                believed = ~np.isnan(value)
                self._set(self.quantity, rows[believed], value[believed], f"quantity_{rule}")

    def name_ranges(self) -> None:
        """Ranges that became a number are named; what stays unknown was not mended."""
        for name, rows in self.ranged.items():
            values = self.quantity if name == "quantity" else self.days
            self.repair[rows[~np.isnan(values[rows])]] |= BITS[f"{name}_range"]

    @cached_property
    def units(self) -> Records:
        """Units a day."""
        known = np.flatnonzero(self.units_known & self.broken_products[self.product])
        return Records.of(known, self.product, self.person, self.day, self.quantity, per=self.days)

    @cached_property
    def usual_days(self) -> Records:
        known = np.flatnonzero(self.days_known & self.broken_products[self.product])
        return Records.of(known, self.product, self.person, self.day, self.days)

    @cached_property
    def waits(self) -> Waits:
        known = np.flatnonzero(self.of_product & self.broken_products[self.product])
        return Waits.of(known, self.product, self.person, self.day)

    @cached_property
    def broken_products(self) -> Array:
        """Whether anything of a product is, or was, unknown."""
        rows = np.flatnonzero(np.isnan(self.days) | np.isnan(self.quantity))
        return np.bincount(self.product[rows], minlength=int(self.product.max(initial=0)) + 1) > 0

    def _of_person(self, records: Records, rows: Array) -> Array:
        return records.of_person(self.product[rows], self.person[rows], self.day[rows])

    def _of_others(self, records: Records, rows: Array) -> Array:
        return records.of_others(self.product[rows], self.person[rows])

    def _set(self, values: Array, rows: Array, value: Array, rule: str) -> None:
        values[rows] = value
        self.repair[rows] |= BITS[rule]


def _numbers(fills: pl.DataFrame, name: str) -> Array:
    """A copy; missing is NaN."""
    return fills.get_column(name).cast(pl.Float64).to_numpy(writable=True)
