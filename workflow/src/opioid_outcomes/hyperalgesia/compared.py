"""One outcome after a decision, those who took the strategy against those who did not, as rows of estimates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import Effects, Method, RegressionFailure
from opioid_outcomes.causal.contrasts import Contrast, Joint
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia.comparable import Assigned, effective, why
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.trial import Trial
from opioid_outcomes.hyperalgesia.variation import unvaried
from opioid_outcomes.hyperalgesia.visits import ROUNDING
from opioid_outcomes.mortality.numbered import numbered

# People per arm below which nothing is estimated (ANALYSES 4, gates: effective sample of 50 per arm)
FEWEST_PER_ARM = 50
# MME/day of achieved separation below which a difference is not expressed per step (ANALYSES 5.1)
LEAST_SEPARATION = 10.0
NO_DOSE = "not evaluable: not told per step of dose"
Part = Literal["outcome", "both"]
PARTS: tuple[tuple[str, Part], ...] = (("mean_difference", "outcome"), ("mean_difference_per_step", "both"))
SCALES = tuple(scale for scale, _ in PARTS)
Joints = Callable[[str, Part, Method], Joint]  # by window, part and method


@dataclass(frozen=True)
class Question:
    """What the rows are about. verb: what those did who took the strategy. direction: of the change in dose, 1 or -1"""

    analysis: str
    population: str
    contrast: str
    verb: str
    step_mme: float
    outcome: str = "pain"
    direction: int = 1

    def row(self, method: str, window: str, scale: str, **values: object) -> Estimate:
        """A row of it."""
        return Estimate(
            analysis=self.analysis, method=method, population=self.population, outcome=self.outcome,
            contrast=self.contrast, window=window, scale=scale, **values,  # type: ignore[arg-type]
        )  # fmt: skip

    def nothing(self, method: str, window: str, gate: str, scales: tuple[str, ...] = SCALES) -> list[Estimate]:
        """Rows without a number, and why."""
        return [self.row(method, window, scale, gate=gate) for scale in scales]


@dataclass(frozen=True)
class Measured:
    """One window by decision, (n,): the outcome, NaN where not seen; mean daily dose, NaN where not known; which
    decisions it is asked of (those alive); and the weight of having followed the strategy, None by intention to treat.
    """

    label: str
    outcome: Floats
    mme: Floats
    eligible: Bools
    followed: Floats | None = None

    @property
    def seen(self) -> Bools:
        """Decisions that count, and have an outcome."""
        follows = self.eligible if self.followed is None else self.eligible & (self.followed > 0)
        return np.isfinite(self.outcome) & follows


@dataclass(frozen=True)
class Compared:
    """Effects in one window: on the outcome, and on outcome and dose where both are known; None, and why not.

    judged: those by which the separation in dose is judged, where they are not ``both``: as recorded, where pain is
    corrected for its error, as there is none in the dose.
    """

    measured: Measured
    outcome: Effects | None
    both: Effects | None
    outcome_gate: str
    both_gate: str
    judged: Effects | None = None

    def part(self, part: Part) -> Effects | None:
        return self.outcome if part == "outcome" else self.both

    def gate(self, part: Part) -> str:
        return self.outcome_gate if part == "outcome" else self.both_gate


def compare(
    trial: Trial, assigned: Assigned, measured: Measured, verb: str, *, few: bool = False, dose: bool = True,
    what: str = "pain",
) -> Compared:  # fmt: skip
    """Effects in a window and their gates: people per arm (unless ``few`` are enough, as in a bootstrap), an outcome
    that varies, models that have an estimate. ``dose``: whether the dose is compared too. ``what``: the outcome."""
    seen = measured.seen
    if not dose:
        found, gate = _effects(trial, assigned, measured, seen, verb, what, few=few, dose=False)
        return Compared(measured, found, None, gate, NO_DOSE)
    both = seen & np.isfinite(measured.mme)
    if (both == seen).all():
        found, gate = _effects(trial, assigned, measured, both, verb, what, few=few, dose=True)
        return Compared(measured, found, found, gate, gate)
    outcome, outcome_gate = _effects(trial, assigned, measured, seen, verb, what, few=few, dose=False)
    dosed, dosed_gate = _effects(trial, assigned, measured, both, verb, what, few=few, dose=True)
    return Compared(measured, outcome, dosed, outcome_gate, dosed_gate)


def _effects(  # noqa: PLR0917 - private, each call on one line
    trial: Trial, assigned: Assigned, measured: Measured, rows: Bools, verb: str, what: str, *, few: bool, dose: bool
) -> tuple[Effects | None, str]:
    gate = None if few else too_few(trial.visits.person[rows], trial.taken[rows], verb)
    if gate is None and not few:
        gate = _constant(measured.outcome[rows], trial.visits.pain[rows], what)
    if gate is None and assigned.assignment is None:
        gate = assigned.gate
    if gate is not None or assigned.assignment is None:
        return None, gate or assigned.gate
    outcomes = np.column_stack([measured.outcome, measured.mme]) if dose else measured.outcome[:, None]
    try:
        found = augmented.effects(assigned.assignment, outcomes, eligible=measured.eligible, followed=measured.followed)
    except RegressionFailure as failure:
        return None, f"not evaluable: {why(failure, verb)}"
    return found, "pass"


def _constant(outcome: Floats, before: Floats, what: str) -> str | None:
    """Why there is nothing to compare where the outcome, or the change in pain since the visit, is one in all."""
    return unvaried(outcome, what) or (unvaried(outcome - before, what) if what == "pain" else None)


def people(person: Ints) -> int:
    """How many distinct people; whole numbers from 0."""
    return int(np.count_nonzero(np.bincount(person))) if len(person) else 0


def arm_counts(person: Ints, taken: Bools) -> dict[str, int | None]:
    """People behind a comparison; its events are people who took the strategy. Somebody may be in both arms."""
    one, other = people(person[taken]), people(person[~taken])
    return {"persons": people(person), "events": one, "smallest_cell": smallest(one, other)}


def too_few(person: Ints, taken: Bools, verb: str = "escalated") -> str | None:
    """Why the arms are too small to compare, if they are; without a count that could be told apart."""
    for arm, what in ((taken, verb), (~taken, "maintained")):
        if people(person[arm]) < FEWEST_PER_ARM:
            return f"not evaluable: fewer than {FEWEST_PER_ARM} people {what} and have a score in the window"
    return None


def contrast_rows(
    question: Question,
    compared: Compared,
    assigned: Assigned,
    trial: Trial,
    *,
    method: Method,
    name: str,
    joints: Joints | None = None,
    note: str = "",
) -> list[Estimate]:
    """Mean difference, and the same per step of achieved separation in dose, of one window by one method.

    ``name``: of the method in the row. ``joints``: the estimates with their covariance by window, part and method
    (those of the bootstrap), else the sandwich's.
    """
    rows = []
    for scale, part in PARTS:
        effects, gate = compared.part(part), compared.gate(part)
        measured = compared.measured
        seen = measured.seen if part == "outcome" else measured.seen & np.isfinite(measured.mme)
        counts = arm_counts(trial.visits.person[seen], trial.taken[seen])
        row = question.row(name, measured.label, scale, gate=gate, note=note, **counts)
        if effects is None:
            rows.append(row)
            continue
        joint = joints(measured.label, part, method) if joints else effects.joint(method)
        refused = "pass" if method == "regression" else forbidden(assigned, effects, question.verb)
        if refused != "pass":
            rows.append(question.row(name, measured.label, scale, gate=refused, note=note, **counts))
        elif part == "outcome":
            rows.append(numbered(row, joint.combination(np.eye(len(joint.values))[0])))
        else:
            rows.append(_per_step(question, row, joint, separation(question, compared, method)))
    return rows


def forbidden(assigned: Assigned, effects: Effects, verb: str) -> str:
    """``pass``, or the gate of weights that do not balance, or leave too few people."""
    return assigned.gate if assigned.gate != "pass" else effective(effects, verb)


def as_recorded(corrected: Sequence[Compared], recorded: Sequence[Compared]) -> list[Compared]:
    """Windows corrected for error, their separation in dose judged by that of the same windows as recorded."""
    return [replace(each, judged=other.both) for each, other in zip(corrected, recorded, strict=True)]


def separation(question: Question, compared: Compared, method: Method) -> str | None:
    """Why the achieved mean separation in dose, in the question's direction, is too small to be divided by."""
    judged = compared.judged or compared.both
    if judged is not None and question.direction * judged.values(method)[1] < LEAST_SEPARATION - ROUNDING:
        return f"not evaluable: achieved separation in dose below {LEAST_SEPARATION:g} MME/day"
    return None


def _per_step(question: Question, row: Estimate, joint: Joint, gate: str | None) -> Estimate:
    told = {"persons": row.persons, "events": row.events, "smallest_cell": row.smallest_cell}
    if gate:
        return question.row(row.method, row.window, row.scale, gate=gate, note=row.note, **told)
    step = question.direction * question.step_mme
    words = f"per {step:+g} MME/day; achieved separation {joint.values[1]:+.1f} MME/day; Fieller limits"
    exact = joint.combination(np.array([0.0, 1.0])).reason is not None  # the same in everybody: nothing to estimate
    ratio = (
        joint.combination(np.array([step / joint.values[1], 0.0]))
        if exact
        else joint.share(np.array([step, 0.0]), np.array([0.0, 1.0]))
    )
    note = "; ".join(part for part in (words, row.note) if part)
    fresh = question.row(row.method, row.window, row.scale, note=note, **told)
    if ratio.reason is not None:
        return question.row(
            row.method, row.window, row.scale, gate="not evaluable: the separation's interval includes 0", note=note,
            **told,
        )  # fmt: skip
    return numbered(fresh, ratio)


def difference_of_ratios(joint: Joint, step_mme: float) -> Contrast:
    """Second effect per step less the first, of (outcome, dose, outcome, dose) of two windows: by the delta method.

    The limits of a bootstrap where there is one.
    """
    first, first_dose, second, second_dose = joint.values
    ratios = np.array([first / first_dose, second / second_dose])
    gradient = np.array([-1 / first_dose, ratios[0] / first_dose, 1 / second_dose, -ratios[1] / second_dose]) * step_mme
    variance = float(gradient @ joint.covariance @ gradient)
    replicates = None
    if joint.replicates is not None:
        drawn = joint.replicates
        replicates = step_mme * (drawn[:, 2] / drawn[:, 3] - drawn[:, 0] / drawn[:, 1])[:, None]
    estimate = step_mme * float(ratios[1] - ratios[0])
    return Joint(np.array([estimate]), np.array([[variance]]), replicates).combination(np.ones(1))
