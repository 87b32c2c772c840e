"""What is known of a person on a day comes from fills up to that day: later ones may be cut off, nothing changes.

From dispensings with missing and impossible values to status: product, repair, dose, stockpiling, carry-over. Other
people's fills, from which repair learns what is usual, stay as they are.
"""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.canonical import DISPENSINGS
from opioid_outcomes.exposure import clean, mme, products
from opioid_outcomes.exposure.repair import ENOUGH_PEOPLE
from opioid_outcomes.steps.exposure import doses_and_status

LAST = 330
NAMES = (
    "oxycodone 5 MG Oral Tablet", "oxycodone 10 MG Oral Tablet", "buprenorphine 8 MG Sublingual Tablet",
    "1 ML morphine sulfate 5 MG/ML Injection", "ibuprofen 400 MG Oral Tablet",
)  # fmt: skip
RULES = Exposure()
CODES, FACTORS = products.dictionary(), mme.factors(RULES.mme_factors)

fill = st.tuples(
    st.integers(0, 220),
    st.sampled_from(NAMES),
    st.sampled_from([None, 0.0, 10.0, 30.0, 60.0, 5000.0]),
    st.sampled_from([None, 0.0, 5.0, 10.0, 30.0, 45.0, 1000.0]),
)
OTHERS = [
    (100 + person, 3 * person, name, 20.0 + person, 30.0) for person in range(ENOUGH_PEOPLE) for name in NAMES[:2]
]


def known(history: list[tuple]) -> tuple[dict[int, tuple], dict[int, tuple]]:
    """Daily dose and status of person 1 on each day."""
    rows = [(1, *fill) for fill in history] + OTHERS
    columns = ["person_id", "date", "product_name", "quantity", "days_supply"]
    dispensings = pl.DataFrame(
        [dict(zip(columns, row, strict=True)) for row in rows], schema=DISPENSINGS.schema(pl.Int64())
    )
    fills = clean.clean(products.resolve(dispensings, CODES), FACTORS, max_days_supply=RULES.days_supply.max)
    people = pl.DataFrame({"person_id": [1], "last": [LAST]}, schema={"person_id": pl.Int64, "last": pl.Int32})
    daily, _, use = doses_and_status(fills, people, RULES)
    return tuple(
        {
            day: tuple(row[name] for name in row if name not in ("start", "stop"))
            for row in table.iter_rows(named=True)
            for day in range(row["start"], row["stop"])
        }
        for table in (daily, use)
    )


@given(st.lists(fill, min_size=1, max_size=10), st.integers(0, 220))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_fills_after_a_day_change_nothing_up_to_it(history: list[tuple], day: int) -> None:
    whole = known(history)
    cut = known([fill for fill in history if fill[0] <= day])
    for all_days, days in zip(whole, cut, strict=True):
        assert {k: v for k, v in all_days.items() if k <= day} == {k: v for k, v in days.items() if k <= day}


def test_a_later_fill_does_not_repair_an_earlier_one() -> None:
    """Day 0 without days_supply, day 200 as usual: no dose before day 200, and use is not known at first."""
    daily, use = known([(0, "oxymorphone 5 MG Oral Tablet", 60.0, None), (200, "oxymorphone 5 MG Oral Tablet", 60, 30)])
    assert min(daily) == 200
    assert [use[day][1] for day in (0, 29, 30, 90, 91, 199, 200)] == [
        "unknown", "unknown", "recent", "recent", "former", "former", "on",
    ]  # fmt: skip
