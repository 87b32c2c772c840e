"""From person-time to classes of dose: who has a course, what the tables hold, and what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.contracts.derived import TRAJECTORIES
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.steps.trajectories import classify_trajectories
from opioid_outcomes.trajectories import dose_classes
from opioid_outcomes.trajectories.dose_classes import courses
from opioid_outcomes.trajectories.latent_class import fit, observe

SETTINGS: dict[str, Any] = {
    "study_seed": 1,
    "exposure": {"mme_factors": "cdc_2022"},
    "trajectories": {
        "months": 12, "min_months": 3, "max_classes": 4, "curve": "quadratic", "dose_scale": "log", "starts": 10,
    },
}  # fmt: skip
SCHEMA = {
    "person_id": pl.String, "start": pl.Int64, "stop": pl.Int64, "on_opioid": pl.Int64, "mme": pl.Float64,
    "use_state": pl.String,
}  # fmt: skip


def stable_and_stopping(persons: int, seed: int = 1) -> pl.DataFrame:
    """A third on about 100 MME throughout; the others on about 30 at first, off from month 5."""
    rng = np.random.default_rng(seed)
    stable = np.arange(persons) % 3 == 0
    month = np.tile(np.arange(12), (persons, 1))
    dose = np.where(stable[:, None], 100.0, 30.0) * np.exp(0.2 * rng.normal(size=(persons, 12)))
    dose = np.where(~stable[:, None] & (month >= 5), 0.0, dose)
    names = np.array([f"{'s' if one else 'q'}{i:05d}" for i, one in enumerate(stable)])
    columns = {
        "person_id": np.repeat(names, 12), "start": 30 * month.ravel(), "stop": 30 * month.ravel() + 30,
        "on_opioid": (dose > 0).astype(np.int64).ravel(), "mme": dose.ravel(),
        "use_state": np.where(dose > 0, "on", "former").ravel(),
    }  # fmt: skip
    return pl.DataFrame(columns, schema=SCHEMA)


def run(tmp_path: Path, person_time: pl.DataFrame, **changed: Any) -> tuple[str, dict[str, pl.DataFrame]]:
    settings = SETTINGS | {"trajectories": SETTINGS["trajectories"] | changed}
    outputs = {name: tmp_path / f"{name}.parquet" for name in ("trajectories", "models", "classes")}
    io.write_frame(person_time, tmp_path / "person_time.parquet")
    line = classify_trajectories({"person_time": tmp_path / "person_time.parquet"}, outputs, settings)
    return line, {name: pl.read_parquet(path) for name, path in outputs.items()}


def test_who_has_a_course() -> None:
    rows = [
        ("on", 0, 90, 1, 40.0, "on"),
        ("never", 0, 90, 0, 0.0, "never"),
        ("later", 0, 400, 0, 0.0, "never"), ("later", 400, 500, 1, 40.0, "on"),
        ("short", 0, 70, 1, 40.0, "on"),
        ("unknown", 0, 30, 1, None, "on"), ("unknown", 30, 90, 0, 0.0, "former"),
        ("treated", 0, 90, None, None, "treatment"),
    ]  # fmt: skip
    found = courses(pl.DataFrame(rows, schema=SCHEMA, orient="row"), 12, 3)
    assert found.person_ids.to_list() == ["on"]
    assert found.months.rows() == [("on", 0, 40.0), ("on", 1, 40.0), ("on", 2, 40.0)]
    # never, treated, and on only after the window; short has 70 days, of which the last 10 are no month
    assert (found.never_on, found.too_few_months) == (3, 2)


def test_classes_tables_and_line(tmp_path: Path) -> None:
    line, found = run(tmp_path, stable_and_stopping(300))
    classes, models, curves = found["trajectories"], found["models"], found["classes"]
    assert line.startswith("2 latent classes, of 300 courses of dose (0 never on opioids, 0 with too few")
    assert classes.columns == ["person_id", "class", "posterior", "posterior_1", "posterior_2"]
    assert classes.schema["person_id"] == pl.String
    stable = classes["person_id"].str.starts_with("s")
    assert (classes["class"] == pl.Series(np.where(stable, 2, 1))).all()
    assert classes["posterior"].min() > 0.99
    assert models["classes"].to_list() == [1, 2, 3, 4]
    assert models.filter(pl.col("chosen") == 1).select("why", "smallest_class", "smallest_share").row(0) == (
        "chosen; variance at its floor", 100, 100 / 300,
    )  # fmt: skip
    assert models.select("left_never_on", "left_few_months").unique().rows() == [(0, 0)]
    assert curves.height == 24
    high = curves.filter(pl.col("class") == 2)
    assert high["persons"].to_list() == [100] * 12
    assert high["persons_observed"].to_list() == [100] * 12
    # about the geometric mean of what they take, in MME/day; observed is the plain mean
    np.testing.assert_allclose(high["mean"], 100, rtol=0.06)
    plain = stable_and_stopping(300).filter(pl.col("person_id").str.starts_with("s")).group_by("start").agg("mme")
    expected = plain.sort("start").select(pl.col("mme").list.mean())["mme"]
    np.testing.assert_allclose(high["observed"], expected, rtol=1e-12)
    assert (high["observed"] - high["mean"]).mean() == pytest.approx(100 * (np.exp(0.02) - 1), abs=0.5)
    assert ((high["ci_low"] < high["mean"]) & (high["mean"] < high["ci_high"])).all()
    assert curves.filter(pl.col("class") == 1, pl.col("month") >= 6)["observed"].to_list() == [0.0] * 6
    assert curves["mean"].min() >= 0
    for name, frame in (("trajectory_models", models), ("trajectory_classes", curves)):
        assert set(DISPLAYS[name].columns) <= set(frame.columns)
    assert list(TRAJECTORIES.names) == classes.columns[:3]


def test_classes_of_dose_have_a_floor_of_variance_of_their_own(tmp_path: Path) -> None:
    """A tenth of the overall sigma: likelihoods are those under it, and not under the general one."""
    person_time = stable_and_stopping(300)
    _, found = run(tmp_path, person_time, max_classes=2)
    months = dose_classes.courses(person_time, 12, 3)
    curves = observe(months.person, months.months["month"], np.log1p(months.months["mme"].to_numpy()))
    floored, free = (fit(curves, 2, starts=20, seed=1, least_sigma=floor).loglik for floor in (0.1, 0.001))
    assert found["models"]["log_likelihood"][1] == pytest.approx(floored, abs=1e-6)
    assert free > floored + 0.1


def test_classes_are_no_steps_between_factors_of_methadone(tmp_path: Path) -> None:
    """Methadone up by a mg a month from 15, or down to it: 3 times the mg, though by tiers 20 mg are 80, 21 are 168."""
    n, months = 120, np.arange(12)
    mg = np.where(np.arange(n)[:, None] % 2 == 0, 15.0 + months, 26.0 - months)
    tiered = np.where(mg <= 20, 4 * mg, 8 * mg)
    rows = {
        "person_id": np.repeat(np.arange(n), 12), "start": np.tile(30 * months, n),
        "stop": np.tile(30 * months + 30, n), "mme": tiered.ravel(),
    }  # fmt: skip
    person_time = pl.DataFrame(rows).with_columns(on_opioid=1, use_state=pl.lit("on"))
    daily = pl.DataFrame(rows).with_columns(
        pl.col("start", "stop") + 1000, tiered_mg=pl.Series(mg.ravel()), mme_incomplete=0
    )
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("person_time", "daily_dose", "cohort")}
    outputs = {name: tmp_path / f"{name}_out.parquet" for name in ("trajectories", "models", "classes")}
    cohort = pl.DataFrame({"person_id": np.arange(n), "entry": 1000})
    for name, frame in {"person_time": person_time, "daily_dose": daily, "cohort": cohort}.items():
        io.write_frame(frame, inputs[name])
    settings = SETTINGS | {"exposure": {"mme_factors": "cdc_2016_tiers"}}
    classify_trajectories(inputs, outputs, settings)
    classes = pl.read_parquet(outputs["classes"]).sort("class", "month")
    assert classes["class"].unique().to_list() == [1, 2]
    observed = np.sort(classes["observed"].to_numpy().reshape(2, 12), axis=1)
    np.testing.assert_allclose(observed, [3 * (15.0 + months)] * 2, rtol=1e-12)


@pytest.mark.parametrize("changed", [{"dose_scale": "linear"}, {"curve": "spline"}])
def test_other_scale_and_curve(tmp_path: Path, changed: dict[str, Any]) -> None:
    _, found = run(tmp_path, stable_and_stopping(300), max_classes=2, **changed)
    classes = found["trajectories"]
    assert (classes["class"] == pl.Series(np.where(classes["person_id"].str.starts_with("s"), 2, 1))).all()
    high = found["classes"].filter(pl.col("class") == 2)
    np.testing.assert_allclose(high["mean"], 100, rtol=0.08)


def test_the_order_of_rows_and_other_people_off_change_nothing(tmp_path: Path) -> None:
    person_time = stable_and_stopping(90)
    off = pl.DataFrame([("a", 0, 360, 0, 0.0, "never"), ("zz", 0, 360, 0, 0.0, "never")], SCHEMA, orient="row")
    _, expected = run(tmp_path, person_time)
    line, found = run(tmp_path, pl.concat([person_time, off]).sample(fraction=1, shuffle=True, seed=2))
    assert "2 never on opioids" in line
    assert found["models"]["left_never_on"].to_list() == [2] * 4
    found["models"] = found["models"].with_columns(left_never_on=pl.lit(0, pl.Int64))
    for name, frame in expected.items():
        assert frame.equals(found[name])


PEOPLE = stable_and_stopping(60)


@pytest.mark.parametrize(
    ("person_time", "changed", "why"),
    [
        (PEOPLE.clear(), {}, "fewer than 50 persons with a course of dose (0 never on"),
        (PEOPLE.filter(pl.col("person_id").str.starts_with("s")), {}, "fewer than 50 persons"),
        (PEOPLE.with_columns(on_opioid=pl.lit(0, pl.Int64), mme=pl.lit(0.0)), {}, "(60 never on opioids"),
        (
            PEOPLE.filter(pl.col("on_opioid") == 1).with_columns(mme=pl.lit(None, pl.Float64)),
            {},
            "60 with too few months",
        ),
        (PEOPLE.with_columns(on_opioid=pl.lit(1, pl.Int64), mme=pl.lit(30.0)), {}, "every value is the same"),
        (PEOPLE, {"months": 2, "min_months": 1}, "needs 3 distinct times, there are 2"),
    ],
    ids=["nobody", "few", "all off", "no dose known", "one dose", "short window"],
)
def test_no_classes_is_said_and_the_tables_are_there(
    tmp_path: Path, person_time: pl.DataFrame, changed: dict[str, Any], why: str
) -> None:
    line, found = run(tmp_path, person_time, **changed)
    assert line.startswith("no latent classes: ")
    assert why in line
    assert found["trajectories"].schema == {"person_id": pl.String, "class": pl.Int64, "posterior": pl.Float64}
    assert found["classes"].height == 0
    # who reads the displays or the estimates is told too
    (row,) = found["models"].to_dicts()
    assert (row["classes"], row["chosen"], row["log_likelihood"]) == (1, 0, None)
    assert row["why"] == line.removeprefix("no latent classes: ").partition(" (")[0]
    assert row["smallest_class"] == row["persons"]
    courses_and_left = row["persons"] + row["left_never_on"] + row["left_few_months"]
    assert courses_and_left == person_time["person_id"].n_unique()
    assert set(DISPLAYS["trajectory_models"].columns) <= set(found["models"].columns)
    assert set(DISPLAYS["trajectory_classes"].columns) <= set(found["classes"].columns)
