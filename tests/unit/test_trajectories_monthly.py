"""Monthly dose and time by dose band, on person-time small enough to do by hand."""

import math
from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.steps.trajectories import describe_trajectories
from opioid_outcomes.trajectories.distribution import dose_distribution, dose_trajectory
from opioid_outcomes.trajectories.monthly import followed, monthly_dose

PERSON_TIME = pl.DataFrame(
    [
        # 1: 20 days at 30 MME, 30 days off, 40 days at 60
        (1, 0, 20, 1, 30.0, "20-49"), (1, 20, 50, 0, 0.0, "none"), (1, 50, 90, 1, 60.0, "50-89"),
        # 2: 30 days at 90, then on at an unknown dose to day 95
        (2, 0, 30, 1, 90.0, ">=90"), (2, 30, 95, 1, None, "unknown"),
        # 3: 15 days at 20, then 15 at 40, then dead
        (3, 0, 15, 1, 20.0, "20-49"), (3, 15, 30, 1, 40.0, "20-49"),
        # 4: in treatment of opioid use disorder: neither on nor off
        (4, 0, 10, None, 15.0, "unknown"),
    ],
    schema=["person_id", "start", "stop", "on_opioid", "mme", "dose_band"],
    orient="row",
)  # fmt: skip


def test_monthly_dose_is_the_mean_over_days_on_at_a_known_dose() -> None:
    assert monthly_dose(PERSON_TIME).rows() == [
        (1, 0, 20, 30.0), (1, 1, 10, 60.0), (1, 2, 30, 60.0),
        (2, 0, 30, 90.0), (2, 1, 30, None), (2, 2, 30, None), (2, 3, 5, None),
        (3, 0, 30, 30.0),
    ]  # fmt: skip


def test_known_and_unknown_days_of_one_month() -> None:
    """10 days at 30 and 20 at an unknown dose: 30, not 10."""
    rows = [(1, 0, 10, 1, 30.0, "20-49"), (1, 10, 30, 1, None, "unknown")]
    person_time = pl.DataFrame(rows, schema=PERSON_TIME.schema, orient="row")
    assert monthly_dose(person_time).rows() == [(1, 0, 30, 30.0)]


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


def test_quartiles_interpolate() -> None:
    rows = [(p, 0, 30, 1, float(10 * p), "x") for p in range(1, 5)]
    found = dose_trajectory(pl.DataFrame(rows, schema=PERSON_TIME.schema, orient="row"))
    assert found.select("p25", "median", "p75", "mean").row(0) == (17.5, 25.0, 32.5, 25.0)


def test_time_on_opioids_is_neither_lost_nor_doubled() -> None:
    on = PERSON_TIME.filter(pl.col("on_opioid") == 1)
    days = on.select((pl.col("stop") - pl.col("start")).sum()).item()
    assert monthly_dose(PERSON_TIME).get_column("days_on").sum() == days
    assert math.isclose(dose_distribution(PERSON_TIME).get_column("share_of_time").sum(), 1, rel_tol=1e-12)


@pytest.mark.parametrize("rows", [PERSON_TIME, PERSON_TIME.clear(), PERSON_TIME.filter(pl.col("on_opioid") != 1)])
def test_the_step_writes_both_displays_whatever_there_is(tmp_path: Path, rows: pl.DataFrame) -> None:
    inputs = {"person_time": tmp_path / "person_time.parquet"}
    outputs = {name: tmp_path / f"{name}.parquet" for name in ("dose_distribution", "dose_trajectory")}
    io.write_frame(rows, inputs["person_time"])
    describe_trajectories(inputs, outputs, {})
    for name, path in outputs.items():
        assert set(DISPLAYS[name].columns) <= set(pl.read_parquet(path).columns)
    assert pl.read_parquet(outputs["dose_trajectory"]).height == followed(rows).height
