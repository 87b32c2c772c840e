"""A cohort as the tables that ``mortality.msm`` reads, with confounding over time that use itself moves.

Pain leads to starting and staying on; an illness that nobody records moves pain and hospital days and kills; use
worsens the illness besides. So pain and hospital days confound later use and mediate earlier use: leaving them out
is wrong, and adjusting for them too. ``risk`` tells the truth: the same world with everybody on, or nobody.
"""

from __future__ import annotations

import numpy as np
import polars as pl

LOG_HR = 0.5
Tables = dict[str, pl.DataFrame]


def risk(strategy: int, day: int, n: int = 200_000, seed: int = 0) -> float:
    """Probability of death by the day if everybody is on (1) or off (0) throughout."""
    cohort = tables(n, seed, strategy=strategy, loss=0.0, periods=-(-day // 30))["cohort"]
    return float(((cohort["death"] == 1) & (cohort["exit"] - cohort["entry"] <= day)).mean())


def tables(
    n: int, seed: int, *, log_hr: float = LOG_HR, harm: float = 0.12, periods: int = 24, loss: float = 0.004,
    strategy: int | None = None,
) -> Tables:  # fmt: skip
    """panel, person_time, cohort; ids begin at 100. harm: what a month on adds to the illness, in its SDs."""
    rng = np.random.default_rng(seed)
    age, female = rng.normal(60, 10, n), rng.random(n) < 0.5
    illness = rng.normal(0, 1, n)
    on = np.zeros(n)
    on_ever: list[np.ndarray] = []
    pain_now = np.zeros(n)
    rows = []
    died_in, left = np.full(n, -1), np.full(n, periods * 30)
    alive = np.ones(n, dtype=bool)
    for k in range(periods):
        illness = 0.9 * illness + harm * on + rng.normal(0, 0.4359, n)
        pain_now = np.clip(5 + 1.2 * illness + rng.normal(0, 1, n), 0, 10)
        seen = rng.random(n) < 0.7
        chance = 1 / (1 + np.exp(-np.where(on == 1, 3.2, -2.6) - 0.5 * (pain_now - 5) * seen - 0.02 * (age - 60)))
        on = (rng.random(n) < chance).astype(float) if strategy is None else np.full(n, float(strategy))
        on_ever.append(on)
        hazard = 0.004 * np.exp(log_hr * on + 0.6 * illness + 0.03 * (age - 60))
        dies = alive & (rng.random(n) < 1 - np.exp(-hazard))
        loses = alive & ~dies & (rng.random(n) < loss * np.exp(0.3 * (pain_now - 5) * seen))
        left = np.where(dies | loses, 30 * k + rng.integers(1, 30, n), left)
        died_in = np.where(dies, k, died_in)
        mme = np.where(on == 1, 20.0 + 10 * rng.integers(0, 5, n), 0.0)
        frame = pl.DataFrame(
            {
                "person_id": np.arange(100, n + 100), "period": np.full(n, k, dtype=np.int64),
                "pain": np.where(seen, pain_now, np.nan), "pain_observed": seen.astype(int), "mme": mme,
                "on_opioid": on.astype(int), "death": dies.astype(int), "age": age,
                "sex": np.where(female, "F", "M").tolist(), "hospital_days": rng.poisson(0.3 * np.exp(illness)),
            }
        ).with_columns(pl.col("pain").fill_nan(None))  # fmt: skip
        rows.append(frame.filter(pl.Series(alive)))
        alive = alive & ~dies & ~loses
    dead = died_in >= 0
    lost = ~dead & (left < periods * 30)
    cohort = pl.DataFrame(
        {
            "person_id": np.arange(100, n + 100), "entry": np.full(n, 1000), "exit": 1000 + left,
            "death": dead.astype(int),
            "exit_reason": np.where(dead, "death", np.where(lost, "end of observation", "study end")).tolist(),
        }
    )  # fmt: skip
    first = on_ever[0].astype(int)
    person_time = pl.DataFrame(
        {
            "person_id": np.arange(100, n + 100), "start": np.zeros(n, dtype=np.int64), "stop": left,
            "on_opioid": first, "days_since_start": np.where(first == 1, 0, -1),
        }
    ).with_columns(pl.col("days_since_start").replace(-1, None))  # fmt: skip
    return {"panel": pl.concat(rows).sort("person_id", "period"), "person_time": person_time, "cohort": cohort}
