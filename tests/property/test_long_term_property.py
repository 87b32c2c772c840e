"""Long-term therapy against a slow calculator that judges every day by the days up to it, one at a time."""

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.exposure import long_term

LAST = 900
DAYS = {"start": pl.Int32, "stop": pl.Int32}
CLEAN = {
    "person_id": pl.Int64, "date": pl.Int32, "product": pl.String, "days_supply": pl.Float64, "analgesic": pl.Int64,
}  # fmt: skip

stretch = st.tuples(
    st.integers(0, 40) | st.just(0) | st.just(200),  # days since the last supply
    st.sampled_from([1, 7, 20, 30, 60, 90, 120, 170]),
    st.sampled_from([None, 30.0, 50.0, 57.5, 57.6, 60.0, 90.0, 89.9, 120.0]),
    st.sampled_from([0, 0, 0, 1]),
)
stretches = st.lists(stretch, max_size=12)
fills = st.lists(
    st.tuples(st.integers(0, 700), st.sampled_from(["a", "b"]), st.sampled_from([None, 0.5, 10.0, 30.0, 60.0])),
    max_size=14,
)
# a refill every so many days, with some jitter: what meets the definitions that ask for much
regular = st.tuples(st.integers(5, 60), st.lists(st.integers(-3, 3), max_size=20)).map(
    lambda plan: [(max(0, i * plan[0] + jitter), "a", 30.0) for i, jitter in enumerate(plan[1])]
)


def days(history: list[tuple]) -> dict[int, tuple[float | None, int]]:
    """Dose and whether it is incomplete, of each day with supply."""
    found, day = {}, 0
    for gap, length, mme, incomplete in history:
        day += gap
        for _ in range(length):
            if day <= LAST:
                found[day] = (mme, 1 if mme is None else incomplete)
            day += 1
    return found


def tables(history: list[tuple], dispensed: list[tuple]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    daily = pl.DataFrame(
        [(1, day, day + 1, mme, incomplete) for day, (mme, incomplete) in days(history).items()],
        schema={"person_id": pl.Int64, **DAYS, "mme": pl.Float64, "mme_incomplete": pl.Int64},
        orient="row",
    )
    clean = pl.DataFrame(
        [(1, day, product, supply, 1) for day, product, supply in dispensed],
        schema=CLEAN,
        orient="row",
    )
    last = pl.DataFrame({"person_id": [1], "last": [LAST]}, schema={"person_id": pl.Int64, "last": pl.Int32})
    return daily, clean, last


class Slow:
    """One person; every question is answered by walking days."""

    def __init__(self, history: list[tuple], dispensed: list[tuple]) -> None:
        self.dose = days(history)
        self.fills: dict[int, dict[str, float | None]] = {}
        for day, product, supply in dispensed:
            of_day = self.fills.setdefault(day, {})
            known = [value for value in (of_day.get(product), supply) if value is not None]
            of_day[product] = max(known) if known else None

    def count(self, first: int, day: int) -> int:
        return sum(len(self.fills[d]) for d in range(first, day + 1) if d in self.fills)

    def dispensed_days(self, first: int, day: int) -> float:
        return sum(supply or 0 for d in range(first, day + 1) for supply in self.fills.get(d, {}).values())

    def supplied(self, first: int, day: int) -> int:
        return sum(d in self.dose for d in range(first, day + 1))

    def mme(self, first: int, day: int) -> Fraction | None:
        """Sum of the daily doses; None if one is not known."""
        window = range(first, day + 1)
        if any(self.dose[d][1] for d in window if d in self.dose):
            return None
        if any(supply is None for d in window for supply in self.fills.get(d, {}).values()):
            return None
        return sum((Fraction(str(self.dose[d][0])) for d in window if d in self.dose), Fraction(0))

    def episode(self, day: int) -> int | None:
        """First day of the episode that is open on the day."""
        begin = latest = None
        for d in sorted(self.fills):
            if d > day:
                break
            begin = d if latest is None or d - latest > 183 else begin
            latest = d
        return None if latest is None or day - latest > 183 else begin

    def met(self, name: str, day: int) -> int | None:
        """First day of the window that meets the definition on the day; None if it is not met."""
        year = day - 364
        least = {"d90_in_365": 90, "d180": 180, "svendsen_wide": 183}
        fills_within = {"fills3": (3, 365), "fills6": (6, 365), "dunn_entry": (3, 90)}
        if name in least:
            return year if self.supplied(year, day) >= least[name] else None
        if name in fills_within:
            number, length = fills_within[name]
            return day - length + 1 if self.count(day - length + 1, day) >= number else None
        return {"consort": self.consort, "opera": self.opera, "hdltot": self.high, "stable_hd": self.stable}[name](day)

    def consort(self, day: int) -> int | None:
        begin = self.episode(day)
        if begin is None or day + 1 - begin <= 90:
            return None
        first = max(begin, day - 364)
        return first if self.count(first, day) >= 10 or self.dispensed_days(first, day) >= 120 else None

    def opera(self, day: int) -> int | None:
        begin = self.episode(day)
        supplied = 0 if begin is None else self.supplied(begin, day)
        return begin if supplied >= 90 and 2 * supplied >= day + 1 - begin else None

    def high(self, day: int) -> int | None:
        first = day - 89
        high = sum(d in self.dose and (self.dose[d][0] or 0) >= 90 for d in range(first, day + 1))
        return first if self.mme(first, day) is not None and high >= 81 else None

    def stable(self, day: int) -> int | None:
        total = self.mme(day - 359, day)
        if total is None or total < 50 * 360:
            return None
        parts = [self.mme(first, first + 59) for first in range(day - 359, day, 60)]
        return day - 359 if all(abs(part * 6 - total) <= total * Fraction(15, 100) for part in parts) else None

    def first(self, name: str) -> tuple[int, int] | None:
        for day in range(LAST + 1):
            if day in self.dose or day in self.fills:
                window_start = self.met(name, day)
                if window_start is not None:
                    return window_start, day
        return None


@given(stretches, fills | regular)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_each_definition_is_met_on_the_day_that_a_walk_over_days_finds(history: list, dispensed: list) -> None:
    found = long_term.find(*tables(history, dispensed))
    met = {name: (start, day) for _, name, start, day in found.iter_rows()}
    slow = Slow(history, dispensed)
    for name in long_term.DEFINITIONS:
        assert met.get(name) == slow.first(name), name


steady = st.tuples(
    st.sampled_from([0, 0, 0, 1, 3, 8, 30]),
    st.sampled_from([28, 30, 60]),
    st.sampled_from([52.0, 55.0, 60.0, 92.0, 95.0]),
    st.just(0),
)


@pytest.mark.parametrize("name", long_term.DEFINITIONS)
@given(plan=st.lists(steady, min_size=8, max_size=14))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_steady_therapy(name: str, plan: list) -> None:
    """Histories most of which meet a definition, so that the day is compared and not only its absence."""
    dispensed, day = [], 0
    for gap, length, _, _ in plan:
        day += gap
        dispensed.append((day, "a", float(length)))
        day += length
    met = {row[1]: row[2:] for row in long_term.find(*tables(plan, dispensed)).iter_rows()}
    assert met.get(name) == Slow(plan, dispensed).first(name)
