"""Keeping to a strategy: intervals of index dates until it is left, weighted for having been left by others like them.

Inverse probability of censoring weights (Robins & Finkelstein 2000 Biometrics 56:779; Hernan & Robins (2020) What If,
ch. 12.6 and 21). They are stabilised by arm and time only: the curves are marginal, and a numerator of baseline
covariates would leave in them what these covariates do to leaving. A decision within an interval is modelled on what
was known when it began: what is recorded between that day and the decision's is not adjusted for until the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.causal.time_varying_weights import truncate
from opioid_outcomes.mortality.intervals import INTERVAL_DAYS
from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats, Ints

# First intervals of bands within which the chance of leaving is constant: it changes most at the beginning
BANDS = (0, 1, 2, 3, 4, 6, 12, 24)
CELLS = 2 * len(BANDS)  # of an arm: bands, and whether the decision is one of the interval's first day
# Penalty, in decisions: what one more would tell of a coefficient of a standard deviation. No covariate tells for sure
# who leaves then, and with many decisions it is nothing
PENALTY = 1.0
FEWEST = 1e-12  # a probability of staying is not taken as smaller: rounding, not data
KNOWN = ("row", "person_id", "interval", "start", "stop")

Intervals = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Adherence:
    """Index dates followed while they keep to their strategy: rows of intervals and what they weigh.

    left: (n,) days from index at which the strategy was left, inf never. row, start, stop: of the intervals; weight:
    of not having left before. staying: what those weights are stabilised by, the share of the arm that has not left
    before: weights over it stand in for all who left, whenever their own follow-up ends. refit: the weights where each
    of the n index dates counts as often as it says. adding: the same with more columns (n, q), by their names, in the
    model of an arm (0, 1), beginning where that was; the other arm's stands. RegressionFailure as ``adherence``.
    """

    left: Floats
    row: Ints
    start: Floats
    stop: Floats
    weight: Floats
    staying: Floats
    refit: Callable[[Floats], Floats] | None = None
    adding: Callable[[int, Floats, Sequence[str]], Adherence] | None = None


@dataclass(frozen=True)
class _Arm:
    """Decisions of one arm at which somebody leaves: their places among all, design and outcome."""

    places: Ints
    cell: Ints  # 0 .. CELLS - 1
    x: Floats
    names: tuple[str, ...]
    row: Ints  # of the index date
    leaves: Floats
    start: Floats | None = None
    first: tuple[Floats, Floats] | None = None  # factors, and shares that stay, where every index date counts once

    def fitted(self) -> _Arm:
        """With its factors, and the coefficients to begin with when they are redone."""
        factors, stays, params = self.factors(None)
        return replace(self, first=(factors, stays), start=params if len(params) else None)

    def adding(self, x: Floats, names: Sequence[str]) -> _Arm:
        """With more columns, those that vary among these decisions. x: (n, q) of the index dates."""
        more = x[self.row]
        new = np.array([name not in self.names for name in names])
        varies = new & (np.ptp(more, axis=0) > 0) if len(more) else np.zeros(len(names), bool)
        if not varies.any():
            return self
        start = None if self.start is None else np.r_[self.start, np.zeros(varies.sum())]
        labels = (*self.names, *(name for name, one in zip(names, varies, strict=True) if one))
        return replace(self, x=np.column_stack([self.x, more[:, varies]]), names=labels, start=start).fitted()

    def fit(self, counts: Floats | None) -> tuple[Floats, Floats]:
        """Probability of leaving at each decision, and the coefficients; the former 0 if nobody leaves."""
        told = self.leaves if counts is None else self.leaves[counts > 0]
        if not told.any():
            return np.zeros(len(self.places)), np.zeros(0)
        mass = len(self.leaves) if counts is None else counts.sum()
        found = binary_regression.fit(
            self.x, self.leaves, names=self.names, weights=counts, ridge=PENALTY / mass, start=self.start
        )
        return found.fitted, found.params

    def factors(self, counts: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Stabilised factor of each decision, of staying; the share that stays, in it; and the coefficients."""
        leaving, params = self.fit(counts)
        often = np.ones(len(self.places)) if counts is None else counts
        size = np.bincount(self.cell, often, CELLS)
        share = np.bincount(self.cell, often * self.leaves, CELLS) / np.where(size > 0, size, 1.0)
        stays = np.maximum(1 - share[self.cell], FEWEST)
        return stays / np.maximum(1 - leaving, FEWEST), stays, params


@dataclass(frozen=True)
class _Decisions:
    """Decisions of all index dates, sorted by these and by time. date: (d,) index date; later: of days after the first
    of an interval, which are those of the intervals' rows."""

    date: Ints
    later: np.ndarray
    arms: tuple[_Arm, ...]
    truncation: tuple[float, float]

    def weights(self, drawn: Floats) -> Floats:
        """Of the intervals' rows; RegressionFailure where a model has no estimate."""
        return self._truncated(self._product([arm.factors(drawn[arm.row])[0] for arm in self.arms]))

    def first(self) -> tuple[Floats, Floats]:
        """Weights where every index date counts once, and what they are stabilised by."""
        found = [arm.first for arm in self.arms if arm.first is not None]
        weight, staying = (self._product([one[part] for one in found]) for part in (0, 1))
        return self._truncated(weight), staying

    def _product(self, factors: Sequence[Floats]) -> Floats:
        """Of the factors of an index date's earlier decisions: who leaves within an interval is counted until then."""
        logs = np.zeros(len(self.date))
        for arm, factor in zip(self.arms, factors, strict=True):
            logs[arm.places] = np.log(factor)
        before = np.cumsum(logs) - logs
        begins = np.flatnonzero(np.diff(self.date, prepend=-1) != 0)
        length = np.diff(begins, append=len(logs))
        return np.exp(before - np.repeat(before[begins], length))[self.later]

    def _truncated(self, weight: Floats) -> Floats:
        return truncate(weight, *self.truncation) if self.truncation != (0.0, 100.0) and len(weight) else weight


def adherence(
    trials: pl.DataFrame, score: tuple[Floats, Sequence[str]], intervals: Intervals, *,
    longest: int, truncation: tuple[float, float] = (0.0, 100.0),
) -> Adherence:  # fmt: skip
    """How long the strategies are kept to, and the weights for it; RegressionFailure where they have no estimate.

    trials: arm, follow_up, as_treated_until and what ``intervals`` (``mortality.intervals``) asks. score: the baseline
    columns (n, p) and their names. longest: days to which anything is looked at. Cost: a logistic regression per arm on
    its index dates x intervals, of baseline, what is known over time, and bands of time.
    """
    arm = trials["arm"].to_numpy()
    # who leaves on a day decided on what was known on its eve: that day's interval, if it only begins, is theirs too
    end = pl.min_horizontal("follow_up", pl.col("as_treated_until") + 1, pl.lit(longest))
    left = trials["as_treated_until"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    dates = trials.select("person_id", "index", until=end).with_row_index("row")
    rows = intervals(dates.with_columns(pl.col("row").cast(pl.Int64)))
    row, interval = rows["row"].to_numpy(), rows["interval"].to_numpy()
    start, stop = (rows[name].to_numpy().astype(float) for name in ("start", "stop"))
    stop = np.minimum(stop, left[row])
    # two decisions an interval: on its first day, which counts for the interval itself, and later in it, for the next
    first, later = np.flatnonzero(interval > 0), np.flatnonzero(stop > start)
    place, stage = np.concatenate([first, later]), np.repeat([0, 1], [len(first), len(later)])
    order = np.lexsort((stage, place))  # rows are sorted by index date and interval
    place, stage = place[order], stage[order]
    day, leaving = start[place], left[row[place]]
    leaves = np.where(stage == 0, leaving == day, (leaving > day) & (leaving < day + INTERVAL_DAYS)).astype(float)
    cell = 2 * (np.searchsorted(BANDS, interval[place], side="right") - 1) + stage
    known = _over_time(rows)
    arms = [
        _arm(np.flatnonzero(arm[row[place]] == one), cell, leaves, place, row, score, known) for one in (0, 1)
    ]  # fmt: skip
    decisions = _Decisions(row[place], stage == 1, tuple(one.fitted() for one in arms), truncation)
    return _weighed(Adherence(left, row[later], start[later], stop[later], np.ones(0), np.ones(0)), decisions)


def _weighed(kept: Adherence, decisions: _Decisions) -> Adherence:
    def adding(arm: int, x: Floats, names: Sequence[str]) -> Adherence:
        arms = tuple(one.adding(x, names) if place == arm else one for place, one in enumerate(decisions.arms))
        return _weighed(kept, replace(decisions, arms=arms))

    weight, staying = decisions.first()
    return replace(kept, weight=weight, staying=staying, refit=decisions.weights, adding=adding)


def _arm(  # noqa: PLR0917
    places: Ints, cell: Ints, leaves: Floats, place: Ints, row: Ints, score: tuple[Floats, Sequence[str]],
    known: tuple[Floats, Sequence[str]],
) -> _Arm:  # fmt: skip
    """The decisions of an arm at which somebody leaves (elsewhere nothing is to be weighted for), columns that vary."""
    some = np.bincount(cell[places], leaves[places], CELLS) > 0
    places = places[some[cell[places]]]
    parts, names, of = [], [], row[place[places]]
    for (x, labels), rows in ((score, of), (known, place[places])):
        present = np.zeros(len(x), bool)
        present[rows] = True
        varies = np.ptp(x[present], axis=0) > 0 if len(rows) else np.zeros(len(labels), bool)
        parts.append(x[:, varies][rows])
        names += [label for label, one in zip(labels, varies, strict=True) if one]
    bands = np.flatnonzero(some)[1:]
    x = np.column_stack([*parts, cell[places][:, None] == bands])
    cells = (f"interval {BANDS[b // 2]}, {'later' if b % 2 else 'first day'}" for b in bands)
    return _Arm(places, cell[places], x, (*names, *cells), of, leaves[places])


def _over_time(rows: pl.DataFrame) -> tuple[Floats, list[str]]:
    """What is known at the beginning of each interval as columns; a missing value is 0 and a column of its own."""
    columns, names = [], []
    for name in rows.columns:
        if name in KNOWN or rows[name].null_count() == rows.height or not rows.schema[name].is_numeric():
            continue
        values = rows[name].cast(pl.Float64)
        columns.append(values.fill_null(0.0).to_numpy())
        names.append(f"{name} over time")
        if values.null_count():
            columns.append(values.is_null().cast(pl.Float64).to_numpy())
            names.append(f"{name} missing over time")
    return np.column_stack(columns) if columns else np.zeros((rows.height, 0)), names


__all__ = ["Adherence", "Intervals", "RegressionFailure", "adherence"]
