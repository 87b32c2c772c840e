"""The exposure ledger: what became of the fills, counted (display ``exposure_ledger``)."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure import clean as clean_fills
from opioid_outcomes.exposure import repair, set_apart
from opioid_outcomes.exposure.products import RANGE_ENDS, Resolved
from opioid_outcomes.exposure.stays import merge

SHOWN_CODES = 20
SHOWN_CODE_FILLS = 11  # a label is shown when at least 11 rows carry it (CONTRACT 7, Messages)
NONE = pl.DataFrame(schema={"item": pl.String, "label": pl.String, "fills": pl.Int64, "persons": pl.Int64})


def ledger(
    resolved: Resolved, clean: pl.DataFrame, supplies: pl.DataFrame, stays: pl.DataFrame, rules: Exposure
) -> pl.DataFrame:
    """item, label, fills, persons, sorted by item and falling fills.

    Items: ingredient; set_apart (reason); unusable (amounts as recorded that cannot be, by kind); range (amounts
    recorded as ranges); repair (rules); dose_unknown (reason); factor_missing (ingredient and route); stockpile (early
    refills whose left-over days the cap cut); stay (supply held in hospital); not_opioid; not_recognised (by
    vocabulary of the code that no dictionary knows: every such fill once); code_not_recognised (the commonest of these
    codes, part of them). ``supplies``: rows of ``daily_dose.supplies``, after ``stays``, the canonical table.
    """
    kept = clean.filter(pl.col("analgesic") == 1)
    drug_and_route = pl.concat_str(
        pl.col("ingredient").cast(pl.String), pl.col("route").cast(pl.String).fill_null("route unknown"), separator=", "
    )
    in_hospital = held(supplies, stays.head(stays.height if rules.stays == "extend" else 0))
    parts = [
        _count(clean, "ingredient", pl.col("ingredient")),
        _count(clean.filter(pl.col("analgesic") == 0), "set_apart", pl.col("reason")),
        *_unusable(resolved, rules),
        _count(clean.filter(pl.col("repair").is_not_null()), "repair", pl.col("repair")),
        _count(kept.filter(pl.col("reason").is_not_null()), "dose_unknown", pl.col("reason")),
        _count(kept.filter(pl.col("reason") == "no_factor"), "factor_missing", drug_and_route),
        _count(
            supplies.filter(pl.col("dropped_days") > 0), "stockpile", pl.lit("left-over days above the cap dropped")
        ),
        _count(in_hospital, "stay", pl.lit("supply held through a stay")),
        *_of_products(resolved),
    ]
    return pl.concat(parts).sort("item", "fills", "label", descending=[False, True, False])


def unusable(most_per_day: pl.Expr, rules: Exposure) -> dict[str, pl.Expr]:
    """Label: whether a fill's amount as recorded is of that kind. Needs the fill's amounts and strength."""
    quantity, days = pl.col("quantity"), pl.col("days_supply")
    longest, most = rules.days_supply.max, rules.quantity.max_per_day
    return {
        "days_supply missing": days.is_null(),
        "days_supply 0": days == 0,
        "days_supply negative": days < 0,
        f"days_supply above {longest}": days > longest,
        "quantity missing": quantity.is_null(),
        "quantity 0": quantity == 0,
        "quantity negative": quantity < 0,
        f"quantity above {most:g} tablets, {most * repair.LIQUID:g} mL or {most * repair.PATCH:g} patches a day": (
            (days > 0) & (days <= longest) & (quantity > days * most_per_day)
        ),
        "strength missing": pl.col("strength").is_null(),
        "strength implausible": ~pl.col("strength_plausible"),
    }


def held(supplies: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    """Supply held through stays in hospital: no other supply lies inside one."""
    there = supplies.filter(pl.col("start") < pl.col("stop")).join(stays, on="person_id", how="semi")
    inside = (pl.col("start") >= pl.col("admission")) & (pl.col("stop") <= pl.col("end_right"))
    joined = there.join(merge(stays).rename({"start": "admission"}), on="person_id", maintain_order="left")
    return joined.filter(inside)


def _unusable(resolved: Resolved, rules: Exposure) -> list[pl.DataFrame]:
    """Amounts of fills that people take at home, as recorded: what repair starts from."""
    kinds = set_apart.classify(resolved.products, rules.buprenorphine.sublingual_without_indication)
    kinds = kinds.with_columns(
        home=pl.col("opioid") & clean_fills.supplied(),
        most=pl.Series(repair.most_per_day(kinds, rules.quantity.max_per_day)),
    )
    row = resolved.fills.get_column("product_row")
    fills = resolved.fills.with_columns(
        kinds.get_column(name).gather(row) for name in ("home", "strength", "strength_plausible", "most")
    ).filter("home")
    kinds_of = unusable(pl.col("most"), rules)
    ranges = {f"{name.removesuffix('_to')} ({rules.ranges})": pl.col(name).is_not_null() for name in RANGE_ENDS}
    return [
        _count(fills.filter(holds), item, pl.lit(label))
        for item, labels in (("unusable", kinds_of), ("range", ranges))
        for label, holds in labels.items()
    ]


def _of_products(resolved: Resolved) -> list[pl.DataFrame]:
    """What is no opioid, or not known to be one."""
    kinds = resolved.products
    unknown = ~pl.col("recognised")
    of_vocabulary = pl.concat_str(pl.coalesce("vocabulary", pl.lit("other")), pl.lit(" code not in a dictionary"))
    labels = kinds.select(
        not_opioid=pl.when(pl.col("recognised") & ~pl.col("opioid")).then(pl.lit("other medicines")),
        not_recognised=pl.when(unknown).then(
            pl.when(pl.col("code").is_null()).then(pl.lit("no code")).otherwise(of_vocabulary)
        ),
        code_not_recognised=pl.when(unknown & pl.col("code").is_not_null()).then(
            pl.concat_str("vocabulary", "code", separator=" ", ignore_nulls=True)
        ),
    )
    row = resolved.fills.get_column("product_row")
    parts = []
    for item in labels.columns:
        there = labels.get_column(item).is_not_null()
        rows = resolved.fills.select("person_id", "product_row").filter(there.gather(row)) if there.any() else None
        if rows is None:
            continue
        label = labels.get_column(item).gather(rows.get_column("product_row"))
        counted = _count(rows, item, pl.lit(label))
        if item == "code_not_recognised":
            commonest = counted.filter(pl.col("fills") >= SHOWN_CODE_FILLS)
            counted = commonest.sort("fills", "label", descending=[True, False]).head(SHOWN_CODES)
        parts.append(counted)
    return parts


def _count(rows: pl.DataFrame, item: str, label: pl.Expr) -> pl.DataFrame:
    if rows.is_empty():
        return NONE
    return (
        rows.select("person_id", label.alias("label"))
        .group_by("label")
        .agg(fills=pl.len().cast(pl.Int64), persons=pl.col("person_id").n_unique().cast(pl.Int64))
        .select(pl.lit(item).alias("item"), pl.col("label").cast(pl.String), "fills", "persons")
    )
