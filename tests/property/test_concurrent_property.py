"""Concurrent use against a slow calculator that asks every day whether both are supplied, and every year for COB."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import concurrent

MAX = 100
opioid = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), max_size=8)  # gap, days
fill = st.tuples(
    st.integers(-10, 700),
    st.sampled_from(["diazepam", "lorazepam", "gabapentin", "ibuprofen"]),
    st.sampled_from([None, 0.0, 0.5, 7.5, 30.0, 60.0, 101.0]),
)
OF_CLASS = {"diazepam": "benzodiazepine", "lorazepam": "benzodiazepine", "gabapentin": "gabapentinoid"}


@given(opioid, st.lists(fill, max_size=10), st.lists(st.integers(0, 500), max_size=6), st.integers(20, 600))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_days_with_both_and_the_measure(plan: list, others: list, dispensed: list, last: int) -> None:
    on, day, rows = set(), 0, []
    for gap, days in plan:
        day += gap
        if day <= last:
            rows.append((1, day, min(day + days, last + 1)))
            on |= set(range(day, min(day + days, last + 1)))
        day += days
    days_schema = {"person_id": pl.Int64, "start": pl.Int32, "stop": pl.Int32}
    daily = pl.DataFrame(rows, schema=days_schema, orient="row")
    clean = pl.DataFrame(
        [(1, day, "a", 10.0, 1) for day in dispensed],
        schema={
            "person_id": pl.Int64,
            "date": pl.Int32,
            "product": pl.String,
            "days_supply": pl.Float64,
            "analgesic": pl.Int64,
        },
        orient="row",
    )
    empty = pl.lit(None, pl.String)
    dispensings = pl.DataFrame(
        [(1, *row) for row in others],
        schema={"person_id": pl.Int64, "date": pl.Int32, "ingredient": pl.String, "days_supply": pl.Float64},
        orient="row",
    ).with_columns(product_name=empty, code=empty, vocabulary=empty)
    last_days = pl.DataFrame({"person_id": [1], "last": [last]}, schema={"person_id": pl.Int64, "last": pl.Int32})
    found = concurrent.find(daily, clean, dispensings, last_days, max_days_supply=MAX)

    theirs = [(day, OF_CLASS[drug], supply) for day, drug, supply in others if drug in OF_CLASS and day <= last]
    usable = [row for row in theirs if row[2] and row[2] <= MAX]
    assert found.left_out == len(theirs) - len(usable)
    for row, name in zip(found.display.iter_rows(named=True), concurrent.CLASSES, strict=True):
        of_class = [(day, int(supply)) for day, kind, supply in usable if kind == name]
        both = {d for day, supply in of_class for d in range(day, day + supply)} & on
        stretches = found.stretches.filter(pl.col("class") == name)
        assert [d for start, stop in stretches.select("start", "stop").rows() for d in range(start, stop)] == sorted(
            both
        )
        assert (stretches["start"][1:] > stretches["stop"][:-1]).all()
        assert (row["persons"], row["with_class"]) == (bool(on), bool(both))
        assert row["share_of_days"] == (len(both) / len(on) if on else None)
        filled, taken = {day for day in dispensed if day <= last}, {day for day, _ in of_class}
        assert row["cob"] == any(
            len([d for d in filled if end - 365 < d <= end]) >= 2
            and len([d for d in on if end - 365 < d <= end]) >= 15
            and len([d for d in taken if end - 365 < d <= end]) >= 2
            and len([d for d in both if end - 365 < d <= end]) >= 30
            for end in range(last + 1)
        )


def measured(opioid_fills: int, opioid_days: int, class_fills: int, class_days: float) -> int:
    """COB of one person whose supplies begin together, day by day: opioids, and diazepam."""
    daily = pl.DataFrame(
        {"person_id": 1, "start": 0, "stop": opioid_days}, schema_overrides={"start": pl.Int32, "stop": pl.Int32}
    )
    clean = pl.DataFrame(
        [(1, 5 * i, "a", 10.0, 1) for i in range(opioid_fills)],
        schema=["person_id", "date", "product", "days_supply", "analgesic"],
        orient="row",
    ).with_columns(pl.col("date").cast(pl.Int32))
    empty = pl.lit(None, pl.String)
    dispensings = pl.DataFrame(
        [(1, int(i * class_days), "diazepam", class_days) for i in range(class_fills)],
        schema=["person_id", "date", "ingredient", "days_supply"],
        orient="row",
    ).with_columns(pl.col("date").cast(pl.Int32), product_name=empty, code=empty, vocabulary=empty)
    last = pl.DataFrame({"person_id": [1], "last": [400]}, schema={"person_id": pl.Int64, "last": pl.Int32})
    return concurrent.find(daily, clean, dispensings, last, max_days_supply=365).display["cob"][0]


def test_cob_needs_each_of_its_four_parts() -> None:
    assert measured(2, 30, 2, 15.0) == 1
    assert measured(1, 30, 2, 15.0) == 0
    assert measured(2, 29, 2, 15.0) == 0  # 29 days of overlap
    assert measured(2, 30, 1, 30.0) == 0
    assert measured(2, 30, 2, 14.0) == 0
