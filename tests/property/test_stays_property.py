"""Supply around stays against a walker that lives every day of a person, one at a time, in plain Python."""

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import daily_dose, stays

HORIZON = 1000  # the walker walks no further than supply can last
NOTHING = -1.0
fills = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 60),
        st.sampled_from([0.5, 1.0, 4 / 3, 7.0, 7.5, 10.0, 30.0]),
        st.sampled_from([None, 10.0, 20.0, 45.0]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([0, 0, 0, 1]),
    ),
    max_size=12,
)
hospital = st.lists(st.tuples(st.integers(1, 2), st.integers(-5, 90), st.integers(-1, 25)), max_size=7)


def supplies(history: list[tuple], cap: float | None = 30) -> pl.DataFrame:
    schema = ["person_id", "start", "days_supply", "mme_per_day", "product", "repaired"]
    types = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return daily_dose.supplies(pl.LazyFrame(history, schema=schema, orient="row", schema_overrides=types), cap)


def inpatient(rows: list[tuple]) -> pl.DataFrame:
    days = [(person, start, start + length) for person, start, length in rows]
    schema = {"person_id": pl.Int64, "start": pl.Int32, "end": pl.Int32}
    return pl.DataFrame(days, schema=schema, orient="row")


def walk(rows: list[dict], days_in: set[int]) -> tuple[dict[int, tuple[float | None, int]], float]:
    """Dose and repaired of each day of one product of one person, who takes one day's supply at a time.

    And the MME of the parts of days that are left when supply ends.
    """
    begun = [row["start"] for row in rows]
    ends = [min(row["end"], later) for row, later in zip(rows, [*begun[1:], math.inf], strict=True)]
    waiting = [(row, end - row["start"]) for row, end in zip(rows, ends, strict=True)]
    days: dict[int, tuple[float | None, int]] = {}
    row, left, taken, sure, held, lost = None, 0.0, 0, math.inf, None, 0.0
    for day in range(-10, HORIZON):
        inside = day in days_in
        admitted = inside and day - 1 not in days_in
        while waiting and waiting[0][0]["start"] <= day and (not inside or admitted):
            old, (row, has) = row, waiting.pop(0)
            passes_on = old is not None and left > 0
            same = not (passes_on and old["units_per_day"] and row["units_per_day"])
            tainted = passes_on and (old["repaired"] == 1 or sure < math.inf)
            left = has + left * (1 if same else old["units_per_day"] / row["units_per_day"])
            taken, sure = 0, math.floor(has + 1e-6) if tainted else math.inf
            if row["repaired_from"] is not None:
                sure = row["repaired_from"] - row["start"]
        a_day = row is not None and left >= 1 - 1e-6
        if admitted:
            held = row["mme_per_day"] if a_day else NOTHING
        if inside:
            if held != NOTHING:
                days[day] = (held, 1)
        elif a_day:
            days[day] = (row["mme_per_day"], int(row["repaired"] == 1 or taken >= sure))
            left, taken = left - 1, taken + 1
        elif row is not None:
            lost, left = lost + left * (row["mme_per_day"] or 0), 0.0
    assert (waiting, left) == ([], 0), "the horizon is too near"
    return days, lost


def taken(found: pl.DataFrame) -> list[tuple[int, tuple[float | None, int]]]:
    """Dose and repaired of each day of each row."""
    return [
        (day, (row["mme_per_day"], int(row["repaired"] == 1 or (since is not None and day >= since))))
        for row in found.to_dicts() for since in [row["repaired_from"]] for day in range(row["start"], row["stop"])
    ]  # fmt: skip


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
        days = taken(rows)
        assert len(days) == len(dict(days)), "the dose is doubled"
        assert dict(days) == walk(before.to_dicts(), days_in)[0]


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
        expected = [item for row in before.to_dicts() for item in walk([row], days_in)[0].items()]
        assert sorted(taken(rows), key=repr) == sorted(expected, key=repr)
        assert rows["known_end"].is_sorted()
        assert rows["known_end"].max() == max(row["stop"] for row in rows.to_dicts())
        assert (rows["known_end"] >= rows["stop"]).all()


@given(fills, hospital)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_is_consumed_is_what_was_dispensed(history: list[tuple], beds: list[tuple]) -> None:
    supply = supplies([(*fill[:3], fill[3] or 10.0, fill[4], 0) for fill in history])
    found = stays.extend(supply, inpatient(beds))
    dispensed, lost = 0.0, 0.0
    for (person, _), rows in supply.group_by("person_id", "product"):
        days_in = {d for p, start, length in beds if p == person for d in range(start, start + length)}
        lost += walk(rows.to_dicts(), days_in)[1]
        taken_over = pl.col("start").shift(-1)
        own = pl.min_horizontal("end", taken_over) - pl.col("start")
        dispensed += rows.select((own * pl.col("mme_per_day")).sum()).item()
    home = found.filter(pl.col("repaired") == 0)
    consumed = home.select(((pl.col("stop") - pl.col("start")) * pl.col("mme_per_day")).sum()).item()
    assert consumed + lost == pytest.approx(dispensed, rel=1e-9)
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


@given(fills, hospital, st.sampled_from([None, 0, 10, 30]), st.integers(0, 90))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_day_rests_on_a_fill_or_a_stay_that_begins_later(
    history: list[tuple], beds: list[tuple], cap: float | None, until: int
) -> None:
    def days(dispensed: list[tuple], inside: list[tuple]) -> set[tuple]:
        supply = supplies(dispensed, cap)
        found = daily_dose.sum_over_products(stays.extend(supply, inpatient(inside), stockpiled=cap is not None))
        return {
            (row["person_id"], day, row["mme"], row["mme_incomplete"], row["repaired"])
            for row in found.to_dicts() for day in range(row["start"], min(row["stop"], until + 1))
        }  # fmt: skip

    so_far = days([fill for fill in history if fill[1] <= until], [stay for stay in beds if stay[1] <= until])
    assert days(history, beds) == so_far
