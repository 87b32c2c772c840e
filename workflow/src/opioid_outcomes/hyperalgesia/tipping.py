"""What would explain the effect of a trial away: error of the scores, one flare that nobody recorded, visits made
because it hurts. For each the size at which the estimate, and the 95 % limit nearer to 0, would be 0.

Such a size says how wrong the data would have to be, not that they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import Assignment, Effects, RegressionFailure
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.hyperalgesia.compared import FEWEST_PER_ARM
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.survival import normal

# What is told of each window, by its name in the display
ERROR, FLARE, FLARE_CORRECTED = "error_sd", "flare", "flare_noise_corrected"
SEEN, SEEN_TAKEN = "unseen", "unseen_escalated"
LAST_PAIN = "pain at the visit"  # the name of the term
WHOLE_SCALE = 10.0  # points; what is larger explains nothing

MOST = 12  # evaluations per window
CLOSE = 0.01  # points of error SD: the search ends when the next guess is so close to one already tried
COARSE = 0.1  # the same, where larger errors can be corrected for no more
SCAN = (0.2, 0.5, 0.8, 0.95)  # shares of the variance of recorded pain, until the effect is gone
# Decisions above which the change with error is read off every m-th person: it hardly varies between samples of them
MANY = 100_000

Numbers = tuple[float, float]  # estimate, standard error
Sizes = tuple[float | None, float | None]  # of a bias at which the estimate, and its limit, are 0
Curve = Callable[[float], Numbers | None]  # of the error variance; None where nothing can be corrected for it


def table(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Rows as the display ``noise_tipping``."""
    return pl.DataFrame(list(rows), schema=DISPLAYS["noise_tipping"].empty().schema)


def rows(
    trial: Trial, windows: Sequence[Window], recorded: Sequence[Effects | None], corrected: Sequence[Effects | None]
) -> list[dict[str, object]]:
    """For the first and the last window, five rows each; a window that could not be evaluated has none.

    recorded, corrected: by window, effects on pain (their first outcome) as recorded and corrected for noise. Points of
    pain; ``estimate`` is the mean difference that is to be explained. ``error_sd``: the SD of one score, by search, of
    AIPW; empty where none up to the SD of recorded pain explains it. ``flare``: by how much more pain at the visit than
    recorded in who changed dose, the estimate over the slope of later pain on it. ``unseen``: by how much those seen
    hurt more than those not seen, given arm and history, by the shares seen, in both arms or in who changed dose alone.
    Cost: at most 12 fits of assignment and effects per window, of at most some 100,000 decisions each.
    """
    told: list[dict[str, object]] = []
    assignments = Assignments.of(trial)
    last_pain = trial.confounders.names.index(LAST_PAIN)
    for index in sorted({0, len(windows) - 1}):
        window, effects, without = windows[index], recorded[index], corrected[index]
        if effects is None:
            continue
        search = Search(assignments.curve(window, _numbers(effects)), float(np.var(trial.visits.pain)))
        untreated, treated = effects.observation
        told += [
            _row(window, effects, ERROR, (search.root(limit=False), search.root(limit=True))),
            _row(window, effects, FLARE, _flare(effects, last_pain)),
            *([_row(window, without, FLARE_CORRECTED, _flare(without, last_pain))] if without else []),
            _row(window, effects, SEEN, _sizes(_numbers(effects), untreated - treated)),
            _row(window, effects, SEEN_TAKEN, _sizes(_numbers(effects), 1 - treated)),
        ]
    return told


def _numbers(effects: Effects) -> Numbers:
    joint = effects.joint("aipw")
    return float(joint.values[0]), math.sqrt(float(joint.covariance[0, 0]))


def _row(window: Window, effects: Effects, what: str, sizes: Sizes) -> dict[str, object]:
    return {
        "window": window.label, "what": what, "estimate": _numbers(effects)[0], "at_zero": sizes[0],
        "limit_at_zero": sizes[1], "persons": effects.persons,
    }  # fmt: skip


def _flare(effects: Effects, last_pain: int) -> Sizes:
    """Who changed dose had more pain at the visit than is recorded; the outcome keeps the slope's part of it."""
    return _sizes(_numbers(effects), max(float(effects.slopes[last_pain, 0]), 0.0))


def _sizes(numbers: Numbers, per_point: float) -> Sizes:
    """Of a bias that moves the estimate by ``per_point`` for each of its own."""
    return _size(numbers[0], per_point), _size(_nearer(numbers), per_point)


def _size(distance: float, per_point: float) -> float | None:
    if abs(distance) >= WHOLE_SCALE * abs(per_point):
        return None
    return distance / per_point if distance else 0.0


def _nearer(numbers: Numbers) -> float:
    """The 95 % limit nearer to 0; 0 where the interval includes it, as then nothing is needed."""
    estimate, se = numbers
    return math.copysign(max(abs(estimate) - normal.Z * se, 0.0), estimate)


@dataclass
class Search:
    """Error variances at which an effect is gone, by regula falsi; every evaluation serves both roots."""

    curve: Curve
    highest: float  # variance of recorded pain
    told: dict[float, Numbers | None] = field(default_factory=dict)

    def root(self, *, limit: bool) -> float | None:
        """The error SD at which the estimate, or the limit nearer to 0, is 0; None if none within reach is."""
        start = self._left(0.0, limit=limit)
        if start is None or start <= 0:
            return None if start is None else 0.0
        bracket = self._bracket(limit=limit)
        if bracket is None:
            return None
        (low, at_low), (high, at_high) = bracket
        side = 0
        while True:
            middle = low + (high - low) * at_low / (at_low - at_high)
            near = min(math.sqrt(middle) - math.sqrt(low), math.sqrt(high) - math.sqrt(middle)) < CLOSE
            value = None if near or len(self.told) >= MOST else self._left(middle, limit=limit)
            if value is None:
                return math.sqrt(middle)
            # the value at an end that stays twice is halved (Illinois; Dowell & Jarratt 1971 BIT 11:168)
            if value > 0:
                low, at_low, at_high, side = middle, value, at_high / 2 if side > 0 else at_high, 1
            else:
                high, at_high, at_low, side = middle, value, at_low / 2 if side < 0 else at_low, -1

    def _bracket(self, *, limit: bool) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """The closest variances between which the effect goes, each with what is left of it."""
        ahead = sorted({*self.told, *(share * self.highest for share in SCAN)})
        before, beyond = (0.0, 0.0), math.inf  # beyond: nothing can be corrected for so much
        while ahead:
            variance = ahead.pop(0)
            if variance not in self.told and len(self.told) >= MOST:
                continue
            value = self._left(variance, limit=limit)
            if value is not None and value <= 0:
                return before, (variance, value)
            if value is None:
                beyond, ahead = variance, []
            else:
                before = variance, value
            if not ahead and math.isfinite(beyond) and math.sqrt(beyond) - math.sqrt(before[0]) > COARSE:
                ahead = [(before[0] + beyond) / 2]
        return None

    def _left(self, variance: float, *, limit: bool) -> float | None:
        """What is left of the effect, or of its limit, in the effect's own direction; negative beyond 0."""
        for each in (0.0, variance):
            if each not in self.told:
                self.told[each] = self.curve(each)
        first, numbers = self.told[0.0], self.told[variance]
        if first is None or numbers is None:
            return None
        left = math.copysign(1.0, first[0]) * numbers[0]
        return left - normal.Z * numbers[1] if limit else left


@dataclass
class Assignments:
    """Models of who changed dose, by error variance; windows share them."""

    trial: Trial  # of every m-th person
    rows: np.ndarray  # of the whole trial
    fitted: dict[float, Assignment | None] = field(default_factory=dict)

    @classmethod
    def of(cls, trial: Trial) -> Assignments:
        """Of the whole trial where it has not many decisions, or a part of its people has too few who changed dose."""
        every = -(-len(trial.taken) // MANY)
        if every > 1:
            chosen = trial.visits.person % every == 0
            part = cls(trial.rows(chosen), chosen)
            treated = len(np.unique(part.trial.visits.person[part.trial.taken]))
            if treated >= FEWEST_PER_ARM and part.assignment(0.0) is not None:
                return part
        return cls(trial, np.ones(len(trial.taken), dtype=bool))

    def assignment(self, variance: float) -> Assignment | None:
        """The model at an error variance; None where it has no estimate."""
        if variance not in self.fitted:
            self.fitted[variance] = self._fit(variance)
        return self.fitted[variance]

    def curve(self, window: Window, numbers: Numbers) -> Curve:
        """Estimate and standard error of the whole trial, which has ``numbers`` without error.

        In a part of its people the change with error is that of the part, and so is the growth of the standard error.
        """
        plain = self._at(0.0, window)

        def at(variance: float) -> Numbers | None:
            found = self._at(variance, window) if variance > 0 else plain
            if plain is None or found is None:
                return None
            return numbers[0] + found[0] - plain[0], numbers[1] * found[1] / plain[1]

        return at

    def _at(self, variance: float, window: Window) -> Numbers | None:
        assignment = self.assignment(variance)
        if assignment is None:
            return None
        try:
            effects = augmented.effects(assignment, window.pain[self.rows, None], eligible=window.alive[self.rows])
        except RegressionFailure:
            return None
        numbers = _numbers(effects)
        return numbers if numbers[1] > 0 else None

    def _fit(self, variance: float) -> Assignment | None:
        terms = self.trial.confounders
        try:
            return augmented.assignment(
                terms.values, self.trial.taken, names=terms.names, person=self.trial.visits.person,
                error=terms.error(variance) if variance > 0 else None,
            )  # fmt: skip
        except RegressionFailure:
            return None
