"""Dose events against a slow calculator that looks at every day of every window, one at a time, in fractions."""

from dataclasses import dataclass
from fractions import Fraction

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.config.exposure import DoseEvents
from opioid_outcomes.exposure import events

RULES = DoseEvents(prior_days=70, next_days=20, taper_days=25, discontinuation_days=40, min_fall=0.15, high_dose_mme=80)
RISE, FALL, STABLE = Fraction(1, 5), Fraction(3, 20), Fraction(1, 5)

doses = st.sampled_from([50.0, 50.0, 54.0, 55.0, 60.0, 42.5, 42.0, 30.0, 80.0, 100.0, None])
stretch = st.tuples(
    st.sampled_from([0, 0, 0, 0, 2, 5, 29, 30, 31, 39, 40]),  # days since the last supply
    st.sampled_from([1, 5, 7, 20, 30, 60, 75]),
    doses,
    st.sampled_from([0] * 9 + [1]),
)


@dataclass(frozen=True)
class History:
    stretches: list[tuple]
    begin: int
    end: int
    death: int | None
    endless: int | None

    def days(self) -> dict[int, tuple[Fraction | None, bool]]:
        """Known part of the dose, and whether it is known in full, of each day with supply."""
        found, day = {}, 0
        last = self.end if self.death is None else min(self.end, self.death)
        for gap, length, mme, incomplete in self.stretches:
            day += gap
            for _ in range(length):
                if day <= last:
                    found[day] = (None if mme is None else Fraction(str(mme)), mme is not None and not incomplete)
                day += 1
        return found


histories = st.builds(
    History,
    st.lists(stretch, min_size=2, max_size=10),
    begin=st.sampled_from([-100, -100, 0, 30]),
    end=st.sampled_from([600, 600, 250, 140]),
    death=st.sampled_from([None, None, None, 120, 200]),
    endless=st.sampled_from([None, None, None, 100, 160]),
)


class Slow:
    def __init__(self, history: History) -> None:
        self.history, self.dose = history, history.days()

    def assessable(self, first: int, stop: int) -> bool:
        if not self.observed(first, stop) or self.history.endless in range(first, stop):
            return False
        if any(not self.dose[d][1] for d in range(first, stop) if d in self.dose):
            return False
        without = longest = 0
        for d in range(first, stop):
            without = 0 if d in self.dose else without + 1
            longest = max(longest, without)
        return longest <= 30

    def observed(self, first: int, stop: int) -> bool:
        alive = self.history.death is None or stop <= self.history.death
        return self.history.begin <= first and stop - 1 <= self.history.end and alive

    def mean(self, first: int, stop: int) -> Fraction | None:
        known = [self.dose[d][0] for d in range(first, stop) if d in self.dose]
        return sum(known, Fraction(0)) / len(known) if known else None

    def stable(self, day: int) -> bool:
        mean = self.mean(day - 70, day)
        if mean is None:
            return False
        parts = [
            self.mean(first, stop) for first, stop in ((day - 30, day), (day - 60, day - 30), (day - 70, day - 60))
        ]
        return all(part is None or abs(part - mean) <= STABLE * mean for part in parts)

    def previous(self, day: int) -> Fraction:
        """Known part of the dose of the last day with supply before ``day``."""
        earlier = max((d for d in self.dose if d < day), default=None)
        return None if earlier is None else self.dose[earlier][0] or Fraction(0)

    def last(self, first: int, stop: int) -> Fraction | None:
        day = max((d for d in self.dose if first <= d < stop), default=None)
        return None if day is None else self.dose[day][0]

    def changes(self, sign: int) -> list[int]:
        return [
            d for d in sorted(self.dose)
            if self.previous(d) is not None and sign * ((self.dose[d][0] or 0) - self.previous(d)) > 0
        ]  # fmt: skip

    def risen(self, before: Fraction, after: Fraction | None) -> bool:
        return after is not None and after >= before * (1 + RISE) and after >= before + 5

    def escalations(self) -> list[tuple]:
        found: list[tuple] = []
        for day in self.changes(1):
            if not self.assessable(day - 70, day + 20) or not self.stable(day):
                continue
            before, after = self.mean(day - 70, day), self.mean(day, day + 20)
            spaced = not found or day >= found[-1][0] + 20
            if spaced and self.risen(before, after) and self.risen(before, self.last(day, day + 20)):
                found.append((day, day - 70, day + 20, day + 20, before, after))
        return found

    def maintained(self) -> list[tuple]:
        found, run, last = [], None, None
        for today in sorted(self.dose):
            run = today if last is None or today - last - 1 > 30 else run
            last = today
            day = today
            if day < run + 70 or (day - run - 70) % 30 or not self.assessable(day - 70, day + 20):
                continue
            before, after = self.mean(day - 70, day), self.mean(day, day + 20)
            if self.stable(day) and abs(after - before) <= STABLE * before and not self.risen(before, after):
                found.append((day, day - 70, day + 20, day + 20, before, after))
        return found

    def tapers(self) -> list[tuple]:
        found: list[tuple] = []
        for day in self.changes(-1):
            if not self.assessable(day - 70, day + 50) or not self.stable(day):
                continue
            before, after, later = self.mean(day - 70, day), self.mean(day, day + 25), self.mean(day + 25, day + 50)
            spaced = not found or day >= found[-1][0] + 50
            if spaced and after is not None and later is not None and max(after, later) <= before * (1 - FALL):
                found.append((day, day - 70, day + 50, day + 50, before, after))
        return found

    def rapid(self, days: int, share: Fraction) -> list[tuple]:
        found = []
        for row in self.tapers():
            day, before = row[0], row[4]
            falls = [d for d in self.changes(-1) if day <= d < day + 25]
            held = {d: self.dose[max(e for e in self.dose if e <= d + days - 1)][0] or 0 for d in falls}
            if any(min(self.previous(d), before) - held[d] > share * before for d in falls):
                found.append(row)
        return found

    def discontinuations(self) -> list[tuple]:
        found = []
        for last in self.dose:
            day, stop = last + 1, last + 41
            if any(d in self.dose for d in range(day, stop)) or self.history.endless in range(day, stop):
                continue
            if self.observed(day, stop):
                known = self.dose[last][1] and self.history.endless != last
                found.append((day, day, stop, stop, self.dose[last][0] if known else None, Fraction(0)))
        return found

    def high_dose_starts(self) -> list[tuple]:
        day = min((d for d in self.dose if (self.dose[d][0] or 0) >= 80), default=None)
        if day is None or not self.observed(day, day + 1):
            return []
        before, known = self.dose.get(day - 1, (Fraction(0), True))
        before = None if not known or self.history.endless == day - 1 else before
        return [(day, day, day + 1, day, before, self.dose[day][0])]

    def all(self) -> dict[str, list[tuple]]:
        return {
            "escalation": self.escalations(),
            "maintenance": self.maintained(),
            "taper": self.tapers(),
            "rapid_taper_weekly": self.rapid(7, Fraction(1, 10)),
            "rapid_taper_monthly": self.rapid(30, Fraction(3, 10)),
            "discontinuation": self.discontinuations(),
            "high_dose_start": self.high_dose_starts(),
        }


def tables(people: list[History]) -> tuple[pl.DataFrame, ...]:
    def table(rows: list[tuple], **schema: pl.DataType) -> pl.DataFrame:
        return pl.DataFrame(rows, schema={"person_id": pl.Int64, **schema}, orient="row")

    daily = [
        (person, day, day + 1, None if mme is None else float(mme), int(not known))
        for person, history in enumerate(people)
        for day, (mme, known) in history.days().items()
    ]
    return (
        table(daily, start=pl.Int32, stop=pl.Int32, mme=pl.Float64, mme_incomplete=pl.Int64),
        table([(i, h.begin, h.end) for i, h in enumerate(people)], start=pl.Int32, end=pl.Int32),
        table([(i, h.death) for i, h in enumerate(people) if h.death is not None], date=pl.Int32),
        table(
            [(i, h.endless, None, 1) for i, h in enumerate(people) if h.endless is not None],
            date=pl.Int32, days_supply=pl.Float64, analgesic=pl.Int64,
        ),
    )  # fmt: skip


def assert_found_as_walked(people: list[History]) -> None:
    found = events.find(*tables(people), rules=RULES)
    for person, history in enumerate(people):
        for name, expected in Slow(history).all().items():
            rows = found.filter(person_id=person, event=name)
            days = rows.select("date", "window_start", "window_stop", "follow_up_from").rows()
            assert days == [row[:4] for row in expected], name
            for row, (*_, before, after) in zip(rows.iter_rows(named=True), expected, strict=True):
                for value, exact in ((row["mme_before"], before), (row["mme_after"], after)):
                    assert (value is None) == (exact is None)
                    assert exact is None or abs(value - float(exact)) < 1e-9
                if before:
                    assert abs(row["change"] - float(after / before - 1)) < 1e-9
                else:
                    assert row["change"] is None


@given(st.lists(histories, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_every_event_is_where_a_walk_over_days_finds_it(people: list[History]) -> None:
    assert_found_as_walked(people)


steady = st.tuples(
    st.sampled_from([0, 0, 0, 0, 2, 30]), st.sampled_from([30, 60, 75, 90]),
    st.sampled_from([50.0, 55.0, 60.0, 62.5, 40.0, 42.5, 30.0, 85.0]), st.just(0),
)  # fmt: skip


@given(st.lists(steady, min_size=4, max_size=8))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_events_of_steady_therapy(plan: list[tuple]) -> None:
    """Long stretches of one dose, which have events, so that their days are compared and not only their absence."""
    assert_found_as_walked([History(plan, begin=-100, end=900, death=None, endless=None)])


def test_the_histories_compared_hold_every_kind_of_event() -> None:
    plan = [(0, 100, 50.0, 0), (0, 100, 80.0, 0), (0, 75, 60.0, 0), (0, 10, 50.0, 0), (0, 90, 40.0, 0)]
    found = events.find(*tables([History(plan, -100, 900, None, None)]), rules=RULES)
    assert set(found["event"]) == set(events.EVENTS)
