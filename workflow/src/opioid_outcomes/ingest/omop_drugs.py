"""OMOP drug exposures to dispensings: product, ingredient, strength and route from the vocabulary.

Where the vocabulary gives no strength, the product's name is kept, and exposure reads it from there.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.ingest.omop_clinical import set_aside
from opioid_outcomes.ingest.omop_concepts import describe
from opioid_outcomes.ingest.raw import Raw

# Units of DRUG_STRENGTH (UCUM concepts)
GRAM, MILLIGRAM, MICROGRAM, MILLILITRE, HOUR = 8504, 8576, 9655, 8587, 8505
IN_MILLIGRAM = {GRAM: 1000.0, MILLIGRAM: 1.0, MICROGRAM: 0.001}

# Words of a route concept's name, first match wins; the contract's routes
ROUTE_WORDS = (
    ("transdermal", "transdermal"), ("sublingual", "sublingual"), ("buccal", "buccal"), ("oromucosal", "buccal"),
    ("nasal", "nasal"), ("rectal", "rectal"), ("inhal", "inhaled"), ("respiratory", "inhaled"), ("implant", "implant"),
    ("intraven", "injection"), ("intramusc", "injection"), ("subcutan", "injection"), ("inject", "injection"),
    ("epidural", "injection"), ("intrathecal", "injection"), ("parenteral", "injection"), ("infus", "injection"),
    ("oral", "oral"),
)  # fmt: skip

STRENGTH_COLUMNS = (
    "drug_concept_id", "ingredient_concept_id", "amount_value", "amount_unit_concept_id", "numerator_value",
    "numerator_unit_concept_id", "denominator_value", "denominator_unit_concept_id",
)  # fmt: skip


def strengths(rows: pl.DataFrame, concepts: pl.DataFrame) -> pl.DataFrame:
    """Drug concept, ingredient, strength, strength_unit: one row per product with one ingredient and known units.

    Products of several ingredients are left to their names, which say which strength belongs to which.
    """
    single = rows.filter(pl.len().over("drug_concept_id") == 1, pl.col("ingredient_concept_id").is_not_null())
    values = [name for name in STRENGTH_COLUMNS if name.endswith("_value")]
    single = single.with_columns(pl.col(values).cast(pl.Float64, strict=False))
    amount = pl.col("amount_value") * _in_milligram("amount_unit_concept_id")
    per = pl.col("denominator_value").fill_null(1.0)
    concentration = pl.col("numerator_value") * _in_milligram("numerator_unit_concept_id") / per
    in_hours = pl.col("denominator_unit_concept_id") == HOUR
    in_volume = pl.col("denominator_unit_concept_id") == MILLILITRE
    named = describe(single, concepts, "ingredient_concept_id", "ingredient")
    return named.select(
        "drug_concept_id",
        pl.col("ingredient_name").str.to_lowercase().alias("ingredient"),
        pl.when(amount > 0).then(amount)
        .when(in_hours & (concentration > 0)).then(concentration * 1000)
        .when(in_volume & (concentration > 0)).then(concentration).alias("strength"),
        pl.when(amount > 0).then(pl.lit("mg"))
        .when(in_hours).then(pl.lit("mcg/h"))
        .when(in_volume).then(pl.lit("mg/mL")).alias("strength_unit"),
    ).filter(pl.col("strength").is_not_null(), pl.col("ingredient").is_not_null())  # fmt: skip


def dispensings(rows: pl.DataFrame, concepts: pl.DataFrame, known: pl.DataFrame) -> Raw:
    """One dispensing per drug exposure: the standard concept, else the source concept, else an NDC as it stands."""
    source_text = pl.col("drug_source_value").cast(pl.String).str.strip_chars()
    ndc = pl.when(source_text.str.contains(r"^\d{11}$")).then(source_text)
    product = pl.coalesce("drug_concept_id", "drug_source_concept_id")
    coded = describe(rows.with_columns(product.alias("product")), concepts, "product", "product")
    coded = describe(coded, concepts, "route_concept_id", "route")
    coded = coded.join(known, left_on="product", right_on="drug_concept_id", how="left", maintain_order="left")
    coded = coded.select(
        "row",
        "person_id",
        pl.col("drug_exposure_start_date").alias("date"),
        pl.coalesce(pl.col("product").cast(pl.String), ndc).alias("code"),
        pl.when(pl.col("product").is_not_null()).then(pl.lit("OMOP"))
        .when(ndc.is_not_null()).then(pl.lit("NDC")).alias("vocabulary"),
        pl.col("product_name").alias("product_name"),
        "ingredient",
        _route().alias("route"),
        "strength",
        "strength_unit",
        "quantity",
        "days_supply",
    )  # fmt: skip
    usable = pl.col("code").is_not_null()
    return Raw("drug_exposure", "dispensings", coded.filter(usable), set_aside(coded.filter(~usable), "no_code"))


def _in_milligram(unit: str) -> pl.Expr:
    return pl.col(unit).replace_strict(IN_MILLIGRAM, default=None, return_dtype=pl.Float64)


def _route() -> pl.Expr:
    name = pl.col("route_name").str.to_lowercase()
    return pl.coalesce(
        *(pl.when(name.str.contains(word, literal=True)).then(pl.lit(route)) for word, route in ROUTE_WORDS)
    )
