"""Morphine milligram equivalents of a fill: strength x quantity / days_supply x factor.

Spec: ANALYSES 2 (Dose), CONTRACT 7 (Factors), METHODS B1.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.canonical import ROUTES
from opioid_outcomes.errors import Problem, Problems, UserError
from opioid_outcomes.exposure import product_names

COLUMNS = ("ingredient", "route", "form", "unit", "factor", "source")
LABELS = COLUMNS[:4]  # read in any letter case
UNITS = ("mg", "mcg", "mcg/h")
# Days one patch is worn: fentanyl 72 h, buprenorphine 7 days (US prescribing information; CONTRACT 7).
WEAR_DAYS = {"fentanyl": 3.0, "buprenorphine": 7.0}
SHOWN_ROWS = 5  # with a mistake
MAX_MME_PER_DAY = 100_000.0  # no person takes it: a mistake of quantity or strength, so the dose is unknown


def factors(name_or_path: str) -> pl.DataFrame:
    """A factor table: a shipped name (``cdc_2022``) or the path of a CSV with the same columns.

    Columns ingredient, route, form (null: any), unit (mg, mcg, mcg/h: what the factor multiplies), factor, source.
    Raises UserError naming every mistake of a user's table by data row.
    """
    if name_or_path in shipped.mme_factors():
        table = io.read_text_table(shipped.DATA / "mme" / f"{name_or_path}.csv")
    elif name_or_path.lower().endswith(".csv") or Path(name_or_path).is_file():
        table = io.read_text_table(Path(name_or_path), COLUMNS).with_columns(pl.col(LABELS).str.to_lowercase())
        _check(table, name_or_path)
    else:
        known = ", ".join(shipped.mme_factors())
        where = f"exposure.mme_factors: {name_or_path}"
        raise UserError(Problem("no such factor table", where, f"one of {known}, or the path of a .csv"))
    return table.with_columns(pl.col("factor").cast(pl.Float64))


def attach(fills: pl.LazyFrame, table: pl.DataFrame) -> pl.LazyFrame:
    """Adds mme_per_day, and fills ``reason`` where it stays unknown.

    ``fills``: ingredient, route, form, strength, strength_unit, quantity, days_supply, analgesic, reason. MME/day =
    strength x quantity / days_supply x factor; patches: mcg/h x factor x quantity x days of wear / days_supply. The
    factor with the fill's own route and form goes before one for any. Fills kept apart (analgesic 0) get none.
    Reasons: no_days_supply (no interval either), buprenorphine (on, dose missing by definition), no_factor,
    strength_unknown, quantity_unknown, implausible_dose. O(n).
    """
    patch = pl.col("strength_unit") == "mcg/h"
    wear = pl.col("ingredient").replace_strict(WEAR_DAYS, default=None, return_dtype=pl.Float64)
    in_mg = pl.when(pl.col("strength_unit") == "mcg").then(pl.col("strength") / 1000).otherwise("strength")
    units = (
        pl.when(patch)
        .then(pl.when(pl.col("factor_unit") == "mcg/h").then(pl.col("strength") * wear))
        .when(pl.col("factor_unit") == "mg")
        .then(in_mg)
        .when(pl.col("factor_unit") == "mcg")
        .then(in_mg * 1000)
    )
    strength_known = pl.col("strength").is_not_null() & pl.col("strength_unit").is_not_null()
    mme = units * pl.col("quantity") / pl.col("days_supply") * pl.col("factor")
    unknown = (
        pl.when(pl.col("days_supply").is_null())
        .then(pl.lit("no_days_supply"))
        .when(pl.col("factor").is_null() & (pl.col("ingredient") == "buprenorphine"))
        .then(pl.lit("buprenorphine"))
        .when(pl.col("factor").is_null())
        .then(pl.lit("no_factor"))
        .when(~strength_known)
        .then(pl.lit("strength_unknown"))
        .when(units.is_null())  # a factor per mg for a strength per hour, or the reverse
        .then(pl.lit("no_factor"))
        .when(pl.col("quantity").is_null())
        .then(pl.lit("quantity_unknown"))
        .when(mme > MAX_MME_PER_DAY)
        .then(pl.lit("implausible_dose"))
    )
    apart = pl.col("analgesic") == 0
    return (
        _with_factor(fills, table)
        .with_columns(mme_per_day=mme, reason=pl.when(apart).then("reason").otherwise(unknown))
        .with_columns(mme_per_day=pl.when(pl.col("reason").is_null()).then("mme_per_day"))
        .drop("factor", "factor_unit")
    )


def _with_factor(fills: pl.LazyFrame, table: pl.DataFrame) -> pl.LazyFrame:
    """Adds factor and factor_unit of the most specific row: route and form, route, form, any."""
    rows = table.lazy().select("ingredient", "route", "form", "factor", factor_unit="unit")
    kinds = fills.select("ingredient", "route", "form").unique()
    matches = (
        kinds.join(rows, on="ingredient", how="inner", suffix="_of_row")
        .filter(
            pl.col("route_of_row").is_null() | (pl.col("route_of_row") == pl.col("route")),
            pl.col("form_of_row").is_null() | (pl.col("form_of_row") == pl.col("form")),
        )
        .sort(pl.col("route_of_row").is_null(), pl.col("form_of_row").is_null())
        .unique(["ingredient", "route", "form"], keep="first", maintain_order=True)
        .select("ingredient", "route", "form", "factor", "factor_unit")
    )
    return fills.join(matches, on=["ingredient", "route", "form"], how="left", nulls_equal=True, maintain_order="left")


def _check(table: pl.DataFrame, path: str) -> None:
    problems = Problems()
    number = pl.col("factor").cast(pl.Float64, strict=False)
    plausible = (number.is_finite() & (number >= 0)).fill_null(False)
    rules = (
        ("ingredient is missing", pl.col("ingredient").is_null(), "name the ingredient"),
        ("route is not known", ~pl.col("route").is_in(ROUTES), f"empty for any, or one of {', '.join(ROUTES)}"),
        ("unit is not known", ~pl.col("unit").is_in(UNITS).fill_null(False), f"one of {', '.join(UNITS)}"),
        ("factor is no number", ~plausible, "a number, 0 or more"),
        ("the product is there twice", pl.struct("ingredient", "route", "form").is_duplicated(), "keep one row"),
    )
    numbered = table.with_row_index("row", 1)
    for what, broken, fix in rules:
        rows = numbered.filter(broken.fill_null(False)).get_column("row").to_list()
        if rows:
            listed = ", ".join(map(str, rows[:SHOWN_ROWS])) + (", ..." if len(rows) > SHOWN_ROWS else "")
            problems.add(f"{what} in data rows {listed}", where=path, fix=fix)
    strangers = numbered.filter(~pl.col("ingredient").is_in(list(product_names.ingredients().values())))
    for row, name in strangers.select("row", "ingredient").head(SHOWN_ROWS).iter_rows():
        nearest = product_names.nearest_ingredient(name)
        fix = f"write {nearest} if that is meant" if nearest else "write the plain name of an opioid, or drop the row"
        problems.add(f"ingredient is no known opioid in data row {row}", where=path, fix=fix)
    if table.is_empty():
        problems.add("holds no factors", where=path, fix="add rows, or use cdc_2022")
    problems.raise_if_any()
