"""History-adjusted linear regression with person-clustered errors: one estimator behind one function.

Ours because a difference per achieved separation needs the covariance of two outcomes of the same design, which the
libraries do not give; and because sums taken in one order give the same bytes whatever the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.hyperalgesia.person_days import Floats, Ints

# Share of a column's variance that must be left over from the columns before it
COLLINEAR = 1e-9
# A column whose variance is below this share of its square is constant but for rounding
ROUNDING = 1e-20


@dataclass(frozen=True)
class Effects:
    """Coefficients of one exposure on each of k outcomes, and their cluster-robust covariance."""

    estimate: Floats  # k
    covariance: Floats  # k x k
    clusters: int
    dropped: tuple[str, ...]  # confounders that the ones before them determine

    def critical(self, level: float = 0.95) -> float:
        """Two-sided quantile of t with clusters - 1 degrees of freedom."""
        from scipy.stats import t

        return float(t.ppf(0.5 + level / 2, self.clusters - 1))

    def numbers(self) -> dict[str, float]:
        """Estimate, limits, standard error and p-value of the first outcome, as a row of estimates wants them."""
        estimate, se = float(self.estimate[0]), float(np.sqrt(self.covariance[0, 0]))
        half = self.critical() * se
        low, high = estimate - half, estimate + half
        return {"estimate": estimate, "ci_low": low, "ci_high": high, "se": se, "p_value": self.p_value()}

    def p_value(self, outcome: int = 0) -> float:
        from scipy.stats import t

        se = float(np.sqrt(self.covariance[outcome, outcome]))
        return float(2 * t.sf(abs(self.estimate[outcome]) / se, self.clusters - 1)) if se > 0 else float("nan")


def effects(outcomes: Floats, exposure: Floats, confounders: Floats, names: list[str], cluster: Ints) -> Effects | None:
    """Least squares of each outcome on exposure, confounders and an intercept; None if these determine the exposure.

    ``outcomes`` n x k, ``exposure`` n, ``confounders`` n x p named ``names``, ``cluster`` n. Covariance: sandwich with
    sums of scores by cluster, times G/(G-1) (n-1)/(n-p-2) (HC1 with cluster adjustment, as in R's sandwich::vcovCL).
    Frisch-Waugh-Lovell: the exposure's residual on the confounders carries its whole coefficient. O(n p (p + k)).
    """
    kept, basis = _independent(confounders)
    residual = exposure - exposure.mean()
    spread = float(np.einsum("i,i->", residual, residual))
    residual = _remove(residual, basis)
    information = float(np.einsum("i,i->", residual, residual))
    if spread == 0 or information <= COLLINEAR * spread:
        return None
    estimate = np.einsum("i,ik->k", residual, outcomes) / information
    left = outcomes - outcomes.mean(axis=0)
    left = np.stack([_remove(left[:, k], basis) for k in range(left.shape[1])], axis=1)
    error = left - residual[:, None] * estimate
    _, group = np.unique(cluster, return_inverse=True)
    clusters = int(group.max()) + 1
    scores = np.stack([np.bincount(group, residual * error[:, k]) for k in range(error.shape[1])], axis=1)
    free = len(exposure) - len(kept) - 2
    scale = clusters / max(clusters - 1, 0.5) * (len(exposure) - 1) / max(free, 0.5)
    covariance = scale * np.einsum("gk,gl->kl", scores, scores) / information**2
    dropped = tuple(name for index, name in enumerate(names) if index not in kept)
    return Effects(estimate, covariance, clusters, dropped)


def _independent(columns: Floats) -> tuple[list[int], list[Floats]]:
    """Indices of the columns not determined by an intercept and those before them, and an orthonormal basis."""
    kept: list[int] = []
    basis: list[Floats] = []
    for index in range(columns.shape[1]):
        values = columns[:, index]
        centred = values - values.mean()
        spread = float(np.einsum("i,i->", centred, centred))
        centred = _remove(_remove(centred, basis), basis)  # twice is enough (Kahan; Parlett 1980)
        left = float(np.einsum("i,i->", centred, centred))
        constant = spread <= ROUNDING * float(np.einsum("i,i->", values, values))
        if not constant and left > COLLINEAR * spread:
            kept.append(index)
            basis.append(centred / np.sqrt(left))
    return kept, basis


def _remove(values: Floats, basis: list[Floats]) -> Floats:
    for direction in basis:
        values = values - direction * float(np.einsum("i,i->", direction, values))
    return values
