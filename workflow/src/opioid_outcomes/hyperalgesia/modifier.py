"""``hyperalgesia.modifier``: in whom does pain rise or fall more after an escalation. Exploratory (ANALYSES 5.8).

Centralised pain is said to respond worst. Each group has its own model of who escalates and of pain, so that nothing of
one group's history stands for the other's; a group's effect is compared with the other's with the error of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.causal.augmented import Method
from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia.comparable import assign
from opioid_outcomes.hyperalgesia.compared import SCALES, Measured, Question, compare, contrast_rows
from opioid_outcomes.hyperalgesia.escalation import POPULATION
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.positivity import where_taken
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.mortality.numbered import numbered
from opioid_outcomes.survival.products import cross

ANALYSIS = "hyperalgesia.modifier"
CONDITIONS = ("fibromyalgia", "depression")
HALVES = ("dose", "duration")
NOTE = "exploratory: not adjusted for how many groups are looked at"
METHOD: Method = "aipw"


@dataclass(frozen=True)
class Modifier:
    """Two groups of decisions; ``first`` (n,) is the one that is said first, ``known`` (n,) who is in either.

    gate: why there are no groups, "" if there are. cut: what divides them, for the note.
    """

    name: str
    labels: tuple[str, str]
    difference: str
    first: Bools
    known: Bools
    gate: str = ""
    cut: str = ""

    @property
    def contrasts(self) -> tuple[str, str, str]:
        """Of each group, and of the difference."""
        return f"{self.name}: {self.labels[0]}", f"{self.name}: {self.labels[1]}", f"{self.name}: {self.difference}"


def modifiers(trial: Trial, conditions: pl.DataFrame) -> Iterator[Modifier]:
    """Fibromyalgia, depression; dose and time on opioids at the visit above or below the median of the decisions.

    conditions: of each decision, as far as they are recorded, 0/1. A value on the median is below it.
    """
    for name in CONDITIONS:
        if name in conditions.columns:
            known = conditions[name].is_not_null().to_numpy()
            first = (conditions[name].fill_null(0) > 0).to_numpy()
            yield _condition(name, first, known)
        else:
            nobody = np.zeros(len(trial.taken), dtype=bool)
            yield _condition(name, nobody, nobody, gate=f"not evaluable: {name} is not recorded")
    for name, values in zip(HALVES, (trial.visits.dose, trial.visits.days_on), strict=True):
        middle = float(np.median(values)) if len(values) else 0.0
        yield _half(name, values > middle, np.ones(len(values), dtype=bool), middle)


def _condition(name: str, first: Bools, known: Bools, gate: str = "") -> Modifier:
    return Modifier(name, ("with", "without"), "with minus without", first, known, gate)


def _half(name: str, first: Bools, known: Bools, middle: float) -> Modifier:
    step, unit = (5, "MME/day") if name == "dose" else (30, "days on opioids")
    cut = f"median about {step * round(middle / step)} {unit}"  # the median itself is one person's
    return Modifier(name, ("above median", "below median"), "above minus below median", first, known, cut=cut)


@dataclass(frozen=True)
class Group:
    """The row of one group; its effect per step and what each of its people (index in the cohort) adds to the error."""

    row: Estimate
    effect: float
    people: Ints
    influence: Floats  # (people,)


def estimates(trial: Trial, window: Window, conditions: pl.DataFrame, *, step_mme: float) -> list[Estimate]:
    """Effect per step of achieved separation in each group of each modifier, and the difference of two groups.

    AIPW in those who escalate, within the group. Cost: as the primary contrast of one window, once per modifier.
    """
    return [row for modifier in modifiers(trial, conditions) for row in _rows(modifier, trial, window, step_mme)]


def empty(label: str, gate: str) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    nobody = np.zeros(0, dtype=bool)
    named = [_condition(name, nobody, nobody) for name in CONDITIONS]
    named += [_half(name, nobody, nobody, 0.0) for name in HALVES]
    return [
        _question(contrast).row(METHOD, label, SCALES[1], gate=gate) for each in named for contrast in each.contrasts
    ]


def _rows(modifier: Modifier, trial: Trial, window: Window, step_mme: float) -> list[Estimate]:
    first, second, both = modifier.contrasts
    if modifier.gate:
        return [
            _question(name).row(METHOD, window.label, SCALES[1], gate=modifier.gate) for name in (first, second, both)
        ]
    note = "; ".join(part for part in (NOTE, modifier.cut) if part)
    one, other = (
        _group(_question(contrast, step_mme), trial, window, modifier.known & chosen, note)
        for contrast, chosen in ((first, modifier.first), (second, ~modifier.first))
    )
    told = {name: (getattr(one.row, name) or 0) + (getattr(other.row, name) or 0) for name in ("persons", "events")}
    told["smallest_cell"] = smallest(one.row.smallest_cell, other.row.smallest_cell)
    row = _question(both).row(
        METHOD, window.label, SCALES[1], note=f"{note}; who is in both groups counts in each", **told
    )
    gate = next((group.row.gate for group in (one, other) if group.row.gate != "pass"), None)
    if gate:
        return [one.row, other.row, replace(row, gate=gate)]
    joint = _together([one, other], persons=int(trial.visits.person.max()) + 1)
    return [one.row, other.row, numbered(row, joint.combination(np.array([1.0, -1.0])))]


def _group(question: Question, trial: Trial, window: Window, chosen: Bools, note: str) -> Group:
    chosen = chosen.copy()
    chosen[chosen] = where_taken(trial.confounders.rows(chosen), trial.taken[chosen])[0]
    mine = trial.rows(chosen)
    assigned = assign(mine, verb=question.verb)
    measured = Measured(window.label, window.pain[chosen], window.mme[chosen], window.alive[chosen])
    found = compare(mine, assigned, measured, question.verb)
    rows = contrast_rows(question, found, assigned, mine, method=METHOD, name=METHOD, note=note)
    people = np.unique(mine.visits.person)
    if found.both is None or rows[1].gate != "pass":
        return Group(rows[1], float("nan"), people, np.zeros(len(people)))
    pain, dose = found.both.values(METHOD)
    by_pain, by_dose = found.both.influence(METHOD).T
    step = question.step_mme / dose
    return Group(rows[1], float(pain * step), people, (by_pain - pain / dose * by_dose) * step)  # delta method


def _together(groups: list[Group], *, persons: int) -> Joint:
    """Effects of the groups with their covariance: somebody may be in both, at two visits."""
    influence, counted = np.zeros((persons, len(groups))), np.zeros(persons, dtype=bool)
    for place, group in enumerate(groups):
        influence[group.people, place] = group.influence
        counted[group.people] = True
    people = int(counted.sum())
    return Joint(
        np.array([group.effect for group in groups]), cross(influence, influence) * (people / max(people - 1, 1))
    )


def _question(contrast: str, step_mme: float = 0.0) -> Question:
    return Question(ANALYSIS, f"{POPULATION} (ATT)", contrast, "escalated", step_mme)
