"""The step: files in, files out; a cohort in which nobody is eligible is told, not crashed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.population import Population
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.columns import Table
from opioid_outcomes.contracts.derived import COHORT, DAILY_DOSE, DISPENSINGS_CLEAN, OPIOID_STATUS, PANEL, PERSON_TIME
from opioid_outcomes.errors import UserError
from opioid_outcomes.exposure.source import source
from opioid_outcomes.steps.cohort import build_cohort, day_of, exposure_kind

DERIVED = (OPIOID_STATUS, DAILY_DOSE, DISPENSINGS_CLEAN)
START = 15_000  # a day of 2011


def write(folder: Path, contract: Table, rows: list[dict[str, Any]], *, calendar: bool, text_ids: bool) -> Path:
    schema = contract.schema(pl.Int64())
    frame = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
    if text_ids and "person_id" in frame.columns:
        frame = frame.with_columns(
            pl.format("P{}", pl.col("person_id").cast(pl.String).str.zfill(4)).alias("person_id")
        )
    path = folder / f"{contract.name}.parquet"
    io.write_table(frame, path, contract, calendar=calendar)
    return path


def people(n: int) -> dict[str, list[dict[str, Any]]]:
    """n people observed for 1,000 days with back pain on days 50 and 200; the even ones use opioids from day 300."""
    return {
        "persons": [{"person_id": i, "sex": "F" if i % 3 else "M", "birth_year": 1950 + i} for i in range(n)],
        "observation": [{"person_id": i, "start": START, "end": START + 999} for i in range(n)],
        "diagnoses": [
            {"person_id": i, "date": START + day, "code": "M545", "vocabulary": "ICD10CM"}
            for i in range(n) for day in (50, 200)
        ],
        "dispensings": [
            {"person_id": i, "date": START + 300, "ingredient": "oxycodone"} for i in range(0, n, 2)
        ] + [{"person_id": 1, "date": START + 190, "ingredient": "diazepam"}],
        "dispensings_clean": [{"person_id": i, "date": START + 300, "analgesic": 1} for i in range(0, n, 2)],
        "deaths": [{"person_id": 0, "date": START + 310, "cause": "X42", "contributing": "T402"},
                   {"person_id": 1, "date": START + 1500}],
        "opioid_status": [
            {"person_id": i, "start": START + 300, "stop": START + 360, "state": "on", "mme": 30.0,
             "on_since": START + 300}
            for i in range(0, n, 2)
        ],
    }  # fmt: skip


def run(folder: Path, tables: dict[str, list[dict[str, Any]]], **settings: Any) -> tuple[str, dict[str, Path]]:
    calendar, text_ids = settings.pop("calendar", True), settings.pop("text_ids", False)
    inputs = {
        name: write(folder, contract, tables.get(name, []), calendar=calendar, text_ids=text_ids)
        for name, contract in ({table.name: table for table in DERIVED} | CANONICAL).items()
    }
    n = len(tables["persons"])
    inputs["quality"] = folder / "quality.csv"
    io.write_frame(
        pl.DataFrame({"table": ["persons"], "into": ["persons"], "rows_in": [n + 2], "canonical": [n], "rejected": [2],
                      "merged": [0], "not_selected": [1]}),
        inputs["quality"],
    )  # fmt: skip
    outputs = {name: folder / f"out_{name}.parquet" for name in ("cohort", "person_time", "panel", "table_one")}
    outputs |= {"attrition": folder / "attrition.csv", "notes": folder / "cohort_notes.json"}
    dropped = settings.pop("dropped", [])
    baseline = settings.pop("baseline", ["age", "sex", "copd", "benzodiazepine"])
    covariates = Covariates(baseline=baseline, time_varying=["benzodiazepine"])
    line = build_cohort(
        inputs, outputs,
        {"population": Population(**settings).model_dump(), "covariates": covariates.model_dump(),
         "exposure": {"dose_bands": [20, 50, 90]}, "cohort": {"dropped_covariates": dropped},
         "study": "s", "cohort_name": "c"},
    )  # fmt: skip
    return line, outputs


def test_from_files_to_files(tmp_path: Path) -> None:
    line, outputs = run(tmp_path, people(12))
    assert line == "12 of 12 people eligible, 1 deaths"
    cohort, time, panel = (io.read_table(outputs[name]) for name in ("cohort", "person_time", "panel"))
    assert cohort.columns == [*COHORT.names, "age", "sex", "copd", "benzodiazepine"]
    assert time.columns == [*PERSON_TIME.names, "age", "sex", "copd", "benzodiazepine"]
    assert panel.columns == [*PANEL.names, "age", "sex", "copd", "benzodiazepine_at_entry", "benzodiazepine"]
    assert cohort["entry"].unique().to_list() == [START + 200]
    assert pl.read_parquet(outputs["cohort"]).schema["entry"] == pl.Date
    assert cohort["benzodiazepine"].to_list() == [0, 1] + [0] * 10
    assert cohort["baseline_user"].to_list() == [0] * 12
    total = time.select((pl.col("stop") - pl.col("start")).sum()).item()
    assert total == (cohort["exit"] - cohort["entry"]).sum()
    dead = time.filter(pl.col("death") == 1).select("person_id", "start", "stop", "use_state", "cause").rows()
    assert dead == [(0, 100, 111, "on", "opioid overdose: unintentional")]
    assert pl.read_csv(outputs["attrition"])["persons_kept"].to_list()[:4] == [14, 13, 12, 12]
    notes = io.read_json(outputs["notes"])
    assert (notes["persons"], notes["deaths"], notes["exposure"]) == (12, 1, "time_varying")
    assert notes["deaths_after_observation"] == 1
    assert notes["costs"] == []


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, first = run(tmp_path / "a", people(40))
    _, second = run(tmp_path / "b", {name: rows[::-1] for name, rows in people(40).items()})
    for name, path in first.items():
        assert path.read_bytes() == second[name].read_bytes(), name


def test_ids_of_text_and_days_of_offsets_change_nothing_else(tmp_path: Path) -> None:
    tables = people(12)
    tables["persons"] = [{"person_id": i, "sex": "F", "age_at_entry": 40.0 + i} for i in range(12)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, plain = run(tmp_path / "a", tables)
    _, other = run(tmp_path / "b", tables, text_ids=True, calendar=False)
    assert pl.read_parquet(other["cohort"]).schema["entry"] == pl.Int32
    assert pl.read_parquet(other["cohort"]).schema["person_id"] == pl.String
    for name in ("cohort", "person_time", "panel"):
        assert io.read_table(plain[name]).drop("person_id").equals(io.read_table(other[name]).drop("person_id")), name
    assert plain["table_one"].read_bytes() == other["table_one"].read_bytes()


@pytest.mark.parametrize("missing", ["diagnoses", "dispensings", "opioid_status", "deaths"])
def test_an_absent_table_costs_but_does_not_crash(tmp_path: Path, missing: str) -> None:
    _, outputs = run(tmp_path, {**people(12), missing: []}, entry="first_observation")
    cohort, time = io.read_table(outputs["cohort"]), io.read_table(outputs["person_time"])
    assert cohort.height == 12
    if missing == "diagnoses":
        assert cohort["copd"].null_count() == 12
    if missing == "dispensings":
        assert cohort["benzodiazepine"].null_count() == 12
        assert "never" not in time["use_state"]  # without dispensings silence says nothing
        assert io.read_json(outputs["notes"])["exposure"] == "none"


@pytest.mark.parametrize(("days_after", "told"), [(0, None), (-100, None), (1, "over 95 %"), (60, "over 95 %")])
def test_an_interview_on_another_day_than_time_zero_is_told(tmp_path: Path, days_after: int, told: str | None) -> None:
    tables = people(40)
    interviews = {i: START if i == 0 else START + days_after for i in range(39)}  # one was never interviewed
    tables["opioid_use"] = [{"person_id": i, "date": day, "using": i % 2} for i, day in interviews.items()]
    tables["opioid_status"] = [
        {"person_id": i, "start": day, "stop": START + 900, "state": "on" if i % 2 else "never"}
        for i, day in interviews.items()
    ]
    tables |= {"dispensings": [], "dispensings_clean": []}
    _, outputs = run(tmp_path, tables, entry="first_observation", lookback_days=0)
    notes = io.read_json(outputs["notes"])
    assert notes["exposure"] == "baseline"
    costs = [cost for cost in notes["costs"] if cost.startswith("Opioid use at time zero")]
    assert len(costs) == (told is not None)
    if told:
        assert f"is unknown for {told} of the people interviewed: " in costs[0]


def test_own_code_lists_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    own = tmp_path / "codes.csv"
    own.write_text("vocabulary\tcode_prefix\tlabel\nICD10CM\tM54\tR\u00fccken\n", encoding="cp1252")
    _, outputs = run(tmp_path, people(12), chronic_pain_codes=str(own), exclude=["cancer"])
    notes = io.read_json(outputs["notes"])
    assert (notes["persons"], notes["warnings"][0]) == (
        12, "codes.csv is not UTF-8; it was read as Windows-1252 (cp1252).",
    )  # fmt: skip


def test_nobody_eligible_writes_empty_tables_and_says_why(tmp_path: Path) -> None:
    tables = people(12)
    tables["diagnoses"] = [row | {"code": "J069"} for row in tables["diagnoses"]]
    line, outputs = run(tmp_path, tables)
    assert line == "0 of 12 people eligible, 0 deaths"
    for name in ("cohort", "person_time", "panel", "table_one"):
        assert pl.read_parquet(outputs[name]).is_empty()
    notes = io.read_json(outputs["notes"])
    assert notes["persons"] == 0
    assert "'2 codes of chronic pain on distinct days within 365 days'" in notes["warnings"][0]
    assert "no diagnosis matches the code list chronic_pain" in notes["warnings"][0]
    assert "first_observation" in notes["warnings"][0]
    assert pl.read_csv(outputs["attrition"])["persons_kept"].to_list()[-1] == 0


def test_calendar_year_is_that_of_entry(tmp_path: Path) -> None:
    _, outputs = run(tmp_path, people(12), baseline=["calendar_year", "sex"])
    assert io.read_table(outputs["cohort"])["calendar_year"].unique().to_list() == [1970 + (START + 200) / 365.25]
    assert not any("dropped" in cost for cost in io.read_json(outputs["notes"])["costs"])


def test_a_calendar_year_dropped_is_said_so(tmp_path: Path) -> None:
    _, outputs = run(tmp_path, people(12), baseline=["sex"], dropped=["calendar_year"])
    said = "Covariate calendar year is dropped: dates are not actual (date_basis of the cohort)."
    assert said in io.read_json(outputs["notes"])["costs"]


def test_censoring_by_what_happens_after_entry_ends_time_and_panel_and_says_what_it_is(tmp_path: Path) -> None:
    tables = people(12)
    tables["diagnoses"] += [{"person_id": 3, "date": START + 295, "code": "Z515", "vocabulary": "ICD10CM"}]
    for lists, days, months in (([], 800, 27), (["palliative_care"], 96, 4)):  # of days 200 to 295, both counted
        _, outputs = run(tmp_path, tables, censor_at=lists)
        of_one = {
            name: io.read_table(outputs[name]).filter(pl.col("person_id") == 3) for name in ("person_time", "panel")
        }
        assert of_one["person_time"]["stop"].max() == days
        assert of_one["panel"].height == months
        warnings = io.read_json(outputs["notes"])["warnings"]
        assert any("conditions on what happens after entry" in warning for warning in warnings) is bool(lists)


def test_study_dates(tmp_path: Path) -> None:
    _, outputs = run(tmp_path, people(12), study_start="2012-01-01", study_end="2012-12-31")
    cohort = pl.read_parquet(outputs["cohort"])
    assert cohort["entry"].cast(pl.String).unique().to_list() == ["2012-01-01"]
    assert cohort.filter(pl.col("death") == 0)["exit"].cast(pl.String).unique().to_list() == ["2013-01-01"]


@pytest.mark.parametrize(("value", "calendar"), [("2012-13-01", True), (400, True), ("soon", False)])
def test_study_dates_that_are_none(value: str | int, calendar: bool) -> None:
    with pytest.raises(UserError, match="study_start must be"):
        day_of(value, "study_start", calendar=calendar)


def test_days_of_the_config() -> None:
    assert day_of("1970-01-11", "study_start", calendar=True) == 10
    assert day_of(-5, "study_start", calendar=False) == -5
    assert day_of("12", "study_start", calendar=False) == 12
    assert day_of(None, "study_start", calendar=False) is None


def test_how_exposure_is_known() -> None:
    none, some, twice = (pl.DataFrame({"person_id": ids}, schema={"person_id": pl.Int64}) for ids in ([], [1], [1, 1]))
    known = {
        "opioids dispensed": (some, some, twice),
        "other medicines dispensed, nobody reports": (some, none, none),
        "other medicines dispensed, one report each": (some, none, some),
        "one report each": (none, none, some),
        "several reports": (none, none, twice),
        "nothing": (none, none, none),
    }
    kinds = {name: exposure_kind(source(*tables), tables[2]) for name, tables in known.items()}
    assert kinds == {
        "opioids dispensed": "time_varying",
        "other medicines dispensed, nobody reports": "time_varying",
        "other medicines dispensed, one report each": "baseline",
        "one report each": "baseline",
        "several reports": "time_varying",
        "nothing": "none",
    }


def test_deaths_and_time_after_the_period_of_entry_are_told(tmp_path: Path) -> None:
    tables = people(40)
    tables["observation"] += [{"person_id": i, "start": START + 1100, "end": START + 1900} for i in range(20)]
    tables["deaths"] = [{"person_id": i, "date": START + 1500} for i in range(13)]
    _, outputs = run(tmp_path, tables)
    notes = io.read_json(outputs["notes"])
    assert notes["deaths_after_observation"] == 13
    assert any(warning.endswith("not counted: about 15.") for warning in notes["warnings"])
    assert any(warning.endswith("not counted: about 20.") for warning in notes["warnings"])


def test_deaths_are_told_by_use_on_the_last_observed_day(tmp_path: Path) -> None:
    """The even ones are on opioids until the end of observation, person 2 only until day 900; the odd ones never."""
    tables = people(40)
    for row in tables["opioid_status"]:
        row["stop"] = START + 1000
    tables["opioid_status"][1]["stop"] = START + 900
    tables["opioid_status"].append({"person_id": 2, "start": START + 900, "stop": START + 1000, "state": "former"})
    died = {0: 310, 1: 400, 3: 500, 2: 1200, 4: 1200, 6: 1200, 5: 1500}
    tables["deaths"] = [{"person_id": i, "date": START + day} for i, day in died.items()]
    _, outputs = run(tmp_path, tables)
    assert io.read_json(outputs["notes"])["deaths_by_arm"] == {
        "1": {"followed": 1, "after_observation": 2}, "0": {"followed": 2, "after_observation": 2},
    }  # fmt: skip


def test_notes_say_whether_contributing_causes_are_recorded(tmp_path: Path) -> None:
    for recorded in (True, False):
        tables = people(12)
        if not recorded:
            for death in tables["deaths"]:
                death.pop("contributing", None)
        folder = tmp_path / str(recorded)
        folder.mkdir()
        _, outputs = run(folder, tables)
        assert io.read_json(outputs["notes"])["contributing_recorded"] is recorded


@pytest.mark.parametrize(
    ("settings", "lost"), [({}, 3), ({"max_followup_days": 700}, 0), ({"study_end": "2013-12-31"}, 0)]
)
def test_a_death_that_follow_up_could_not_have_reached_is_not_lost(
    tmp_path: Path, settings: dict[str, Any], lost: int
) -> None:
    tables = people(12)
    for period in tables["observation"]:
        period["end"] = START + 600  # entry is on day 200
    tables["deaths"] = [{"person_id": i, "date": START + 1500} for i in range(3)]
    _, outputs = run(tmp_path, tables, **settings)
    assert io.read_json(outputs["notes"])["deaths_after_observation"] == lost
