"""Start within a grace period and stay, against never: clones, censored where they leave and weighted for it."""

from __future__ import annotations

from functools import cache

import numpy as np
import sustained_world
from found import Found, contrast, normal

from opioid_outcomes.causal import clone_censor, clone_contrasts

PEOPLE, INTERVALS, DAYS, GRACE = 2000, 12, 30, 90
HORIZON = float(INTERVALS * DAYS)
BASE, RATIO, START, STOP = 3e-4, 1.6, 0.006, 0.002  # a day
FAR = np.inf


def live(
    n: int, rng: np.random.Generator, forced: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Illness by interval (n, k), days of start and end of use, day of death (inf: never).

    Illness, constant within an interval, keeps people from starting and makes them stop and die; use makes it worse.
    forced: days on which people start who never stop (inf: never start).
    """
    ill = rng.standard_normal(n)
    illness = np.zeros((n, INTERVALS))
    started, stopped, died = np.full(n, FAR), np.full(n, FAR), np.full(n, FAR)
    for k in range(INTERVALS):
        on = (started < FAR) & (stopped == FAR)
        ill = 0.7 * ill + 0.4 * on + rng.normal(0, 0.7, n)
        illness[:, k] = ill
        wait = START * np.exp(-0.5 * ill)
        natural = np.floor(rng.exponential(size=n) / wait) if forced is None else forced - k * DAYS
        begin = np.minimum(np.where(on, 0.0, np.where(started < FAR, DAYS, natural)), DAYS)
        lasts = np.floor(begin + rng.exponential(size=n) / (STOP * np.exp(0.6 * ill)) + (begin > 0))
        end = np.minimum(lasts, DAYS) if forced is None else np.full(n, float(DAYS))
        hazard = BASE * np.exp(0.7 * ill)
        borne = rng.exponential(size=n) / hazard
        used = begin + (borne - begin) / RATIO
        after = end + (borne - begin - RATIO * (end - begin))
        time = np.ceil(np.where(borne <= begin, borne, np.where(used <= end, used, after)))
        alive = died == FAR
        starts = alive & ~on & (started == FAR) & (begin < np.minimum(time, DAYS))
        started[starts] = k * DAYS + begin[starts]
        stops = alive & (on | starts) & (end < np.minimum(time, DAYS))
        stopped[stops] = k * DAYS + end[stops]
        dies = alive & (time <= DAYS)
        died[dies] = k * DAYS + time[dies]
    return illness, started, stopped, died


@cache
def truth() -> float:
    """By a million people under each strategy, the same random numbers; its own error is about 0.0004.

    Who starts within grace does so after times that are those of everybody who does, whatever the illness.
    """
    n = 1_000_000
    _, started, _, died = live(n, np.random.default_rng(1))
    opens = np.arange(0, GRACE, DAYS)
    waited = [np.clip(np.minimum(np.minimum(started + 1, died), k + DAYS) - k, 0, None).sum() for k in opens]
    begun = [((started >= k) & (started < k + DAYS)).sum() for k in opens]
    borne = np.concatenate([[0.0], np.cumsum(DAYS * np.array(begun) / np.array(waited))])
    drawn = -np.log1p(np.random.default_rng(2).random(n) * np.expm1(-borne[-1]))
    days = np.floor(np.interp(drawn, borne, np.arange(0, GRACE + 1, DAYS)))
    risk = [np.mean(live(n, np.random.default_rng(1), forced)[3] <= HORIZON) for forced in (days, np.full(n, FAR))]
    return float(risk[0] - risk[1])


def replicate(rng: np.random.Generator) -> list[Found]:
    illness, started, stopped, died = live(PEOPLE, rng)
    time, cause = np.minimum(died, HORIZON), (died <= HORIZON).astype(np.int64)
    grid = clone_censor.grid(time, cause, [float(DAYS * k) for k in range(INTERVALS + 1)])
    stay = clone_censor.Strategy("stay", leaves=stopped, begins=started, grace=float(GRACE))
    never = clone_censor.Strategy("never", leaves=started)
    x = illness[grid.person, grid.interval][:, None]
    found = []
    for name, weigh in (("clones, censored and weighted", True), ("clones, censored, not weighted", False)):
        compared = clone_contrasts.compare(
            grid, (stay, never), x, names=["illness"], bands=[], causes=1, horizons=[HORIZON], weigh_leaving=weigh
        )
        found.append(
            contrast("risk difference, stay vs never", name, compared.risk_difference(0), truth(), wrong=not weigh)
        )
    ever = started < np.minimum(time, FAR)
    risk = [cause[arm].mean() for arm in (ever, ~ever)]
    se = np.sqrt(sum(r * (1 - r) / arm.sum() for r, arm in zip(risk, (ever, ~ever), strict=True)))
    name = "ever vs never from time zero"
    found.append(
        normal("risk difference, stay vs never", name, truth(), float(risk[0] - risk[1]), float(se), wrong=True)
    )
    return found


def from_every_month(rng: np.random.Generator) -> list[Found]:
    """In the world of the unit tests, whose truth is there; people count from each month in which they could begin."""
    months = sustained_world.live(2500, int(rng.integers(2**31))).months()
    grid, x = months.grid()
    truth = np.subtract(sustained_world.STAY_OF_MONTHS, sustained_world.UNTREATED_OF_MONTHS)
    found = []
    for name, weigh in (("clones, censored and weighted", True), ("clones, censored, not weighted", False)):
        compared = clone_contrasts.compare(
            grid, months.strategies(), x, names=["ill", "frail", "days before"], bands=sustained_world.BANDS, causes=1,
            horizons=sustained_world.HORIZONS, weigh_leaving=weigh, cluster=months.person,
        )  # fmt: skip
        found += [
            contrast(
                f"risk difference at {sustained_world.HORIZONS[h]:.0f} days, stay vs never", name,
                compared.risk_difference(h), float(truth[h]), wrong=not weigh,
            )
            for h in (1, 2)
        ]  # fmt: skip
    return found
