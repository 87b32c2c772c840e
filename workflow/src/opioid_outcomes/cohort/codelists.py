"""Code lists: which recorded codes mean a condition."""

from __future__ import annotations

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
