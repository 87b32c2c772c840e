"""Daily dose, by example: fills in, stretches of days out. Each case says what happens and why.

A fill is (day, days_supply, MME/day, product); a stretch is (start, stop, MME/day), half-open. Day 0 is any day.
"""

import math
from dataclasses import dataclass

import polars as pl
import pytest

from opioid_outcomes.exposure import daily_dose, episodes, status

Fill = tuple[int, float, float | None, str]
Stretch = tuple[int, int, float | None]


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    fills: list[Fill]
    stretches: list[Stretch]
    cap: float = 30


CASES = [
    Case(
        "one fill of 30 days covers 30 days",
        "half-open: day 30 is the first day without; no 31st day",
        [(0, 30, 60, "a")],
        [(0, 30, 60)],
    ),
    Case(
        "a refill on the day supply ends",
        "touching stretches of one dose are one",
        [(0, 30, 60, "a"), (30, 30, 60, "a")],
        [(0, 60, 60)],
    ),
    Case(
        "a refill five days late",
        "the gap stays a gap",
        [(0, 30, 60, "a"), (35, 30, 60, "a")],
        [(0, 30, 60), (35, 65, 60)],
    ),
    Case(
        "a refill five days early",
        "it takes over on its day; the 5 days left are added to its end, and the dose is not doubled",
        [(0, 30, 60, "a"), (25, 30, 60, "a")],
        [(0, 60, 60)],
    ),
    Case(
        "the doubled dose is dispensed ten days early",
        "it shows on the day of dispensing; 10 days of the old dose last 5 days at the new one",
        [(0, 30, 60, "a"), (20, 30, 120, "a")],
        [(0, 20, 60), (20, 55, 120)],
    ),
    Case(
        "the halved dose is dispensed ten days early",
        "10 days at the old dose last 20 at the new one",
        [(0, 30, 60, "a"), (20, 30, 30, "a")],
        [(0, 20, 60), (20, 70, 30)],
    ),
    Case(
        "a refill 40 days early, cap 30",
        "30 of the 40 days left are carried, 10 are dropped",
        [(0, 60, 60, "a"), (20, 60, 60, "a")],
        [(0, 110, 60)],
    ),
    Case(
        "the cap comes before the change of dose",
        "40 days left, 30 carried, at half the dose they last 60",
        [(0, 60, 60, "a"), (20, 30, 30, "a")],
        [(0, 20, 60), (20, 110, 30)],
    ),
    Case(
        "cap 0",
        "nothing is carried: the new fill replaces the old",
        [(0, 30, 60, "a"), (20, 30, 60, "a")],
        [(0, 50, 60)],
        cap=0,
    ),
    Case(
        "a short refill may bring the end forward",
        "60 days on hand, cap 10: the running supply is replaced by 5 + 10 days",
        [(0, 60, 60, "a"), (10, 5, 60, "a")],
        [(0, 25, 60)],
        cap=10,
    ),
    Case(
        "left-over days pass through several early refills",
        "each refill carries what the one before had left: 5, then 10 days",
        [(0, 30, 60, "a"), (25, 30, 60, "a"), (50, 30, 60, "a")],
        [(0, 90, 60)],
    ),
    Case(
        "another product on top",
        "different products overlap and add; nothing is carried between them",
        [(0, 30, 60, "a"), (20, 30, 15, "b")],
        [(0, 20, 60), (20, 30, 75), (30, 50, 15)],
    ),
    Case(
        "two fills of one product on one day",
        "one fill: quantities add over the longest days_supply, so equal supplies add their doses",
        [(0, 30, 60, "a"), (0, 30, 60, "a")],
        [(0, 30, 120)],
    ),
    Case(
        "60 MME for 30 days and 60 MME for 10 days, one product, one day",
        "60 x 30 + 60 x 10 = 2,400 MME over the longest supply of 30 days",
        [(0, 30, 60, "a"), (0, 10, 60, "a")],
        [(0, 30, 80)],
    ),
    Case(
        "7.5 days of supply",
        "a day counts when wholly before the end: 7 days",
        [(0, 7.5, 60, "a")],
        [(0, 7, 60)],
    ),
    Case(
        "7.5 days, then 7.5 more, early",
        "ends stay real-valued: 7 + 7.5 + 0.5 is 15, no half day is lost twice",
        [(0, 7.5, 60, "a"), (7, 7.5, 60, "a")],
        [(0, 15, 60)],
    ),
    Case(
        "a fill of unknown dose alone",
        "on, at a dose that is missing, not zero",
        [(0, 30, None, "a")],
        [(0, 30, None)],
    ),
    Case(
        "a fill of unknown dose beside a known one",
        "the dose is the sum of the known parts (and marked incomplete)",
        [(0, 30, 60, "a"), (10, 30, None, "b")],
        [(0, 10, 60), (10, 30, 60), (30, 40, None)],
    ),
    Case(
        "an early refill at an unknown dose",
        "left-over days are carried one for one when either dose is unknown",
        [(0, 30, 60, "a"), (20, 30, None, "a")],
        [(0, 20, 60), (20, 60, None)],
    ),
    Case(
        "no days_supply",
        "without a positive days_supply there is no interval",
        [(0, 0, 60, "a"), (5, 10, 60, "a")],
        [(5, 15, 60)],
    ),
    Case(
        "doses that binary fractions cannot hold",
        "0.1 + 0.2 is 0.3, and 0 remains when supply ends",
        [(0, 10, 0.1, "a"), (0, 20, 0.2, "b"), (30, 5, 0.7, "c")],
        [(0, 10, 0.3), (10, 20, 0.2), (30, 35, 0.7)],
    ),
    Case(
        "supply dispensed before day 0",
        "days may be negative; nothing is cut at the start of observation",
        [(-10, 30, 60, "a")],
        [(-10, 20, 60)],
    ),
]


def table(fills: list[Fill]) -> pl.LazyFrame:
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return pl.LazyFrame(fills, schema=schema, orient="row").with_columns(person_id=pl.lit("p"))


def build(case: Case) -> pl.DataFrame:
    return daily_dose.build(table(case.fills), stockpile_cap_days=case.cap).collect()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_daily_dose(case: Case) -> None:
    assert build(case).select("start", "stop", "mme").rows() == case.stretches


def test_days_on_which_a_product_has_no_known_dose_are_marked() -> None:
    case = next(case for case in CASES if case.what == "a fill of unknown dose beside a known one")
    assert build(case).get_column("mme_incomplete").to_list() == [0, 1, 1]


def test_units_per_day_convert_left_over_days_where_given() -> None:
    """Ten days left at 2 tablets a day are 20 tablets: 5 days at 4 a day, though no dose is known."""
    fills = table([(0, 30, None, "a"), (20, 30, None, "a")]).with_columns(units_per_day=pl.Series([2.0, 4.0]))
    assert daily_dose.build(fills).collect().select("start", "stop").rows() == [(0, 55)]


def test_what_the_cap_drops_is_counted() -> None:
    supplies = daily_dose.supplies(table([(0, 60, 60, "a"), (20, 60, 60, "a"), (115, 5, 60, "a")]))
    assert supplies.get_column("dropped_days").to_list() == [0, 10, 0]
    assert supplies.get_column("end").to_list() == [60, 110, 120]


def test_dates_go_in_and_dates_come_out() -> None:
    fills = table([(0, 30, 60, "a")]).with_columns(pl.date(2020, 2, 15).alias("start"))
    last = pl.LazyFrame({"person_id": ["p"]}).with_columns(last=pl.date(2020, 3, 1))
    daily = daily_dose.cut(daily_dose.build(fills), last).collect()
    assert [str(day) for day in daily.select("start", "stop").row(0)] == ["2020-02-15", "2020-03-02"]


def test_the_last_day_observed_counts_and_later_days_do_not() -> None:
    daily = daily_dose.build(table([(0, 30, 60, "a"), (50, 30, 60, "a")]))
    last = pl.LazyFrame({"person_id": ["p"], "last": [9]}, schema={"person_id": pl.String, "last": pl.Int32})
    assert daily_dose.cut(daily, last).collect().select("start", "stop").rows() == [(0, 10)]


@pytest.mark.parametrize(("gap_days", "stretches"), [(30, [(0, 60, 30)]), (29, [(0, 10, 10), (40, 60, 20)])])
def test_episodes_merge_over_gaps_of_at_most_gap_days(gap_days: int, stretches: list[tuple]) -> None:
    daily = daily_dose.build(table([(0, 10, 30, "a"), (40, 20, 60, "a")]))
    found = episodes.build(daily, gap_days).collect()
    assert found.select("start", "stop", "days_active").rows() == stretches
    assert found.get_column("episode").to_list() == list(range(1, len(stretches) + 1))
    assert found.get_column("mean_mme").to_list() == ([50.0] if gap_days == 30 else [30.0, 60.0])


@dataclass(frozen=True)
class StatusCase:
    what: str
    fills: list[Fill]
    rows: list[tuple[int, int, str, float | None, int | None, int | None]]
    treatment: tuple[Fill, ...] = ()
    last: int = 400


STATUS = [
    StatusCase(
        "on for 30 days after supply ends, recent while at most 90 days since its end, then former",
        [(0, 10, 60, "a")],
        [(0, 40, "on", 60, 0, 10), (40, 101, "recent", 0, None, 10), (101, 401, "former", 0, None, 10)],
    ),
    StatusCase(
        "a refill on the last day of carry-over keeps the stretch; one day later begins another",
        [(0, 10, 60, "a"), (39, 10, 60, "a"), (80, 10, 60, "a")],
        [
            (0, 39, "on", 60, 0, 10),
            (39, 79, "on", 60, 0, 49),
            (79, 80, "recent", 0, None, 49),
            (80, 120, "on", 60, 80, 90),
            (120, 181, "recent", 0, None, 90),
            (181, 401, "former", 0, None, 90),
        ],
    ),
    StatusCase(
        "the last dose is held during carry-over, an unknown one as unknown",
        [(0, 10, 60, "a"), (5, 10, None, "b")],
        [(0, 5, "on", 60, 0, 10), (5, 10, "on", 60, 0, 15), (10, 31, "on", None, 0, 15)],
        last=30,
    ),
    StatusCase(
        "the end of supply is the one known that day: a refill that brings it forward changes it from then on",
        [(0, 100, 60, "a"), (20, 5, 60, "a")],
        [(0, 20, "on", 60, 0, 100), (20, 61, "on", 60, 0, 55)],
        last=60,
    ),
    StatusCase(
        "treatment of opioid use disorder overrules for the days of its supply; then a new stretch on begins",
        [(0, 60, 60, "a")],
        [(0, 10, "on", 60, 0, 60), (10, 20, "treatment", 60, None, 60), (20, 51, "on", 60, 20, 60)],
        treatment=((10, 10, None, "t"),),
        last=50,
    ),
    StatusCase(
        "treatment alone: never on, and not never afterwards",
        [],
        [(0, 10, "treatment", 0, None, 10), (10, 101, "recent", 0, None, 10), (101, 121, "former", 0, None, 10)],
        treatment=((0, 10, None, "t"),),
        last=120,
    ),
    StatusCase(
        "a fill without an interval: unknown while it could still be carried over, and not never afterwards",
        [(0, None, None, "a")],
        [(0, 30, "unknown", None, None, 0), (30, 91, "recent", 0, None, 0), (91, 121, "former", 0, None, 0)],
        last=120,
    ),
    StatusCase(
        "a fill without an interval during known supply: on stays on, and the end of supply stays",
        [(0, 60, 60, "a"), (20, None, None, "a")],
        [(0, 90, "on", 60, 0, 60), (90, 121, "recent", 0, None, 60)],
        last=120,
    ),
    StatusCase(
        "a fill without an interval after supply ended: unknown between on and recent, counted from its date",
        [(0, 10, 60, "a"), (35, None, None, "b"), (70, 10, 60, "a")],
        [
            (0, 35, "on", 60, 0, 10),
            (35, 40, "on", 60, 0, 35),
            (40, 65, "unknown", None, None, 35),
            (65, 70, "recent", 0, None, 35),
            (70, 101, "on", 60, 70, 80),
        ],
        last=100,
    ),
    StatusCase(
        "three tablets for half a day: on while day < 0.5 + 30, at the dose of the fill; no whole day was supplied",
        [(0, 0.5, 45, "a")],
        [(0, 31, "on", 45, 0, 0), (31, 91, "recent", 0, None, 0), (91, 121, "former", 0, None, 0)],
        last=120,
    ),
    StatusCase(
        "half a day of other products after supply ended: their dose is the one held, not that of long ago",
        [(0, 10, 60, "a"), (200, 0.5, 45, "b"), (200, 0.5, 5, "c"), (210, 0.5, None, "b")],
        [
            (0, 40, "on", 60, 0, 10),
            (40, 101, "recent", 0, None, 10),
            (101, 200, "former", 0, None, 10),
            (200, 210, "on", 50, 200, 200),
            (210, 241, "on", None, 200, 210),
        ],
        last=240,
    ),
    StatusCase(
        "half a day beside a running supply changes no dose",
        [(0, 10, 60, "a"), (5, 0.5, 45, "b")],
        [(0, 40, "on", 60, 0, 10)],
        last=39,
    ),
    StatusCase(
        "seven and a half days: the daily dose ends on day 7, carry-over counts from 7.5",
        [(0, 7.5, 60, "a")],
        [(0, 38, "on", 60, 0, 7), (38, 41, "recent", 0, None, 7)],
        last=40,
    ),
    StatusCase(
        "half a day of treatment is treatment on that day",
        [],
        [(0, 1, "treatment", 0, None, 0), (1, 11, "recent", 0, None, 0)],
        treatment=((0, 0.5, None, "t"),),
        last=10,
    ),
    StatusCase("no fills: no rows, which means never", [], []),
]


@pytest.mark.parametrize("case", STATUS, ids=lambda case: case.what)
def test_opioid_status(case: StatusCase) -> None:
    last = pl.DataFrame({"person_id": ["p"], "last": [case.last]}, schema={"person_id": pl.String, "last": pl.Int32})
    daily = daily_dose.cut(daily_dose.build(table(case.fills)), last.lazy()).collect()
    both = table([*case.fills, *case.treatment])
    no_interval = both.filter(pl.col("days_supply").is_null()).select("person_id", "start").collect()
    analgesic, treatment = (daily_dose.supplies(table(list(fills))) for fills in (case.fills, case.treatment))
    found = status.from_dispensings(daily, analgesic, treatment, no_interval, last, carry_over_days=30)
    assert found.drop("person_id").rows() == case.rows


REPORTS = [
    ("use at one interview holds for a year, then nothing is known", [(0, 1, None)],
     [(0, 365, "on", None), (365, 501, "unknown", None)]),
    ("no use, and none reported before", [(0, 0, None)],
     [(0, 365, "never", 0), (365, 501, "unknown", None)]),
    ("use, then none: recent for 90 days, then former", [(0, 1, 30.0), (100, 0, None)],
     [(0, 100, "on", 30), (100, 191, "recent", 0), (191, 465, "former", 0), (465, 501, "unknown", None)]),
    ("nothing is known before the first report", [(50, 0, None)],
     [(0, 50, "unknown", None), (50, 415, "never", 0), (415, 501, "unknown", None)]),
    ("of two reports on one day, the one of use holds", [(0, 0, None), (0, 1, 20.0)],
     [(0, 365, "on", 20), (365, 501, "unknown", None)]),
    ("who never reports is unknown, not a non-user", [], [(0, 501, "unknown", None)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "told", "rows"), REPORTS, ids=[case[0] for case in REPORTS])
def test_status_from_self_report(what: str, told: list[tuple], rows: list[tuple]) -> None:
    schema = {"date": pl.Int32, "using": pl.Int64, "daily_mme": pl.Float64}
    reports = pl.DataFrame(told, schema=schema, orient="row").with_columns(person_id=pl.lit("p"))
    days = {"person_id": pl.String, "start": pl.Int32, "end": pl.Int32}
    observation = pl.DataFrame({"person_id": ["p"], "start": [0], "end": [500]}, schema=days)
    found = status.from_reports(reports, observation, observation.select("person_id", last="end"), valid_days=365)
    assert found.select("start", "stop", "state", "mme").rows() == rows


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
        ({"mme_per_day": math.nan}, "mme_per_day must be finite, not negative and below 1e6"),
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
