"""Hazard ratios on real people (NHANES) against R on the same rows (tests/reference/survival/nhanes.R)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.mortality.baseline_use import baseline_use
from opioid_outcomes.mortality.contrasts import BASELINE_USE
from opioid_outcomes.mortality.hazard_ratio import hazard_ratio

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "nhanes" / "nhanes_1999_2014_rx_mortality.csv.gz"
EXPECTED = json.loads((ROOT / "tests" / "reference" / "survival" / "nhanes.json").read_text())
CATEGORIES = [
    "SMOKING_HARMONIZED", "BPQ020", "LIPIDEM_HARMONIZED", "MCQ160F", "MCQ160E", "MCQ160B", "DIQ010",
    "PULMOND_HARMONIZED", "MCQ160L", "KIDNEYD_HARMONIZED", "MCQ220", "HUQ010", "benzodiazepines", "ssris",
    "antidepressants", "antidepres_othr", "antipsychotics", "muscle_relax", "anticonvulsant", "RIDRETH1",
]  # fmt: skip
ADJUST = {"crude": [], "adjusted": ["age", "sex"], "adjusted_full": ["age", "sex", *CATEGORIES, "INDFMPIR"]}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="the NHANES file is not beside the checkout"),
]


def person_time(cohort: str) -> pl.DataFrame:
    """One row per person: adults of 20 and over with arthritis and linked follow-up."""
    months, weighted = ("permth_int", False) if cohort == "interview" else ("permth_exm", True)
    people = pl.read_csv(DATA, infer_schema_length=100_000).filter(
        pl.col("RIDAGEYR") >= 20, pl.col("MCQ160A") == "Yes", pl.col("mortstat").is_not_null()
    )
    if weighted:
        people = people.filter(pl.col("WTMEC2YR") > 0)
    missing = pl.lit(None, pl.String)
    return people.select(
        pl.col("SEQN").alias("person_id"),
        pl.lit(0).alias("start"),
        ((pl.col(months) * 30.4375).round(mode="half_to_even") + 1).cast(pl.Int64).alias("stop"),
        pl.col("mortstat").cast(pl.Int64).alias("death"),
        (pl.col("opioids") == "Yes").cast(pl.Int64).alias("baseline_user"),
        (pl.col("WTMEC2YR") / 8 if weighted else pl.lit(None, pl.Float64)).alias("survey_weight"),
        (pl.col("SDMVSTRA").cast(pl.String) if weighted else missing).alias("stratum"),
        (pl.col("SDMVPSU").cast(pl.String) if weighted else missing).alias("cluster"),
        pl.col("RIDAGEYR").alias("age"),
        pl.col("RIAGENDR").alias("sex"),
        *CATEGORIES,
        "INDFMPIR",
    )


@pytest.mark.parametrize("cohort", ["interview", "examined"])
@pytest.mark.parametrize("method", list(ADJUST))
def test_equals_r(cohort: str, method: str) -> None:
    row = hazard_ratio(
        person_time(cohort), BASELINE_USE, analysis="mortality.baseline_use", method=method, adjust=ADJUST[method],
        missing="indicator",
    )  # fmt: skip
    expected = EXPECTED[f"{cohort}_{method}"]
    assert (row.persons, row.events, row.gate) == (expected["persons"], expected["deaths"], "pass")
    assert row.estimate == pytest.approx(expected["log_hr"], abs=1e-8)
    assert row.se == pytest.approx(expected["se"], rel=1e-6)


def test_confounding_by_age_hides_half_of_the_association() -> None:
    """People on opioids are younger: the crude ratio is the smaller one, and comorbidity explains most of the rest."""
    rows = baseline_use(person_time("interview"), ADJUST["adjusted_full"], "indicator", exposure="baseline")
    ratio = {row.method: math.exp(row.estimate) for row in rows if row.estimate is not None}
    assert list(ratio) == ["crude", "adjusted", "adjusted_full", "adjusted_full_complete_case"]
    assert 1 < ratio["adjusted_full"] < ratio["crude"] < ratio["adjusted"]
