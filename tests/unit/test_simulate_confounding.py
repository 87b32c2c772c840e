"""Worlds in which care depends on what also kills: the right design finds what is planted, the wrong one does not."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.simulate import deaths, futures, truth
from opioid_outcomes.simulate.care import initiation_log_odds
from opioid_outcomes.simulate.cohort import Cohort, simulate
from opioid_outcomes.simulate.world import WORLDS
from opioid_outcomes.survival import cox


def use(cohort: Cohort) -> deaths.Use:
    days = int(cohort.people.length.max()) + deaths.REGISTRY_DAYS
    return deaths.Use.of(cohort.care.fills, cohort.world, cohort.people.n, days)


def panel(cohort: Cohort) -> dict[str, np.ndarray]:
    """Every 30 days after entry: use on the first day, the last score before it, and the hazard's covariates."""
    drawn, on = cohort.people, use(cohort).on
    died = cohort.deaths.day >= 0
    end = np.where(died, cohort.deaths.day + 1, drawn.length)
    periods = int((end - drawn.entry).max() // 30) + 1
    first = drawn.entry[:, None] + 30 * np.arange(periods)
    person, period = np.nonzero(first < end[:, None])
    day = first[person, period]
    visit = np.array([np.searchsorted(cohort.draws.day[p], d) - 1 for p, d in zip(person, day, strict=True)])
    score = cohort.care.score
    for _ in range(3):  # visits that were missed
        visit = np.where((visit > 0) & np.isnan(score[person, np.maximum(visit, 0)]), visit - 1, visit)
    stop = np.minimum(day + 30, end[person])
    last = np.nan_to_num(score[person, np.maximum(visit, 0)], nan=5.0)
    before = np.where(period > 0, on[person, np.maximum(day - 30, 0)], on[person, day - 1])
    return {
        "person": person, "start": (day - drawn.entry[person]).astype(float),
        "stop": (stop - drawn.entry[person]).astype(float),
        "event": ((cohort.deaths.day[person] + 1 == stop) & died[person]).astype(float),
        "on": on[person, day].astype(float), "before": before.astype(float), "pain": last,
        "risk": np.log(cohort.hazards.base[person]), "period": period,
    }  # fmt: skip


def fitted(rows: dict[str, np.ndarray], names: tuple[str, ...], weights: np.ndarray | None = None) -> float:
    x = np.column_stack([rows[name] for name in names])
    fit = cox.fit(rows["start"], rows["stop"], rows["event"], x, names=list(names), weights=weights)
    return float(fit.params[0])


def stabilised(rows: dict[str, np.ndarray], initiation: np.ndarray) -> np.ndarray:
    """Weights of starting only, as stopping hinges on nothing: shares of starters by score over those by risk."""
    off = rows["before"] == 0
    fine = np.clip(rows["pain"], 0, 10).astype(int)
    risk = np.digitize(initiation, np.quantile(initiation, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]))

    def chance(stratum: np.ndarray) -> np.ndarray:
        starts = np.bincount(stratum[off], rows["on"][off], minlength=200)
        return np.asarray((starts / np.maximum(np.bincount(stratum[off], minlength=200), 1))[stratum])

    coarse, full = chance(risk), chance(11 * risk + fine)
    taken = np.where(rows["on"] == 1, coarse / np.maximum(full, 1e-9), (1 - coarse) / np.maximum(1 - full, 1e-9))
    factor = np.log(np.where(off, taken, 1.0))
    total = np.cumsum(factor)
    first = np.searchsorted(rows["person"], rows["person"])
    return np.exp(total - total[first] + factor[first])


def test_time_varying_confounding_needs_weights() -> None:
    """Planted 1.6: too much where later pain is left out, too much where it is a covariate, right with weights."""
    crude, conditional, weighted = [], [], []
    for seed in (1, 2, 3):
        cohort = simulate(WORLDS["time_varying_confounding"], 5000, seed)
        rows = panel(cohort)
        crude.append(fitted(rows, ("on", "risk")))
        conditional.append(fitted(rows, ("on", "risk", "pain")))
        initiation = initiation_log_odds(cohort.people)[rows["person"]]
        weighted.append(fitted(rows, ("on", "risk"), stabilised(rows, initiation)))
    planted = np.log(1.6)
    assert np.mean(crude) > planted + 0.2
    assert np.mean(conditional) > planted + 0.2
    assert abs(np.mean(weighted) - planted) < 0.12


def test_risks_under_both_decisions_are_told_by_following_starters() -> None:
    """Known hazards, known chances: weighting who starts and who does not by chance finds the simulated difference."""
    known, found, variance = [], [], []
    for seed in (1, 2):
        cohort = simulate(WORLDS["mortality"], 2500, seed)
        row = next(
            r for r in truth.of(cohort)
            if r["analysis"] == "mortality.new_user" and r["window"] == "0-365" and r["scale"] == "risk_difference"
        )  # fmt: skip
        known.append((row["truth"], row["se"]))
        estimate, se = weighted_difference(cohort)
        found.append(estimate)
        variance.append(se**2 + row["se"] ** 2)
    assert abs(np.mean(found) - np.mean([value for value, _ in known])) < 3 * np.sqrt(np.mean(variance) / len(found))
    assert all(0.007 < value < 0.014 and se < 0.001 for value, se in known)


def weighted_difference(cohort: Cohort) -> tuple[float, float]:
    """Overlap weights at every eligible visit; the risk of each follow-up is the integral of its known hazard."""
    cared, people = cohort.care, cohort.people
    index = cohort.draws.day + cohort.draws.delay
    ok = cared.may_start & futures.qualified(cohort)[:, None] & (index + 365 < people.length[:, None])
    person, visit = np.nonzero(ok)
    day, chance = index[person, visit], cared.start_probability[person, visit]
    used = use(cohort)
    borne = deaths.cumulative(
        cohort.world, used, cohort.hazards.base, people.entry, 0, slice(0, people.n)
    )  # (persons, days)
    before = np.exp(-borne[person, day - 1])
    risk = 1 - np.exp(-(borne[person, day + 364] - borne[person, day - 1]))
    started = cohort.draws.start[person, visit] < chance
    weight = before * np.where(started, 1 - chance, chance)
    mean = [np.average(risk[arm], weights=weight[arm]) for arm in (started, ~started)]
    influence = np.zeros(people.n)
    for arm, value, sign in ((started, mean[0], 1), (~started, mean[1], -1)):
        part = sign * weight[arm] * (risk[arm] - value) / weight[arm].sum()
        influence += np.bincount(person[arm], part, minlength=people.n)
    return float(mean[0] - mean[1]), float(np.sqrt((influence**2).sum()))


def test_always_and_never_are_exact() -> None:
    """By hand: a hazard h a day for t days kills 1 - exp(-h t)."""
    cohort = simulate(WORLDS["time_varying_confounding"], 500, 3)
    base = cohort.hazards.base[futures.qualified(cohort)]
    by_hand = np.mean(np.exp(-base * 365) - np.exp(-1.6 * base * 365))
    row = next(
        r for r in truth.of(cohort)
        if r["contrast"] == "always vs never" and r["window"] == "0-365" and r["scale"] == "risk_difference"
    )  # fmt: skip
    assert row["truth"] == pytest.approx(by_hand, rel=1e-12)
    assert row["se"] == 0
