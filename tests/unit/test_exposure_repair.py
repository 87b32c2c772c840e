"""Repair of quantity and days_supply: by a named rule, or not at all."""

import polars as pl
import pytest

from opioid_outcomes.exposure.repair import repair

Row = tuple[str, str, float | None, float | None]


def repaired(rows: list[Row], max_days_supply: float = 365) -> list[tuple]:
    schema = {"person_id": pl.String, "product": pl.String, "quantity": pl.Float64, "days_supply": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return repair(frame, max_days_supply).select("quantity", "days_supply", "repair").rows()


USUAL: list[Row] = [
    ("p", "a", 60, 30),
    ("p", "a", 60, 30),
    ("q", "a", 120, 30),
    ("r", "a", 120, 30),
    ("s", "a", 120, 30),
]


@pytest.mark.parametrize("missing", [None, 0.0, -5.0, 366.0])
def test_days_supply_from_the_persons_own_units_per_day(missing: float | None) -> None:
    """p takes 2 a day, so 90 last 45 days, though everybody else takes 4."""
    assert repaired([*USUAL, ("p", "a", 90, missing)])[-1] == (90, 45, "person_units")


def test_days_supply_from_everybodys_units_per_day() -> None:
    """Nothing else of the person: the median of all recorded fills is 4 a day."""
    assert repaired([*USUAL, ("new", "a", 90, None)])[-1] == (90, 22.5, "product_units")


def test_days_supply_from_usual_days_where_the_quantity_is_unknown() -> None:
    rows: list[Row] = [
        ("p", "a", 0, 10),
        ("p", "a", 0, 20),
        ("q", "a", 0, 30),
        ("p", "a", 0, None),
        ("new", "a", 0, None),
    ]
    assert repaired(rows)[-2:] == [(None, 15, "person_days"), (None, 20, "product_days")]


def test_nothing_to_learn_from_stays_missing_and_is_never_one() -> None:
    assert repaired([*USUAL, ("p", "b", 90, None)])[-1] == (90, None, None)


def test_a_repair_that_is_itself_implausible_is_not_made() -> None:
    """9,000 tablets at 2 a day would last 12 years; the usual 30 days are the next rule."""
    assert repaired([*USUAL, ("p", "a", 9000, None)])[-1] == (9000, 30, "person_days")


def test_quantity_zero_is_unknown_not_nothing_taken() -> None:
    assert repaired([("p", "a", 0, 30), ("p", "a", None, 30)]) == [(None, 30, None), (None, 30, None)]


def test_plausible_fills_stay_as_recorded() -> None:
    assert repaired(USUAL) == [(quantity, days, None) for _, _, quantity, days in USUAL]
    assert repaired([("p", "a", 30, 365), ("p", "a", 30, 30)])[0] == (30, 365, None)
    assert repaired([]) == []
