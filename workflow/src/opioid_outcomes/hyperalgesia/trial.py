"""Decisions at visits as trials: which strategy was taken within grace, and what follows in each window of days.

Both clones of a visit follow the same path until the end of grace, and no score counts before it; the one whose
strategy is not followed is censored there. So what was done within grace is the arm, and nothing after it assigns one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from opioid_outcomes.hyperalgesia.confounders import Confounders
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.positivity import where_taken
from opioid_outcomes.hyperalgesia.visits import ROUNDING, Visits


class EscalationRule(Protocol):
    """What counts as a rise (``config.hyperalgesia.Escalation``)."""

    @property
    def min_rise(self) -> float: ...
    @property
    def min_mme(self) -> float: ...
    @property
    def grace_days(self) -> int: ...


class ReductionRule(Protocol):
    """What counts as a fall."""

    @property
    def min_fall(self) -> float: ...
    @property
    def min_mme(self) -> float: ...


@dataclass(frozen=True)
class Trial:
    """Decisions with a known arm, followed to the end of grace; one row per visit."""

    visits: Visits
    taken: Bools  # the strategy (escalate, reduce) was taken within grace; else maintained
    confounders: Confounders
    left_in_grace: int  # decisions of people who died or left before the end of grace
    arm_unknown: int  # decisions with a dose that is not known within grace, and no change that is
    incomplete: int  # decisions of people with a missing covariate, where those are left out
    unlike: tuple[str, ...] = ()  # terms by which decisions unlike any at which the strategy was taken are left out

    def rows(self, chosen: Bools | slice) -> Trial:
        """The chosen decisions; the counts stay those of the trial."""
        return replace(
            self, visits=self.visits.rows(chosen), taken=self.taken[chosen], confounders=self.confounders.rows(chosen)
        )


@dataclass(frozen=True)
class Window:
    """What follows the decisions in one window of days, one entry per decision."""

    label: str
    pain: Floats  # mean score; NaN without a score
    mme: Floats  # mean daily dose from the end of grace on; NaN without a known dose
    alive: Bools  # no death by the last day of the window without a score in it


def raised(visits: Visits, histories: Histories, rule: EscalationRule) -> tuple[Bools, Bools]:
    """Per visit: the dose was raised within grace; what happened within grace is known.

    Raised: on some day of [v, v + grace_days] the known daily dose is at least (1 + min_rise) times, and at least
    min_mme above, the dose prescribed up to the visit, and it has not fallen back by the last of those days: the days
    on which two products overlap when one takes over from the other are no rise of the prescribed dose. Grace ends on
    the eve of the person's next score: what is done from then on may follow that score, and is its visit's decision.
    """
    last = decided_by(visits, histories, rule.grace_days)
    highest, known = histories.dose.highest_known(visits.person, visits.day, last)
    at_last = histories.dose.on_day(visits.person, last)  # NaN where not known
    least = least_raised(visits.dose, rule)
    escalated = (highest >= least) & ~(at_last < least)
    return escalated, escalated | known | np.isfinite(at_last)


def decided_by(visits: Visits, histories: Histories, grace_days: int) -> Ints:
    """Last day on which a change of dose is the decision of this visit."""
    return np.minimum(visits.day + grace_days, histories.pain.next_day(visits.person, visits.day) - 1)


def least_raised(dose: Floats, rule: EscalationRule) -> Floats:
    """The least daily dose that counts as a rise of ``dose``, MME/day."""
    return np.maximum((1 + rule.min_rise) * dose, dose + rule.min_mme) - ROUNDING


def lowered(visits: Visits, histories: Histories, rule: ReductionRule, *, grace_days: int) -> tuple[Bools, Bools]:
    """Per visit: the dose was lowered within grace; what happened within grace is known.

    The mirror of ``raised``: on some day with supply of [v, v + grace_days] the known daily dose is at most
    (1 - min_fall) times, and at least min_mme below, the dose up to the visit, and it is not back above that on the
    last of those days. Days without supply lower nothing: a refill a few days late is no change of prescription.
    """
    last = decided_by(visits, histories, grace_days)
    lowest, known = histories.dose.lowest_known(visits.person, visits.day, last)
    at_last = histories.dose.on_day(visits.person, last)
    most = np.minimum((1 - rule.min_fall) * visits.dose, visits.dose - rule.min_mme) + ROUNDING
    reduced = (lowest <= most) & ~(at_last > most)
    return reduced, reduced | known | np.isfinite(at_last)


def escalations(visits: Visits, confounders: Confounders, histories: Histories, rule: EscalationRule) -> Trial:
    """Raise the dose against maintain it, at the decisions that can be followed, with those that cannot counted."""
    return _trial(visits, confounders, histories, raised(visits, histories, rule), rule.grace_days)


def reductions(
    visits: Visits, confounders: Confounders, histories: Histories, rule: ReductionRule, *, grace_days: int
) -> Trial:
    """Lower the dose against maintain it, at the decisions that can be followed, with those that cannot counted."""
    arms = lowered(visits, histories, rule, grace_days=grace_days)
    return _trial(visits, confounders, histories, arms, grace_days)


def _trial(
    visits: Visits, confounders: Confounders, histories: Histories, arms: tuple[Bools, Bools], grace_days: int
) -> Trial:
    taken, known = arms
    followed = histories.exit[visits.person] > visits.day + grace_days
    kept = followed & known & confounders.complete
    incomplete = followed & known & ~confounders.complete
    found = Trial(
        visits.rows(kept), taken[kept], confounders.rows(kept), left_in_grace=int((~followed).sum()),
        arm_unknown=int((followed & ~known).sum()), incomplete=int(incomplete.sum()),
    )  # fmt: skip
    return among_the_like(found)


def among_the_like(trial: Trial) -> Trial:
    """The decisions of which there are like ones at which the strategy was taken (``positivity.where_taken``)."""
    like, names = where_taken(trial.confounders, trial.taken)
    return trial if like.all() else replace(trial.rows(like), unlike=tuple(dict.fromkeys((*trial.unlike, *names))))


def unlike_any(trial: Trial, verb: str) -> str:
    """What is said of decisions left out as unlike any at which the dose was raised, or lowered."""
    return f"decisions unlike any at which the dose was {verb} left out ({', '.join(trial.unlike)})"


def span(trial: Trial, histories: Histories, days: tuple[int, int], grace_days: int) -> tuple[Ints, Ints]:
    """First and last day of a window per decision: v + from..v + to, none before the last of grace, in follow-up."""
    person, visit = trial.visits.person, trial.visits.day
    first = visit + max(days[0], grace_days)
    return first, np.minimum(visit + days[1], histories.exit[person] - 1)


def window(trial: Trial, histories: Histories, days: tuple[int, int], grace_days: int) -> Window:
    """Mean score, mean daily dose (days without supply count 0) and being alive in one window after each decision."""
    person, visit = trial.visits.person, trial.visits.day
    first, last = span(trial, histories, days, grace_days)
    pain = histories.pain.mean(person, first, last)
    mme = histories.dose.mean(person, first, np.maximum(last + 1, first))
    alive = np.isfinite(pain) | (histories.death[person] > visit + days[1])
    return Window(f"{days[0]}-{days[1]}", pain, mme, alive)
