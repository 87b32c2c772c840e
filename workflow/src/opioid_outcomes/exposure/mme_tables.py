"""Factor tables: the shipped ones, versioned, and a user's CSV, checked. Spec: CONTRACT 7 (Factors), METHODS B1."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.canonical import ROUTES
from opioid_outcomes.errors import Problem, Problems, UserError
from opioid_outcomes.exposure import product_names
from opioid_outcomes.exposure.product_forms import FORMS

COLUMNS = ("ingredient", "route", "form", "unit", "factor", "source")
TIER = ("above",)  # optional
LABELS = COLUMNS[:4]  # read in any letter case
PRODUCT = ("ingredient", "route", "form")
UNITS = ("mg", "mcg", "mcg/h")
SHOWN_ROWS = 5  # with a mistake


def factors(name_or_path: str) -> pl.DataFrame:
    """A factor table: a shipped name (``cdc_2022``) or the path of a CSV with the same columns.

    Columns ingredient, route, form (null: any), unit (mg, mcg, mcg/h: what the factor multiplies), above (null, or the
    mg of the ingredient in a day above which the factor holds, up to and including the next row's), factor, source.
    A CSV may leave out ``above``. Raises UserError naming every mistake of a user's table by data row.
    """
    if name_or_path in shipped.mme_factors():
        table = _with_tiers(io.read_text_table(shipped.DATA / "mme" / f"{name_or_path}.csv"))
    elif name_or_path.lower().endswith(".csv") or Path(name_or_path).is_file():
        table = _with_tiers(io.read_text_table(Path(name_or_path), COLUMNS, optional=TIER))
        table = table.with_columns(pl.col(LABELS).str.to_lowercase())
        _check(table, name_or_path)
    else:
        known = ", ".join(shipped.mme_factors())
        where = f"exposure.mme_factors: {name_or_path}"
        raise UserError(Problem("no such factor table", where, f"one of {known}, or the path of a .csv"))
    return table.with_columns(pl.col("above", "factor").cast(pl.Float64)).select(
        *PRODUCT, "unit", "above", "factor", "source"
    )


def tiers(table: pl.DataFrame) -> pl.DataFrame | None:
    """ingredient, above, factor of the one ingredient whose factor depends on the day's total, by rising ``above``;
    None if the table has none."""
    found = table.drop_nulls("above").select("ingredient", "above", "factor").sort("above")
    return None if found.is_empty() else found


def _with_tiers(table: pl.DataFrame) -> pl.DataFrame:
    return table if "above" in table.columns else table.with_columns(above=pl.lit(None, pl.String))


def _check(table: pl.DataFrame, path: str) -> None:
    problems = Problems()
    number, above = (pl.col(name).cast(pl.Float64, strict=False) for name in ("factor", "above"))
    plausible = (number.is_finite() & (number >= 0)).fill_null(False)
    tiered = pl.col("above").is_not_null()
    product = pl.concat_str(pl.col(PRODUCT).fill_null(""), separator="|")
    rises = (above.diff().over(product) > 0).fill_null(True)
    rules = (
        ("ingredient is missing", pl.col("ingredient").is_null(), "name the ingredient"),
        ("route is not known", ~pl.col("route").is_in(ROUTES), f"empty for any, or one of {', '.join(ROUTES)}"),
        ("form is not known", ~pl.col("form").is_in(FORMS),
         f"empty for any, or one of {', '.join(FORMS)}"),
        ("mcg/h is the unit of patches alone", (pl.col("unit") == "mcg/h") & pl.col("route").ne_missing("transdermal"),
         "write the route transdermal, or the unit mg or mcg"),
        ("unit is not known", ~pl.col("unit").is_in(UNITS).fill_null(False), f"one of {', '.join(UNITS)}"),
        ("factor is no number", ~plausible, "a number, 0 or more"),
        ("the product is there twice", pl.struct(*PRODUCT, "above").is_duplicated(), "keep one row"),
        ("above is no number", tiered & ~(above.is_finite() & (above >= 0)).fill_null(False), "mg, 0 or more"),
        ("tiers of another product", tiered & (product != product.filter(tiered).first()),
         "only one product may have factors that depend on the day's total"),
        ("tiers do not start at 0", tiered & (above.first().over(product) != 0), "give the first row above 0"),
        ("tiers do not rise", tiered & ~rises, "sort the rows by above"),
        ("tiers are not in mg", tiered & (pl.col("unit") != "mg"), "write mg"),
        ("rows with and without above", (tiered.any() & ~tiered.all()).over(product), "give every row its tier"),
    )  # fmt: skip
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
