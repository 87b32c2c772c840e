"""Whatever the histories, person-time covers follow-up exactly once and is what the status says on every day."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.cohort import panel, person_time
from opioid_outcomes.contracts.derived import DAILY_DOSE, OPIOID_STATUS

STATES = ("on", "recent", "former", "treatment", "unknown")
history = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 60), st.sampled_from(STATES), st.sampled_from([None, 10.0, 60.0])),
    max_size=8,
)
person = st.tuples(st.integers(0, 100), st.integers(1, 150), st.integers(0, 31), st.booleans(), history)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(person, min_size=1, max_size=4))
def test_person_time(people: list[tuple[int, int, int, bool, list[tuple[int, int, str, float | None]]]]) -> None:
    rows, states = [], []
    for identifier, (entry, length, beyond, dies, stretches) in enumerate(people):
        rows.append((identifier, entry, entry + length + (beyond if dies else 0), entry + length, int(dies)))
        day = 0
        for gap, duration, state, mme in stretches:
            day += gap
            on = state == "on"
            states.append(
                (identifier, day, day + duration, state, mme if on else 0.0, day if on else None, *(None,) * 4)
            )
            day += duration
    cohort = pl.DataFrame(rows, schema=["person_id", "entry", "exit", "observed_until", "death"], orient="row")
    cohort = cohort.with_columns(
        pl.col("entry", "exit", "observed_until").cast(pl.Int32),
        *(pl.lit(None, dtype).alias(name) for name, dtype in (("cause", pl.String), ("baseline_user", pl.Int64),
          ("survey_weight", pl.Float64), ("stratum", pl.String), ("cluster", pl.String))),
    )  # fmt: skip
    status = pl.DataFrame(states, schema=OPIOID_STATUS.schema(pl.Int64()), orient="row")
    daily = pl.DataFrame(schema=DAILY_DOSE.schema(pl.Int64()))
    built = person_time.build(cohort, status, [20.0, 50.0], [], daily=daily, before_first="never")

    by_person = {row[0]: row for row in rows}
    assert set(built["person_id"]) == set(by_person)
    for identifier, (_, entry, exit_day, observed_until, death) in by_person.items():
        mine = built.filter(pl.col("person_id") == identifier)
        starts, stops = mine["start"].to_list(), mine["stop"].to_list()
        assert starts[0] == 0
        assert stops[-1] == exit_day - entry
        assert starts[1:] == stops[:-1]  # no gap, no overlap: adds up to exit - entry
        assert all(a < b for a, b in zip(starts, stops, strict=True))
        assert mine["death"].sum() == death
        days = {day: row for row in mine.rows(named=True) for day in range(row["start"], row["stop"])}
        own = [s for s in states if s[0] == identifier]
        for day, row in days.items():
            calendar = min(entry + day, observed_until - 1)  # after the last observed day the last known exposure
            found = [s for s in own if s[1] <= calendar < s[2]]
            started = any(s[1] <= calendar for s in own)
            assert row["use_state"] == (found[0][3] if found else "unknown" if started else "never")
            if row["use_state"] == "on":
                assert row["mme"] == found[0][4]
        monthly = panel_of(built, cohort, identifier)
        assert monthly["period"].to_list() == list(range(-(-(exit_day - entry) // 30)))
        assert monthly["on_opioid"].to_list() == [days[30 * k]["on_opioid"] for k in monthly["period"]]
        assert monthly["death"].sum() == death


def panel_of(time: pl.DataFrame, cohort: pl.DataFrame, identifier: int) -> pl.DataFrame:
    scores = pl.DataFrame(schema={"person_id": pl.Int64, "date": pl.Int32, "scale": pl.String, "score": pl.Float64})
    built = panel.build(time, cohort, scores, baseline=[], time_varying=[], sources=None, lookback=30)  # type: ignore[arg-type]
    return built.filter(pl.col("person_id") == identifier)
