"""The OMOP concepts that simulated records use.

People, units and ingredients carry their OMOP ids; products and ICD-10-CM codes carry ids from the range that OMOP
leaves to local use (above two billion), with names as the vocabularies write them.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.simulate.deaths import OTHER_CAUSES, OVERDOSE
from opioid_outcomes.simulate.drugs import PRODUCTS
from opioid_outcomes.simulate.morbidity import NEW_PER_YEAR, OUD
from opioid_outcomes.simulate.people import CHRONIC_PAIN, CONDITIONS, EXCLUDING

LOCAL = 2_000_000_000
SEX = {"M": 8507, "F": 8532}
MILLIGRAM = 8576
PAIN_SCORE = 43055141  # LOINC 72514-3, pain severity 0-10
OUTPATIENT, INPATIENT = 9202, 9201
UNMAPPED = 0
EHR = 32817
CONDITION_NAMES = {
    "M54.5": "Low back pain",
    "M17.11": "Unilateral primary osteoarthritis, right knee",
    "M17.9": "Osteoarthritis of knee, unspecified",
    "F32.9": "Major depressive disorder, single episode, unspecified",
    "M79.7": "Fibromyalgia",
    "I50.9": "Heart failure, unspecified",
    "J44.9": "Chronic obstructive pulmonary disease, unspecified",
    "E11.9": "Type 2 diabetes mellitus without complications",
    "C50.919": "Malignant neoplasm of unspecified site of unspecified female breast",
    "Z51.5": "Encounter for palliative care",
    "I10": "Essential (primary) hypertension",
    "N18.3": "Chronic kidney disease, stage 3 (moderate)",
    "F41.9": "Anxiety disorder, unspecified",
    "J18.9": "Pneumonia, unspecified organism",
    "S82.90XA": "Unspecified fracture of unspecified lower leg, initial encounter for closed fracture",
    "H25.9": "Unspecified age-related cataract",
    "L60.0": "Ingrowing nail",
    "F11.20": "Opioid dependence, uncomplicated",
}
INGREDIENTS = {
    "oxycodone": 1124957, "morphine": 1110410, "hydrocodone": 1174888, "tramadol": 1103314, "fentanyl": 1154029,
    "codeine": 1201620, "methadone": 1103640, "hydromorphone": 1126658, "tapentadol": 19026459,
    "buprenorphine": 1133201, "diazepam": 723013, "ibuprofen": 1177480, "gabapentin": 797399, "sertraline": 739138,
    "naproxen": 1115008, "pregabalin": 734354, "duloxetine": 715259, "atorvastatin": 1545958,
}  # fmt: skip
CAUSES = sorted({*OTHER_CAUSES, OVERDOSE} - {""})
CONDITIONS_USED = [*CHRONIC_PAIN, *CONDITIONS.values(), *EXCLUDING.values(), *NEW_PER_YEAR, OUD]
CONDITION_ID = {code: LOCAL + 1 + number for number, code in enumerate(CONDITIONS_USED)}
CAUSE_ID = {code: LOCAL + 101 + number for number, code in enumerate(CAUSES)}
PRODUCT_ID = [UNMAPPED if product.code else LOCAL + 201 + number for number, product in enumerate(PRODUCTS)]
MAPPED = {number: product for number, product in zip(PRODUCT_ID, PRODUCTS, strict=True) if number != UNMAPPED}


def _concept(  # noqa: PLR0917
    number: int, name: str, domain: str, vocabulary: str, kind: str, standard: str, code: str
) -> dict[str, object]:
    return {
        "concept_id": number, "concept_name": name, "domain_id": domain, "vocabulary_id": vocabulary,
        "concept_class_id": kind, "standard_concept": standard, "concept_code": code,
        "valid_start_date": "1970-01-01", "valid_end_date": "2099-12-31", "invalid_reason": "",
    }  # fmt: skip


def concept() -> pl.DataFrame:
    rows = [
        _concept(8507, "MALE", "Gender", "Gender", "Gender", "S", "M"),
        _concept(8532, "FEMALE", "Gender", "Gender", "Gender", "S", "F"),
        _concept(MILLIGRAM, "milligram", "Unit", "UCUM", "Unit", "S", "mg"),
        _concept(OUTPATIENT, "Outpatient Visit", "Visit", "Visit", "Visit", "S", "OP"),
        _concept(INPATIENT, "Inpatient Visit", "Visit", "Visit", "Visit", "S", "IP"),
        _concept(EHR, "EHR", "Type Concept", "Type Concept", "Type Concept", "S", "OMOP4976890"),
        _concept(
            PAIN_SCORE, "Pain severity - 0-10 verbal numeric rating [Score] - Reported", "Measurement", "LOINC",
            "Clinical Observation", "S", "72514-3",
        ),
    ]  # fmt: skip
    rows += [
        _concept(CONDITION_ID[code], CONDITION_NAMES[code], "Condition", "ICD10CM", "ICD10CM code", "", code)
        for code in CONDITIONS_USED
    ]
    rows += [
        _concept(CAUSE_ID[code], f"ICD-10 {code}", "Condition", "ICD10", "ICD10 code", "", code) for code in CAUSES
    ]
    rows += [
        _concept(number, product.name, "Drug", "RxNorm", "Clinical Drug", "S", f"SIM{number - LOCAL}")
        for number, product in MAPPED.items()
    ]
    rows += [
        _concept(number, name, "Drug", "RxNorm", "Ingredient", "S", f"SIM-{name}")
        for name, number in INGREDIENTS.items()
    ]
    return pl.DataFrame(rows)


def concept_ancestor() -> pl.DataFrame:
    """Each product under its ingredient."""
    return pl.DataFrame(
        {
            "ancestor_concept_id": [INGREDIENTS[product.ingredient] for product in MAPPED.values()],
            "descendant_concept_id": list(MAPPED),
            "min_levels_of_separation": [1] * len(MAPPED),
            "max_levels_of_separation": [1] * len(MAPPED),
        }
    )


def drug_strength() -> pl.DataFrame:
    """Some products only, as in real vocabularies: for the others the strength is in the name."""
    listed = {number: product for number, product in MAPPED.items() if product.listed}
    return pl.DataFrame(
        {
            "drug_concept_id": list(listed),
            "ingredient_concept_id": [INGREDIENTS[product.ingredient] for product in listed.values()],
            "amount_value": [float(product.strength) for product in listed.values()],
            "amount_unit_concept_id": [MILLIGRAM] * len(listed),
            "numerator_value": pl.Series([None] * len(listed), dtype=pl.Float64),
            "numerator_unit_concept_id": pl.Series([None] * len(listed), dtype=pl.Int64),
            "denominator_value": pl.Series([None] * len(listed), dtype=pl.Float64),
            "denominator_unit_concept_id": pl.Series([None] * len(listed), dtype=pl.Int64),
            "box_size": pl.Series([None] * len(listed), dtype=pl.Int64),
            "valid_start_date": ["1970-01-01"] * len(listed),
            "valid_end_date": ["2099-12-31"] * len(listed),
            "invalid_reason": [""] * len(listed),
        }
    )
