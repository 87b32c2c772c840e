"""``hyperalgesia.within_person``: each person as their own control, shown as the wrong answer it is.

What does not change in a person is taken out; that the pain of the past drives the dose of today is not (no strict
exogeneity). In METHODS D2 fixed effects have the right sign in three worlds of four and never the course in time, and
the change since the visit says relief in all four.
"""

from __future__ import annotations

import numpy as np

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia import fixed_effects
from opioid_outcomes.hyperalgesia.escalation import FEWEST_PER_ARM, POPULATION, people
from opioid_outcomes.hyperalgesia.naive import SCORES, Doses
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.hyperalgesia.variation import unvaried

ANALYSIS = "hyperalgesia.within_person"
MONTH = 30  # days that share an effect of time
LONGEST_BETWEEN = 90  # days between two scores of which the earlier counts as the score before
ROUNDING = 1e-6  # MME/day
SLOPE_GATE = "fail: by design: earlier pain drives the dose, and effects of all ages are one slope"
LAGGED_GATE = "fail: by design: earlier pain drives the dose, and the score before holds the person's own effect"
CHANGE_GATE = "fail: by design: people escalate at a peak of pain, which falls by itself"
CHANGE_CONTRAST = "after escalating vs at the visit"
TOO_FEW = f"not evaluable: fewer than {FEWEST_PER_ARM} people have scores at different doses"
NICKELL = "Nickell 1981 Econometrica 49:1417"


def slope_contrasts(step_mme: float) -> tuple[str, str]:
    step = f"per {step_mme:g} MME/day"
    return f"{step} within person", f"{step} within person and month"


def lagged_contrast(step_mme: float) -> str:
    return f"per rise of {step_mme:g} MME/day since the score before"


def empty(labels: list[str], gate: str, *, step_mme: float) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    return [
        *(_slope_row("fixed_effects", contrast, gate=gate) for contrast in slope_contrasts(step_mme)),
        _slope_row("fixed_effects_lagged", lagged_contrast(step_mme), gate=gate),
        *(_change_row(label, gate=gate) for label in labels),
    ]


def slopes(known: Doses, *, step_mme: float) -> list[Estimate]:
    """Slope of pain on the dose before it, per step, within person; and within person and 30-day block of time."""
    changing = people(known.person[_changing(known.person, known.dose)])
    counts = {"persons": people(known.person), "smallest_cell": smallest(changing)}
    constant = _constant(known.score, known.person) if changing >= FEWEST_PER_ARM else TOO_FEW
    rows = []
    for contrast, period in zip(slope_contrasts(step_mme), (None, known.day // MONTH), strict=True):
        fit = None
        if constant is None:
            fit = fixed_effects.fit(
                known.score, known.dose[:, None] / step_mme, names=["dose"], person=known.person, period=period
            )
        if fit is None:
            rows.append(_slope_row("fixed_effects", contrast, gate=constant or TOO_FEW, **counts))
        else:
            rows.append(_slope_row("fixed_effects", contrast, gate=SLOPE_GATE, **fit.numbers(), **counts))
    return rows


def lagged_slope(known: Doses, *, step_mme: float) -> Estimate:
    """Slope of pain on the rise of the dose since the score before, given that score and the person's effect.

    The coefficient of the score before is too low by about (1 + r) / (T - 1) at T scores a person, and what goes with
    it is wrong too (Nickell). Scores more than 90 days after the one before are left out.
    """
    contrast = lagged_contrast(step_mme)
    follows = np.flatnonzero(
        (known.person[1:] == known.person[:-1]) & (known.day[1:] - known.day[:-1] <= LONGEST_BETWEEN)
    )
    person, score, before = known.person[follows + 1], known.score[follows + 1], known.score[follows]
    rise = (known.dose[follows + 1] - known.dose[follows]) / step_mme
    changing = people(person[np.abs(rise) > ROUNDING])
    counts = {"persons": people(person), "smallest_cell": smallest(changing)}
    if changing < FEWEST_PER_ARM:
        return _slope_row("fixed_effects_lagged", contrast, gate=TOO_FEW, **counts)
    constant = _constant(score, person)
    if constant:
        return _slope_row("fixed_effects_lagged", contrast, gate=constant, **counts)
    fit = fixed_effects.fit(score, np.stack([rise, before], axis=1), names=["rise", "score before"], person=person)
    if fit is None or fit.dropped:
        gate = "not evaluable: pain or dose does not vary within people"
        return _slope_row("fixed_effects_lagged", contrast, gate=gate, **counts)
    held, each = float(fit.estimate[1]), round(len(person) / people(person))
    note = f"coefficient of the score before {held:.2f} at {each} scores a person, too low by about "
    note += f"{(1 + held) / max(each - 1, 1):.2f} ({NICKELL})"
    return _slope_row("fixed_effects_lagged", contrast, gate=LAGGED_GATE, note=note, **fit.numbers(), **counts)


def change(trial: Trial, window: Window) -> Estimate:
    """Mean pain in the window minus pain at the visit, in those who escalated."""
    chosen = trial.taken & np.isfinite(window.pain)
    person = trial.visits.person[chosen]
    counts = {"persons": people(person), "events": people(person), "smallest_cell": smallest(people(person))}
    if people(person) < FEWEST_PER_ARM:
        gate = f"not evaluable: fewer than {FEWEST_PER_ARM} people escalated and have a score in the window"
        return _change_row(window.label, gate=gate, **counts)
    since = (window.pain - trial.visits.pain)[chosen]
    constant = unvaried(since)
    if constant:
        return _change_row(window.label, gate=constant, **counts)
    numbers = _mean(since, person)
    return _change_row(window.label, gate=CHANGE_GATE, **numbers, **counts)


def _constant(score: Floats, person: Ints) -> str | None:
    """Why there is no slope within people, if none of them has different scores."""
    return unvaried(fixed_effects.about_person(score, person))


def _mean(values: np.ndarray, person: Ints) -> dict[str, float]:
    from scipy.stats import t

    ids, group = np.unique(person, return_inverse=True)
    mean = float(values.mean())
    sums = np.bincount(group, values - mean)
    se = float(np.sqrt(len(ids) / (len(ids) - 1) * np.square(sums).sum())) / len(values)
    half = float(t.ppf(0.975, len(ids) - 1)) * se
    p_value = float(2 * t.sf(abs(mean) / se, len(ids) - 1)) if se > 0 else float("nan")
    return {"estimate": mean, "ci_low": mean - half, "ci_high": mean + half, "se": se, "p_value": p_value}


def _changing(person: Ints, dose: np.ndarray) -> Bools:
    """Scores of people with scores at more than one dose; rows are by person."""
    if len(person) == 0:
        return np.zeros(0, dtype=bool)
    begin = np.flatnonzero(np.append(True, person[1:] != person[:-1]))
    apart = np.maximum.reduceat(dose, begin) - np.minimum.reduceat(dose, begin) > ROUNDING
    return np.repeat(apart, np.diff(np.append(begin, len(person))))


def _slope_row(method: str, contrast: str, **values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method=method, population=SCORES, outcome="pain", contrast=contrast, scale="slope",
        **values,  # type: ignore[arg-type]
    )  # fmt: skip


def _change_row(label: str, **values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method="pre_post", population=POPULATION, outcome="pain", contrast=CHANGE_CONTRAST,
        window=label, scale="mean_difference", **values,  # type: ignore[arg-type]
    )  # fmt: skip
