"""The two public OMOP folders: what ingest and exposure make of them, against counting the files with csv alone.

Skipped where the folders are not there (data/README.md says where they come from).
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.config.cohorts import Cohort
from opioid_outcomes.config.privacy import Privacy, Quality
from opioid_outcomes.exposure import products
from opioid_outcomes.exposure.product_names import parse
from opioid_outcomes.ingest.run import Read, read_cohort

DATA = Path(__file__).parents[3] / "shared" / "data"
FOLDERS = ("synthea27nj_omop54", "synpuf_omop52")
Row = dict[str, str]

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (DATA / FOLDERS[0]).is_dir(), reason="the public OMOP folders are not beside the checkout"),
]


def plain(folder: str, table: str) -> list[Row]:
    path = next(path for path in (DATA / folder).iterdir() if path.stem.lower() == table)
    with path.open(encoding="utf-8", newline="") as file:
        return [{name.lower(): value for name, value in row.items()} for row in csv.DictReader(file)]


def concept_names() -> dict[tuple[str, str], str]:
    return {
        (row["vocabulary_id"], row["concept_code"]): row["concept_name"]
        for folder in FOLDERS
        for row in plain(folder, "concept")
    }


def test_shipped_codes_are_what_the_names_in_the_concept_tables_say() -> None:
    """Every product of the shipped dictionary that stands there has a name that is read as its row says."""
    names = concept_names()
    shipped = products.dictionary().filter(pl.col("vocabulary").is_in(["RxNorm", "NDC"]))
    there = [row for row in shipped.iter_rows(named=True) if (row["vocabulary"], row["code"]) in names]
    assert len(there) > 140
    for row in there:
        product = parse(names[row["vocabulary"], row["code"]])
        assert product is not None
        release = product.release if product.route else None  # a name without a route says nothing of it
        told = (product.ingredient, product.route, release, product.strength, product.strength_unit, product.form)
        columns = ("ingredient", "route", "release", "strength", "strength_unit", "form")
        assert tuple(row[name] for name in columns) == told
        assert row["indication"] == product.indication


def test_every_opioid_product_in_the_concept_tables_is_shipped_with_its_strength() -> None:
    """Whatever name there names an opioid gives its ingredient, and its strength where one is written."""
    shipped = set(products.dictionary().select("vocabulary", "code").rows())
    opioids = {key: product for key, name in concept_names().items() if (product := parse(name)) is not None}
    drugs = {key for key in opioids if key[0] in ("RxNorm", "NDC")}
    assert len(drugs) > 130
    assert drugs <= shipped
    names = concept_names()
    for key in drugs:
        assert (opioids[key].strength is not None) == any(letter.isdigit() for letter in names[key])


def read(folder: str) -> Read:
    cohort = Cohort(format="omop", path=str(DATA / folder))
    return read_cohort(cohort, "real", privacy=Privacy(), quality=Quality(), person_columns=[])


@pytest.fixture(scope="module", params=FOLDERS)
def folder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(folder: str) -> Read:
    return read(folder)


def test_every_row_of_every_table_is_canonical_rejected_or_merged(folder: str, found: Read) -> None:
    quality = found.ingested.quality
    counted = quality.group_by("table").agg(pl.col("rows_in").sum()).rows()
    assert dict(counted) == {table: len(plain(folder, table)) for table, _ in counted}
    assert {table for table, _ in counted} == {
        "person", "observation_period", "drug_exposure", "condition_occurrence", "measurement", "observation", "death",
        "visit_occurrence",
    }  # fmt: skip
    accounted = pl.col("canonical") + pl.col("rejected") + pl.col("merged")
    assert quality.filter(pl.col("rows_in") != accounted).is_empty()
    rejected = found.ingested.rejected
    assert rejected.select("table", "row").is_unique().all()


@pytest.mark.parametrize(
    ("table", "into", "chosen"),
    [
        ("person", "persons", lambda row: True),
        ("observation_period", "observation", lambda row: True),
        ("death", "deaths", lambda row: True),
        ("visit_occurrence", "stays", lambda row: row["visit_concept_id"] == "9201"),
        ("measurement", "pain", lambda row: row["measurement_source_value"] == "72514-3" and row["value_as_number"]),
    ],
)
def test_counts_are_those_of_the_files(
    folder: str, found: Read, table: str, into: str, chosen: Callable[[Row], bool]
) -> None:
    assert found.ingested.tables[into].height == sum(bool(chosen(row)) for row in plain(folder, table))


def test_diagnoses_of_claims_keep_their_icd9_codes() -> None:
    diagnoses = read("synpuf_omop52").ingested.tables["diagnoses"]
    assert diagnoses["vocabulary"].unique().to_list() == ["ICD9CM"]
    # claims repeat a diagnosis on every bill of a day; one row each is kept
    rows = plain("synpuf_omop52", "condition_occurrence")
    distinct = {(row["person_id"], row["condition_start_date"], row["condition_source_value"]) for row in rows}
    assert diagnoses.height == len(distinct)
    ours = {(str(person), code) for person, code in diagnoses.select("person_id", "code").iter_rows()}
    assert ours == {(person, code) for person, _, code in distinct}


def test_pain_scores_without_a_number_are_rejected_by_row() -> None:
    rejected = read("synthea27nj_omop54").ingested.rejected.filter(pl.col("rule") == "no_value")
    rows = plain("synthea27nj_omop54", "observation")
    scored = ("38208-5", "75893-8", "44261-6", "55758-7", "70274-6")
    expected = [
        number
        for number, row in enumerate(rows, start=1)
        if row["observation_source_value"] in scored and not row["value_as_number"]
    ]
    assert sorted(rejected["row"]) == expected
    assert sum(row["observation_source_value"] == "38208-5" for row in rows) == 38


@pytest.mark.parametrize(
    ("source", "opioid_fills", "opioid_users", "rejected"),
    # what comes with the folders counts 59 in 8 and, of the common opioids, 58 in 21: the others are propoxyphene,
    # nalbuphine, pentazocine and dihydrocodeine
    [("synthea27nj_omop54", 59, 8, 0), ("synpuf_omop52", 71, 23, 46)],
)
def test_opioids_are_found(source: str, opioid_fills: int, opioid_users: int, rejected: int) -> None:
    ingested = read(source).ingested
    resolved = products.resolve(ingested.tables["dispensings"], products.dictionary())
    fills = resolved.fills.join(resolved.products.filter("opioid"), on="product_row")
    assert fills.height == opioid_fills
    assert fills["person_id"].n_unique() == opioid_users
    assert fills["strength"].null_count() == 0
    line = ingested.quality.filter(pl.col("table") == "drug_exposure")
    assert line["rejected"].to_list() == [rejected]  # the same product, day and pack billed twice


def test_what_cannot_be_known_is_said() -> None:
    synthea, synpuf = (read(folder).costs for folder in FOLDERS)
    assert "drug_strength is empty: strengths are read from the products' names" in synthea
    assert "drug_strength gives no units: strengths are read from the products' names" in synpuf
    assert any(cost.startswith("concept_ancestor is empty") for cost in synthea)
    assert any(cost.startswith("no concept_ancestor") for cost in synpuf)
    for costs in (synthea, synpuf):
        assert any(cost.startswith("death has no ICD-10 cause") for cost in costs)
