"""A cohort's files as people really bring them: each mistake is one message, or rows that are counted.

In process: ``check_cohort`` is what ``snakemake check`` and ``opioid-outcomes check`` call for each cohort.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.slices import slice_of
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.errors import UserError
from opioid_outcomes.ingest.check import check_cohort
from opioid_outcomes.steps.ingest import ingest_cohort

PEOPLE = [*range(99, 130), *range(131, 160)]  # consecutive ids would be told
FILES = {
    "persons": ["person_id,sex,birth_year", *(f"{i},{'FM'[i % 2]},{1900 + i // 2}" for i in PEOPLE)],
    "observation": ["person_id,start,end", *(f"{i},2010-01-01,2012-12-31" for i in PEOPLE)],
    "dispensings": [
        "person_id,date,ingredient,route,strength,strength_unit,quantity,days_supply",
        *(f"{i},2010-0{1 + month}-01,oxycodone,oral,5,mg,60,30" for i in PEOPLE for month in range(3)),
    ],
    "diagnoses": ["person_id,date,code,vocabulary", *(f"{i},2010-02-01,M54.5,ICD10CM" for i in PEOPLE)],
    "pain": ["person_id,date,scale,score", *(f"{i},2010-03-01,NRS,{i % 10}" for i in PEOPLE)],
    "deaths": ["person_id,date,cause", *(f"{i},2012-06-01,I219" for i in PEOPLE[:12])],
}

Edit = Callable[[list[str]], list[str]]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for table, lines in FILES.items():
        write(tmp_path / "raw" / f"{table}.csv", lines)
    (tmp_path / "study.yaml").write_text("cohorts:\n  clinic: {path: raw}\n")
    return tmp_path


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


def check(study: Path) -> str:
    return check_cohort("clinic", load_config(study / "study.yaml"))


def test_a_sound_cohort(study: Path) -> None:
    first, *told = check(study).splitlines()
    assert first == "clinic: 60 persons; 432 rows read, 432 accepted, 0 rejected, 0 merged, 0 not selected"
    assert not any("rejected" in line for line in told)


def replaced(old: str, new: str, lines: slice = slice(None)) -> Edit:
    def edit(given: list[str]) -> list[str]:
        given[lines] = [line.replace(old, new) for line in given[lines]]
        return given

    return edit


STOPS: dict[str, tuple[str, Edit, str]] = {
    "empty file": ("pain", lambda lines: [], "pain.csv: is empty"),
    "header only": ("persons", lambda lines: lines[:1], "persons.csv: has a header and no rows"),
    "cut short": ("pain", lambda lines: [*lines[:20], lines[20][:8]], "pain.csv: data row 20 has not as many fields"),
    "delimiter in a text": ("deaths", replaced("I219", "I21,9", slice(5, 6)), "deaths.csv: data row 5 has not as many"),
    "wrong delimiter": ("pain", replaced(",", "~"), "pain.csv: its header has one column only"),
    "missing column": ("pain", replaced("score", "skore", slice(0, 1)), "has no column score"),
    "every date unreadable": ("pain", replaced("2010-03-01", "01.03.2010"), "60 of 60 rows were rejected"),
    "offsets for dates": ("pain", replaced("2010-03-01", "59"), "date_basis: offset"),
    "every score unreadable": (
        "pain",
        lambda lines: [lines[0], *(line.rsplit(",", 1)[0] + ",high" for line in lines[1:])],
        "60 of 60 rows were rejected",
    ),
    "ids of another kind": (
        "dispensings",
        lambda lines: [lines[0], *("P" + line for line in lines[1:])],
        "same kind of id",
    ),
    "half of a table for unknown persons": (
        "deaths",
        lambda lines: [*lines, *(f"{i},2012-06-01," for i in range(900, 912))],
        "table deaths: 12 of 24 rows were rejected, 20% may be",
    ),
    "every person twice, in conflict": (
        "persons",
        lambda lines: [*lines, *(line.replace(",F,", ",M,").replace(",M,", ",F,") for line in lines[1:])],
        "conflicting_person",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(STOPS))
def test_what_must_be_mended_is_one_message(study: Path, case: str) -> None:
    table, edit, says = STOPS[case]
    path = study / "raw" / f"{table}.csv"
    write(path, edit(list(FILES[table])))
    if case == "empty file":
        path.write_bytes(b"")
    with pytest.raises(UserError) as raised:
        check(study)
    message = str(raised.value)
    assert says in message
    assert not any(secret in message for secret in ("2010-03-01", "01.03.2010", "I21", "P100", "high"))
    assert all(problem.fix for problem in raised.value.problems)


COUNTED: dict[str, tuple[str, list[str], dict[str, int]]] = {
    "duplicate person": ("persons", ["100,F,1950"], {"duplicate_row": 1}),
    "conflicting person": ("persons", ["100,M,1950"], {"conflicting_person": 2}),
    "unknown persons": ("dispensings", ["7,2010-01-01,oxycodone,oral,5,mg,60,30"], {"unknown_person": 1}),
    "unreadable date": ("dispensings", ["100,1st May,oxycodone,oral,5,mg,60,30"], {"unreadable_date": 1}),
    "pain of 99": ("pain", ["100,2010-04-01,NRS,99"], {"score_out_of_range": 1}),
    "unable to score": ("pain", ["100,2010-04-01,NRS,Unable to Score"], {"unreadable_number": 1}),
    "death before observation": ("deaths", ["150,2001-01-01,"], {"death_before_observation": 1}),
    "score after death": ("pain", ["100,2012-06-02,NRS,5"], {"after_death": 1}),
    "no id": ("deaths", [",2012-06-01,"], {"missing_person_id": 1}),
}


def run(study: Path) -> tuple[dict[str, Path], str]:
    out = study / "out"
    outputs = {name: out / f"{name}.parquet" for name in (*CANONICAL, "rejected")}
    outputs |= {"quality": out / "quality.csv", "quality_rules": out / "rules.csv", "notes": out / "notes.json"}
    settings = slice_of(load_config(study / "study.yaml"), "ingest_cohort", "clinic")
    return outputs, ingest_cohort({}, outputs, settings)


@pytest.mark.parametrize("case", list(COUNTED))
def test_single_bad_rows_are_rejected_and_counted(study: Path, case: str) -> None:
    table, lines, rules = COUNTED[case]
    write(study / "raw" / f"{table}.csv", [*FILES[table], *lines])
    outputs, said = run(study)
    assert (
        dict(pl.read_csv(outputs["quality_rules"]).filter(pl.col("table") == table).select("rule", "rows").rows())
        == rules
    )
    rejected = pl.read_parquet(outputs["rejected"])
    assert len(FILES[table]) in rejected.filter(pl.col("table") == table)["row"].to_list()  # the line that was added
    assert check(study).startswith("clinic: ")
    assert f"{rejected.height} rejected" in said


def test_fills_are_not_lost_for_a_bad_amount(study: Path) -> None:
    """Neither text nor a minus rejects a dispensing: the amount is missing or repaired, and both are told."""
    amounts = [f"{i},2010-05-0{1 + day},oxycodone,oral,5,mg,{text},30" for i in PEOPLE[:6] for day, text in
               enumerate(("1/2", "half", "60 tabs", "30 - 60 tabs", "-60"))]  # fmt: skip
    write(study / "raw" / "dispensings.csv", [*FILES["dispensings"], *amounts])
    outputs, said = run(study)
    assert " 0 rejected" in said
    told = "quantity could not be read in about 10 rows of dispensings: they count as missing."
    assert told in json.loads(outputs["notes"].read_text())["warnings"]
    assert told in check(study)
    added = pl.read_parquet(outputs["dispensings"]).filter(pl.col("date").dt.month() == 5).sort("person_id", "date")
    assert added.select("quantity", "quantity_to").rows() == 6 * [
        (None, None), (None, None), (60, None), (30, 60), (-60, None),
    ]  # fmt: skip


def test_amounts_none_of_which_can_be_read_are_a_mistake(study: Path) -> None:
    write(study / "raw" / "dispensings.csv", [line.replace("mg,60,30", "mg,?,30") for line in FILES["dispensings"]])
    with pytest.raises(UserError, match="no quantity can be read as a number"):
        check(study)


def test_what_is_written(study: Path) -> None:
    outputs, _ = run(study)
    assert all(path.exists() for path in outputs.values())
    assert pl.read_parquet(outputs["observation"]).schema["start"] == pl.Date
    assert pl.read_parquet(outputs["stays"]).is_empty()
    notes = json.loads(outputs["notes"].read_text())
    assert (notes["costs"], notes["warnings"]) == ([], [])
    pain = hashlib.sha256((study / "raw" / "pain.csv").read_bytes()).hexdigest()
    assert {"file": "pain.csv", "sha256": pain} in notes["inputs"]
    assert notes["rows"]["pain"] == len(FILES["pain"]) - 1
    first = {name: path.read_bytes() for name, path in outputs.items()}
    assert {name: path.read_bytes() for name, path in run(study)[0].items()} == first


def test_a_mistake_leaves_nothing_half_written(study: Path) -> None:
    write(study / "raw" / "pain.csv", [line.replace("NRS", "faces") for line in FILES["pain"]])
    with pytest.raises(UserError, match="unknown_scale 60"):
        run(study)
    assert not (study / "out").exists()


def test_missing_tables(study: Path) -> None:
    (study / "raw" / "observation.csv").unlink()
    with pytest.raises(UserError, match="table observation is missing"):
        check(study)


def test_no_deaths_and_nobody_on_opioids_are_no_mistakes(study: Path) -> None:
    for table in ("deaths", "dispensings"):
        (study / "raw" / f"{table}.csv").unlink()
    outputs, _ = run(study)
    costs = json.loads(outputs["notes"].read_text())["costs"]
    assert costs == ["There are no deaths: mortality cannot be estimated."]
    assert "nobody's use of opioids is known" in check(study)
    write(study / "raw" / "deaths.csv", FILES["deaths"][:1])  # a header without rows
    assert check(study)


@pytest.mark.parametrize(("name", "says"), [("smokng", "no covariate 'smokng'"), ("mme", "prior_mme is the dose")])
@pytest.mark.parametrize("key", ["baseline", "time_varying"])
def test_a_covariate_nobody_can_have_is_told_by_check(study: Path, key: str, name: str, says: str) -> None:
    with (study / "study.yaml").open("a") as config:
        config.write(f"covariates: {{{key}: [{name}]}}\n")
    with pytest.raises(UserError, match=says):
        check(study)
