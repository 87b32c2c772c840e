"""The four HEAL definitions of MME/day, by example: fills in, MME/day of each window out.

A fill is (day, drug, strength, quantity, days_supply); a window (start, stop, MME/day by definition 1, 2, 3, 4).
"""

from dataclasses import dataclass
from fractions import Fraction as F

import polars as pl
import pytest

from opioid_outcomes.exposure import definitions, mme

Fill = tuple[int, str, float, float | None, float | None]
Window = tuple

ROUTES = {"fentanyl": ("transdermal", "mcg/h"), "buprenorphine": ("transdermal", "mcg/h")}


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    fills: list[Fill]
    windows: list[Window]
    factors: str = "cdc_2022"
    last: int = 89
    incomplete: tuple[int, ...] = (0,)


CASES = [
    Case(
        "METHODS B2: oxycodone ER 30 mg x60/30 d and oxycodone 5 mg x14/7 d on one day, 90 days",
        "total 30 x 90 + 7 x 15 = 2,805; over 37 days of supply, 30 days with supply, 90 days, at most 90 + 15",
        [(0, "oxycodone", 30, 60, 30), (0, "oxycodone", 5, 14, 7)],
        [(0, 90, F(2805, 37), F(2805, 30), F(2805, 90), 105)],
    ),
    Case(
        "two products one after the other",
        "no day counts twice: definitions 1 and 2 agree",
        [(0, "oxycodone", 30, 60, 30), (30, "morphine", 15, 60, 30)],
        [(0, 90, F(90 * 30 + 30 * 30, 60), F(90 * 30 + 30 * 30, 60), F(3600, 90), 90)],
    ),
    Case(
        "two products for 10 days together",
        "40 days of supply on 30 days with supply; the highest day has both",
        [(0, "morphine", 30, 60, 20), (10, "oxycodone", 20, 40, 20)],
        [(0, 90, F(90 * 20 + 60 * 20, 40), F(3000, 30), F(3000, 90), 150)],
    ),
    Case(
        "an early refill of one product",
        "stockpiled: it is taken later, so no day counts twice and the highest day is not doubled",
        [(0, "morphine", 30, 60, 30), (25, "morphine", 30, 60, 30)],
        [(0, 90, 60, 60, F(60 * 60, 90), 60)],
    ),
    Case(
        "supply across the border of two windows",
        "each window has its own days; the second begins on day 90 of the first supply",
        [(0, "morphine", 30, 60, 30), (80, "morphine", 30, 60, 30)],
        [(0, 90, 60, 60, F(60 * 40, 90), 60), (90, 180, 60, 60, F(60 * 20, 90), 60)],
        last=400, incomplete=(0, 0),
    ),
    Case(
        "the last window ends with the last day",
        "death or the end of observation on day 99: 10 days are the denominator of definition 3",
        [(0, "morphine", 30, 60, 30), (95, "morphine", 30, 60, 30)],
        [(0, 90, 60, 60, F(60 * 30, 90), 60), (90, 100, 60, 60, F(60 * 5, 10), 60)],
        last=99, incomplete=(0, 0),
    ),
    Case(
        "windows count from the first supply",
        "not from the start of observation or of the year; a window without supply has no row",
        [(17, "morphine", 30, 60, 30), (300, "morphine", 30, 60, 30)],
        [(17, 107, 60, 60, 20, 60), (287, 377, 60, 60, 20, 60)],
        last=500, incomplete=(0, 0),
    ),
    Case(
        "a fill of unknown quantity beside a known one",
        "its days are in no denominator; the window is marked",
        [(0, "morphine", 30, 60, 30), (20, "oxycodone", 20, None, 30)],
        [(0, 90, 60, 60, 20, 60)],
        incomplete=(1,),
    ),
    Case(
        "a fill of unknown quantity alone",
        "no dose is known: null, not 0",
        [(0, "morphine", 30, None, 30)],
        [(0, 90, None, None, None, None)],
        incomplete=(1,),
    ),
    Case(
        "methadone 10 mg and 5 mg, 20 + 15 mg a day, with tiers",
        "the tier is that of the day's total, 35 mg x 8, not 20 x 4 + 15 x 4; alone, 20 mg x 4",
        [(0, "methadone", 10, 60, 30), (0, "methadone", 5, 45, 15)],
        [(0, 90, F(280 * 15 + 80 * 15, 45), F(5400, 30), F(5400, 90), 280)],
        factors="cdc_2016_tiers",
    ),
    Case(
        "the same, flat",
        "35 mg x 3 and 20 mg x 3",
        [(0, "methadone", 10, 60, 30), (0, "methadone", 5, 45, 15)],
        [(0, 90, F(105 * 15 + 60 * 15, 45), F(2475, 30), F(2475, 90), 105)],
        factors="cdc_2016_flat",
    ),
    Case(
        "fentanyl 25 mcg/h, 10 patches for 30 days",
        "60 MME/day of wear, never also 7.2 a patch",
        [(0, "fentanyl", 25, 10, 30)],
        [(0, 90, 60, 60, 20, 60)],
    ),
]  # fmt: skip


def clean(fills: list[Fill]) -> pl.DataFrame:
    rows = [
        (day, drug, *ROUTES.get(drug, ("oral", "mg")), strength, quantity, supply, f"{drug}|{strength}")
        for day, drug, strength, quantity, supply in fills
    ]
    columns = {
        "date": pl.Int32, "ingredient": pl.String, "route": pl.String, "strength_unit": pl.String,
        "strength": pl.Float64, "quantity": pl.Float64, "days_supply": pl.Float64, "product": pl.String,
    }  # fmt: skip
    empty = pl.lit(None, pl.String)
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        person_id=pl.lit(1, pl.Int64), form=empty, repair=empty, reason=empty, analgesic=pl.lit(1, pl.Int64)
    )


def of_fills(fills: list[Fill], last: int, factors: str = "cdc_2022", **options: object) -> pl.DataFrame:
    last_days = pl.DataFrame({"person_id": [1], "last": [last]}, schema={"person_id": pl.Int64, "last": pl.Int32})
    return definitions.of_fills(clean(fills), mme.factors(factors), last_days, **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_definitions(case: Case) -> None:
    found = of_fills(case.fills, case.last, case.factors)
    names = [f"mme_{k}" for k in definitions.DEFINITIONS]
    expected = [
        (*window[:2], *(None if value is None else float(value) for value in window[2:])) for window in case.windows
    ]
    assert found.select("window_start", "window_stop", *names).rows() == expected
    assert tuple(found["incomplete"]) == case.incomplete


def test_buprenorphine_counts_by_the_table_that_has_a_factor_and_is_reported_apart() -> None:
    """heal: 20 mcg/h x 2.2 is 44 MME/day for 28 days beside 60; cdc_2022 has no factor, so its days are unknown."""
    fills = [(0, "buprenorphine", 20.0, 4.0, 28.0), (0, "morphine", 30.0, 60.0, 30.0)]
    heal = of_fills(fills, 89, "heal").row(0, named=True)
    assert heal["mme_2"] == pytest.approx((44 * 28 + 60 * 30) / 30, rel=1e-12)
    assert heal["mme_1"] == pytest.approx((44 * 28 + 60 * 30) / 58, rel=1e-12)
    assert (heal["without_2"], heal["without_4"], heal["incomplete"]) == (60, 60, 0)
    cdc = of_fills(fills, 89).row(0, named=True)
    assert [cdc[f"mme_{k}"] for k in definitions.DEFINITIONS] == [60, 60, 20, 60]
    assert cdc["incomplete"] == 1


def test_buprenorphine_alone_has_nothing_without_it() -> None:
    row = of_fills([(0, "buprenorphine", 20.0, 4.0, 28.0)], 89, "heal").row(0, named=True)
    assert row["mme_4"] == pytest.approx(44, rel=1e-12)
    assert [row[f"without_{k}"] for k in definitions.DEFINITIONS] == [None] * 4


def test_days_in_hospital_prolong_the_supply() -> None:
    stays = pl.DataFrame(
        {"person_id": [1], "start": [10], "end": [20]}, schema_overrides={"start": pl.Int32, "end": pl.Int32}
    )
    fills = [(0, "morphine", 30.0, 60.0, 30.0)]
    assert of_fills(fills, 89, stays=stays)["mme_3"].item() == pytest.approx(60 * 40 / 90)
    assert of_fills(fills, 89)["mme_3"].item() == pytest.approx(60 * 30 / 90)


def test_without_stockpiling_overlaps_of_one_product_add() -> None:
    fills = [(0, "morphine", 30.0, 60.0, 30.0), (25, "morphine", 30.0, 60.0, 30.0)]
    row = of_fills(fills, 89, stockpile_cap_days=None).row(0, named=True)
    assert (row["mme_1"], row["mme_4"]) == (60, 120)
    assert row["mme_2"] == pytest.approx(3600 / 55)


@pytest.mark.parametrize(("days", "windows"), [(7, 5), (14, 3), (30, 1)])
def test_windows_of_other_lengths(days: int, windows: int) -> None:
    found = of_fills([(0, "morphine", 30.0, 60.0, 30.0)], 400, window_days=days)
    assert found.height == windows
    assert (found["mme_3"] * (found["window_stop"] - found["window_start"])).sum() == pytest.approx(1800)


@pytest.mark.parametrize("rounded", [0, -1e-9, 1e-9])
def test_people_over_thresholds_by_rule(rounded: float) -> None:
    """Three people at 50, 90 and 120 in their highest window; the fourth has no known dose."""
    wide = pl.DataFrame({
        "person_id": [1, 1, 2, 3, 4],
        # 90 as three products that are rounded add up to it, on either side
        **{f"mme_{k}": [10.0, 50.0, 90.0 + rounded, 120.0, None] for k in definitions.DEFINITIONS},
    })  # fmt: skip
    for rule, over in (("at_least", (3, 2, 1.0, 2 / 3)), ("above", (2, 1, 2 / 3, 1 / 3))):
        found = definitions.thresholds(wide, "cdc_2022", rule)
        assert found.rows() == [(k, "cdc_2022", 3, *over, 90.0 + rounded) for k in definitions.DEFINITIONS]


def test_nobody_with_supply() -> None:
    found = of_fills([], 89)
    assert found.is_empty()
    assert definitions.long(found, "heal").is_empty()
    assert definitions.thresholds(found, "heal", "above").rows() == [
        (k, "heal", 0, 0, 0, None, None, None) for k in definitions.DEFINITIONS
    ]


def test_one_row_per_definition() -> None:
    wide = of_fills(CASES[0].fills, 89)
    rows = definitions.long(wide, "cdc_2022")
    assert rows["definition"].to_list() == [1, 2, 3, 4]
    assert tuple(rows["mme"]) == wide.select(f"mme_{k}" for k in definitions.DEFINITIONS).row(0)
    assert tuple(rows["mme_without_buprenorphine"]) == tuple(rows["mme"])
    assert rows.select("window_start", "window_stop", "factors", "incomplete").unique().rows() == [
        (0, 90, "cdc_2022", 0)
    ]
