"""Monthly dose and time by dose band, on person-time small enough to do by hand."""

import math
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.steps.trajectories import describe_trajectories
from opioid_outcomes.trajectories.distribution import dose_bands, dose_distribution, dose_trajectory
from opioid_outcomes.trajectories.monthly import followed, monthly_dose, monthly_mean

PERSON_TIME = pl.DataFrame(
    [
        # 1: 20 days at 30 MME, 30 days off, 40 days at 60
        (1, 0, 20, 1, 30.0, "20-49", "on"), (1, 20, 50, 0, 0.0, "none", "recent"), (1, 50, 90, 1, 60.0, "50-89", "on"),
        # 2: 30 days at 90, then on at an unknown dose to day 95
        (2, 0, 30, 1, 90.0, ">=90", "on"), (2, 30, 95, 1, None, "unknown", "on"),
        # 3: 15 days at 20, then 15 at 40, then dead
        (3, 0, 15, 1, 20.0, "20-49", "on"), (3, 15, 30, 1, 40.0, "20-49", "on"),
        # 4: in treatment of opioid use disorder: neither on nor off
        (4, 0, 10, None, None, "unknown", "treatment"),
    ],
    schema=["person_id", "start", "stop", "on_opioid", "mme", "dose_band", "use_state"],
    orient="row",
)  # fmt: skip


def test_monthly_dose_is_the_mean_over_days_on_at_a_known_dose() -> None:
    assert monthly_dose(PERSON_TIME).rows() == [
        (1, 0, 20, 20, 30.0), (1, 1, 10, 10, 60.0), (1, 2, 30, 30, 60.0),
        (2, 0, 30, 30, 90.0), (2, 1, 30, 0, None), (2, 2, 30, 0, None), (2, 3, 5, 0, None),
        (3, 0, 30, 30, 30.0),
    ]  # fmt: skip


def test_known_and_unknown_days_of_one_month() -> None:
    """10 days at 30 and 20 at an unknown dose: 30, not 10."""
    rows = [(1, 0, 10, 1, 30.0, "20-49", "on"), (1, 10, 30, 1, None, "unknown", "on")]
    person_time = pl.DataFrame(rows, schema=PERSON_TIME.schema, orient="row")
    assert monthly_dose(person_time).rows() == [(1, 0, 30, 10, 30.0)]


# rows of one person: first day, first day after, on_opioid, MME/day -> the means of months 0, 1, ...
MEANS = [
    ("off days count as none", [(0, 15, 1, 60.0), (15, 30, 0, 0.0)], [30.0]),
    ("off all month is 0, a known dose", [(0, 30, 1, 60.0), (30, 60, 0, 0.0)], [60.0, 0.0]),
    ("one day of unknown dose, and the month is missing", [(0, 29, 1, 60.0), (29, 30, 1, None), (30, 60, 1, 20.0)],
     [None, 20.0]),
    ("so is it with a day in treatment or of unknown state", [(0, 5, None, None), (5, 60, 0, 0.0)], [None, 0.0]),
    ("15 days followed are a month", [(0, 30, 1, 60.0), (30, 40, 1, 60.0), (40, 45, 0, 0.0)], [60.0, 40.0]),
    ("14 days are not", [(0, 30, 1, 60.0), (30, 44, 1, 60.0)], [60.0, None]),
    ("a stretch over several months", [(0, 100, 1, 50.0)], [50.0, 50.0, 50.0, None]),
    ("nothing beyond the window", [(0, 130, 1, 50.0), (130, 600, 1, None)], [50.0, 50.0, 50.0, 50.0]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "means"), [case[1:] for case in MEANS], ids=[case[0] for case in MEANS])
def test_monthly_mean(rows: list[tuple[int, int, int | None, float | None]], means: list[float | None]) -> None:
    schema = {"start": pl.Int64, "stop": pl.Int64, "on_opioid": pl.Int64, "mme": pl.Float64}
    person_time = pl.DataFrame(rows, schema=schema, orient="row").with_columns(person_id=pl.lit("a"))
    found = monthly_mean(person_time.reverse(), 4)
    assert found["mme"].to_list() == means
    assert found["month"].to_list() == list(range(len(means)))
    followed_days = min(max(row[1] for row in rows), 120)
    assert found["days"].sum() == followed_days


def test_nobody_has_no_months() -> None:
    assert monthly_mean(PERSON_TIME.clear(), 24).columns == ["person_id", "month", "days", "days_on", "mme"]


def test_people_are_followed_in_every_month_they_reach() -> None:
    assert followed(PERSON_TIME).rows() == [(0, 4), (1, 2), (2, 2), (3, 1)]


def test_trajectory() -> None:
    found = dose_trajectory(PERSON_TIME)
    # month 0: monthly means 30, 90, 30
    assert found.row(0) == (0, 4, 3, 3, 0.75, 30.0, 30.0, 60.0, 50.0)
    # months 1 and 2: one at 60, one unknown; month 3: unknown only
    assert found.row(1) == (1, 2, 2, 1, 1.0, 60.0, 60.0, 60.0, 60.0)
    assert found.row(3) == (3, 1, 1, 0, 1.0, None, None, None, None)
    assert set(DISPLAYS["dose_trajectory"].columns) <= set(found.columns)


def test_time_by_dose_band_lowest_dose_first_unknown_last() -> None:
    found = dose_distribution(PERSON_TIME)
    assert found.select("dose_band", "persons").rows() == [("20-49", 2), ("50-89", 1), (">=90", 1), ("unknown", 1)]
    days = [50, 40, 30, 65]
    assert found.get_column("person_years").to_list() == pytest.approx([d / 365.25 for d in days], rel=1e-14)
    assert found.get_column("share_of_time").to_list() == pytest.approx([d / 185 for d in days], rel=1e-14)
    assert found.columns == list(DISPLAYS["dose_distribution"].columns)


def test_bands_on_the_first_day_of_each_month_among_those_followed() -> None:
    found = dose_bands(PERSON_TIME)
    assert found.select("month", "band", "persons").rows() == [
        (0, "treatment", 1), (0, "20-49", 2), (0, ">=90", 1),
        # day 30: person 1 is off, 2 at an unknown dose, 3 and 4 no longer followed
        (1, "off", 1), (1, "unknown", 1),
        (2, "50-89", 1), (2, "unknown", 1),
        # day 90: person 1 was followed until day 89
        (3, "unknown", 1),
    ]  # fmt: skip
    assert found["share"].to_list() == [0.25, 0.5, 0.25, 0.5, 0.5, 0.5, 0.5, 1.0]
    assert found.group_by("month").agg(pl.col("persons").sum()).sort("month").rows() == [
        (0, 4), (1, 2), (2, 2), (3, 1),
    ]  # fmt: skip


def test_quartiles_interpolate() -> None:
    rows = [(p, 0, 30, 1, float(10 * p), "x", "on") for p in range(1, 5)]
    found = dose_trajectory(pl.DataFrame(rows, schema=PERSON_TIME.schema, orient="row"))
    assert found.select("p25", "median", "p75", "mean").row(0) == (17.5, 25.0, 32.5, 25.0)


def test_time_on_opioids_is_neither_lost_nor_doubled() -> None:
    on = PERSON_TIME.filter(pl.col("on_opioid") == 1)
    days = on.select((pl.col("stop") - pl.col("start")).sum()).item()
    assert monthly_dose(PERSON_TIME).get_column("days_on").sum() == days
    assert math.isclose(dose_distribution(PERSON_TIME).get_column("share_of_time").sum(), 1, rel_tol=1e-12)


@pytest.mark.parametrize("rows", [PERSON_TIME, PERSON_TIME.clear(), PERSON_TIME.filter(pl.col("on_opioid") != 1)])
def test_the_step_writes_its_displays_whatever_there_is(tmp_path: Path, rows: pl.DataFrame) -> None:
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("person_time", "cohort", "opioid_status", "daily_dose")}
    names = ("dose_distribution", "dose_trajectory", "dose_bands", "use_history")
    outputs = {name: tmp_path / f"{name}_display.parquet" for name in names}
    unknown = {"days_since_start": pl.lit(0), "new_user": pl.lit(None, pl.Int64)}
    io.write_frame(rows.with_columns(**unknown), inputs["person_time"])
    empty = {
        "cohort": {"entry": pl.Int32, "exit": pl.Int32},
        "opioid_status": {"start": pl.Int32, "on_since": pl.Int32, "naive_days": pl.Int64},
        "daily_dose": {"start": pl.Int32, "stop": pl.Int32, "mme": pl.Float64},
    }
    for name, schema in empty.items():
        io.write_frame(pl.DataFrame(schema={"person_id": pl.Int64, **schema}), inputs[name])
    describe_trajectories(inputs, outputs, {})
    for name, path in outputs.items():
        assert set(DISPLAYS[name].columns) <= set(pl.read_parquet(path).columns)
    assert pl.read_parquet(outputs["dose_trajectory"]).height == followed(rows).height
