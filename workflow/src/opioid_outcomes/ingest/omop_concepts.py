"""OMOP concepts: the identifiers the ingest knows by heart, and the names and codes of the rest."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.exposure import product_names
from opioid_outcomes.ingest.omop_files import CdmFolder

# Standard concepts of the OHDSI vocabularies (athena.ohdsi.org)
SEX = {8507: "M", 8532: "F"}
RACE = {
    8515: "Asian",
    8516: "Black or African American",
    8522: "Other Race",
    8527: "White",
    8557: "Native Hawaiian or Other Pacific Islander",
    8657: "American Indian or Alaska Native",
}
INPATIENT_VISITS = (9201, 262)  # inpatient visit; emergency room and inpatient visit

# Scores by LOINC code (loinc.org): 0-10 numeric ratings of pain, and sums of questionnaires
PAIN_SCORES = {
    "72514-3": "NRS",  # pain severity, 0-10 verbal numeric rating
    "38208-5": "NRS",  # pain severity, reported
    "75893-8": "NRS",  # pain severity in the past week, 0-10 numeric rating
}
QUESTIONNAIRES = {"44261-6": "phq9", "55758-7": "phq2", "70274-6": "gad7"}

CONCEPT_COLUMNS = ("concept_id", "concept_name", "vocabulary_id", "concept_code", "concept_class_id")


def concept_id(column: str) -> pl.Expr:
    """A concept id as an integer; null for 0 ("no matching concept") and for what is no number."""
    number = pl.col(column).cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    return pl.when(number > 0).then(number).alias(column)


def read_concepts(cdm: CdmFolder, used: pl.Series) -> pl.DataFrame:
    """Name, vocabulary, code and class of the concepts in use, one row each; empty without a concept table."""
    if not cdm.has("concept"):
        return pl.DataFrame(schema=dict.fromkeys(CONCEPT_COLUMNS, pl.String)).cast({"concept_id": pl.Int64})
    ids = used.drop_nulls().unique().sort()
    rows = cdm.read_vocabulary(
        "concept", CONCEPT_COLUMNS[:4], CONCEPT_COLUMNS[4:], concept_id("concept_id").is_in(ids.implode())
    )
    return rows.with_columns(concept_id("concept_id")).unique("concept_id", keep="first", maintain_order=True)


def the_ingredient(rows: pl.DataFrame) -> pl.DataFrame:
    """Of rows (drug_concept_id, ingredient, ...) those of a product's one ingredient, or of the only opioid of several.

    A product of two opioids, or of several other things, has no row.
    """
    words = product_names.opioid_words().pattern
    rows = rows.unique(maintain_order=True)
    opioid = pl.col("ingredient").str.contains(words).fill_null(False)
    alone = pl.len().over("drug_concept_id") == 1
    return rows.filter(alone | (opioid & (opioid.sum().over("drug_concept_id") == 1)))


def ancestor_ingredients(cdm: CdmFolder, drugs: pl.Series) -> pl.DataFrame:
    """drug_concept_id, ingredient (lower case): the ingredients that CONCEPT_ANCESTOR puts products under."""
    nothing = pl.DataFrame(schema={"drug_concept_id": pl.Int64, "ingredient": pl.String})
    if not (cdm.has("concept_ancestor") and cdm.has("concept")):
        return nothing
    ids = drugs.drop_nulls().unique().sort()
    pairs = cdm.read_vocabulary(
        "concept_ancestor",
        ("ancestor_concept_id", "descendant_concept_id"),
        (),
        concept_id("descendant_concept_id").is_in(ids.implode()),
    ).with_columns(concept_id("ancestor_concept_id"), concept_id("descendant_concept_id"))
    ancestors = read_concepts(cdm, pairs["ancestor_concept_id"]).filter(pl.col("concept_class_id") == "Ingredient")
    return (
        pairs.join(ancestors, left_on="ancestor_concept_id", right_on="concept_id")
        .select(
            pl.col("descendant_concept_id").alias("drug_concept_id"),
            pl.col("concept_name").str.to_lowercase().alias("ingredient"),
        )
        .sort("drug_concept_id", "ingredient")
    )


def describe(rows: pl.DataFrame, concepts: pl.DataFrame, column: str, prefix: str) -> pl.DataFrame:
    """Joins what is known of the concept in ``column``: ``<prefix>_name``, ``_vocabulary``, ``_code``, ``_class``."""
    known = concepts.select(
        pl.col("concept_id").alias(column),
        pl.col("concept_name").alias(f"{prefix}_name"),
        pl.col("vocabulary_id").alias(f"{prefix}_vocabulary"),
        pl.col("concept_code").alias(f"{prefix}_code"),
        pl.col("concept_class_id").alias(f"{prefix}_class"),
    )
    return rows.join(known, on=column, how="left", maintain_order="left")
