"""Stages ``emulate_trials`` and ``estimate_new_user``: files in, files out, whatever the cohort can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from trial_world import World, observed

from opioid_outcomes import io
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import DAILY_DOSE, DISPENSINGS_CLEAN, OPIOID_STATUS, TRIALS
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.steps import trials as module
from opioid_outcomes.steps.new_user import estimate_new_user
from opioid_outcomes.steps.trials import emulate_trials

SHOWN = ("new_user_balance", "new_user_survival", "new_user_diagnostics", "missing_by_arm", "cause_incidence")
DERIVED = {"dispensings_clean": DISPENSINGS_CLEAN, "opioid_status": OPIOID_STATUS, "daily_dose": DAILY_DOSE}
NOTES = {"exposure": "time_varying", "deaths": 100, "deaths_after_observation": 0}


def settings(**mortality: Any) -> dict[str, Any]:
    chosen = {"comparators": ["non_user", "nsaid"], "horizons_days": [180, 360]} | mortality
    return {
        "study": "s", "cohort_name": "c", "study_seed": 1, "mortality": Mortality(**chosen).model_dump(),
        "covariates": Covariates(baseline=["age", "pain", "depression"]).model_dump(),
        "population": {
            "exclude": [], "lookback_days": 180, "max_followup_days": None, "death_after_observation_days": 30,
            "study_end": None,
        },
        "exposure": {"washout_days": 180}, "cohort": {"deaths_complete_until": None},
    }  # fmt: skip


@pytest.fixture(scope="module")
def cohort_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cohort")
    cohort, tables = observed(World(), 900, 3)
    files = {name: folder / f"{name}.parquet" for name in (*CANONICAL, *DERIVED, "cohort")}
    for name, table in (CANONICAL | DERIVED).items():
        frame = tables.get(name, pl.DataFrame(schema=table.schema(pl.Int64())))
        io.write_table(frame, files[name], table, calendar=False)
    io.write_frame(cohort, files["cohort"])
    io.write_json(folder / "notes.json", NOTES)
    return files | {"notes": folder / "notes.json"}


def run(files: dict[str, Path], folder: Path, chosen: dict[str, Any]) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    made = {name: folder / f"{name}.parquet" for name in ("trials", "estimates", *SHOWN)}
    emulate_trials(files, {"trials": made["trials"]}, chosen)
    estimate_new_user(files | {"trials": made["trials"]}, made, chosen)
    return pl.read_parquet(made["estimates"]), {name: pl.read_parquet(made[name]) for name in SHOWN}


def test_trials_and_estimates_of_a_cohort(cohort_files: dict[str, Path], tmp_path: Path) -> None:
    estimates, shown = run(cohort_files, tmp_path, settings())
    trials = io.read_table(tmp_path / "trials.parquet")
    assert trials.columns == [*TRIALS.names, "age", "pain", "depression"]
    assert trials["follow_up"].min() == 1
    assert trials.select("comparator", "person_id", "index", "arm").is_duplicated().sum() == 0
    primary = estimates.filter(
        analysis="mortality.new_user", method="overlap", contrast="new user vs non user", window="0-360",
        scale="risk_difference",
    )  # fmt: skip
    assert primary["gate"].to_list() == ["pass"]
    for method in ("overlap", "overlap_as_treated", "crude"):
        assert method in estimates["method"].to_list()
    nobody = estimates.filter(analysis="mortality.new_user", contrast="new user vs nsaid")
    assert set(nobody["gate"]) == {"not evaluable: nobody in group 'nsaid'"}
    for name, frame in shown.items():
        assert frame.schema == DISPLAYS[name].empty().schema
    curve = shown["new_user_survival"].filter(arm="new user").sort("day")
    assert (curve["at_risk"] == curve["entered"] - curve["events"] - curve["left"]).all()
    assert curve["survival"].is_sorted(descending=True)


def test_people_some_at_a_time_are_the_same_people(
    cohort_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulate_trials(cohort_files, {"trials": tmp_path / "whole.parquet"}, settings())
    monkeypatch.setattr(module, "PEOPLE_AT_A_TIME", 100)
    emulate_trials(cohort_files, {"trials": tmp_path / "parts.parquet"}, settings())
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "parts.parquet").read_bytes()


@pytest.mark.parametrize(
    ("exposure", "why"),
    [
        ("none", "no opioid exposure is recorded"),
        ("baseline", "opioid use is known at one interview only, not the day on which it began"),
        ("time_varying", "the day on which use begins is not recorded"),
    ],
)
def test_cohorts_that_cannot_tell_when_use_began(
    cohort_files: dict[str, Path], tmp_path: Path, exposure: str, why: str
) -> None:
    reported = pl.DataFrame(
        [{"person_id": 1, "start": 250, "stop": 600, "state": "on", "on_since": 250}], OPIOID_STATUS.schema(pl.Int64())
    )
    empty = {name: tmp_path / f"{name}.parquet" for name in ("dispensings", *DERIVED)}
    for name, table in ({"dispensings": CANONICAL["dispensings"]} | DERIVED).items():
        frame = reported if name == "opioid_status" else pl.DataFrame(schema=table.schema(pl.Int64()))
        io.write_table(frame, empty[name], table, calendar=False)
    io.write_json(tmp_path / "n.json", NOTES | {"exposure": exposure})
    estimates, shown = run(cohort_files | empty | {"notes": tmp_path / "n.json"}, tmp_path, settings())
    told = estimates.filter(analysis="mortality.new_user")
    assert set(told["gate"]) == {f"not evaluable: {why}"}
    assert all(frame.is_empty() for frame in shown.values())


def test_where_nobody_starts_that_is_the_reason(cohort_files: dict[str, Path], tmp_path: Path) -> None:
    """Dispensings of other medicines only: nobody is off the record, and nobody starts."""
    dispensed = CANONICAL["dispensings"]
    naproxen = pl.DataFrame(
        [{"person_id": 1, "date": 400, "ingredient": "naproxen", "days_supply": 30}], dispensed.schema(pl.Int64())
    )
    empty = {name: tmp_path / f"{name}.parquet" for name in ("dispensings", *DERIVED)}
    for name, table in ({"dispensings": dispensed} | DERIVED).items():
        frame = naproxen if name == "dispensings" else pl.DataFrame(schema=table.schema(pl.Int64()))
        io.write_table(frame, empty[name], table, calendar=False)
    estimates, _ = run(cohort_files | empty, tmp_path, settings())
    assert set(estimates["gate"]) == {"not evaluable: nobody in group 'new user'"}
    for analysis in ("mortality.cause", "mortality.overdose_share"):
        told = estimates.filter(analysis=analysis)
        assert sorted(told["contrast"]) == ["new user vs non user", "new user vs nsaid"]
    index_dates = io.read_table(tmp_path / "trials.parquet")
    assert set(index_dates["arm"]) == {0}


def test_contributing_causes_not_recorded_are_told(cohort_files: dict[str, Path], tmp_path: Path) -> None:
    io.write_json(tmp_path / "n.json", NOTES | {"contributing_recorded": False})
    estimates, _ = run(cohort_files | {"notes": tmp_path / "n.json"}, tmp_path, settings(comparators=["non_user"]))
    told = estimates.filter(pl.col("analysis").is_in(["mortality.cause", "mortality.overdose_share"]))
    overdose = told.filter(outcome="death:opioid overdose")
    assert set(overdose["gate"]) == {"not evaluable: contributing causes are not recorded"}
    assert set(overdose["analysis"]) == {"mortality.cause", "mortality.overdose_share"}


def test_deaths_outside_observation_withhold_what_rests_on_it(cohort_files: dict[str, Path], tmp_path: Path) -> None:
    io.write_json(tmp_path / "n.json", NOTES | {"deaths_after_observation": 20})
    files = cohort_files | {"notes": tmp_path / "n.json"}
    estimates, shown = run(files, tmp_path, settings(comparators=["non_user"]))
    assert not (estimates["gate"] == "pass").any()
    assert shown["new_user_survival"].is_empty()
    known = settings(comparators=["non_user"]) | {"cohort": {"deaths_complete_until": 1150}}
    estimates, shown = run(files, tmp_path, known)
    passed = estimates.filter(analysis="mortality.new_user", gate="pass")["method"].to_list()
    assert "overlap" in passed
    assert "overlap_as_treated" not in passed  # how people were treated is known while they are observed


def test_follow_up_to_known_deaths_ends_where_that_of_the_cohort_is_censored() -> None:
    schema = {"person_id": pl.Int64, "index": pl.Int32, "follow_up": pl.Int32, "event": pl.Int8, "cause": pl.String}
    rows = [(1, 100, 50, 1, "cancer", 20), (1, 140, 10, 1, "cancer", None), (2, 100, 50, 1, "cancer", 20),
            (3, 100, 50, 1, "cancer", 45), (3, 130, 20, 1, "cancer", None)]  # fmt: skip
    trials = pl.DataFrame(rows, schema | {"as_treated_until": pl.Int32}, orient="row")
    cohort = pl.DataFrame(
        {"person_id": [1, 2, 3], "exit": [150, 120, 130],
         "exit_reason": ["death", "end of observation", "censored at palliative care"]},
    )  # fmt: skip
    cut = module.censored(trials, cohort)
    assert cut.schema == trials.schema
    assert cut.rows() == [*rows[:3], (3, 100, 30, 0, None, None)]
    earlier = trials.with_columns(as_treated_until=pl.lit(10, pl.Int32))
    assert module.censored(earlier, cohort)["as_treated_until"].to_list() == [10] * 4


def test_analyses_not_asked_for_are_not_run(cohort_files: dict[str, Path], tmp_path: Path) -> None:
    estimates, shown = run(cohort_files, tmp_path, settings(analyses=["rate"]))
    assert estimates.is_empty()
    assert all(frame.is_empty() for frame in shown.values())
