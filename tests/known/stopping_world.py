"""People who fill, refill late or stop, and die at a hazard that supply may or may not bear on."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.exposure import daily_dose, status

SUPPLY, FILLS, FOLLOWED = 30, 40, 1200
HAZARD = 0.0008  # a day
RISKY_DAYS = 91  # days 0 to 90 since the end of supply: the bands 0-30 and 31-90
Course = tuple[np.ndarray, np.ndarray]  # days of fills (n, FILLS); day of death (n,), or never


def course(seed: int, n: int, stopping: float) -> Course:
    """Days of all fills that would be, and the day of death; ``stopping``: hazard ratio in the risky days."""
    rng = np.random.default_rng(seed)
    gap = np.where(rng.random((n, FILLS)) < 0.5, 0, np.ceil(rng.exponential(30, (n, FILLS)))).astype(np.int64)
    gap[rng.random((n, FILLS)) < 0.04] = 10 * FOLLOWED  # stopped for good
    fill = rng.integers(0, 60, n)[:, None] + np.cumsum(np.c_[np.zeros(n, np.int64), SUPPLY + gap[:, :-1]], axis=1)
    end, following = fill + SUPPLY, np.c_[fill[:, 1:], np.full(n, 10**6)]
    edges = np.stack([end, np.minimum(end + RISKY_DAYS, following), following], axis=2).reshape(n, -1)
    length = np.diff(np.c_[np.zeros(n, np.int64), edges], axis=1)
    hazard = HAZARD * np.tile([1.0, stopping, 1.0], FILLS)
    passed = np.cumsum(length * hazard, axis=1)
    need = rng.exponential(size=n)
    place = np.argmax(passed >= need[:, None], axis=1)
    rows = np.arange(n)
    day = edges[rows, place] - np.floor((passed[rows, place] - need) / hazard[place]) - 1
    return fill, np.where((passed >= need[:, None]).any(axis=1), day, 10**6).astype(np.int64)


def tables(fill: np.ndarray, death: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    """OPIOID_STATUS made by the real exposure code, and COHORT; entry is day 0."""
    n = len(fill)
    last = np.minimum(death, FOLLOWED - 1)
    seen = fill <= last[:, None]
    person = np.repeat(np.arange(n), seen.sum(axis=1))
    fills = pl.LazyFrame(
        {
            "person_id": person, "start": fill[seen], "days_supply": float(SUPPLY), "mme_per_day": 30.0, "product": "a",
        },
        schema={
            "person_id": pl.Int64, "start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64,
            "product": pl.String,
        },
    )  # fmt: skip
    people = pl.DataFrame({"person_id": np.arange(n)})
    supplies = daily_dose.supplies(fills)
    none = supplies.clear()
    use = status.from_dispensings(
        daily_dose.build(fills).collect(), supplies, none, none.select("person_id", "start"),
        people.with_columns(last=pl.Series(last, dtype=pl.Int32)),
        observation=people.with_columns(start=pl.lit(-400, pl.Int32), end=pl.lit(FOLLOWED, pl.Int32)),
        carry_over_days=30, washout_days=180,
    )  # fmt: skip
    cohort = people.with_columns(
        entry=pl.lit(0, pl.Int32), exit=pl.Series(last + 1, dtype=pl.Int32),
        death=pl.Series((death < FOLLOWED).astype(np.int64)), survey_weight=pl.lit(None, pl.Float64),
        stratum=pl.lit(None, pl.String), cluster=pl.lit(None, pl.String),
    )  # fmt: skip
    return use, cohort


def dated_back(fill: np.ndarray, death: np.ndarray, bridged: int, *, told_by_living: bool) -> pl.DataFrame:
    """The wrong clock: a stop is dated to the end of supply once the gap turns out longer than ``bridged`` days.

    Shorter gaps, known to be short from the refill that ends them, count as supply. A death in the first ``bridged``
    days counts as after stopping, or (told_by_living: a stop needs so many days seen without a refill) as in supply.
    """
    last = np.minimum(death, FOLLOWED - 1) + 1
    seen = fill < last[:, None]
    refill = np.where(seen, fill, 10**6)  # the dead refill no more
    end, following = fill + SUPPLY, np.c_[refill[:, 1:], np.full(len(fill), 10**6)]
    gap_seen = np.minimum(following, last[:, None]) - end
    stopped = (following - end > bridged) & (gap_seen > (bridged if told_by_living else 0))
    until = np.minimum(following, last[:, None])
    parts = []
    for name, start, stop in (
        ("current supply", fill, np.where(stopped, end, until)),
        ("0-30", end, np.minimum(end + 31, until)),
        ("later", end + 31, until),
    ):
        here = seen & (start < stop) & (stopped | (name == "current supply"))
        person = np.repeat(np.arange(len(fill)), here.sum(axis=1))
        parts.append(pl.DataFrame({"person_id": person, "start": start[here], "stop": stop[here], "clock": name}))
    rows = pl.concat(parts).with_columns(pl.col("stop").clip(0, None)).sort("person_id", "start")
    ends = pl.DataFrame({"person_id": np.arange(len(fill)), "end": last, "died": death < FOLLOWED})
    return rows.join(ends, on="person_id").with_columns(
        death=(pl.col("died") & (pl.col("stop") == pl.col("end"))).cast(pl.Int64)
    )
