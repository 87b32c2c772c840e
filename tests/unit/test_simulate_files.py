"""The folder of a simulated cohort: same seed same bytes, same people in both formats, few and known errors."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.errors import UserError
from opioid_outcomes.simulate import worlds
from opioid_outcomes.simulate.drugs import OPIOIDS
from opioid_outcomes.simulate.world import WORLDS
from opioid_outcomes.steps.simulate import simulate_cohort

PERSONS = 400


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("simulated")
    for format in ("tables", "omop"):
        worlds.write(base / format, "hyperalgesia", PERSONS, 5, format=format)
    return {format: base / format for format in ("tables", "omop")}


def read(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(folder / f"{name}.csv", infer_schema_length=None, try_parse_dates=True)


@pytest.mark.parametrize("format", ["tables", "omop"])
def test_same_seed_same_bytes_another_seed_others(folders: dict[str, Path], tmp_path: Path, format: str) -> None:
    worlds.write(tmp_path / "again", "hyperalgesia", PERSONS, 5, format=format)
    worlds.write(tmp_path / "other", "hyperalgesia", PERSONS, 6, format=format)
    names = sorted(path.name for path in folders[format].iterdir())
    assert "truth.json" in names
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (folders[format] / name).read_bytes(), name
    clinical = {"persons.csv", "pain.csv", "PERSON.csv", "MEASUREMENT.csv", "truth.json"} & set(names)
    assert len(clinical) == 3
    for name in clinical:
        assert (tmp_path / "other" / name).read_bytes() != (folders[format] / name).read_bytes(), name


def middle(quantity: pl.Series) -> pl.Series:
    """Numbers of quantities, of which some are ranges."""
    ends = quantity.cast(pl.String).str.split("-").cast(pl.List(pl.Float64))
    return ends.list.mean()


def test_both_formats_hold_the_same_people(folders: dict[str, Path]) -> None:
    tables, omop = folders["tables"], folders["omop"]
    assert (tables / "truth.json").read_bytes() == (omop / "truth.json").read_bytes()
    for table, columns, cdm, cdm_columns in (
        ("persons", ["person_id", "birth_year"], "PERSON", ["person_id", "year_of_birth"]),
        ("deaths", ["person_id", "date", "cause"], "DEATH", ["person_id", "death_date", "cause_source_value"]),
        ("dispensings", ["person_id", "date", "days_supply"], "DRUG_EXPOSURE",
         ["person_id", "drug_exposure_start_date", "days_supply"]),
        ("diagnoses", ["person_id", "date", "code"], "CONDITION_OCCURRENCE",
         ["person_id", "condition_start_date", "condition_source_value"]),
        ("observation", ["person_id", "start", "end"], "OBSERVATION_PERIOD",
         ["person_id", "observation_period_start_date", "observation_period_end_date"]),
    ):  # fmt: skip
        assert read(tables, table).select(columns).rows() == read(omop, cdm).select(cdm_columns).rows(), table
    inpatient = read(omop, "VISIT_OCCURRENCE").filter(pl.col("visit_concept_id") == 9201)
    assert read(tables, "stays").rows() == inpatient.select("person_id", "visit_start_date", "visit_end_date").rows()
    amounts = middle(read(tables, "dispensings")["quantity"])
    assert amounts.to_list() == read(omop, "DRUG_EXPOSURE")["quantity"].to_list()


def test_tables_have_the_columns_and_words_of_the_contract(folders: dict[str, Path]) -> None:
    for name in ("persons", "observation", "dispensings", "diagnoses", "pain", "stays", "deaths"):
        frame, contract = read(folders["tables"], name), CANONICAL[name]
        assert set(frame.columns) <= set(contract.names), name
        for column in contract.columns:
            if column.required:
                assert frame[column.name].null_count() == 0, (name, column.name)
            if column.values and column.name in frame.columns:
                assert set(frame[column.name].drop_nulls()) <= set(column.values), (name, column.name)


def test_omop_concepts_are_all_described(folders: dict[str, Path]) -> None:
    omop = folders["omop"]
    concept = read(omop, "CONCEPT")
    assert concept["concept_id"].is_unique().all()
    names = dict(concept.select("concept_id", "concept_name").rows())
    for table, column in (
        ("DRUG_EXPOSURE", "drug_concept_id"), ("CONDITION_OCCURRENCE", "condition_source_concept_id"),
        ("MEASUREMENT", "measurement_concept_id"), ("DRUG_STRENGTH", "drug_concept_id"),
        ("DRUG_STRENGTH", "ingredient_concept_id"), ("CONCEPT_ANCESTOR", "ancestor_concept_id"),
    ):  # fmt: skip
        assert set(read(omop, table)[column]) - {0} <= set(names), (table, column)
    strength = read(omop, "DRUG_STRENGTH")
    assert 0 < strength.height < read(omop, "DRUG_EXPOSURE")["drug_concept_id"].n_unique() + 1
    for drug, amount in strength.select("drug_concept_id", "amount_value").rows():
        assert f" {amount:g} MG" in names[drug]


def test_errors_are_few_and_known(folders: dict[str, Path]) -> None:
    tables = folders["tables"]
    pain, fills, persons = read(tables, "pain"), read(tables, "dispensings"), read(tables, "persons")
    assert pain.filter((pl.col("score") == 99) & (pl.col("scale") == "NRS")).height == 5
    assert pain.filter((pl.col("score") > 10) & (pl.col("scale") == "NRS")).height == 5
    assert pain.height - pain.unique().height == 5
    assert fills.filter(~pl.col("person_id").is_in(persons["person_id"].to_list())).height == 3
    assert fills.filter(pl.col("ingredient") == "oxycodone")["days_supply"].null_count() < 0.02 * fills.height
    assert set(fills["days_supply"].drop_nulls()) - {700} == {1, 6, *range(5, 16), 28, 30}
    last = read(tables, "observation").group_by("person_id").agg(pl.col("end").max())
    for name in ("dispensings", "diagnoses"):
        late = read(tables, name).join(last, on="person_id").filter(pl.col("date") > pl.col("end"))
        assert late.height == 0, name


def test_what_the_exposure_section_is_about_is_there(folders: dict[str, Path]) -> None:
    """Products that factor tables disagree on, or are kept apart, or unknown, and amounts that are badly recorded."""
    fills = read(folders["tables"], "dispensings")
    people = {
        "methadone": pl.col("ingredient") == "methadone",
        "hydromorphone": pl.col("ingredient") == "hydromorphone",
        "tapentadol": pl.col("ingredient") == "tapentadol",
        "liquid": (pl.col("ingredient") == "morphine") & (pl.col("strength_unit") == "mg/mL"),
        "patch without a factor": (pl.col("ingredient") == "buprenorphine") & (pl.col("strength_unit") == "mcg/h"),
        "cough": pl.col("indication") == "cough",
        "injection": pl.col("route") == "injection",
        "treatment": pl.col("indication") == "opioid_use_disorder",
        "gabapentin": pl.col("ingredient") == "gabapentin",
        "unknown code": pl.col("code").is_not_null() & pl.col("ingredient").is_null(),
        "strength missing": pl.col("ingredient").is_not_null() & pl.col("strength").is_null(),
        "range": pl.col("quantity").str.contains("-"),
        "quantity missing": pl.col("quantity").is_null(),
        "quantity 0": pl.col("quantity") == "0",
        "days_supply missing": pl.col("days_supply").is_null(),
        "days_supply impossible": pl.col("days_supply") == 700,
    }
    seen = {name: fills.filter(which)["person_id"].n_unique() for name, which in people.items()}
    assert [name for name, number in seen.items() if not number] == []
    spoilt = fills.filter(pl.any_horizontal(list(people.values())[-6:]))
    assert spoilt.height < 0.03 * fills.height
    for_pain = fills.filter(
        pl.col("ingredient").is_in([product.ingredient for product in OPIOIDS]),
        pl.col("indication").is_null(),
        pl.col("route") != "injection",
    )
    assert set(fills.filter(people["treatment"])["person_id"]).isdisjoint(for_pain["person_id"])


def test_baseline_confounders_are_on_record_in_the_180_days_before_entry(folders: dict[str, Path]) -> None:
    """Whoever has depression on record at all has it then: nobody becomes depressed unseen."""
    diagnoses = read(folders["tables"], "diagnoses")
    assert set(diagnoses["code"]) >= {"F32.9", "M79.7", "I50.9", "J44.9", "E11.9"}
    pain = diagnoses.filter(pl.col("code").is_in(["M54.5", "M17.11", "M17.9"])).sort("person_id", "date")
    second = (
        pain.group_by("person_id", maintain_order=True).agg(pl.col("date").slice(1, 1)).explode("date").drop_nulls()
    )
    start = read(folders["tables"], "observation").group_by("person_id").agg(pl.col("start").min())
    entry = second.join(start, on="person_id").select(
        "person_id", entry=pl.max_horizontal("date", pl.col("start").dt.offset_by("180d"))
    )
    for code in ("F32.9", "M79.7", "I50.9", "J44.9", "E11.9"):
        first = diagnoses.filter(pl.col("code") == code).group_by("person_id").agg(pl.col("date").min())
        day = first.join(entry, on="person_id")
        gap = (day["entry"] - day["date"]).dt.total_days()
        assert gap.min() >= 1, code
        assert gap.max() <= 180, code


@pytest.mark.parametrize("persons", [1, 50])
def test_small_cohorts(tmp_path: Path, persons: int) -> None:
    known = worlds.write(tmp_path / "c", "tolerance", persons, 1)
    assert known[0]["analysis"] == "mortality.current_use"
    assert read(tmp_path / "c", "persons").height == persons


def test_an_unknown_world_or_format_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="null, relief, tolerance, hyperalgesia, mortality, claims, immortal_time"):
        worlds.write(tmp_path / "c", "heaven", 100, 1)
    with pytest.raises(UserError, match="tables, omop"):
        worlds.write(tmp_path / "c", "null", 100, 1, format="fhir")
    assert not (tmp_path / "c").exists()
    assert all(world.sentence.endswith(".") for world in WORLDS.values())


def test_step_writes_where_the_truth_belongs(tmp_path: Path) -> None:
    cohort = {"path": "ignored", "format": "omop", "simulate": {"world": "null", "persons": 60, "seed": 3}}
    line = simulate_cohort({}, {"truth": tmp_path / "c" / "truth.json"}, {"cohort": cohort})
    assert "60 people" in line
    assert (tmp_path / "c" / "PERSON.csv").exists()
    assert json.loads((tmp_path / "c" / "truth.json").read_text())[0]["truth"] == 0.0


def test_a_folder_of_other_files_is_left_alone_and_an_earlier_simulation_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "persons.csv").write_text("real\n")
    with pytest.raises(UserError, match="no simulation wrote"):
        worlds.write(tmp_path, "null", 60, 1)
    assert (tmp_path / "persons.csv").read_text() == "real\n"
    again = tmp_path / "again"
    worlds.write(again, "null", 60, 1)
    worlds.write(again, "null", 60, 1, format="omop")
    assert not (again / "persons.csv").exists()
    assert (again / "PERSON.csv").exists()
