"""Supply around stays against a walker that lives every day of a person, one at a time, in plain Python."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import daily_dose, stays

HORIZON = 400  # the walker walks no further than supply can last
fills = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 60),
        st.sampled_from([0.5, 1.0, 4 / 3, 7.0, 7.5, 10.0, 30.0]),
        st.sampled_from([None, 10.0, 45.0]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=12,
)
hospital = st.lists(st.tuples(st.integers(1, 2), st.integers(-5, 90), st.integers(-1, 25)), max_size=7)


def supplies(history: list[tuple], cap: float | None = 30) -> pl.DataFrame:
    schema = ["person_id", "start", "days_supply", "mme_per_day", "product"]
    types = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return daily_dose.supplies(pl.LazyFrame(history, schema=schema, orient="row", schema_overrides=types), cap)


def inpatient(rows: list[tuple]) -> pl.DataFrame:
    days = [(person, start, start + length) for person, start, length in rows]
    schema = {"person_id": pl.Int64, "start": pl.Int32, "end": pl.Int32}
    return pl.DataFrame(days, schema=schema, orient="row")


def walk(pieces: list[dict], days_in: set[int]) -> dict[int, tuple[float | None, int]]:
    """Dose and held of each day of one product of one person: what waits is taken one day at a time, in order."""
    waiting = [[piece["start"], piece["stop"] - piece["start"], piece["mme_per_day"]] for piece in pieces]
    days: dict[int, tuple[float | None, int]] = {}
    held = None
    for day in range(-10, HORIZON):
        here = [piece for piece in waiting if piece[0] <= day and piece[1] > 0]
        if day in days_in:
            if day - 1 not in days_in:  # admission
                held = here[0] if here else None
            if held is not None:
                days[day] = (held[2], 1)
        elif here:
            days[day] = (here[0][2], 0)
            here[0][1] -= 1
    assert not any(piece[1] for piece in waiting), "the horizon is too near"
    return days


@given(fills, hospital)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_every_day_of_supply_is_what_the_walker_takes(history: list[tuple], beds: list[tuple]) -> None:
    supply, sick = supplies(history), inpatient(beds)
    found = stays.extend(supply, sick)
    assert found.sort("person_id", "product", "start", maintain_order=True).equals(found)
    assert found.equals(stays.extend(supply, sick.reverse()))
    for (person, product), rows in found.group_by("person_id", "product"):
        before = supply.filter((pl.col("person_id") == person) & (pl.col("product") == product))
        days_in = {d for p, start, length in beds if p == person for d in range(start, start + length)}
        days: dict[int, tuple[float | None, int]] = {}
        for row in rows.to_dicts():
            for day in range(row["start"], row["stop"]):
                assert day not in days, "the dose is doubled"
                days[day] = (row["mme_per_day"], row["repaired"])
        assert days == walk(before.to_dicts(), days_in)


@given(fills, hospital)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_without_stockpiling_every_fill_is_walked_by_itself(history: list[tuple], beds: list[tuple]) -> None:
    supply = supplies(history, None)
    found = stays.extend(supply, inpatient(beds), stockpiled=False)
    order = ["person_id", "product", "start"]
    assert found.select(order).equals(found.sort(order).select(order))
    for (person, product), rows in found.group_by("person_id", "product", maintain_order=True):
        before = supply.filter((pl.col("person_id") == person) & (pl.col("product") == product))
        days_in = {d for p, start, length in beds if p == person for d in range(start, start + length)}
        expected = [item for row in before.to_dicts() for item in walk([row], days_in).items()]
        days = [
            (day, (row["mme_per_day"], row["repaired"]))
            for row in rows.to_dicts() for day in range(row["start"], row["stop"])
        ]  # fmt: skip
        assert sorted(days, key=repr) == sorted(expected, key=repr)
        assert rows["known_end"].is_sorted()
        assert rows["known_end"].max() == max(row["stop"] for row in rows.to_dicts())
        assert (rows["known_end"] >= rows["stop"]).all()


@given(fills, hospital)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_is_consumed_is_what_was_dispensed(history: list[tuple], beds: list[tuple]) -> None:
    supply = supplies(history)
    found = stays.extend(supply, inpatient(beds))

    def consumed(rows: pl.DataFrame) -> tuple[float, int]:
        days = pl.col("stop") - pl.col("start")
        return tuple(
            rows.filter(pl.col("repaired") == 0)
            .select((days * pl.col("mme_per_day")).sum(), days.sum().alias("n"))
            .row(0)
        )

    assert consumed(found) == pytest.approx(consumed(supply), rel=1e-12)
    assert found["dropped_days"].sum() == pytest.approx(supply["dropped_days"].sum(), rel=1e-12)
    # what ends as known never lies before what is taken, and the real end is that day or within a day after
    assert found.select((pl.col("known_end") >= pl.col("stop")).all()).item()
    part = found["end"] - found["known_end"]
    assert part.is_between(-1e-6, 1 - 1e-7).all()


@given(fills, hospital)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_people_do_not_change_each_other(history: list[tuple], beds: list[tuple]) -> None:
    whole = stays.extend(supplies(history), inpatient(beds))
    for person in (1, 2, 3):
        alone = stays.extend(supplies([fill for fill in history if fill[0] == person]), inpatient(beds))
        assert whole.filter(pl.col("person_id") == person).equals(alone)
