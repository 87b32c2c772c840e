"""A study from which cohorts are simulated: scores about every month, doses raised when it hurts, supply with gaps."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.hyperalgesia import histories
from opioid_outcomes.hyperalgesia.histories import Histories

MONTH, STEP, BETWEEN, FLARE, CORRELATION = 30, 20.0, 1.2, 1.5, 0.6  # METHODS D2


def tables(
    people: int, months: int, seed: int, *, slope: float = 0.45, constant: float = -3.4, error: float = 0.0
) -> dict[str, pl.DataFrame]:
    """METHODS D2 without any effect of dose; whole scores 0-10, a visit in eleven missed, one in 100 months a gap of
    two months in supply, one person in ten dies or leaves early."""
    rng = np.random.default_rng(seed)
    usual = rng.normal(5, BETWEEN, people)
    flare = rng.normal(0, FLARE, people)
    dose = rng.choice([20.0, 40.0, 60.0], people)
    depression = rng.random(people) < 0.3
    last = np.where(rng.random(people) < 0.1, rng.integers(months // 2, months, people), months)
    scores, fills = [], [(np.arange(people), np.full(people, -120), np.zeros(people, int), dose.copy())]
    for month in range(months):
        flare = CORRELATION * flare + np.sqrt(1 - CORRELATION**2) * rng.normal(0, FLARE, people)
        day = month * MONTH + rng.integers(0, 5, people)
        pain = usual + flare + 0.3 * depression
        score = np.clip(np.rint(pain + error * rng.standard_normal(people)), 0, 10)
        seen = (rng.random(people) > 0.09) & (month < last)
        scores.append((np.flatnonzero(seen), day[seen], score[seen]))
        odds = constant + slope * (score - 5) - 0.15 * (dose / 20 - 2)
        up = seen & (rng.random(people) < 1 / (1 + np.exp(-odds))) & (dose <= 160)
        down = seen & ~up & (rng.random(people) < 0.005) & (dose > 20)
        dose = dose + STEP * up - STEP * down
        supplied = (rng.random(people) > 0.01) & (month < last)
        who = np.flatnonzero(supplied)
        fills.append((who, day[who], day[who] + MONTH, dose[who].copy()))
    person, start, stop, mme = (np.concatenate(column) for column in zip(*fills, strict=True))
    doses = pl.DataFrame({"person_id": person, "start": start, "stop": stop, "mme": mme}).sort("person_id", "start")
    following = pl.col("start").shift(-1).over("person_id")
    doses = doses.with_columns(
        stop=pl.min_horizontal("stop", following).fill_null(pl.col("stop")),
        mme_incomplete=pl.lit(0),
    ).filter(pl.col("stop") > pl.col("start"))
    who, day, score = (np.concatenate(column) for column in zip(*scores, strict=True))
    died = (last < months) & (rng.random(people) < 0.5)
    return {
        "cohort": pl.DataFrame({
            "person_id": np.arange(people), "entry": 0, "exit": last * MONTH, "death": died.astype(int),
            "depression": depression.astype(int),
        }),
        "pain": pl.DataFrame({"person_id": who, "date": day, "scale": "NRS", "score": score}),
        "daily_dose": doses,
        "opioid_status": doses.group_by("person_id", maintain_order=True).agg(
            pl.col("start").min(), (pl.col("stop").max() + 30), state=pl.lit("on"), on_since=pl.col("start").min()
        ),
    }  # fmt: skip


def study(people: int, months: int, seed: int, **how: float) -> Histories:
    made = tables(people, months, seed, **how)
    return histories.build(made["cohort"], made["pain"], made["daily_dose"], made["opioid_status"])
