"""The step's answers when there is little or nothing to estimate from: rows with a gate, never a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import derived, displays, estimates
from opioid_outcomes.contracts.canonical import PAIN
from opioid_outcomes.steps.hyperalgesia import analyse, estimate_hyperalgesia

TABLES = {"pain": PAIN, **{t.name: t for t in (derived.DAILY_DOSE, derived.OPIOID_STATUS, derived.COHORT)}}


def empty() -> dict[str, pl.DataFrame]:
    return {name: pl.DataFrame(schema=table.schema()) for name, table in TABLES.items()}


def trial_of(persons: int, escalated: int, *, rise: float = 30.0, unknown: bool = False) -> dict[str, pl.DataFrame]:
    """One visit on day 100 each, the first ``escalated`` people raised on day 102; scores on days 100 and 120."""
    rng = np.random.default_rng(7)
    ids = [f"p{number}" for number in range(persons)]
    starts = pl.DataFrame({"person_id": ids, "start": 0, "stop": 102, "mme": 50.0})
    after = [50.0 + rise * (number < escalated) for number in range(persons)]
    later = pl.DataFrame({"person_id": ids, "start": 102, "stop": 500, "mme": after})
    daily = pl.concat([starts, later]).with_columns(mme_incomplete=pl.lit(int(unknown)))
    scores = [
        {"person_id": person, "date": day, "scale": "NRS", "score": float(rng.integers(2, 9))}
        for person in ids
        for day in (100, 120)
    ]
    return {
        "cohort": pl.DataFrame({"person_id": ids}).with_columns(
            entry=pl.lit(0),
            exit=pl.lit(400),
            death=pl.lit(0),
            sex=pl.lit("F"),
            age=pl.Series(rng.normal(50, 9, persons)),
        ),
        "pain": pl.DataFrame(scores),
        "daily_dose": daily,
        "opioid_status": pl.DataFrame({"person_id": ids}).with_columns(
            start=pl.lit(0), stop=pl.lit(500), state=pl.lit("on"), on_since=pl.lit(0)
        ),
    }


def rows_of(tables: dict[str, pl.DataFrame], baseline: list[str] | None = None) -> dict[tuple[str, str, str], object]:
    rows, display, _ = analyse(tables, Hyperalgesia(), baseline=baseline or [], missing="indicator")
    assert display.columns == list(displays.DISPLAYS["pain_escalation"].columns)
    assert len(rows) == 13
    return {(row.analysis, row.scale, row.window): row for row in rows}


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        (["cohort"], "nobody is eligible"),
        (["pain"], "no pain scores"),
        (["daily_dose"], "nobody has a dispensing that gives a daily dose"),
        (["opioid_status"], "nobody on a stable dose for 90 days reported pain"),
    ],
)
def test_what_is_missing_is_said_in_every_row(lacking: list[str], why: str) -> None:
    tables = trial_of(60, 20)
    tables |= {name: empty()[name] for name in lacking}
    rows = rows_of(tables)
    for (analysis, scale, _), row in rows.items():
        if (analysis, scale) != ("hyperalgesia.naive", "slope"):
            assert row.gate == f"not evaluable: {why}"
            assert row.estimate is None


def test_a_dose_never_known_is_not_a_dose_of_zero() -> None:
    rows = rows_of(trial_of(200, 100, unknown=True))
    assert {row.gate for row in rows.values()} == {"not evaluable: the dose is unknown on every day with supply"}


@pytest.mark.parametrize(
    ("escalated", "gate"),
    [
        (49, "not evaluable: fewer than 50 people escalated and have a score in the window"),
        (50, "pass"),
        (150, "pass"),
        (151, "not evaluable: fewer than 50 people maintained and have a score in the window"),
    ],
)
def test_fifty_people_in_each_arm(escalated: int, gate: str) -> None:
    row = rows_of(trial_of(200, escalated))["hyperalgesia.escalation", "mean_difference", "1-30"]
    assert row.gate == gate
    assert (row.persons, row.events, row.smallest_cell) == (200, escalated, min(escalated, 200 - escalated))
    assert (row.estimate is None) == (gate != "pass")


def test_the_difference_per_step_needs_ten_mme_of_separation() -> None:
    for rise, evaluable in ((30.0, True), (11.0, True), (10.0, True), (10.0 - 0.1, None)):
        rows = rows_of(trial_of(200, 100, rise=rise))
        row = rows["hyperalgesia.escalation", "mean_difference_per_step", "1-30"]
        if evaluable:
            difference = rows["hyperalgesia.escalation", "mean_difference", "1-30"].estimate
            assert row.estimate == pytest.approx(difference / rise * 20)
        else:  # 9.9 of 50 is below 20 %: nobody escalated
            assert row.gate.startswith("not evaluable: fewer than 50 people escalated")
    low = {"daily_dose": trial_of(200, 100, rise=30.0)["daily_dose"].with_columns(pl.col("mme") / 5)}
    row = rows_of(trial_of(200, 100) | low)["hyperalgesia.escalation", "mean_difference_per_step", "1-30"]
    assert row.gate == "not evaluable: achieved separation in dose below 10 MME/day"
    assert row.persons == 200


def test_windows_without_scores_are_not_evaluable_and_leave_the_others_alone() -> None:
    rows = rows_of(trial_of(200, 100))
    assert rows["hyperalgesia.escalation", "mean_difference", "1-30"].gate == "pass"
    assert rows["hyperalgesia.escalation", "mean_difference", "31-90"].gate.startswith("not evaluable: fewer than 50")


def test_a_covariate_that_gives_the_arm_away_is_collinear() -> None:
    tables = trial_of(200, 100)
    tables["cohort"] = tables["cohort"].with_columns(arm=pl.Series([1.0] * 100 + [0.0] * 100))
    row = rows_of(tables, ["arm"])["hyperalgesia.escalation", "mean_difference", "1-30"]
    assert row.gate == "not evaluable: the confounders determine who escalates (collinear)"


def test_covariates_that_are_constant_or_absent_are_named() -> None:
    tables = trial_of(200, 100)
    tables["cohort"] = tables["cohort"].with_columns(fibromyalgia=pl.lit(0.0))
    row = rows_of(tables, ["age", "sex", "fibromyalgia", "phq9"])["hyperalgesia.escalation", "mean_difference", "1-30"]
    assert row.gate == "pass"
    assert "constant in part, or told by the other terms: fibromyalgia" in row.note
    assert "not in the data: phq9" in row.note


def test_people_with_a_missing_covariate_are_left_out_and_counted_or_kept() -> None:
    tables = trial_of(200, 100)
    tables["cohort"] = tables["cohort"].with_columns(age=pl.when(pl.int_range(200) >= 10).then("age"))
    persons = {}
    for missing in ("complete", "indicator"):
        rows, _, _ = analyse(tables, Hyperalgesia(), baseline=["age"], missing=missing)
        persons[missing] = rows[0].persons
        left_out = "fewer than 11" if missing == "complete" else "none"
        assert rows[0].note.endswith(f"{left_out} for a missing covariate")
    assert persons == {"complete": 190, "indicator": 200}


def test_both_arms_mean_change_is_printed() -> None:
    tables = trial_of(200, 100)
    later = pl.when(pl.col("person_id").str.slice(1).cast(pl.Int64) < 100).then(4.5).otherwise(5.75)
    tables["pain"] = tables["pain"].with_columns(score=pl.when(pl.col("date") == 100).then(6.0).otherwise(later))
    row = rows_of(tables)["hyperalgesia.escalation", "mean_difference", "1-30"]
    assert row.note.startswith("mean change since the visit -1.50 escalated, -0.25 maintained")
    assert row.estimate == pytest.approx(-1.25)


def test_files_in_and_out(tmp_path: Path) -> None:
    inputs = {name: tmp_path / f"{name}.parquet" for name in TABLES}
    for name, frame in empty().items():
        io.write_table(frame, inputs[name], TABLES[name], calendar=True)
    written = ("estimates", "pain_escalation", "escalation_diagnostics", "noise_tipping")
    outputs = {name: tmp_path / f"{name}_out.parquet" for name in written} | {"facts": tmp_path / "facts.json"}
    settings = {
        "study": "s", "cohort_name": "c", "hyperalgesia": Hyperalgesia().model_dump(),
        "covariates": {"baseline": ["age"], "missing": "indicator"},
    }  # fmt: skip
    line = estimate_hyperalgesia(inputs, outputs, settings)
    assert line == "0 decisions, 0 of 13 estimates evaluable"
    table = pl.read_parquet(outputs["estimates"])
    assert table.schema == estimates.INTERNAL
    assert set(table["study"]) == {"s"}
    assert pl.read_parquet(outputs["pain_escalation"]).columns == list(displays.DISPLAYS["pain_escalation"].columns)
