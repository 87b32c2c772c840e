"""Everything that the escalation trial fits, once for the sandwich and once per replicate of the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import METHODS, Effects, Method
from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.hyperalgesia.adherence import Followed
from opioid_outcomes.hyperalgesia.comparable import Assigned, assign, corrected
from opioid_outcomes.hyperalgesia.compared import Compared, Measured, Part, as_recorded, compare
from opioid_outcomes.hyperalgesia.person_days import Floats
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.survival.person_bootstrap import ENOUGH_REPLICATES, Persons, persons

# What is fitted, by name: on pain as recorded; corrected for its noise; while the strategy is followed; and on being
# alive with less pain
RECORDED, CORRECTED, FOLLOWED, BETTER = "recorded", "corrected", "followed", "better"
LESS_PAIN = 0.3  # share of the pain at the visit
BETTER_WORDS = f"who is alive with {100 * LESS_PAIN:.0f} % less pain"
Protocol = Callable[[Floats | None], list[Followed]]  # by the weights of the decisions
Key = tuple[str, str, Part, Method]


@dataclass(frozen=True)
class Fitted:
    """By what is fitted: who took the strategy, and the effects in each window."""

    assigned: dict[str, Assigned]
    compared: dict[str, list[Compared]]

    def effects(self, source: str) -> list[Effects | None]:
        """On the outcome alone, or with the dose as the second; by window."""
        return [each.outcome for each in self.compared[source]]

    def joint(self, source: str, labels: Sequence[str], part: Part, method: Method) -> Joint:
        """Estimates of some windows with their covariance, by the sandwich. ValueError where one has none."""
        return augmented.joint(self._found(source, labels, part), method)

    def values(self, key: Key) -> Floats | None:
        """Estimates of one window; None where there are none."""
        source, label, part, method = key
        found = next(each.part(part) for each in self.compared[source] if each.measured.label == label)
        return None if found is None else found.values(method)

    def told(self) -> list[Key]:
        """Of every set of estimates that there is."""
        parts: tuple[Part, ...] = ("outcome", "both")
        return [
            (source, each.measured.label, part, method)
            for source, compared in self.compared.items()
            for each in compared
            for part in parts
            for method in METHODS
            if each.part(part) is not None
        ]

    def _found(self, source: str, labels: Sequence[str], part: Part) -> list[Effects]:
        by_label = {each.measured.label: each.part(part) for each in self.compared[source]}
        found = [by_label[label] for label in labels]
        told = [each for each in found if each is not None]
        if len(told) < len(found):
            raise ValueError("a window has no estimate")
        return told


def fit(
    trial: Trial,
    windows: Sequence[Window],
    protocol: Protocol,
    *,
    verb: str,
    error_variance: float,
    weights: Floats | None = None,
) -> Fitted:
    """All models of the trial, at the ``weights`` (n,) of a bootstrap if there are any (then gates are not read).

    The assignment is fitted once for all windows, and once more where pain is corrected for an error.
    """
    once = weights is None
    recorded = assign(trial, verb=verb, weights=weights, judge=once)
    under_error = recorded
    if error_variance > 0:
        under_error = assign(trial, verb=verb, error_variance=error_variance, weights=weights, judge=once)
    assigned = {RECORDED: recorded, CORRECTED: corrected(recorded, under_error), FOLLOWED: recorded, BETTER: recorded}
    everybody = np.ones(len(trial.taken), dtype=bool)
    intended = [Measured(each.label, each.pain, each.mme, each.alive) for each in windows]
    measured = {
        RECORDED: intended,
        CORRECTED: intended,
        FOLLOWED: [
            Measured(each.label, each.pain, each.mme, window.alive, each.weight)
            for each, window in zip(protocol(weights), windows, strict=True)
        ],
        BETTER: [
            Measured(each.label, better(trial, each), np.zeros(len(everybody)), everybody) for each in windows
        ],
    }  # fmt: skip
    compared = {
        source: [
            compare(
                trial, assigned[source], each, verb, few=not once, dose=source != BETTER,
                what=BETTER_WORDS if source == BETTER else "pain",
            )
            for each in asked
        ]
        for source, asked in measured.items()
    }  # fmt: skip
    compared[CORRECTED] = as_recorded(compared[CORRECTED], compared[RECORDED])
    return Fitted(assigned, compared)


def better(trial: Trial, window: Window) -> Floats:
    """1 where alive with at least 30 % less pain than at the visit, 0 where not or dead, NaN where not known.

    Who had no pain at the visit cannot have less.
    """
    before = trial.visits.pain
    less = (window.pain <= (1 - LESS_PAIN) * before) & (before > 0)
    return np.where(np.isfinite(window.pain), less.astype(float), np.where(window.alive, np.nan, 0.0))


@dataclass(frozen=True)
class Replicates:
    """Estimates of each replicate, (B, k), NaN where it has none."""

    values: dict[Key, Floats]

    def joint(self, fitted: Fitted, source: str, labels: Sequence[str], part: Part, method: Method) -> Joint:
        """Estimates of some windows with the covariance of their replicates; NaN where too few have an estimate."""
        estimates = fitted.joint(source, labels, part, method).values
        drawn = np.concatenate([self.values[source, label, part, method] for label in labels], axis=1)
        told = drawn[np.isfinite(drawn).all(axis=1)]
        if len(told) < ENOUGH_REPLICATES * len(drawn):
            return Joint(estimates, np.full((len(estimates), len(estimates)), np.nan))
        return Joint(estimates, np.atleast_2d(np.cov(told, rowvar=False)), told)


def bootstrap(
    trial: Trial, fitted: Fitted, refit: Callable[[Floats], Fitted], *, replicates: int, seed: int
) -> Replicates:
    """People redrawn, all models fitted again. Cost: ``replicates`` times that of ``fit``."""
    people: Persons = persons(trial.visits.person)
    first = {key: values for key in fitted.told() if (values := fitted.values(key)) is not None}
    found: dict[Key, list[Floats]] = {key: [] for key in first}
    for replicate in range(replicates):
        again = refit(people.weights(replicate, seed))
        for key, estimates in first.items():
            values = again.values(key)
            found[key].append(np.full(len(estimates), np.nan) if values is None else values)
    return Replicates({key: np.stack(values) for key, values in found.items()})
