"""Inpatient stays, by example: supply is not used up in hospital. Day 0 is any day.

A fill is (day, days_supply, MME/day, product), a stay (admission, discharge), half-open; a piece of supply is
(start, stop, MME/day, held) with held = 1 on days of a stay.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl
import pytest

from opioid_outcomes.exposure import daily_dose, status, stays

Fill = tuple[int, float, float | None, str]
Piece = tuple[int, int, float | None, int]


def table(fills: list[Fill], person: str = "p") -> pl.LazyFrame:
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return pl.LazyFrame(fills, schema=schema, orient="row").with_columns(person_id=pl.lit(person))


def inpatient(*rows: tuple[int, int], person: str = "p") -> pl.DataFrame:
    schema = {"start": pl.Int32, "end": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row").select(pl.lit(person).alias("person_id"), "start", "end")


def extended(fills: list[Fill], *rows: tuple[int, int]) -> pl.DataFrame:
    return stays.extend(daily_dose.supplies(table(fills)), inpatient(*rows))


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    fills: list[Fill]
    stays: tuple[tuple[int, int], ...]
    pieces: list[Piece]


CASES = [
    Case(
        "no stays",
        "nothing moves",
        [(0, 30, 60, "a"), (20, 30, 60, "a")],
        (),
        [(0, 20, 60, 0), (20, 60, 60, 0)],
    ),
    Case(
        "five days in hospital",
        "held at the dose of admission; the 20 days left last from discharge",
        [(0, 30, 60, "a")],
        ((10, 15),),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 35, 60, 0)],
    ),
    Case(
        "supply ends the day before admission",
        "nothing to hold: the person came in without supply",
        [(0, 10, 60, "a")],
        ((10, 15),),
        [(0, 10, 60, 0)],
    ),
    Case(
        "the last day of supply is the admission day",
        "it was due that day: held from the admission day, and taken at discharge",
        [(0, 11, 60, "a")],
        ((10, 15),),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 16, 60, 0)],
    ),
    Case(
        "dispensed on the admission day",
        "due that day: held from the admission day, all of it is left at discharge",
        [(10, 10, 60, "a")],
        ((10, 15),),
        [(10, 15, 60, 1), (15, 25, 60, 0)],
    ),
    Case(
        "dispensed on the admission day as the old supply runs out",
        "the old one is consumed, the new one is due and held, at its own dose",
        [(0, 10, 60, "a"), (10, 10, 90, "a")],
        ((10, 15),),
        [(0, 10, 60, 0), (10, 15, 90, 1), (15, 25, 90, 0)],
    ),
    Case(
        "dispensed during the stay",
        "first due in hospital: starts at discharge, nothing is held",
        [(12, 10, 60, "a")],
        ((10, 15),),
        [(15, 25, 60, 0)],
    ),
    Case(
        "dispensed on the day of discharge",
        "the stay is over: starts that day",
        [(15, 10, 60, "a")],
        ((10, 15),),
        [(15, 25, 60, 0)],
    ),
    Case(
        "dispensed during the stay while the old supply is held",
        "the old one is held, the new one takes over at discharge: two days of 60 are one and a third of 90",
        [(0, 12, 60, "a"), (12, 10, 90, "a")],
        ((10, 15),),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 26, 90, 0)],
    ),
    Case(
        "a refill in the days after discharge, before what is left is taken",
        "takes over on its day and gets the three days left: the dose is not doubled",
        [(0, 14, 60, "a"), (16, 10, 60, "a")],
        ((10, 15),),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 16, 60, 0), (16, 29, 60, 0)],
    ),
    Case(
        "a refill after what was left is taken",
        "the gap is shorter by the stay and stays a gap",
        [(0, 14, 60, "a"), (22, 10, 60, "a")],
        ((10, 15),),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 19, 60, 0), (22, 32, 60, 0)],
    ),
    Case(
        "two stays that touch",
        "are one stay",
        [(0, 12, 60, "a")],
        ((10, 15), (15, 20)),
        [(0, 10, 60, 0), (10, 20, 60, 1), (20, 22, 60, 0)],
    ),
    Case(
        "two stays that overlap, one inside another, and an empty one",
        "are one stay; one that ends on its first day is none",
        [(0, 12, 60, "a")],
        ((10, 20), (12, 14), (18, 22), (5, 5), (8, 7)),
        [(0, 10, 60, 0), (10, 22, 60, 1), (22, 24, 60, 0)],
    ),
    Case(
        "two stays a day apart",
        "one day is taken between them",
        [(0, 12, 60, "a")],
        ((10, 15), (16, 20)),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 16, 60, 0), (16, 20, 60, 1), (20, 21, 60, 0)],
    ),
    Case(
        "what is left after the first stay lasts to the day before the second",
        "consumed: nothing to hold",
        [(0, 12, 60, "a")],
        ((10, 15), (17, 20)),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 17, 60, 0)],
    ),
    Case(
        "a refill during the first of two stays",
        "taken from discharge, held in the second stay: 10 days, and two of 60 that are one and a third",
        [(0, 12, 60, "a"), (13, 10, 90, "a")],
        ((10, 15), (17, 20)),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 17, 90, 0), (17, 20, 90, 1), (20, 29, 90, 0)],
    ),
    Case(
        "the dose is doubled in hospital",
        "at discharge: 5 of the 10 days left were left over already, all 10 are 5 of the double dose",
        [(0, 30, 60, "a"), (25, 30, 120, "a")],
        ((20, 30),),
        [(0, 20, 60, 0), (20, 30, 60, 1), (30, 65, 120, 0)],
    ),
    Case(
        "the dose is doubled on the day of discharge",
        "on that day",
        [(0, 30, 60, "a"), (30, 30, 120, "a")],
        ((20, 30),),
        [(0, 20, 60, 0), (20, 30, 60, 1), (30, 65, 120, 0)],
    ),
    Case(
        "the dose is doubled two days after discharge",
        "on its dispensing date: the 8 days left are 4 of the double dose",
        [(0, 30, 60, "a"), (32, 30, 120, "a")],
        ((20, 30),),
        [(0, 20, 60, 0), (20, 30, 60, 1), (30, 32, 60, 0), (32, 66, 120, 0)],
    ),
    Case(
        "the dose is doubled on the day of a second admission",
        "held at the new dose: the 5 days that the first stay left are two and a half of it",
        [(0, 30, 60, "a"), (30, 30, 120, "a")],
        ((10, 15), (30, 40)),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 30, 60, 0), (30, 40, 120, 1), (40, 72, 120, 0)],
    ),
    Case(
        "the dose changes twice in hospital",
        "the last one is taken from discharge; of the one in between no day is",
        [(0, 30, 60, "a"), (22, 10, 120, "a"), (25, 30, 60, "a")],
        ((20, 30),),
        [(0, 20, 60, 0), (20, 30, 60, 1), (30, 30, 120, 0), (30, 90, 60, 0)],
    ),
    Case(
        "dispensed on the admission day and again in the stay",
        "the first is held and none of it is taken",
        [(20, 10, 60, "a"), (25, 10, 120, "a")],
        ((20, 30),),
        [(20, 30, 60, 1), (30, 45, 120, 0)],
    ),
    Case(
        "a stay longer than the supply",
        "held for all of it",
        [(0, 10, 60, "a")],
        ((5, 105),),
        [(0, 5, 60, 0), (5, 105, 60, 1), (105, 110, 60, 0)],
    ),
    Case(
        "two products, one of which has run out by admission",
        "only the active one is held, and the dose of the admission day with it",
        [(0, 30, 60, "a"), (0, 8, 20, "b"), (12, 5, 40, "b")],
        ((10, 15),),
        [(0, 10, 60, 0), (10, 15, 60, 1), (15, 35, 60, 0), (0, 8, 20, 0), (15, 20, 40, 0)],
    ),
    Case(
        "an unknown dose",
        "is held as unknown, not as zero",
        [(0, 30, None, "a")],
        ((10, 15),),
        [(0, 10, None, 0), (10, 15, None, 1), (15, 35, None, 0)],
    ),
    Case(
        "supply for half a day, dispensed on the admission day or in the stay",
        "no whole day to hold",
        [(10, 0.5, 45, "a"), (12, 0.5, 45, "b")],
        ((10, 15),),
        [(10, 10, 45, 0), (15, 15, 45, 0)],
    ),
    Case(
        "a stay before, and one after the supply",
        "nothing moves",
        [(10, 10, 60, "a")],
        ((2, 5), (40, 45)),
        [(10, 20, 60, 0)],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_stays(case: Case) -> None:
    found = extended(case.fills, *case.stays)
    assert found.select("start", "stop", "mme_per_day", "repaired").rows() == case.pieces, case.why


def test_part_of_a_day_moves_with_the_stay() -> None:
    """Ends are real-valued: seven and a half days, four of them after a stay of five."""
    found = extended([(0, 7.5, 60, "a")], (3, 8))
    assert found.select("start", "stop", "end", "known_end").rows() == [
        (0, 3, 7.5, 7), (3, 8, 12.5, 12), (8, 12, 12.5, 12),
    ]  # fmt: skip


def test_the_end_of_supply_moves_on_admission_and_not_before() -> None:
    """Two stays: on day 0 the end known is day 30, on the first admission 35, on the second 45."""
    found = extended([(0, 30, 60, "a")], (10, 15), (20, 30))
    assert found.select("start", "known_end").rows() == [(0, 30), (10, 35), (15, 35), (20, 45), (30, 45)]


def test_an_early_refill_keeps_the_days_that_were_left() -> None:
    """40 days dispensed by day 20 end on day 40 without the stay, on day 45 with it."""
    found = extended([(0, 30, 60, "a"), (20, 10, 60, "a")], (25, 30))
    assert found.select("start", "stop", "known_end", "end").rows() == [
        (0, 20, 30, 30.0), (20, 25, 40, 40.0), (25, 30, 45, 45.0), (30, 45, 45, 45.0),
    ]  # fmt: skip


def test_what_passes_on_by_units_a_day_where_they_are_known() -> None:
    """Two tablets a day, then four of half the strength: the dose is the same, the ten days left are five."""
    fills = table([(0, 30, 60, "a"), (32, 30, 60, "a")]).with_columns(units_per_day=pl.Series([2.0, 4.0]))
    found = stays.extend(daily_dose.supplies(fills), inpatient((20, 30)))
    assert found["stop"].to_list() == [20, 30, 32, 66]
    assert found.select(pl.col("end").round(9)).to_series().to_list() == [30.0, 40.0, 40.0, 66.0]


def test_days_that_a_stay_leaves_over_of_repaired_supply_are_repaired() -> None:
    """30 days repaired and 30 recorded: the ten that the stay left over are taken last."""
    fills = table([(0, 30, 60, "a"), (30, 30, 60, "a")]).with_columns(repaired=pl.Series([1, 0]))
    found = stays.extend(daily_dose.supplies(fills), inpatient((20, 30), (35, 40)))
    assert daily_dose.sum_over_products(found).select("start", "stop", "repaired").rows() == [
        (0, 30, 1), (30, 35, 0), (35, 40, 1), (40, 65, 0), (65, 75, 1),
    ]  # fmt: skip


def test_days_left_over_of_repaired_supply_move_with_the_stay() -> None:
    fills = table([(0, 30, 60, "a"), (20, 30, 60, "a")]).with_columns(repaired=pl.Series([1, 0]))
    for stay, expected in (
        ((40, 45), [(0, 20, 1), (20, 40, 0), (40, 45, 1), (45, 55, 0), (55, 65, 1)]),
        ((50, 55), [(0, 20, 1), (20, 50, 0), (50, 65, 1)]),
        ((55, 60), [(0, 20, 1), (20, 50, 0), (50, 65, 1)]),
    ):
        found = stays.extend(daily_dose.supplies(fills), inpatient(stay))
        assert daily_dose.sum_over_products(found).select("start", "stop", "repaired").rows() == expected


def test_what_the_cap_dropped_is_counted_once() -> None:
    fills = table([(0, 60, 60, "a"), (20, 60, 60, "a")])
    supply = daily_dose.supplies(fills, 30)
    found = stays.extend(supply, inpatient((30, 35), (40, 45)))
    assert found.height == supply.height + 4
    assert found["dropped_days"].sum() == supply["dropped_days"].sum() == 10


def test_without_stockpiling_overlaps_add_after_a_stay_as_before_it() -> None:
    """Each fill on its own days but for the stay: 14 + 10 days dispensed on days 0 and 16 overlap on days 16 to 18."""
    supply = daily_dose.supplies(table([(0, 14, 60, "a"), (12, 2, 40, "a"), (16, 10, 60, "a")]), None)
    found = stays.extend(supply, inpatient((10, 15)), stockpiled=False)
    assert found.select("start", "stop", "mme_per_day", "repaired", "known_end").rows() == [
        (0, 10, 60, 0, 14), (10, 15, 60, 1, 19), (15, 17, 40, 0, 19), (15, 19, 60, 0, 19), (16, 26, 60, 0, 26),
    ]  # fmt: skip
    assert daily_dose.sum_over_products(found).select("start", "stop", "mme", "repaired").rows() == [
        (0, 10, 60, 0), (10, 15, 60, 1), (15, 16, 100, 0), (16, 17, 160, 0), (17, 19, 120, 0), (19, 26, 60, 0),
    ]  # fmt: skip


def test_status_in_and_after_a_stay() -> None:
    """On through the stay and for carry-over after the end it moved; the dose held is that of admission."""
    last = pl.DataFrame({"person_id": ["p"], "last": [200]}, schema={"person_id": pl.String, "last": pl.Int32})
    supply = extended([(0, 10, 60, "a"), (0, 4, 20, "b")], (5, 25))
    daily = daily_dose.cut(daily_dose.sum_over_products(supply).lazy(), last.lazy()).collect()
    assert daily.select("start", "stop", "mme", "repaired").rows() == [
        (0, 4, 80, 0), (4, 5, 60, 0), (5, 25, 60, 1), (25, 30, 60, 0),
    ]  # fmt: skip
    none = daily_dose.supplies(table([]))
    observed = last.select("person_id", start=pl.lit(0, pl.Int32), end="last")
    use = status.from_dispensings(
        daily,
        supply,
        none,
        none.select("person_id", "start"),
        last,
        observation=observed,
        carry_over_days=30,
        washout_days=180,
    )
    assert use.select("start", "stop", "state", "mme", "supply_end").rows() == [
        (0, 4, "on", 80, 10), (4, 5, "on", 60, 10), (5, 60, "on", 60, 30), (60, 121, "recent", 0, 30),
        (121, 201, "former", 0, 30),
    ]  # fmt: skip


@pytest.mark.parametrize(("last_day", "stretches"), [(7, [(0, 5, 0), (5, 8, 1)]), (4, [(0, 5, 0)])])
def test_death_or_the_end_of_observation_inside_a_stay_cuts_what_is_held(last_day: int, stretches: list[tuple]) -> None:
    last = pl.LazyFrame({"person_id": ["p"], "last": [last_day]}, schema={"person_id": pl.String, "last": pl.Int32})
    daily = daily_dose.sum_over_products(extended([(0, 10, 60, "a")], (5, 25))).lazy()
    assert daily_dose.cut(daily, last).collect().select("start", "stop", "repaired").rows() == stretches


def test_dates_go_in_and_dates_come_out() -> None:
    supply = daily_dose.supplies(table([(0, 10, 60, "a")]).with_columns(start=pl.date(2020, 2, 25)))
    hospital = pl.DataFrame({"person_id": ["p"], "start": [date(2020, 2, 27)], "end": [date(2020, 3, 3)]})
    found = stays.extend(supply, hospital)
    assert found.schema == supply.schema
    assert [tuple(map(str, row)) for row in found.select("start", "stop", "known_end").rows()] == [
        ("2020-02-25", "2020-02-27", "2020-03-06"),
        ("2020-02-27", "2020-03-03", "2020-03-11"),
        ("2020-03-03", "2020-03-11", "2020-03-11"),
    ]


def test_stays_of_others_and_no_supply_change_nothing() -> None:
    supply = daily_dose.supplies(table([(0, 30, 60, "a")]))
    assert stays.extend(supply, inpatient((5, 10), person="q")).equals(supply)
    nobody = supply.clear()
    assert stays.extend(nobody, inpatient((5, 10))).equals(nobody)
    both = pl.concat([daily_dose.supplies(table([(0, 30, 60, "a")], person)) for person in ("o", "p", "q")])
    found = stays.extend(both, inpatient((5, 10)))
    assert found.select("person_id", "start", "stop").rows() == [
        ("o", 0, 30), ("p", 0, 5), ("p", 5, 10), ("p", 10, 35), ("q", 0, 30),
    ]  # fmt: skip
