"""Small hand-made cohorts through the workflow: no fault, no deaths, nobody on opioids, nobody eligible."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from workflow_runs import Checkout

STUDY = """
study: {name: small}
cohorts: {registry: {path: raw}}
covariates: {baseline: [age, sex]}
"""
START = date(2015, 1, 1)


def day(number: int) -> str:
    return (START + timedelta(days=number)).isoformat()


def tables(people: int = 60) -> dict[str, list[str]]:
    """Everybody has back pain; a third are on oxycodone from day 300; every fourth dies."""
    ids = range(1, people + 1)
    fills = [(i, 300 + 30 * k) for i in ids if i % 3 == 0 for k in range(6)]
    oxycodone = "oxycodone,oral,5,mg,60,30"
    return {
        "persons": ["person_id,sex,birth_year"] + [f"{i},{'FM'[i % 2]},{1940 + i % 40}" for i in ids],
        "observation": ["person_id,start,end"] + [f"{i},{day(0)},{day(1200)}" for i in ids],
        "diagnoses": ["person_id,date,code,vocabulary"]
        + [f"{i},{day(at)},M54.5,ICD10CM" for i in ids for at in (10, 60)],
        "dispensings": ["person_id,date,ingredient,route,strength,strength_unit,quantity,days_supply"]
        + [f"{i},{day(at)},{oxycodone}" for i, at in fills],
        "deaths": ["person_id,date"] + [f"{i},{day(500 + 3 * i)}" for i in ids if i % 4 == 0],
    }


def run_study(place: Path, files: dict[str, list[str]], study: str = STUDY) -> tuple[int, str, Path]:
    checkout = Checkout.copied_to(place, study)
    (place / "raw").mkdir()
    for name, lines in files.items():
        (place / "raw" / f"{name}.csv").write_text("\n".join(lines) + "\n")
    run = checkout.snakemake("--cores", "2")
    return run.code, run.output, place


def estimates(place: Path) -> pl.DataFrame:
    return pl.read_csv(place / "reports/small/estimates.csv")


def test_a_cohort_without_a_fault_reaches_its_report(tmp_path: Path) -> None:
    code, output, place = run_study(tmp_path / "study", tables())
    assert code == 0, output
    quality = pl.read_csv(place / "data/derived/small/registry/quality.csv")
    assert quality["rejected"].sum() == 0
    assert quality["rows_in"].sum() == 60 + 60 + 120 + 120 + 15
    rate = estimates(place).filter(analysis="mortality.rate", contrast="all").row(0, named=True)
    assert (rate["gate"], rate["events"], rate["persons"]) == ("pass", 15, 60)


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"deaths": []}, "not evaluable: no deaths"),
        ({"deaths": ["person_id,date"]}, "not evaluable: no deaths"),
        ({"dispensings": [line.replace("oxycodone,oral,5", "ibuprofen,oral,400") for line in tables()["dispensings"]]},
         "not evaluable: nobody in group 'on'"),
    ],
)  # fmt: skip
def test_what_cannot_be_estimated_is_a_row_that_says_why(
    tmp_path: Path, changes: dict[str, list[str]], gate: str
) -> None:
    files = {name: lines for name, lines in (tables() | changes).items() if lines}
    code, output, place = run_study(tmp_path / "study", files)
    assert code == 0, output
    row = (
        estimates(place)
        .filter(analysis="mortality.current_use", contrast="on vs off", method="crude")
        .filter(pl.col("window").fill_null("") == "")
    )
    assert row["gate"].to_list() == [gate]
    assert row["estimate"].null_count() == 1
    assert (place / "reports/small/report.html").stat().st_size > 10_000


def test_nobody_eligible_is_one_message_exit_2_and_no_report(tmp_path: Path) -> None:
    files = tables() | {"diagnoses": [line.replace("M54.5", "J44.9") for line in tables()["diagnoses"]]}
    code, output, place = run_study(tmp_path / "study", files)
    assert code == 2, output
    assert "nobody is eligible" in output
    assert "Traceback" not in output
    assert not (place / "reports/small").exists()


def test_an_older_file_in_the_place_of_another_reruns(tmp_path: Path) -> None:
    code, output, place = run_study(tmp_path / "study", tables())
    assert code == 0, output
    deaths = place / "raw/deaths.csv"
    deaths.write_text("\n".join(tables()["deaths"][:-3]) + "\n")
    os.utime(deaths, (1_500_000_000, 1_500_000_000))
    assert "ingest_cohort" in Checkout(place).would_run()
