"""What is known of a person on a day comes from fills up to that day: later ones may be cut off, nothing changes.

From dispensings with missing and impossible values to status: product, repair, dose, stockpiling, carry-over. Other
people's fills, from which repair learns what is usual, stay as they are.
"""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.canonical import DISPENSINGS
from opioid_outcomes.exposure.repair_usual import ENOUGH_PEOPLE
from opioid_outcomes.steps.exposure import doses_and_status, opioid_fills

LAST = 330
NAMES = (
    "oxycodone 5 MG Oral Tablet", "oxycodone 10 MG Oral Tablet", "oxycodone Oral Tablet",
    "buprenorphine 8 MG Sublingual Tablet", "1 ML morphine sulfate 5 MG/ML Injection", "ibuprofen 400 MG Oral Tablet",
)  # fmt: skip
# Each alone and all together; under the last, waiting times and usual products decide.
RULES = (
    Exposure(),
    Exposure.model_validate({"repaired_fills": "drop", "stays": "ignore"}),
    Exposure.model_validate({"days_supply": {"repair": ["waiting_time"]}, "strength": {"repair": ["usual_product"]}}),
    Exposure.model_validate({"quantity": {"repair": ["product_units"], "max_per_day": 2}, "ranges": "set_aside"}),
)

fill = st.tuples(
    st.integers(0, 220),
    st.sampled_from(NAMES),
    st.sampled_from([None, 0.0, 10.0, 30.0, 60.0, 5000.0]),
    st.sampled_from([None, 0.0, 5.0, 10.0, 30.0, 45.0, 1000.0]),
    st.sampled_from([None, None, 40.0]),  # upper end of the quantity
)
OTHERS = [
    (100 + person, day + 3 * person, name, 20.0 + person, 30.0, None)
    for person in range(ENOUGH_PEOPLE)
    for day in (0, 20 + person)
    for name in (NAMES[0], *NAMES[1 : 1 + person // 9])  # nine of ten people have the first product only
]
STAYS = pl.DataFrame(
    [(1, 40, 52), (1, 120, 123)], schema={"person_id": pl.Int64, "start": pl.Int32, "end": pl.Int32}, orient="row"
)
NOBODY = pl.DataFrame(schema={"person_id": pl.Int64, "date": pl.Int32})
SEEN = pl.DataFrame([(1, -400, LAST)], schema={"person_id": pl.Int64, "start": pl.Int32, "end": pl.Int32}, orient="row")


def known(history: list[tuple], rules: Exposure, until: int = LAST) -> tuple[dict[int, tuple], dict[int, tuple]]:
    """Daily dose and status of person 1 on each day; stays that begin after ``until`` are not known of."""
    rows = [(1, *fill) for fill in history] + OTHERS
    columns = ["person_id", "date", "product_name", "quantity", "days_supply", "quantity_to"]
    dispensings = pl.DataFrame(
        [dict(zip(columns, row, strict=True)) for row in rows], schema=DISPENSINGS.schema(pl.Int64())
    )
    _, fills = opioid_fills(dispensings, rules)
    seen = {"observation": SEEN, "deaths": NOBODY, "stays": STAYS.filter(pl.col("start") <= until)}
    daily, _, use = doses_and_status(fills, seen, rules)
    return tuple(
        {
            day: tuple(row[name] for name in row if name not in ("start", "stop"))
            for row in table.iter_rows(named=True)
            for day in range(row["start"], row["stop"])
        }
        for table in (daily, use)
    )


@pytest.mark.parametrize("rules", RULES)
@given(history=st.lists(fill, min_size=1, max_size=10), day=st.integers(0, 220))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_fills_after_a_day_change_nothing_up_to_it(rules: Exposure, history: list[tuple], day: int) -> None:
    whole = known(history, rules)
    cut = known([fill for fill in history if fill[0] <= day], rules, until=day)
    for all_days, days in zip(whole, cut, strict=True):
        assert {k: v for k, v in all_days.items() if k <= day} == {k: v for k, v in days.items() if k <= day}


def test_a_later_fill_does_not_repair_an_earlier_one() -> None:
    """Day 0 without days_supply, day 200 as usual: no dose before day 200, and use is not known at first."""
    product = "oxymorphone 5 MG Oral Tablet"
    daily, use = known([(0, product, 60.0, None, None), (200, product, 60, 30, None)], RULES[0])
    assert min(daily) == 200
    assert [use[day][1] for day in (0, 29, 30, 90, 91, 199, 200)] == [
        "unknown", "unknown", "recent", "recent", "former", "former", "on",
    ]  # fmt: skip
