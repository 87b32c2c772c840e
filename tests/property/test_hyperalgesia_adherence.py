"""When a strategy is left, and what is seen until then, as a slow day-by-day reading of the same stretches says."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.config.hyperalgesia import Escalation
from opioid_outcomes.hyperalgesia import adherence, confounders, histories, trial, visits
from opioid_outcomes.hyperalgesia.histories import NEVER, Histories
from opioid_outcomes.hyperalgesia.trial import Trial

PERSONS, VISIT, DAYS, LAST = 3, 40, 260, 180
RULE = Escalation(stable_days=30, grace_days=7)
futures = st.lists(
    st.lists(
        st.tuples(st.integers(1, 45), st.sampled_from([None, "off", 30.0, 50.0, 55.0, 60.0, 70.0])),
        min_size=1,
        max_size=8,
    ),
    min_size=PERSONS,
    max_size=PERSONS,
)
leaves = st.lists(st.integers(VISIT + 8, DAYS), min_size=PERSONS, max_size=PERSONS)


def read(future: list[list[tuple[int, float | str | None]]], ends: list[int]) -> tuple[Histories, Trial, np.ndarray]:
    """A visit on day 40 after a steady 50, then what the future brings: person x day, NaN unknown, 0 without supply."""
    rows, daily = [], np.zeros((PERSONS, DAYS))
    for person, stretches in enumerate(future):
        day = VISIT
        rows.append({"person_id": person, "start": 0, "stop": VISIT, "mme": 50.0})
        daily[person, :VISIT] = 50.0
        for length, dose in stretches:
            stop = min(day + length, DAYS)
            if dose != "off" and day < stop:
                rows.append({"person_id": person, "start": day, "stop": stop, "mme": dose})
                daily[person, day:stop] = np.nan if dose is None else dose
            day = stop
    schema = {"person_id": pl.Int64, "start": pl.Int32, "stop": pl.Int32, "mme": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema).with_columns(mme_incomplete=pl.col("mme").is_null().cast(pl.Int64))
    everyone = pl.DataFrame({"person_id": list(range(PERSONS))})
    later = [VISIT, *range(VISIT + 3, DAYS, 11)]
    scores = everyone.join(pl.DataFrame({"date": later}), how="cross")
    scores = scores.with_columns(scale=pl.lit("NRS"), score=(pl.col("date") * 7 + pl.col("person_id")) % 11 * 1.0)
    status = everyone.with_columns(state=pl.lit("on"), start=pl.lit(0), stop=pl.lit(VISIT + 1), on_since=pl.lit(0))
    cohort = everyone.with_columns(entry=pl.lit(0), exit=pl.Series(ends), death=pl.lit(0))
    known = histories.build(cohort, scores, frame, status)
    chosen = visits.eligible(known, stable_days=RULE.stable_days)
    terms = confounders.build(chosen, known, baseline=[], missing="indicator", min_rise=0.2, min_mme=5.0)
    return known, trial.escalations(chosen, terms, known, RULE), daily


def left(dose: np.ndarray, end: int, *, taken: bool) -> int:
    """Days from the visit on which the strategy is left, one day after the other."""
    off_target, without = 0, 0
    for day in range(min(LAST + 1, end - VISIT)):
        now = dose[VISIT + day]
        without = without + 1 if now == 0 else 0
        rise = now >= 60 - 1e-6
        wrong = now != 0 and not np.isnan(now) and (not rise if taken else rise or now <= 40 + 1e-6)
        off_target = off_target + 1 if wrong else 0
        # what has lasted for longer than grace counts on its last day of grace, which is a day before that is seen
        if off_target > RULE.grace_days:
            return day - off_target + 1 + RULE.grace_days
        if without > 30:
            return day
    return NEVER


@settings(max_examples=150, deadline=None)
@given(futures, leaves)
def test_strategies_are_left_as_a_day_by_day_reading_says(future: list, ends: list[int]) -> None:
    known, decisions, daily = read(future, ends)
    found = adherence.deviations(decisions, known, RULE, last_day=LAST)
    expected = [
        left(daily[person], ends[person], taken=bool(taken))
        for person, taken in zip(decisions.visits.person, decisions.taken, strict=True)
    ]
    assert found.tolist() == expected


@settings(max_examples=60, deadline=None)
@given(futures, leaves)
def test_what_is_seen_while_the_strategy_is_followed(future: list, ends: list[int]) -> None:
    """Without a model of following: weights are then 1, and means plain ones."""
    known, decisions, daily = read(future, ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adherence._Months, "_fit", lambda *_: None)
        (found,) = adherence.followed(decisions, known, [(31, 90)], RULE)
    for row, person in enumerate(decisions.visits.person):
        until = left(daily[person], ends[person], taken=bool(decisions.taken[row]))
        days = [day for day in range(31, 91) if day < until and VISIT + day < ends[person]]
        score = [(VISIT + day) * 7 + person for day in days if (day - 3) % 11 == 0]
        pain = np.mean([value % 11 for value in score]) if score else np.nan
        assert found.pain[row] == pytest.approx(pain, nan_ok=True)
        dose = daily[person, [VISIT + day for day in days]]
        mme = np.nanmean(dose) if np.isfinite(dose).any() else np.nan
        assert found.mme[row] == pytest.approx(mme, nan_ok=True)
        every = [day for day in range(36, 91, 11) if VISIT + day < ends[person]]
        seen = sum(day < until for day in every)
        assert found.weight[row] == pytest.approx(seen / len(every) if every else float(until > 31))
