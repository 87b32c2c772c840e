"""Decisions, scores by lag and later steps of the dose, as a structural nested mean model reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.causal.nested_mean import Lag, Later
from opioid_outcomes.hyperalgesia import dose_steps
from opioid_outcomes.hyperalgesia.dose_steps import DoseSteps
from opioid_outcomes.hyperalgesia.histories import Histories, ScoreHistory
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints, segment_reduce, within
from opioid_outcomes.hyperalgesia.trial import EscalationRule, Trial
from opioid_outcomes.hyperalgesia.visits import ROUNDING

MONTH, HALF = 30, 15


@dataclass(frozen=True)
class Decisions:
    """Decisions of a trial at which the dose did not fall within grace, one entry each.

    step: rise of the dose within grace in units of step_mme, 0 where it was maintained. drift: changes below min_mme,
    in the same units; they are no decision, but their effect is taken from later scores. As the effect is that of a
    dose, not of a strategy, how large a rise is in proportion makes no difference.
    """

    trial: Trial
    step: Floats
    drift: Floats
    steps: DoseSteps
    step_mme: float
    grace_days: int
    fell: int  # decisions left out as the dose fell within grace
    unknown: int  # decisions left out as the size of a step within grace is not known
    cut: int  # decisions after which, in follow-up, comes a step of unknown size: scores from then on do not count

    def rises(self) -> Bools:
        return self.step > 0


def decide(trial: Trial, histories: Histories, rule: EscalationRule, *, step_mme: float) -> Decisions:
    """What was decided at each visit of a trial, in steps. O(visits x log steps)."""
    steps = dose_steps.build(histories.dose, histories.exit)
    person, day, least = trial.visits.person, trial.visits.day, rule.min_mme - ROUNDING
    change = steps.total(person, day, day + rule.grace_days + 1)
    unknown, fell = np.isnan(change), change <= -least
    kept = ~unknown & ~fell
    change, person = change[kept], person[kept]
    rose = change >= least
    cut = steps.first_unknown(person, day[kept] + rule.grace_days + 1) < histories.exit[person]
    rows = trial if kept.all() else trial.rows(kept)
    return Decisions(
        rows, np.where(rose, change, 0.0) / step_mme, np.where(rose, 0.0, change) / step_mme, steps,
        step_mme, rule.grace_days, int(fell.sum()), int(unknown.sum()), int(cut.sum()),
    )  # fmt: skip


def label(lag: int) -> str:
    """Days of the scores of a lag, from-to."""
    return "{}-{}".format(*days_of(lag))


def days_of(lag: int) -> tuple[int, int]:
    """Days within half a month of so many months after the visit; those of lag 1 begin the day after it."""
    return MONTH * lag - HALF if lag > 1 else 1, MONTH * lag + HALF - 1


def lag_of(days: Ints) -> Ints:
    """Lag of a step so many days before a score: the nearest month, 1 at the least."""
    return np.maximum(1, (days + HALF) // MONTH)


def lags(decisions: Decisions, histories: Histories, count: int, modifiers: Floats | None = None) -> Iterator[Lag]:
    """The scores at each lag and the steps between decision and score, one lag at a time.

    A lag's outcome is the mean of the scores on its days, none before the last day of grace. Scores after a step of
    unknown size since the decision are left out. A step on the day of a score, decided at that visit, is after it.
    Eligible are those alive at the end of these days whose follow-up reaches the middle of them, and those with a score
    before a death: where follow-up ends for everybody on one day, the history tells for sure who is beyond it, and no
    weight could stand for them. modifiers: (decisions, r); a later step has those of the last decision up to it.
    Cost: searches per decision, and one entry per later step and score.
    """
    visits, pain, steps = decisions.trial.visits, histories.pain, decisions.steps
    after = visits.day + decisions.grace_days + 1
    begin = steps.range(visits.person, after, after)[0]
    limit = np.minimum(steps.first_unknown(visits.person, after), histories.exit[visits.person] - 1)
    q = np.ones((len(after), 1)) if modifiers is None else np.column_stack([np.ones(len(after)), modifiers])
    latest = _latest_decision(decisions)
    for lag in range(1, count + 1):
        first, last = days_of(lag)
        start, end = visits.day + max(first, decisions.grace_days), np.minimum(visits.day + last, limit)
        died = histories.death[visits.person] <= visits.day + last
        reached = died | (histories.exit[visits.person] > visits.day + MONTH * lag)
        low, high = pain.window(visits.person, start, end)
        scored = reached & (high > low)
        total = segment_reduce(np.add, pain.score, low, high, 0.0)
        outcome = np.divide(total, high - low, out=np.full(len(total), np.nan), where=scored)
        between = scored & (steps.range(visits.person, end, end)[0] > begin)
        scores = _Scores(np.flatnonzero(between), low, high, begin)
        yield Lag(
            outcome, _with_drift(_later(decisions, pain, scores, q, latest), decisions, lag, scored, q), reached & ~died
        )


@dataclass(frozen=True)
class _Scores:
    """Decisions with a step before a score of theirs, and of all: places of the scores and of the first later step."""

    rows: Ints
    low: Ints
    high: Ints
    begin: Ints


def _later(decisions: Decisions, pain: ScoreHistory, scores: _Scores, q: Floats, latest: Ints) -> Later:
    """Every later step before every score of those who have any; a mean over the scores of a decision."""
    steps = decisions.steps
    owner, score = within(scores.low[scores.rows], scores.high[scores.rows])
    row = scores.rows[owner]
    before = steps.range(pain.person[score], pain.day[score], pain.day[score])[0]
    pair, step = within(scores.begin[row], before)
    row, score = row[pair], score[pair]
    amount = steps.change[step] / decisions.step_mme / (scores.high - scores.low)[row]
    modified = np.maximum(latest[step], row)
    return Later(row, lag_of(pain.day[score] - steps.day[step]), amount[:, None] * q[modified])


def _latest_decision(decisions: Decisions) -> Ints:
    """By step, the last decision of the person on its day or before (of another person where there is none)."""
    visits, days = decisions.trial.visits, decisions.steps.days
    return np.searchsorted(days.key(visits.person, visits.day), decisions.steps.key, side="right").astype(np.int64) - 1


def _with_drift(later: Later, decisions: Decisions, lag: int, scored: Bools, q: Floats) -> Later:
    """Changes within grace that are no rise lie as far before the score as the decision does."""
    rows = np.flatnonzero(scored & (np.abs(decisions.drift) * decisions.step_mme > ROUNDING))
    return Later(
        np.concatenate([later.row, rows]),
        np.concatenate([later.lag, np.full(len(rows), lag, dtype=np.int64)]),
        np.concatenate([later.step, decisions.drift[rows, None] * q[rows]]),
    )
