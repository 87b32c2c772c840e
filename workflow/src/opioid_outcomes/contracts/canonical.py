"""The canonical tables: what every cohort looks like after ingest, whatever it came from."""

from __future__ import annotations

from opioid_outcomes.contracts.columns import Column, Table

SEXES = ("F", "M", "U")
ROUTES = (
    "oral", "transdermal", "buccal", "sublingual", "nasal", "rectal", "injection", "implant", "inhaled", "other",
)  # fmt: skip
RELEASES = ("IR", "ER")
STRENGTH_UNITS = ("mg", "mcg", "mcg/h", "mg/mL")
INDICATIONS = ("pain", "opioid_use_disorder", "cough", "diarrhoea", "anaesthesia")
DRUG_VOCABULARIES = ("NDC", "RxNorm", "ATC", "OMOP")
DIAGNOSIS_VOCABULARIES = ("ICD10CM", "ICD10", "ICD9CM", "SNOMED")
PAIN_SCALES = ("NRS", "VAS100", "PEG", "BPI_severity", "BPI_interference", "VRS")

PERSON = Column("person_id", "id", "the person, as the source names them", required=True)


def day(name: str, description: str) -> Column:
    return Column(name, "day", description, required=True)


PERSONS = Table(
    "persons",
    "one person",
    (
        PERSON,
        Column("sex", "category", "sex recorded", required=True, values=SEXES),
        Column("birth_year", "int", "calendar year of birth; null where age_at_entry is given"),
        Column("age_at_entry", "float", "age in years on the first observed day; null where birth_year is given"),
        Column("survey_weight", "float", "sampling weight"),
        Column("stratum", "text", "sampling stratum"),
        Column("cluster", "text", "primary sampling unit, nested in stratum"),
    ),
    caveats="Ages of 90 and over are top-coded to 90. Further columns named as covariates follow these.",
)
OBSERVATION = Table(
    "observation",
    "one uninterrupted period in which the person's care is recorded",
    (PERSON, day("start", "first day observed"), day("end", "last day observed (inclusive)")),
    caveats="Overlapping or touching periods of a person are merged, and counted.",
)
DISPENSINGS = Table(
    "dispensings",
    "one fill of one product",
    (
        PERSON,
        day("date", "day dispensed"),
        Column("code", "text", "product code, leading zeros kept"),
        Column("vocabulary", "category", "vocabulary of the code", values=DRUG_VOCABULARIES),
        Column("product_name", "text", "the product's name in the source, where it has one"),
        Column("ingredient", "text", "ingredient, lower case"),
        Column("route", "category", "route of administration", values=ROUTES),
        Column("strength", "float", "strength of one unit, in strength_unit"),
        Column("strength_unit", "category", "unit of strength", values=STRENGTH_UNITS),
        Column("release", "category", "immediate or extended release", values=RELEASES),
        Column("quantity", "float", "units dispensed (tablets, patches, mL)"),
        Column("days_supply", "float", "days the fill is meant to last"),
        Column("strength_to", "float", "upper end, where the strength is recorded as a range; strength is the lower"),
        Column("quantity_to", "float", "upper end, where the quantity is recorded as a range"),
        Column("days_supply_to", "float", "upper end, where days_supply is recorded as a range"),
        Column("indication", "category", "why it was given, where recorded", values=INDICATIONS),
    ),
    optional=True,
    caveats="quantity 0 in a whole source means unknown; days_supply is often missing or implausible. An amount that "
    "cannot be read is missing, one that is negative stays: exposure repairs both. Fills alike in "
    "all these columns count as one: if they are two, add up their quantities first.",
)
OPIOID_USE = Table(
    "opioid_use",
    "one self-report of opioid use",
    (
        PERSON,
        day("date", "day of the report"),
        Column("using", "int", "1 using opioids, 0 not", required=True),
        Column("daily_mme", "float", "self-reported dose, MME/day; null is unknown, not zero"),
    ),
    optional=True,
    caveats="Says nothing of the time between reports.",
)
DIAGNOSES = Table(
    "diagnoses",
    "one recorded diagnosis",
    (
        PERSON,
        day("date", "day recorded"),
        Column("code", "text", "diagnosis code as recorded, dots removed", required=True),
        Column("vocabulary", "category", "vocabulary of the code", required=True, values=DIAGNOSIS_VOCABULARIES),
    ),
    optional=True,
    caveats="A diagnosis is recorded when care is sought; absence is not health.",
)
PAIN = Table(
    "pain",
    "one pain score",
    (
        PERSON,
        day("date", "day of the score"),
        Column("scale", "category", "instrument", required=True, values=PAIN_SCALES),
        Column("score", "float", "pain, mapped to 0-10 (10 worst)", required=True),
    ),
    optional=True,
    caveats="Scores are recorded when people come, and they come when it hurts.",
)
DEATHS = Table(
    "deaths",
    "one death",
    (
        PERSON,
        day("date", "day of death"),
        Column("cause", "text", "underlying cause, ICD-10, dots removed; null is unknown"),
        Column("contributing", "text", "contributing causes, ICD-10, separated by ;"),
    ),
    optional=True,
)
MEASUREMENTS = Table(
    "measurements",
    "one measurement",
    (
        PERSON,
        day("date", "day measured"),
        Column("measure", "text", "what was measured, e.g. phq9, fibromyalgia_score", required=True),
        Column("value", "float", "its value", required=True),
    ),
    optional=True,
)
STAYS = Table(
    "stays",
    "one inpatient stay",
    (PERSON, day("start", "day of admission"), day("end", "day of discharge (half-open)")),
    optional=True,
)
THERAPIES = Table(
    "therapies",
    "one non-drug therapy contact",
    (
        PERSON,
        day("date", "day"),
        Column("therapy", "text", "exercise, acupuncture, mind_body, cbt, ...", required=True),
    ),
    optional=True,
)
CHANGES = Table(
    "changes",
    "one dose change not driven by pain",
    (
        PERSON,
        day("date", "day"),
        Column("reason", "category", "why", required=True, values=("policy", "prescriber", "formulary")),
    ),
    optional=True,
)

CANONICAL: dict[str, Table] = {
    table.name: table
    for table in (
        PERSONS, OBSERVATION, DISPENSINGS, OPIOID_USE, DIAGNOSES, PAIN, DEATHS, MEASUREMENTS, STAYS, THERAPIES, CHANGES,
    )
}  # fmt: skip
