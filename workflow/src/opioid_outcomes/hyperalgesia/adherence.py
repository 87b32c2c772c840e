"""Per protocol: until when each decision's strategy is followed, and weights for the scores while it is.

Clones are censored at deviation. The chance of still following is modelled per arm, so that the scores of those who
follow stand for those of everybody (inverse probability of censoring weights; Robins & Finkelstein 2000 Biometrics
56:779), stabilised by arm and month.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.histories import NEVER, Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints, within
from opioid_outcomes.hyperalgesia.trial import EscalationRule, Trial, least_raised
from opioid_outcomes.hyperalgesia.visits import LONGEST_GAP, ROUNDING
from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.products import linear

MONTH = 30  # days
# A maintainer who takes this share less of the dose no longer maintains it
REDUCED = 0.2
# Decisions worked on at a time: their stretches of dose, or scores, are some dozen times as many
BLOCK = 100_000
# Decisions on which an arm's model is fitted at the most, every m-th where there are more: what a sample this large
# adds to the error of the weights is next to nothing
MODELLED = 10_000
# Penalty of the models: of next to no effect, except where nobody with some value of a covariate deviates, or everybody
RIDGE = 1e-5


@dataclass(frozen=True)
class Followed:
    """Of one window, by decision (n,): weighted mean of the scores while the strategy is followed, NaN without one;
    mean daily dose on these days; and the mean weight of the window's scores, 0 for those after the strategy was left.
    Where there is no score at all, the weight of the window's first day."""

    label: str
    pain: Floats
    mme: Floats
    weight: Floats


@dataclass(frozen=True)
class _Model:
    """Chance of leaving the strategy in a month, on the logit scale: base of the decision, and what its month adds."""

    constant: float
    slopes: Floats  # of the visit's history
    pain: float  # of the last score before the month
    month: Floats  # (months,)
    arm: Floats  # (months,) chance of following through the month in the arm as a whole
    certain: bool  # nobody leaves, or no model is possible: weights are 1


def deviations(trial: Trial, histories: Histories, rule: EscalationRule, *, last_day: int) -> Ints:
    """Days from the visit on which each decision's strategy is left; NEVER if not by ``last_day`` or the end.

    Raised: the known dose is below the least that counts as a rise. Maintained: it is a rise by the definition, or has
    fallen by 20 %. Either counts once it has lasted for longer than grace, on the last day of these, as at the
    decision: where one product takes over from another doses add up, or are missing, for some days. Both: no supply for
    more than 30 days, on the 31st. An unknown dose is no deviation. Cost: O(stretches of dose within the windows).
    """
    found = np.full(len(trial.taken), NEVER)
    for part in _parts(len(found)):
        found[part] = _deviations(trial.rows(part), histories, rule, last_day)
    return found


def _parts(rows: int) -> Iterator[slice]:
    return (slice(begin, min(begin + BLOCK, rows)) for begin in range(0, rows, BLOCK))


def _deviations(trial: Trial, histories: Histories, rule: EscalationRule, last_day: int) -> Ints:
    person, visit, usual = trial.visits.person, trial.visits.day, trial.visits.dose
    dose, end = histories.dose, np.minimum(last_day + 1, histories.exit[person] - visit)
    owner, index = within(dose.first_after(person, visit - 1), dose.first_from(person, visit + end))
    if len(owner) == 0:
        return np.full(len(visit), NEVER)
    origin = dose.days.key(person, visit)[owner]
    start, stop = dose.start[index] - origin, np.minimum(dose.stop[index] - origin, end[owner])
    mme, before = dose.mme[index], usual[owner]
    rise = mme >= least_raised(before, rule)
    left = dose.known[index] & np.where(trial.taken[owner], ~rise, rise | (mme <= (1 - REDUCED) * before + ROUNDING))
    found = np.full(len(visit), NEVER)
    joined = np.concatenate([[False], (owner[1:] == owner[:-1]) & left[1:] & left[:-1] & (start[1:] == stop[:-1])])
    first = np.flatnonzero(left & ~joined)
    last = np.flatnonzero(left & ~np.concatenate([joined[1:], [False]]))
    begin = np.maximum(start[first], 0)
    lasting = stop[last] - begin > rule.grace_days
    np.minimum.at(found, owner[first[lasting]], begin[lasting] + rule.grace_days)
    following = np.concatenate([np.where(owner[1:] == owner[:-1], start[1:], end[owner[:-1]]), end[owner[-1:]]])
    ended = following - stop > LONGEST_GAP
    np.minimum.at(found, owner[ended], np.maximum(stop[ended] + LONGEST_GAP, rule.grace_days))
    return found


def followed(
    trial: Trial,
    histories: Histories,
    windows: Sequence[tuple[int, int]],
    rule: EscalationRule,
    *,
    weights: Floats | None = None,
) -> list[Followed]:
    """What is seen in each window of those who still follow their strategy, weighted by the inverse chance of it.

    Months of 30 days from the last day of grace; the chance of leaving the strategy in each by a logistic model per
    arm, pooled over months, given the history at the visit, the last score before the month, and the month; within a
    month the chance of following falls evenly on the log scale. ``weights``: (n,) of the decisions, in a bootstrap.
    Cost: O(decisions x months) in blocks, and two logistic regressions.
    """
    last_day = max(last for _, last in windows)
    deviates = deviations(trial, histories, rule, last_day=last_day)
    months = (last_day - rule.grace_days) // MONTH + 1
    prior = np.ones(len(deviates)) if weights is None else weights
    at = _Months(trial, histories, deviates, rule.grace_days, months)
    models = [at.model(arm, prior) for arm in (~trial.taken, trial.taken)]
    found = [Followed(_label(days), *(np.empty(len(deviates)) for _ in range(3))) for days in windows]
    for part in _parts(len(deviates)):
        chance = at.chances(part, models)
        for window, days in zip(found, windows, strict=True):
            _weigh(at, part, chance, days, window)
    return found


def _label(days: tuple[int, int]) -> str:
    return f"{days[0]}-{days[1]}"


@dataclass(frozen=True)
class _Months:
    """Decisions by month since the last day of grace."""

    trial: Trial
    histories: Histories
    deviates: Ints
    grace_days: int
    months: int

    def ends(self, part: slice | Ints) -> Ints:
        """First day, from the visit, no longer followed."""
        visits = self.trial.visits
        return self.histories.exit[visits.person[part]] - visits.day[part]

    def at_risk(self, month: int, part: slice | Ints) -> tuple[Bools, Bools]:
        """Who follows at the start of the month, and who of them leaves the strategy in it."""
        first = self.grace_days + month * MONTH
        deviates, ends = self.deviates[part], self.ends(part)
        risk = (deviates >= first) & (ends > first)
        return risk, risk & (deviates < np.minimum(first + MONTH, ends))

    def last_pain(self, month: int, part: slice | Ints) -> Floats:
        """The last score before the month, of the visit or later."""
        visits, pain = self.trial.visits, self.histories.pain
        day = visits.day[part] + self.grace_days + month * MONTH
        return pain.score[np.maximum(pain.first_from(visits.person[part], day) - 1, 0)]

    def model(self, arm: Bools, prior: Floats) -> _Model:
        """Of one arm; ``prior`` (n,) weights."""
        mine = np.flatnonzero(arm & (prior > 0))
        follows = np.ones(self.months)
        for month in range(self.months):
            risk, leaves = self.at_risk(month, mine)
            total = float(prior[mine[risk]].sum())
            follows[month] = 1 - float(prior[mine[leaves]].sum()) / total if total > 0 else 1.0
        sample = mine[:: max(-(-len(mine) // MODELLED), 1)]
        fitted = self._fit(sample, prior)
        columns = self.trial.confounders.values.shape[1]
        if fitted is None:
            return _Model(0.0, np.zeros(columns), 0.0, np.zeros(self.months), follows, certain=True)
        later = np.concatenate([[0.0], fitted[2 + columns :]])
        return _Model(
            float(fitted[0]), fitted[1 : 1 + columns], float(fitted[1 + columns]), later, follows, certain=False
        )

    def _fit(self, sample: Ints, prior: Floats) -> Floats | None:
        """Constant, slopes of the history, of the last score, and of the months after the first."""
        rows, months, pain, leaves = [], [], [], []
        for month in range(self.months):
            risk, left = self.at_risk(month, sample)
            rows.append(sample[risk])
            months.append(np.full(int(risk.sum()), month))
            pain.append(self.last_pain(month, sample[risk]))
            leaves.append(left[risk])
        row, when, left = np.concatenate(rows), np.concatenate(months), np.concatenate(leaves)
        later = [when == month for month in range(1, self.months)]
        x = np.column_stack([self.trial.confounders.values[row], np.concatenate(pain), *later])
        names = [
            *self.trial.confounders.names,
            "last pain before the month",
            *(f"month {m}" for m in range(1, self.months)),
        ]
        try:
            return binary_regression.fit(x, left.astype(float), names=names, weights=prior[row], ridge=RIDGE).params
        except RegressionFailure:  # nobody leaves, or everybody at once
            return None

    def chances(self, part: slice, models: Sequence[_Model]) -> Floats:
        """Logarithm of the stabilised chance of following up to each month's start, (rows, months + 1)."""
        taken, values = self.trial.taken[part], self.trial.confounders.values[part]
        total = np.zeros((len(taken), self.months + 1))
        for arm, model in enumerate(models):
            mine = np.flatnonzero(taken == bool(arm))
            if model.certain or not len(mine):
                continue
            base = linear(values[mine], model.slopes) + model.constant
            rows = mine + part.start
            for month in range(self.months):
                eta = base + model.pain * self.last_pain(month, rows) + model.month[month]
                follows = -np.logaddexp(0.0, eta) - np.log(max(model.arm[month], 1e-300))
                total[mine, month + 1] = total[mine, month] + follows
        return total


def _weigh(at: _Months, part: slice, chance: Floats, days: tuple[int, int], window: Followed) -> None:
    """Fills the window's rows of the part."""
    visits, histories = at.trial.visits, at.histories
    person, visit, rows = visits.person[part], visits.day[part], chance.shape[0]
    first = max(days[0], at.grace_days)
    stop = np.minimum(days[1] + 1, at.ends(part))
    end = np.minimum(stop, at.deviates[part])
    low, high = histories.pain.window(person, visit + first, visit + end - 1)
    # of all scores of the window: who leaves within it would else count fully for the scores before
    every = np.maximum(histories.pain.first_from(person, visit + stop) - low, 0)
    owner, index = within(low, high)
    weight = _inverse(chance, owner, histories.pain.day[index] - visit[owner] - at.grace_days)
    count = np.bincount(owner, minlength=rows)
    total = np.bincount(owner, weight, minlength=rows)
    score = np.bincount(owner, weight * histories.pain.score[index], minlength=rows)
    nothing = np.full(rows, np.nan)
    window.pain[part] = np.divide(score, total, out=nothing.copy(), where=count > 0)
    window.mme[part] = histories.dose.mean(person, visit + first, visit + np.maximum(end, first))
    unseen = _inverse(chance, np.arange(rows), np.full(rows, first - at.grace_days))
    unseen = np.where(at.deviates[part] > first, unseen, 0.0)
    window.weight[part] = np.divide(total, every, out=unseen, where=every > 0)


def _inverse(chance: Floats, owner: Ints, day: Ints) -> Floats:
    """Inverse of the chance of following on a day since the last of grace."""
    month = day // MONTH
    begin, end = chance[owner, month], chance[owner, month + 1]
    return np.exp(-(begin + (end - begin) * (day - month * MONTH) / MONTH))
