"""Effect in those treated (ATT) of a yes or no decision on several outcomes: AIPW, IPW and regression.

Rows are decisions, several of one person. Untreated rows are weighted by the odds of treatment, outcomes not observed
are made up for by those observed, and the covariance is the sandwich of all models' stacked estimating equations with
sums by person. Robins, Rotnitzky & Zhao (1994) JASA 89:846; Moodie, Saarela & Stephens (2018) Stat Med 37:205 for ATT.

Where columns are noisy scores and the decision was made on the truth (``Error``): the assignment by the conditional
score (Stefanski & Carroll 1987), weights whose mean given the truth is the true odds (McCaffrey, Lockwood & Setodji
2013 Biometrika 100:671), and slopes from moments less the error's (Fuller 1987). Exact for normal error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal.augmented_assignment import Assignment, Bools, assignment
from opioid_outcomes.causal.augmented_error import Error
from opioid_outcomes.causal.augmented_window import Window, observe, solve
from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.products import cross, effective_sample_size, sums_by
from opioid_outcomes.survival.risk_sets import Floats

__all__ = [
    "METHODS",
    "Assignment",
    "Effects",
    "Error",
    "Method",
    "RegressionFailure",
    "assignment",
    "effects",
    "joint",
    "outcome_weights",
]
T = TypeVar("T", bound=np.generic)
Method = Literal["aipw", "ipw", "regression"]
METHODS: tuple[Method, ...] = ("aipw", "ipw", "regression")


@dataclass(frozen=True)
class Effects:
    """Mean differences, treated minus as if untreated, of k outcomes in those treated.

    means: (2, k) of the treated, 0 as if untreated (AIPW) and 1 as they are. slopes: (p, k) of the outcome models, 0
    for columns in none. persons, treated_people: with an outcome. observation: share of eligible rows observed,
    (untreated, treated), and observation_model: "none", "logistic", or "ridge" where columns tell some for sure. ess:
    effective number of people (untreated, treated), by their summed weights.
    """

    means: Floats
    slopes: Floats
    persons: int
    treated_people: int
    observation: tuple[float, float]
    observation_model: Literal["none", "logistic", "ridge"]
    ess: tuple[float, float]
    people: int
    estimates: dict[Method, Floats]
    influences: dict[Method, Floats]

    @property
    def methods(self) -> tuple[Method, ...]:
        return METHODS

    def values(self, method: Method) -> Floats:
        """Estimates, (k,)."""
        return self.estimates[method]

    def influence(self, method: Method) -> Floats:
        """What each person adds to the estimates' error, (codes, k)."""
        return self.influences[method]

    def joint(self, method: Method) -> Joint:
        """The k estimates with their covariance."""
        return joint([self], method)


def joint(found: Sequence[Effects], method: Method) -> Joint:
    """Estimates of several windows of one assignment, one after the other, with their covariance.

    Sandwich of sums by person, times G / (G - 1) of G persons with any weight.
    """
    if len({(each.people, len(each.influence(method))) for each in found}) != 1:
        raise ValueError("effects must be of one assignment")
    together = np.concatenate([each.influence(method) for each in found], axis=1)
    people = found[0].people
    return Joint(
        np.concatenate([each.values(method) for each in found]),
        cross(together, together) * (people / max(people - 1, 1)),
    )


def effects(
    assignment: Assignment,
    outcomes: npt.ArrayLike,
    *,
    eligible: npt.ArrayLike | None = None,
    followed: npt.ArrayLike | None = None,
) -> Effects:
    """Effects in those treated on k outcomes of one window.

    outcomes: (n, k), NaN in any column = none observed. eligible: (n,) rows of the target, everybody unless given.
    followed: (n,) weight of having followed the strategy, 0 = deviated; taken as known.

    With weights w = 1 / P(observed | treatment, history), the outcome model a + d A + b'x is least squares of the
    observed. regression: d. ipw: difference of means, the untreated weighted by odds x w. aipw: d less the weighted
    mean residual of the untreated (that of the treated is 0): right if either model is. The same holds of outcomes not
    observed, as the treated's mean history cancels.

    Raises RegressionFailure: "no outcomes" (by columns "treated" or "untreated": nobody of that arm is observed),
    "error", and what the observation model cannot do. Cost: a logistic regression if outcomes are missing, and three
    passes over the rows.
    """
    values = np.asarray(outcomes, dtype=np.float64)
    n = len(assignment.weights)
    if values.ndim != 2 or len(values) != n or not values.shape[1]:
        raise ValueError(f"outcomes must be {n} rows x k, are {values.shape}")
    weight = assignment.weights.copy()
    if eligible is not None:
        weight *= _of_rows(np.asarray(eligible, dtype=bool), n, "eligible")
    if followed is not None:
        follows = _of_rows(np.asarray(followed, dtype=np.float64), n, "followed")
        if not (np.isfinite(follows).all() and (follows >= 0).all()):
            raise ValueError("weights of having followed must be known, finite and at least 0")
        weight *= follows
    if np.isinf(values).any():
        raise ValueError("outcomes must be finite, or NaN where there is none")
    seen: Bools = np.asarray(~np.isnan(values).any(axis=1))
    return _answer(assignment, Window(assignment, weight, seen, values))


def outcome_weights(assignment: Assignment, seen: npt.ArrayLike, *, eligible: npt.ArrayLike) -> Floats:
    """Weights with which outcomes of one window count, (n,): odds over the chance that one is seen, 0 where none is.

    seen, eligible: (n,) as in ``effects``, by which they are used too. Cost: a logistic regression.
    """
    n = len(assignment.weights)
    has = _of_rows(np.asarray(seen, dtype=bool), n, "seen")
    weight = assignment.weights * _of_rows(np.asarray(eligible, dtype=bool), n, "eligible")
    window = Window(assignment, weight, has, np.zeros((n, 0)))
    counted = np.where(has, weight, 0.0)
    return np.where(counted > 0, counted * assignment.odds / observe(window).chance, 0.0)


def _answer(given: Assignment, window: Window) -> Effects:
    seen, weight, arms = window.seen, window.weights, (~given.treated, given.treated)
    counted = (weight > 0) & seen
    for arm, name in zip(arms, ("untreated", "treated"), strict=True):
        if not (arm & counted).any():
            raise RegressionFailure("no outcomes", [name])
    observed = observe(window)
    solved = solve(window, observed)
    by_person = [sums_by(given.codes, np.where(arm, solved.weights, 0.0)[:, None])[:, 0] for arm in arms]
    slopes = np.zeros((len(given.names), window.outcomes.shape[1]))
    slopes[given.kept] = solved.slopes
    shares = [float(weight[arm & seen].sum() / weight[arm].sum()) for arm in arms]
    influences = [sums_by(given.codes, solved.influences[:, each]) for each in range(len(METHODS))]
    treated_mean = solved.means
    return Effects(
        means=np.stack([treated_mean - solved.estimates[0], treated_mean]), slopes=slopes,
        persons=_people(given, counted), treated_people=_people(given, counted & given.treated),
        observation=(shares[0], shares[1]), observation_model=observed.model,
        ess=(effective_sample_size(by_person[0]), effective_sample_size(by_person[1])), people=given.people,
        estimates=dict(zip(METHODS, solved.estimates, strict=True)),
        influences=dict(zip(METHODS, influences, strict=True)),
    )  # fmt: skip


def _people(given: Assignment, rows: Bools) -> int:
    return int(np.count_nonzero(np.bincount(given.codes[rows])))


def _of_rows(values: npt.NDArray[T], n: int, name: str) -> npt.NDArray[T]:
    if values.shape != (n,):
        raise ValueError(f"{name} must have {n} values, has shape {values.shape}")
    return values
