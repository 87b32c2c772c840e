"""The numbers that an analysis of a simulated cohort should find."""

from __future__ import annotations

from typing import Any

import numpy as np

from opioid_outcomes.simulate import care, truth_mortality
from opioid_outcomes.simulate.cohort import Cohort, generator

WINDOWS = ((1, 30), (31, 90), (91, 180), (181, 365))
GRACE_DAYS = 7  # no score before the last day of grace counts, and separation is measured from it
STEP_MME = 20
SCALES = ("mean_difference", "mean_difference_per_step")
TWINS = 2  # eligible visits drawn per person


def of(cohort: Cohort) -> list[dict[str, Any]]:
    """The planted hazard ratio, the effect on pain of escalating now, per window, and what bears on death."""
    return [*_hazard_ratio(cohort), *_escalation(cohort), *truth_mortality.of(cohort)]


def _hazard_ratio(cohort: Cohort) -> list[dict[str, Any]]:
    """Where baseline covariates suffice to find it."""
    world = cohort.world
    if world.illness or not world.proportional:
        return []
    return [
        truth_mortality.row(
            "mortality.current_use", "adjusted_full", "on vs off", "log_hr", np.log(world.hazard_ratio),
            "hazard of death on against off opioids, planted; conditional on the baseline covariates",
        )
    ]  # fmt: skip


def _escalation(cohort: Cohort) -> list[dict[str, Any]]:
    """ITT effect of escalating at an eligible visit, later care free, by simulating both decisions.

    Each person lives twice from the same random numbers, once with the dose raised at an eligible visit drawn at random
    and once with it left. The mean over visits is weighted by probability x (1 - probability) of escalating: the weight
    that a regression gives to a visit (Angrist & Krueger 1999, "Empirical strategies in labor economics", section 2.3).
    """
    if not cohort.world.records_pain or not cohort.care.eligible.any():
        return []
    if not cohort.world.dose_changes_pain:
        return [_row(f"{first}-{last}", scale, 0.0, 0.0) for first, last in WINDOWS for scale in SCALES]
    rows, visit, weight = _eligible_visits(cohort)
    people, draws = cohort.people.rows(rows), cohort.draws.rows(rows)
    raised, kept = (care.run(people, draws, cohort.world, care.Forced(visit, taken)) for taken in (True, False))
    decided = draws.day[np.arange(len(rows)), visit]
    doses = [daily_mme(lived.fills, len(rows), int(people.length.max())) for lived in (raised, kept)]
    known = []
    for first, last in WINDOWS:
        effect, gap = (
            one - other
            for one, other in (
                [window_mean(lived, decided, first, last) for lived in (raised, kept)],
                [_mean_dose(dose, people.length, decided, first, last) for dose in doses],
            )
        )
        use = ~np.isnan(effect)
        if not (use.any() and gap[use].any()):
            continue  # nobody is left in the window, or its doses do not differ
        w, e, g = weight[use], effect[use], gap[use]
        mean = float(np.average(e, weights=w))
        step = float(np.average(g, weights=w)) / STEP_MME
        ratio = mean / step
        errors = (
            _standard_error(rows[use], w, e - mean),
            _standard_error(rows[use], w, e - ratio * g / STEP_MME) / step,  # delta method
        )
        for scale, value, error in zip(SCALES, (mean, ratio), errors, strict=True):
            known.append(_row(f"{first}-{last}", scale, value, error))
    return known


def _row(window: str, scale: str, truth: float, se: float) -> dict[str, Any]:
    return {
        "analysis": "hyperalgesia.escalation",
        "method": "regression",
        "outcome": "pain",
        "contrast": "escalate vs maintain",
        "window": window,
        "scale": scale,
        "truth": truth,
        "se": se,
        "description": "recorded pain after escalating against not, later care free; both decisions simulated",
    }


def _eligible_visits(cohort: Cohort) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Persons, one eligible visit each (several rows a person), and the weight of the row."""
    eligible, p = cohort.care.eligible, cohort.care.probability
    persons = np.flatnonzero(eligible.any(axis=1))
    rows = np.repeat(persons, TWINS)
    rank = (generator(cohort.seed, 4).random(len(rows)) * eligible[rows].sum(axis=1)).astype(np.int64)
    visit = np.argmax(np.cumsum(eligible[rows], axis=1) > rank[:, None], axis=1)
    chance = p[rows, visit]
    return rows, visit, eligible[rows].sum(axis=1) * chance * (1 - chance)


def window_mean(lived: care.Care, decided: np.ndarray, first: int, last: int) -> np.ndarray:
    """Mean recorded score from ``first`` (not before the end of grace) to ``last`` days after the decision."""
    since = lived.day - decided[:, None]
    inside = (since >= max(first, GRACE_DAYS)) & (since <= last) & ~np.isnan(lived.score)
    count = inside.sum(axis=1)
    total = np.where(inside, lived.score, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def daily_mme(fills: care.Fills, persons: int, days: int) -> np.ndarray:
    """MME on each day: a fill counts from its day until it runs out or the next takes over."""
    stop = np.minimum(np.minimum(fills.stop, fills.next_day), days)
    edges = np.zeros((persons, days + 1))
    np.add.at(edges, (fills.person, fills.day), fills.mme)
    np.add.at(edges, (fills.person, stop), -fills.mme)
    return np.cumsum(edges, axis=1)[:, :days]


def _mean_dose(dose: np.ndarray, length: np.ndarray, decided: np.ndarray, first: int, last: int) -> np.ndarray:
    total = np.concatenate([np.zeros((len(dose), 1)), np.cumsum(dose, axis=1)], axis=1)
    start = np.minimum(decided + max(first, GRACE_DAYS), length)
    stop = np.minimum(decided + last + 1, length)
    row = np.arange(len(dose))
    return (total[row, stop] - total[row, start]) / np.maximum(stop - start, 1)


def _standard_error(person: np.ndarray, weight: np.ndarray, residual: np.ndarray) -> float:
    """Of a weighted mean, clustered by person."""
    score = np.bincount(person, weights=weight * residual)
    return float(np.sqrt((score**2).sum()) / weight.sum())
