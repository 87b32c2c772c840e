"""mortality.stopping: R's numbers, what stands in its rows, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from stopping_world import course, tables

from opioid_outcomes.contracts.estimates import Estimate, frame
from opioid_outcomes.disclosure.estimates import released
from opioid_outcomes.disclosure.profile import PROFILES
from opioid_outcomes.mortality.hazard_ratio import hazard_ratio
from opioid_outcomes.mortality.stopping import against_current, person_time, stopping
from opioid_outcomes.mortality.stopping_clock import BANDS, CURRENT, named

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
THEIRS = pl.read_csv(REFERENCE / "stopping.csv")


@pytest.fixture(scope="module")
def world() -> tuple[pl.DataFrame, pl.DataFrame]:
    status, cohort = tables(*course(7, 500, 3.0))
    return status, cohort.with_columns(age=40 + pl.col("person_id") * 7 % 45)


def of(rows: list[Estimate], contrast: str, method: str) -> Estimate:
    [found] = [row for row in rows if (row.contrast, row.method) == (contrast, method)]
    return found


def test_the_rows_given_to_r_are_those_of_the_world(world: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    ours = person_time(*world, ["age"]).select("person_id", "start", "stop", "death", "clock", "age")
    theirs = pl.read_csv(REFERENCE / "stopping_rows.csv")
    assert ours.filter(pl.col("clock").is_not_null()).rows() == theirs.rows()


@pytest.mark.parametrize(("band", "method"), THEIRS.select("band", "method").rows())
def test_hazard_ratios_equal_coxph(band: str, method: str, world: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    contrast = against_current(next(each for each in BANDS if named(each) == band))
    adjust = [] if method == "crude" else ["age"]
    ours = hazard_ratio(
        person_time(*world, ["age"]), contrast, analysis="x", method=method, adjust=adjust, missing="indicator"
    )
    theirs = THEIRS.filter(pl.col("band") == band, pl.col("method") == method).row(0, named=True)
    assert ours.estimate == pytest.approx(theirs["log_hr"], rel=1e-6)
    assert ours.se == pytest.approx(theirs["se"], rel=1e-6)


def test_each_ratio_has_the_rates_of_its_groups_beside_it(world: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    rows = stopping(*world, ["age"], "indicator", exposure="time_varying")
    rates = {row.contrast for row in rows if row.scale == "rate_per_1000py"}
    ratios = [row for row in rows if row.scale == "log_hr"]
    assert {arm for row in ratios for arm in row.contrast.split(" vs ")} <= rates
    assert {row.method for row in ratios} == {
        f"{method}{lag}" for method in ("crude", "adjusted") for lag in ("", "_lag_30", "_lag_90")
    }
    assert len({(row.contrast, row.method, row.scale) for row in rows}) == len(rows)
    crude = of(rows, f"0-30 days since stopping vs {CURRENT}", "crude")
    both = [of(rows, arm, "crude") for arm in crude.contrast.split(" vs ")]
    assert crude.events == sum(rate.events or 0 for rate in both)
    assert both[0].estimate == pytest.approx(1000 * (both[0].events or 0) / (both[0].person_years or 1))


def test_rates_by_length_of_therapy_add_up_to_those_of_all(world: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    rows = [row for row in stopping(*world, [], "indicator", exposure="time_varying") if row.method == "crude"]
    for group in (CURRENT, "0-30 days since stopping"):
        rates = [row for row in rows if row.scale == "rate_per_1000py" and row.contrast.startswith(group)]
        whole, parts = rates[0], rates[1:]
        assert len(parts) == 3
        assert sum(row.events or 0 for row in parts) == whole.events
        assert sum(row.person_years or 0 for row in parts) == pytest.approx(whole.person_years)


@pytest.mark.parametrize(
    ("exposure", "why"),
    [("baseline", "exposure known at one interview only"), ("none", "no opioid exposure is recorded")],
)
def test_use_that_is_not_followed_tells_no_stopping(
    exposure: str, why: str, world: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    [row] = stopping(*world, [], "indicator", exposure=exposure)  # type: ignore[arg-type]
    assert row.gate == f"not evaluable: {why}"


def test_reports_tell_no_end_of_supply(world: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    status, cohort = world
    reported = status.with_columns(cumulative_mme=pl.lit(None, pl.Float64))
    [row] = stopping(reported, cohort, [], "indicator", exposure="time_varying")
    assert "reports" in row.gate


@pytest.mark.parametrize("what", ["nobody dies", "nobody ever used", "nobody at all", "nobody stops"])
def test_without_numbers_every_row_says_why(what: str, world: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    status, cohort = world
    if what == "nobody dies":
        cohort = cohort.with_columns(death=pl.lit(0, pl.Int64))
    elif what == "nobody ever used":
        status = status.clear()
    elif what == "nobody at all":
        cohort = cohort.clear()
    else:
        status = status.with_columns(supply_end=pl.col("stop") + 2000)
    rows = stopping(status, cohort, ["age"], "indicator", exposure="time_varying")
    ratios = [row for row in rows if row.scale == "log_hr"]
    assert ratios
    assert all(row.gate.startswith("not evaluable: ") and row.estimate is None for row in ratios)


def test_a_small_rate_by_length_of_therapy_cannot_be_subtracted() -> None:
    """Of three lengths of therapy one has few deaths: the next smallest goes too, the rate of all stays."""
    rates = [
        Estimate(
            analysis="mortality.stopping", method="crude", population="p", outcome="death", contrast=contrast,
            scale="rate_per_1000py", estimate=1.0, persons=500, events=events, person_years=400.0, smallest_cell=events,
        )
        for contrast, events in (
            ("0-30 days since stopping", 105), ("0-30 days since stopping after up to 90 days of therapy", 5),
            ("0-30 days since stopping after 91-365 days of therapy", 40),
            ("0-30 days since stopping after over 365 days of therapy", 60),
        )
    ]  # fmt: skip
    told = released(frame(rates, study="s", cohort="c"), PROFILES["cms11"])
    assert told["estimate"].is_null().to_list() == [False, True, True, False]
