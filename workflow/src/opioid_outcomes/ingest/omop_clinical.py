"""OMOP persons, observation periods, conditions, scores, deaths and visits, on their way to the canonical tables.

Every function takes the rows of a CDM table (concept ids as integers, see ``omop.read``) and accounts for each of them.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.ingest.omop_concepts import (
    INPATIENT_VISITS,
    PAIN_SCORES,
    QUESTIONNAIRES,
    RACE,
    SEX,
    describe,
)
from opioid_outcomes.ingest.raw import EXCLUDED_SCHEMA, Raw, no_rows_excluded

ICD = ("ICD10CM", "ICD10", "ICD9CM")
# A letter, a digit, a character, then at most four more. ICD-9 V codes and E800-E999 look alike and are left out.
ICD10_LIKE = r"^[A-TW-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?$"
ICD9_EXTERNAL = r"^E[89]\d\d"


def set_aside(rows: pl.DataFrame, rule: str) -> pl.DataFrame:
    return rows.select("row", pl.lit(rule).alias("rule")).cast(EXCLUDED_SCHEMA)  # type: ignore[arg-type]


def icd10_like(column: str) -> pl.Expr:
    """Whether a source value reads as an ICD-10 code and as no ICD-9 one."""
    text = pl.col(column).cast(pl.String).str.strip_chars().str.to_uppercase()
    return (text.str.contains(ICD10_LIKE) & ~text.str.contains(ICD9_EXTERNAL)).fill_null(False)


def persons(rows: pl.DataFrame, concepts: pl.DataFrame) -> Raw:
    """Sex other than female or male is U; race is the concept's name, null where it is not known."""
    named = describe(rows, concepts, "race_concept_id", "race")
    standard = pl.col("race_concept_id").replace_strict(RACE, default=None, return_dtype=pl.String)
    frame = named.select(
        "row",
        "person_id",
        pl.col("gender_concept_id").replace_strict(SEX, default="U", return_dtype=pl.String).alias("sex"),
        pl.col("year_of_birth").alias("birth_year"),
        pl.coalesce("race_name", standard).alias("race"),
    )
    return Raw("person", "persons", frame, no_rows_excluded())


def observation(rows: pl.DataFrame) -> Raw:
    names = {"observation_period_start_date": "start", "observation_period_end_date": "end"}
    return Raw(
        "observation_period", "observation", rows.rename(names).select("row", "person_id", "start", "end"),
        no_rows_excluded(),
    )  # fmt: skip


def diagnoses(rows: pl.DataFrame, concepts: pl.DataFrame) -> Raw:
    """The code as the source recorded it where that is ICD, for the code lists are finest there; else SNOMED."""
    named = describe(rows, concepts, "condition_source_concept_id", "source")
    named = describe(named, concepts, "condition_concept_id", "standard")
    source_icd = pl.col("source_vocabulary").is_in(ICD)
    source_text = pl.col("source_vocabulary").is_null() & icd10_like("condition_source_value")
    standard = pl.col("standard_vocabulary") == "SNOMED"
    source_snomed = pl.col("source_vocabulary") == "SNOMED"
    coded = named.select(
        "row",
        "person_id",
        pl.col("condition_start_date").alias("date"),
        pl.when(source_icd).then("source_code")
        .when(source_text).then(pl.col("condition_source_value").cast(pl.String).str.strip_chars().str.to_uppercase())
        .when(standard).then("standard_code")
        .when(source_snomed).then("source_code").alias("code"),
        pl.when(source_icd).then("source_vocabulary")
        .when(source_text).then(pl.lit("ICD10CM"))
        .when(standard | source_snomed).then(pl.lit("SNOMED")).alias("vocabulary"),
    )  # fmt: skip
    usable = pl.col("code").is_not_null()
    return Raw("condition_occurrence", "diagnoses", coded.filter(usable), set_aside(coded.filter(~usable), "no_code"))


def scores(table: str, rows: pl.DataFrame, concepts: pl.DataFrame) -> tuple[Raw, Raw]:
    """Pain scores and questionnaire sums of MEASUREMENT or OBSERVATION; rows of other concepts are not used.

    The LOINC code is the concept's, or the source value where the concept is not mapped.
    """
    named = describe(rows, concepts, f"{table}_concept_id", "standard")
    unmapped = pl.col("standard_vocabulary").is_null()
    loinc = (
        pl.when(pl.col("standard_vocabulary") == "LOINC").then("standard_code")
        .when(unmapped).then(pl.col(f"{table}_source_value").cast(pl.String).str.strip_chars())
    )  # fmt: skip
    scored = named.select(
        "row",
        "person_id",
        pl.col(f"{table}_date").alias("date"),
        pl.col("value_as_number").alias("value"),
        loinc.replace_strict(PAIN_SCORES, default=None, return_dtype=pl.String).alias("scale"),
        loinc.replace_strict(QUESTIONNAIRES, default=None, return_dtype=pl.String).alias("measure"),
    )
    valued = pl.col("value").is_not_null()
    is_pain, is_sum = pl.col("scale").is_not_null(), pl.col("measure").is_not_null()
    pain = Raw(
        table,
        "pain",
        scored.filter(is_pain & valued).select("row", "person_id", "date", "scale", pl.col("value").alias("score")),
        set_aside(scored.filter(is_pain & ~valued), "no_value"),
    )
    sums = Raw(
        table,
        "measurements",
        scored.filter(is_sum & valued).select("row", "person_id", "date", "measure", "value"),
        pl.concat(
            [
                set_aside(scored.filter(is_sum & ~valued), "no_value"),
                set_aside(scored.filter(~is_pain & ~is_sum), "not_used"),
            ]
        ).sort("row"),
    )
    return pain, sums


def deaths(rows: pl.DataFrame, concepts: pl.DataFrame) -> Raw:
    """The CDM knows one cause; it is the underlying one, and only an ICD-10 code says which."""
    named = describe(rows, concepts, "cause_source_concept_id", "source")
    source_icd10 = pl.col("source_vocabulary").is_in(("ICD10", "ICD10CM"))
    source_text = pl.col("source_vocabulary").is_null() & icd10_like("cause_source_value")
    frame = named.select(
        "row",
        "person_id",
        pl.col("death_date").alias("date"),
        pl.when(source_icd10).then("source_code")
        .when(source_text).then(pl.col("cause_source_value").cast(pl.String).str.strip_chars().str.to_uppercase())
        .alias("cause"),
    )  # fmt: skip
    return Raw("death", "deaths", frame, no_rows_excluded())


def stays(rows: pl.DataFrame) -> Raw:
    """Inpatient visits; the day of discharge is no longer a day in hospital."""
    inpatient = pl.col("visit_concept_id").is_in(INPATIENT_VISITS).fill_null(False)
    names = {"visit_start_date": "start", "visit_end_date": "end"}
    return Raw(
        "visit_occurrence",
        "stays",
        rows.filter(inpatient).rename(names).select("row", "person_id", "start", "end"),
        set_aside(rows.filter(~inpatient), "not_used"),
    )
