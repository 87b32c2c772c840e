"""Daily dose and status against a slow calculator that walks every day of a person, one at a time.

The calculator shares nothing with the product: no tables, no change points, no running sums. For status it forgets,
on each day, every fill still to come: what differs from it has looked into the future.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from unittest import mock

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import daily_dose, episodes, packed, status, stockpile
from opioid_outcomes.exposure.ledger import Supplied

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
    mg: float | None = None  # of methadone, whose factor depends on the day's total


TIERS = pl.DataFrame({"ingredient": ["methadone"] * 4, "above": [0.0, 20, 40, 60], "factor": [4.0, 8, 10, 12]})


def tiered(mg: float) -> float:
    """MME of a day's total mg of methadone (METHODS B1)."""
    return mg * (4 if mg <= 20 else 8 if mg <= 40 else 10 if mg <= 60 else 12)


def methadone(*, person: int, day: int, days_supply: float, mg: float | None, product: str, repaired: int) -> Fill:
    return Fill(person, day, days_supply, None if mg is None else tiered(mg), product, repaired, 0, mg)


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
PERSONS = 10
histories = st.lists(  # of ten people at once
    st.one_of(
        st.builds(
            Fill,
            person=st.integers(1, PERSONS),
            day=st.integers(0, 70),
            days_supply=st.sampled_from([0.25, 1 / 3, 0.5, 1.0, 4 / 3, 7.0, 7.5, 10.0, 30.0]),
            mme=st.sampled_from([None, 10.0, 20.1, 33.333333, 45.0, 0.1]),
            product=st.sampled_from(["a", "b"]),
            repaired=st.integers(0, 1),
            buprenorphine=st.integers(0, 1),
        ),
        st.builds(
            methadone,
            person=st.integers(1, PERSONS),
            day=st.integers(0, 70),
            days_supply=st.sampled_from([0.5, 1.0, 7.5, 10.0, 30.0]),
            mg=st.sampled_from([None, 5.0, 7.5, 10.0, 20.0, 20.5, 30.0]),
            product=st.sampled_from(["methadone 5", "methadone 10"]),
            repaired=st.integers(0, 1),
        ),
    ),
    min_size=20,
    max_size=60,
)
# the way taken must not show: keys that hold every person or few, chunks of everybody or of one person
ways = st.sampled_from([(63, 2**16), (28, 2**16), (63, 4)])


def frame(history: list[Fill]) -> pl.DataFrame:
    return pl.DataFrame(
        [(f.person, f.day, f.days_supply, f.mme, f.product, f.repaired, f.buprenorphine, f.mg) for f in history],
        schema={
            "person_id": pl.Int64, "start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64,
            "product": pl.String, "repaired": pl.Int64, "is_buprenorphine": pl.Int64, "tiered_mg_per_day": pl.Float64,
        },
        orient="row",
    )  # fmt: skip


def walk_product(history: list[Fill], cap: float) -> tuple[dict[int, tuple], float]:
    """What one product gives on each day, and the end of its supply after the last fill."""
    on_day: dict[int, tuple] = {}
    end, today, since = -math.inf, None, math.inf
    for day in range(HORIZON):
        new = [f for f in history if f.day == day]
        if new:
            longest = max(f.days_supply for f in new)
            known = [f for f in new if f.mme is not None]
            mme = sum(f.mme * f.days_supply for f in known) / longest if known else None
            units = 1 if mme is None else mme
            left = min(max(end - day, 0), cap)
            ratio = 1 if today is None else today[1] / units
            end = day + longest + left * ratio
            # from then on the day is there by what repaired supply left over
            since = math.floor(day + longest + 1e-6) if left > 0 and (today[3] or since < math.inf) else math.inf
            incomplete = any(f.mme is None for f in new)
            tiered_mg = [f.mg * f.days_supply / longest for f in new if f.mg is not None]
            mg = sum(tiered_mg) if tiered_mg else None
            today = (mme, units, incomplete, max(f.repaired for f in new), max(f.buprenorphine for f in new), mg)
        if today is not None and day + 1 <= end + 1e-6:
            on_day[day] = today if day < since else (*today[:3], 1, *today[4:])
    return on_day, end


def walk_person(history: list[Fill], cap: float | None, tiers: bool = False) -> tuple[dict[int, tuple], float]:
    """(mme, incomplete, buprenorphine, repaired, mg) of each day with supply, and when supply ends (real-valued)."""
    if cap is None:  # every fill by itself
        products = [walk_product([fill], 0) for fill in history]
    else:
        names = sorted({f.product for f in history})
        products = [walk_product([f for f in history if f.product == name], cap) for name in names]
    days = {}
    for day in range(HORIZON):
        parts = [on_day[day] for on_day, _ in products if day in on_day]
        if parts:
            mg = [part[5] for part in parts if part[5] is not None] if tiers else []
            known = [part[0] for part in parts if part[0] is not None and not (tiers and part[5] is not None)]
            known += [tiered(round(sum(mg), 6))] if mg else []
            days[day] = (
                sum(known) if known else None,
                int(any(part[2] for part in parts)),
                int(any(part[4] for part in parts)),
                int(any(part[3] for part in parts)),
                sum(mg) if mg else None,
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


def built(history: list[Fill], cap: float | None, tiers: bool, way: tuple[int, int] = (63, 2**16)) -> pl.DataFrame:
    key_bits, chunk = way
    with (
        mock.patch.object(packed, "KEY_BITS", key_bits),
        mock.patch.object(packed, "CHUNK", chunk),
        mock.patch.object(stockpile, "CHUNK", chunk),
    ):
        people = frame(history).lazy().with_columns(pl.col("person_id") * 1000)
        daily = daily_dose.build(people, cap, tiers=TIERS if tiers else None).collect()
    return daily.with_columns(pl.col("person_id") // 1000)


@given(histories, st.sampled_from([None, 0, 10, 30]), st.booleans(), ways)
@settings(max_examples=250, deadline=None, derandomize=True)
def test_daily_dose_of_2000_people_agrees_with_the_slow_calculator_on_every_day(
    history: list[Fill], cap: int | None, tiers: bool, way: tuple[int, int]
) -> None:
    daily = built(history, cap, tiers, way)
    values = by_day(daily, ["mme", "mme_incomplete", "on_buprenorphine", "repaired", "tiered_mg"])
    found = {(person, day): value for (person, day), value in values.items() if day < HORIZON}
    expected = {
        (person, day): values
        for person in {f.person for f in history}
        for day, values in walk_person([f for f in history if f.person == person], cap, tiers)[0].items()
    }
    assert found.keys() == expected.keys()
    for key, (*dose, mg) in expected.items():
        assert same(found[key][:4], tuple(dose))
        assert same((found[key][4],), (mg,))
        assert found[key][0] is None or found[key][0] >= 0


@given(histories, st.sampled_from([None, 0, 10, 30]), ways, st.integers(0, 200))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_mme_dispensed_is_mme_consumed_but_for_what_the_cap_part_days_and_the_last_day_take(
    history: list[Fill], cap: int | None, way: tuple[int, int], last: int
) -> None:
    history = [f for f in history if f.mme]
    supply = daily_dose.supplies(frame(history), cap).sort("person_id", "product", "start", maintain_order=True)
    before = pl.col("mme_per_day").shift()
    follows = (pl.col("person_id") == pl.col("person_id").shift()) & (pl.col("product") == pl.col("product").shift())
    carried_on = follows.shift(-1, fill_value=False) & (pl.col("end") > pl.col("start").shift(-1)) & (cap is not None)
    removed = supply.select(
        # left-over days are of the dose before
        dropped=pl.when(follows).then(pl.col("dropped_days") * before).fill_null(0).sum(),
        part_days=((pl.col("end") - pl.col("stop")) * pl.col("mme_per_day")).filter(~carried_on).sum(),
    ).row(0)
    daily = built(history, cap, tiers=False, way=way)
    dispensed = sum(f.mme * f.days_supply for f in history if f.mme)
    assert consumed(daily) == pytest.approx(dispensed - sum(removed), rel=1e-7, abs=1e-4)
    people = daily.select("person_id").unique().with_columns(last=pl.lit(last, pl.Int32))
    kept = daily_dose.cut(daily.lazy(), people.lazy()).collect()
    nowhere = pl.DataFrame(schema={"person_id": pl.Int64, "start": pl.Int32, "end": pl.Int32})
    counted = Supplied.of(supply, nowhere, people)
    assert counted.dropped_mme == pytest.approx(removed[0], rel=1e-9)
    accounted = consumed(kept) + counted.dropped_mme + counted.after_mme + removed[1]
    assert accounted == pytest.approx(dispensed, rel=1e-7, abs=1e-4)


def consumed(daily: pl.DataFrame) -> float:
    return float((daily["mme"] * (daily["stop"] - daily["start"])).sum())


@given(histories, st.sampled_from([None, 30]), ways)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_further_person_changes_nothing_for_the_others(
    history: list[Fill], cap: int | None, way: tuple[int, int]
) -> None:
    others = [f for f in history if f.person != 5]
    everybody = built(history, cap, tiers=True, way=way).filter(pl.col("person_id") != 5)
    assert everybody.equals(built(others, cap, tiers=True))


@given(histories, st.sampled_from([None, 0, 10, 30]), st.booleans(), ways)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_order_of_fills_does_not_matter_and_neighbours_differ(
    history: list[Fill], cap: int | None, tiers: bool, way: tuple[int, int]
) -> None:
    daily = built(history, cap, tiers, way)
    assert daily.equals(built(history[::-1], cap, tiers))
    assert daily.equals(built(sorted(history, key=lambda f: f.person), cap, tiers, way))
    values = ["mme", "mme_incomplete", "on_buprenorphine", "repaired", "tiered_mg"]
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
