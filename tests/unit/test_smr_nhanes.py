"""SMRs of real people (NHANES) against R on the same rows (tests/reference/survival/nhanes_smr.R)."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.mortality.smr import reference, smr

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "nhanes" / "nhanes_1999_2014_rx_mortality.csv.gz"
EXPECTED = json.loads((ROOT / "tests" / "reference" / "survival" / "nhanes_smr.json").read_text())

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="the NHANES file is not beside the checkout"),
]


@pytest.fixture(scope="module")
def rows() -> dict[str, object]:
    people = pl.read_csv(DATA, infer_schema_length=100_000).filter(
        pl.col("RIDAGEYR") >= 20, pl.col("MCQ160A") == "Yes", pl.col("mortstat").is_not_null()
    )
    time = people.select(
        pl.col("SEQN").alias("person_id"),
        pl.lit(0).alias("start"),
        ((pl.col("permth_int") * 30.4375).round(mode="half_to_even") + 1).cast(pl.Int64).alias("stop"),
        pl.col("mortstat").cast(pl.Int64).alias("death"),
        (pl.col("opioids") == "Yes").cast(pl.Int64).alias("baseline_user"),
        entered=pl.lit(0),
        born=-(pl.col("RIDAGEYR") + 0.5) * 365.25,
        female=(pl.col("RIAGENDR") == "Female").cast(pl.Int64),
    ).filter(pl.col("stop").is_not_null())
    against = reference("us", country="US", date_basis="offset", reference_year=2009, top_coded_age=80)
    return {row.contrast.split(" vs ")[0]: row for row in smr(time, against, exposure="baseline") if row.scale == "smr"}


@pytest.mark.parametrize("group", ["all", "baseline user", "non user"])
def test_equals_r(rows: dict, group: str) -> None:
    row, theirs = rows[group], EXPECTED[group]
    assert (row.persons, row.events) == (theirs["persons"], theirs["deaths"])
    assert row.person_years == pytest.approx(theirs["person_years"], rel=1e-9)
    assert row.estimate == pytest.approx(theirs["deaths"] / theirs["expected"], rel=1e-7)


def test_one_year_stands_for_all_of_them() -> None:
    assert EXPECTED["all"]["expected"] == pytest.approx(EXPECTED["calendar"], rel=0.002)
