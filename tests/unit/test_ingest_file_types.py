"""One cohort written in every file type becomes the same canonical tables."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyreadstat
import pytest

from opioid_outcomes.config.cohorts import Cohort
from opioid_outcomes.config.privacy import Privacy, Quality
from opioid_outcomes.ingest.run import Read, read_cohort

IDS = [3, 1, 2, 40]
DAY = date(2010, 1, 1)
TABLES = {
    "persons": {
        "Person_ID": IDS,
        "SEX": [1, 2, 2, None],
        "birth_year": [1950, 1960, None, 1915],
        "smoking": ["never", None, "former", "never"],
        "income": [1.5, None, 2.0, 5.0],
    },
    "observation": {"person_id": IDS, "start": [DAY] * 4, "end": [DAY + timedelta(days=i) for i in IDS]},
    "pain": {"person_id": [1, 1, 2], "date": [DAY] * 3, "scale": ["NRS", "VAS100", "NRS"], "score": [3.5, 99.0, 4.0]},
    "diagnoses": {"person_id": [1], "date": [DAY], "code": ["054.1"], "vocabulary": ["ICD9CM"]},
}
MAPPING = {"persons": {"recode": {"sex": {"column": "sex", "map": {"1": "M", "2": "F"}}}}}


def write(frame: pl.DataFrame, folder: Path, table: str, kind: str) -> None:
    path = folder / f"{table}.{kind}"
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "dta":
        pyreadstat.write_dta(frame, str(path))
    elif kind == "xpt":
        pyreadstat.write_xport(frame, str(path))
    elif kind == "csv.gz":
        import gzip

        path.write_bytes(gzip.compress(frame.write_csv(separator="|", null_value="NA").encode()))
    else:
        path.write_text(frame.write_csv(separator=";", null_value="."))


def cohort(folder: Path, kind: str) -> Read:
    for table, columns in TABLES.items():
        write(pl.DataFrame(columns), folder, table, kind)
    given = Cohort(path=str(folder), tables=MAPPING)
    return read_cohort(given, "c", privacy=Privacy(), quality=Quality(), person_columns=["smoking", "income"])


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "dta", "xpt"])
def test_every_file_type_tells_the_same(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    expected, found = cohort(tmp_path / "a", "parquet").ingested, cohort(tmp_path / "b", kind).ingested
    assert expected.quality.equals(found.quality)
    for name, table in expected.tables.items():
        assert found.tables[name].equals(table), name
        assert found.tables[name].schema == table.schema
    assert expected.tables["persons"].drop("survey_weight", "stratum", "cluster", "age_at_entry").rows() == [
        (1, "F", 1960, None, None),
        (2, "F", None, "former", 2.0),
        (3, "M", 1950, "never", 1.5),
        (40, "U", 1920, "never", 5.0),
    ]
    assert expected.tables["diagnoses"]["code"].to_list() == ["0541"]


def test_a_time_with_a_zone_falls_on_the_day_of_its_clock(tmp_path: Path) -> None:
    persons = pl.DataFrame({"person_id": [1], "sex": ["F"], "birth_year": [1950]})
    late = pl.Series([datetime(2010, 1, 1, 23, 30)]).dt.replace_time_zone("America/New_York")
    write(persons, tmp_path, "persons", "parquet")
    write(pl.DataFrame({"person_id": [1], "start": late, "end": late}), tmp_path, "observation", "parquet")
    read = read_cohort(Cohort(path=str(tmp_path)), "c", privacy=Privacy(), quality=Quality(), person_columns=[])
    assert read.ingested.tables["observation"].select("start", "end").rows() == [((DAY - date(1970, 1, 1)).days,) * 2]
