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
    found = of_fills(case.fills, case.treatment, [(0, case.last)])
    assert found.select("start", "stop", "state", "mme", "on_since", "supply_end").rows() == case.rows


def of_fills(
    fills: list[Fill], treated: tuple[Fill, ...], observed: list[tuple[int, int]], washout: int = 180
) -> pl.DataFrame:
    days = {"start": pl.Int32, "end": pl.Int32}
    observation = pl.DataFrame(observed, schema=days, orient="row").with_columns(person_id=pl.lit("p"))
    last = observation.group_by("person_id").agg(last=pl.col("end").max())
    daily = daily_dose.cut(daily_dose.build(table(fills)), last.lazy()).collect()
    both = table([*fills, *treated])
    no_interval = both.filter(pl.col("days_supply").is_null()).select("person_id", "start").collect()
    analgesic, treatment = (daily_dose.supplies(table(list(part))) for part in (fills, treated))
    return status.from_dispensings(
        daily, analgesic, treatment, no_interval, last,
        observation=observation, carry_over_days=30, washout_days=washout,
    )  # fmt: skip


CUMULATIVE: list[tuple[str, list[Fill], tuple[Fill, ...], list[tuple[int, str, float]]]] = [
    ("carry-over adds nothing, nor do days off", [(0, 10, 60, "a"), (80, 10, 30, "a")], (),
     [(0, "on", 0), (40, "recent", 600), (80, "on", 600), (120, "recent", 900), (181, "former", 900)]),
    ("days of unknown dose add nothing; beside a known dose the known part counts",
     [(0, 10, 60, "a"), (5, 10, None, "b"), (20, 5, None, "b")], (),
     [(0, "on", 0), (5, "on", 300), (10, "on", 600), (20, "on", 600), (55, "recent", 600), (116, "former", 600)]),
    ("an early refill: what was taken before it, from the days dispensed", [(0, 30, 60, "a"), (20, 30, 120, "a")], (),
     [(0, "on", 0), (20, "on", 1200), (85, "recent", 5400), (146, "former", 5400)]),
    ("analgesics are consumed beside treatment", [(0, 60, 60, "a")], ((10, 10, None, "t"),),
     [(0, "on", 0), (10, "treatment", 600), (20, "on", 1200), (90, "recent", 3600), (151, "former", 3600)]),
    ("treatment alone consumes no MME", [], ((0, 10, None, "t"),),
     [(0, "treatment", 0), (10, "recent", 0), (101, "former", 0)]),
    ("supply of part of a day has no day of its own", [(0, 0.5, 45, "a"), (0, 10, 20, "b")], (),
     [(0, "on", 0), (40, "recent", 200), (101, "former", 200)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "fills", "treated", "rows"), CUMULATIVE, ids=[case[0] for case in CUMULATIVE])
def test_mme_consumed_before_each_stretch(what: str, fills: list, treated: tuple, rows: list[tuple]) -> None:
    found = of_fills(fills, treated, [(0, 200)])
    assert found.select("start", "state", "cumulative_mme").rows() == rows


# what, days observed (inclusive), fills, treatment; then of each stretch on: (first day, naive_days, new_user)
NEW_USE: list[tuple[str, list[tuple[int, int]], list[Fill], tuple[Fill, ...], list[tuple[int, int, int | None]]]] = [
    ("observed for 180 days without an opioid: new", [(0, 400)], [(180, 30, 60, "a")], (), [(180, 180, 1)]),
    ("observed for 179 days: not known", [(0, 400)], [(179, 30, 60, "a")], (), [(179, 179, None)]),
    ("on the first day observed: not known", [(0, 400)], [(0, 30, 60, "a")], (), [(0, 0, None)]),
    ("dispensed before observation: nothing was observed before use began", [(20, 400)], [(0, 30, 60, "a")], (),
     [(0, 0, None)]),
    ("a break in observation within the 180 days: not known", [(0, 150), (160, 400)], [(250, 30, 60, "a")], (),
     [(250, 90, None)]),
    ("a break before the 180 days does not matter", [(0, 50), (60, 400)], [(250, 30, 60, "a")], (), [(250, 190, 1)]),
    ("use begins when nobody looks: not known", [(0, 300), (350, 400)], [(320, 60, 60, "a")], (), [(320, 0, None)]),
    ("back after 180 days off: new again; carry-over is use", [(0, 600)], [(200, 10, 60, "a"), (420, 10, 60, "a")], (),
     [(200, 200, 1), (420, 180, 1)]),
    ("back after 179 days off: prevalent", [(0, 600)], [(200, 10, 60, "a"), (419, 10, 60, "a")], (),
     [(200, 200, 1), (419, 179, 0)]),
    ("opioids in the 180 days, observed or not: prevalent", [(30, 600)], [(0, 10, 60, "a"), (100, 10, 60, "a")], (),
     [(0, 0, None), (100, 60, 0)]),
    ("a refill in time goes on with the same use", [(0, 600)], [(200, 30, 60, "a"), (250, 30, 90, "b")], (),
     [(200, 200, 1), (250, 200, 1)]),
    ("treatment in the 180 days: prevalent", [(0, 600)], [(300, 30, 60, "a")], ((200, 10, None, "t"),), [(300, 90, 0)]),
    ("treatment between: use begins again, and is prevalent", [(0, 600)], [(200, 60, 60, "a")],
     ((210, 10, None, "t"),), [(200, 200, 1), (220, 0, 0)]),
    ("half a day of treatment counts as its day", [(0, 600)], [(300, 30, 60, "a")], ((250, 0.5, None, "t"),),
     [(300, 49, 0)]),
    ("a fill of unknown length in the 180 days: unknown use, prevalent", [(0, 600)],
     [(200, None, None, "a"), (300, 30, 60, "a")], (), [(300, 70, 0)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "observed", "fills", "treated", "rows"), NEW_USE, ids=[case[0] for case in NEW_USE])
def test_new_and_prevalent_use(
    what: str, observed: list[tuple], fills: list, treated: tuple, rows: list[tuple]
) -> None:
    found = of_fills(fills, treated, observed)
    on = found.filter(pl.col("state") == "on")
    assert on.select("start", "naive_days", "new_user").rows() == rows
    off = found.filter(pl.col("state") != "on").select("naive_days", "new_user")
    assert off.null_count().row(0) == (off.height, off.height)


def test_without_a_washout_every_use_is_new() -> None:
    found = of_fills([(0, 10, 60, "a"), (100, 10, 60, "a")], (), [(0, 400)], washout=0)
    assert found.filter(pl.col("state") == "on").get_column("new_user").to_list() == [1, 1]


def test_persons_are_worked_out_by_themselves_however_many_there_are() -> None:
    """Ids as text, and many of them: everybody gets the same."""
    people = pl.DataFrame({"person_id": [f"{number:05d}" for number in range(50_000)]})
    fills = people.join(
        table([(0, 10, 60, "a"), (5, 10, 33.3, "b"), (80, 5, None, "a")]).drop("person_id").collect(), how="cross"
    )
    observation = people.select("person_id", start=pl.lit(0, pl.Int32), end=pl.lit(200, pl.Int32))
    last = observation.select("person_id", last="end")
    supply = daily_dose.supplies(fills)
    daily = daily_dose.cut(daily_dose.build(fills.lazy()), last.lazy()).collect()
    found = status.from_dispensings(
        daily, supply, supply.clear(), last.select("person_id", start="last").clear(), last,
        observation=observation, carry_over_days=30, washout_days=180,
    )  # fmt: skip
    assert found.height % people.height == 0
    own = found.drop("person_id")
    one = own.head(found.height // people.height)
    assert own.equals(pl.concat([one] * people.height))
    assert found.get_column("person_id").is_sorted()


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
    assert found.select("cumulative_mme", "new_user", "naive_days").null_count().row(0) == (found.height,) * 3
