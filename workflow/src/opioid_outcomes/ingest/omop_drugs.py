"""OMOP drug exposures to dispensings: product, ingredient, strength and route from the vocabulary.

Where the vocabulary gives no strength, the product's name is kept, and exposure reads it from there.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.ingest.omop_clinical import set_aside
from opioid_outcomes.ingest.omop_concepts import describe, the_ingredient
from opioid_outcomes.ingest.raw import Raw

# Units of DRUG_STRENGTH (UCUM concepts)
GRAM, MILLIGRAM, MICROGRAM, MILLILITRE, HOUR = 8504, 8576, 9655, 8587, 8505
IN_MILLIGRAM = {GRAM: 1000.0, MILLIGRAM: 1.0, MICROGRAM: 0.001}

WORD = r"\p{L}{4}"  # a name of a drug has a word, a local code has none

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


def products(strengths: pl.DataFrame, concepts: pl.DataFrame, ancestors: pl.DataFrame) -> pl.DataFrame:
    """drug_concept_id, ingredient, strength, strength_unit: one row per product that the vocabulary knows something of.

    The ingredient is DRUG_STRENGTH's, else CONCEPT_ANCESTOR's (``ancestors``): the only one, or the only opioid of
    several. Products of two opioids are left to their names; so are strengths without a unit.
    """
    named = describe(strengths, concepts, "ingredient_concept_id", "ingredient").select(
        "drug_concept_id", pl.col("ingredient_name").str.to_lowercase().alias("ingredient"), *_strength()
    )
    known = the_ingredient(named).join(the_ingredient(ancestors), on="drug_concept_id", how="full", coalesce=True)
    ingredient = pl.coalesce("ingredient", "ingredient_right").alias("ingredient")
    return (
        known.select("drug_concept_id", ingredient, "strength", "strength_unit")
        .filter(pl.col("ingredient").is_not_null())
        .sort("drug_concept_id")
    )


def _strength() -> tuple[pl.Expr, pl.Expr]:
    """Strength and unit in the contract's units; null where DRUG_STRENGTH gives no unit that is known."""
    amount = _number("amount_value") * _in_milligram("amount_unit_concept_id")
    numerator = _number("numerator_value") * _in_milligram("numerator_unit_concept_id")
    concentration = numerator / _number("denominator_value").fill_null(1.0)
    per_hour = (pl.col("denominator_unit_concept_id") == HOUR) & (concentration > 0)
    per_volume = (pl.col("denominator_unit_concept_id") == MILLILITRE) & (concentration > 0)
    strength = (
        pl.when(amount > 0).then(amount).when(per_hour).then(concentration * 1000).when(per_volume).then(concentration)
    )
    unit = (
        pl.when(amount > 0)
        .then(pl.lit("mg"))
        .when(per_hour)
        .then(pl.lit("mcg/h"))
        .when(per_volume)
        .then(pl.lit("mg/mL"))
    )
    return strength.round(9).alias("strength"), unit.alias("strength_unit")


def dispensings(rows: pl.DataFrame, concepts: pl.DataFrame, known: pl.DataFrame) -> Raw:
    """One dispensing per drug exposure.

    Its code is the standard concept, else the source concept; where the vocabulary knows nothing of that concept, the
    source's NDC, which a drug dictionary may know. Its name is the concept's, else what the source calls the drug.
    ``source_code`` goes along, so that two packs of one product on one day (two NDCs) are not taken for copies.
    """
    product = pl.coalesce("drug_concept_id", "drug_source_concept_id")
    coded = describe(rows.with_columns(product.alias("product")), concepts, "product", "product")
    coded = describe(coded, concepts, "route_concept_id", "route")
    coded = describe(coded, concepts, "drug_source_concept_id", "source")
    coded = coded.join(known, left_on="product", right_on="drug_concept_id", how="left", maintain_order="left")
    source_text = pl.col("drug_source_value").cast(pl.String).str.strip_chars()
    ndc = pl.coalesce(
        pl.when(pl.col("source_vocabulary") == "NDC").then("source_code"),
        pl.when(source_text.str.contains(r"^\d{11}$")).then(source_text),
    )
    by_ndc = ndc.is_not_null() & pl.coalesce("product_name", "ingredient").is_null()
    coded = coded.select(
        "row",
        "person_id",
        pl.col("drug_exposure_start_date").alias("date"),
        pl.when(by_ndc).then(ndc).otherwise(pl.col("product").cast(pl.String)).alias("code"),
        pl.when(by_ndc).then(pl.lit("NDC")).when(pl.col("product").is_not_null()).then(pl.lit("OMOP"))
        .alias("vocabulary"),
        pl.coalesce("product_name", pl.when(source_text.str.contains(WORD)).then(source_text)).alias("product_name"),
        "ingredient",
        _route().alias("route"),
        "strength",
        "strength_unit",
        "quantity",
        "days_supply",
        source_text.alias("source_code"),
    )  # fmt: skip
    usable = pl.coalesce("code", "product_name").is_not_null()
    return Raw("drug_exposure", "dispensings", coded.filter(usable), set_aside(coded.filter(~usable), "no_code"))


def _number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64, strict=False)


def _in_milligram(unit: str) -> pl.Expr:
    return pl.col(unit).replace_strict(IN_MILLIGRAM, default=None, return_dtype=pl.Float64)


def _route() -> pl.Expr:
    """The route concept's; else the source concept's, where the product's name tells none: "fentanyl 0.1 MG" stands for
    "Injection, fentanyl citrate, 0.1 mg" of HCPCS. An oral route is left to the names, as lozenges are oral, too."""
    silent = _said("product_name").is_null()
    of_source = pl.when(silent & (_said("source_name") != "oral")).then(_said("source_name"))
    return pl.coalesce(_said("route_name"), of_source)


def _said(column: str) -> pl.Expr:
    name = pl.col(column).str.to_lowercase()
    return pl.coalesce(
        *(pl.when(name.str.contains(word, literal=True)).then(pl.lit(route)) for word, route in ROUTE_WORDS)
    )
