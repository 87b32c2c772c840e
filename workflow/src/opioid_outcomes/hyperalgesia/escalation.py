"""``hyperalgesia.escalation``: pain after raising the dose of stable long-term therapy, against not raising it.

Target: the decisions at which the dose was raised (ATT). By intention to treat (AIPW, beside it IPW and regression),
corrected for the noise of recorded pain, and per protocol; beside pain while alive, being alive with less of it; and
``hyperalgesia.verdict``: long lag minus short lag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import Method
from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.counts import about, share, tellable
from opioid_outcomes.hyperalgesia import survivors
from opioid_outcomes.hyperalgesia.compared import (
    FEWEST_PER_ARM,
    LEAST_SEPARATION,
    SCALES,
    Compared,
    Joints,
    Question,
    arm_counts,
    contrast_rows,
    difference_of_ratios,
    forbidden,
    people,
    separation,
    too_few,
)
from opioid_outcomes.hyperalgesia.fitted import BETTER, CORRECTED, FOLLOWED, RECORDED, Fitted, Replicates
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.trial import Trial, Window, unlike_any
from opioid_outcomes.mortality.numbered import numbered

__all__ = [
    "ANALYSIS", "CONTRAST", "FEWEST_PER_ARM", "LEAST_SEPARATION", "POPULATION", "TREATED", "arm_counts",
    "contrast_rows", "empty", "estimates", "people", "question", "too_few",
]  # fmt: skip

ANALYSIS = "hyperalgesia.escalation"
VERDICT = "hyperalgesia.verdict"
CONTRAST = "escalate vs maintain"
POPULATION = "stable long-term opioid therapy"
TREATED = f"{POPULATION} (ATT)"
BETTER_OUTCOME = "alive with 30 % less pain"
LAGS = "long lag minus short lag"
ESCALATED = "escalated"
ONE_WINDOW = "not evaluable: long and short lag are the same window"
# Rows of pain by name of the method: what was fitted, and the method there
METHODS: tuple[tuple[str, str, Method], ...] = (
    ("aipw", RECORDED, "aipw"),
    ("aipw_noise_corrected", CORRECTED, "aipw"),
    ("ipw", RECORDED, "ipw"),
    ("regression", RECORDED, "regression"),
    ("per_protocol", FOLLOWED, "aipw"),
)
WHILE_FOLLOWED = "while the strategy is followed, weighted by the inverse chance of it; these weights taken as known"
REACHED = "events = people who reach it; a death without a score in the window does not"
BOUNDS = ("survivor_bound_low", "survivor_bound_high")


def question(step_mme: float) -> Question:
    """What the rows of pain after an escalation are about."""
    return Question(ANALYSIS, TREATED, CONTRAST, ESCALATED, step_mme)


@dataclass(frozen=True)
class Told:
    """What is said beside the numbers: of noise in the corrected rows, of the scale and the bootstrap in all."""

    noise: str = ""
    everywhere: str = ""


def empty(labels: Sequence[str], gate: str, step_mme: float) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    asked = question(step_mme)
    rows = [row for label in labels for name, _, _ in METHODS for row in asked.nothing(name, label, gate)]
    better = replace(asked, outcome=BETTER_OUTCOME)
    rows += [better.row("aipw", label, "risk_difference", gate=gate) for label in labels]
    lags = replace(asked, analysis=VERDICT, contrast=LAGS)
    return rows + [lags.row(name, "", SCALES[1], gate=gate) for name, _, _ in METHODS[:2]]


def estimates(
    trial: Trial,
    histories: Histories,
    windows: Sequence[Window],
    fitted: Fitted,
    *,
    step_mme: float,
    told: Told,
    replicates: Replicates | None = None,
) -> list[Estimate]:
    """All rows of the analysis, from what ``fitted.fit`` gives; standard errors of the ``replicates`` if any."""
    made = _Rows(question(step_mme), trial, histories, windows, fitted, told, replicates)
    by_window = [row for place in range(len(windows)) for row in made.of_window(place)]
    lags = [
        long_less_short(made.asked, trial, fitted, name, source, replicates=replicates)
        for name, source, _ in METHODS[:2]
    ]
    return by_window + lags


def covariates_told(trial: Trial, dropped: Sequence[str]) -> str:
    """Which covariates are not adjusted for, or in part. Never their levels: a level may be one person's."""
    parts = []
    told_by_others = {name.split(": ")[0]: None for name in dropped if name in trial.confounders.baseline}
    if told_by_others:
        parts.append(f"constant in part, or told by the other terms: {', '.join(told_by_others)}")
    if trial.confounders.absent:
        parts.append(f"not in the data: {', '.join(trial.confounders.absent)}")
    return "; ".join(parts)


@dataclass(frozen=True)
class _Rows:
    asked: Question
    trial: Trial
    histories: Histories
    windows: Sequence[Window]
    fitted: Fitted
    told: Told
    replicates: Replicates | None

    def of_window(self, place: int) -> list[Estimate]:
        """Pain by every method, being alive with less of it, and the bounds where mortality differs."""
        rows = []
        for name, source, method in METHODS:
            compared = self.fitted.compared[source][place]
            rows += contrast_rows(
                self.asked, compared, self.fitted.assigned[source], self.trial, method=method, name=name,
                note=self.note(compared, source), joints=self.joints(source),
            )  # fmt: skip
        return [*rows, self.alive_with_less_pain(place), *self.bounds(place)]

    def joints(self, source: str) -> Joints | None:
        """Estimates of a window with their covariance where it is the bootstrap's."""
        drawn, fitted = self.replicates, self.fitted
        if drawn is None:
            return None
        return lambda label, part, method: drawn.joint(fitted, source, [label], part, method)

    def note(self, compared: Compared, source: str) -> str:
        """Both arms' change, who is seen, who is left out, and what is not adjusted for."""
        trial, seen = self.trial, compared.measured.seen
        if compared.outcome is None:
            return ""
        change = compared.measured.outcome[seen] - trial.visits.pain[seen]
        up, same = float(change[trial.taken[seen]].mean()), float(change[~trial.taken[seen]].mean())
        assignment = self.fitted.assigned[source].assignment
        parts = [
            f"mean change since the visit {up:+.2f} escalated, {same:+.2f} maintained",
            self.with_a_score(compared),
            "events = people who escalated",
            f"decisions left out: {about(trial.left_in_grace)} for follow-up that ends within grace, "
            f"{about(trial.arm_unknown)} for a dose not known within it, "
            f"{about(trial.incomplete)} for a missing covariate",
            unlike_any(trial, "raised") if trial.unlike else "",
            WHILE_FOLLOWED if source == FOLLOWED else "",
            self.told.noise if source == CORRECTED else "",
            covariates_told(trial, [name for name, _ in assignment.dropped] if assignment else []),
            self.told.everywhere,
        ]
        return "; ".join(part for part in parts if part)

    def with_a_score(self, compared: Compared) -> str:
        """Share of the decisions of either arm that have a score, unless those without are few people."""
        trial, measured = self.trial, compared.measured
        follows = measured.eligible if measured.followed is None else measured.eligible & (measured.followed > 0)
        unseen = follows & ~measured.seen
        arms = [(~trial.taken, "maintained"), (trial.taken, ESCALATED)]
        if compared.outcome is None or not tellable(*(people(trial.visits.person[unseen & arm]) for arm, _ in arms)):
            return ""
        told = [
            f"{share(part, 1, people=people(trial.visits.person[follows & arm]))} {what}"
            for part, (arm, what) in zip(compared.outcome.observation, arms, strict=True)
        ]
        return f"share of decisions with a score {told[1]}, {told[0]}"

    def alive_with_less_pain(self, place: int) -> Estimate:
        """Risk difference of being alive with at least 30 % less pain than at the visit."""
        compared, trial = self.fitted.compared[BETTER][place], self.trial
        asked = replace(self.asked, outcome=BETTER_OUTCOME)
        row = contrast_rows(
            asked, compared, self.fitted.assigned[BETTER], trial, method="aipw", name="aipw", note=REACHED,
            joints=self.joints(BETTER),
        )[0]  # fmt: skip
        seen = compared.measured.seen
        person, taken, reached = trial.visits.person[seen], trial.taken[seen], compared.measured.outcome[seen] > 0
        cells = [people(person[arm & side]) for arm in (taken, ~taken) for side in (reached, ~reached)]
        return replace(row, scale="risk_difference", events=people(person[reached]), smallest_cell=smallest(*cells))

    def bounds(self, place: int) -> list[Estimate]:
        """Bounds of the difference in pain among those who would live in either arm, where mortality differs."""
        compared, assigned, window = (
            self.fitted.compared[RECORDED][place],
            self.fitted.assigned[RECORDED],
            self.windows[place],
        )
        if compared.outcome is None or assigned.assignment is None:
            return []
        odds = assigned.assignment.odds
        alive = survivors.survival(self.trial, window, self.histories, odds, int(window.label.split("-")[1]))
        if not alive.differs:
            return []
        seen = compared.measured.seen
        weights = augmented.outcome_weights(assigned.assignment, seen, eligible=window.alive)
        counts = arm_counts(self.trial.visits.person[seen], self.trial.taken[seen])
        note = self.dead(window, alive)
        rows = []
        for name, joint in zip(BOUNDS, survivors.bounds(self.trial, window, alive, odds, weights), strict=True):
            gate = forbidden(assigned, compared.outcome, ESCALATED)
            row = self.asked.row(name, window.label, SCALES[0], gate=gate, note=note, **counts)
            rows.append(numbered(row, joint.combination(np.ones(1))) if gate == "pass" else row)
        return rows

    def dead(self, window: Window, alive: survivors.Survival) -> str:
        """Share of either arm that has died, unless these are few people."""
        trial, person = self.trial, self.trial.visits.person
        told, counts = [], []
        for arm, living, what in zip((~trial.taken, trial.taken), alive.alive, ("maintained", ESCALATED), strict=True):
            known = arm & alive.known
            counts.append(people(person[known & ~window.alive]))
            told.append(f"{share(1 - living, 1, people=people(person[known]))} {what}")
        if not tellable(*counts):
            return f"mortality differs by more than {100 * survivors.LARGEST_DIFFERENCE:g} % between the arms"
        return f"dead by the end of the window without a score in it: {told[1]}, {told[0]}"


def long_less_short(
    asked: Question, trial: Trial, fitted: Fitted, name: str, source: str, *, replicates: Replicates | None = None
) -> Estimate:
    """Effect per step in the last window less that in the first: ``name`` of the method, ``source`` what is fitted."""
    lags = replace(asked, analysis=VERDICT, contrast=LAGS)
    pair = fitted.compared[source][0], fitted.compared[source][-1]
    short, long = (each.measured.label for each in pair)
    gate = ONE_WINDOW if short == long else _lag_gate(asked, fitted, source, pair)
    if gate != "pass":
        return lags.row(name, "", SCALES[1], gate=gate)
    counts = []
    for each in pair:
        seen = each.measured.seen & np.isfinite(each.measured.mme)
        counts.append(arm_counts(trial.visits.person[seen], trial.taken[seen]))
    fewest = {key: smallest(*(each[key] for each in counts)) for key in counts[0]}
    note = f"{long} minus {short} days, per {asked.step_mme:+g} MME/day; events = people who escalated"
    row = lags.row(name, "", SCALES[1], note=note, **fewest)
    joint = _joint(fitted, replicates, source, [short, long])
    return numbered(row, difference_of_ratios(joint, asked.step_mme))


def _lag_gate(asked: Question, fitted: Fitted, source: str, pair: tuple[Compared, Compared]) -> str:
    """``pass``, or what forbids to divide in either window."""
    for compared, which in zip(pair, ("short lag", "long lag"), strict=True):
        gate = compared.both_gate
        if compared.both is not None:
            gate = forbidden(fitted.assigned[source], compared.both, ESCALATED)
            if gate == "pass":
                gate = separation(asked, compared, "aipw") or "pass"
        if gate != "pass":
            kind, _, reason = gate.partition(": ")
            return f"{kind}: {which}: {reason}"
    return "pass"


def _joint(fitted: Fitted, replicates: Replicates | None, source: str, labels: Sequence[str]) -> Joint:
    """AIPW estimates of some windows with their covariance, the bootstrap's if there is one."""
    if replicates is None:
        return fitted.joint(source, labels, "both", "aipw")
    return replicates.joint(fitted, source, labels, "both", "aipw")
