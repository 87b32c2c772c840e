"""Daily dose, by example: fills in, stretches of days out. Each case says what happens and why.

A fill is (day, days_supply, MME/day, product); a stretch is (start, stop, MME/day), half-open. Day 0 is any day.
"""

import math
from dataclasses import dataclass

import polars as pl
import pytest
from fills import Fill, table

from opioid_outcomes.exposure import daily_dose, episodes
from opioid_outcomes.exposure.stretches import merge_equal

Stretch = tuple[int, int, float | None]


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    fills: list[Fill]
    stretches: list[Stretch]
    cap: float | None = 30


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
        "three times the dose and back: 5 days left last 5/3, 20/3 days left last 20",
        "30 + 10 + 20 is 60, though binary thirds add up to less: day 59 counts",
        [(0, 10, 10, "a"), (5, 30, 30, "a"), (30, 10, 10, "a")],
        [(0, 5, 10), (5, 30, 30), (30, 60, 10)],
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
        "without units a day the dose converts, and an unknown one is 1: 10 days of 60 are 600 of 1",
        [(0, 30, 60, "a"), (20, 30, None, "a")],
        [(0, 20, 60), (20, 650, None)],
    ),
    Case(
        "an early refill of a supply of unknown dose",
        "10 days of 1 are 2 of 5",
        [(0, 30, None, "a"), (20, 30, 5, "a")],
        [(0, 20, None), (20, 52, 5)],
    ),
    Case(
        "an early refill, both of unknown dose",
        "one for one",
        [(0, 30, None, "a"), (20, 30, None, "a")],
        [(0, 60, None)],
    ),
    Case(
        "an early refill, of one known and one unknown dose on one day",
        "the known part converts: 10 days of 60 are 20 of 30",
        [(0, 30, 60, "a"), (20, 30, 30, "a"), (20, 30, None, "a")],
        [(0, 20, 60), (20, 70, 30)],
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
        "no stockpiling: a refill ten days early",
        "every fill counts on its own days: for ten days both do",
        [(0, 30, 60, "a"), (20, 30, 60, "a")],
        [(0, 20, 60), (20, 30, 120), (30, 50, 60)],
        cap=None,
    ),
    Case(
        "no stockpiling: two fills of one product on one day",
        "they add while both last: nothing is spread over the longest supply",
        [(0, 30, 60, "a"), (0, 10, 60, "a")],
        [(0, 10, 120), (10, 30, 60)],
        cap=None,
    ),
    Case(
        "no stockpiling: 7.5 days, twice",
        "a day counts when wholly before the end of its own fill",
        [(0, 7.5, 60, "a"), (7, 7.5, 60, "a")],
        [(0, 14, 60)],
        cap=None,
    ),
    Case(
        "one chain of early refills runs into another",
        "30 + 1 + 30 + 5 days: the fourth fill takes up what the third has left, once",
        [(0, 30, 60, "a"), (28, 1, 60, "a"), (30, 30, 60, "a"), (58, 5, 60, "a")],
        [(0, 66, 60)],
    ),
    Case(
        "left-over days pass on where no refill is early as dispensed",
        "2 days left pass on over the third fill to the fourth, though none of the later ones overlaps as dispensed",
        [(0, 30, 60, "a"), (28, 10, 60, "a"), (39, 10, 60, "a"), (49, 10, 60, "a")],
        [(0, 60, 60)],
    ),
    Case(
        "a dose whose billionths fall short of a whole number by rounding",
        "it comes back as it was given",
        [(0, 10, 2.01, "a")],
        [(0, 10, 2.01)],
    ),
    Case(
        "supply dispensed before day 0",
        "days may be negative; nothing is cut at the start of observation",
        [(-10, 30, 60, "a")],
        [(-10, 20, 60)],
    ),
]


def build(case: Case) -> pl.DataFrame:
    return daily_dose.build(table(case.fills), stockpile_cap_days=case.cap).collect()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_daily_dose(case: Case) -> None:
    assert build(case).select("start", "stop", "mme").rows() == case.stretches


def test_golden_values_of_the_equations_for_calculating_mmes() -> None:
    """Oxycodone ER 30 mg x 60 for 30 days, and 5 mg x 14 for 7 days (METHODS B2; Dasgupta 2021, PMC8270512)."""
    daily = build(Case("", "", [(0, 30, 30 * 60 / 30 * 1.5, "ER 30"), (0, 7, 5 * 14 / 7 * 1.5, "IR 5")], []))
    days = daily["stop"] - daily["start"]
    assert daily.select("start", "stop", "mme").rows() == [(0, 7, 105), (7, 30, 90)]
    assert daily["mme"].max() == 105
    assert (daily["mme"] * days).sum() == 2805
    assert (daily["mme"] * days).sum() / days.sum() == 93.5


TIERS = pl.DataFrame({"ingredient": ["methadone"] * 4, "above": [0.0, 20, 40, 60], "factor": [4.0, 8, 10, 12]})


@pytest.mark.parametrize(
    ("mg", "mme"),
    # mg a day of one fill of methadone, or of two products; MME of the day (METHODS B1)
    [
        ((20.0,), 80), ((20.01,), 160.08), ((40.0,), 320), ((40.01,), 400.1), ((60.0,), 600), ((60.01,), 720.12),
        ((10.0, 10.0), 80), ((20.0, 10.0), 240), ((0.1, 0.2, 19.7), 80), ((20.0, 20.0, 20.0), 600),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cap", [None, 30])
def test_the_days_total_of_methadone_decides_its_factor(mg: tuple[float, ...], mme: float, cap: float | None) -> None:
    fills = table([(0, 10, 1.0, f"methadone {number}") for number, _ in enumerate(mg)] + [(5, 10, 15.0, "b")])
    fills = fills.with_columns(tiered_mg_per_day=pl.Series([*mg, None]))
    daily = daily_dose.build(fills, cap, tiers=TIERS).collect()
    assert daily.select("start", "stop").rows() == [(0, 5), (5, 10), (10, 15)]
    assert daily["mme"].to_list() == [mme, mme + 15, 15]
    assert daily["tiered_mg"].to_list() == [round(sum(mg), 9), round(sum(mg), 9), None]
    alone = daily_dose.build(fills, cap).collect()
    assert alone["mme"].to_list() == [len(mg), len(mg) + 15, 15]
    assert alone["tiered_mg"].null_count() == 3


def test_the_dose_follows_every_change_of_the_total_of_methadone() -> None:
    fills = table([(0, 10, 40.0, "methadone 10"), (5, 10, 120.0, "methadone 5")])
    daily = daily_dose.build(fills.with_columns(tiered_mg_per_day=pl.Series([10.0, 15.0])), tiers=TIERS).collect()
    rows = daily.select("start", "stop", "mme", "tiered_mg").rows()
    assert rows == [(0, 5, 40, 10), (5, 10, 200, 25), (10, 15, 60, 15)]


def test_without_stockpiling_supply_is_known_to_end_with_the_fill_that_lasts_longest() -> None:
    fills = [(0, 60, 60, "a"), (10, 5, 60, "a"), (80, 5, 60, "a"), (20, 5, 60, "b")]
    supplies = daily_dose.supplies(table(fills), None)
    assert supplies.select("start", "stop", "known_end").rows() == [
        (0, 60, 60), (10, 15, 60), (80, 85, 85), (20, 25, 25),
    ]  # fmt: skip


def test_supply_is_held_through_a_stay() -> None:
    stay = pl.LazyFrame(
        {"person_id": ["p"], "start": [5], "end": [25]}, schema_overrides={"start": pl.Int32, "end": pl.Int32}
    )
    daily = daily_dose.build(table([(0, 10, 60, "a")]), stays=stay).collect()
    assert daily.select("start", "stop", "mme", "repaired").rows() == [(0, 5, 60, 0), (5, 25, 60, 1), (25, 30, 60, 0)]


def test_days_on_which_a_product_has_no_known_dose_are_marked() -> None:
    case = next(case for case in CASES if case.what == "a fill of unknown dose beside a known one")
    assert build(case).get_column("mme_incomplete").to_list() == [0, 1, 1]


def test_units_per_day_convert_left_over_days_where_given() -> None:
    """Ten days left at 2 tablets a day are 20 tablets: 5 days at 4 a day, though no dose is known."""
    fills = table([(0, 30, None, "a"), (20, 30, None, "a")]).with_columns(units_per_day=pl.Series([2.0, 4.0]))
    assert daily_dose.build(fills).collect().select("start", "stop").rows() == [(0, 55)]


def test_unknown_units_per_day_carry_left_over_days_one_for_one() -> None:
    fills = table([(0, 30, 60, "a"), (20, 30, 30, "a")]).with_columns(units_per_day=pl.Series([4.0, None]))
    assert daily_dose.build(fills).collect()["stop"].to_list() == [20, 60]


@pytest.mark.parametrize(
    ("repaired", "cap", "stretches"),
    [
        ((1, 0), 30, [(0, 20, 1), (20, 50, 0), (50, 60, 1)]),
        ((0, 1), 30, [(0, 20, 0), (20, 60, 1)]),
        ((1, 0), 4, [(0, 20, 1), (20, 50, 0), (50, 54, 1)]),
        ((1, 0), 0, [(0, 20, 1), (20, 50, 0)]),
        ((1, 0), None, [(0, 30, 1), (30, 50, 0)]),  # on days 20 to 30 both count
    ],
)
def test_days_by_what_repaired_supply_left_over_are_repaired(
    repaired: tuple, cap: float | None, stretches: list[tuple]
) -> None:
    fills = table([(0, 30, 60, "a"), (20, 30, 60, "a")]).with_columns(repaired=pl.Series(repaired))
    found = daily_dose.build(fills, cap).collect()
    expected = daily_dose.sum_over_products(daily_dose.supplies(fills, cap))
    assert found.equals(expected)
    assert merge_equal(found, ["repaired"]).select("start", "stop", "repaired").rows() == stretches


def test_left_over_days_are_repaired_through_several_refills() -> None:
    """The ten repaired days of the first pass through the second, of which 5 days are left, to the third and last."""
    days = [(0, 30, 60, "a"), (20, 30, 60, "a"), (55, 30, 60, "a"), (90, 30, 60, "a")]
    fills = table(days).with_columns(repaired=pl.Series([1, 0, 0, 0]))
    assert daily_dose.build(fills).collect().select("start", "stop", "repaired").rows() == [
        (0, 20, 1), (20, 50, 0), (50, 55, 1), (55, 85, 0), (85, 90, 1), (90, 120, 0),
    ]  # fmt: skip


def test_what_the_cap_drops_is_counted() -> None:
    supplies = daily_dose.supplies(table([(0, 60, 60, "a"), (20, 60, 60, "a"), (115, 5, 60, "a")]))
    assert supplies.get_column("dropped_days").to_list() == [0, 10, 0]
    assert supplies.get_column("end").to_list() == [60, 110, 120]


@pytest.mark.parametrize(
    ("days_supply", "known_end"),
    [(7.9999999, 8), (7.99999, 7), (8, 8), (8.0000001, 8), (8.00001, 8), (0.25, 0)],
)
def test_a_millionth_of_a_day_is_rounding_more_is_part_of_a_day(days_supply: float, known_end: int) -> None:
    fills = table([(0, days_supply, 60, "a")])
    assert daily_dose.supplies(fills)["known_end"].item() == known_end
    assert daily_dose.build(fills).collect().select("stop").rows() == ([(known_end,)] if known_end else [])


def test_rounding_adds_no_day_to_carry_over() -> None:
    """5 days left last 10/3 at the higher dose, 19/3 left last 19 at a third of it: 59, but thirds add up to more."""
    supplies = daily_dose.supplies(table([(0, 10, 60, "a"), (5, 28, 90, "a"), (30, 10, 30, "a")]))
    assert supplies.get_column("end")[-1] > 59
    assert supplies["known_end"][-1] == 59


@pytest.mark.parametrize("cap", [-3, -1e-9, math.nan])
def test_a_cap_is_no_negative_number_of_days(cap: float) -> None:
    fills = table([(0, 30, 60, "a"), (20, 30, 60, "a")])
    for call in (daily_dose.build, daily_dose.supplies):
        with pytest.raises(ValueError, match=r"^stockpile_cap_days must be 0 or more$"):
            call(fills, stockpile_cap_days=cap)


@pytest.mark.parametrize(
    ("last_day", "stretches"),
    [
        (-2, []),
        (-1, []),  # the day before a stretch begins: no empty stretch
        (0, [(0, 1)]),
        (9, [(0, 10)]),
        (29, [(0, 30)]),
        (49, [(0, 30)]),
        (50, [(0, 30), (50, 51)]),
        (79, [(0, 30), (50, 80)]),
        (400, [(0, 30), (50, 80)]),
    ],
)
def test_the_last_day_observed_counts_and_later_days_do_not(last_day: int, stretches: list[tuple]) -> None:
    daily = daily_dose.build(table([(0, 30, 60, "a"), (50, 30, 60, "a")]))
    last = pl.LazyFrame({"person_id": ["p"], "last": [last_day]}, schema={"person_id": pl.String, "last": pl.Int32})
    assert daily_dose.cut(daily, last).collect().select("start", "stop").rows() == stretches


@pytest.mark.parametrize(("gap_days", "stretches"), [(30, [(0, 60, 30)]), (29, [(0, 10, 10), (40, 60, 20)])])
def test_episodes_merge_over_gaps_of_at_most_gap_days(gap_days: int, stretches: list[tuple]) -> None:
    daily = daily_dose.build(table([(0, 10, 30, "a"), (40, 20, 60, "a")]))
    found = episodes.build(daily, gap_days).collect()
    assert found.select("start", "stop", "days_active").rows() == stretches
    assert found.get_column("episode").to_list() == list(range(1, len(stretches) + 1))
    assert found.get_column("mean_mme").to_list() == ([50.0] if gap_days == 30 else [30.0, 60.0])
