"""Illness that comes and goes, treatment that follows it and lowers it, death that answers to both; in days.

Potential outcomes are simulated by giving everybody a strategy, so the truth of each is known without any model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.causal.clone_censor import Grid, Strategy, grid

DAYS, MONTH, GRACE = 360, 30, 90
NEVER = np.inf
HORIZONS = (90.0, 180.0, 360.0)
EDGES = [0.0, 1.0, *(30.0 * month for month in range(1, 13))]
BANDS = (30.0, 60.0, 90.0, 180.0)
# Risks of death by HORIZONS at a hazard ratio of 1.6, of 3 million people under each strategy (Monte Carlo standard
# error at most 0.0003): python -c "import sustained_world; print(sustained_world.truth(3_000_000))"
STAY, UNTREATED = (0.08204, 0.16055, 0.28816), (0.06603, 0.12607, 0.22986)

# The same from the first day of every month, of 150,000 people (Monte Carlo standard error under 0.0005, of the last
# 0.001): print(sustained_world.truth_of_blocks(150_000))
STAY_OF_MONTHS, UNTREATED_OF_MONTHS = (0.07576, 0.15016, 0.27686), (0.06092, 0.11780, 0.22062)


@dataclass(frozen=True)
class Lives:
    """ill: (n, months) on the first day of each; days of beginning, stopping and death (at its end), inf never."""

    ill: np.ndarray
    frail: np.ndarray
    begun: np.ndarray
    stopped: np.ndarray
    died: np.ndarray

    @property
    def time(self) -> np.ndarray:
        return np.minimum(self.died, DAYS)

    @property
    def cause(self) -> np.ndarray:
        return (self.died <= DAYS).astype(np.int64)

    def strategies(self) -> tuple[Strategy, Strategy]:
        return Strategy("stay", self.stopped, begins=self.begun, grace=GRACE), Strategy("never", self.begun)

    def months(self) -> Months:
        """From each month: who has not begun, people in order."""
        zero = np.arange(0, DAYS, MONTH)
        person, month = np.nonzero((self.begun[:, None] >= zero) & (self.time[:, None] > zero))
        days = zero[month]
        times = (self.time[person] - days, self.cause[person], self.begun[person] - days, self.stopped[person] - days)
        return Months(person, days, *times, self)

    def grid(self) -> tuple[Grid, np.ndarray]:
        """Intervals, and illness and frailty before each."""
        rows = grid(self.time, self.cause, EDGES)
        ill = self.ill[rows.person, (rows.opens // MONTH).astype(int)]
        return rows, np.column_stack([ill, self.frail[rows.person]]).astype(float)


@dataclass(frozen=True)
class Months:
    """Lives from the first day of each month on which people are alive and have not begun, one row each."""

    person: np.ndarray
    zero: np.ndarray
    time: np.ndarray
    cause: np.ndarray
    begun: np.ndarray
    stopped: np.ndarray
    lives: Lives

    def strategies(self) -> tuple[Strategy, Strategy]:
        return Strategy("stay", self.stopped, begins=self.begun, grace=GRACE), Strategy("never", self.begun)

    def grid(self) -> tuple[Grid, np.ndarray]:
        """Intervals, and illness before each, frailty and the days gone by before time zero."""
        rows = grid(self.time, self.cause, EDGES)
        who, month = self.person[rows.person], (self.zero[rows.person] + rows.opens) // MONTH
        ill = self.lives.ill[who, month.astype(int)]
        return rows, np.column_stack([ill, self.lives.frail[who], self.zero[rows.person] / DAYS]).astype(float)

    def by_what_they_did(self) -> np.ndarray:
        """The wrong risk differences, of all months together."""
        stayed, never = (self.begun < GRACE) & np.isinf(self.stopped), np.isinf(self.begun)
        risks = []
        for group in (stayed, never):
            dead, time = self.cause[group] == 1, self.time[group]
            known = [dead & (time <= h) | (time >= h) for h in HORIZONS]
            risks.append([(dead & (time <= h))[of].mean() for h, of in zip(HORIZONS, known, strict=True)])
        return np.subtract(*risks)


def live(
    n: int, seed: int, *, ratio: float = 1.6, relief: float = 0.7, begin_on: np.ndarray | None = None,
    treated: bool | None = None, zero: int = 0,
) -> Lives:  # fmt: skip
    """ratio: of the hazard of death under treatment; relief: of illness, by treatment (log odds).

    treated None: as people do. False: never. True: begins on the day ``begin_on`` and goes on. Both from day ``zero``
    on, who has begun before being as they are.
    """
    rng = np.random.default_rng(seed)
    frail = rng.normal(size=n)
    ill = rng.random(n) < _chance(-0.5 + 0.8 * frail)
    on = np.zeros(n, dtype=bool)
    begun, stopped, died = np.full(n, NEVER), np.full(n, NEVER), np.full(n, NEVER)
    history = np.zeros((n, DAYS // MONTH), dtype=bool)
    for day in range(DAYS):
        if day % MONTH == 0:
            if day:
                ill = rng.random(n) < _chance(-1.2 + 1.6 * ill + 0.8 * frail - relief * on)
            history[:, day // MONTH] = ill
        alive = np.isinf(died)
        if treated is None or day < zero:
            off = on & (rng.random(n) < 0.0012 * np.exp(0.9 * ~ill))
            stopped[off & alive] = day
            on &= ~off
            new = np.isinf(begun) & (rng.random(n) < 0.0025 * np.exp(0.8 * ill))
        else:
            new = (
                np.isinf(begun) & (begin_on + zero == day)
                if treated and begin_on is not None
                else np.zeros(n, dtype=bool)
            )
        begun[new & alive] = day
        on |= new
        hazard = 0.0004 * np.exp(0.9 * ill + 0.5 * frail + np.log(ratio) * on)
        died[alive & (rng.random(n) < -np.expm1(-hazard))] = day + 1
    return Lives(history, frail, begun, stopped, died)


def truth(n: int, chunk: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Risks under staying (begun on a day as those who begin within grace do) and never."""
    natural = np.concatenate([live(chunk, 10_000 + k).begun for k in range(n // chunk)])
    days = np.bincount(natural[natural < GRACE].astype(int), minlength=GRACE)
    risks = np.zeros((2, len(HORIZONS)))
    for k in range(n // chunk):
        drawn = np.random.default_rng(20_000 + k).choice(GRACE, chunk, p=days / days.sum())
        for arm, lives in enumerate(
            (live(chunk, 30_000 + k, treated=True, begin_on=drawn), live(chunk, 40_000 + k, treated=False))
        ):
            risks[arm] += [(lives.died <= horizon).sum() / n for horizon in HORIZONS]
    return risks[0], risks[1]


def truth_of_blocks(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Risks from the first day of every month, of those alive and not begun, all months together.

    People are followed for DAYS in all, so late days since time zero are of early months: Kaplan-Meier of what
    everybody would have done. Staying begins on a day drawn by the hazard with which people begin.
    """
    natural, began, waiting = live(n, 50_000), np.zeros(GRACE), np.zeros(GRACE)
    for zero in range(0, DAYS, MONTH):
        at_risk = np.minimum(np.minimum(natural.begun, natural.time) - zero, GRACE)
        begins = (natural.begun - zero)[(natural.begun >= zero) & (natural.begun < np.minimum(zero + GRACE, DAYS))]
        began += np.bincount(begins.astype(int), minlength=GRACE)
        waiting += [(at_risk >= day).sum() if zero + day < DAYS else 0 for day in range(GRACE)]
    left = np.cumprod(1 - began / waiting)
    density = -np.diff(left, prepend=1) / (1 - left[-1])
    risks = []
    for arm in (True, False):
        died, followed = np.zeros(DAYS + 1), np.zeros(DAYS + 1)
        for zero in range(0, DAYS, MONTH):
            drawn = np.random.default_rng(60_000 + zero).choice(GRACE, n, p=density)
            lives = live(n, 70_000 + zero + arm, treated=arm, begin_on=drawn, zero=zero)
            eligible = (lives.begun >= zero) & (lives.time > zero)
            days = (lives.time[eligible] - zero).astype(int)
            died += np.bincount(days[lives.cause[eligible] == 1], minlength=DAYS + 1)
            followed += np.cumsum(np.bincount(days, minlength=DAYS + 1)[::-1])[::-1]
        alive = np.cumprod(1 - died / np.maximum(followed, 1))
        risks.append(1 - alive[[int(horizon) for horizon in HORIZONS]])
    return risks[0], risks[1]


def by_what_they_did(lives: Lives) -> np.ndarray:
    """The wrong risk differences: who began in time and never stopped, against who never began, from time zero."""
    stayed = (lives.begun < GRACE) & np.isinf(lives.stopped)
    never = np.isinf(lives.begun)
    return np.array([(lives.died[stayed] <= h).mean() - (lives.died[never] <= h).mean() for h in HORIZONS])


def _chance(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))
