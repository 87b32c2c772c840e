"""What daily dose and episodes take for fills and stays, and what they refuse: dates, numbers, missing columns."""

import math
from datetime import date

import polars as pl
import pytest
from fills import table

from opioid_outcomes.exposure import daily_dose, episodes


def test_dates_go_in_and_dates_come_out() -> None:
    fills = table([(0, 30, 60, "a")]).with_columns(pl.date(2020, 2, 15).alias("start"))
    last = pl.LazyFrame({"person_id": ["p"]}).with_columns(last=pl.date(2020, 3, 1))
    daily = daily_dose.cut(daily_dose.build(fills), last).collect()
    assert [str(day) for day in daily.select("start", "stop").row(0)] == ["2020-02-15", "2020-03-02"]


def test_a_date_with_a_time_is_its_day() -> None:
    fills = table([(0, 30, 60, "a")])
    for start in (pl.datetime(2020, 2, 15, 23, 30), pl.datetime(2020, 2, 15, 23, 30, time_zone="America/New_York")):
        [row] = daily_dose.build(fills.with_columns(start=start)).collect().select("start", "stop").rows()
        assert [str(day) for day in row] == ["2020-02-15", "2020-03-16"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"start": None}, "start must not be missing"),
        ({"start": "2020-02-15"}, "start must be a date or a whole number"),
        ({"start": 0.5}, "start must be a date or a whole number"),
        ({"days_supply": math.inf}, "days_supply must be finite and at most 100,000"),
        ({"days_supply": 1e6}, "days_supply must be finite and at most 100,000"),
        ({"mme_per_day": math.inf}, "mme_per_day must be finite, not negative and below 1e6"),
        ({"tiered_mg_per_day": -1.0}, "tiered_mg_per_day must be finite, not negative and below 1e6"),
        ({"mme_per_day": -1.0}, "mme_per_day must be finite, not negative and below 1e6"),
    ],
)  # fmt: skip
def test_impossible_fills_are_refused_by_column_without_their_values(changed: dict, told: str) -> None:
    fills = table([(0, 30, 60, "a"), (50, 30, 60, "a")])
    for rows in (fills, fills.head(1)):
        with pytest.raises(ValueError, match=f"^{told}$"):
            daily_dose.build(rows.with_columns(**{name: pl.lit(value) for name, value in changed.items()})).collect()
    with pytest.raises(ValueError, match="start must not be missing"):
        daily_dose.build(fills.with_columns(pl.col("start").shift())).collect()


DAYS = [date(2020, 1, 1), date(2020, 1, 21)]


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime, pl.Int32])
def test_days_come_back_in_the_type_of_the_fills_with_stays_and_without(dtype: pl.DataType) -> None:
    fills = table([(0, 30, 60, "a"), (0, 30, 60, "a")]).with_columns(start=pl.Series(DAYS).cast(dtype))
    stays = pl.DataFrame({"person_id": ["p"], "start": [date(2020, 1, 5)], "end": [date(2020, 1, 7)]})
    stays = stays.with_columns(pl.col("start", "end").cast(dtype))
    days = pl.Int32 if dtype == pl.Int32 else pl.Date
    expected = {None: [date(2020, 3, 1)], 1: [date(2020, 1, 5), date(2020, 1, 7), date(2020, 3, 3)]}
    for held, stops in expected.items():
        found = daily_dose.build(fills, stays=stays.lazy() if held else None).collect()
        assert found.schema["start"] == found.schema["stop"] == days
        assert found["stop"].cast(pl.Date).to_list() == stops
        runs = episodes.build(found.with_columns(pl.col("start", "stop").cast(dtype)), 30).collect()
        assert runs.select(pl.col("start", "stop").cast(pl.Date)).rows() == [(DAYS[0], stops[-1])]
        by_share = episodes.build(found, gap_share=0.5, fills=fills).collect()
        assert by_share.select(pl.col("start", "stop").cast(pl.Date)).rows() == [(DAYS[0], stops[-1])]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Int16, pl.Datetime])
def test_episodes_of_fills_are_in_days_as_daily_dose_is(dtype: pl.DataType) -> None:
    fills = table([(20, 30, 60, "a")]).with_columns(
        start=pl.Series([20]).cast(pl.Int32 if dtype == pl.Datetime else dtype)
    )
    fills = fills.with_columns(pl.col("start").cast(pl.Date).cast(dtype)) if dtype == pl.Datetime else fills
    found, daily = episodes.from_fills(fills).collect(), daily_dose.build(fills).collect()
    assert found.select("start", "stop").equals(daily.select("start", "stop"))
    assert found.schema["start"] == daily.schema["start"]


def test_dates_of_stays_and_numbers_of_days_of_fills_do_not_go_together() -> None:
    stays = pl.DataFrame({"person_id": ["p"], "start": [date(2020, 1, 5)], "end": [date(2020, 1, 7)]})
    with pytest.raises(ValueError, match="start and end of stays"):
        daily_dose.build(table([(0, 30, 60, "a")]), stays=stays)
    with pytest.raises(ValueError, match="end must be a date or a whole number"):
        daily_dose.build(table([(0, 30, 60, "a")]), stays=stays.with_columns(end=pl.lit("2020-01-07")))


def test_columns_that_are_missing_are_named() -> None:
    fills = table([(0, 30, 60, "a")])
    for call, of in (
        (daily_dose.build, fills), (daily_dose.supplies, fills), (episodes.from_fills, fills),
        (episodes.build, daily_dose.build(fills)),
    ):  # fmt: skip
        for name in ("person_id", "start"):
            with pytest.raises(ValueError, match=f"^missing columns: {name}$"):
                call(of.drop(name))
    with pytest.raises(ValueError, match=r"^missing columns: mme_per_day, product$"):
        daily_dose.build(fills.drop("mme_per_day", "product"))
    assert daily_dose.build(fills.drop("product"), None).collect().height == 1


def test_tables_may_be_lazy_or_not() -> None:
    fills = table([(0, 30, 60, "a"), (35, 30, None, "a")])
    daily = daily_dose.build(fills).collect()
    assert daily_dose.build(fills.collect()).collect().equals(daily)
    assert episodes.build(daily, 5).collect().equals(episodes.build(daily.lazy(), 5).collect())
    assert episodes.from_fills(fills.collect()).collect()["stop"].to_list() == [65]


def test_a_dose_that_is_no_number_is_unknown() -> None:
    nan = table([(0, 30, math.nan, "a"), (20, 30, 60, "b")])
    assert (
        daily_dose.build(nan)
        .collect()
        .equals(daily_dose.build(nan.with_columns(pl.col("mme_per_day").fill_nan(None))).collect())
    )
    assert daily_dose.build(nan).collect()["mme_incomplete"].to_list() == [1, 1, 0]
