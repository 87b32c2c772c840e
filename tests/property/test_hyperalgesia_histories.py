"""Dose and pain histories answer as a slow day-by-day reading of the same stretches does."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.hyperalgesia import histories, visits

DAYS = 60
PERSONS = 3
doses = st.one_of(st.none(), st.sampled_from([10.0, 40.0, 45.0, 50.0, 55.0]))
calendars = st.lists(  # per person, a dose (or None: unknown, or "off") for each stretch of some days
    st.lists(st.tuples(st.integers(1, 25), st.one_of(doses, st.just("off"))), min_size=1, max_size=8),
    min_size=PERSONS,
    max_size=PERSONS,
)


def read(calendar: list[list[tuple[int, float | str | None]]]) -> tuple[histories.Histories, np.ndarray]:
    """The histories, and person x day: NaN unknown, 0 off."""
    rows, daily = [], np.zeros((PERSONS, DAYS))
    for person, stretches in enumerate(calendar):
        day = 0
        for length, dose in stretches:
            stop = min(day + length, DAYS)
            if dose != "off" and day < stop:
                rows.append({"person_id": person, "start": day, "stop": stop, "mme": dose})
                daily[person, day:stop] = np.nan if dose is None else dose
            day = stop
    schema = {"person_id": pl.Int64, "start": pl.Int32, "stop": pl.Int32, "mme": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema).with_columns(mme_incomplete=pl.col("mme").is_null().cast(pl.Int64))
    everyone = pl.DataFrame({"person_id": list(range(PERSONS))})
    scores = everyone.join(pl.DataFrame({"date": list(range(DAYS))}), how="cross")
    scores = scores.with_columns(scale=pl.lit("NRS"), score=(pl.col("date") * 7 + pl.col("person_id")) % 11 * 1.0)
    status = everyone.with_columns(state=pl.lit("on"), start=pl.lit(0), stop=pl.lit(DAYS), on_since=pl.lit(0))
    cohort = everyone.with_columns(entry=pl.lit(0), exit=pl.lit(DAYS), death=pl.lit(0))
    return histories.build(cohort, scores, frame, status), daily


def bounds(size: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Persons and spans [first, stop) of at least a day."""
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.integers(0, DAYS, (size, 2)), axis=1)
    return rng.integers(0, PERSONS, size), ends[:, 0], ends[:, 1] + 1


@settings(max_examples=40, deadline=None)
@given(calendars, st.integers(0, 99))
def test_sums_means_and_highest_doses(calendar: list, seed: int) -> None:
    found, daily = read(calendar)
    person, first, stop = bounds(20, seed)
    window = [daily[p, a:b] for p, a, b in zip(person, first, stop, strict=True)]
    assert found.dose.mme_days(person, first, stop) == pytest.approx([np.nansum(days) for days in window])
    supplied = [np.sum((days > 0) | np.isnan(days)) for days in window]
    assert found.dose.days_with_supply(person, first, stop) == pytest.approx(supplied)
    mean = [np.nanmean(days) if np.isfinite(days).any() else np.nan for days in window]
    assert found.dose.mean(person, first, stop) == pytest.approx(mean, nan_ok=True)
    highest, known = found.dose.highest_known(person, first, stop - 1)
    assert highest.tolist() == [np.nanmax(days, initial=0.0) for days in window]
    assert known.tolist() == [bool(np.isfinite(days).all()) for days in window]
    on_day = found.dose.on_day(person, np.minimum(first, DAYS - 1))
    assert on_day == pytest.approx(daily[person, np.minimum(first, DAYS - 1)], nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(calendars, st.integers(5, 40))
def test_decisions_are_those_of_a_day_by_day_reading(calendar: list, stable_days: int) -> None:
    found, daily = read(calendar)
    chosen = visits.eligible(found, stable_days=stable_days)
    ours = set(zip(chosen.person.tolist(), chosen.day.tolist(), strict=True))
    assert ours == {(p, d) for p in range(PERSONS) for d in range(DAYS) if stable(daily[p], d, stable_days)}


def stable(dose: np.ndarray, day: int, stable_days: int) -> bool:
    first = day - stable_days
    supplied = np.flatnonzero((dose[:day] > 0) | np.isnan(dose[:day]))
    inside = supplied[supplied >= first]
    if day == 0 or len(inside) == 0 or inside[-1] != day - 1 or np.isnan(dose[inside]).any():
        return False
    if inside[0] > first:  # the first day was without supply: it must have been a gap, and not a long one
        before = supplied[supplied < first]
        if len(before) == 0 or inside[0] - before[-1] - 1 > 30:
            return False
    if (np.diff(inside) - 1 > 30).any():
        return False
    mean = dose[inside].mean()
    return bool((np.abs(dose[inside] - mean) <= 0.2 * mean + 1e-6).all())
