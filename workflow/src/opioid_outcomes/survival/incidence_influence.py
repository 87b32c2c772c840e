"""Influence of a row on a cumulative incidence or a restricted mean time, and the variance without forming it.

With h the hazard of any cause, Y the weight at risk, S(-) survival just before, and C the target (the incidence F_j, of
any cause, or the mean time M), the derivative of C(t) by the weight of a row is, over the event times v <= t at which
the row is at risk,

    sum of S(v-) dh_j(v) - dh(v) / (1 - h(v)) (C(t) - C(v)),   dh_j(v) = ([event j at v] - h_j(v)) / Y(v)

(the first term not for M). Cumulative sums over v make it a difference of two values per row, linear in C(t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival.risk_sets import Floats, Ints


@dataclass(frozen=True)
class Rows:
    """Who is at risk when, as ranges [first, last) of the event times; event times do not depend on the weights."""

    time: Floats  # (T,) distinct times of events
    first: Ints  # (n,)
    last: Ints  # (n,)
    cause: Ints  # (n,) 0 none, else the event is at ``last`` - 1
    causes: int
    start: Floats  # (n,)
    until: Floats  # (n,) stop


@dataclass(frozen=True)
class Steps:
    """Cumulative sums over the T event times; targets are the K causes, then any cause, then the mean time."""

    slope: Floats  # (T + 1,) sum of h / (Y (1 - h)) before each cell
    leaving: Floats  # (T,) 1 / (Y (1 - h)); 0 where nobody is left, after which nothing changes
    direct: Floats  # (T,) S(-) / Y
    curves: Floats  # (K + 2, T)
    paths: Floats  # (K + 2, T + 1) sum of S(-) h_j / Y + h C / (Y (1 - h)) before each cell

    @property
    def of_any(self) -> int:
        """The target "any cause"."""
        return len(self.curves) - 2

    @property
    def of_mean_time(self) -> int:
        """The target "restricted mean time"."""
        return len(self.curves) - 1

    @property
    def mean_time(self) -> Floats:
        """(T,) integral of survival from 0 to each event time."""
        return self.curves[-1]

    def at(self, rows: Rows, target: int, cells: int, value: float) -> Floats:
        """Influence per unit of weight, (n,), on a target, of this value when ``cells`` event times have gone by."""
        first, last, cause = rows.first, rows.last, rows.cause
        end, begin = np.minimum(last, cells), np.minimum(first, cells)
        out = value * (self.slope[end] - self.slope[begin])
        path = self.paths[target]
        out -= path[end] - path[begin]
        over = np.flatnonzero((cause > 0) & (last <= cells))
        out[over] += self._event(last[over] - 1, cause[over], target, value)
        return out

    def _event(self, cell: Ints, cause: Ints, target: int, value: float) -> Floats:
        """What an event at a cell adds."""
        return self.leaving[cell] * (self.curves[target][cell] - value) + self._own(cell, cause, target)

    def _own(self, cell: Ints, cause: Ints, target: int) -> Floats:
        if target == self.of_mean_time:
            return np.zeros(len(cell))
        return self.direct[cell] if target == self.of_any else np.where(cause == target + 1, self.direct[cell], 0.0)

    def variance(self, rows: Rows, weights: Floats, target: int) -> Floats:
        """At each event time, (T,), where every row is a cluster of its own: sums by distinct times only.

        A row that has left by t contributes (alpha + beta C(t))^2, one still at risk (P(t) - C(t) a + q)^2 with a and q
        of its entry: so sums of the squared weights times products of these are enough.
        """
        first, last, cause, squares = _collapsed(rows, weights**2)
        slope, path, curve = self.slope, self.paths[target], self.curves[target]
        over, cell = cause > 0, np.maximum(last - 1, 0)
        beta = slope[last] - slope[first] - np.where(over, self.leaving[cell], 0.0)
        event = self.leaving[cell] * curve[cell] + self._own(cell, cause, target)
        alpha = path[first] - path[last] + np.where(over, event, 0.0)
        size = len(self.slope)

        def gone(values: Floats) -> Floats:
            return np.cumsum(np.bincount(last, squares * values, size), dtype=np.float64)[1:]

        def still(values: Floats) -> Floats:
            # after m times: those with first < m < last
            left = np.cumsum(np.bincount(last, squares * values, size)[::-1])[::-1]
            come = np.cumsum(np.bincount(first, squares * values, size)[::-1])[::-1]
            return np.r_[left[2:], 0.0] - come[1:]

        a, q = slope[first], path[first]
        now = curve * slope[1:] - path[1:]
        entry = curve * still(a) - still(q)
        entry_squared = curve**2 * still(a * a) - 2 * curve * still(a * q) + still(q * q)
        staying = now**2 * still(np.ones(len(squares))) - 2 * now * entry + entry_squared
        leavers = gone(alpha**2) + 2 * curve * gone(alpha * beta) + curve**2 * gone(beta**2)
        return np.maximum(staying, 0.0) + np.maximum(leavers, 0.0)


def _collapsed(rows: Rows, squares: Floats) -> tuple[Ints, Ints, Ints, Floats]:
    """Rows at risk at some event time; rows alike in all but their weight as one, where all enter before the first."""
    first, last, cause = rows.first, rows.last, rows.cause
    if not first.any():
        kinds = rows.causes + 1
        sums = np.bincount(last * kinds + cause, squares, (len(rows.time) + 1) * kinds).astype(float)
        cell, kind = np.divmod(np.flatnonzero(sums), kinds)
        first, last, cause, squares = np.zeros_like(cell), cell, kind, sums[sums != 0]
    seen = first < last
    return first[seen], last[seen], cause[seen], squares[seen]


def steps_of(time: Floats, at_risk: Floats, events: Floats, survival: Floats, incidence: Floats) -> Steps:
    """Cumulative sums for the curves given: (T,), (T,), (T, K), (T,), (T, K)."""
    before = np.r_[1.0, survival[:-1]][: len(time)]
    with np.errstate(invalid="ignore", divide="ignore"):
        hazards = np.where(at_risk[:, None] > 0, events / at_risk[:, None], 0.0).T
        hazard = hazards.sum(axis=0)
        leaving = np.where(survival > 0, 1 / (at_risk * (1 - hazard)), 0.0)
        leaving = np.where(at_risk > 0, leaving, 0.0)
        direct = np.where((at_risk > 0) & (before > 0), before / at_risk, 0.0)
    curves = np.vstack([incidence.T, incidence.sum(axis=1), np.cumsum(before * np.diff(time, prepend=0.0))])
    own = np.vstack([direct * hazards, direct * hazard, np.zeros(len(time))])
    return Steps(
        slope=np.r_[0.0, np.cumsum(hazard * leaving)],
        leaving=leaving,
        direct=direct,
        curves=curves,
        paths=np.hstack([np.zeros((len(curves), 1)), np.cumsum(own + hazard * leaving * curves, axis=1)]),
    )
