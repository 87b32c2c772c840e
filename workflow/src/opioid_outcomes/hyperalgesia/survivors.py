"""Where the arms' mortality differs: bounds of the difference in pain among those who would live in either arm.

Pain after death does not exist, and who lives in one arm only is not comparable. If nobody lives only in the arm that
dies more (monotonicity), those are a known share of the other; taking them to have had the most, or the least, pain
bounds the difference. Lee DS. Rev Econ Stud 2009;76:1071; Zhang JL, Rubin DB. J Educ Behav Stat
2003;28:353.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats
from opioid_outcomes.hyperalgesia.trial import Trial, Window

# Difference in mortality between the arms, by the end of the window, above which bounds are given
LARGEST_DIFFERENCE = 0.01


@dataclass(frozen=True)
class Survival:
    """Weighted share of each arm (maintained, taken) alive in the window, and of whom that is known, (n,)."""

    alive: tuple[float, float]
    known: Bools

    @property
    def differs(self) -> bool:
        """Whether mortality differs enough for bounds."""
        return abs(self.alive[1] - self.alive[0]) > LARGEST_DIFFERENCE


def survival(trial: Trial, window: Window, histories: Histories, odds: Floats, last_day: int) -> Survival:
    """Of decisions followed to the end of the window, or to a death or a score in it; the untreated weighted by odds.

    Who leaves before is taken to live as the others of the arm do.
    """
    ends = histories.exit[trial.visits.person] - trial.visits.day
    known = ~window.alive | np.isfinite(window.pain) | (ends > last_day)
    shares = []
    for arm in (~trial.taken, trial.taken):
        rows = arm & known
        total = float(odds[rows].sum())
        shares.append(float(odds[rows & window.alive].sum()) / total if total > 0 else float("nan"))
    return Survival((shares[0], shares[1]), known)


def bounds(trial: Trial, window: Window, survival: Survival, odds: Floats, weights: Floats) -> tuple[Joint, Joint]:
    """Lowest and highest difference in mean pain, taken minus maintained, each with its variance.

    odds: (n,) of treatment for the untreated, 1 for the treated, as survival was weighted. weights: (n,) of the scores,
    the odds over the chance that one is seen (``augmented.outcome_weights``). Variance: of the two means, the trimmed
    share and the threshold of trimming (Lee's proposition 3), by sums of influence over persons; weights as known.
    By intention to treat only: who has left the strategy lives on, and whether they would have is not known.
    """
    arms = [_Arm(trial, window, survival, odds, weights, taken=taken) for taken in (False, True)]
    better = int(survival.alive[1] > survival.alive[0])
    share = 1 - survival.alive[1 - better] / survival.alive[better]
    found = []
    for lowest in (True, False):
        # the lowest difference: taken's least pain against maintained's most
        keep_low = lowest if better == 1 else not lowest
        means, influences = np.empty(2), []
        for place, arm in enumerate(arms):
            if place == better:
                means[place], influence = arm.trimmed(share, arms[1 - place], keep_low=keep_low)
            else:
                means[place], influence = arm.mean()
            influences.append(influence)
        person = np.bincount(trial.visits.person, influences[1] - influences[0])
        people = len(np.unique(trial.visits.person))
        variance = float(np.einsum("i,i->", person, person)) * people / max(people - 1, 1)
        found.append(Joint(np.array([means[1] - means[0]]), np.array([[variance]])))
    return found[0], found[1]


class _Arm:
    """Scores and survival of one arm; influences are by decision, (n,), 0 in the other arm."""

    def __init__(
        self, trial: Trial, window: Window, survival: Survival, odds: Floats, weights: Floats, *, taken: bool
    ) -> None:
        mine = trial.taken == taken
        self.pain = window.pain
        self.scored = np.where(mine & np.isfinite(window.pain), weights, 0.0)
        self.known = np.where(mine & survival.known, odds, 0.0)
        self.alive = survival.alive[int(taken)]
        self.lives = window.alive

    def mean(self) -> tuple[float, Floats]:
        """Weighted mean score, and its influence."""
        total = self.scored.sum()
        mean = float(np.where(self.scored > 0, self.scored * np.nan_to_num(self.pain), 0.0).sum() / total)
        return mean, np.where(self.scored > 0, self.scored * (np.nan_to_num(self.pain) - mean), 0.0) / total

    def share_alive(self) -> Floats:
        """Influence on the share alive."""
        return self.known * (self.lives - self.alive) / self.known.sum()

    def trimmed(self, share: float, other: _Arm, *, keep_low: bool) -> tuple[float, Floats]:
        """Mean of the lowest (or highest) 1 - share of the scores' weight, and its influence, ``other`` being the arm
        whose survival sets the share. A value on the threshold counts in part."""
        rows = np.flatnonzero(self.scored > 0)
        sign = 1.0 if keep_low else -1.0
        order = rows[np.argsort(sign * self.pain[rows], kind="stable")]
        weight, pain = self.scored[order], self.pain[order]
        total = weight.sum()
        kept = 1 - share
        before = np.cumsum(weight) - weight
        part = np.clip(kept * total - before, 0.0, weight)
        mean = float((part * pain).sum() / part.sum())
        threshold = pain[int(np.flatnonzero(part > 0)[-1])]
        influence = np.zeros(len(self.pain))
        inside = np.where(weight > 0, part / weight, 0.0)
        influence[order] = weight * (inside * (pain - threshold) - kept * (mean - threshold)) / (kept * total)
        # kept = share alive in the other arm / share alive in this one
        trimmed = other.share_alive() / self.alive - other.alive / self.alive**2 * self.share_alive()
        return mean, influence + (threshold - mean) / kept * trimmed
