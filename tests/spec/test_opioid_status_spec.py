"""Opioid status, by example: fills or reports in, stretches of days in one state out. Day 0 is any day.

A fill is (day, days_supply, MME/day, product); a stretch is (start, stop, state, MME/day, on_since, supply_end).
"""

from dataclasses import dataclass

import polars as pl
import pytest

from opioid_outcomes.exposure import daily_dose, status

Fill = tuple[int, float | None, float | None, str]


def table(fills: list[Fill]) -> pl.LazyFrame:
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return pl.LazyFrame(fills, schema=schema, orient="row").with_columns(person_id=pl.lit("p"))


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
        "three tablets for half a day: no whole day was supplied, and carry-over is at the dose of the fill",
        [(0, 0.5, 45, "a")],
        [(0, 30, "on", 45, 0, 0), (30, 91, "recent", 0, None, 0), (91, 121, "former", 0, None, 0)],
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
            (210, 240, "on", None, 200, 210),
            (240, 241, "recent", 0, None, 210),
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
        "seven and a half days: daily dose and carry-over count from the last day wholly supplied",
        [(0, 7.5, 60, "a")],
        [(0, 37, "on", 60, 0, 7), (37, 41, "recent", 0, None, 7)],
        last=40,
    ),
    StatusCase(
        "half a day of treatment: no whole day of it, but never no longer",
        [],
        [(0, 11, "recent", 0, None, 0)],
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
