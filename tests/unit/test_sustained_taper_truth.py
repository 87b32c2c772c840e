"""estimate_sustained for tapering and stopping: the known world told as doses, from tables to the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sustained_tables import ENTRY, run, world_of
from sustained_world import DAYS, STAY_OF_MONTHS, UNTREATED_OF_MONTHS, Lives, live

from opioid_outcomes.mortality.sustained import QUESTIONS

BEFORE, SPIKE, EVERY = 200, 30_000.0, 10
UNSTABLE = [20.0, 40.0, 0.1] * 5  # thirty days each: never a stable dose
PEOPLE, SEED = 3000, 41
TRUTH = dict(zip(("0-90", "0-180"), np.subtract(STAY_OF_MONTHS, UNTREATED_OF_MONTHS)[:2], strict=True))


def doses(lives: Lives, contrast: str) -> pl.DataFrame:
    """Opioid status under which the strategy begins and ends on the days of the lives, and then no dose is stable.

    One day in ten is of a high dose, nine of a low one: the first high day left out lowers the mean of 30 days by a
    third, and nothing tells of it before. A single very high day ends the taper at once.
    """
    people = np.arange(len(lives.begun))
    begun = np.where(np.isfinite(lives.begun), lives.begun, DAYS)
    back = np.where(np.isfinite(lives.stopped), lives.stopped, DAYS)
    parts = []
    for k in range(EVERY * (BEFORE // EVERY), -DAYS - EVERY, -EVERY):
        high = begun % EVERY - k
        parts += [(high, high + 1, "on", 1000.0), (high + 1, high + EVERY, "on", 1.0)]
    parts = [(start, np.minimum(stop, begun), state, mme) for start, stop, state, mme in parts]
    if contrast == QUESTIONS[1]:
        away = [(begun + 30 * k, np.minimum(begun + 30 * (k + 1), back), "on", mme) for k, mme in enumerate(UNSTABLE)]
    else:
        away = [(begun, back, "recent", 0.0)]
    again = [(back + 1 + 30 * k, back + 31 + 30 * k, "on", mme) for k, mme in enumerate(UNSTABLE)]
    rows = pl.concat(
        pl.DataFrame({"person_id": people, "start": start, "stop": np.minimum(stop, DAYS)}).with_columns(
            state=pl.lit(state), mme=pl.lit(mme)
        )
        for start, stop, state, mme in [*parts, *away, (back, back + 1, "on", SPIKE), *again]
    ).filter(pl.col("start") < pl.col("stop"))
    return rows.with_columns(pl.col("start", "stop").cast(pl.Int64) + ENTRY, supply_end=pl.lit(ENTRY + 10_000)).sort(
        "person_id", "start"
    )


@pytest.mark.parametrize("contrast", QUESTIONS[1:])
def test_tapering_and_stopping_to_the_truth(contrast: str, tmp_path: Path) -> None:
    lives = live(PEOPLE, SEED)
    tables = world_of(lives) | {
        "opioid_status": doses(lives, contrast),
        "long_term": pl.DataFrame({"person_id": np.arange(PEOPLE)}).with_columns(
            definition=pl.lit("d90_in_365"), window_start=ENTRY - 100, met=ENTRY - 10
        ),
    }
    rows, _, _ = run(tmp_path, tables)
    rows = rows.filter(pl.col("contrast") == contrast, pl.col("method") == "ipw", pl.col("scale") == "risk_difference")
    naive = dict(zip(("0-90", "0-180"), lives.months().by_what_they_did()[:2], strict=True))
    for window, truth in TRUTH.items():
        row = rows.filter(pl.col("window") == window).row(0, named=True)
        assert row["gate"] == "pass"
        assert abs(row["estimate"] - truth) < 2.5 * row["se"]
        assert row["se"] < 0.025
        assert abs(naive[window] - truth) > 2.5 * row["se"]
    assert naive["0-90"] < 0 < TRUTH["0-90"]
