"""Weighted Kaplan-Meier and Aalen-Johansen curves on (start, stop] rows, with the infinitesimal jackknife.

Aalen & Johansen (1978) Scand J Stat 5:141. The influence of a row is the derivative of the curve by the row's weight,
times that weight; a cluster's is the sum over its rows, and the variance the sum of the clusters' squares: what R
survival 3.x calls the robust (infinitesimal jackknife) variance of survfit (Therneau, vignette "methods").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.clusters import known, whole
from opioid_outcomes.survival.incidence_influence import Rows, Steps, steps_of
from opioid_outcomes.survival.products import cross, within_range
from opioid_outcomes.survival.risk_sets import Floats, Ints

# A hazard so near 1 that what is left of the risk set is rounding of the weights
WHOLE = 1 - 1e-12
# Numbers formed at a time where the error of a whole curve needs everybody's influence
BLOCK = 4_000_000


def rows_of(start: npt.ArrayLike, stop: npt.ArrayLike, cause: npt.ArrayLike, *, causes: int) -> Rows:
    """Find the event times and each row's range of them; ValueError where the arguments make no sense.

    Cost: one sort of the event times and two searches of the rows in them.
    """
    begin, end, kind = np.asarray(start, float), np.asarray(stop, float), whole(cause)
    begin = np.full(end.shape, begin) if begin.ndim == 0 else begin
    if end.ndim != 1 or begin.shape != end.shape or kind.shape != end.shape:
        raise ValueError("start, stop and cause must be of one length")
    if not (np.isfinite(begin).all() and np.isfinite(end).all()) or (begin < 0).any() or (end <= begin).any():
        raise ValueError("times must be known and finite, stop above start, and start at least 0")
    if causes < 1 or (kind < 0).any() or (kind > causes).any():
        raise ValueError(f"causes must be 0 (none) to {causes}, of at least one cause")
    time = np.unique(end[kind > 0])
    last = _up_to(time, end)
    delayed = len(time) > 0 and len(begin) > 0 and begin.max() >= time[0]
    first = _up_to(time, begin) if delayed else np.zeros(len(end), np.int64)
    return Rows(time, first, last, kind, causes, begin, end)


def _up_to(times: Floats, values: Floats) -> Ints:
    """How many of the sorted times are at or before each value, (n,); whole numbers (days) are looked up in a table."""
    if len(values) and values.max() < 2 * len(values):
        whole = values.astype(np.int64)
        if (whole == values).all():
            top = int(whole.max())
            counts = np.bincount(np.ceil(times[times <= top]).astype(np.int64), minlength=top + 1)
            return np.cumsum(counts)[whole]
    return np.searchsorted(times, values, side="right")


@dataclass(frozen=True)
class Incidence:
    """Curves at each distinct time of an event (T of them) for K causes, coded 1 to K; see ``fit``."""

    rows: Rows
    weights: Floats  # (n,)
    cluster: npt.NDArray | None  # (n,) or each row its own
    at_risk: Floats  # (T,) weight at risk just before
    events: Floats  # (T, K) weight with the event
    survival: Floats  # (T,) without any event, up to and with that time
    incidence: Floats  # (T, K)
    followed_until: float  # last time at which anybody with a weight is followed; inf where nobody is left alive

    @property
    def time(self) -> Floats:
        """(T,) the times of the curves."""
        return self.rows.time

    def risk(self, horizons: npt.ArrayLike, *, carry: bool = False) -> Floats:
        """Cumulative incidence by each horizon, (H, K): 0 before the first event.

        Beyond follow-up it is NaN, or with ``carry`` the last one.
        """
        at, place = self._places(horizons)
        found = np.vstack([np.zeros((1, self.rows.causes)), self.incidence])[place]
        return found if carry else np.where((at > self.followed_until)[:, None], np.nan, found)

    def survival_at(self, horizons: npt.ArrayLike) -> Floats:
        """Probability of no event by each horizon, (H,): 1 before the first event, NaN beyond follow-up."""
        at, place = self._places(horizons)
        return np.where(at > self.followed_until, np.nan, np.r_[1.0, self.survival][place])

    def rmst(self, horizons: npt.ArrayLike, *, carry: bool = False) -> Floats:
        """Restricted mean time without any event, from time 0 to each horizon, (H,).

        Beyond follow-up it is NaN, or with ``carry`` as if survival stayed level.
        """
        at, place = self._places(horizons)
        survival, time = np.r_[1.0, self.survival], np.r_[0.0, self.time]
        mean = np.cumsum(np.r_[0.0, survival[:-1] * np.diff(time)])[place] + survival[place] * (at - time[place])
        return mean if carry else np.where(at > self.followed_until, np.nan, mean)

    def influence(self, horizons: npt.ArrayLike) -> Floats:
        """Of each cluster on the incidence by each horizon, (clusters, H, K), clusters in the order of ``clusters``.

        NaN beyond follow-up. Cost: a pass over the rows for each horizon and cause; memory: rows x H x K (for errors
        alone ask ``risk_se`` or ``survival_se_at``).
        """
        return self._of_clusters(self.unit_influence(horizons))

    def rmst_influence(self, horizons: npt.ArrayLike) -> Floats:
        """Of each cluster on the restricted mean time, (clusters, H)."""
        return self._of_clusters(self.unit_rmst_influence(horizons))

    def unit_influence(self, horizons: npt.ArrayLike) -> Floats:
        """Derivative of the incidence by each row's weight, (n, H, K): for weights that are themselves estimated."""
        at, place = self._places(horizons)
        values = self.risk(at)
        steps, rows = self._steps, self.rows
        out = np.empty((len(rows.last), len(at), rows.causes))
        for i, cells in enumerate(place):
            for j in range(rows.causes):
                out[:, i, j] = steps.at(rows, j, int(cells), float(values[i, j]))
        return out

    def unit_rmst_influence(self, horizons: npt.ArrayLike) -> Floats:
        """Derivative of the restricted mean time by each row's weight, (n, H)."""
        at, place = self._places(horizons)
        values = self.rmst(at)
        steps, rows = self._steps, self.rows
        out = np.empty((len(rows.last), len(at)))
        for i, cells in enumerate(place):
            out[:, i] = steps.at(rows, steps.of_mean_time, int(cells), float(values[i]))
        return out

    def covariance(self, horizons: npt.ArrayLike) -> Floats:
        """Of the incidences by the horizons, (H K, H K), horizon by horizon."""
        influence = self.influence(horizons)
        flat = influence.reshape(len(influence), math.prod(influence.shape[1:]))
        return cross(flat, flat)

    def risk_se(self, horizons: npt.ArrayLike) -> Floats:
        """Standard error of the incidence by each horizon, (H, K), of however many horizons: memory by blocks."""
        at, place = self._places(horizons)
        values = self.risk(at)
        columns = [self._variance_at(place, values[:, j], j) for j in range(self.rows.causes)]
        return np.sqrt(np.column_stack(columns))

    def survival_se_at(self, horizons: npt.ArrayLike) -> Floats:
        """Standard error of survival (of no event of any cause) at each horizon, (H,), likewise."""
        at, place = self._places(horizons)
        return np.sqrt(self._variance_at(place, 1 - self.survival_at(at), self._steps.of_any))

    def rmst_se(self, horizons: npt.ArrayLike) -> Floats:
        """Standard error of the restricted mean times, (H,)."""
        influence = self.rmst_influence(horizons)
        return np.sqrt(np.diagonal(cross(influence, influence)))

    @cached_property
    def se(self) -> Floats:
        """Standard error of the incidence at each event time, (T, K)."""
        columns = [self._curve_variance(j) for j in range(self.rows.causes)]
        return np.sqrt(np.column_stack(columns))

    @cached_property
    def survival_se(self) -> Floats:
        """Standard error of survival (of no event of any cause) at each event time, (T,)."""
        return np.sqrt(self._curve_variance(self._steps.of_any))

    @cached_property
    def clusters(self) -> npt.NDArray:
        """Sorted distinct clusters; the row's number where none were given."""
        return np.arange(len(self.weights)) if self.cluster is None else self._coded[0]

    @cached_property
    def _coded(self) -> tuple[npt.NDArray, Ints]:
        assert self.cluster is not None
        distinct, codes = np.unique(self.cluster, return_inverse=True)
        return distinct, codes

    @cached_property
    def _steps(self) -> Steps:
        return steps_of(self.time, self.at_risk, self.events, self.survival, self.incidence)

    def _places(self, horizons: npt.ArrayLike) -> tuple[Floats, Ints]:
        at = np.atleast_1d(np.asarray(horizons, dtype=float))
        if not np.isfinite(at).all() or (at < 0).any():
            raise ValueError("horizons must be known, finite and at least 0")
        return at, np.searchsorted(self.time, at, side="right")

    def _of_clusters(self, unit: Floats) -> Floats:
        shape = unit.shape[1:]
        flat = unit.reshape(len(unit), math.prod(shape))
        weighted = flat * self.weights[:, None]
        if self.cluster is None:
            return weighted.reshape(len(weighted), *shape)
        distinct, codes = self._coded
        sums = np.empty((len(distinct), flat.shape[1]))
        for j in range(flat.shape[1]):
            sums[:, j] = np.bincount(codes, weighted[:, j], len(distinct))
        return sums.reshape(len(sums), *shape)

    @cached_property
    def _rows_are_clusters(self) -> bool:
        return self.cluster is None or len(self.clusters) == len(self.weights)

    def _curve_variance(self, target: int) -> Floats:
        """Of one target at each event time: by sums over distinct times if every cluster is one row."""
        if self._rows_are_clusters:
            with np.errstate(over="ignore", invalid="ignore"):
                found = self._steps.variance(self.rows, self.weights, target)
            if np.isfinite(found).all():  # not where weights differ by more than can be squared
                return found
        return self._of_influences(np.arange(len(self.time)) + 1, self._steps.curves[target], target)

    def _variance_at(self, place: Ints, values: Floats, target: int) -> Floats:
        """Of one target, of these values when so many event times have gone by."""
        if self._rows_are_clusters:
            return np.where(np.isnan(values), np.nan, np.r_[0.0, self._curve_variance(target)][place])
        return self._of_influences(place, values, target)

    def _of_influences(self, place: Ints, values: Floats, target: int) -> Floats:
        """The same by the influences themselves, in blocks."""
        size = max(1, BLOCK // max(len(self.weights), 1))
        variance = np.empty(len(place))
        for begin in range(0, len(place), size):
            part = slice(begin, begin + size)
            pairs = zip(place[part], values[part], strict=True)
            unit = np.column_stack([self._steps.at(self.rows, target, int(m), float(v)) for m, v in pairs])
            influence = self._of_clusters(unit)
            variance[part] = np.einsum("ij,ij->j", influence, influence)
        return variance


def fit(
    start: npt.ArrayLike, stop: npt.ArrayLike, cause: npt.ArrayLike, *, causes: int,
    weights: npt.ArrayLike | None = None, cluster: npt.ArrayLike | None = None,
) -> Incidence:  # fmt: skip
    """Probability of each cause's event by each time, each competing with the others (one cause: 1 - Kaplan-Meier).

    start: (n,) or one number, >= 0; a row is at risk over (start, stop]. cause: (n,) 0 none or censored, 1..``causes``
    at stop. weights: (n,) >= 0, may change over the rows of a cluster. cluster: (n,), the person, whose rows add up to
    one influence. At a tie events come before censoring. Where at some time nobody is at risk the curves go on level.
    Weights so large or small that their squares are no numbers are taken relative to the largest, ``at_risk`` and
    ``events`` with them. ValueError if the arguments make no sense; no rows give empty curves, of which every horizon
    is beyond follow-up.
    Cost: a sort of the event times, then linear in rows; nobody's influence is formed until it is asked for.
    """
    rows = rows_of(start, stop, cause, causes=causes)
    count = len(rows.last)
    weight = np.ones(count) if weights is None else np.asarray(weights, dtype=float)
    groups = None if cluster is None else known(cluster)
    if weight.shape != (count,) or (groups is not None and groups.shape != (count,)):
        raise ValueError("weights and cluster must be as long as the rows")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError("weights must be known, finite and at least 0")
    return weighted(rows, within_range(weight), groups)


def weighted(rows: Rows, weights: Floats, cluster: npt.NDArray | None = None) -> Incidence:
    """Curves of rows already found, at (n,) weights: what is redone when only the weights change."""
    count = len(rows.time)
    counted = weights > 0
    cell = np.where(rows.cause > 0, rows.last - 1, 0) * (rows.causes + 1) + rows.cause
    events = _by_cell(cell, weights, count, rows.causes)
    # Rounding of the weights must neither leave a trace of somebody nor take the last away: people are counted
    present = at_risk_of(rows, counted.astype(float))
    dead = _by_cell(cell, counted.astype(float), count, rows.causes).sum(axis=1)
    dying = events.sum(axis=1)
    at_risk = np.where(present > 0, np.maximum(at_risk_of(rows, weights), dying), 0.0)
    everybody = (present > 0) & ((dead == present) | (dying > WHOLE * at_risk))
    at_risk = np.where(everybody, dying, at_risk).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        hazards = np.where(at_risk[:, None] > 0, events / at_risk[:, None], 0.0)
    survival = np.cumprod(np.where(everybody, 0.0, 1 - hazards.sum(axis=1)), dtype=np.float64)
    incidence = np.cumsum(np.r_[1.0, survival[:-1]][:, None] * hazards, axis=0) if count else hazards
    until = float(rows.until[counted].max()) if counted.any() else -np.inf
    nobody_left = count > 0 and survival[-1] == 0
    return Incidence(rows, weights, cluster, at_risk, events, survival, incidence, np.inf if nobody_left else until)


def at_risk_of(rows: Rows, values: Floats) -> Floats:
    """Sum of values, (n,), over those at risk at each event time, (T,)."""
    count = len(rows.time)
    change = np.bincount(rows.last, values, count + 1) - np.bincount(rows.first, values, count + 1)
    # from the last time backwards: late risk sets are the small ones, and must not drown in rounding
    return np.cumsum(change[:0:-1])[::-1]


def _by_cell(cell: Ints, values: Floats, count: int, causes: int) -> Floats:
    size = max(count, 1) * (causes + 1)
    return np.bincount(cell, values, size).reshape(-1, causes + 1)[:count, 1:].astype(float)
