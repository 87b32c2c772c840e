"""Fills of other medicines by class: benzodiazepines, gabapentinoids, comparators (data/drug_classes.csv)."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.errors import Problem, UserError

COLUMNS = ("by", "value")
KEY = ["ingredient", "product_name", "code", "vocabulary"]


def fills_of_classes(dispensings: pl.DataFrame, classes: pl.DataFrame | None = None) -> pl.DataFrame:
    """The rows of ``dispensings`` that belong to a drug class, with ``class``.

    classes: columns by (ingredient, in lower case, or ATC), value, class; default: the shipped ones. A fill belongs to
    a class by its ingredient, or, where none is recorded, by an ingredient that stands as a whole word in the product's
    name, or by its ATC code. Worked out on distinct products; a fixed combination can belong to two classes.
    """
    if classes is None:
        classes = io.read_text_table(shipped.DATA / "drug_classes.csv")
    products = dispensings.select(KEY).unique()
    by_ingredient = classes.filter(pl.col("by") == "ingredient")
    words = "|".join(re.escape(name) for name in by_ingredient["value"])
    text = pl.coalesce("ingredient", "product_name").str.to_lowercase()
    named = (
        products.with_columns(text.str.extract_all(rf"\b(?:{words})\b").alias("value"))
        .explode("value")
        .join(by_ingredient, on="value")
    )
    code = pl.col("code").str.strip_chars().str.replace_all(".", "", literal=True).str.to_uppercase()
    coded = (
        products.filter((pl.col("vocabulary") == "ATC") & pl.col("ingredient").is_null())
        .join(classes.filter(pl.col("by") == "ATC"), how="cross")
        .filter(code.str.starts_with(pl.col("value")))
    )
    found = pl.concat([named.select(*KEY, "class"), coded.select(*KEY, "class")]).unique().sort(*KEY, "class")
    return dispensings.join(found, on=KEY, nulls_equal=True, maintain_order="left_right")


def lists_drugs(path: Path) -> bool:
    """Whether a file is a list of drugs (columns by, value) rather than one of codes."""
    return path.is_file() and set(COLUMNS) <= set(io.read_text_table(path).columns)


def own_class(path: Path) -> pl.DataFrame:
    """A user's list of drugs as a class of the file's name: by (ingredient or ATC), value, class. UserError if it
    holds none."""
    listed = io.read_text_table(path, COLUMNS).drop_nulls()
    if listed.is_empty() or not listed["by"].is_in(["ingredient", "ATC"]).all():
        fix = "rows of by (ingredient or ATC) and value, one for each drug"
        raise UserError(Problem("the list of drugs holds none, or a by that is neither", str(path), fix))
    code = pl.col("by") == "ATC"
    value = pl.when(code).then(pl.col("value").str.to_uppercase()).otherwise(pl.col("value").str.to_lowercase())
    return listed.with_columns(value, pl.lit(path.stem).alias("class"))
