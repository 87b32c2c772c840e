"""Column mapping: columns, recode, derive, where, and the files a table may come from."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.config.cohorts import Cohort, Recode
from opioid_outcomes.errors import UserError
from opioid_outcomes.ingest import sql
from opioid_outcomes.ingest.rules import canonicalise
from opioid_outcomes.ingest.sources import source_files
from opioid_outcomes.ingest.tables import read

WIDE = """ID,Gender,Age,Months,Dead,Opioid,NDC
1,Male,50,12,1,Yes,00406055201
2,Female,60,24,0,No,00406055201
3,Female,17,36,0,,00406055201
4,LOGICAL SKIP,70,48,,No,00406055201
"""


def cohort(folder: Path, **tables: dict) -> Cohort:
    return Cohort(path=str(folder), date_basis="offset", tables=tables)


def wide(folder: Path, text: str = WIDE, **changes: dict) -> Cohort:
    (folder / "wide.csv").write_text(text)
    persons = {
        "file": "wide.csv",
        "columns": {"person_id": "id", "age_at_entry": "AGE"},
        "recode": {"sex": {"column": "gender", "map": {"Male": "M", "Female": "F"}}},
        "where": "age >= 18",
    }
    observation = {
        "file": "wide.csv",
        "columns": {"person_id": "ID"},
        "derive": {"start": "0", "end": "CAST(ROUND(months * 30.4375) AS BIGINT)"},
    }
    return cohort(folder, **{"persons": persons | changes.pop("persons", {}), "observation": observation} | changes)


def test_several_tables_come_from_one_wide_file(tmp_path: Path) -> None:
    result = read(wide(tmp_path), "c", [])
    persons, observation = result.raws
    assert persons.frame.select("row", "person_id", "sex", "age_at_entry").rows() == [
        (1, "1", "M", "50"),
        (2, "2", "F", "60"),
        (4, "4", None, "70"),
    ]
    assert persons.excluded.rows() == [(3, "3", "where")]
    assert observation.frame["end"].to_list() == [365, 731, 1096, 1461]
    first, second = result.mapped
    assert first.source is second.source
    assert {*first.used(), *second.used()} == {"ID", "Gender", "Age", "Months"}


def test_codes_with_leading_zeros_stay_text_in_sql(tmp_path: Path) -> None:
    given = wide(tmp_path, persons={"where": "ndc = '00406055201'"})
    assert read(given, "c", []).raws[0].frame.height == 4


def test_unknown_does_not_select(tmp_path: Path) -> None:
    given = wide(tmp_path, persons={"where": "dead = 1 OR opioid = 'No'"})
    assert read(given, "c", []).raws[0].frame["row"].to_list() == [1, 2, 4]


@pytest.mark.parametrize(
    ("map_", "default", "expected"),
    [
        ({"Yes": 1, "No": 0}, None, [1, 0, None, 0]),
        ({"Yes": 1}, 0, [1, 0, None, 0]),  # missing stays missing
        ({"Yes": 1, "": 9}, 0, [1, 0, 9, 0]),  # unless the map names it
        ({"Yes": "on", "No": None}, "x", ["on", None, None, None]),
        ({"Yes": 0.5}, None, [0.5, None, None, None]),
    ],
)
def test_recode(tmp_path: Path, map_: dict, default: object, expected: list) -> None:
    recode = {"using": {"column": "opioid", "map": map_, "default": default}}
    use = {"file": "wide.csv", "columns": {"person_id": "id"}, "recode": recode, "derive": {"date": "0"}}
    raws = read(wide(tmp_path, opioid_use=use), "c", []).raws
    assert next(raw for raw in raws if raw.into == "opioid_use").frame["using"].to_list() == expected


def test_a_recode_finds_numbers_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "persons.csv").write_text("person_id,code,age_at_entry\n1,1.0,50\n2,2.0,60\n3,2,60\n")
    (tmp_path / "observation.csv").write_text("person_id,start,end\n1,0,9\n")
    given = cohort(tmp_path, persons={"recode": {"sex": {"column": "code", "map": {"1": "M", "2": "F"}}}})
    assert read(given, "c", []).raws[0].frame["sex"].to_list() == ["M", "F", "F"]


def test_a_recode_that_matches_nothing_names_frequent_labels_only(tmp_path: Path) -> None:
    text = "ID,Gender,Age,Months\n" + "".join(f"{i},{'Man' if i < 11 else 'rare'},50,12\n" for i in range(21))
    with pytest.raises(UserError, match="matches no row") as raised:
        read(wide(tmp_path, text), "c", [])
    assert "'Man'" in str(raised.value)
    assert "rare" not in str(raised.value)


@pytest.mark.parametrize(
    "label", ["SMITH-44", "17/03/2016", "17mar2016", "Mar 17, 2016", "4471-12345", "father died of an overdose"]
)
def test_labels_that_may_be_one_persons_are_not_named(tmp_path: Path, label: str) -> None:
    many = 1 if label == "SMITH-44" else 12  # rows of one person, or something that is no category
    lines = [f'{1 + row % many},"{label}",50,12' for row in range(12)]
    with pytest.raises(UserError, match="matches no row") as raised:
        read(wide(tmp_path, "ID,Gender,Age,Months\n" + "\n".join(lines) + "\n"), "c", [])
    assert label not in str(raised.value)


@pytest.mark.parametrize(("table", "column"), [("persons", "person_id"), ("observation", "start")])
def test_labels_of_ids_and_days_are_not_named(tmp_path: Path, table: str, column: str) -> None:
    text = "ID,Gender,Age,Months\n" + "".join(f"{i},Male,50,12\n" for i in range(20))
    given = wide(tmp_path, text)
    given.tables[table].columns.pop(column, None)
    given.tables[table].derive.pop(column, None)
    given.tables[table].recode[column] = Recode(column="Gender", map={"x": "1"})
    with pytest.raises(UserError, match="matches no row") as raised:
        read(given, "c", [])
    assert "Male" not in str(raised.value)


def test_labels_that_match_no_row_are_told(tmp_path: Path) -> None:
    given = wide(tmp_path, persons={"recode": {"sex": {"column": "gender", "map": {"Male": "M", "Femle": "F"}}}})
    assert any("'Femle'" in warning for warning in read(given, "c", []).warnings)


@pytest.mark.parametrize(
    ("persons", "says"),
    [
        ({"where": "Agee >= 20"}, "did you mean Age"),
        ({"where": "Age >="}, "is not an SQL expression"),
        ({"where": "Age + 1"}, "is not a condition"),
        ({"where": "Age > 200"}, "selects no row"),
        ({"derive": {"survey_weight": "CAST(Gender AS BIGINT)"}}, "cannot be computed"),
        ({"columns": {"person_id": "SEQN", "age_at_entry": "Age"}}, "no column SEQN in wide.csv"),
        ({"columns": {"person_id": "ID"}}, "no column birth_year or age_at_entry"),
        ({"recode": {}}, "no column sex"),
        ({"columns": {"person_id": "ID", "age_at_entry": "Age", "sex": "Gender"}}, "is given twice"),
        ({"file": "none.csv"}, "no such file"),
    ],
)
def test_a_mistaken_mapping_is_one_message(tmp_path: Path, persons: dict, says: str) -> None:
    with pytest.raises(UserError, match=says) as raised:
        read(wide(tmp_path, persons=persons), "c", [])
    assert "LOGICAL SKIP" not in str(raised.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    use = {"file": "wide.csv", "columns": {"person_id": "ID", "using": "Opiod"}, "derive": {"date": "Mnths"}}
    with pytest.raises(UserError) as raised:
        read(wide(tmp_path, persons={"where": "Agee > 1"}, opioid_use=use), "c", [])
    assert len(raised.value.problems) == 4  # two names, one expression, and then `using` has no column


def test_a_column_of_another_table_is_refused(tmp_path: Path) -> None:
    use = {"file": "wide.csv", "columns": {"person_id": "ID", "dose": "Age"}, "derive": {"date": "0", "using": "1"}}
    with pytest.raises(UserError, match="is no column of this table"):
        read(wide(tmp_path, opioid_use=use), "c", [])


def test_two_files_for_one_table(tmp_path: Path) -> None:
    for name in ("persons.csv", "Persons.parquet", "observation.csv"):
        (tmp_path / name).write_text("x")
    with pytest.raises(UserError, match="2 files could be table persons"):
        read(Cohort(path=str(tmp_path)), "c", [])


def test_missing_tables_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="table persons is missing") as raised:
        read(Cohort(path=str(tmp_path)), "c", [])
    assert len(raised.value.problems) == 2
    with pytest.raises(UserError, match="no such folder"):
        read(Cohort(path=str(tmp_path / "none")), "c", [])
    given = cohort(tmp_path, pain={})
    with pytest.raises(UserError, match="maps table pain"):
        read(given, "c", [])


def test_what_is_absent_costs_something(tmp_path: Path) -> None:
    costs = read(wide(tmp_path), "c", []).costs
    assert [cost.split(":")[0] for cost in costs] == [
        "There are no diagnoses", "There are no pain scores", "There are no deaths",
    ]  # fmt: skip
    died = {"file": "wide.csv", "columns": {"person_id": "id"}, "derive": {"date": "0"}}
    assert len(read(wide(tmp_path, deaths=died), "c", []).costs) == 2


def test_source_files(tmp_path: Path) -> None:
    given = wide(tmp_path)
    (tmp_path / "PAIN.CSV.gz").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    assert [path.name for path in source_files(given)] == ["PAIN.CSV.gz", "wide.csv"]
    (tmp_path / "PERSON.csv").write_text("x")
    assert [path.name for path in source_files(Cohort(format="omop", path=str(tmp_path)))] == ["PERSON.csv"]
    assert source_files(Cohort(path=str(tmp_path / "none"))) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", " 2", None], [1, 2, None]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["01", "2"], ["01", "2"]),
        (["1", "x"], ["1", "x"]),
        (["1", "."], ["1", "."]),
        ([None, None], [None, None]),
        (["99999999999999999999"], ["99999999999999999999"]),
    ],
)
def test_numbers_in_sql(values: list, expected: list) -> None:
    result = sql.numeric(pl.Series(values, dtype=pl.String)).to_list()
    assert result == expected
    assert [type(value) for value in result] == [type(value) for value in expected]


HEADLESS = {
    "dates": "MRN-4471,2016-03-17,NRS,seven\nMRN-4472,2016-03-18,NRS,eight\n",
    "numbers": "MRN-4471,person_idx,NRS,7\nMRN-4472,b,NRS,8\n",
    "a name of the contract among data": "MRN-4471,scale,17mar2016,NRS\nMRN-4472,scale,18mar2016,NRS\n",
    "words only": "MRN-4471,Zoe,NRS\nMRN-4472,Ann,NRS\n",
}


@pytest.mark.parametrize("case", HEADLESS)
@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"columns": {"score": "MRN-447"}},
        {"recode": {"score": {"column": "NR", "map": {"a": 1}}}},
        {"where": "z > 1"},
    ],
)
def test_a_row_of_data_is_never_quoted_as_a_header(tmp_path: Path, case: str, mapping: dict) -> None:
    (tmp_path / "pain.csv").write_text(HEADLESS[case])
    given = wide(tmp_path, pain={"file": "pain.csv"} | mapping)
    with pytest.raises(UserError) as raised:
        read(given, "c", [])
    said = str(raised.value)
    assert "first line is no header: add one" in said
    assert not [cell for cell in ("4471", "2016", "Zoe", "person_idx") if cell in said]


def test_the_names_of_a_header_are_suggested(tmp_path: Path) -> None:
    (tmp_path / "pain.csv").write_text("person_id,day_of_visit,scale,score\n1,1,NRS,7\n")
    with pytest.raises(UserError, match="there are: person_id, day_of_visit, scale, score"):
        read(wide(tmp_path, pain={"file": "pain.csv"}), "c", [])


DATED = "person_id,sex,age,iso,uk\n1,F,50,2016-03-17,17/03/2016\n2,M,60,2016-04-01,01/04/2016\n"


@pytest.mark.parametrize("expression", ["DATE(iso)", "DATE(uk, '%d/%m/%Y')", "STRPTIME(uk, '%d/%m/%Y')", "iso"])
def test_text_becomes_a_date(tmp_path: Path, expression: str) -> None:
    raws = read(dated(tmp_path, expression), "c", []).raws
    done = canonicalise(raws, calendar=True, person_columns=[], max_rejected_share=0)
    days = done.tables["observation"]["start"].cast(pl.Date).cast(pl.String).to_list()
    assert days == ["2016-03-17", "2016-04-01"]


@pytest.mark.parametrize("expression", ["CAST(iso AS DATE)", "iso::date", "TRY_CAST(iso AS timestamp)"])
def test_a_cast_of_text_to_a_date_is_told_what_does_it(tmp_path: Path, expression: str) -> None:
    with pytest.raises(UserError, match=r"text becomes a date by DATE\(column\)"):
        read(dated(tmp_path, expression), "c", [])


def dated(folder: Path, expression: str) -> Cohort:
    (folder / "wide.csv").write_text(DATED)
    persons = {"file": "wide.csv", "columns": {"age_at_entry": "age"}}
    observation = {"file": "wide.csv", "derive": {"start": expression, "end": expression}}
    return Cohort(path=str(folder), tables={"persons": persons, "observation": observation})
