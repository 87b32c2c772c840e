"""Least squares with fixed effects of person, and of period if given; errors clustered by person.

Fixed effects take out what does not change in a person. They do not take out that pain drives dose, which is why what
rests on them here is a wrong answer shown beside the right one (METHODS D2, D3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from opioid_outcomes.hyperalgesia.person_days import Floats, Ints
from opioid_outcomes.survival.products import column_sums, cross, linear

# Share of a column's variance that must be left over from the effects and the columns before it
COLLINEAR = 1e-9
# Directions of the periods' normal equations below this share of the largest: one constant per set of linked periods
SINGULAR = 1e-10


@dataclass(frozen=True)
class Within:
    """Coefficients (p,), NaN of columns ``dropped`` as told by the others, and their covariance (p, p)."""

    estimate: Floats
    covariance: Floats
    clusters: int
    dropped: tuple[str, ...]

    def numbers(self, place: int = 0) -> dict[str, float]:
        """Estimate, 95 % limits (t with clusters - 1 degrees of freedom), standard error and p-value of a column."""
        from scipy.stats import t

        estimate, se = float(self.estimate[place]), float(np.sqrt(self.covariance[place, place]))
        half = float(t.ppf(0.975, self.clusters - 1)) * se
        p_value = float(2 * t.sf(abs(estimate) / se, self.clusters - 1)) if se > 0 else float("nan")
        return {
            "estimate": estimate, "ci_low": estimate - half, "ci_high": estimate + half, "se": se, "p_value": p_value,
        }  # fmt: skip

    def joint_p_value(self, places: Sequence[int]) -> float:
        """Of all these columns being 0: Wald, F with as many and clusters - 1 degrees of freedom; NaN if not told."""
        from scipy.stats import f

        chosen = np.array([place for place in places if np.isfinite(self.estimate[place])], dtype=np.int64)
        if not len(chosen) or self.clusters <= len(chosen):
            return float("nan")
        values, variance = self.estimate[chosen], self.covariance[np.ix_(chosen, chosen)]
        if np.linalg.matrix_rank(variance, hermitian=True) < len(chosen):
            return float("nan")
        wald = float(values @ np.linalg.solve(variance, values))
        return float(f.sf(wald / len(chosen), len(chosen), self.clusters - 1))


def about_person(values: Floats, person: Ints) -> Floats:
    """Each value (n,) less the mean of its person's."""
    _, who = np.unique(person, return_inverse=True)
    return _Sweep.of(who, None).out(values)


def fit(
    outcome: Floats, x: npt.NDArray, *, names: Sequence[str], person: Ints, period: Ints | None = None
) -> Within | None:
    """Slopes of ``outcome`` (n,) on x (n, p) within person, and within period; None if nothing of x varies so.

    Nothing is told of one person either.

    ``person``, ``period``: (n,) any whole numbers. Covariance: sandwich of the sums of scores by person, times
    G/(G-1); the persons' effects, nested in the clusters, are not counted as parameters (Cameron & Miller 2015 J Hum
    Resour 50:317, III.B). A person with one row says nothing. Exact, without iteration: person means are swept out,
    then the normal equations of the periods are solved (Frisch-Waugh-Lovell). Cost: O(n p^2 + T^3) for T periods, one
    float copy of x in memory.
    """
    people, who = np.unique(person, return_inverse=True)
    if len(people) < 2:
        return None
    sweep = _Sweep.of(who, period)
    left = np.empty(x.shape)
    spread = np.empty(x.shape[1])
    for j in range(x.shape[1]):
        column = x[:, j].astype(np.float64)
        spread[j] = float(np.square(column - column.mean()).sum())
        left[:, j] = sweep.out(column)
    inner = cross(left, left)
    kept = _independent(inner, spread)
    if not kept:
        return None
    residual = sweep.out(outcome.astype(np.float64))
    bread = np.linalg.inv(inner[np.ix_(kept, kept)])
    slopes = np.zeros(x.shape[1])
    slopes[kept] = bread @ column_sums(left, residual)[kept]
    error = residual - linear(left, slopes)
    scores: Floats = np.stack([np.bincount(who, left[:, j] * error, len(people)) for j in kept], axis=1)
    estimate, covariance = np.full(x.shape[1], np.nan), np.full((x.shape[1],) * 2, np.nan)
    estimate[kept] = slopes[kept]
    covariance[np.ix_(kept, kept)] = len(people) / (len(people) - 1) * bread @ cross(scores, scores) @ bread
    dropped = tuple(name for j, name in enumerate(names) if j not in kept)
    return Within(estimate, covariance, len(people), dropped)


@dataclass(frozen=True)
class _Sweep:
    """Takes the effects out of a column: ``who`` and ``when`` number the rows' persons and periods from 0."""

    who: Ints
    rows: Floats  # (G,) of each person
    when: Ints | None
    inverse: Floats | None  # (T, T) of the periods' normal equations, once persons are swept out

    @classmethod
    def of(cls, who: Ints, period: Ints | None) -> _Sweep:
        rows = np.bincount(who).astype(np.float64)
        if period is None:
            return cls(who, rows, None, None)
        periods, when = np.unique(period, return_inverse=True)
        seen = sparse.csr_array((np.ones(len(who)), (who, when)), shape=(len(rows), len(periods)))
        share = sparse.csr_array((1 / rows[who], (who, when)), shape=seen.shape)
        count = np.bincount(when, minlength=len(periods)).astype(np.float64)
        normal = np.diag(count) - (seen.T @ share).toarray()
        root = np.sqrt(count)
        scaled = normal / np.outer(root, root)
        inverse = np.linalg.pinv((scaled + scaled.T) / 2, rcond=SINGULAR, hermitian=True)
        return cls(who, rows, when, inverse / np.outer(root, root))

    def out(self, column: Floats) -> Floats:
        swept = self._about_person(column - column.mean())
        if self.when is None or self.inverse is None:
            return swept
        effects = self.inverse @ np.bincount(self.when, swept, len(self.inverse))
        return swept - self._about_person(effects[self.when])

    def _about_person(self, column: Floats) -> Floats:
        means: Floats = np.bincount(self.who, column, len(self.rows)) / self.rows
        return column - means[self.who]


def _independent(inner: Floats, spread: Floats) -> list[int]:
    """Columns that vary within the effects and are not told by those before them, by elimination of their products."""
    rest = inner.copy()
    kept: list[int] = []
    for j in range(len(rest)):
        if spread[j] > 0 and rest[j, j] > COLLINEAR * spread[j]:
            kept.append(j)
            rest = rest - np.outer(rest[:, j], rest[j]) / rest[j, j]
    return kept
