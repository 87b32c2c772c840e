"""Code lists and drug classes: which recorded codes and products mean a condition or a class."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.canonical import DIAGNOSIS_VOCABULARIES
from opioid_outcomes.errors import Problem, UserError

EXACT_VOCABULARIES = ("SNOMED",)  # concept identifiers carry no hierarchy in their digits


def load(name_or_path: str) -> pl.DataFrame:
    """A code list (columns vocabulary, code_prefix): a shipped one by name, or a user's CSV by path.

    Prefixes come back in capitals without dots. UserError if it cannot be read, lacks a column, names an unknown
    vocabulary or holds no code.
    """
    is_shipped = name_or_path in shipped.code_lists()
    path = shipped.DATA / "codelists" / f"{name_or_path}.csv" if is_shipped else Path(name_or_path)
    if not path.is_file():
        raise UserError(
            Problem(
                f"no code list '{name_or_path}'",
                "population",
                "use a path to a CSV with columns vocabulary, code_prefix, or one of: "
                + ", ".join(shipped.code_lists()),
            )
        )
    frame = (
        io.read_text_table(path, ("vocabulary", "code_prefix"))
        .with_columns(normalised(pl.col("code_prefix")))
        .filter(pl.col("code_prefix").str.len_chars() > 0)
    )
    if not frame["vocabulary"].is_in(DIAGNOSIS_VOCABULARIES).fill_null(False).all():
        fix = "vocabularies are " + ", ".join(DIAGNOSIS_VOCABULARIES)
        raise UserError(Problem("the code list holds an unknown vocabulary", str(path), fix))
    if frame.is_empty():
        raise UserError(Problem("the code list holds no code", str(path), "add rows, one for each code"))
    return frame.unique(maintain_order=True)


def normalised(code: pl.Expr) -> pl.Expr:
    """Codes as they are compared: capitals, no dots, no blanks around them."""
    return code.str.strip_chars().str.replace_all(".", "", literal=True).str.to_uppercase()


def matches(diagnoses: pl.DataFrame, code_list: pl.DataFrame) -> pl.DataFrame:
    """The diagnoses whose code begins with (SNOMED: is) a code of the list in the same vocabulary.

    Matched on the distinct codes, so the cost follows their number, not the number of rows.
    """
    codes = diagnoses.select("vocabulary", "code").unique().with_columns(normalised(pl.col("code")).alias("plain"))
    found = (
        codes.join(code_list, on="vocabulary")
        .filter(
            pl.when(pl.col("vocabulary").is_in(EXACT_VOCABULARIES))
            .then(pl.col("plain") == pl.col("code_prefix"))
            .otherwise(pl.col("plain").str.starts_with(pl.col("code_prefix")))
        )
        .select("vocabulary", "code")
        .unique()
    )
    return diagnoses.join(found, on=["vocabulary", "code"], how="semi", maintain_order="left")


def drug_class_fills(dispensings: pl.DataFrame) -> pl.DataFrame:
    """Fills of the shipped drug classes: person_id, date, class.

    A fill belongs to a class by its ingredient, or, where none is recorded, by an ingredient that stands as a whole
    word in the product's name, or by its ATC code. Worked out on distinct products; a fixed combination can belong to
    two classes.
    """
    classes = io.read_text_table(shipped.DATA / "drug_classes.csv")
    key = ["ingredient", "product_name", "code", "vocabulary"]
    products = dispensings.select(key).unique()
    by_ingredient = classes.filter(pl.col("by") == "ingredient")
    words = "|".join(re.escape(name) for name in by_ingredient["value"])
    text = pl.coalesce("ingredient", "product_name").str.to_lowercase()
    named = (
        products.with_columns(text.str.extract_all(rf"\b(?:{words})\b").alias("value"))
        .explode("value")
        .join(by_ingredient, on="value")
    )
    coded = (
        products.filter((pl.col("vocabulary") == "ATC") & pl.col("ingredient").is_null())
        .join(classes.filter(pl.col("by") == "ATC"), how="cross")
        .filter(normalised(pl.col("code")).str.starts_with(pl.col("value")))
    )
    found = pl.concat([named.select(*key, "class"), coded.select(*key, "class")]).unique()
    fills = dispensings.select("person_id", "date", *key)
    return fills.join(found, on=key, nulls_equal=True).select("person_id", "date", "class")
