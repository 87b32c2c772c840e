"""Person-time, as tables: the cohort's people and their status go in, stretches of follow-up come out."""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.cohort import person_time
from opioid_outcomes.contracts.derived import DAILY_DOSE, OPIOID_STATUS

BANDS = [20.0, 50.0, 90.0]


def people(*rows: tuple[int, int, int, int, int]) -> pl.DataFrame:
    """(person, entry, exit, observed_until, death)"""
    frame = pl.DataFrame(rows, schema=["person_id", "entry", "exit", "observed_until", "death"], orient="row")
    return frame.with_columns(
        pl.col("entry", "exit", "observed_until").cast(pl.Int32),
        pl.when(pl.col("death") == 1).then(pl.lit("cardiovascular")).alias("cause"),
        pl.lit(None, pl.Int64).alias("baseline_user"),
        pl.lit(None, pl.Float64).alias("survey_weight"),
        pl.lit(None, pl.String).alias("stratum"),
        pl.lit(None, pl.String).alias("cluster"),
        (pl.col("person_id") * 10.0).alias("age"),
    )


def status(*rows: tuple) -> pl.DataFrame:
    """(person, start, stop, state, mme, on_since), then, if it matters, (supply_end, cumulative_mme, new_user)"""
    records = [(*row, *(None,) * (10 - len(row))) for row in rows]
    return pl.DataFrame(records, schema=OPIOID_STATUS.schema(pl.Int64()), orient="row")


def supply(*rows: tuple[int, int, int, float | None]) -> pl.DataFrame:
    """(person, start, stop, mme)"""
    records = [(*row, 0, 0, 0, None) for row in rows]
    return pl.DataFrame(records, schema=DAILY_DOSE.schema(pl.Int64()), orient="row")


def build(cohort: pl.DataFrame, states: pl.DataFrame, before_first: str = "never") -> list[tuple[object, ...]]:
    built = person_time.build(cohort, states, BANDS, ["age"], daily=supply(), before_first=before_first)
    columns = ["person_id", "start", "stop", "death", "on_opioid", "use_state", "mme", "dose_band", "days_since_start"]
    return built.select(columns).rows()


def test_follow_up_is_split_where_exposure_changes() -> None:
    cohort = people((1, 100, 400, 400, 0))
    states = status(
        (1, 150, 180, "on", 30.0, 150),
        (1, 180, 240, "on", 60.0, 150),
        (1, 240, 330, "recent", 0.0, None),
        (1, 330, 500, "former", 0.0, None),
    )
    assert build(cohort, states) == [
        (1, 0, 50, 0, 0, "never", 0.0, "none", None),
        (1, 50, 80, 0, 1, "on", 30.0, "20-49", 0),
        (1, 80, 140, 0, 1, "on", 60.0, "50-89", 30),
        (1, 140, 230, 0, 0, "recent", 0.0, "none", None),
        (1, 230, 300, 0, 0, "former", 0.0, "none", None),
    ]


def test_a_death_on_the_day_of_entry_is_an_event_at_one_with_that_days_exposure() -> None:
    cohort = people((1, 100, 101, 500, 1))
    assert build(cohort, status((1, 90, 140, "on", 20.0, 90))) == [(1, 0, 1, 1, 1, "on", 20.0, "20-49", 10)]


def test_death_belongs_to_the_last_stretch_only() -> None:
    cohort = people((1, 0, 11, 50, 1))
    states = status((1, 4, 8, "on", None, 4), (1, 8, 60, "recent", 0.0, None))
    built = person_time.build(cohort, states, BANDS, [], daily=supply(), before_first="never")
    assert built.select("start", "stop", "death", "cause", "dose_band").rows() == [
        (0, 4, 0, None, "none"),
        (4, 8, 0, None, "unknown"),
        (8, 11, 1, "cardiovascular", "none"),
    ]


def test_a_death_after_the_last_observed_day_keeps_the_last_known_exposure() -> None:
    """Observed to day 49; supply known to last beyond it does not matter, nor does what is recorded later."""
    cohort = people((1, 0, 61, 50, 1))
    states = status((1, 20, 55, "on", 95.0, 20), (1, 55, 70, "recent", 0.0, None))
    assert build(cohort, states) == [
        (1, 0, 20, 0, 0, "never", 0.0, "none", None),
        (1, 20, 61, 1, 1, "on", 95.0, ">=90", 0),
    ]


def test_treatment_and_unknown_are_neither_on_nor_off() -> None:
    cohort = people((1, 0, 30, 30, 0))
    states = status((1, 0, 10, "treatment", 0.0, None), (1, 10, 20, "unknown", 0.0, None), (1, 20, 30, "on", 0.0, 20))
    assert build(cohort, states) == [
        (1, 0, 10, 0, None, "treatment", None, "unknown", None),
        (1, 10, 20, 0, None, "unknown", None, "unknown", None),
        (1, 20, 30, 0, 1, "on", 0.0, "<20", 0),
    ]


def test_without_dispensings_silence_before_the_first_report_is_not_never() -> None:
    cohort = people((1, 0, 30, 30, 0), (2, 5, 30, 30, 0))
    states = status((1, 10, 30, "on", 10.0, 10))
    assert build(cohort, states, "unknown") == [
        (1, 0, 10, 0, None, "unknown", None, "unknown", None),
        (1, 10, 30, 0, 1, "on", 10.0, "<20", 0),
        (2, 0, 25, 0, None, "unknown", None, "unknown", None),
    ]


def test_equal_neighbours_are_merged() -> None:
    cohort = people((1, 0, 30, 30, 0))
    states = status((1, 0, 10, "on", 30.0, 0), (1, 10, 20, "on", 30.0, 0), (1, 20, 30, "on", 30.0, 20))
    assert build(cohort, states) == [
        (1, 0, 20, 0, 1, "on", 30.0, "20-49", 0),
        (1, 20, 30, 0, 1, "on", 30.0, "20-49", 0),
    ]


def test_rows_carry_the_covariates_of_their_own_person() -> None:
    cohort = people((2, 0, 30, 30, 0), (1, 0, 20, 20, 0))
    states = status((2, 3, 9, "on", 5.0, 3))
    built = person_time.build(cohort, states, BANDS, ["age"], daily=supply(), before_first="never")
    assert built.select("person_id", "age").unique().sort("person_id").rows() == [(1, 10.0), (2, 20.0)]


def at_start(cohort: pl.DataFrame, states: pl.DataFrame, daily: pl.DataFrame, before_first: str = "never") -> list:
    built = person_time.build(cohort, states, BANDS, [], daily=daily, before_first=before_first)
    return built.select("start", "use_state", "days_since_stop", "cumulative_mme", "new_user").rows()


def test_time_since_the_end_of_supply_and_mme_so_far_are_those_of_the_rows_first_day() -> None:
    """Supply to day 110 and from 210 to 220; carry-over of 30 days adds nothing."""
    cohort = people((1, 90, 400, 400, 0))
    states = status(
        (1, 100, 140, "on", 30.0, 100, 110, 0.0, 1),
        (1, 140, 201, "recent", 0.0, None, 110, 300.0, None),
        (1, 201, 210, "former", 0.0, None, 110, 300.0, None),
        (1, 210, 250, "on", 60.0, 210, 220, 300.0, 0),
        (1, 250, 400, "recent", 0.0, None, 220, 900.0, None),
    )
    assert at_start(cohort, states, supply((1, 100, 110, 30.0), (1, 210, 220, 60.0))) == [
        (0, "never", None, 0.0, None),
        (10, "on", None, 0.0, 1),
        (50, "recent", 30, 300.0, None),
        (111, "former", 91, 300.0, None),
        (120, "on", None, 300.0, 0),
        (160, "recent", 30, 900.0, None),
    ]


def test_follow_up_that_begins_within_a_stretch_counts_what_was_consumed_before_it() -> None:
    """Four of ten days, then unknown doses, then a person in the days of carry-over."""
    cohort = people((1, 104, 120, 120, 0), (2, 104, 120, 120, 0), (3, 125, 160, 160, 0), (4, 150, 160, 160, 0))
    states = status(
        (1, 100, 140, "on", 30.0, 100, 110, 0.0, None),
        (2, 100, 140, "on", None, 100, 110, 50.0, None),
        (3, 100, 140, "on", 30.0, 100, 110, 0.0, None),
        (3, 140, 201, "recent", 0.0, None, 110, 300.0, None),
        (4, 140, 201, "recent", 0.0, None, 110, 300.0, None),
    )
    doses = supply(
        (1, 100, 110, 30.0), (2, 95, 100, 10.0), (2, 100, 110, None), (3, 100, 110, 30.0), (4, 100, 110, 30.0)
    )
    assert at_start(cohort, states, doses) == [
        (0, "on", None, 120.0, None),
        (0, "on", None, 50.0, None),
        (0, "on", None, 300.0, None),
        (15, "recent", 30, 300.0, None),
        (0, "recent", 40, 300.0, None),
    ]


def test_no_row_is_split_by_an_end_of_supply_or_a_sum() -> None:
    cohort = people((1, 0, 60, 60, 0))
    states = status(
        (1, 0, 20, "on", 30.0, 0, 30, 0.0, 0),
        (1, 20, 60, "on", 30.0, 0, 60, 600.0, 0),
    )
    assert at_start(cohort, states, supply((1, 0, 60, 30.0))) == [(0, "on", None, 0.0, 0)]


def test_treatment_has_no_time_since_stop_and_goes_on_counting_analgesics() -> None:
    cohort = people((1, 15, 40, 40, 0))
    states = status(
        (1, 10, 20, "treatment", 30.0, None, 60, 300.0, None),
        (1, 20, 40, "on", 30.0, 20, 60, 600.0, 0),
    )
    assert at_start(cohort, states, supply((1, 0, 60, 30.0))) == [
        (0, "treatment", None, 450.0, None),
        (5, "on", None, 600.0, 0),
    ]


def test_reports_tell_when_use_ended_but_not_how_much_there_was() -> None:
    cohort = people((1, 0, 150, 150, 0))
    states = status((1, 10, 100, "on", 30.0, 10, 375), (1, 100, 150, "recent", 0.0, None, 100))
    assert at_start(cohort, states, supply(), "unknown") == [
        (0, "unknown", None, None, None),
        (10, "on", None, None, None),
        (100, "recent", 0, None, None),
    ]


@pytest.mark.parametrize(
    ("bounds", "labels"),
    [
        ([20, 50, 90], ["<20", "20-49", "50-89", ">=90"]),
        ([50], ["<50", ">=50"]),
        ([20, 50.5, 90], ["<20", "20-<50.5", "50.5-89", ">=90"]),
    ],
)
def test_labels_of_dose_bands(bounds: list[float], labels: list[str]) -> None:
    assert person_time.band_labels(bounds) == labels


def test_a_dose_on_a_bound_belongs_to_the_band_above() -> None:
    """Also as products that are rounded add up to it: 33.333333333 twice and 23.333333333."""
    doses = [19.99, 20.0, 49.9, 50.0 - 1e-9, 50.0, 89.999, 89.999999999, 90.0]
    frame = pl.DataFrame({"mme": doses}).with_columns(use_state=pl.lit("on"))
    assert frame.select(person_time.dose_band(BANDS).alias("band"))["band"].to_list() == [
        "<20", "20-49", "20-49", "50-89", "50-89", "50-89", ">=90", ">=90",
    ]  # fmt: skip
