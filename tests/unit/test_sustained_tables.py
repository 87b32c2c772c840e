"""estimate_sustained: from written tables to rows and displays, with the truth, with little and with nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sustained_tables import SETTINGS, run, world
from sustained_world import STAY_OF_MONTHS, UNTREATED_OF_MONTHS

from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality.sustained import QUESTIONS, edges


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return run(tmp_path_factory.mktemp("sustained"), world(6000, 21))


def test_from_tables_to_the_truth(result: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> None:
    rows = result[0].filter(pl.col("contrast") == QUESTIONS[0], pl.col("method") == "ipw")
    assert result[0].schema == pl.Schema(estimates.INTERNAL)
    truth = dict(zip(("0-90", "0-180", "0-360"), np.subtract(STAY_OF_MONTHS, UNTREATED_OF_MONTHS), strict=True))
    for row in rows.filter(pl.col("scale") == "risk_difference").iter_rows(named=True):
        assert row["gate"] == "pass"
        assert abs(row["estimate"] - truth[row["window"]]) < 2.5 * row["se"]
        assert row["se"] < 0.03
    ratio = rows.filter(pl.col("scale") == "risk_ratio", pl.col("window") == "0-360").row(0, named=True)
    assert ratio["ci_low"] < STAY_OF_MONTHS[2] / UNTREATED_OF_MONTHS[2] < ratio["ci_high"]
    days = rows.filter(pl.col("scale") == "rmst_days", pl.col("window") == "0-360").row(0, named=True)
    assert -20 < days["estimate"] < 0
    assert rows["persons"].unique().to_list() == [6000]


def test_displays_hold_what_their_declarations_say(
    result: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> None:
    rows, curves, tests = result
    assert curves.schema == pl.Schema(DISPLAYS["sustained_survival"].schema)
    assert tests.schema == pl.Schema(DISPLAYS["sustained_diagnostics"].schema)
    assert (curves["at_risk"] == curves["entered"] - curves["events"] - curves["left"]).all()
    at_end = curves.filter(pl.col("day") == 360).select("strategy", "survival")
    survival = dict(at_end.rows())
    difference = rows.filter(
        pl.col("scale") == "risk_difference", pl.col("window") == "0-360", pl.col("method") == "ipw"
    )["estimate"][0]
    assert survival["never"] - survival["start and stay"] == pytest.approx(difference)
    assert (curves["ci_low"] <= curves["survival"]).all()
    stay = tests.filter(pl.col("strategy") == "start and stay", pl.col("day") == 180).row(0, named=True)
    assert 50 < stay["ess"] < stay["following"] < stay["persons"] == 6000


def test_nobody_is_a_long_term_user_and_it_says_so(result: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> None:
    rows = result[0].filter(pl.col("contrast").is_in(QUESTIONS[1:]))
    assert rows["gate"].to_list() == ["not evaluable: nobody could follow the strategies from time zero"] * 2


def test_few_people_and_late_horizons_are_gated(tmp_path: Path) -> None:
    chosen = SETTINGS["mortality"] | {"horizons_days": [30, 180, 360, 1825]}
    rows = run(tmp_path, world(70, 22), mortality=chosen)[0].filter(
        pl.col("contrast") == QUESTIONS[0], pl.col("scale") == "risk_difference", pl.col("method") == "ipw"
    )
    gates = dict(rows.select("window", "gate").rows())
    assert gates["0-180"] == "fail: effective number of people who follow 'start and stay' is under 50"
    assert gates["0-1825"].startswith("not evaluable: fewer than ten people who follow ")
    assert rows["estimate"].null_count() == rows.height


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("nobody dies", "fewer than ten deaths"),
        ("nobody starts", "nobody begins within grace"),
        ("nobody at all", "nobody could follow the strategies from time zero"),
        ("interviews", "exposure known at one interview only"),
    ],
)
def test_without_an_answer_the_row_says_why(tmp_path: Path, what: str, why: str) -> None:
    tables, notes = world(300, 23), dict[str, Any]()
    if what == "nobody dies":
        tables["cohort"] = tables["cohort"].with_columns(death=0)
    elif what == "nobody starts":
        tables["opioid_status"] = tables["opioid_status"].clear()
    elif what == "nobody at all":
        tables["cohort"] = tables["cohort"].clear()
    else:
        notes = {"exposure": "baseline"}
    rows = run(tmp_path, tables, notes=notes)[0].filter(pl.col("contrast") == QUESTIONS[0], pl.col("method") == "ipw")
    assert rows.height
    assert all(gate.startswith("not evaluable: ") and gate.endswith(why) for gate in rows["gate"])
    assert rows["estimate"].null_count() == rows.height


def test_a_difference_that_weights_leave_is_named(tmp_path: Path) -> None:
    """Weights are cut to almost nothing: who stays is then no longer like everybody."""
    chosen = SETTINGS["mortality"] | {"truncation": [45, 55]}
    rows = run(tmp_path, world(4000, 26), mortality=chosen)[0]
    gates = set(rows.filter(pl.col("contrast") == QUESTIONS[0], pl.col("method") == "ipw")["gate"])
    assert any(gate.startswith("fail: max |SMD| ") and gate.endswith(" is not under 0.1") for gate in gates)


def test_errors_can_be_bootstrapped(tmp_path: Path) -> None:
    chosen = SETTINGS["mortality"] | {"standard_error": "bootstrap", "replicates": 50, "horizons_days": [180]}
    rows = run(tmp_path, world(500, 27), mortality=chosen)[0].filter(
        pl.col("contrast") == QUESTIONS[0], pl.col("window") == "0-180", pl.col("method") == "ipw"
    )
    assert rows["note"].str.contains("person bootstrap, 50 replicates, weights redone", literal=True).all()
    difference = rows.filter(pl.col("scale") == "risk_difference").row(0, named=True)
    assert difference["gate"] == "pass"
    assert 0.005 < difference["se"] < 0.05


def test_horizons_within_grace_alone_can_be_asked(tmp_path: Path) -> None:
    chosen = SETTINGS["mortality"] | {"horizons_days": [30]}
    rows = run(tmp_path, world(3000, 25), mortality=chosen)[0].filter(pl.col("contrast") == QUESTIONS[0])
    assert set(rows["window"]) == {"0-30"}
    assert (rows["gate"] == "pass").all()


def test_unobserved_deaths_withhold_everything(tmp_path: Path) -> None:
    rows, curves, _ = run(tmp_path, world(1500, 24), notes={"deaths": 90, "deaths_after_observation": 10})
    assert not (rows["gate"] == "pass").any()
    assert curves.is_empty()


def test_intervals_open_with_the_first_day_and_the_last_thirty_days_of_grace() -> None:
    assert edges([30, 180], 90) == [0, 1, 30, 60, 90, 120, 150, 180]
    assert edges([365], 100)[:6] == [0, 1, 30, 60, 70, 100]
    assert edges([1825], 90)[-3:] == [1740, 1800, 1825]
    assert edges([30], 90) == [0, 1, 30, 60, 90]
