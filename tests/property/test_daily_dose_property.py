"""Daily dose and status against a slow calculator that walks every day of a person, one at a time.

The calculator shares nothing with the product: no tables, no change points, no running sums. For status it forgets,
on each day, every fill still to come: what differs from it has looked into the future.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import daily_dose, episodes, status

HORIZON = 260  # the calculator walks no further; days left of a high dose may last longer at a low one
CARRY_OVER = 7


@dataclass(frozen=True)
class Fill:
    person: int
    day: int
    days_supply: float
    mme: float | None
    product: str
    repaired: int
    buprenorphine: int


fills = st.lists(
    st.builds(
        Fill,
        person=st.integers(1, 2),
        day=st.integers(0, 70),
        days_supply=st.sampled_from([0.25, 1 / 3, 0.5, 1.0, 4 / 3, 7.0, 7.5, 10.0, 30.0]),
        mme=st.sampled_from([None, 10.0, 20.1, 33.333333, 45.0, 0.1]),
        product=st.sampled_from(["a", "b", "c"]),
        repaired=st.integers(0, 1),
        buprenorphine=st.integers(0, 1),
    ),
    max_size=14,
)
caps = st.sampled_from([0, 10, 30])


def frame(history: list[Fill]) -> pl.DataFrame:
    return pl.DataFrame(
        [(f.person, f.day, f.days_supply, f.mme, f.product, f.repaired, f.buprenorphine) for f in history],
        schema={
            "person_id": pl.Int64, "start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64,
            "product": pl.String, "repaired": pl.Int64, "is_buprenorphine": pl.Int64,
        },
        orient="row",
    )  # fmt: skip


def walk_product(history: list[Fill], cap: float) -> tuple[dict[int, tuple], float]:
    """What one product gives on each day, and the end of its supply after the last fill."""
    on_day: dict[int, tuple] = {}
    end, today = -math.inf, None
    for day in range(HORIZON):
        new = [f for f in history if f.day == day]
        if new:
            longest = max(f.days_supply for f in new)
            known = [f for f in new if f.mme is not None]
            mme = sum(f.mme * f.days_supply for f in known) / longest if known else None
            units = mme if len(known) == len(new) else None
            left = min(max(end - day, 0), cap)
            ratio = 1 if today is None or today[1] is None or units is None else today[1] / units
            end = day + longest + left * ratio
            incomplete = any(f.mme is None for f in new)
            today = (mme, units, incomplete, max(f.repaired for f in new), max(f.buprenorphine for f in new))
        if today is not None and day + 1 <= end + 1e-6:
            on_day[day] = today
    return on_day, end


def walk_person(history: list[Fill], cap: float) -> tuple[dict[int, tuple], float]:
    """(mme, incomplete, buprenorphine, repaired) of each day with supply, and when supply ends (real-valued)."""
    products = [walk_product([f for f in history if f.product == p], cap) for p in sorted({f.product for f in history})]
    days = {}
    for day in range(HORIZON):
        parts = [on_day[day] for on_day, _ in products if day in on_day]
        if parts:
            known = [part[0] for part in parts if part[0] is not None]
            days[day] = (
                sum(known) if known else None,
                int(any(part[2] for part in parts)),
                int(any(part[4] for part in parts)),
                int(any(part[3] for part in parts)),
            )
    return days, max((end for _, end in products), default=-math.inf)


def by_day(table: pl.DataFrame, columns: list[str]) -> dict[tuple[int, int], tuple]:
    found: dict[tuple[int, int], tuple] = {}
    for row in table.iter_rows(named=True):
        for day in range(row["start"], row["stop"]):
            assert (row["person_id"], day) not in found, "stretches overlap"
            found[row["person_id"], day] = tuple(row[name] for name in columns)
    return found


def same(left: tuple, right: tuple) -> bool:
    return left[1:] == right[1:] and (
        left[0] is right[0] is None
        or (None not in (left[0], right[0]) and left[0] == pytest.approx(right[0], abs=1e-8))
    )


@given(fills, caps)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_daily_dose_agrees_with_the_slow_calculator_on_every_day(history: list[Fill], cap: int) -> None:
    daily = daily_dose.build(frame(history).lazy(), stockpile_cap_days=cap).collect()
    values = by_day(daily, ["mme", "mme_incomplete", "on_buprenorphine", "repaired"])
    found = {(person, day): value for (person, day), value in values.items() if day < HORIZON}
    expected = {
        (person, day): values
        for person in {f.person for f in history}
        for day, values in walk_person([f for f in history if f.person == person], cap)[0].items()
    }
    assert found.keys() == expected.keys()
    assert all(same(found[key], expected[key]) for key in expected)


@given(fills, caps)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_order_of_fills_does_not_matter_and_neighbours_differ(history: list[Fill], cap: int) -> None:
    daily = daily_dose.build(frame(history).lazy(), cap).collect()
    assert daily.equals(daily_dose.build(frame(history[::-1]).lazy(), cap).collect())
    values = ["mme", "mme_incomplete", "on_buprenorphine", "repaired"]
    for before, after in pairwise(daily.to_dicts()):
        touching = before["person_id"] == after["person_id"] and before["stop"] == after["start"]
        assert not (touching and all(before[name] == after[name] for name in values))
        assert before["person_id"] < after["person_id"] or before["stop"] <= after["start"]


@given(fills, caps, st.integers(0, 40))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_episodes_hold_every_day_of_supply_once_and_gaps_between_them_are_long(
    history: list[Fill], cap: int, gap: int
) -> None:
    daily = daily_dose.build(frame(history).lazy(), cap)
    found = episodes.build(daily, gap).collect()
    days = by_day(daily.collect(), ["mme"])
    assert found.get_column("days_active").sum() == len(days)
    for row in found.iter_rows(named=True):
        active = sorted(d for p, d in days if p == row["person_id"] and row["start"] <= d < row["stop"])
        assert (active[0], active[-1] + 1, len(active)) == (row["start"], row["stop"], row["days_active"])
        assert all(later - earlier - 1 <= gap for earlier, later in pairwise(active))
        known = [days[row["person_id"], d][0] for d in active if days[row["person_id"], d][0] is not None]
        assert row["mean_mme"] == (pytest.approx(sum(known) / len(known), rel=1e-12) if known else None)
    pairs = pairwise(found.to_dicts())
    assert all(b["start"] - a["stop"] > gap for a, b in pairs if a["person_id"] == b["person_id"])


@given(fills, fills, caps, st.integers(0, 110))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_status_on_each_day_needs_no_fill_of_a_later_day(
    history: list[Fill], treated: list[Fill], cap: int, last: int
) -> None:
    people = pl.DataFrame({"person_id": [1, 2], "last": [last] * 2}, schema={"person_id": pl.Int64, "last": pl.Int32})
    treated = [Fill(f.person, f.day, f.days_supply, None, "treatment", 0, 1) for f in treated[:3]]
    daily = daily_dose.cut(daily_dose.build(frame(history).lazy(), cap), people.lazy()).collect()
    analgesic, treatment = (daily_dose.supplies(frame(part), cap) for part in (history, treated))
    no_interval = people.select("person_id", start="last").clear()
    observed = people.select("person_id", pl.lit(0, pl.Int32).alias("start"), end="last")
    use = status.from_dispensings(
        daily, analgesic, treatment, no_interval, people,
        observation=observed, carry_over_days=CARRY_OVER, washout_days=180,
    )  # fmt: skip
    found = by_day(use, ["mme", "state", "on_since", "supply_end"])
    for person in (1, 2):
        on_since = None
        for day in range(HORIZON):
            expected = slow_status(person, day, history, treated, cap) if day <= last else None
            if expected is None:
                assert (person, day) not in found
                continue
            mme, state, supply_end = expected
            on_since = (on_since if on_since is not None else day) if state == "on" else None
            assert same(found[person, day], (mme, state, on_since, supply_end))


def slow_status(person: int, day: int, history: list[Fill], treated: list[Fill], cap: int) -> tuple | None:
    past, treated_past = ([f for f in part if f.person == person and f.day <= day] for part in (history, treated))
    if not past and not treated_past:
        return None  # never
    held, end = walk_person(past, cap)
    _, treatment_end = walk_person(treated_past, cap)
    for filled in {f.day for f in past} - held.keys():  # supply of part of a day: at the dose of that day's fills
        held[filled] = walk_part_day(past, filled)
    end, treatment_end = (known if known == -math.inf else math.floor(known + 1e-6) for known in (end, treatment_end))
    on = day < end + CARRY_OVER
    mme = held[max(d for d in held if d <= day)][0] if on else 0.0
    supply_end = max(end, treatment_end)
    if day < treatment_end:
        return mme, "treatment", supply_end
    if on:
        return mme, "on", supply_end
    return mme, "recent" if day <= supply_end + 90 else "former", supply_end


def walk_part_day(past: list[Fill], day: int) -> tuple:
    """The dose of fills of one day whose supply does not last it: each product as if it lasted a day."""
    doses = []
    for product in sorted({f.product for f in past if f.day == day}):
        new = [f for f in past if f.product == product and f.day == day]
        longest = max(f.days_supply for f in new)
        known = [f.mme * f.days_supply / longest for f in new if f.mme is not None]
        doses += [sum(known)] if known else []
    return (sum(doses) if doses else None,)
