"""Dose events, by example: fills in, events out. Each case says what happens and why.

A fill is (day, days_supply, MME/day, product); an event (kind, date, window_start, window_stop, follow_up_from, mean
before, mean after). Observation is from day 0 to day 250 and supply lasts to its end, unless a case says otherwise.
Defaults: 90 days before, 30 after; a rise of 20 % and 5 MME; a fall of 15 % over 60 and again 60 days; a stop of 90.
"""

from dataclasses import dataclass

import polars as pl
import pytest

from opioid_outcomes.config.exposure import DoseEvents
from opioid_outcomes.exposure import daily_dose, events, mme

Fill = tuple[int, float | None, float | None, str]
CHANGES = ("escalation", "taper", "rapid_taper_weekly", "rapid_taper_monthly", "discontinuation")
LONG = 400  # of supply: beyond the end of observation


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    fills: list[Fill]
    events: list[tuple]
    observed: tuple[int, int] = (0, 250)
    death: int | None = None
    kinds: tuple[str, ...] = CHANGES


def rise(before: float, after: float) -> list[Fill]:
    return [(0, 100, before, "a"), (100, LONG, after, "a")]


def escalation(day: int, before: float, after: float) -> tuple:
    return ("escalation", day, day - 90, day + 30, day + 30, before, after)


def tapers(day: int, before: float, after: float, *kinds: str) -> list[tuple]:
    return [(kind, day, day - 90, day + 120, day + 120, before, after) for kind in ("taper", *kinds)]


def stop(day: int, before: float | None) -> tuple:
    return ("discontinuation", day, day, day + 90, day + 90, before, 0)


CASES = [
    Case(
        "a rise of 20 %, from 50 to 60 MME",
        "an escalation; judged by days to 129, so follow-up may start on day 130",
        rise(50, 60), [escalation(100, 50, 60)],
    ),
    Case("a rise of 19.9 %", "too little", rise(50, 59.95), []),
    Case("a rise of 25 %, from 20 to 25 MME", "5 MME are enough", rise(20, 25), [escalation(100, 20, 25)]),
    Case("a rise of 24.5 %, from 20 to 24.9 MME", "4.9 MME are not", rise(20, 24.9), []),
    Case(
        "two steps up within 30 days",
        "one event, on the first day; its mean holds both steps",
        [(0, 100, 50, "a"), (100, 10, 60, "a"), (110, LONG, 75, "a")], [escalation(100, 50, 70)],
    ),
    Case(
        "rotation from oxycodone to morphine at 60 MME, with 7 days of both",
        "the mean of the next 30 days is 74 MME, but on the last of them the dose is what it was",
        [(0, 100, 60, "oxycodone"), (93, LONG, 60, "morphine")], [],
    ),
    Case(
        "rotation to 90 MME with 7 days of both",
        "higher to the last of the 30 days: an escalation, on the day of the new opioid",
        [(0, 100, 60, "oxycodone"), (93, LONG, 90, "morphine")],
        [("escalation", 93, 3, 123, 123, 60, (7 * 150 + 23 * 90) / 30)],
    ),
    Case(
        "a rise that lasts 20 days",
        "not up on the last of the 30 days",
        [(0, 100, 50, "a"), (100, 20, 90, "a"), (120, LONG, 50, "a")], [],
    ),
    Case(
        "a rise, then a refill five days late, on the last of the 30 days without supply",
        "the dose of the last day with supply counts, day 126: still up",
        [(0, 100, 50, "a"), (100, 27, 60, "a"), (132, LONG, 60, "a")], [escalation(100, 50, 60)],
    ),
    Case(
        "a rise that is taken back before a refill is late",
        "on the last day with supply, day 126, the dose is what it was",
        [(0, 100, 50, "a"), (100, 24, 90, "a"), (124, 3, 50, "a"), (132, LONG, 50, "a")], [],
    ),
    Case(
        "a fill of unknown dose beside, 50 days before",
        "the dose of the window is not known",
        [*rise(50, 60), (50, 10, None, "b")], [],
    ),
    Case(
        "a fill of unknown dose beside, 91 days before",
        "outside the window",
        [*rise(50, 60), (5, 5, None, "b")], [escalation(100, 50, 60)],
    ),
    Case(
        "a fill of unknown supply 50 days before",
        "whether it was taken on top is not known",
        [*rise(50, 60), (50, None, 30, "b")], [],
    ),
    Case(
        "30 days without supply before the rise",
        "therapy goes on over gaps of at most 30 days; means are over days with supply",
        [(0, 70, 50, "a"), (100, LONG, 60, "a")], [escalation(100, 50, 60)],
    ),
    Case(
        "31 days without supply before the rise",
        "no stable therapy before it",
        [(0, 69, 50, "a"), (100, LONG, 60, "a")], [],
    ),
    Case(
        "a refill 10 days late, at the same dose",
        "no rise of the dose, however the days without supply are spread",
        [(0, 90, 60, "a"), (100, LONG, 60, "a")], [],
    ),
    Case(
        "first supply 89 days before the rise",
        "one day of the window is without supply: at most 30 may be",
        [(11, 89, 50, "a"), (100, LONG, 60, "a")], [escalation(100, 50, 60)],
    ),
    Case(
        "38 MME, then 60, then 75: 45 and 45 days",
        "the dose before the second rise is not stable: 38, 49 and 60 MME in the three months, 49 in all",
        [(0, 55, 38, "a"), (55, 45, 60, "a"), (100, LONG, 75, "a")], [],
    ),
    Case(
        "death on day 129, inside the window",
        "who dies within it has no event: counting from the rise would be immortal time for those who have",
        rise(50, 60), [], death=129,
    ),
    Case("death on day 130", "the window was survived", rise(50, 60), [escalation(100, 50, 60)], death=130),
    Case("observed to day 128", "the window is not wholly observed", rise(50, 60), [], observed=(0, 128)),
    Case("observed to day 129", "it is", rise(50, 60), [escalation(100, 50, 60)], observed=(0, 129)),
    Case("observed from day 11", "the days before are not wholly observed", rise(50, 60), [], observed=(11, 250)),
    Case(
        "100 to 80 MME",
        "a taper; all of it within a week, so rapid by the week, but not by more than 30 % in a month",
        rise(100, 80), tapers(100, 100, 80, "rapid_taper_weekly"),
    ),
    Case("100 to 85 MME", "15 % are enough", rise(100, 85), tapers(100, 100, 85, "rapid_taper_weekly")),
    Case("100 to 85.1 MME", "14.9 % are not", rise(100, 85.1), []),
    Case(
        "100 to 65 MME",
        "more than 30 % within a month",
        rise(100, 65), tapers(100, 100, 65, "rapid_taper_weekly", "rapid_taper_monthly"),
    ),
    Case(
        "100 MME, 10 less every 4 weeks",
        "the means of the next 60 days are lower by 16 and 30 %; never by more than 10 % of 100 in a week: not rapid",
        [(0, 100, 100, "a"), (100, 28, 90, "a"), (128, 28, 80, "a"), (156, LONG, 70, "a")],
        tapers(100, 100, (28 * 90 + 28 * 80 + 4 * 70) / 60),
    ),
    Case(
        "100 to 80 MME and back after 50 days",
        "relapse within 60 days: not sustained; going back is no rise by 20 % of the mean before",
        [(0, 100, 100, "a"), (100, 50, 80, "a"), (150, LONG, 100, "a")], [],
    ),
    Case(
        "100 to 80 MME and back after 90 days",
        "the mean of days 60 to 119 is 90: not sustained; after 90 days at 80 MME going back is an escalation",
        [(0, 100, 100, "a"), (100, 90, 80, "a"), (190, LONG, 100, "a")], [escalation(190, 80, 100)],
    ),
    Case(
        "100 to 80 MME, with 7 days of both",
        "the week of 180 MME is no dose to fall from: rapid by the week, not by more than 30 % in a month",
        [(0, 107, 100, "old"), (100, LONG, 80, "new")],
        tapers(107, (83 * 100 + 7 * 180) / 90, 80, "rapid_taper_weekly"),
    ),
    Case(
        "100 to 80 MME, then no supply after 100 days",
        "20 days without supply at the end of the window: therapy goes on",
        [(0, 100, 100, "a"), (100, 100, 80, "a")], tapers(100, 100, 80, "rapid_taper_weekly"),
    ),
    Case(
        "60 MME, and none from day 100 on",
        "an abrupt stop is a discontinuation, no taper",
        [(0, 100, 60, "a")], [stop(100, 60)],
    ),
    Case(
        "without supply for 89 days",
        "a refill within 90 days",
        [(0, 100, 60, "a"), (189, LONG, 60, "a")], [],
    ),
    Case("without supply for 90 days", "stopped", [(0, 100, 60, "a"), (190, LONG, 60, "a")], [stop(100, 60)]),
    Case(
        "without supply, observed for 89 days of it",
        "whether it lasts is not known",
        [(0, 100, 60, "a")], [], observed=(0, 188),
    ),
    Case("observed for 90 days of it", "it is", [(0, 100, 60, "a")], [stop(100, 60)], observed=(0, 189)),
    Case("death 50 days after supply ended", "not observed throughout", [(0, 100, 60, "a")], [], death=150),
    Case(
        "a dispensing of unknown supply 50 days after supply ended",
        "whether therapy stopped is not known",
        [(0, 100, 60, "a"), (150, None, 60, "a")], [],
    ),
    Case(
        "supply of unknown dose ends",
        "a stop needs no dose; the dose before is not known",
        [(0, 100, None, "a")], [stop(100, None)],
    ),
    Case(
        "60 MME throughout",
        "maintenance, judged every 30 days from day 90; the last window that is observed ends with day 239",
        [(0, LONG, 60, "a")],
        [("maintenance", day, day - 90, day + 30, day + 30, 60, 60) for day in (90, 120, 150, 180, 210)],
        kinds=("maintenance",),
    ),
    Case(
        "60 to 71 MME on day 100",
        "a rise of less than 20 %: maintenance; on day 120 the mean before is 62.4",
        rise(60, 71),
        [
            ("maintenance", 90, 0, 120, 120, 60, (10 * 60 + 20 * 71) / 30),
            ("maintenance", 120, 30, 150, 150, (70 * 60 + 20 * 71) / 90, 71),
            ("maintenance", 150, 60, 180, 180, (40 * 60 + 50 * 71) / 90, 71),
            ("maintenance", 180, 90, 210, 210, (10 * 60 + 80 * 71) / 90, 71),
            ("maintenance", 210, 120, 240, 240, 71, 71),
        ],
        kinds=("maintenance", "escalation"),
    ),
    Case(
        "50 to 95 MME on day 100, and again after a stop",
        "the first day at 90 MME or more is known on the day, and follow-up may start on it; only the first counts",
        [(0, 100, 50, "a"), (100, 20, 95, "a"), (130, 20, 95, "a")],
        [("high_dose_start", 100, 100, 101, 100, 50, 95)],
        kinds=("high_dose_start",),
    ),
    Case(
        "95 MME from the first day of supply",
        "0 before it",
        [(30, 100, 95, "a")], [("high_dose_start", 30, 30, 31, 30, 0, 95)], kinds=("high_dose_start",),
    ),
    Case(
        "95 MME since before observation",
        "who comes in at a high dose does not start one",
        [(-10, 100, 95, "a"), (150, 30, 95, "a")], [], kinds=("high_dose_start",),
    ),
]  # fmt: skip


def find(case: Case, tiers: pl.DataFrame | None = None, mg: list[float] | None = None) -> pl.DataFrame:
    person = pl.lit(1, pl.Int64)
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    fills = pl.DataFrame(case.fills, schema=schema, orient="row").with_columns(person_id=person)
    if mg is not None:
        fills = fills.with_columns(tiered_mg_per_day=pl.Series(mg))
    days = {"start": pl.Int32, "end": pl.Int32}
    observation = pl.DataFrame([case.observed], schema=days, orient="row").with_columns(person_id=person)
    died = [] if case.death is None else [(1, case.death)]
    deaths = pl.DataFrame(died, schema={"person_id": pl.Int64, "date": pl.Int32}, orient="row")
    last = daily_dose.last_days(observation, deaths)
    daily = daily_dose.cut(daily_dose.build(fills.lazy(), 0, tiers=tiers), last.lazy()).collect()
    clean = fills.rename({"start": "date"}).with_columns(analgesic=pl.lit(1))
    return events.find(daily, observation, deaths, clean, rules=DoseEvents(), tiers=tiers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_events(case: Case) -> None:
    found = find(case).filter(pl.col("event").is_in(case.kinds)).drop("person_id", "change")
    expected = sorted(case.events, key=lambda event: (event[1], event[0]))
    assert [row[:5] for row in found.rows()] == [event[:5] for event in expected]
    for row, event in zip(found.rows(), expected, strict=True):
        assert row[5:] == tuple(None if value is None else pytest.approx(value, rel=1e-12) for value in event[5:])


@pytest.mark.parametrize("days", [7, 14, 21, 28, 30, 60, 90])
def test_rises_of_20_and_falls_of_15_percent_are_found_whatever_the_quantity(days: int) -> None:
    """Tablets of 10 MME, 5 to 200 in so many days: doses are binary fractions, rounded to billionths of an MME."""
    table = []
    for quantity in range(5, 201, 5):
        for share in (120, 85):
            for first, last, tablets in ((0, 120, quantity), (120, 360, quantity * share / 100)):
                table += [(quantity * 1000 + share, day, days, tablets * 10 / days) for day in range(first, last, days)]
    schema = {"person_id": pl.Int64, "start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64}
    fills = pl.DataFrame(table, schema=schema, orient="row").with_columns(product=pl.lit("a"))
    people = fills.select(pl.col("person_id").unique(maintain_order=True))
    observation = people.with_columns(start=pl.lit(-100, pl.Int32), end=pl.lit(500, pl.Int32))
    none = pl.DataFrame(schema={"person_id": pl.Int64, "date": pl.Int32})
    clean = fills.rename({"start": "date"}).with_columns(analgesic=pl.lit(1))
    daily = daily_dose.build(fills.lazy(), 0).collect()
    found = events.find(daily, observation, none, clean, rules=DoseEvents(min_mme=0))
    for share, event in ((120, "escalation"), (85, "taper")):
        expected = [quantity * 1000 + share for quantity in range(5, 201, 5)]
        assert found.filter(event=event)["person_id"].unique().sort().to_list() == expected


def test_a_third_twice_and_seven_thirtieths_of_100_are_90_mme() -> None:
    """As daily dose has them: 33.333333333 twice and 23.333333333."""
    case = Case("", "", [(0, 100, 50, "d"), (100, 9, 100 / 3, "a"), (100, 9, 100 / 3, "b"), (100, 9, 70 / 3, "c")], [])
    assert find(case).filter(event="high_dose_start")["date"].to_list() == [100]


def test_change_is_relative_and_a_stop_is_minus_1() -> None:
    found = find(Case("", "", [(0, 100, 50, "a"), (100, 50, 60, "a")], []))
    assert found.filter(pl.col("event") != "maintenance").select("event", "change").rows() == [
        ("escalation", pytest.approx(0.2)),
        ("discontinuation", -1),
    ]


@pytest.mark.parametrize(("mg", "expected"), [(20.01, []), (24, [escalation(100, 60, 72)])])
def test_methadone_across_a_tier_is_judged_by_its_mg(mg: float, expected: list) -> None:
    """20 to 20.01 mg/day is 80 to 160.08 MME with tiers, and no escalation; 20 to 24 mg is, at the flat factor 3."""
    tiers = mme.tiers(mme.factors("cdc_2016_tiers"))
    doses = [float(mme_of(value, tiers)) for value in (20, mg)]
    assert doses == [80, pytest.approx(8 * mg)]
    case = Case("", "", [(0, 100, doses[0], "a"), (100, LONG, doses[1], "b")], [])
    found = find(case, tiers, [20.0, mg]).filter(pl.col("event").is_in(CHANGES)).drop("person_id", "change").rows()
    assert found == [(*event[:5], *(pytest.approx(value) for value in event[5:])) for event in expected]


def mme_of(mg: float, tiers: pl.DataFrame) -> float:
    return pl.select(mme.mme_of_tiered(pl.lit(float(mg)), tiers)).item()


def test_the_start_of_a_high_dose_is_one_by_the_factor_table() -> None:
    tiers = mme.tiers(mme.factors("cdc_2016_tiers"))
    case = Case("", "", [(0, 100, 80.0, "a"), (100, LONG, mme_of(20.01, tiers), "b")], [])
    found = find(case, tiers, [20.0, 20.01]).filter(event="high_dose_start")
    assert found.select("date", "mme_before").rows() == [(100, 80)]
    assert found["mme_after"].item() == pytest.approx(160.08)


def test_nobody_with_supply() -> None:
    found = find(Case("", "", [], []))
    assert found.is_empty()
    assert events.display(found).rows() == [(kind, 0, 0, None) for kind in events.EVENTS]


def test_display_counts_people_and_events() -> None:
    table = pl.DataFrame({"person_id": [1, 1, 2], "event": ["taper"] * 3, "change": [-0.5, -0.25, -0.75]})
    rows = {row[0]: row[1:] for row in events.display(table).rows()}
    assert rows["taper"] == (2, 3, -0.5)
    assert rows["escalation"] == (0, 0, None)
