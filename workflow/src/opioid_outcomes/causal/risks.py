"""Risks and mean times of two arms with their covariance, and what is told from them: contrasts, shares, or why not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.causal.contrasts import Contrast, Joint, unknown
from opioid_outcomes.causal.propensity import Propensity
from opioid_outcomes.survival.incidence import Incidence
from opioid_outcomes.survival.risk_sets import Floats, Ints

ARMS = ("comparators", "treated")
NUDGES = 8  # units in the last place by which a share is moved at the most so that all add up to 1


@dataclass(frozen=True)
class Risks:
    """Arrays over arms: [0] the comparators, [1] the treated; H horizons, K causes.

    incidence: (2, H, K). rmst: (2, H), in the unit of time. covariance: (H, 2, K + 1, 2, K + 1) within a horizon, of
    each arm's incidences and mean time. replicates: (B, 2, H, K + 1), or None of the sandwich. arms: curves by time.
    persons, index_dates: (2,) with a weight; events: (2, H, K) and person_time (2, H): unweighted, by each horizon.
    weights: (n,) of the index dates.
    """

    horizons: tuple[float, ...]
    causes: tuple[str, ...]
    incidence: Floats
    rmst: Floats
    covariance: Floats
    replicates: Floats | None
    arms: tuple[Incidence, Incidence]
    propensity: Propensity | None
    weights: Floats
    persons: Ints
    index_dates: Ints
    events: Ints
    person_time: Floats

    def risk(self, horizon: float, arm: int, cause: str | None = None) -> Contrast:
        """Incidence of a cause (of any cause, if None) in an arm; the p-value says nothing."""
        place = self._place(horizon)
        return self._told(place) or self._joint(place).combination(self._gradient(arm, cause))

    def mean_time(self, horizon: float, arm: int) -> Contrast:
        """Restricted mean time without any event in an arm."""
        place = self._place(horizon)
        return self._told(place) or self._joint(place).combination(self._mean_gradient(arm))

    def risk_difference(self, horizon: float, cause: str | None = None) -> Contrast:
        """Treated less comparators, as a probability."""
        place = self._place(horizon)
        refused = self._told(place) or self._without_events(place, cause, any_arm=False)
        return refused or self._joint(place).combination(self._difference(cause))

    def risk_ratio(self, horizon: float, cause: str | None = None) -> Contrast:
        """Treated to comparators."""
        place = self._place(horizon)
        refused = self._told(place) or self._without_events(place, cause, any_arm=True)
        return refused or self._joint(place).ratio(self._gradient(1, cause), self._gradient(0, cause))

    def rmst_difference(self, horizon: float) -> Contrast:
        """Restricted mean time without any event, treated less comparators, in the unit of time."""
        place = self._place(horizon)
        refused = self._told(place) or self._without_events(place, None, any_arm=False)
        return refused or self._joint(place).combination(self._mean_gradient(1) - self._mean_gradient(0))

    def share(self, horizon: float) -> dict[str, Contrast]:
        """Of each cause in the difference of any cause; added in order exactly 1 (METHODS: same weights and risk sets).

        The largest share, or the next, takes what rounding leaves.

        Not evaluable where that difference is not told apart from none, or where a cause differs the other way.
        """
        place = self._place(horizon)
        whole = self.risk_difference(horizon)
        reason = whole.reason
        if reason is None and whole.ci_low <= 0 <= whole.ci_high:
            reason = "the difference in any cause is not told apart from none"
        if reason is None:
            sign = np.sign(whole.estimate)
            for cause in self.causes:
                part = self.risk_difference(horizon, cause)
                if part.reason is None and max(part.ci_low * -sign, part.ci_high * -sign) > 0 > max(
                    part.ci_low * sign, part.ci_high * sign
                ):
                    reason = f"{cause} differs the other way"
        if reason is not None:
            return dict.fromkeys(self.causes, unknown(reason))
        joint, everything = self._joint(place), self._difference(None)
        shares = {cause: joint.share(self._difference(cause), everything) for cause in self.causes}
        return _exact(shares) if all(share.reason is None for share in shares.values()) else shares

    def _place(self, horizon: float) -> int:
        if float(horizon) not in self.horizons:
            raise ValueError(f"risks are known at {self.horizons}, not at {horizon}")
        return self.horizons.index(float(horizon))

    def _told(self, place: int) -> Contrast | None:
        for arm, name in enumerate(ARMS):
            if np.isnan(self.rmst[arm, place]):
                return unknown(f"follow-up of the {name} ends before the horizon")
        if np.isnan(self.covariance[place]).any():
            return unknown("too many bootstrap replicates have no estimate")
        return None

    def _without_events(self, place: int, cause: str | None, *, any_arm: bool) -> Contrast | None:
        risks = self.incidence[:, place] @ self._of_cause(cause)
        if any_arm and (risks <= 0).any():
            return unknown(f"no such event in the {ARMS[int(np.argmin(risks))]} by the horizon")
        return None if (risks > 0).any() else unknown("no such event in either arm by the horizon")

    def _joint(self, place: int) -> Joint:
        size = 2 * (len(self.causes) + 1)
        values = np.concatenate([self.incidence[:, place], self.rmst[:, place, None]], axis=1)
        covariance = self.covariance[place].reshape(size, size)
        replicates = None if self.replicates is None else self.replicates[:, :, place].reshape(-1, size)
        return Joint(values.ravel(), covariance, replicates)

    def _of_cause(self, cause: str | None) -> Floats:
        if cause is None:
            return np.ones(len(self.causes))
        return np.eye(len(self.causes))[self.causes.index(cause)]

    def _gradient(self, arm: int, cause: str | None) -> Floats:
        gradient = np.zeros((2, len(self.causes) + 1))
        gradient[arm, :-1] = self._of_cause(cause)
        return gradient.ravel()

    def _mean_gradient(self, arm: int) -> Floats:
        gradient = np.zeros((2, len(self.causes) + 1))
        gradient[arm, -1] = 1.0
        return gradient.ravel()

    def _difference(self, cause: str | None) -> Floats:
        return self._gradient(1, cause) - self._gradient(0, cause)


def _exact(shares: dict[str, Contrast]) -> dict[str, Contrast]:
    """Shares that add up to 1 to the last digit: one is moved by what rounding has left, a few units of it.

    The largest, or where its own units are too coarse the next.
    """
    first = shares
    for moved in sorted(shares, key=lambda cause: -abs(shares[cause].estimate)):
        rest = 1 - math.fsum(share.estimate for cause, share in shares.items() if cause != moved)
        near = [rest]
        for direction in (-math.inf, math.inf):
            value = rest
            for _ in range(NUDGES):
                value = math.nextafter(value, direction)
                near.append(value)
        for value in near:
            told = shares | {moved: replace(shares[moved], estimate=value)}
            if sum(share.estimate for share in told.values()) == 1:
                return told
        if first is shares:
            first = shares | {moved: replace(shares[moved], estimate=rest)}
    return first
