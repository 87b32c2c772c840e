"""What follows a taper agrees with a slow walk through the days of 1,000 random histories, dose events included."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import DoseEvents
from opioid_outcomes.exposure import events
from opioid_outcomes.trajectories.taper import courses

PEOPLE, BEGIN, OLD = 1000, 100, 60.0
Stretch = tuple[int, int, float | None]


def history(rng: np.random.Generator) -> tuple[list[Stretch], int, bool, int]:
    """Stretches of dose (known or not) with gaps, the last day observed, whether the person died, first day left."""
    day, doses = -50, []
    while day < 600:
        stop = day + int(rng.choice([3, 6, 7, 8, 20, 90]))
        doses.append((day, stop, [45.0, 30.0, OLD, 75.0, None][rng.choice(5, p=[0.55, 0.2, 0.1, 0.05, 0.1])]))
        day = stop + int(rng.choice([0, 0, 0, 0, 10, 60, 89, 90, 91, 200]))
    leaves, died = int(rng.integers(101, 600)), bool(rng.random() < 0.3)
    observed = leaves - 1 - (int(rng.integers(0, 30)) if died else 0)
    observed = max(observed, BEGIN)
    cut = [(start, min(stop, observed + 1), mme) for start, stop, mme in doses if start <= observed]
    return cut, leaves, died, observed


def walk(doses: list[Stretch], leaves: int, died: bool, observed: int) -> tuple[int, int] | None:
    """Time and cause, one day after the other; None if therapy had stopped before."""
    at_old = without = 0
    on = {day: mme for start, stop, mme in doses for day in range(start, stop)}
    for day in range(-50, min(leaves, BEGIN + 365)):
        dies_today = died and day == leaves - 1
        if day <= observed:
            without = 0 if day in on else without + 1
            at_old = at_old + 1 if day >= BEGIN and (on.get(day) or 0) >= OLD else 0
        if day < BEGIN:
            continue
        if day == BEGIN and without > 90:
            return None
        if at_old == 7 and day <= observed:
            return day + 1 - BEGIN, 1
        if dies_today:
            return day + 1 - BEGIN, 3
        if without == 90 and day <= observed:
            return day + 1 - BEGIN, 2
    return min(leaves, BEGIN + 365) - BEGIN, 0


def test_courses_equal_a_walk_through_the_days() -> None:
    rng = np.random.default_rng(20260106)
    histories = [history(rng) for _ in range(PEOPLE)]
    ids = pl.DataFrame({"person_id": np.arange(PEOPLE)})
    leaves, died, observed = (pl.Series([each[i] for each in histories]) for i in (1, 2, 3))
    daily = pl.DataFrame(
        [(person, *each) for person, (doses, *_) in enumerate(histories) for each in doses],
        schema={"person_id": pl.Int64, "start": pl.Int32, "stop": pl.Int32, "mme": pl.Float64}, orient="row",
    ).with_columns(mme_incomplete=0)  # fmt: skip
    observation = ids.with_columns(start=pl.lit(-400, pl.Int32), end=observed.cast(pl.Int32))
    deaths = ids.with_columns(date=(leaves - 1).cast(pl.Int32)).filter(died)
    fills = pl.DataFrame(schema={"person_id": pl.Int64, "date": pl.Int32, "days_supply": float, "analgesic": pl.Int64})
    found = events.find(daily, observation, deaths, fills, rules=DoseEvents())
    tapers = ids.select(
        "person_id", event=pl.lit("taper"), date=pl.lit(40, pl.Int32), follow_up_from=pl.lit(BEGIN, pl.Int32),
        mme_before=pl.lit(OLD),
    )  # fmt: skip
    stops = found.filter(event="discontinuation").select(tapers.columns)
    cohort = ids.with_columns(entry=pl.lit(0, pl.Int32), exit=leaves.cast(pl.Int32), death=died.cast(pl.Int64))
    order = {"fraction": 1, "shuffle": True, "seed": 1}
    ours = courses(
        pl.concat([stops, tapers]).sample(**order), cohort.sample(**order), daily.sample(**order), observation
    )
    theirs = [walk(*each) for each in histories]
    at_risk = [each for each in theirs if each is not None]
    assert list(zip(ours.time.tolist(), ours.cause.tolist(), strict=True)) == at_risk
    assert ours.stopped_before == theirs.count(None)
    # all of it happens often enough to be told apart
    assert min(np.bincount(ours.cause, minlength=4)) > 30
    assert ours.stopped_before > 30
