"""Episodes straight from fills are those of a daily dose without stockpiling, whatever the fills."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import daily_dose, episodes

fills = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(-40, 300),
        st.sampled_from([None, 0.0, 0.5, 0.9999999, 1.0, 4 / 3, 7.5, 10.0, 30.0]),
        st.sampled_from([None, 10.0, 45.0]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=20,
)


def table(history: list[tuple]) -> pl.LazyFrame:
    schema = {
        "person_id": pl.Int64, "start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64,
        "product": pl.String,
    }  # fmt: skip
    return pl.LazyFrame(history, schema=schema, orient="row")


@given(fills, st.integers(0, 60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_from_fills_is_a_daily_dose_without_stockpiling_merged(history: list[tuple], gap: int) -> None:
    found = episodes.from_fills(table(history), gap).collect()
    merged = episodes.build(daily_dose.build(table(history), None), gap).collect()
    assert found.equals(merged.drop("mean_mme"))
    assert found.equals(episodes.from_fills(table(history[::-1]), gap).collect())


@given(fills, st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_with_a_share_each_gap_is_judged_by_the_last_fill_before_it(history: list[tuple], share: float) -> None:
    daily = daily_dose.build(table(history)).collect()
    found = episodes.build(daily.lazy(), gap_share=share, fills=table(history)).collect()
    begins = set(found.select("person_id", "start").rows())
    before: dict[int, int] = {}
    for row in daily.to_dicts():
        person = row["person_id"]
        if person not in before:
            expected = True
        else:
            past = [f for f in history if f[0] == person and f[1] < before[person] and f[2]]
            last_day = max(f[1] for f in past)
            longest = max(f[2] for f in past if f[1] == last_day)
            expected = row["start"] - before[person] > share * longest
        assert ((person, row["start"]) in begins) == expected
        before[person] = row["stop"]
    assert found["days_active"].sum() == daily.select((pl.col("stop") - pl.col("start")).sum()).item()
    known = daily.filter(pl.col("mme").is_not_null()).select(((pl.col("stop") - pl.col("start")) * pl.col("mme")).sum())
    if not daily["mme"].null_count():
        total = found.select((pl.col("mean_mme") * pl.col("days_active")).sum()).item()
        assert total == pytest.approx(known.item(), rel=1e-9, abs=1e-9)
