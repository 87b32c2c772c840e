"""Sustained strategies with missing covariates as configured, and with a sampling design."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sustained_tables import SETTINGS, run, world

from opioid_outcomes.mortality.sustained import QUESTIONS
from opioid_outcomes.mortality.sustained_sample import sample_of
from opioid_outcomes.mortality.sustained_strategies import start_or_never

PEOPLE = 1500
CHOSEN = SETTINGS["mortality"] | {"horizons_days": [180]}


@pytest.fixture(scope="module")
def gaps() -> dict[str, pl.DataFrame]:
    """Frailty of a third of the people is unknown, more often of the frail."""
    tables = world(PEOPLE, 51)
    frail = tables["persons"]["frailty"].to_numpy()
    unknown = np.random.default_rng(1).random(PEOPLE) < np.where(frail > 0, 0.5, 0.2)
    persons = tables["persons"].with_columns(pl.when(~pl.Series(unknown)).then("frailty").alias("frailty"))
    return tables | {"persons": persons}


def weighted(folder: Path, tables: dict[str, pl.DataFrame], missing: str) -> pl.DataFrame:
    covariates: dict[str, Any] = SETTINGS["covariates"] | {"missing": missing}
    rows, _, _ = run(folder, tables, mortality=CHOSEN, covariates=covariates)
    return rows.filter(pl.col("contrast") == QUESTIONS[0], pl.col("method") == "ipw")


def test_each_way_is_told_and_complete_leaves_people_out(gaps: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    found = {how: weighted(tmp_path, gaps, how) for how in ("indicator", "mi", "complete")}
    notes = {how: rows["note"][0] for how, rows in found.items()}
    assert "missing covariates as a category of their own" in notes["indicator"]
    assert "imputed 20 times (chained equations), combined by Rubin's rules" in notes["mi"]
    assert "category of their own" not in notes["mi"]
    assert "time zeros with a missing covariate left out" in notes["complete"]
    known = gaps["persons"]["frailty"].count()
    assert found["complete"]["persons"][0] <= known < found["mi"]["persons"][0] == found["indicator"]["persons"][0]
    for rows in found.values():
        assert rows["gate"].unique().to_list() == ["pass"]
        assert rows["scale"].to_list() == ["risk_difference", "risk_ratio", "rmst_days"]
    estimates = {how: rows["estimate"][0] for how, rows in found.items()}
    assert len(set(estimates.values())) == 3
    assert abs(estimates["mi"] - estimates["indicator"]) < found["mi"]["se"][0]


def test_without_gaps_all_ways_are_one(tmp_path: Path) -> None:
    found = [weighted(tmp_path, world(800, 52), how) for how in ("indicator", "mi")]
    assert found[0]["estimate"].to_list() == found[1]["estimate"].to_list()


def test_sampling_weights_and_units_are_those_of_the_design() -> None:
    tables = world(300, 53)
    cohort = tables["cohort"].with_columns(
        survey_weight=pl.when(pl.col("person_id") > 0).then(pl.col("person_id") % 3 + 1.0),
        stratum=pl.lit(None, pl.String), cluster=(pl.col("person_id") % 20).cast(pl.String),
    )  # fmt: skip
    question = start_or_never(tables["opioid_status"], cohort, grace=90, washout=180)
    sample = sample_of(question, cohort)
    person = question.people["person_id"].to_numpy()
    np.testing.assert_array_equal(sample.weights, np.where(person > 0, person % 3 + 1.0, 0.0))
    assert len(set(sample.cluster)) == 20
    assert (sample.cluster[person == 7] == sample.cluster[person == 27][0]).all()
    alone = cohort.with_columns(survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String))
    found = sample_of(question, alone)
    assert (found.weights == 1).all()
    assert len(set(found.cluster)) == len(set(person))


def test_equal_sampling_weights_change_nothing(tmp_path: Path) -> None:
    tables = world(800, 54)
    rows = {}
    for name, weight in (("alone", None), ("alike", 2.0)):
        cohort = tables["cohort"].with_columns(survey_weight=pl.lit(weight, pl.Float64))
        rows[name] = weighted(tmp_path, tables | {"cohort": cohort}, "indicator")
    assert rows["alike"]["estimate"].to_list() == pytest.approx(rows["alone"]["estimate"].to_list())
    assert rows["alike"]["se"].to_list() == pytest.approx(rows["alone"]["se"].to_list())
