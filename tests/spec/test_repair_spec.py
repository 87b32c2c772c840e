"""Repair, by example: what is recorded of a person's fills, and what the last of them is taken to be.

A fill is (day, product, quantity, days_supply); an amount may be a range (lower, upper). Products are oxycodone tablets
by their mg (None: not recorded), or named. Day 0 is any day. ``others`` are the fills of ten other people, each the
same; what they have tells what is usual. The outcome is (quantity, days_supply, mg, MME/day, rules, reason).
"""

from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.canonical import DISPENSINGS
from opioid_outcomes.steps.exposure import opioid_fills

Amount = float | None | tuple[float, float]
Fill = tuple[int, float | str | tuple[float, float] | None, Amount, Amount]
PEOPLE = 10


@dataclass(frozen=True)
class Case:
    what: str
    why: str
    fills: list[Fill]
    outcome: tuple[float | None, float | None, float | None, float | None, str | None, str | None]
    others: list[Fill] = field(default_factory=list)
    rules: dict[str, Any] = field(default_factory=dict)


TWO_A_DAY: list[Fill] = [(0, 10, 60, 30), (30, 10, 60, 30)]
FOUR_A_DAY: list[Fill] = [(0, 10, 120, 30)]
CASES = [
    Case("a fill as it should be", "nothing is touched", [(0, 10, 60, 30)], (60, 30, 10, 30, None, None)),
    Case(
        "days_supply is missing",
        "60 tablets at the two a day that the person takes",
        [*TWO_A_DAY, (60, 10, 60, None)],
        (60, 30, 10, 30, "person_units", None),
    ),
    Case(
        "days_supply of 999",
        "above the longest that is believed: unknown, then as above",
        [*TWO_A_DAY, (60, 10, 60, 999)],
        (60, 30, 10, 30, "person_units", None),
    ),
    Case(
        "days_supply is 0 in a first fill",
        "nothing of the person: 60 tablets at the four a day of ten others",
        [(0, 10, 60, 0)],
        (60, 15, 10, 60, "product_units", None),
        others=FOUR_A_DAY,
    ),
    Case(
        "the person's later fill",
        "says nothing of an earlier one: on that day nobody knows of it",
        [(30, 10, 60, 30), (0, 10, 60, None)],
        (60, None, 10, None, None, "no_days_supply"),
    ),
    Case(
        "neither quantity nor days",
        "days usual of the person, and his usual tablets a day for so long; both rules are named",
        [*TWO_A_DAY, (60, 10, None, None)],
        (60, 30, 10, 30, "person_days + quantity_person_units", None),
    ),
    Case(
        "a source without days_supply",
        "others come back after 28 days, all of them, so that 28 days is the quantile of their waiting times",
        [(0, 10, 56, None)],
        (56, 28, 10, 30, "waiting_time", None),
        others=[(0, 10, 56, None), (28, 10, 56, None), (56, 10, 56, None)],
    ),
    Case(
        "others come back after 20 and 40 days in turn",
        "the quantile is of the times between fills: 80 % of them are at most 40 days, though everybody's median is 30",
        [(0, 10, 56, None)],
        (56, 40, 10, pytest.approx(21), "waiting_time", None),
        others=[(0, 10, 56, None), (20, 10, 56, None), (60, 10, 56, None), (80, 10, 56, None), (120, 10, 56, None)],
    ),
    Case(
        "others come back after 30 days, but for a year without",
        "above 180 days people have stopped: no time between fills",
        [(0, 10, 60, None)],
        (60, 30, 10, 30, "waiting_time", None),
        others=[(0, 10, 60, None), (30, 10, 60, None), (395, 10, 60, None)],
    ),
    Case(
        "quantity -60",
        "cannot be, and is not 60: unknown, then the person's two a day",
        [*TWO_A_DAY, (60, 10, -60, 30)],
        (60, 30, 10, 30, "quantity_person_units", None),
    ),
    Case(
        "quantity 0 in one fill",
        "unknown, not nothing taken: 30 days at two a day",
        [*TWO_A_DAY, (60, 10, 0, 30)],
        (60, 30, 10, 30, "quantity_person_units", None),
    ),
    Case(
        "quantity 0 in the whole source",
        "nothing is made from nothing: on, dose unknown",
        [(0, 10, 0, 30), (30, 10, 0, 30)],
        (None, 30, 10, None, None, "source_without_quantity"),
        others=[(0, 10, 0, 30)],
    ),
    Case(
        "only quantities that cannot be",
        "the source has quantities: this one is unknown",
        [(0, 10, 1e6, 30)],
        (None, 30, 10, None, None, "quantity_unknown"),
    ),
    Case(
        "6,000 tablets for 30 days",
        "200 a day cannot be; ten others take four",
        [(0, 10, 6000, 30)],
        (120, 30, 10, 60, "quantity_product_units", None),
        others=FOUR_A_DAY,
    ),
    Case(
        "6,000 mL for 30 days",
        "200 mL a day can be",
        [(0, "morphine sulfate 2 MG/ML Oral Solution", 6000, 30)],
        (6000, 30, 2, 400, None, None),
    ),
    Case(
        "600 patches for 30 days",
        "20 patches a day cannot be, where 20 tablets could",
        [(0, "fentanyl 0.025 MG/HR Transdermal System", 600, 30)],
        (None, 30, None, None, None, "quantity_unknown"),
        others=FOUR_A_DAY,
    ),
    Case(
        "strength is missing",
        "taken to be of the person's latest product of the same drug, route and release",
        [(0, 5, 60, 30), (30, 20, 60, 30), (60, None, 60, 30)],
        (60, 30, 20, 60, "person_product", None),
    ),
    Case(
        "strength is missing in a first fill, others agree",
        "at least 80 % of ten others have tablets of 10 mg",
        [(0, None, 60, 30)],
        (60, 30, 10, 30, "usual_product", None),
        others=FOUR_A_DAY,
    ),
    Case(
        "strength is missing in a first fill, and others have two products each",
        "neither is the usual one",
        [(0, None, 60, 30)],
        (60, 30, None, None, None, "strength_unknown"),
        others=[(0, 10, 60, 30), (0, 20, 60, 30)],
    ),
    Case(
        "strength of 5,000 mg",
        "no such tablet: unknown, and nothing tells it",
        [(0, 5000, 60, 30)],
        (60, 30, None, None, None, "strength_unknown"),
    ),
    Case(
        "strength -10",
        "no such tablet: unknown, then the person's latest",
        [*TWO_A_DAY, (60, -10, 60, 30)],
        (60, 30, 10, 30, "person_product", None),
    ),
    Case(
        "30 to 60 tablets",
        "the midpoint",
        [(0, 10, (30, 60), 30)],
        (45, 30, 10, 22.5, "quantity_range_midpoint", None),
    ),
    Case(
        "30 to 60 tablets, upper end",
        "as configured",
        [(0, 10, (30, 60), 30)],
        (60, 30, 10, 30, "quantity_range_upper", None),
        rules={"ranges": "upper"},
    ),
    Case(
        "30 to 60 tablets, set aside",
        "unknown; no rule knows better",
        [(0, 10, (30, 60), 30)],
        (None, 30, 10, None, None, "quantity_unknown"),
        others=[(0, 20, 60, 30)],
        rules={"ranges": "set_aside", "strength": {"repair": []}},
    ),
    Case(
        "30 to 60 tablets, set aside and mended",
        "both are told: a range, and the four a day of ten others",
        [(0, 10, (30, 60), 30)],
        (120, 30, 10, 60, "quantity_range_set_aside + quantity_product_units", None),
        others=FOUR_A_DAY,
        rules={"ranges": "set_aside"},
    ),
    Case(
        "20 to 40 days, set aside and mended",
        "as above",
        [*TWO_A_DAY, (60, 10, 60, (20, 40))],
        (60, 30, 10, 30, "days_supply_range_set_aside + person_units", None),
        rules={"ranges": "set_aside"},
    ),
    Case(
        "tablets of 5 to 10 mg, set aside and mended",
        "as above",
        [*TWO_A_DAY, (60, (5, 10), 60, 30)],
        (60, 30, 10, 30, "strength_range_set_aside + person_product", None),
        rules={"ranges": "set_aside"},
    ),
    Case(
        "0 to 1 tablet",
        "half a tablet: 0 may be the lower end",
        [(0, 10, (0, 1), 1)],
        (0.5, 1, 10, 7.5, "quantity_range_midpoint", None),
    ),
    Case(
        "0 to 0 tablets",
        "unknown, and no repair",
        [(0, 10, 60, 30), (30, 10, (0, 0), 30)],
        (None, 30, 10, None, None, "quantity_unknown"),
        rules={"quantity": {"repair": []}},
    ),
    Case(
        "a range, and no days_supply",
        "both rules are named, in the order in which they were used",
        [*TWO_A_DAY, (60, 10, (60, 120), None)],
        (90, 45, 10, 30, "quantity_range_midpoint + person_units", None),
    ),
    Case(
        "20 to 40 days",
        "the lower end, as configured",
        [(0, 10, 60, (20, 40))],
        (60, 20, 10, 45, "days_supply_range_lower", None),
        rules={"ranges": "lower"},
    ),
    Case(
        "tablets of 5 to 10 mg",
        "the midpoint: a product of its own",
        [(0, (5, 10), 60, 30)],
        (60, 30, 7.5, 22.5, "strength_range_midpoint", None),
    ),
    Case(
        "repaired fills are dropped",
        "kept in the table, set apart with the reason, without a dose",
        [*TWO_A_DAY, (60, 10, 60, None)],
        (60, 30, 10, None, "person_units", "repaired_dropped"),
        rules={"repaired_fills": "drop"},
    ),
    Case(
        "no rules",
        "what is missing stays missing",
        [*TWO_A_DAY, (60, 10, 60, None)],
        (60, None, 10, None, None, "no_days_supply"),
        rules={"days_supply": {"repair": []}},
    ),
]


def rows(person: int, fills: list[Fill]) -> list[dict[str, Any]]:
    made = []
    for day, product, quantity, days in fills:
        row: dict[str, Any] = {"person_id": person, "date": day}
        amounts: dict[str, Any] = {"quantity": quantity, "days_supply": days}
        if isinstance(product, str):
            row["product_name"] = product
        else:
            row |= {"ingredient": "oxycodone", "route": "oral", "release": "IR", "strength_unit": "mg"}
            amounts["strength"] = product
        for name, amount in amounts.items():
            row[name], row[f"{name}_to"] = amount if isinstance(amount, tuple) else (amount, None)
        made.append(row)
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_repair(case: Case) -> None:
    recorded = rows(1, case.fills)
    for person in range(2, 2 + PEOPLE if case.others else 2):
        recorded += rows(person, case.others)
    dispensings = pl.DataFrame(recorded, schema=DISPENSINGS.schema(pl.Int64()))
    _, clean = opioid_fills(dispensings, Exposure.model_validate(case.rules))
    own = clean.filter((pl.col("person_id") == 1) & (pl.col("date") == case.fills[-1][0]))
    [found] = own.select("quantity", "days_supply", "strength", "mme_per_day", "repair", "reason").rows()
    if isinstance(case.fills[-1][1], str) and "MG/HR" in case.fills[-1][1]:
        found = (*found[:2], None, *found[3:])  # 25 mcg/h, not mg
    assert found == tuple(pytest.approx(value) if isinstance(value, float) else value for value in case.outcome)


def test_a_strength_without_a_unit_is_unknown_and_mended() -> None:
    recorded = [*rows(1, [*TWO_A_DAY, (60, 30, 60, 30)])]
    recorded[-1]["strength_unit"] = None
    _, clean = opioid_fills(pl.DataFrame(recorded, schema=DISPENSINGS.schema(pl.Int64())), Exposure())
    assert clean.select("strength", "mme_per_day", "repair").rows()[-1] == (10, 30, "person_product")
    none = Exposure.model_validate({"strength": {"repair": []}})
    _, clean = opioid_fills(pl.DataFrame(recorded, schema=DISPENSINGS.schema(pl.Int64())), none)
    assert clean.select("strength", "mme_per_day", "repair", "reason").rows()[-1] == (
        None, None, None, "strength_unknown",
    )  # fmt: skip
