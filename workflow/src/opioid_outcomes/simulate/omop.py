"""Simulated records as OMOP CDM 5.4 tables, in CSV with upper-case names."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.simulate import omop_concepts as concepts
from opioid_outcomes.simulate.drugs import PRODUCTS
from opioid_outcomes.simulate.records import Records


def write(records: Records, folder: Path) -> None:
    """The clinical tables and just the vocabulary rows they use."""
    tables = {
        "PERSON": _person(records.persons),
        "OBSERVATION_PERIOD": _observation_period(records.observation),
        "DRUG_EXPOSURE": _drug_exposure(records.dispensings),
        "CONDITION_OCCURRENCE": _condition_occurrence(records.diagnoses),
        "MEASUREMENT": _measurement(records.pain),
        "VISIT_OCCURRENCE": _visit_occurrence(records.visits, records.stays),
        "DEATH": _death(records.deaths),
        "CONCEPT": concepts.concept(),
        "CONCEPT_ANCESTOR": concepts.concept_ancestor(),
        "DRUG_STRENGTH": concepts.drug_strength(),
    }
    for name, frame in tables.items():
        io.write_frame(frame, folder / f"{name}.csv")


def _numbered(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    return frame.with_row_index(key, offset=1)


def _day(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int32).cast(pl.Date)


def _person(persons: pl.DataFrame) -> pl.DataFrame:
    return persons.select(
        "person_id",
        gender_concept_id=pl.col("sex").replace_strict(concepts.SEX, return_dtype=pl.Int64),
        year_of_birth="birth_year",
        month_of_birth=pl.lit(None, dtype=pl.Int64),
        day_of_birth=pl.lit(None, dtype=pl.Int64),
        race_concept_id=pl.lit(0),
        ethnicity_concept_id=pl.lit(0),
        gender_source_value="sex",
    )


def _observation_period(observation: pl.DataFrame) -> pl.DataFrame:
    return _numbered(observation, "observation_period_id").select(
        "observation_period_id",
        "person_id",
        observation_period_start_date=_day("start"),
        observation_period_end_date=_day("end"),
        period_type_concept_id=pl.lit(concepts.EHR),
    )


def _drug_exposure(dispensings: pl.DataFrame) -> pl.DataFrame:
    number = dict(enumerate(concepts.PRODUCT_ID))
    ndc = {index: product.code for index, product in enumerate(PRODUCTS) if product.code}
    days = pl.col("days_supply").fill_null(1)
    return _numbered(dispensings, "drug_exposure_id").select(
        "drug_exposure_id",
        "person_id",
        drug_concept_id=pl.col("product").replace_strict(number, return_dtype=pl.Int64),
        drug_exposure_start_date=_day("date"),
        drug_exposure_end_date=(pl.col("date") + days - 1).cast(pl.Int32).cast(pl.Date),
        drug_type_concept_id=pl.lit(concepts.EHR),
        quantity=pl.mean_horizontal("quantity", "quantity_to"),  # there is no place for a range
        days_supply=pl.col("days_supply").cast(pl.Int64),
        route_concept_id=pl.lit(0),
        drug_source_value=pl.col("product").replace_strict(ndc, default=None, return_dtype=pl.String),
        drug_source_concept_id=pl.lit(0),
    )


def _condition_occurrence(diagnoses: pl.DataFrame) -> pl.DataFrame:
    return _numbered(diagnoses, "condition_occurrence_id").select(
        "condition_occurrence_id",
        "person_id",
        condition_concept_id=pl.lit(0),
        condition_start_date=_day("date"),
        condition_end_date=pl.lit(None, dtype=pl.Date),
        condition_type_concept_id=pl.lit(concepts.EHR),
        condition_source_value="code",
        condition_source_concept_id=pl.col("code").replace_strict(concepts.CONDITION_ID, return_dtype=pl.Int64),
    )


def _measurement(pain: pl.DataFrame) -> pl.DataFrame:
    return _numbered(pain, "measurement_id").select(
        "measurement_id",
        "person_id",
        measurement_concept_id=pl.lit(concepts.PAIN_SCORE),
        measurement_date=_day("date"),
        measurement_type_concept_id=pl.lit(concepts.EHR),
        value_as_number="score",
        unit_concept_id=pl.lit(0),
        measurement_source_value=pl.lit("72514-3"),
        measurement_source_concept_id=pl.lit(concepts.PAIN_SCORE),
    )


def _visit_occurrence(visits: pl.DataFrame, stays: pl.DataFrame) -> pl.DataFrame:
    outpatient = visits.select("person_id", start="date", end="date", concept=pl.lit(concepts.OUTPATIENT))
    inpatient = stays.with_columns(concept=pl.lit(concepts.INPATIENT))
    return _numbered(pl.concat([outpatient, inpatient]), "visit_occurrence_id").select(
        "visit_occurrence_id",
        "person_id",
        visit_concept_id="concept",
        visit_start_date=_day("start"),
        visit_end_date=_day("end"),
        visit_type_concept_id=pl.lit(concepts.EHR),
    )


def _death(deaths: pl.DataFrame) -> pl.DataFrame:
    """One cause only: OMOP's death table has no place for contributing causes."""
    cause = pl.col("cause").replace_strict(concepts.CAUSE_ID, default=0, return_dtype=pl.Int64)
    return deaths.select(
        "person_id",
        death_date=_day("date"),
        death_type_concept_id=pl.lit(concepts.EHR),
        cause_concept_id=pl.lit(0),
        cause_source_value="cause",
        cause_source_concept_id=cause,
    )
