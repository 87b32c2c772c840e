"""OMOP CDM 5.2 to 5.4 from a folder of CSV or Parquet files, to rows on their way to the canonical tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest import omop_clinical, omop_drugs
from opioid_outcomes.ingest.omop_concepts import ancestor_ingredients, concept_id, read_concepts
from opioid_outcomes.ingest.omop_files import CdmFolder, open_folder
from opioid_outcomes.ingest.raw import Raw

REQUIRED_TABLES = ("person", "observation_period")

# The columns read: those a table must have, and those that may be absent
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "person": (("person_id", "gender_concept_id", "year_of_birth"), ("race_concept_id",)),
    "observation_period": (("person_id", "observation_period_start_date", "observation_period_end_date"), ()),
    "drug_exposure": (
        ("person_id", "drug_concept_id", "drug_exposure_start_date"),
        ("quantity", "days_supply", "route_concept_id", "drug_source_value", "drug_source_concept_id"),
    ),
    "condition_occurrence": (
        ("person_id", "condition_concept_id", "condition_start_date"),
        ("condition_source_value", "condition_source_concept_id"),
    ),
    "measurement": (
        ("person_id", "measurement_concept_id", "measurement_date", "value_as_number"),
        ("measurement_source_value",),
    ),
    "observation": (
        ("person_id", "observation_concept_id", "observation_date", "value_as_number"),
        ("observation_source_value",),
    ),
    "death": (("person_id", "death_date"), ("cause_source_value", "cause_source_concept_id")),
    "visit_occurrence": (("person_id", "visit_concept_id", "visit_start_date", "visit_end_date"), ()),
}

# What it costs when a table is missing, has no rows, or says nothing of what the cohort has
COSTS = {
    "drug_exposure": "nobody's opioid use is known, and nothing about opioids can be estimated",
    "condition_occurrence": "chronic pain, exclusions and comorbidity are not known",
    "measurement": "pain scores are read from observation alone",
    "observation": "pain scores are read from measurement alone",
    "death": "mortality cannot be estimated",
    "visit_occurrence": "inpatient stays are not known",
    "concept": "products have no names and conditions no codes; scores are found by source value",
    "drug_strength": "strengths are read from the products' names",
    "concept_ancestor": "ingredients are read from drug_strength, or else from the products' names",
}
NO_PAIN = "neither measurement nor observation holds a pain score: the hyperalgesia analyses cannot be made"
NO_CAUSE = "death has no ICD-10 cause: nothing is known of deaths by cause, overdose among them"
ONE_CAUSE = "OMOP's death holds one cause: without contributing ones, which drug an overdose was of is not known"


@dataclass(frozen=True)
class OmopRead:
    """The rows of the eight CDM tables that are used, and what is missing."""

    raws: list[Raw]
    warnings: list[str]
    costs: list[str]


def read(folder: Path) -> OmopRead:
    """Reads a CDM folder. Each row of the tables in ``COLUMNS`` is in exactly one ``Raw``, usable or set aside.

    UserError when the folder, a required table or a required column is missing. One pass over each file; of the
    vocabularies only the concepts in use are kept.
    """
    cdm = open_folder(folder)
    missing = [table for table in REQUIRED_TABLES if not cdm.has(table)]
    if missing:
        raise UserError(
            Problem(
                f"OMOP table {', '.join(missing)} is missing",
                where=str(folder),
                fix="export it from the CDM as .csv, .csv.gz or .parquet, named like the table",
            )
        )
    tables = {table: _read_table(cdm, table) for table in COLUMNS if cdm.has(table)}
    drugs = _ids([tables["drug_exposure"]], "drug_") if "drug_exposure" in tables else pl.Series([], dtype=pl.Int64)
    strengths = _drug_strength(cdm, drugs)
    ancestors = ancestor_ingredients(cdm, drugs)
    concepts = read_concepts(cdm, _ids([*tables.values(), strengths]))
    raws = _raws(tables, concepts, omop_drugs.products(strengths, concepts, ancestors))
    found = {**tables, "concept": concepts, "concept_ancestor": ancestors, "drug_strength": strengths}
    return OmopRead(raws, [*cdm.warnings, *_warnings(raws)], _costs(cdm, found, raws))


def _read_table(cdm: CdmFolder, table: str) -> pl.DataFrame:
    required, optional = COLUMNS[table]
    rows = cdm.read(table, required, optional)
    return rows.with_columns(concept_id(name) for name in rows.columns if name.endswith("_concept_id"))


def _drug_strength(cdm: CdmFolder, drugs: pl.Series) -> pl.DataFrame:
    columns = omop_drugs.STRENGTH_COLUMNS
    if cdm.has("drug_strength"):
        wanted = concept_id("drug_concept_id").is_in(drugs.implode())
        rows = cdm.read_vocabulary("drug_strength", columns[:2], columns[2:], wanted)
    else:
        rows = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return rows.with_columns(concept_id(name) for name in columns if name.endswith("_concept_id"))


def _ids(frames: list[pl.DataFrame], prefix: str = "") -> pl.Series:
    """Every concept id in the columns ``<prefix>..._concept_id``, once."""
    names = [(f, n) for f in frames for n in f.columns if n.startswith(prefix) and n.endswith("_concept_id")]
    return pl.concat([frame[name].rename("concept_id") for frame, name in names]).drop_nulls().unique().sort()


def _raws(tables: dict[str, pl.DataFrame], concepts: pl.DataFrame, known: pl.DataFrame) -> list[Raw]:
    raws = [
        omop_clinical.persons(tables["person"], concepts),
        omop_clinical.observation(tables["observation_period"]),
    ]
    if "drug_exposure" in tables:
        raws.append(omop_drugs.dispensings(tables["drug_exposure"], concepts, known))
    if "condition_occurrence" in tables:
        raws.append(omop_clinical.diagnoses(tables["condition_occurrence"], concepts))
    for table in ("measurement", "observation"):
        if table in tables:
            raws.extend(omop_clinical.scores(table, tables[table], concepts))
    if "death" in tables:
        raws.append(omop_clinical.deaths(tables["death"], concepts))
    if "visit_occurrence" in tables:
        raws.append(omop_clinical.stays(tables["visit_occurrence"]))
    return raws


def _warnings(raws: list[Raw]) -> list[str]:
    """Scores that the source knows of and holds no number for."""
    return [
        f"{raw.table.upper()} has {name} without a number: their rows are left out (rule no_value)."
        for raw, name in (
            (raw, {"pain": "pain scores", "measurements": "questionnaires"}.get(raw.into)) for raw in raws
        )
        if name and (raw.excluded["rule"] == "no_value").any()
    ]


def _costs(cdm: CdmFolder, found: dict[str, pl.DataFrame], raws: list[Raw]) -> list[str]:
    """What the tables that are missing, empty or without what is needed of them make impossible."""
    without_pain = all(raw.frame.is_empty() for raw in raws if raw.into == "pain")
    lacking = {table: lack for table in COSTS if (lack := _lack(cdm, table, found))}
    if without_pain:
        lacking = {table: lack for table, lack in lacking.items() if table not in ("measurement", "observation")}
    costs = [f"{lack}: {COSTS[table]}" for table, lack in lacking.items()] + [NO_PAIN] * without_pain
    deaths = [raw.frame for raw in raws if raw.into == "deaths" and raw.frame.height]
    return costs + [NO_CAUSE if frame["cause"].is_null().all() else ONE_CAUSE for frame in deaths]


def _lack(cdm: CdmFolder, table: str, found: dict[str, pl.DataFrame]) -> str | None:
    if not cdm.has(table):
        return f"no {table}"
    if found[table].is_empty():
        return f"{table} is empty" if cdm.is_empty(table) else f"{table} knows none of this cohort's concepts"
    units = ("amount_unit_concept_id", "numerator_unit_concept_id")
    if table == "drug_strength" and found[table].select(pl.col(units).is_null().all()).row(0) == (True, True):
        return "drug_strength gives no units"
    return None
