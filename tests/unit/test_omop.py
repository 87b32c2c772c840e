"""OMOP CDM folders to rows for the canonical tables: what each CDM row becomes, in any spelling of the files."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest
from cdm import CDM, write

from opioid_outcomes.errors import UserError
from opioid_outcomes.ingest import omop
from opioid_outcomes.ingest.raw import Raw


def raws(read: omop.OmopRead) -> dict[tuple[str, str], Raw]:
    return {(raw.table, raw.into): raw for raw in read.raws}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> omop.OmopRead:
    return omop.read(write(tmp_path_factory.mktemp("cdm"), CDM))


def test_every_row_of_every_used_table_is_somewhere_once(read: omop.OmopRead) -> None:
    rows: dict[str, list[int]] = {}
    for raw in read.raws:
        rows.setdefault(raw.table, []).extend(raw.frame["row"].to_list() + raw.excluded["row"].to_list())
    vocabularies = {"CONCEPT", "CONCEPT_ANCESTOR", "DRUG_STRENGTH"}
    expected = {name.lower(): list(range(1, len(rows) + 1)) for name, rows in CDM.items() if name not in vocabularies}
    assert {table: sorted(numbers) for table, numbers in rows.items()} == expected


def test_persons(read: omop.OmopRead) -> None:
    frame = raws(read)["person", "persons"].frame
    # 8516 is not in the concept table: the standard concept is known all the same
    assert frame.select("sex", "birth_year", "race").rows() == [
        ("F", "1950", "White"),
        ("M", "1960", None),
        ("U", "1970", "Black or African American"),
    ]


def test_dispensings(read: omop.OmopRead) -> None:
    raw = raws(read)["drug_exposure", "dispensings"]
    columns = ("code", "vocabulary", "ingredient", "strength", "strength_unit", "route", "quantity")
    assert raw.frame.select("row", *columns).rows() == [
        (1, "100", "OMOP", "oxycodone", 5.0, "mg", "oral", "60"),
        (2, "101", "OMOP", "fentanyl", 25.0, "mcg/h", None, "0"),
        (3, "102", "OMOP", "morphine", 2.0, "mg/mL", "injection", None),
        (4, "103", "OMOP", "oxycodone", 5.0, "mg", None, "90"),  # the opioid of two ingredients
        (5, "104", "OMOP", "oxycodone", None, None, None, "1"),  # by CONCEPT_ANCESTOR
        (6, "110", "OMOP", None, None, None, None, "5"),  # the source concept, where there is no standard one
        (7, "00406055262", "NDC", None, None, None, None, "5"),
        (9, "105", "OMOP", "fentanyl", 0.1, "mg", None, "28"),
        (10, None, None, None, None, None, None, "5"),  # what the source calls it
    ]
    assert raw.frame["product_name"][8] == "Oxycodone 5 mg tablet"
    assert raw.frame["product_name"][3] == "acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet"
    assert raw.excluded.rows() == [(8, "no_code")]


def strengths(*rows: tuple[int, int, float]) -> list[dict[str, object]]:
    """DRUG_STRENGTH: product, ingredient, milligrams."""
    empty = dict.fromkeys(CDM["DRUG_STRENGTH"][0])
    return [
        empty
        | {"drug_concept_id": drug, "ingredient_concept_id": part, "amount_value": mg, "amount_unit_concept_id": 8576}
        for drug, part, mg in rows
    ]


OXYCODONE, MORPHINE, PARACETAMOL = 1124957, 1110410, 1125315


@pytest.mark.parametrize(
    ("rows", "ingredient", "strength"),
    [
        ([(100, OXYCODONE, 5.0), (100, PARACETAMOL, 325.0)], "oxycodone", 5.0),
        ([(100, OXYCODONE, 5.0)] * 2, "oxycodone", 5.0),  # twice the same
        ([(100, OXYCODONE, 5.0), (100, OXYCODONE, 10.0)], None, None),  # which one is left to the name
        ([(100, OXYCODONE, 5.0), (100, MORPHINE, 5.0)], None, None),
        ([(100, PARACETAMOL, 325.0)], "acetaminophen", 325.0),
        ([(100, 999, 5.0)], None, None),  # an ingredient that CONCEPT does not name
    ],
)
@pytest.mark.parametrize("name", ["PercoBrand", None])
def test_the_opioid_of_a_products_ingredients(
    tmp_path: Path, rows: list, ingredient: str | None, strength: float | None, name: str | None
) -> None:
    concepts = [row | {"concept_name": name or ""} if row["concept_id"] == 100 else row for row in CDM["CONCEPT"]]
    found = omop.read(write(tmp_path / "cdm", CDM | {"DRUG_STRENGTH": strengths(*rows), "CONCEPT": concepts}))
    fill = raws(found)["drug_exposure", "dispensings"].frame.row(0, named=True)
    assert (fill["ingredient"], fill["strength"]) == (ingredient, strength)


def test_a_combination_is_an_opioid_by_its_strength_or_by_its_ancestors(tmp_path: Path) -> None:
    """A brand whose name says nothing: the fill is one of oxycodone all the same."""
    from opioid_outcomes.exposure import products

    both = [{"ancestor_concept_id": part, "descendant_concept_id": 100} for part in (OXYCODONE, PARACETAMOL)]
    concepts = [row | {"concept_name": "Brand"} if row["concept_id"] == 100 else row for row in CDM["CONCEPT"]]
    rest = {name: rows for name, rows in CDM.items() if name not in ("DRUG_STRENGTH", "CONCEPT_ANCESTOR")}
    for table, rows in (
        ("DRUG_STRENGTH", strengths((100, PARACETAMOL, 325.0), (100, OXYCODONE, 5.0))),
        ("CONCEPT_ANCESTOR", both),
    ):
        found = omop.read(write(tmp_path / table, rest | {"CONCEPT": concepts, table: rows}))
        fill = raws(found)["drug_exposure", "dispensings"].frame.head(1).with_columns(release=pl.lit(None, pl.String))
        resolved = products.resolve(fill.with_columns(indication=pl.lit(None, pl.String)), products.dictionary())
        assert resolved.products.select("ingredient", "opioid").row(0) == ("oxycodone", True)


@pytest.mark.parametrize(
    ("standard", "source", "told"),
    [
        ("fentanyl 0.1 MG", "Injection, fentanyl citrate, 0.1 mg", "injection"),  # HCPCS J3010
        ("fentanyl 0.1 MG", "fentanyl oral lozenge", None),
        ("fentanyl 0.1 MG/ACTUAT Nasal Spray", "Injection, fentanyl citrate, 0.1 mg", None),  # left to the names
        ("fentanyl 0.1 MG", None, None),
    ],
)
def test_the_route_of_a_source_concept(tmp_path: Path, standard: str, source: str | None, told: str | None) -> None:
    drug = CDM["DRUG_EXPOSURE"][0] | {"route_concept_id": 0, "drug_source_concept_id": 110}
    names = {100: standard, 110: source or ""}
    concepts = [row | {"concept_name": names.get(row["concept_id"], row["concept_name"])} for row in CDM["CONCEPT"]]
    found = omop.read(write(tmp_path / "cdm", CDM | {"DRUG_EXPOSURE": [drug], "CONCEPT": concepts}))
    assert raws(found)["drug_exposure", "dispensings"].frame["route"].to_list() == [told]


def test_a_source_ndc_codes_what_the_vocabulary_does_not_know(tmp_path: Path) -> None:
    drugs = [
        CDM["DRUG_EXPOSURE"][0] | {"drug_concept_id": drug, "drug_source_value": text, "drug_source_concept_id": source}
        for drug, text, source in [
            (7777, "00406055201", 0),
            (7777, "x", 110),
            (100, "00406055201", 110),
            (7777, "x", 0),
        ]
    ]
    found = omop.read(write(tmp_path / "cdm", CDM | {"DRUG_EXPOSURE": drugs}))
    frame = raws(found)["drug_exposure", "dispensings"].frame
    assert frame.select("code", "vocabulary").rows() == [
        ("00406055201", "NDC"), ("00074405812", "NDC"), ("100", "OMOP"), ("7777", "OMOP"),
    ]  # fmt: skip


def test_diagnoses_prefer_the_icd_code_of_the_source(read: omop.OmopRead) -> None:
    raw = raws(read)["condition_occurrence", "diagnoses"]
    assert raw.frame.select("row", "code", "vocabulary").rows() == [
        (1, "M54.5", "ICD10CM"),
        (2, "724.2", "ICD9CM"),
        (3, "279039007", "SNOMED"),
        (4, "M54.50", "ICD10CM"),
        (5, "E11.9", "ICD10CM"),
        (9, "279039007", "SNOMED"),
    ]
    # E888.9 and V45.11 are ICD-9 codes that look like ICD-10 ones
    assert raw.excluded.rows() == [(6, "no_code"), (7, "no_code"), (8, "no_code")]


def test_scores_by_their_loinc_code(read: omop.OmopRead) -> None:
    found = raws(read)
    pain = found["measurement", "pain"]
    assert pain.frame.select("row", "scale", "score").rows() == [(1, "NRS", "7"), (2, "NRS", "4")]
    assert pain.excluded.rows() == [(5, "no_value")]
    sums = found["measurement", "measurements"]
    assert sums.frame.select("row", "measure", "value").rows() == [(4, "phq9", "12")]
    # the weight stays a weight, whatever its source value says
    assert sums.excluded.rows() == [(3, "not_used"), (6, "not_used")]
    assert found["observation", "pain"].excluded.rows() == [(1, "no_value")]
    assert found["observation", "measurements"].excluded.rows() == [(2, "no_value"), (3, "not_used")]
    assert len(read.warnings) == 3
    assert read.warnings[0].startswith("MEASUREMENT has pain scores without a number")


def test_deaths_take_icd10_causes_only(read: omop.OmopRead) -> None:
    assert raws(read)["death", "deaths"].frame["cause"].to_list() == ["X42", "I21.9", None]


def test_inpatient_visits_are_stays(read: omop.OmopRead) -> None:
    raw = raws(read)["visit_occurrence", "stays"]
    assert raw.frame.rows() == [(1, "1", "2013-01-01", "2013-01-05"), (3, "1", "2013-01-01", "2013-01-05")]
    assert raw.excluded.rows() == [(2, "not_used"), (4, "not_used")]


def test_no_table_is_missing_here_but_omop_holds_one_cause_of_death(read: omop.OmopRead, tmp_path: Path) -> None:
    assert read.costs == [omop.ONE_CAUSE]
    rows = [row | {"cause_source_value": "26929004", "cause_source_concept_id": 0} for row in CDM["DEATH"]]
    assert omop.read(write(tmp_path / "cdm", CDM | {"DEATH": rows})).costs == [omop.NO_CAUSE]


@pytest.mark.parametrize(
    ("kind", "lower"), [("csv", True), ("parquet", False), ("parquet", True), ("tabs", False), ("gzip", True)]
)
def test_the_same_from_any_spelling_of_the_files(read: omop.OmopRead, tmp_path: Path, kind: str, lower: bool) -> None:
    other = omop.read(write(tmp_path / "cdm", CDM, kind=kind, lower=lower))
    for ours, theirs in zip(read.raws, other.raws, strict=True):
        assert (ours.table, ours.into) == (theirs.table, theirs.into)
        assert ours.excluded.equals(theirs.excluded)
        for name in ours.frame.columns:
            texts = theirs.frame[name].cast(pl.String).to_list()
            assert texts == ours.frame[name].cast(pl.String).to_list(), (ours.table, name)


@pytest.mark.parametrize("table", ["PERSON", "OBSERVATION_PERIOD"])
def test_person_and_observation_period_are_required(tmp_path: Path, table: str) -> None:
    folder = write(tmp_path / "cdm", {name: rows for name, rows in CDM.items() if name != table})
    with pytest.raises(UserError, match=f"OMOP table {table.lower()} is missing"):
        omop.read(folder)


def test_what_other_missing_tables_cost_is_said(tmp_path: Path) -> None:
    kept = ("PERSON", "OBSERVATION_PERIOD", "DRUG_EXPOSURE")
    found = omop.read(write(tmp_path / "cdm", {name: CDM[name] for name in kept}))
    said = [cost.split(":")[0] for cost in found.costs]
    lacking = ("drug_strength", "condition_occurrence", "death", "visit_occurrence", "concept", "concept_ancestor")
    assert set(said) == {f"no {table}" for table in lacking} | {omop.NO_PAIN.split(":")[0]}
    assert set(raws(found)) == {
        ("person", "persons"), ("observation_period", "observation"), ("drug_exposure", "dispensings"),
    }  # fmt: skip
    # without a concept table a product is still a code, its NDC where it has one
    assert raws(found)["drug_exposure", "dispensings"].frame["code"].to_list()[:2] == ["00406055201", "101"]


def test_strengths_without_units_are_left_to_the_names(tmp_path: Path) -> None:
    units = [name for name in CDM["DRUG_STRENGTH"][0] if name.endswith("_unit_concept_id")]
    bare = [{name: value for name, value in row.items() if name not in units} for row in CDM["DRUG_STRENGTH"]]
    found = omop.read(write(tmp_path / "cdm", CDM | {"DRUG_STRENGTH": bare}))
    frame = raws(found)["drug_exposure", "dispensings"].frame
    assert frame["strength"].null_count() == len(frame)
    assert frame["ingredient"][0] == "oxycodone"
    assert found.costs == ["drug_strength gives no units: strengths are read from the products' names", omop.ONE_CAUSE]


def test_empty_is_not_absent(tmp_path: Path) -> None:
    folder = write(tmp_path / "cdm", CDM)
    for table in ("DRUG_STRENGTH", "CONCEPT_ANCESTOR", "VISIT_OCCURRENCE", "OBSERVATION"):
        (folder / f"{table}.csv").write_text(",".join(CDM[table][0]) + "\n")
    costs = [cost.split(":")[0] for cost in omop.read(folder).costs[:-1]]
    assert costs == [
        f"{table} is empty" for table in ("observation", "visit_occurrence", "drug_strength", "concept_ancestor")
    ]
    others = [row | {"drug_concept_id": 9} for row in CDM["DRUG_STRENGTH"]]
    costs = omop.read(write(tmp_path / "others", CDM | {"DRUG_STRENGTH": others})).costs
    assert costs[0] == "drug_strength knows none of this cohort's concepts: strengths are read from the products' names"


def test_where_no_pain_score_is_held_one_sentence_says_so(tmp_path: Path) -> None:
    weights = [CDM["MEASUREMENT"][2]]
    tables = {name: rows for name, rows in CDM.items() if name != "OBSERVATION"} | {"MEASUREMENT": weights}
    assert omop.read(write(tmp_path / "cdm", tables)).costs == [omop.NO_PAIN, omop.ONE_CAUSE]


def test_the_same_table_twice_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path / "cdm", CDM)
    (folder / "person.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="2 files hold table person"):
        omop.read(folder)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "death_date"} for row in CDM["DEATH"]]
    with pytest.raises(UserError, match="OMOP table death: column death_date is missing"):
        omop.read(write(tmp_path / "cdm", CDM | {"DEATH": rows}))


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        omop.read(tmp_path / "nowhere")


HEADER = b"concept_id,concept_name,vocabulary_id,concept_code,concept_class_id\n"
NAMES = ((100, 'caf\u00e9 5\' "tall" tablet'), (101, '"quoted" patch'), (102, "plain"))


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_vocabularies_are_read_like_any_text(tmp_path: Path, delimiter: str, encoding: str) -> None:
    """Athena's tab-separated files do not quote: there a quotation mark is a character like any other."""
    quote = str if delimiter == "\t" else lambda text: '"' + text.replace('"', '""') + '"'
    lines = [f"{number},{quote(name)},RxNorm,x,Clinical Drug".replace(",", delimiter) for number, name in NAMES]
    text = HEADER.decode().replace(",", delimiter) + "\n\n".join(lines) + "\n"
    folder = write(tmp_path / "cdm", {name: CDM[name] for name in ("PERSON", "OBSERVATION_PERIOD", "DRUG_EXPOSURE")})
    (folder / "CONCEPT.csv").write_bytes(text.encode(encoding))
    found = omop.read(folder)
    names = raws(found)["drug_exposure", "dispensings"].frame["product_name"].to_list()[:3]
    assert names == [name for _, name in NAMES]
    assert [warning for warning in found.warnings if "1252" in warning] == (
        ["CONCEPT.csv is not UTF-8; it was read as Windows-1252 (cp1252)."] if encoding == "cp1252" else []
    )


@pytest.mark.parametrize("kind", [".csv", ".csv.gz"])
@pytest.mark.parametrize("delimiter", [b",", b"\t"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEADER + b"1,secret,x,y,z,w\n", "data row 1 has not as many fields"),
        (HEADER + b"1,a,x,y,z\n2,secret", "data row 2 has not as many fields"),  # cut short
        (HEADER + b"1,secret\0,x,y,z\n", "is not UTF-8 text"),
        (b"\n", "is empty"),
    ],
)
def test_a_damaged_vocabulary_is_one_message_without_its_values(
    tmp_path: Path, kind: str, delimiter: bytes, content: bytes, says: str
) -> None:
    folder = write(tmp_path / "cdm", {name: rows for name, rows in CDM.items() if name != "CONCEPT"})
    content = content.replace(b",", delimiter)
    (folder / f"CONCEPT{kind}").write_bytes(gzip.compress(content) if kind == ".csv.gz" else content)
    with pytest.raises(UserError, match=f"CONCEPT{kind}: {says}") as caught:
        omop.read(folder)
    assert "secret" not in str(caught.value)
