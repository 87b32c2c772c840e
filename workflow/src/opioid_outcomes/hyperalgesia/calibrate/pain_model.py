"""How pain varies in the study: between people, from month to month, and in how it is recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.calibrate.worlds import MONTH
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints

FARTHEST = 12  # scores of one person that lie no farther apart in order are compared
GRIDS = (1.0, 0.5, 1 / 3, 0.25, 0.1)  # units to which scores may be rounded, coarsest first
CORRELATIONS = np.linspace(0.0, 0.98, 50)  # of flares a month apart


@dataclass(frozen=True)
class PainModel:
    """Recorded score = mean of the person + flare (first order autoregressive) + error, rounded and clipped.

    Variances in squared points; correlation is that of flares ``MONTH`` days apart; unit 0 where scores are not
    rounded. usual: (people,) best linear guess of each person's mean; usual_sd: (people,) what it leaves open.
    """

    mean: float
    between: float
    flare: float
    correlation: float
    error: float  # beyond rounding
    unit: float
    lowest: float
    highest: float
    usual: Floats
    usual_sd: Floats

    def recorded(self, pain: Floats) -> Floats:
        """A score as it would be written down."""
        rounded = np.rint(pain / self.unit) * self.unit if self.unit else pain
        return np.clip(rounded, self.lowest, self.highest)


def fit(person: Ints, day: Ints, score: Floats, people: int, error_variance: float) -> PainModel:
    """Variance components from the covariances of one person's scores, by the days between them.

    At lag l the covariance is between + flare x correlation^(l / month), at lag 0 also error: the total variance less
    the declared ``error_variance`` is shared between people and flares so that the lagged covariances fit best (least
    squares weighted by pairs). A person's mean is told by their own scores, shrunken. Cost: O(12 scores).
    """
    mean = float(score.mean())
    centred = score - mean
    total = float((centred**2).mean())
    lags, covariances, pairs = _covariances(person, day, centred)
    error_variance = min(error_variance, total)
    correlation, between = _components(lags, covariances, pairs, total - error_variance)
    flare = max(total - error_variance - between, 0.0)
    unit = _unit(score)
    usual, usual_sd = _usual(
        person, centred, people, between=between, flare=flare, correlation=correlation, error=error_variance
    )
    return PainModel(
        mean=mean, between=between, flare=flare, correlation=correlation,
        error=max(error_variance - unit**2 / 12, 0.0), unit=unit,
        lowest=min(0.0, float(score.min())), highest=max(10.0, float(score.max())),
        usual=mean + usual, usual_sd=usual_sd,
    )  # fmt: skip


def _covariances(person: Ints, day: Ints, centred: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean products of scores of one person by months between them: (lag, covariance, number of pairs)."""
    sums, counts, days = np.zeros(0), np.zeros(0), np.zeros(0)
    for step in range(1, FARTHEST + 1):
        same = person[step:] == person[:-step]
        gap = (day[step:] - day[:-step])[same].astype(float)
        products = (centred[step:] * centred[:-step])[same]
        bin_ = (gap // (MONTH / 2)).astype(np.int64)
        length = max(len(sums), int(bin_.max(initial=-1)) + 1)
        sums, counts, days = (
            np.pad(old, (0, length - len(old))) + np.bincount(bin_, weight, minlength=length)
            for old, weight in ((sums, products), (counts, np.ones(len(gap))), (days, gap))
        )
    some = counts > 0
    return days[some] / counts[some], sums[some] / counts[some], counts[some]


def _components(lags: Floats, covariances: Floats, pairs: Floats, steady: float) -> tuple[float, float]:
    """Correlation of flares and variance between people that fit best, where the two variances sum to ``steady``."""
    if len(lags) == 0 or steady <= 0:
        return 0.0, max(steady, 0.0) / 2
    decay = CORRELATIONS[:, None] ** (lags / MONTH)[None, :]
    # covariance = steady x decay + between x (1 - decay): linear in the variance between people
    slope = 1 - decay
    rest = covariances[None, :] - steady * decay
    between = np.clip((pairs * slope * rest).sum(1) / (pairs * slope**2).sum(1), 0.0, steady)
    misfit = (pairs * (rest - between[:, None] * slope) ** 2).sum(1)
    best = int(np.argmin(misfit))
    return float(CORRELATIONS[best]), float(between[best])


def _usual(
    person: Ints, centred: Floats, people: int, *, between: float, flare: float, correlation: float, error: float
) -> tuple[Floats, Floats]:
    """Best linear guess of each person's mean, above the mean of all, and its SD (months taken as visits)."""
    count = np.bincount(person, minlength=people).astype(float)
    own = np.bincount(person, centred, minlength=people) / np.maximum(count, 1)
    spread = np.minimum(flare * (1 + correlation) / (1 - correlation), flare * np.maximum(count, 1)) + error
    told = between * count
    share = np.divide(told, told + spread, out=np.zeros(people), where=told + spread > 0)
    return share * own, np.sqrt(between * (1 - share))


def _unit(score: Floats) -> float:
    for unit in GRIDS:
        if np.all(np.abs(score / unit - np.rint(score / unit)) < 1e-6):
            return unit
    return 0.0
