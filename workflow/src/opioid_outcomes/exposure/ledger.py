"""The exposure ledger: what became of the fills, counted (display ``exposure_ledger``)."""

from __future__ import annotations

import polars as pl

SHOWN_CODES = 20
SHOWN_CODE_FILLS = 11  # a label is shown when at least 11 rows carry it (CONTRACT 7, Messages)


def ledger(resolved: pl.DataFrame, clean: pl.DataFrame, supplies: pl.DataFrame) -> pl.DataFrame:
    """item, label, fills, persons, sorted by item and falling fills.

    Items: ingredient; set_apart (reason); repair (rule); dose_unknown (reason); factor_missing (ingredient and route);
    stockpile (early refills whose left-over days the cap cut); not_opioid; not_recognised (by vocabulary of the code
    that no dictionary knows: every such fill once); code_not_recognised (the commonest of these codes, part of them).
    """
    kept = clean.filter(pl.col("analgesic") == 1)
    unknown = resolved.filter(~pl.col("recognised"))
    drug_and_route = pl.concat_str("ingredient", pl.col("route").fill_null("route unknown"), separator=", ")
    of_vocabulary = pl.concat_str(pl.coalesce("vocabulary", pl.lit("other")), pl.lit(" code not in a dictionary"))
    by_vocabulary = pl.when(pl.col("code").is_null()).then(pl.lit("no code")).otherwise(of_vocabulary)
    codes = _count(
        unknown.drop_nulls("code"), "code_not_recognised", pl.concat_str("vocabulary", "code", separator=" ")
    )
    commonest = codes.filter(pl.col("fills") >= SHOWN_CODE_FILLS).sort("fills", "label", descending=[True, False])
    parts = [
        _count(clean, "ingredient", pl.col("ingredient")),
        _count(clean.filter(pl.col("analgesic") == 0), "set_apart", pl.col("reason")),
        _count(clean.drop_nulls("repair"), "repair", pl.col("repair")),
        _count(kept.drop_nulls("reason"), "dose_unknown", pl.col("reason")),
        _count(kept.filter(pl.col("reason") == "no_factor"), "factor_missing", drug_and_route),
        _count(
            supplies.filter(pl.col("dropped_days") > 0), "stockpile", pl.lit("left-over days above the cap dropped")
        ),
        _count(resolved.filter(pl.col("recognised") & ~pl.col("opioid")), "not_opioid", pl.lit("other medicines")),
        _count(unknown, "not_recognised", by_vocabulary),
        commonest.head(SHOWN_CODES),
    ]
    return pl.concat(parts).sort("item", "fills", "label", descending=[False, True, False])


def _count(rows: pl.DataFrame, item: str, label: pl.Expr) -> pl.DataFrame:
    return (
        rows.with_columns(label.alias("label"))
        .group_by("label")
        .agg(fills=pl.len().cast(pl.Int64), persons=pl.col("person_id").n_unique().cast(pl.Int64))
        .select(pl.lit(item).alias("item"), pl.col("label").cast(pl.String), "fills", "persons")
    )
