"""Repair of quantity and days_supply: by a named rule, or not at all."""

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.exposure.repair import labels, repair
from opioid_outcomes.exposure.repair_usual import ENOUGH_PEOPLE, LONGEST_WAIT

Row = tuple[str, str, int, float | None, float | None]
SCHEMA = {
    "person_id": pl.String, "product": pl.String, "date": pl.Int32, "quantity": pl.Float64, "days_supply": pl.Float64,
}  # fmt: skip


def repaired(rows: list[Row], *, unit: str | None = "mg", **exposure: object) -> list[tuple]:
    """quantity, days_supply and repair of each row, in the order of the rows."""
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row").with_row_index("at").sort("person_id", "date")
    products = frame.select("product").unique().sort("product").with_row_index("product_row")
    products = products.with_columns(strength_unit=pl.lit(unit, pl.String), form=pl.lit(None, pl.String))
    fills = frame.join(products, on="product", how="left", maintain_order="left").with_columns(
        pl.col("person_id").rle_id().alias("person"),
        repair=pl.lit(0, pl.UInt16),
        quantity_to=pl.lit(None, pl.Float64),
        days_supply_to=pl.lit(None, pl.Float64),
    )
    rules = Exposure.model_validate(exposure)
    mended = repair(fills, products, rules)
    told = mended.with_columns(labels(mended.get_column("repair"), rules.ranges).cast(pl.String))
    return told.sort("at").select("quantity", "days_supply", "repair").rows()


def others(quantity: float | None, days: float | None, people: int = ENOUGH_PEOPLE, product: str = "a") -> list[Row]:
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
    """9,000 tablets at 2 a day would last 12 years; the usual 30 days are the next rule, and 300 a day cannot be."""
    assert repaired([*USUAL, ("p", "a", 60, 9000, None)])[-1] == (60, 30, "person_days + quantity_person_units")
    assert repaired([*USUAL, ("p", "a", 60, 900, None)], days_supply={"max": 100})[-1] == (900, 30, "person_days")


def test_quantity_zero_is_unknown_not_nothing_taken() -> None:
    assert repaired([("p", "a", 0, 0, 30), ("p", "a", 1, None, 30)]) == [(None, 30, None), (None, 30, None)]


def test_plausible_fills_stay_as_recorded() -> None:
    assert repaired(USUAL) == [(quantity, days, None) for *_, quantity, days in USUAL]
    assert repaired([("p", "a", 0, 30, 365), ("p", "a", 0, 30, 30)])[0] == (30, 365, None)
    assert repaired([]) == []


@pytest.mark.parametrize("broken", [None, 0.0, -60.0, 3001.0])
def test_quantity_from_the_persons_own_units_per_day(broken: float | None) -> None:
    """p takes 2 a day, though everybody else takes 4; more than 100 a day over 30 days cannot be."""
    assert repaired([*USUAL, ("p", "a", 60, broken, 30)])[-1] == (60, 30, "quantity_person_units")
    assert repaired([*USUAL, ("p", "a", 60, 3000, 30)])[-1] == (3000, 30, None)


def test_quantity_from_the_units_per_day_of_other_people() -> None:
    own: list[Row] = [("p", "a", 0, None, 10), ("p", "a", 200, 30, 30)]
    assert repaired([*own, *others(120, 30)])[0] == (40, 10, "quantity_product_units")
    assert repaired([*own, *others(120, 30, ENOUGH_PEOPLE - 1)])[0] == (None, 10, None)


@pytest.mark.parametrize(("unit", "most"), [("mg", 100), ("mcg", 100), (None, 100), ("mg/mL", 1000), ("mcg/h", 10)])
def test_what_is_believed_a_day_depends_on_the_unit(unit: str | None, most: float) -> None:
    """A day of 200 mL of a solution is no mistake; a day of 20 patches is."""
    assert repaired([("p", "a", 0, most * 30, 30)], unit=unit) == [(most * 30, 30, None)]
    assert repaired([("p", "a", 0, most * 30 + 1, 30)], unit=unit) == [(None, 30, None)]


def test_both_missing_take_the_persons_usual_days_and_units() -> None:
    assert repaired([*USUAL, ("p", "a", 60, None, None)])[-1] == (60, 30, "person_days + quantity_person_units")


def test_mended_values_teach_nothing() -> None:
    """Day 60 is mended to 45 days; the repair of day 90 rests on the two fills as recorded, not on it."""
    rows: list[Row] = [*USUAL[:2], ("p", "a", 60, 90, None), ("p", "a", 90, None, 10)]
    assert repaired(rows)[-2:] == [(90, 45, "person_units"), (20, 10, "quantity_person_units")]


def waiting(person: str, *days: int) -> list[Row]:
    return [(person, "a", day, None, None) for day in days]


def test_days_supply_from_the_times_between_fills_of_other_people() -> None:
    """Others wait 21, 22, ... 30 days, twice each: 80 % of these times are at most 28."""
    rows = [row for i in range(10) for row in waiting(f"other {i}", 0, 21 + i, 2 * (21 + i))]
    assert repaired([*rows, *waiting("p", 500)])[-1] == (None, 28, "waiting_time")
    half = repaired([*rows, *waiting("p", 500)], days_supply={"waiting_time_quantile": 0.5})[-1]
    assert half == (None, 25, "waiting_time")
    assert repaired([*rows[3:], *waiting("p", 500)])[-1] == (None, None, None)  # nine others are too few
    assert repaired([*rows[3:], *waiting("p", 0, 9, 18)])[-1] == (None, None, None)  # and p is no other


def test_the_quantile_is_of_the_times_not_of_the_people() -> None:
    """Everybody waits 20 and 40 days in turn: 80 % of the times between fills are at most 40, though each one's median
    is 30."""
    rows = [row for i in range(10) for row in waiting(f"other {i}", 0, 20, 60, 80, 120)]
    assert repaired([*rows, *waiting("p", 500)])[-1] == (None, 40, "waiting_time")


def test_long_waits_are_stops_and_fills_of_one_day_are_one() -> None:
    """Of waits of 0, 30 and 181 days only the 30 count."""
    rows = [row for i in range(10) for row in waiting(f"other {i}", 0, 0, 30, 30 + LONGEST_WAIT + 1)]
    assert repaired([*rows, *waiting("p", 500)])[-1] == (None, 30, "waiting_time")
    rows = [row for i in range(10) for row in waiting(f"other {i}", 0, LONGEST_WAIT)]
    assert repaired([*rows, *waiting("p", 500)])[-1] == (None, LONGEST_WAIT, "waiting_time")


def test_waits_of_a_frequent_visitor_count_once() -> None:
    rows = [row for i in range(10) for row in waiting(f"other {i}", 0, 30)]
    often = waiting("often", *range(0, 5000, 5))
    assert repaired([*rows, *often, *waiting("p", 500)])[-1] == (None, 30, "waiting_time")


def test_rules_are_tried_in_the_configured_order() -> None:
    row: Row = ("p", "a", 60, 90, None)
    assert repaired([*USUAL, row], days_supply={"repair": ["product_units", "person_units"]})[-1] == (
        90, 22.5, "product_units",
    )  # fmt: skip
    assert repaired([*USUAL, row], days_supply={"repair": ["person_days"]})[-1] == (90, 30, "person_days")
    assert repaired([*USUAL, row], days_supply={"repair": []})[-1] == (90, None, None)
    assert repaired([*USUAL, ("p", "a", 60, None, 30)], quantity={"repair": []})[-1] == (None, 30, None)
    assert repaired([*USUAL, ("p", "a", 60, 90, 30)], quantity={"max_per_day": 2.5})[-1] == (
        60, 30, "quantity_person_units",
    )  # fmt: skip


def test_a_source_without_quantities_has_nothing_to_learn_from() -> None:
    rows: list[Row] = [("p", "a", 0, 0, 30), *others(0, 30)]
    assert repaired(rows) == [(None, 30, None)] * len(rows)


def test_known_truth_is_found_again_where_the_usual_days_of_all_are_wrong() -> None:
    """Everybody takes his own number a day, in packs of 10, 30 or 60 days; one days_supply in ten is lost at random.

    Filling in the median of all, 30 days, is wrong for two packs of three; the person's units a day give the truth
    back wherever the person has an earlier fill.
    """
    rng = np.random.default_rng(8)
    people, fills = 80, 10
    units = rng.choice([1.0, 2.0, 3.0, 4.0, 6.0], people)
    truth = rng.choice([10.0, 30.0, 60.0], (people, fills))
    lost = rng.random((people, fills)) < 0.1
    rows: list[Row] = [
        (f"{i:02}", "a", 60 * j, units[i] * truth[i, j], None if lost[i, j] else truth[i, j])
        for i in range(people)
        for j in range(fills)
    ]
    found = [row for row, was_lost in zip(repaired(rows), lost.ravel(), strict=True) if was_lost]
    true = truth[lost]
    own = np.array([rule == "person_units" for *_, rule in found])
    assert own.sum() > 60
    assert [days for (_, days, _), mine in zip(found, own, strict=True) if mine] == true[own].tolist()
    assert np.mean(np.median(truth[~lost]) != true) > 0.5
