"""mortality.stopping: null where stopping does nothing, the planted hazard where it does; dating stops back fails."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from stopping_world import course, dated_back, tables

from opioid_outcomes.mortality.hazard_ratio import hazard_ratio
from opioid_outcomes.mortality.stopping import against_current, person_time
from opioid_outcomes.mortality.stopping_clock import BANDS
from opioid_outcomes.survival import cox

SEEDS, PEOPLE = range(10), 2500


def log_ratios(seed: int, stopping: float, *, lag: int = 0) -> list[float]:
    """0-30, 31-90 and 91-180 days since stopping against current supply."""
    rows = person_time(*tables(*course(seed, PEOPLE, stopping)), [], lag=lag)
    found = [
        hazard_ratio(rows, against_current(band), analysis="x", method="crude", adjust=[], missing="indicator")
        for band in BANDS[:3]
    ]
    return [row.estimate or np.nan for row in found]


def dated_back_log_ratio(seed: int, *, told_by_living: bool) -> float:
    rows = dated_back(*course(seed, PEOPLE, 1.0), 30, told_by_living=told_by_living).filter(pl.col("clock") != "later")
    stopped = (rows["clock"] == "0-30").to_numpy()[:, None].astype(float)
    return float(cox.fit(rows["start"], rows["stop"], rows["death"], stopped, names=["stopped"]).params[0])


def test_nothing_is_found_where_stopping_does_nothing() -> None:
    found = np.mean([log_ratios(seed, 1.0) for seed in SEEDS], axis=0)
    np.testing.assert_allclose(found, 0, atol=0.08)


def test_stops_dated_back_from_the_gap_that_followed_look_deadly() -> None:
    assert np.mean([dated_back_log_ratio(seed, told_by_living=False) for seed in SEEDS]) > 0.3


def test_stops_dated_back_from_a_gap_that_was_survived_look_protective() -> None:
    assert np.mean([dated_back_log_ratio(seed, told_by_living=True) for seed in range(3)]) < -2


def test_a_planted_hazard_of_two_is_recovered_and_ends_when_it_ends() -> None:
    found = np.mean([log_ratios(seed, 2.0) for seed in SEEDS], axis=0)
    np.testing.assert_allclose(found, [np.log(2), np.log(2), 0], atol=0.08)


def test_lagged_by_90_days_the_hazard_of_the_last_90_days_is_read_off_later_bands() -> None:
    now, lagged = (np.mean([log_ratios(seed, 2.0, lag=lag) for seed in range(3)], axis=0) for lag in (0, 90))
    assert lagged[0] < now[0] - 0.3
    assert lagged[1] == pytest.approx(0, abs=0.25)
