"""``addiction.dose`` and ``.duration``: first diagnoses on people whose hazard by dose and duration is planted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.addiction.disorder import by_dose, by_duration, until_diagnosis
from opioid_outcomes.contracts.derived import COHORT, PERSON_TIME
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.steps.addiction import estimate_addiction

ENTRY, DAYS, LAG = 20_000, 1_000, 90
BASE = 1 / 4000


def people(seed: int, n: int, dose_slope: float = 0.0, by_duration: bool = False) -> tuple[pl.DataFrame, ...]:
    """On from a day of the first year to the end, at 10, 35 or 70 MME. The hazard of a diagnosis on a day answers to
    dose and days on 90 days before it; death is 1 in 5,000 a day."""
    rng = np.random.default_rng(seed)
    start, dose = rng.integers(1, 365, n), rng.choice([10.0, 35.0, 70.0], n)
    on_before = np.arange(DAYS)[None, :] - LAG - start[:, None]
    rate = np.where(on_before >= 0, np.exp(dose_slope * (dose[:, None] - 10)), 0.5)
    if by_duration:
        rate = rate * np.where(on_before >= 365, 3.0, np.where(on_before >= 90, 1.5, 1.0))
    reached = np.cumsum(BASE * rate, axis=1) >= rng.exponential(size=n)[:, None]
    diagnosis = np.where(reached.any(axis=1), np.argmax(reached, axis=1), -1)
    dies = rng.exponential(5_000, n)
    exit_ = np.minimum(np.ceil(dies), DAYS).astype(int)
    ever = start < exit_
    death = (dies < DAYS).astype(int)
    shared = {"person_id": np.arange(n)}
    off = pl.DataFrame(
        shared | {"start": 0, "stop": np.where(ever, start, exit_), "death": np.where(ever, 0, death), "mme": 0.0}
    ).with_columns(on_opioid=0, use_state=pl.lit("never"), dose_band=pl.lit("none"), since=None)
    on = pl.DataFrame(shared | {"start": start, "stop": exit_, "death": death, "mme": dose}).filter(pl.Series(ever))
    band = pl.when(pl.col("mme") < 20).then(pl.lit("<20")).when(pl.col("mme") < 50).then(pl.lit("20-49"))
    on = on.with_columns(on_opioid=1, use_state=pl.lit("on"), dose_band=band.otherwise(pl.lit(">=50")), since=0)
    whole = [pl.col(name).cast(pl.Int64) for name in ("start", "stop", "death", "on_opioid", "since")]
    empty = {
        column.name: pl.lit(None, {"int": pl.Int64, "float": pl.Float64}.get(column.kind, pl.String))
        for column in PERSON_TIME.columns
        if column.name not in {*off.columns, "days_since_start"}
    }
    rows = pl.concat([off.with_columns(whole), on.with_columns(whole)]).rename({"since": "days_since_start"})
    rows = rows.with_columns(**empty).select(PERSON_TIME.names).sort("person_id", "start")
    found = diagnosis >= 0
    diagnosed = pl.DataFrame(
        {"person_id": np.arange(n)[found], "date": pl.Series(ENTRY + diagnosis[found], dtype=pl.Int32)}
    )
    return rows, pl.DataFrame(shared).with_columns(entry=pl.lit(ENTRY, pl.Int32)), diagnosed


def row_of(rows: list[Estimate], contrast: str, scale: str = "log_hr") -> Estimate:
    [row] = [row for row in rows if (row.contrast, row.method, row.scale) == (contrast, "crude", scale)]
    return row


def test_follow_up_ends_with_the_first_diagnosis_and_leaves_out_the_diagnosed() -> None:
    rows, cohort, _ = people(1, 4)
    rows = rows.filter(pl.col("person_id").is_in([0, 1, 2])).with_columns(death=pl.lit(0, pl.Int64))
    one = rows.filter(pl.col("person_id") == 0)
    begins = one["start"][1]
    diagnosed = pl.DataFrame(
        {"person_id": [0, 0, 1, 2], "date": [ENTRY + begins, ENTRY + begins + 5, ENTRY - 1, ENTRY + 999]},
        schema_overrides={"date": pl.Int32},
    )
    found = until_diagnosis(rows, cohort, diagnosed)
    first = found.filter(pl.col("person_id") == 0).select("start", "stop", "death").rows()
    assert first == [(0, begins, 0), (begins, begins + 1, 1)]
    assert found.filter(pl.col("person_id") == 1).is_empty()
    assert found.filter(pl.col("person_id") == 2)["death"].sum() == 1
    assert found.filter(pl.col("person_id") == 2)["stop"].max() == 1000


def test_the_hazard_by_dose_is_the_planted_one_where_the_lag_is() -> None:
    rows, cohort, diagnosed = people(2, 12_000, dose_slope=0.02)
    followed = until_diagnosis(rows, cohort, diagnosed)
    found = by_dose(followed, ["<20", "20-49", ">=50"], [], "indicator", exposure="time_varying", lag_days=LAG)
    for contrast, truth in (
        ("20-49 MME vs <20 MME", 0.5),
        (">=50 MME vs <20 MME", 1.2),
        ("off vs <20 MME", np.log(0.5)),
    ):
        row = row_of(found, contrast)
        assert row.gate == "pass"
        assert abs(row.estimate - truth) < 3 * row.se
        assert row.outcome == "opioid_use_disorder"
    assert row_of(found, "<20 MME", "rate_per_1000py").estimate == pytest.approx(365_250 * BASE, rel=0.1)
    unlagged = by_dose(followed, ["<20", "20-49", ">=50"], [], "indicator", exposure="time_varying", lag_days=0)
    off = row_of(unlagged, "off vs <20 MME")
    assert abs(off.estimate - np.log(0.5)) > 3 * off.se


def test_the_hazard_by_duration_is_the_planted_one() -> None:
    rows, cohort, diagnosed = people(3, 12_000, by_duration=True)
    followed = until_diagnosis(rows, cohort, diagnosed)
    found = by_duration(followed, [], "indicator", exposure="time_varying", lag_days=LAG)
    for contrast, ratio in (("91-365 days on vs 0-90 days on", 1.5), ("over 365 days on vs 0-90 days on", 3.0)):
        row = row_of(found, contrast)
        assert abs(row.estimate - np.log(ratio)) < 3 * row.se
        assert row.se < 0.3


@pytest.mark.parametrize(("exposure", "why"), [("baseline", "one interview only"), ("none", "no opioid exposure")])
def test_use_that_is_not_followed_is_one_row_that_says_so(exposure: Any, why: str) -> None:
    rows, cohort, diagnosed = people(1, 50)
    followed = until_diagnosis(rows, cohort, diagnosed)
    [row] = by_dose(followed, ["<20", "20-49"], [], "indicator", exposure=exposure, lag_days=LAG)
    assert row.gate.startswith("not evaluable")
    assert why in row.gate


@pytest.fixture
def run(tmp_path: Path):
    def step(diagnoses: pl.DataFrame) -> pl.DataFrame:
        rows, cohort, _ = people(1, 400)
        io.write_table(rows, tmp_path / "person_time.parquet", PERSON_TIME, calendar=True)
        empty = {name: pl.lit(None) for name in COHORT.names if name not in ("person_id", "entry")}
        io.write_table(
            cohort.with_columns(**empty).select(COHORT.names), tmp_path / "cohort.parquet", COHORT, calendar=True
        )
        diagnoses.with_columns(pl.col("date").cast(pl.Date)).write_parquet(tmp_path / "diagnoses.parquet")
        io.write_json(tmp_path / "notes.json", {"exposure": "time_varying"})
        inputs = {name: tmp_path / f"{name}.parquet" for name in ("person_time", "cohort", "diagnoses")}
        settings = {
            "addiction": {"lag_days": LAG}, "covariates": {"baseline": [], "missing": "indicator"},
            "exposure": {"dose_bands": [20, 50]}, "study": "s", "cohort_name": "c", "study_seed": 1,
        }  # fmt: skip
        estimate_addiction(inputs | {"notes": tmp_path / "notes.json"}, {"estimates": tmp_path / "e.parquet"}, settings)
        return pl.read_parquet(tmp_path / "e.parquet")

    return step


DIAGNOSES = {"person_id": pl.Int64, "date": pl.Int32, "code": pl.String, "vocabulary": pl.String}


def test_without_diagnoses_nothing_is_evaluable(run) -> None:
    found = run(pl.DataFrame(schema=DIAGNOSES))
    assert set(found["analysis"]) == {"addiction.dose", "addiction.duration"}
    assert set(found["gate"]) == {"not evaluable: no diagnoses are recorded"}


def test_nobody_diagnosed_is_a_rate_of_nothing_and_no_ratio(run) -> None:
    found = run(
        pl.DataFrame(
            {"person_id": [1], "date": [ENTRY + 3], "code": ["M545"], "vocabulary": ["ICD10CM"]}, schema=DIAGNOSES
        )
    )
    rates = found.filter(pl.col("scale") == "rate_per_1000py")
    assert (rates["events"] == 0).all()
    ratios = found.filter(pl.col("scale") == "log_hr")
    assert set(ratios["gate"]) <= {"not evaluable: no diagnoses", "not evaluable: nobody in group '0-90 days on'"}
    assert ratios["estimate"].null_count() == ratios.height
