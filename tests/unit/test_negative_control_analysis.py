"""mortality.negative_control: person-time by drug and by condition, and what is told when controls are few or many."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.errors import UserError
from opioid_outcomes.mortality.negative_control import Controls, negative_controls, until_diagnosed, with_drug
from opioid_outcomes.steps.negative_controls import read

ENTRY = 1000
EMPTY = {"cause": pl.String, "stratum": pl.String, "cluster": pl.String, "survey_weight": pl.Float64}


def stretches(*rows: tuple[int, int, int, int, int]) -> pl.DataFrame:
    """(person, start, stop, death, on opioids)."""
    names = ["person_id", "start", "stop", "death", "on_opioid"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64), orient="row")
    return frame.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in EMPTY.items())


def entries(time: pl.DataFrame) -> pl.DataFrame:
    return time.select("person_id").unique().sort("person_id").with_columns(entry=pl.lit(ENTRY, pl.Int32))


def fills(*rows: tuple[int, int, float | None]) -> pl.DataFrame:
    """(person, day since entry, days of supply)."""
    frame = pl.DataFrame(rows, schema=["person_id", "date", "days_supply"], orient="row")
    return frame.with_columns(pl.col("date").cast(pl.Int32) + ENTRY, pl.col("days_supply").cast(pl.Float64))


def test_time_is_cut_where_supply_begins_and_ends_and_the_death_stays_last() -> None:
    time = stretches((1, 0, 100, 0, 0), (1, 100, 250, 1, 1), (2, 0, 50, 0, 0))
    found = with_drug(time, entries(time), fills((1, 80, 30), (1, 110, 30), (1, 240, None), (2, -20, 30)))
    # supply 80-110 and 110-140, and 30 days more; day 240 runs past the death; person 2 comes in with supply
    assert found.select("person_id", "start", "stop", "death", "on_opioid", "on_control").rows() == [
        (1, 0, 80, 0, 0, 0), (1, 80, 100, 0, 0, 1), (1, 100, 170, 0, 1, 1), (1, 170, 240, 0, 1, 0),
        (1, 240, 250, 1, 1, 1), (2, 0, 40, 0, 0, 1), (2, 40, 50, 0, 0, 0),
    ]  # fmt: skip


def test_without_fills_nothing_is_cut() -> None:
    time = stretches((1, 0, 100, 1, 0))
    found = with_drug(time, entries(time), fills().clear().cast({"person_id": pl.Int64}))
    assert found.select("start", "stop", "death", "on_control").rows() == [(0, 100, 1, 0)]


def test_time_ends_with_the_first_diagnosis_of_people_without_one_before() -> None:
    time = stretches((1, 0, 100, 0, 0), (1, 100, 250, 1, 1), (2, 0, 50, 1, 0), (3, 0, 50, 1, 0), (4, 0, 9, 0, 0))
    days = pl.DataFrame({"person_id": [1, 1, 2, 4], "date": [ENTRY + 99, ENTRY + 120, ENTRY - 1, ENTRY]})
    found = until_diagnosed(time, entries(time), days.with_columns(pl.col("date").cast(pl.Int32)))
    assert found.select("person_id", "start", "stop", "death").rows() == [(1, 0, 100, 1), (3, 0, 50, 0), (4, 0, 1, 1)]


def world(seed: int, controls: int, n: int = 1500) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Frail people die more and use more of everything; neither opioids nor any drug does anything."""
    rng = np.random.default_rng(seed)
    frail = rng.normal(size=n)
    day = np.ceil(rng.exponential(size=n) / (0.0005 * np.exp(0.7 * frail))).astype(int)
    stop, died = np.minimum(day, 1000), (day <= 1000).astype(int)
    uses = lambda: rng.random(n) < 1 / (1 + np.exp(1 - 0.8 * frail))  # noqa: E731
    time = stretches(*zip(range(n), [0] * n, stop, died, uses().astype(int), strict=True))
    drugs = {
        f"drug_{k}": fills(*((person, 0, 2000.0) for person in np.flatnonzero(uses()).tolist()))
        for k in range(controls)
    }
    return time.with_columns(pl.Series("sex", np.where(np.arange(n) % 2 == 0, "F", "M"))), drugs


def run(
    time: pl.DataFrame, drugs: dict[str, pl.DataFrame], outcomes: Any = None, exposure: Any = "time_varying"
) -> Any:
    return negative_controls(
        time, entries(time), Controls(drugs, outcomes or {}), ["sex"], "indicator", exposure=exposure
    )


def test_calibration_takes_out_the_confounding_that_the_controls_share() -> None:
    """Null world: plain intervals of on against off miss 1 in most of 4 worlds, calibrated ones hold it in all."""
    missed, held = 0, 0
    for seed in range(4):
        time, drugs = world(seed, 20)
        *controls, calibrated = run(time, drugs)
        assert len(controls) == 20
        assert calibrated.method == "calibrated"
        assert "of 20 exposure controls" in calibrated.note
        mean = float(np.mean([row.estimate for row in controls]))
        plain, error = calibrated.estimate + mean, np.mean([row.se for row in controls])
        missed += plain - 1.96 * error > 0
        held += calibrated.ci_low < 0 < calibrated.ci_high
    assert missed >= 3
    assert held == 4


def test_few_controls_are_shown_as_they_are() -> None:
    time, drugs = world(1, 2)
    rows = run(time, drugs)
    assert [row.contrast for row in rows] == ["on drug 0 vs off drug 0", "on drug 1 vs off drug 1"]
    assert all(row.outcome == "death" and "too few to calibrate" in row.note for row in rows)
    assert all(math.isfinite(row.estimate) for row in rows)


def test_a_condition_speaks_of_diagnoses() -> None:
    time, _ = world(2, 0)
    rng = np.random.default_rng(0)
    people = rng.choice(1500, 300, replace=False).tolist()
    days = pl.DataFrame({"person_id": people, "date": (ENTRY + rng.integers(0, 900, 300)).tolist()})
    none = days.clear()
    rows = run(time, {}, {"cataract": days.with_columns(pl.col("date").cast(pl.Int32)), "wart": none})
    assert [(row.outcome, row.contrast) for row in rows] == [("cataract", "on vs off"), ("wart", "on vs off")]
    assert rows[0].gate == "pass"
    assert rows[1].gate == "not evaluable: no diagnoses"
    once = run(time, {}, {"cataract": days}, exposure="baseline")
    assert once[0].gate == "not evaluable: exposure known at one interview only"


def test_nothing_named_and_nobody_on_a_drug_are_told() -> None:
    time, _ = world(3, 0)
    assert [row.gate for row in run(time, {})] == ["not evaluable: none is named in mortality.negative_controls"]
    nobody = run(time, {"statin": fills((-1, 0, 30.0))})
    assert nobody[0].gate == "not evaluable: nobody in group 'on statin'"


def test_names_and_lists_of_drugs_and_of_codes_are_told_apart(tmp_path: Path) -> None:
    dispensings = pl.DataFrame(
        {"person_id": [1, 2], "date": [5, 6], "days_supply": [30.0, 30.0], "ingredient": ["simvastatin", "minoxidil"],
         "product_name": [None, None], "code": [None, None], "vocabulary": [None, None]},
        schema_overrides=dict.fromkeys(("product_name", "code", "vocabulary"), pl.String),
    )  # fmt: skip
    diagnoses = pl.DataFrame({"person_id": [3], "date": [7], "code": ["L60.0"], "vocabulary": ["ICD10CM"]})
    own_drugs, own_codes, neither = (tmp_path / name for name in ("hair.csv", "nails.csv", "nothing.csv"))
    own_drugs.write_text("by,value\ningredient,Minoxidil\n")
    own_codes.write_text("vocabulary,code_prefix\nICD10CM,L60\n")
    neither.write_text("by,value\nname,minoxidil\n")
    found = read(["statin", "ingrowing_nail", str(own_drugs), str(own_codes)], dispensings, diagnoses)
    assert {name: rows["person_id"].to_list() for name, rows in found.exposures.items()} == {"statin": [1], "hair": [2]}
    assert {name: rows["person_id"].to_list() for name, rows in found.outcomes.items()} == {
        "ingrowing_nail": [3], "nails": [3],
    }  # fmt: skip
    with pytest.raises(UserError, match="list of drugs"):
        read([str(neither)], dispensings, diagnoses)
