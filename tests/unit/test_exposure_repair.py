"""Repair of quantity and days_supply: by a named rule, or not at all."""

import polars as pl
import pytest

from opioid_outcomes.exposure.repair import ENOUGH_PEOPLE, repair

Row = tuple[str, str, int, float | None, float | None]
SCHEMA = {
    "person_id": pl.String, "product": pl.String, "date": pl.Int32, "quantity": pl.Float64, "days_supply": pl.Float64,
}  # fmt: skip


def repaired(rows: list[Row], max_days_supply: float = 365) -> list[tuple]:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return repair(frame, max_days_supply).select("quantity", "days_supply", "repair").rows()


def others(quantity: float | None, days: float, people: int = ENOUGH_PEOPLE, product: str = "a") -> list[Row]:
    """One fill each, on a day after all others: it does not matter when."""
    return [(f"other {i}", product, 900, quantity, days) for i in range(people)]


USUAL: list[Row] = [("p", "a", 0, 60, 30), ("p", "a", 30, 60, 30), *others(120, 30)]


@pytest.mark.parametrize("missing", [None, 0.0, -5.0, 366.0])
def test_days_supply_from_the_persons_own_units_per_day(missing: float | None) -> None:
    """p takes 2 a day, so 90 last 45 days, though everybody else takes 4."""
    assert repaired([*USUAL, ("p", "a", 60, 90, missing)])[-1] == (90, 45, "person_units")


def test_of_a_persons_own_fills_the_latest_three_up_to_the_day_count() -> None:
    """2 a day on days 0 and 60, 3 and 4 on days 80 and 81: what comes later does not change an earlier repair."""
    rows: list[Row] = [("p", "a", 0, 60, 30), ("p", "a", 60, 60, 30), ("p", "a", 80, 90, 30), ("p", "a", 81, 120, 30)]
    assert repaired([*rows, ("p", "a", 60, 60, None)])[-1] == (60, 30, "person_units")
    assert repaired([*rows, ("p", "a", 80, 60, None)])[-1] == (60, 30, "person_units")
    assert repaired([*rows, ("p", "a", 90, 60, None)])[-1] == (60, 20, "person_units")  # median of 2, 3, 4
    assert repaired([("p", "a", 0, 60, None), *rows[1:]])[0] == (60, None, None)


def test_days_supply_from_the_units_per_day_of_other_people() -> None:
    """Nothing else of the person: the median of other people is 4 a day, each person counted once."""
    many = [("p", "a", day, 1000, 30) for day in range(100)]
    assert repaired([*USUAL, *many, ("new", "a", 0, 90, None)])[-1] == (90, 22.5, "product_units")


def test_the_persons_own_fills_are_not_among_those_of_other_people() -> None:
    """p's later fill, 1 a day, tells nothing of p's first: 9 others are too few, 10 tell 4 a day."""
    own: list[Row] = [("p", "a", 0, 90, None), ("p", "a", 200, 30, 30)]
    assert repaired([*own, *others(120, 30, ENOUGH_PEOPLE - 1)])[0] == (90, None, None)
    assert repaired([*own, *others(120, 30)])[0] == (90, 22.5, "product_units")


@pytest.mark.parametrize("own", [1.0, 4.0, 5.0, 6.0, 7.0, 20.0])
def test_the_median_of_others_leaves_the_own_value_out_wherever_it_ranks(own: float) -> None:
    """Others take 1, 2, ... 10 a day (median 5.5) or 1 to 11 (median 6)."""
    for people, median in ((10, 5.5), (11, 6.0)):
        rows: list[Row] = [("p", "a", 0, 66, None), ("p", "a", 9, own, 1)]
        rows += [(f"other {i}", "a", 0, float(i), 1) for i in range(1, people + 1)]
        assert repaired(rows)[0] == (66, 66 / median, "product_units")


def test_days_supply_from_usual_days_where_the_quantity_is_unknown() -> None:
    rows: list[Row] = [
        ("p", "a", 0, 0, 10), ("p", "a", 10, 0, 20), *others(0, 30),
        ("p", "a", 30, 0, None), ("new", "a", 0, 0, None),
    ]  # fmt: skip
    assert repaired(rows)[-2:] == [(None, 15, "person_days"), (None, 30, "product_days")]


def test_nothing_to_learn_from_stays_missing_and_is_never_one() -> None:
    assert repaired([*USUAL, ("p", "b", 60, 90, None)])[-1] == (90, None, None)


def test_a_repair_that_is_itself_implausible_is_not_made() -> None:
    """9,000 tablets at 2 a day would last 12 years; the usual 30 days are the next rule."""
    assert repaired([*USUAL, ("p", "a", 60, 9000, None)])[-1] == (9000, 30, "person_days")


def test_quantity_zero_is_unknown_not_nothing_taken() -> None:
    assert repaired([("p", "a", 0, 0, 30), ("p", "a", 1, None, 30)]) == [(None, 30, None), (None, 30, None)]


def test_plausible_fills_stay_as_recorded() -> None:
    assert repaired(USUAL) == [(quantity, days, None) for *_, quantity, days in USUAL]
    assert repaired([("p", "a", 0, 30, 365), ("p", "a", 0, 30, 30)])[0] == (30, 365, None)
    assert repaired([]) == []
