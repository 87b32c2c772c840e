"""Person-time cut at values of a clock, and with lagged exposure: each day keeps what it held."""

from __future__ import annotations

import polars as pl

from opioid_outcomes.mortality.person_time_cuts import cut, lagged

ROWS = pl.DataFrame(
    {
        "person_id": [1, 1, 1, 2],
        "start": [0, 10, 60, 0],
        "stop": [10, 60, 100, 40],
        "death": [0, 0, 1, 0],
        "cause": [None, None, "cancer", None],
        "on_opioid": [0, 1, 0, 1],
        "days_since_start": [None, 0, None, 20],
    }
)


def test_rows_are_cut_where_the_clock_passes_and_keep_their_deaths() -> None:
    found = cut(ROWS, "days_since_start", [30, 180])
    assert found.select("person_id", "start", "stop", "death", "days_since_start").rows() == [
        (1, 0, 10, 0, None), (1, 10, 40, 0, 0), (1, 40, 60, 0, 30), (1, 60, 100, 1, None),
        (2, 0, 10, 0, 20), (2, 10, 40, 0, 30),
    ]  # fmt: skip
    assert found["cause"].to_list() == [None, None, None, "cancer", None, None]


def test_a_cut_on_the_edge_of_a_row_makes_no_empty_piece() -> None:
    on_edge = ROWS.filter(pl.col("person_id") == 2).with_columns(days_since_start=pl.lit(30))
    assert cut(on_edge, "days_since_start", [30, 70]).height == 1


def test_a_death_moves_to_the_last_piece() -> None:
    dying = ROWS.filter(pl.col("person_id") == 2).with_columns(death=pl.lit(1), cause=pl.lit("other"))
    found = cut(dying, "days_since_start", [30])
    assert found["death"].to_list() == [0, 1]
    assert found["cause"].to_list() == [None, "other"]


def test_lagged_exposure_is_that_of_days_before_and_death_stays_where_it_was() -> None:
    found = lagged(ROWS, 30)
    assert found.select("person_id", "start", "stop", "on_opioid", "death", "cause").rows() == [
        (1, 30, 40, 0, 0, None), (1, 40, 90, 1, 0, None), (1, 90, 100, 0, 1, "cancer"), (2, 30, 40, 1, 0, None),
    ]  # fmt: skip


def test_a_lag_longer_than_follow_up_leaves_nobody_and_none_changes_nothing() -> None:
    assert lagged(ROWS, 1000).is_empty()
    assert lagged(ROWS, 0).equals(ROWS)


def test_a_death_can_fall_in_exposure_that_ended_before_it() -> None:
    """Off for the last 5 days, dead at 100: ten days before, the person was on."""
    rows = pl.DataFrame(
        {
            "person_id": [1, 1], "start": [0, 95], "stop": [95, 100], "death": [0, 1], "cause": [None, "cancer"],
            "on_opioid": [1, 0], "days_since_start": [0, None],
        }
    )  # fmt: skip
    found = lagged(rows, 10)
    assert found.select("start", "stop", "on_opioid", "death").rows() == [(10, 100, 1, 1)]
