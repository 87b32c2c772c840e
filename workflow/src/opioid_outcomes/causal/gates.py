"""Whether two weighted arms may be compared: what is read, and the rules, before any outcome is looked at by arm.

The thresholds are ANALYSES 4's; those of balance and equipoise are OHDSI CohortMethod's too (SettingsObjects.R).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal.overlap import effective_sample_size, equipoise, minimal_detectable_ratio, outside
from opioid_outcomes.causal.risks import ARMS
from opioid_outcomes.survival.binary_regression import BinaryFit
from opioid_outcomes.survival.risk_sets import Floats

LARGEST_SMD = 0.1
FEWEST_EFFECTIVE = 50
FEWEST_EVENTS = 10
MOST_OUTSIDE = 0.05  # of scores, for weights by their inverse
LEAST_EQUIPOISE = 0.2  # between active treatments
# share of an arm's weight in one person's hands: the effective size may pass, and the arm be mostly one person still
LARGEST_SHARE = 0.1
HEAVIEST = 20  # rows looked at for what makes them heavy


@dataclass(frozen=True)
class Diagnostics:
    """What the gates read. Pairs are by arm, the comparators first.

    max_smd: largest absolute standardised difference, of ``worst``. unknown: covariates of which there is none. ess:
    effective number of people. largest_share: of the arm's weight, the largest that one person has. heavy: the
    covariate that makes the heaviest so heavy, "" if not known. finite: whether every weight is a number. events: in
    both arms together. mdrr: smallest hazard ratio that they would show (power 80 %), infinite if there are none.
    """

    max_smd: float
    worst: str
    unknown: tuple[str, ...]
    ess: tuple[float, float]
    largest_share: tuple[float, float]
    heavy: str
    finite: bool
    events: int
    outside: float
    equipoise: float
    mdrr: float

    def gate(self, *, inverse: bool = False, active: bool = False, event: str = "event") -> str:
        """``pass``, or what forbids the comparison after ``fail: `` or ``not evaluable: ``, in words without counts.

        inverse: the weights are by the inverse of the score (IPTW). active: the comparators take an active treatment.
        event: the word for it.
        """
        absent = self._absent(event)
        if absent:
            return f"not evaluable: {absent}"
        reasons = self._failures()
        if inverse and not self.outside < MOST_OUTSIDE:
            reasons.append(f"{_percent(MOST_OUTSIDE)} or more of the propensity scores lie outside 0.01-0.99")
        if active and not self.equipoise >= LEAST_EQUIPOISE:
            reasons.append(f"fewer than {_percent(LEAST_EQUIPOISE)} of the scores are in equipoise")
        return f"fail: {'; '.join(reasons)}" if reasons else "pass"

    def warning(self) -> str:
        """Words on weights that explode, naming the covariate behind them; "" if they do not."""
        blame = f" ({self.heavy})" if self.heavy else ""
        if not self.finite:
            return f"weights are infinite, as somebody's treatment was certain{blame}"
        told = [arm for arm, share in zip(ARMS, self.largest_share, strict=True) if share > LARGEST_SHARE]
        return (
            f"one person has more than {_percent(LARGEST_SHARE)} of the weight of the {told[0]}{blame}" if told else ""
        )

    def _absent(self, event: str) -> str:
        for arm, size in zip(ARMS, self.ess, strict=True):
            if self.finite and not size > 0:
                return f"there are no {arm}"
        if self.events == 0:
            return f"no {event}s"
        return f"fewer than ten {event}s" if self.events < FEWEST_EVENTS else ""

    def _failures(self) -> list[str]:
        exploded = self.warning()
        if not self.finite:
            return [exploded]
        reasons = []
        if min(self.ess) < FEWEST_EFFECTIVE:
            reasons.append(f"effective sample size of an arm is under {FEWEST_EFFECTIVE}")
        if exploded:
            reasons.append(exploded)
        if self.unknown:
            reasons.append(f"no standardised difference exists of a covariate ({', '.join(self.unknown)})")
        if self.max_smd >= LARGEST_SMD:
            reasons.append(f"max |SMD| {self.max_smd:.2f} ({self.worst}) is not under {LARGEST_SMD}")
        return reasons


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def diagnose(
    names: Sequence[str],
    smd: npt.ArrayLike,
    *,
    score: npt.ArrayLike,
    treated: npt.ArrayLike,
    weights: npt.ArrayLike,
    events: int,
    person: npt.ArrayLike | None = None,
    heavy: str = "",
) -> Diagnostics:
    """Diagnostics of weighted rows.

    names, smd: of everything that is to be in balance, after weighting, NaN where it does not exist. score, treated,
    weights: (n,) rows; of weights only the ratios are read. events: in both arms together. person: (n,) whose row it is
    (each its own person if None): sizes are of people, by the sum of their weights in the arm. heavy:
    ``heavy_covariate``. ValueError if a score is not known.
    """
    difference, one = np.abs(np.asarray(smd, dtype=np.float64)), np.asarray(treated).astype(bool)
    weight = np.asarray(weights, dtype=np.float64)
    known = np.isfinite(difference)
    place = int(np.argmax(np.where(known, difference, -1.0))) if known.any() else -1
    finite = bool(np.isfinite(weight).all())
    if finite and weight.any():
        weight = weight / np.abs(weight).max()
    sums = [_by_person(weight[arm], None if person is None else np.asarray(person)[arm]) for arm in (~one, one)]
    sizes = [effective_sample_size(each) if finite else 0.0 for each in sums]
    shares = [float(each.max() / each.sum()) if finite and each.sum() > 0 else 0.0 for each in sums]
    return Diagnostics(
        max_smd=float(difference[place]) if place >= 0 else 0.0,
        worst=names[place] if place >= 0 else "",
        unknown=tuple(name for name, told in zip(names, known, strict=True) if not told),
        ess=(sizes[0], sizes[1]),
        largest_share=(shares[0], shares[1]),
        heavy=heavy,
        finite=finite,
        events=events,
        outside=outside(score),
        equipoise=equipoise(score, one),
        mdrr=minimal_detectable_ratio(events, float(one.mean()) if len(one) else 0.0),
    )


def _by_person(weights: Floats, person: npt.NDArray[np.generic] | None) -> Floats:
    if person is None or not len(person):
        return weights
    return np.bincount(np.unique(person, return_inverse=True)[1], weights).astype(np.float64)


def heavy_covariate(fit: BinaryFit, weights: npt.ArrayLike) -> str:
    """The column of the score that moves the heaviest rows' predictor furthest from that of the mean; "" of no columns.

    fit: the model of the score, of the rows that ``weights`` (n,) are of. Infinite weights are the heaviest.
    """
    slopes = fit.params[int(fit.rows.intercept) :]
    if not len(slopes) or not len(fit.rows.y):
        return ""
    order = np.argsort(-np.nan_to_num(np.asarray(weights, dtype=np.float64), nan=np.inf), kind="stable")
    rows = fit.rows.x[order[:HEAVIEST]].astype(np.float64)
    moved = np.abs((rows - fit.rows.x.mean(axis=0)) * slopes).mean(axis=0)
    return fit.names[int(fit.rows.intercept) + int(np.argmax(moved))]
