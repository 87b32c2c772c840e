"""MME consumed and days without opioids against counting every day of a person backwards, in plain Python."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import daily_dose, status

WASHOUT = 30
LAST = 260
fills = st.lists(
    st.tuples(
        st.integers(-20, 200),
        st.sampled_from([None, 0.5, 1.0, 7.5, 10.0, 30.0]),
        st.sampled_from([None, 10.0, 33.333333, 45.0]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=8,
)
breaks = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 20)), max_size=3)


def table(history: list[tuple]) -> pl.DataFrame:
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return pl.DataFrame(history, schema=schema, orient="row").with_columns(person_id=pl.lit(7))


def periods(gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """First and last day of each period of observation, from day 0 to the last day."""
    found, day = [], 0
    for length, gap in gaps:
        found.append((day, day + length - 1))
        day += length + gap
    return [*found, (day, LAST + 200)]


@given(fills, fills, breaks, st.sampled_from([0, 7]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_lies_behind_each_day(
    history: list[tuple], treated: list[tuple], gaps: list[tuple[int, int]], carry_over: int
) -> None:
    observed = periods(gaps)
    schema = {"start": pl.Int32, "end": pl.Int32}
    observation = pl.DataFrame(observed, schema=schema, orient="row").with_columns(person_id=pl.lit(7))
    last = pl.DataFrame({"person_id": [7], "last": [LAST]}, schema={"person_id": pl.Int32, "last": pl.Int32})
    treated = treated[:2]
    daily = daily_dose.cut(daily_dose.build(table(history).lazy()), last.lazy()).collect()
    no_interval = table([*history, *treated]).filter(pl.col("days_supply").is_null()).select("person_id", "start")
    use = status.from_dispensings(
        daily, daily_dose.supplies(table(history)), daily_dose.supplies(table(treated)), no_interval, last,
        observation=observation.reverse(), carry_over_days=carry_over, washout_days=WASHOUT,
    )  # fmt: skip

    dose = {day: row["mme"] for row in daily.to_dicts() for day in range(row["start"], row["stop"])}
    taking = {
        day for row in use.to_dicts() if row["state"] in ("on", "treatment", "unknown")
        for day in range(row["start"], row["stop"])
    } | {fill[0] for fill in [*history, *treated]}  # fmt: skip
    for row in use.to_dicts():
        consumed = sum(mme or 0 for day, mme in dose.items() if day < row["start"])
        assert row["cumulative_mme"] == pytest.approx(consumed, rel=1e-9, abs=1e-6)
        if row["state"] != "on":
            assert (row["naive_days"], row["new_user"]) == (None, None)
            continue
        began = row["on_since"]
        naive = 0
        period = next((p for p in observed if p[0] <= began - 1 <= p[1]), None)
        while period is not None and period[0] <= began - naive - 1 and began - naive - 1 not in taking:
            naive += 1
        recently = any(day in taking for day in range(began - WASHOUT, began))
        assert row["naive_days"] == naive
        assert row["new_user"] == (1 if naive >= WASHOUT else 0 if recently else None)
