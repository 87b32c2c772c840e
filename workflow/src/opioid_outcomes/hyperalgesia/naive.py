"""``hyperalgesia.naive``: the wrong answers, shown as such beside the right one.

Pain raises dose, so pain and dose go together whatever opioids do: in METHODS D2 the slope is positive under no effect,
relief, tolerance and hyperalgesia alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia.escalation import (
    CONTRAST,
    FEWEST_PER_ARM,
    POPULATION,
    arm_counts,
    people,
    too_few,
)
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints
from opioid_outcomes.hyperalgesia.regression import effects
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.hyperalgesia.variation import unvaried

ANALYSIS = "hyperalgesia.naive"
SCORES = "all scores in follow-up"
SLOPE_GATE = "fail: by design: pain drives dose, so this slope does not tell relief from harm"
CRUDE_GATE = "fail: by design: people escalate because it hurts, and nothing is adjusted"
NO_CONFOUNDERS: list[str] = []


@dataclass(frozen=True)
class Doses:
    """Scores in follow-up under a known dose, one per row, by person, then day."""

    person: Ints
    day: Ints
    score: Floats
    dose: Floats  # MME/day on the day before the score; 0 without supply


def scores_with_dose(histories: Histories) -> Doses:
    """The dose of a score is that of its eve, under which it hurts: a dose raised on the day came after the score."""
    pain = histories.pain
    followed = (histories.entry[pain.person] <= pain.day) & (pain.day < histories.exit[pain.person])
    person, day, score = pain.person[followed], pain.day[followed], pain.score[followed]
    dose = histories.dose.on_day(person, day - 1)
    known = np.isfinite(dose)
    return Doses(person[known], day[known], score[known], dose[known])


def slope_row(step_mme: float, **values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method="crude", population=SCORES, outcome="pain",
        contrast=f"per {step_mme:g} MME/day", scale="slope", **values,  # type: ignore[arg-type]
    )  # fmt: skip


def slope(histories: Histories, *, step_mme: float) -> Estimate:
    """Slope of pain on the dose before it, per step, pooled over everybody's scores in follow-up.

    Days without supply count as 0; days of unknown dose are left out.
    """
    known = scores_with_dose(histories)
    users = people(known.person[known.dose > 0])
    counts = {"persons": people(known.person), "smallest_cell": smallest(users)}
    if users < FEWEST_PER_ARM:
        gate = f"not evaluable: fewer than {FEWEST_PER_ARM} people have a score on a day with a known dose"
        return slope_row(step_mme, gate=gate, **counts)
    constant = unvaried(known.score)
    if constant:
        return slope_row(step_mme, gate=constant, **counts)
    nothing = _nothing(len(known.dose))
    fit = effects(known.score[:, None], known.dose / step_mme, nothing, NO_CONFOUNDERS, known.person)
    if fit is None:
        return slope_row(step_mme, gate="not evaluable: the dose is the same on every day with a score", **counts)
    return slope_row(step_mme, gate=SLOPE_GATE, **fit.numbers(), **counts)


def crude_row(label: str, **values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method="crude", population=POPULATION, outcome="pain", contrast=CONTRAST, window=label,
        scale="mean_difference", **values,  # type: ignore[arg-type]
    )  # fmt: skip


def crude_contrast(trial: Trial, window: Window) -> Estimate:
    """Mean pain after escalating minus after maintaining, as it stands."""
    scored = np.isfinite(window.pain)
    person, escalate = trial.visits.person[scored], trial.taken[scored]
    counts = arm_counts(person, escalate)
    gate = too_few(person, escalate) or unvaried(window.pain)
    if gate:
        return crude_row(window.label, gate=gate, **counts)
    fit = effects(window.pain[scored, None], escalate.astype(float), _nothing(len(person)), NO_CONFOUNDERS, person)
    if fit is None:
        return crude_row(window.label, gate="not evaluable: one arm only", **counts)
    return crude_row(window.label, gate=CRUDE_GATE, **fit.numbers(), **counts)


def _nothing(rows: int) -> Floats:
    return np.zeros((rows, 0))
