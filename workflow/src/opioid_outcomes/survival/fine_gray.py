"""Subdistribution hazards of one cause among competing ones, for display on small data (Fine & Gray 1999 JASA 94:496).

Who has a competing event stays at risk with weight G(t-) / G(s-), s its time and G the chance to be still uncensored: a
Cox fit on time-dependent rows, as R survival::finegray makes them. Where an event and a censoring fall on one time the
censoring is later. A subdistribution hazard ratio has no causal reading; it tells which way a covariate moves the
cumulative incidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.survival import cox
from opioid_outcomes.survival.risk_sets import Floats, Ints

MOST_ROWS = 5_000_000  # rows after expansion: people with a competing event times changes of G, at the worst


@dataclass(frozen=True)
class Expanded:
    """Rows (start, stop] with their weight: ``person`` is the place in the input, ``event`` the cause in question."""

    person: Ints
    start: Floats
    stop: Floats
    event: npt.NDArray[np.bool_]
    weight: Floats


def fit(
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    names: Sequence[str],
    target: Any,
    censored: Any = 0,
    cluster: npt.ArrayLike | None = None,
    censoring_groups: npt.ArrayLike | None = None,
    ties: Literal["efron", "breslow"] = "efron",
) -> cox.CoxFit:
    """Log subdistribution hazard ratios of the cause ``target``.

    time: (n,) > 0, from the origin. cause: (n,) what ended the time, ``censored`` if nothing; causes other than
    ``target``, unknown ones too, compete. x: (n, p), constant in time. cluster: (n,) as in cox.fit, else each person is
    one. censoring_groups: (n,) a censoring distribution each.

    ``robust_covariance`` takes G as known, as coxph on finegray's rows does; cmprsk::crr adds what estimating it costs.
    Raises CoxFailure as cox.fit does, also with "too many rows" above MOST_ROWS; ValueError when the arguments make no
    sense. Agrees with coxph on finegray's rows, and with crr's coefficients where no times are tied.
    """
    causes, columns = np.asarray(cause), np.asarray(x, dtype=float)
    rows = expand(time, causes == target, causes == censored, censoring_groups)
    members = rows.person if cluster is None else np.asarray(cluster)[rows.person]
    return cox.fit(
        rows.start, rows.stop, rows.event, columns[rows.person], names=names, weights=rows.weight, cluster=members,
        ties=ties,
    )  # fmt: skip


def cumulative_incidence(fitted: cox.CoxFit, x: npt.ArrayLike) -> pl.DataFrame:
    """Probability of the cause by each of its event times for one person's covariates (p,): time, incidence."""
    hazard = fitted.baseline_hazard(at_means=True)
    ratio = float(np.exp((np.asarray(x, dtype=float) - fitted.x.centre) @ fitted.params))
    return hazard.select("time", incidence=1 - (-ratio * pl.col("cumulative_hazard")).exp())


def expand(
    time: npt.ArrayLike,
    event: npt.NDArray[np.bool_],
    censored: npt.NDArray[np.bool_],
    censoring_groups: npt.ArrayLike | None = None,
) -> Expanded:
    """Everybody's own row, and for those with a competing event rows of falling weight up to the last event."""
    times = np.asarray(time, dtype=float)
    n = len(times)
    groups = (
        np.zeros(n, dtype=np.int64) if censoring_groups is None else np.unique(censoring_groups, return_inverse=True)[1]
    )
    if not (times.shape == event.shape == censored.shape == groups.shape):
        raise ValueError("times, causes and censoring groups must be one per person")
    if not np.isfinite(times).all() or (times <= 0).any():
        raise ValueError("times must be known, finite and after 0")
    ends = np.unique(times[event])
    own = Expanded(np.arange(n), np.zeros(n), times, event, np.ones(n))
    parts, total = [own], n
    for group in range(int(groups.max(initial=0)) + 1):
        people = np.flatnonzero(groups == group)
        later = _later(times[people], event[people], censored[people], ends, MOST_ROWS - total)
        total += len(later.person)
        parts.append(Expanded(people[later.person], later.start, later.stop, later.event, later.weight))
    return Expanded(*(np.concatenate([getattr(part, name) for part in parts]) for name in Expanded.__annotations__))


def _later(
    time: Floats, event: npt.NDArray[np.bool_], censored: npt.NDArray[np.bool_], ends: Floats, most: int
) -> Expanded:
    """The rows of those with a competing event after it: one row while G(t-) at the event times stays the same."""
    people = np.flatnonzero(~event & ~censored)
    at_end = _uncensored_before(time, censored, ends)
    last = np.flatnonzero(np.r_[at_end[1:] != at_end[:-1], True]) if len(ends) else np.zeros(0, dtype=np.int64)
    until, level = ends[last], at_end[last]
    first = np.searchsorted(until, time[people], side="right")
    count = len(until) - first
    if int(count.sum()) > most:
        raise cox.CoxFailure("too many rows")
    person = np.repeat(people, count)
    span = np.arange(len(person)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    before = np.where(span > 0, until[np.maximum(span - 1, 0)], 0.0)
    weight = level[span] / _uncensored_before(time, censored, time)[person]
    some = weight > 0
    return Expanded(
        person[some], np.maximum(before, time[person])[some], until[span][some], np.zeros(int(some.sum()), dtype=bool),
        weight[some],
    )  # fmt: skip


def _uncensored_before(time: Floats, censored: npt.NDArray[np.bool_], at: Floats) -> Floats:
    """G(t-) by Kaplan-Meier: the chance not to be censored before t; at one time events come before censorings."""
    order = np.sort(time)
    when, lost = np.unique(time[censored], return_counts=True)
    events = np.sort(time[~censored])
    gone = np.searchsorted(events, when, side="right") - np.searchsorted(events, when, side="left")
    at_risk = len(time) - np.searchsorted(order, when, side="left") - gone
    curve = np.r_[1.0, np.cumprod(1 - lost / at_risk)]
    return curve[np.searchsorted(when, at, side="left")]
