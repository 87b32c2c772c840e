"""Morphine milligram equivalents of a fill: strength x quantity / days_supply x factor.

Spec: ANALYSES 2 (Dose), CONTRACT 7 (Factors), METHODS B1. Factor tables, users' among them: exposure/mme_tables.py.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.exposure.distinct import distinct
from opioid_outcomes.exposure.mme_tables import factors, tiers
from opioid_outcomes.exposure.stretches import Frame, given

__all__ = ["attach", "factors", "mme_of_tiered", "per_day", "per_unit", "tiers"]

# Days one patch is worn: fentanyl 72 h, buprenorphine 7 days (US prescribing information; CONTRACT 7).
WEAR_DAYS = {"fentanyl": 3.0, "buprenorphine": 7.0}
MAX_MME_PER_DAY = 100_000.0  # no person takes it: a mistake of quantity or strength, so the dose is unknown
TIER_TOLERANCE_MG = 1e-6  # a sum of doses that misses 20 mg by rounding is 20 mg: beyond it the factor doubles
KIND = ("ingredient", "route", "form", "strength", "strength_unit")  # what the MME of a unit depends on
UNTOLD: dict[str, tuple[int | None, pl.DataType]] = {
    "form": (None, pl.String()), "analgesic": (1, pl.Int64()), "reason": (None, pl.String()),
}  # fmt: skip
OF_UNIT = ("mme_per_unit", "tiered_mg_per_unit", "no_dose")
# why a dose is unknown: of the fill, or of its product
NO_DOSE = (
    "no_days_supply", "quantity_unknown", "implausible_dose", "buprenorphine", "no_factor", "strength_unknown",
    "route_unknown",
)  # fmt: skip


def per_unit(products: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Adds the MME of one unit (tablet, mL, spray; a patch: its whole wear time) to products.

    ``products``: ingredient, route, form, strength, strength_unit. Adds mme_per_unit; tiered_mg_per_unit, which takes
    its place where the factor depends on the day's total (mme_per_unit is null there); and no_dose, null or why there
    is neither: buprenorphine (the table has no factor for it: on, dose missing by definition), route_unknown (the table
    has factors of the ingredient by route), no_factor, strength_unknown. The factor with the product's own route and
    form goes before one for any. A strength of 0 or less is unknown. O(n).
    """
    found = _with_factor(products, table)
    strength = pl.when(pl.col("strength") > 0).then("strength")
    wear = pl.col("ingredient").replace_strict(WEAR_DAYS, default=None, return_dtype=pl.Float64)
    in_mg = pl.when(pl.col("strength_unit") == "mcg").then(strength / 1000).otherwise(strength)
    units = (
        pl.when(pl.col("strength_unit") == "mcg/h")
        .then(pl.when(pl.col("factor_unit") == "mcg/h").then(strength * wear))
        .when(pl.col("factor_unit") == "mg")
        .then(in_mg)
        .when(pl.col("factor_unit") == "mcg")
        .then(in_mg * 1000)
    )
    by_route = table.filter(pl.col("route").is_not_null()).get_column("ingredient").unique().sort().to_list()
    no_factors = ~pl.col("ingredient").is_in(table.get_column("ingredient").unique().sort().to_list())
    no_dose = (
        pl.when(pl.col("factor").is_null() & pl.col("route").is_null() & pl.col("ingredient").is_in(by_route))
        .then(pl.lit("route_unknown"))
        .when(pl.col("factor").is_null() & (pl.col("ingredient") == "buprenorphine") & no_factors)
        .then(pl.lit("buprenorphine"))
        .when(pl.col("factor").is_null())
        .then(pl.lit("no_factor"))
        .when(strength.is_null() | pl.col("strength_unit").is_null())
        .then(pl.lit("strength_unknown"))
        .when(units.is_null())  # a factor per mg for a strength per hour, or the reverse
        .then(pl.lit("no_factor"))
    )
    return (
        found.with_columns(no_dose=no_dose)
        .with_columns(
            mme_per_unit=pl.when(pl.col("no_dose").is_null() & ~pl.col("tiered")).then(units * pl.col("factor")),
            tiered_mg_per_unit=pl.when(pl.col("no_dose").is_null() & pl.col("tiered")).then(units),
        )
        .select(*products.columns, *OF_UNIT)
    )


def per_day(fills: pl.LazyFrame, tiers: pl.DataFrame | None) -> pl.LazyFrame:
    """Adds mme_per_day and tiered_mg_per_day, and fills ``reason`` where the dose stays unknown.

    ``fills``: mme_per_unit, tiered_mg_per_unit, no_dose (``per_unit``), quantity, days_supply, analgesic, reason.
    Reasons: no_days_supply (no interval either), those of ``per_unit``, quantity_unknown, implausible_dose. Fills kept
    apart (analgesic 0) get no dose and keep their reason. With tiers, mme_per_day is that of the fill's own mg alone.
    no_dose and reason are texts, or categories of one set.
    """
    text = fills.collect_schema()["reason"]
    per_day = pl.col("quantity") / pl.col("days_supply")
    mme = pl.col("mme_per_unit") * per_day
    tiered_mg = pl.col("tiered_mg_per_unit") * per_day
    if tiers is not None:
        mme = pl.coalesce(mme, mme_of_tiered(tiered_mg, tiers))
    unknown = (
        pl.when(pl.col("days_supply").is_null())
        .then(pl.lit("no_days_supply", text))
        .when(pl.col("no_dose").is_not_null())
        .then("no_dose")
        .when(pl.col("quantity").is_null())
        .then(pl.lit("quantity_unknown", text))
        .when(mme > MAX_MME_PER_DAY)
        .then(pl.lit("implausible_dose", text))
    )
    reason = pl.when(pl.col("analgesic") == 0).then("reason").otherwise(unknown)
    known = pl.col("reason").is_null()
    return fills.with_columns(mme_per_day=mme, tiered_mg_per_day=tiered_mg, reason=reason).with_columns(
        pl.when(known).then("mme_per_day"), pl.when(known).then("tiered_mg_per_day")
    )


def attach(fills: Frame, table: pl.DataFrame) -> pl.LazyFrame:
    """Adds mme_per_day and tiered_mg_per_day by a factor table, and ``reason`` where the dose stays unknown.

    ``fills``: ingredient, route, strength, strength_unit, quantity, days_supply; and form, analgesic, reason, without
    which fills are of no known form, analgesic and not kept apart; so another table can be put on clean fills too.
    MME/day = strength x quantity / days_supply x factor; patches: mcg/h x factor x quantity x days of wear /
    days_supply. See ``per_unit`` and ``per_day``. Text may be categorical; ``reason`` is given back as text. ValueError
    names columns that are missing. O(n), by the distinct kinds of product.
    """
    fills = given(fills, *(name for name in (*KIND, "quantity", "days_supply") if name not in UNTOLD))
    known = fills.collect_schema()
    untold = {name: pl.lit(value, dtype) for name, (value, dtype) in UNTOLD.items() if name not in known}
    rows = fills.with_columns(**untold).with_columns(pl.col("reason").cast(pl.String)).collect()
    kinds, kind = distinct(rows, KIND)
    kinds = kinds.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    of_unit = per_unit(kinds, table)
    units = [of_unit.get_column(name).gather(kind) for name in OF_UNIT]
    return per_day(rows.with_columns(units).lazy(), tiers(table)).drop(OF_UNIT)


def mme_of_tiered(mg: pl.Expr, tiers: pl.DataFrame) -> pl.Expr:
    """MME/day of a day's total mg of the tiered ingredient: the whole total times the factor of the tier it is in.

    Tiers are half-open from below, (0, 20] x 4, (20, 40] x 8, ... (METHODS B1), so 20.5 mg is in the second.
    """
    factor = pl.lit(None, pl.Float64)
    for above, of_tier in tiers.sort("above").select("above", "factor").iter_rows():
        factor = pl.when(mg > above + (TIER_TOLERANCE_MG if above else 0)).then(of_tier).otherwise(factor)
    return pl.when(mg == 0).then(0.0).otherwise(mg * factor)


def _with_factor(products: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Adds factor, factor_unit and tiered of the most specific row: route and form, route, form, any."""
    key = ["ingredient", "route", "form"]
    rows = table.select(*key, "factor", pl.col("above").is_not_null().alias("tiered"), factor_unit="unit")
    matches = (
        products.select(key)
        .unique()
        .join(rows, on="ingredient", how="inner", suffix="_of_row")
        .filter(
            pl.col("route_of_row").is_null() | (pl.col("route_of_row") == pl.col("route")),
            pl.col("form_of_row").is_null() | (pl.col("form_of_row") == pl.col("form")),
        )
        .sort(pl.col("route_of_row").is_null(), pl.col("form_of_row").is_null(), maintain_order=True)
        .unique(key, keep="first", maintain_order=True)
        .select(*key, "factor", "factor_unit", "tiered")
    )
    return products.join(matches, on=key, how="left", nulls_equal=True, maintain_order="left")
