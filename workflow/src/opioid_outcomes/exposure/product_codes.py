"""Product codes as compared: NDC in any of its spellings, RxNorm, ATC and OMOP codes as they are.

An NDC is labeler, product and package: 5, 4 and 2 digits in claims, but 4-4-2, 5-3-2 or 5-4-1 on the package (10
digits; US Food and Drug Administration, 21 CFR 207). A spreadsheet eats the zeros it begins with, writes 406055201.0 or
4.06055201E+08, or puts an apostrophe before it.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.exposure.distinct import distinct

PARTS = r"^(\d{1,5})-(\d{1,4})-(\d{1,2})$"
LENGTH = 11
APOSTROPHES = "'`\u2018\u2019\""
DASHES = r"[\u2010-\u2015\u2212]"
LABEL = r"(?i)^NDC[\s:#]*(\d)"
SCIENTIFIC = r"^(\d)\.(\d+)[Ee]\+?0*(\d{1,2})$"


def plain() -> pl.Expr:
    """A code without hyphens and blanks, in upper case; an NDC of three parts with each filled up, so of 11 digits.

    Whole numbers that were written as floats are read as such; 4.06055E+08 has lost digits, and stays as it is.
    """
    code = pl.col("code").cast(pl.String).str.strip_chars().str.strip_chars(APOSTROPHES).str.strip_chars()
    code = code.str.replace_all(DASHES, "-").str.replace(LABEL, "${1}").str.replace(r"^(\d+)\.0+$", "${1}")
    number = code.str.extract_groups(SCIENTIFIC)
    digits = number.struct.field("1") + number.struct.field("2")
    whole = number.struct.field("2").str.len_chars() == number.struct.field("3").cast(pl.UInt32, strict=False)
    code = pl.when(whole).then(digits).otherwise(code)
    parts = code.str.extract_groups(PARTS)
    filled = pl.concat_str(
        [parts.struct.field(str(number)).str.zfill(width) for number, width in ((1, 5), (2, 4), (3, 2))]
    )
    bare = code.str.replace_all(r"[-\s]", "").str.to_uppercase()
    return pl.when(pl.col("vocabulary") == "NDC").then(pl.coalesce(filled, bare)).otherwise(bare).alias("code")


def match(recorded: pl.DataFrame, codes: pl.DataFrame, product: tuple[str, ...]) -> pl.Series:
    """The row of ``codes`` that each recorded code stands for; null where none does, or where it cannot be told.

    Both have code (``plain``) and vocabulary. A code that is there as written is that one. Of an NDC with fewer than 11
    digits every 11-digit code that it may be is looked up; it stands for a product if all that are found are of one
    (the same in the columns ``product``).
    """
    rows = codes.with_row_index("row")
    as_written = recorded.join(
        rows.select("code", "vocabulary", "row"), on=["code", "vocabulary"], how="left", maintain_order="left"
    ).get_column("row")
    _, kind = distinct(codes, product)
    found = (
        _possible(recorded.with_row_index("place"), "place")
        .join(_possible(rows.with_columns(kind=kind), "row", "kind"), on="ndc")
        .group_by("place")
        .agg(pl.col("kind").n_unique(), pl.col("row").min())
        .filter(pl.col("kind") == 1)
    )
    places = pl.int_range(recorded.height, dtype=pl.UInt32, eager=True).alias("place").to_frame()
    guessed = places.join(found.select("place", "row"), on="place", how="left", maintain_order="left")
    return as_written.zip_with(as_written.is_not_null(), guessed.get_column("row"))


def contradicted(codes: pl.DataFrame, product: tuple[str, ...]) -> pl.Series:
    """Rows whose NDC of fewer than 11 digits may be that of another row, which is of a different product."""
    if codes.is_empty():
        return pl.Series(dtype=pl.Boolean)
    _, kind = distinct(codes, product)
    rows = codes.with_columns(kind=kind).with_row_index("place")
    whole = pl.col("code").str.len_chars() == LENGTH
    exact = rows.filter(whole, pl.col("vocabulary") == "NDC").select(ndc="code", other="kind")
    pairs = (
        _possible(rows.filter(~whole), "place", "kind").join(exact, on="ndc").filter(pl.col("kind") != pl.col("other"))
    )
    return rows.get_column("place").is_in(pairs.get_column("place").implode())


def _possible(codes: pl.DataFrame, *kept: str) -> pl.DataFrame:
    """The 11-digit NDCs that each code may be, one row each, beside the columns ``kept``.

    Ten digits are one of 4-4-2, 5-3-2 and 5-4-1. Fewer have lost zeros in front, unless they begin with one.
    """
    ndc = codes.filter(pl.col("vocabulary") == "NDC", pl.col("code").str.contains(rf"^\d{{1,{LENGTH}}}$"))
    code = pl.col("code")
    short = code.str.len_chars() < LENGTH
    lost = code.str.zfill(LENGTH - 1)
    spelt = [
        pl.concat_str(pl.lit("0"), lost),
        pl.concat_str(lost.str.head(5), pl.lit("0"), lost.str.slice(5)),
        pl.concat_str(lost.str.head(9), pl.lit("0"), lost.str.slice(9)),
    ]
    usable = ~(code.str.starts_with("0") & (code.str.len_chars() < LENGTH - 1))
    return (
        ndc.filter(usable)
        .select(*kept, ndc=pl.when(short).then(pl.concat_list(spelt)).otherwise(pl.concat_list(code)))
        .explode("ndc")
        .unique(maintain_order=True)
    )
