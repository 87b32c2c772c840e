"""Published worlds with time-varying confounding whose marginal structural model is known exactly (arrays, one row per
person and interval). Each confounder is moved by earlier treatment, so that adjusting for it as a covariate is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def expit(x: npt.ArrayLike) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.asarray(x, dtype=float))))


@dataclass(frozen=True)
class Rows:
    """One row per person and interval survived to; ``stop`` is the end of the row's time, event 1 if it is a death."""

    person: Ints
    period: Ints
    treated: Floats
    past: Floats
    confounder: Floats
    confounder_before: Floats
    since: Floats  # interval in which treatment began (0 if it has not)
    stop: Floats
    event: Floats


COLUMNS = ("treated", "past", "confounder", "confounder_before", "since", "stop", "event")


def _rows(columns: dict[str, list[Floats]], alive: list[np.ndarray]) -> Rows:
    n = len(alive[0])
    person = np.concatenate([np.flatnonzero(now) for now in alive])
    period = np.repeat(np.arange(len(alive)), [int(now.sum()) for now in alive])
    order = np.lexsort((period, person))
    assert n > person.max()
    stacked = {
        name: np.concatenate([v[now] for v, now in zip(values, alive, strict=True)])[order].astype(float)
        for name, values in columns.items()
    }
    return Rows(person=person[order].astype(np.int64), period=period[order].astype(np.int64), **stacked)


GAMMA = (-3.0, 0.05, -1.5, 0.1)


def havercroft_didelez(n: int, seed: int, *, intervals: int = 40, every: int = 5) -> Rows:
    """Havercroft WG, Didelez V. Stat Med 2012;31:4190, without its threshold of forced treatment.

    logit hazard in [t, t + 1) = g0 + g1 ((1 - A) t + A T*) + g2 A + g3 A (t - T*), T* the start of treatment; decisions
    at every fifth interval among the untreated. The latent health that moves the confounder is the one that fails.
    """
    rng = np.random.default_rng(seed)
    g0, g1, g2, g3 = GAMMA
    health = rng.random(n)
    u0 = health.copy()
    marker = _gamma_quantile(health) + rng.normal(0, 20, n)
    before = np.zeros(n)
    treated = (rng.random(n) < expit(-0.405 - 0.00405 * (marker - 500))).astype(float)
    since = np.zeros(n)
    lagged = [np.zeros(n)] * (every + 1)  # A_{t-1}, A_{t-2}, ..., A_{t-k-1}
    survival, alive_now = np.ones(n), np.ones(n, dtype=bool)
    columns: dict[str, list[Floats]] = {
        name: [] for name in Rows.__dataclass_fields__ if name not in ("person", "period")
    }
    alive = []
    for t in range(intervals):
        if t:
            health = np.clip(health + rng.normal(0, 0.05, n), 0, 1)
            before = marker.copy()
            if t % every == 0:
                jump = 150 * lagged[every - 1] * (1 - lagged[every])
                marker = np.maximum(0, marker + jump + rng.normal(100 * (health - 2), 50))
                starts = (lagged[0] == 0) & (rng.random(n) < expit(-0.405 + 0.0205 * t - 0.00405 * (marker - 500)))
                since = np.where(starts, t, since)
                treated = np.where(lagged[0] == 1, 1.0, starts.astype(float))
        hazard = expit(g0 + g1 * ((1 - treated) * t + treated * since) + g2 * treated + g3 * treated * (t - since))
        survival = survival * (1 - hazard)
        dies = alive_now & (1 - survival >= u0)
        values = (treated, lagged[0], marker, before, since, np.full(n, t + 1.0), dies)
        for name, value in zip(COLUMNS, values, strict=True):
            columns[name].append(np.asarray(value, dtype=float))
        alive.append(alive_now)
        alive_now = alive_now & ~dies
        lagged = [treated, *lagged[:-1]]
    return _rows(columns, alive)


def _gamma_quantile(u: Floats) -> Floats:
    from scipy.stats import gamma

    return np.asarray(gamma.ppf(u, 3, scale=154))


KEOGH_NEVER = (0.4970, 0.2465, 0.1216, 0.0594, 0.0288)
KEOGH_ALWAYS = (0.6074, 0.3871, 0.2552, 0.1723, 0.1181)


def keogh_seaman(n: int, seed: int) -> Rows:
    """Keogh RH, Seaman SR, Gran JM, Vansteelandt S. Biom J 2021;63:1526: additive hazards, five visits.

    True survival at 1..5 if never and if always treated: the constants above (their table; 4e6 simulated people).
    """
    rng = np.random.default_rng(seed)
    u = rng.normal(0, 0.1, n)
    past, before = np.zeros(n), np.zeros(n)
    alive_now = np.ones(n, dtype=bool)
    columns: dict[str, list[Floats]] = {
        name: [] for name in Rows.__dataclass_fields__ if name not in ("person", "period")
    }
    alive = []
    marker = rng.normal(u, 1)
    for k in range(5):
        if k:
            before = marker.copy()
            marker = rng.normal(0.8 * marker - past + 0.1 * k + u, 1)
        treated = (rng.random(n) < expit(-2 + 0.5 * marker + (past if k else 0))).astype(float)
        hazard = np.maximum(0.7 - 0.2 * treated + 0.05 * marker + 0.05 * u, 1e-6)
        time = rng.exponential(1 / hazard)
        dies = time < 1
        values = (treated, past, marker, before, np.zeros(n), k + np.minimum(time, 1), dies)
        for name, value in zip(COLUMNS, values, strict=True):
            columns[name].append(np.asarray(value, dtype=float))
        alive.append(alive_now)
        alive_now = alive_now & ~dies
        past = treated
    return _rows(columns, alive)


def young(n: int, seed: int, *, intervals: int = 20, frailty: float = 3.0, threshold: float = 20.0) -> Rows:
    """Young JG, Hernan MA, Picciotto S, Robins JM. Lifetime Data Anal 2010;16:71: a structural nested accelerated
    failure time model, T0 exponential (rate 0.05): the hazard under any history is 0.05 exp(0.3 A_t) exactly.

    The confounder tells of people who will die early untreated (T0 < threshold, log odds ``frailty``) and is raised by
    treatment; their published values (0.5 and 0.5) confound little, these visibly.
    """
    rng = np.random.default_rng(seed)
    psi = 0.3
    untreated = rng.exponential(1 / 0.05, n)
    past, before, used = np.zeros(n), np.zeros(n), np.zeros(n)
    alive_now = np.ones(n, dtype=bool)
    columns: dict[str, list[Floats]] = {
        name: [] for name in Rows.__dataclass_fields__ if name not in ("person", "period")
    }
    alive = []
    for t in range(intervals):
        marker = (rng.random(n) < expit(-1 + frailty * (untreated < threshold) + 0.2 * past + 0.3 * before)) * 1.0
        treated = (rng.random(n) < expit(-1 + 1.0 * marker + 0.5 * before + 1.0 * past)) * 1.0
        rate = np.exp(psi * treated)
        dies = alive_now & (untreated <= used + rate)
        stop = t + np.where(dies, np.maximum((untreated - used) / rate, 1e-9), 1.0)
        values = (treated, past, marker, before, np.zeros(n), stop, dies)
        for name, value in zip(COLUMNS, values, strict=True):
            columns[name].append(np.asarray(value, dtype=float))
        alive.append(alive_now)
        alive_now, used, past, before = alive_now & ~dies, used + rate, treated, marker
    return _rows(columns, alive)


def use_without_effect(n: int, seed: int, *, periods: int = 24, days: int = 30) -> tuple[Rows, Floats]:
    """People who start a drug at a random day and die at a constant rate whatever they take.

    Returns rows in which ``treated`` is use on the period's first day, and, per row, any use within the period as far
    as it was lived: the wrong reading, in which who dies early in a period has had less of it to start in.
    """
    rng = np.random.default_rng(seed)
    start, death = rng.exponential(200.0, n), rng.exponential(600.0, n)
    first = np.arange(periods) * float(days)
    alive = first[None, :] < death[:, None]
    stop = np.minimum(death[:, None], first[None, :] + days)
    on_first_day = (start[:, None] <= first[None, :]).astype(float)
    any_use = (start[:, None] < stop).astype(float)
    before = np.column_stack([np.zeros(n), on_first_day[:, :-1]])
    person, period = np.nonzero(alive)
    nothing = np.zeros(len(person))
    rows = Rows(
        person=person, period=period, treated=on_first_day[alive], past=before[alive], confounder=nothing,
        confounder_before=nothing, since=nothing, stop=stop[alive],
        event=(death[:, None] <= first[None, :] + days)[alive].astype(float),
    )  # fmt: skip
    return rows, any_use[alive]
