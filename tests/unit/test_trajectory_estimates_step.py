"""estimate_trajectories: from written tables to rows, with little, nothing, dates or offsets."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.contracts import canonical, derived, estimates
from opioid_outcomes.contracts.columns import Table
from opioid_outcomes.steps.trajectory_estimates import before_starting, estimate_trajectories
from opioid_outcomes.synthesis.cohorts import pooled_rows
from opioid_outcomes.trajectories.long_term_use import new_users

TABLES: dict[str, Table] = {
    "observation": canonical.OBSERVATION, "cohort": derived.COHORT, "person_time": derived.PERSON_TIME,
    "panel": derived.PANEL, "daily_dose": derived.DAILY_DOSE, "dose_events": derived.DOSE_EVENTS,
    "long_term": derived.LONG_TERM, "trajectories": derived.TRAJECTORIES,
    **{name: canonical.CANONICAL[name] for name in ("persons", "diagnoses", "dispensings", "pain", "measurements")},
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "study": "s", "cohort_name": "c", "trajectories": {"months": 24},
    "covariates": {"baseline": ["age", "fibromyalgia"], "missing": "indicator"},
    "exposure": {
        "long_term_definition": "d90_in_365", "mme_factors": "cdc_2022",
        "events": {"discontinuation_days": 90, "taper_days": 60},
    },
    "population": {"lookback_days": 365},
}  # fmt: skip
PEOPLE = 120
FEW = "fewer than 50 persons with a course of dose"
MODELS = pl.DataFrame({"classes": [1], "persons": [49], "chosen": [0], "why": [FEW]})


def filled(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The contract's columns, null where ``rows`` has none, then further ones."""
    schema = table.schema(pl.Int64())
    nulls = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in rows.columns]
    return rows.with_columns(pl.col(name).cast(schema[name]) for name in rows.columns if name in schema).with_columns(
        nulls
    )


def cohort_tables() -> dict[str, pl.DataFrame]:
    """Everybody starts on day 10 at 60 MME/day, tapers to 40 on day 200; every third goes back on day 300."""
    rng = np.random.default_rng(11)
    person = np.arange(1, PEOPLE + 1)
    ids = pl.DataFrame({"person_id": person})
    back = pl.col("person_id") % 3 == 0
    cohort = ids.with_columns(
        entry=1000, exit=2000, death=0, exit_reason=pl.lit("study end"), baseline_user=0,
        age=pl.Series(rng.normal(55, 9, PEOPLE)), fibromyalgia=pl.Series(rng.integers(0, 2, PEOPLE)),
    )  # fmt: skip
    doses = pl.concat(
        [
            ids.with_columns(start=1010, stop=1200, mme=60.0), ids.with_columns(start=1200, stop=1300, mme=40.0),
            ids.with_columns(start=1300, stop=2000, mme=pl.when(back).then(60.0).otherwise(40.0)),
        ]
    )  # fmt: skip
    on = doses.with_columns(
        pl.col("start", "stop") - 1000, on_opioid=1, use_state=pl.lit("on"), dose_band=pl.lit("50-89"), death=0,
        days_since_start=pl.col("start") - 1010, new_user=1,
    )  # fmt: skip
    off = ids.with_columns(
        start=0, stop=10, mme=0.0, on_opioid=0, use_state=pl.lit("never"), dose_band=pl.lit("none"), death=0
    )
    second = rng.random(PEOPLE) < 0.5
    posterior = np.where(second, 0.8, 0.1)
    met = rng.random(PEOPLE) < 0.5
    return {
        "persons": ids.with_columns(sex=pl.lit("F")),
        # coded between entry and starting, for everybody who has it
        "diagnoses": cohort.filter(pl.col("fibromyalgia") == 1).select(
            "person_id", date=pl.col("entry") + 5, code=pl.lit("M797"), vocabulary=pl.lit("ICD10CM")
        ),
        **{name: ids.clear() for name in ("dispensings", "pain", "measurements")},
        "observation": ids.with_columns(start=0, end=1999),
        "cohort": cohort,
        "person_time": pl.concat([off, on], how="diagonal_relaxed"),
        "panel": ids.join(pl.DataFrame({"period": range(30)}), how="cross").with_columns(
            pain=5 + 0.1 * pl.col("period"), pain_observed=1, death=0
        ),
        "daily_dose": doses.with_columns(mme_incomplete=0, on_buprenorphine=0, repaired=0),
        "dose_events": ids.with_columns(
            event=pl.lit("taper"), date=1200, window_start=1140, window_stop=1260, follow_up_from=1260, mme_before=60.0,
            mme_after=40.0, change=-1 / 3,
        ),
        "long_term": ids.filter(pl.Series(met)).with_columns(
            definition=pl.lit("d90_in_365"), window_start=1010, met=1099
        ),
        "trajectories": ids.with_columns(
            pl.Series("class", second + 1), posterior=pl.Series(np.maximum(posterior, 1 - posterior)),
            posterior_1=pl.Series(1 - posterior), posterior_2=pl.Series(posterior),
        ),
    }  # fmt: skip


def run(
    folder: Path,
    tables: Mapping[str, pl.DataFrame],
    *,
    calendar: bool = False,
    exposure_known: str = "time_varying",
    **changes: Any,
) -> tuple[pl.DataFrame, str]:
    inputs = {name: folder / f"{name}.parquet" for name in TABLES}
    for name, path in inputs.items():
        io.write_table(filled(TABLES[name], tables[name]), path, TABLES[name], calendar=calendar)
    inputs |= {"models": folder / "trajectory_models.parquet", "notes": folder / "cohort_notes.json"}
    io.write_frame(MODELS, inputs["models"])
    io.write_json(inputs["notes"], {"exposure": exposure_known})
    outputs = {"estimates": folder / "trajectory_estimates.parquet"}
    said = estimate_trajectories(inputs, outputs, SETTINGS | changes)
    return pl.read_parquet(outputs["estimates"]), said


def test_every_analysis_in_one_cohort(tmp_path: Path) -> None:
    rows, said = run(tmp_path, cohort_tables())
    assert rows.schema == pl.Schema(estimates.INTERNAL)
    assert rows.group_by("analysis", "method", maintain_order=True).len().rows() == [
        ("trajectory.drift", "two_stage", 3), ("trajectory.taper", "aalen_johansen", 4),
        ("trajectory.predictors", "multinomial", 2), ("trajectory.predictors", "logistic", 2),
    ]  # fmt: skip
    assert set(rows["gate"]) == {"pass"}
    assert said == "11 of 11 estimates evaluable"
    pain = rows.filter(outcome="pain").row(0, named=True)
    assert pain["estimate"] == pytest.approx(0.1 * 365.25 / 30)
    relapse = rows.filter(outcome="relapse").row(0, named=True)
    assert (relapse["estimate"], relapse["events"], relapse["persons"]) == (pytest.approx(1 / 3), 40, PEOPLE)


def test_rows_name_the_factor_table_and_never_its_folder(tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text(files("opioid_outcomes").joinpath("data/mme/cdc_2022.csv").read_text(encoding="utf-8"))
    exposure = SETTINGS["exposure"] | {"mme_factors": str(own)}
    rows = run(tmp_path, cohort_tables(), exposure=exposure)[0]
    assert rows.filter(~pl.col("note").str.contains("MME by mine.csv"))["outcome"].to_list() == ["pain"]
    assert not rows["note"].str.contains(tmp_path.name, literal=True).any()


def test_methadone_whose_factor_depends_on_the_total_is_at_the_old_dose_only_when_it_is(tmp_path: Path) -> None:
    """60 mg/day, then 40, then for some 60 again: MME by tiers are 600, 320 and 600, the event's by the flat factor."""
    tables = cohort_tables()
    tables["daily_dose"] = tables["daily_dose"].with_columns(
        tiered_mg=pl.col("mme"), mme=pl.when(pl.col("mme") == 60).then(600.0).otherwise(320.0)
    )
    tables["dose_events"] = tables["dose_events"].with_columns(mme_before=180.0)
    exposure = SETTINGS["exposure"] | {"mme_factors": "cdc_2016_tiers"}
    rows = run(tmp_path, tables, exposure=exposure)[0]
    assert rows.filter(outcome="relapse")["estimate"].to_list() == pytest.approx([1 / 3])
    of_class = rows.filter(pl.col("outcome").str.starts_with("class"), pl.col("estimate").is_not_null())
    assert of_class.height > 0
    assert of_class["note"].str.contains("MME by cdc_2016_tiers, methadone at 3 whatever its dose").all()


def test_drift_has_no_steps_between_factors_of_methadone(tmp_path: Path) -> None:
    """20, then 40, then 60 mg/day are 80, 320 and 600 MME/day by tiers; at the flat factor 3 they are 60, 120, 180.

    Supplies end ten days early: the last dose is held for these days, as in person-time.
    """
    ids = pl.DataFrame({"person_id": np.arange(1, PEOPLE + 1)})
    steps = [(90 * k, 20.0 * (k + 1), tiered) for k, tiered in enumerate([80.0, 320.0, 600.0])]
    daily = pl.concat(
        ids.with_columns(start=1000 + day, stop=1080 + day, mme=tiered, tiered_mg=mg, mme_incomplete=0)
        for day, mg, tiered in steps
    )
    time = pl.concat(
        ids.with_columns(start=day + a, stop=day + b, mme=tiered, on_opioid=1, use_state=pl.lit("on"), death=0)
        for day, _, tiered in steps
        for a, b in ((0, 80), (80, 90))
    )
    tables = cohort_tables() | {"daily_dose": daily, "person_time": time}
    only = {"trajectories": {"months": 24, "analyses": ["drift"]}}
    exposure = SETTINGS["exposure"] | {"mme_factors": "cdc_2016_tiers"}
    row = run(tmp_path, tables, exposure=exposure, **only)[0].row(0, named=True)
    slope = np.polyfit(np.arange(9) * 30 / 365.25, np.repeat([60.0, 120.0, 180.0], 3), 1)[0]
    assert row["estimate"] == pytest.approx(slope, rel=1e-9)
    assert "MME by cdc_2016_tiers, methadone at 3 whatever its dose" in row["note"]


def test_conditions_are_known_from_all_history_and_other_things_from_the_look_back() -> None:
    """Coded 400 days before starting: a condition still, where a drug and a pain score are too old."""
    tables = {name: filled(TABLES[name], frame) for name, frame in cohort_tables().items()}
    starting = new_users(tables["person_time"], tables["cohort"], tables["long_term"], "d90_in_365")
    old = {"person_id": [1], "date": [1010 - 400]}
    tables["diagnoses"] = filled(
        canonical.CANONICAL["diagnoses"], pl.DataFrame(old | {"code": ["M797"], "vocabulary": ["ICD10CM"]})
    )
    tables["pain"] = filled(canonical.CANONICAL["pain"], pl.DataFrame(old | {"score": [7.0]}))
    known = before_starting(starting, tables, ["fibromyalgia", "pain"], 180)
    assert known.filter(pl.col("person_id") == 1).select("fibromyalgia", "pain").rows() == [(1, None)]
    assert known["fibromyalgia"].sum() == 1
    assert before_starting(starting, tables, ["fibromyalgia", "pain"], 0)["fibromyalgia"].sum() == 1


def test_covariates_are_those_before_each_analysis_begins(tmp_path: Path) -> None:
    """Nobody has fibromyalgia on record at entry; half have it when they start opioids 10 days later."""
    tables = cohort_tables()
    tables["cohort"] = tables["cohort"].with_columns(fibromyalgia=0)
    rows = run(tmp_path, tables)[0]
    gates = rows.filter(pl.col("contrast").str.starts_with("fibromyalgia")).select("outcome", "gate").rows()
    assert gates == [("class:2 vs 1", "not evaluable: the same in everybody"), ("long-term use", "pass")]


def test_age_is_that_of_the_day_of_starting() -> None:
    tables = {name: filled(TABLES[name], frame) for name, frame in cohort_tables().items()}
    starting = new_users(tables["person_time"], tables["cohort"], tables["long_term"], "d90_in_365")
    known = before_starting(starting, tables, ["age"], 365)
    assert starting.people["after"].to_list() == [10] * PEOPLE
    assert (known["age"] - tables["cohort"]["age"]).to_list() == pytest.approx([10 / 365.25] * PEOPLE)


def test_dates_and_order_of_rows_change_nothing(tmp_path: Path) -> None:
    one = run(tmp_path / "a", cohort_tables())[0]
    shuffled = {name: frame.sample(fraction=1, shuffle=True, seed=2) for name, frame in cohort_tables().items()}
    other = run(tmp_path / "b", shuffled, calendar=True)[0]
    assert one.equals(other)


def test_nothing_to_estimate_from_is_told_by_every_analysis(tmp_path: Path) -> None:
    rows, said = run(tmp_path, {name: frame.clear() for name, frame in cohort_tables().items()})
    assert rows["gate"].str.starts_with("not evaluable: ").all()
    assert rows.select("analysis", "outcome").unique(maintain_order=True).rows() == [
        ("trajectory.drift", "dose"), ("trajectory.drift", "pain"), ("trajectory.taper", "relapse"),
        ("trajectory.taper", "stopped"), ("trajectory.taper", "death"), ("trajectory.taper", "success"),
        ("trajectory.predictors", "class"),
        ("trajectory.predictors", "long-term use"),
    ]  # fmt: skip
    assert said == "0 of 9 estimates evaluable"


def test_trajectories_without_classes_are_no_error(tmp_path: Path) -> None:
    tables = cohort_tables()
    tables["trajectories"] = tables["trajectories"].clear().drop("posterior_1", "posterior_2")
    rows = run(tmp_path, tables)[0].filter(method="multinomial")
    assert rows.select("gate", "persons").rows() == [(f"not evaluable: {FEW}", 49)]


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ("baseline", "opioid use is known at one interview only, not its course"),
        ("none", "neither dispensings nor interviews tell opioid use"),
    ],
)
def test_where_no_course_of_exposure_is_known_that_is_the_reason(tmp_path: Path, known: str, why: str) -> None:
    tables = {name: frame.clear() for name, frame in cohort_tables().items()}
    rows = run(tmp_path, tables, exposure_known=known)[0]
    assert set(rows["gate"]) == {f"not evaluable: {why}"}


@pytest.mark.parametrize("analysis", ["drift", "taper", "predictors"])
def test_only_what_is_asked_for(tmp_path: Path, analysis: str) -> None:
    rows = run(tmp_path, cohort_tables(), trajectories={"months": 24, "analyses": [analysis]})[0]
    assert set(rows["analysis"]) == {f"trajectory.{analysis}"}


def test_classes_of_two_cohorts_are_not_pooled_and_long_term_use_is(tmp_path: Path) -> None:
    rows = run(tmp_path, cohort_tables())[0]
    both = pl.concat([rows, rows.with_columns(cohort=pl.lit("d"))])
    assert set(pooled_rows(both, "s")["outcome"]) == {"long-term use"}


def test_cohorts_that_adjust_for_different_covariates_are_pooled_with_a_caveat(tmp_path: Path) -> None:
    tables = cohort_tables()
    without = tables | {"diagnoses": tables["diagnoses"].clear()}
    caveat = "the cohorts do not adjust for the same covariates: see their rows"
    rows = [run(tmp_path / str(i), each)[0] for i, each in enumerate((tables, tables, without))]
    for other, told in ((rows[1], False), (rows[2], True)):
        both = pl.concat([rows[0], other.with_columns(cohort=pl.lit("d"))])
        age = pooled_rows(both, "s").filter(contrast="age per year")
        assert age["note"].str.contains(caveat).to_list() == [told]
