"""A small OMOP CDM with one of everything that is read, as rows and as files."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl

from opioid_outcomes.ingest.omop_concepts import CONCEPT_COLUMNS

CDM: dict[str, list[dict[str, object]]] = {
    "PERSON": [
        {"person_id": 1, "gender_concept_id": 8532, "year_of_birth": 1950, "race_concept_id": 8527},
        {"person_id": 2, "gender_concept_id": 8507, "year_of_birth": 1960, "race_concept_id": 0},
        {"person_id": 3, "gender_concept_id": 0, "year_of_birth": 1970, "race_concept_id": 8516},
    ],
    "OBSERVATION_PERIOD": [
        {
            "person_id": 1,
            "observation_period_start_date": "2010-01-01",
            "observation_period_end_date": "2014-12-31",
        }
    ],
    "CONCEPT": [
        dict(zip(CONCEPT_COLUMNS, (number, name, vocabulary, code, kind), strict=True))
        for number, name, vocabulary, kind, code in [
            (8527, "White", "Race", "Race", "5"),
            (100, "oxycodone hydrochloride 5 MG Oral Tablet", "RxNorm", "Clinical Drug", "1049621"),
            (101, "72 HR fentanyl 0.025 MG/HR Transdermal System", "RxNorm", "Quant Clinical Drug", "245134"),
            (102, "morphine sulfate 2 MG/ML Oral Solution", "RxNorm", "Clinical Drug", "892582"),
            (103, "acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet", "RxNorm", "Clinical Drug", "4"),
            (104, "Percodan-like branded pack", "RxNorm", "Branded Pack", "7"),
            (105, "fentanyl 0.1 MG Buccal Tablet", "RxNorm", "Clinical Drug", "668363"),
            (110, "Morphine Sulfate 1 MG/ML Injectable Solution", "NDC", "11-digit NDC", "00074405812"),
            (1124957, "oxycodone", "RxNorm", "Ingredient", "7804"),
            (1154029, "Fentanyl", "RxNorm", "Ingredient", "4337"),
            (1110410, "morphine", "RxNorm", "Ingredient", "7052"),
            (1125315, "acetaminophen", "RxNorm", "Ingredient", "161"),
            (200, "Low back pain", "SNOMED", "Clinical Finding", "279039007"),
            (201, "Low back pain", "ICD10CM", "5-char billing code", "M54.5"),
            (202, "Lumbago", "ICD9CM", "4-dig billing code", "724.2"),
            (300, "Pain severity - 0-10 verbal numeric rating", "LOINC", "Clinical Observation", "72514-3"),
            (301, "Pain severity - Reported", "LOINC", "Clinical Observation", "38208-5"),
            (302, "PHQ-9 total score", "LOINC", "Clinical Observation", "44261-6"),
            (303, "Body weight", "LOINC", "Clinical Observation", "29463-7"),
            (400, "Accidental poisoning by narcotics", "ICD10", "ICD10 code", "X42"),
            (500, "Oral route", "SNOMED", "Qualifier Value", "26643006"),
            (501, "Intravenous route", "SNOMED", "Qualifier Value", "47625008"),
        ]
    ],
    "DRUG_EXPOSURE": [
        {
            "person_id": 1,
            "drug_concept_id": drug,
            "drug_exposure_start_date": "2012-03-01",
            "quantity": quantity,
            "days_supply": 30,
            "route_concept_id": route,
            "drug_source_value": source,
            "drug_source_concept_id": source_concept,
        }
        for drug, quantity, route, source, source_concept in [
            (100, 60, 500, "00406055201", 0),
            (101, 0, 0, None, 0),
            (102, None, 501, None, 0),
            (103, 90, 0, None, 0),
            (104, 1, 0, None, 0),
            (0, 5, 0, "00074405812", 110),
            (0, 5, 0, "00406055262", 0),
            (0, 5, 0, "LOC7731", 0),
            (105, 28, 0, None, 0),
            (0, 5, 0, " Oxycodone 5 mg tablet ", 0),
        ]
    ],
    "DRUG_STRENGTH": [
        {
            "drug_concept_id": drug,
            "ingredient_concept_id": ingredient,
            "amount_value": amount,
            "amount_unit_concept_id": amount_unit,
            "numerator_value": numerator,
            "numerator_unit_concept_id": numerator_unit,
            "denominator_value": denominator,
            "denominator_unit_concept_id": denominator_unit,
        }
        for drug, ingredient, amount, amount_unit, numerator, numerator_unit, denominator, denominator_unit in [
            (100, 1124957, 5, 8576, None, None, None, None),
            (101, 1154029, None, None, 1.8, 8576, 72, 8505),  # 1.8 mg in 72 hours
            (102, 1110410, None, None, 200, 8576, 100, 8587),  # 200 mg in 100 mL
            (103, 1124957, 5, 8576, None, None, None, None),
            (103, 1125315, 325, 8576, None, None, None, None),
            (105, 1154029, 100, 9655, None, None, None, None),  # micrograms
        ]
    ],
    "CONCEPT_ANCESTOR": [
        {"ancestor_concept_id": 1124957, "descendant_concept_id": 104},
        {"ancestor_concept_id": 104, "descendant_concept_id": 104},
        {"ancestor_concept_id": 1124957, "descendant_concept_id": 103},
        {"ancestor_concept_id": 1125315, "descendant_concept_id": 103},
    ],
    "CONDITION_OCCURRENCE": [
        {
            "person_id": 1,
            "condition_concept_id": standard,
            "condition_start_date": "2011-05-05",
            "condition_source_value": text,
            "condition_source_concept_id": source,
        }
        for standard, text, source in [
            (200, "M54.5", 201),
            (200, "7242", 202),
            (200, "279039007", 0),
            (200, "m54.50", 0),
            (0, "E11.9", 0),
            (0, "E8889", 0),
            (0, "V4511", 0),
            (0, "back hurts", 0),
            (200, None, None),
        ]
    ],
    "MEASUREMENT": [
        {
            "person_id": 1,
            "measurement_concept_id": concept,
            "measurement_date": "2012-01-01",
            "value_as_number": value,
            "measurement_source_value": source,
        }
        for concept, value, source in [
            (300, 7, None),
            (0, 4, "72514-3"),
            (303, 80, "72514-3"),
            (302, 12, None),
            (300, None, None),
            (0, 1, "x"),
        ]
    ],
    "OBSERVATION": [
        {
            "person_id": 1,
            "observation_concept_id": concept,
            "observation_date": "2012-01-02",
            "value_as_number": None,
            "observation_source_value": None,
        }
        for concept in (301, 302, 303)
    ],
    "DEATH": [
        {"person_id": 1, "death_date": "2014-01-01", "cause_source_value": "X42", "cause_source_concept_id": 400},
        {"person_id": 2, "death_date": "2014-01-01", "cause_source_value": "I21.9", "cause_source_concept_id": 0},
        {"person_id": 3, "death_date": "2014-01-01", "cause_source_value": "26929004", "cause_source_concept_id": 0},
    ],
    "VISIT_OCCURRENCE": [
        {
            "person_id": 1,
            "visit_concept_id": concept,
            "visit_start_date": "2013-01-01",
            "visit_end_date": "2013-01-05",
        }
        for concept in (9201, 9202, 262, 0)
    ],
}  # fmt: skip


def write(folder: Path, tables: dict[str, list[dict[str, object]]], *, kind: str = "csv", lower: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        spelt = str.lower if lower else str.upper
        frame = pl.DataFrame(rows, infer_schema_length=None).rename(spelt)
        if kind == "parquet":
            frame.write_parquet(folder / f"{spelt(name)}.parquet")
        elif kind == "gzip":
            (folder / f"{spelt(name)}.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))
        else:
            frame.write_csv(folder / f"{spelt(name)}.csv", separator="\t" if kind == "tabs" else ",")
    return folder
