"""How doses are changed in the study: who raises at which visit, by how much and when, and who lowers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import trial
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.visits import Visits
from opioid_outcomes.survival import binary_regression

CENTRE = 5.0  # points of pain
PER_DOSE = 20.0  # MME/day
FALL_SEEN_DAYS = 60  # a fall counts for the visit before it if it comes before the next one, and within these days


@dataclass(frozen=True)
class Decisions:
    """The log odds of raising the dose at a visit: constant + pain x (score - 5) + dose x (MME / 20) + steady.

    rises: MME/day; delays: days from visit to the new dose; falls: new dose over old. Drawn from with equal chance.
    """

    constant: float
    pain: float
    dose: float
    steady: float
    rises: Floats
    delays: Ints
    fall_share: float  # of visits
    falls: Floats
    highest: float  # MME/day beyond which nobody was raised

    def chance(self, pain: Floats, dose: Floats, steady: Bools) -> Floats:
        odds = self.constant + self.pain * (pain - CENTRE) + self.dose * dose / PER_DOSE + self.steady * steady
        out: Floats = 1 / (1 + np.exp(-odds))
        return out

    def on_true_pain(self, share: float) -> Decisions:
        """The same decisions if made on true pain, of whose variance the recorded score's is 1 / ``share``.

        Regression on a noisy copy finds ``share`` of the slope (Fuller 1987), so the true one is larger by as much.
        """
        return Decisions(**(vars(self) | {"pain": self.pain / share}))


def fit(visits: Visits, next_day: Ints, steady: Bools, histories: Histories, options: Hyperalgesia) -> Decisions | None:
    """From every visit with supply, steady or not. None if nobody raised, or who did is told without error.

    next_day: day of the person's next visit (any later day if none).
    """
    rule = options.escalation
    taken, known = trial.raised(visits, histories, rule)
    usable = known & (histories.exit[visits.person] > visits.day + rule.grace_days)
    visits, taken, steady, next_day = visits.rows(usable), taken[usable], steady[usable], next_day[usable]
    x = np.stack([visits.pain - CENTRE, visits.dose / PER_DOSE, steady.astype(float)], axis=1)
    names = ["pain", "dose", "steady"]
    try:
        model = binary_regression.fit(x, taken.astype(float), names=names, redundant="drop")
    except binary_regression.RegressionFailure:
        return None
    rises, delays = _rises(visits.rows(taken), histories, rule)
    falls = _falls(visits.rows(~taken), next_day[~taken], histories, options)
    constant, pain, dose, step = (float(value) for value in model.params)
    return Decisions(
        constant, pain, dose, step, rises, delays, len(falls) / len(taken), falls,
        highest=float((visits.dose[taken] + rises).max()),
    )  # fmt: skip


def _rises(raised: Visits, histories: Histories, rule: trial.EscalationRule) -> tuple[Floats, Ints]:
    least = trial.least_raised(raised.dose, rule)
    delay = np.full(len(least), rule.grace_days, dtype=np.int64)
    for after in range(rule.grace_days, -1, -1):
        dose = histories.dose.on_day(raised.person, raised.day + after)
        delay = np.where(dose >= least, after, delay)
    at_last = histories.dose.on_day(raised.person, raised.day + rule.grace_days)
    at_first = histories.dose.on_day(raised.person, raised.day + delay)
    return np.where(at_last > 0, at_last, at_first) - raised.dose, delay


def _falls(kept: Visits, next_day: Ints, histories: Histories, options: Hyperalgesia) -> Floats:
    last = np.minimum(next_day, kept.day + FALL_SEEN_DAYS)
    lowest, _ = histories.dose.lowest_known(kept.person, kept.day + 1, np.maximum(last, kept.day + 1))
    rule = options.reduction
    fell = (lowest <= (1 - rule.min_fall) * kept.dose) & (lowest <= kept.dose - rule.min_mme) & (lowest > 0)
    return lowest[fell] / kept.dose[fell]
