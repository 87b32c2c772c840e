"""Who follows which strategy when: intervals of each person, and what is decided in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.risk_sets import Floats, Ints

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Strategy:
    """One strategy, and when each of n persons leaves it.

    leaves: (n,) whole times from which the person no longer follows it (inf: never; 0: from time zero on). Where it
    asks for something to begin within ``grace``: begins, (n,) whole times at which the person does (inf: never);
    leaving before is no leaving, and who has not begun before the time ``grace`` leaves then.
    """

    name: str
    leaves: Floats
    begins: Floats | None = None
    grace: float | None = None

    @cached_property
    def left(self) -> Floats:
        """(n,) the time from which the clone is censored."""
        if self.begins is None or self.grace is None:
            return self.leaves
        return np.where(self.begins < self.grace, np.maximum(self.leaves, self.begins), self.grace)


@dataclass(frozen=True)
class Grid:
    """Intervals [edges[k], edges[k + 1]) of n persons as far as each is followed: R rows, by person, then interval."""

    edges: Floats
    time: Floats  # (n,) end of follow-up, at most the last edge
    cause: Ints  # (n,) 0 none by then
    person: Ints  # (R,)
    interval: Ints  # (R,)

    @property
    def opens(self) -> Floats:
        """(R,) the time at which each interval begins: covariates of a row lie before it."""
        return self.edges[self.interval]


def grid(
    time: npt.ArrayLike, cause: npt.ArrayLike, edges: Sequence[float], until: npt.ArrayLike | None = None
) -> Grid:  # fmt: skip
    """Rows for covariates; time: (n,) > 0, of the event or the end of follow-up; cause: (n,) 0 none, 1..K.

    edges: rising, from 0 to the last horizon; fine where leaving has its own pattern, and the end of grace among them.
    until: (n,) times from which no strategy of interest is followed any more: later intervals need no row. A person may
    be here several times, from several time zeros: "persons" are then these.
    """
    ends, kinds, cuts = np.asarray(time, float), np.asarray(cause, np.int64), np.asarray(edges, float)
    if cuts[0] != 0 or (np.diff(cuts) <= 0).any():
        raise ValueError("edges must rise from 0")
    if ends.shape != kinds.shape or not np.isfinite(ends).all() or (ends <= 0).any() or (kinds < 0).any():
        raise ValueError("time must be known and above 0, cause 0 or more, of one length")
    within = ends <= cuts[-1]
    ends, kinds = np.where(within, ends, cuts[-1]), np.where(within, kinds, 0)
    count = np.searchsorted(cuts, ends, side="left")
    if until is not None:
        count = np.minimum(count, np.searchsorted(cuts, np.asarray(until, float), side="right"))
    person = np.repeat(np.arange(len(ends)), count)
    first = np.cumsum(count) - count
    return Grid(cuts, ends, kinds, person, np.arange(count.sum()) - np.repeat(first, count))


@dataclass(frozen=True)
class Decision:
    """To leave, or to begin, in each of a layout's rows.

    length: time of the interval at which it is a decision; risk: of it, time until the person does it, dies or is no
    longer followed; does: whether the person does.
    """

    length: Floats
    risk: Floats
    does: Bools

    def trials(self, counted: Bools) -> tuple[Ints, Floats, Bools]:
        """Rows of time without the decision and of its last unit, with it or not: place, time at risk, outcome."""
        rows = np.flatnonzero(counted & (self.risk > 0))
        does, risk = self.does[rows], self.risk[rows]
        before = rows[does & (risk > 1)]
        return (
            np.concatenate([rows, before]),
            np.concatenate([np.where(does, np.minimum(risk, 1.0), risk), self.risk[before] - 1]),
            np.concatenate([does, np.zeros(len(before), dtype=bool)]),
        )


@dataclass(frozen=True)
class Layout:
    """What does not change with people's weights."""

    grid: Grid
    strategy: Strategy
    rows: Ints  # of the grid: the intervals in which the clone is followed or leaves
    z: Floats  # covariates and bands of time of those
    names: tuple[str, ...]
    covariates: tuple[str, ...]  # those of the names that are no bands of time
    staying: Decision
    beginning: Decision | None  # None: nothing must begin
    lost: Decision | None  # to follow-up; None: nobody

    @property
    def person(self) -> Ints:
        return self.grid.person[self.rows]


def layout(
    grid: Grid, strategy: Strategy, x: Floats, *, names: Sequence[str], bands: Sequence[float] = (),
    lost: Bools | None = None,
) -> Layout:  # fmt: skip
    """Find the intervals of the clones of a strategy; x: (R, p) covariates known before each interval opens.

    bands: times since time zero (and since the person began) at which the hazard of leaving may change. lost: (n,)
    whether follow-up ends for a reason that may have to do with the event: those still followed then stand in for them.
    """
    if x.shape != (len(grid.person), len(names)):
        raise ValueError(f"x must be {len(grid.person)} rows x {len(names)} named columns, is {x.shape}")
    _check(grid, strategy, lost)
    left = strategy.left
    rows = np.flatnonzero(grid.opens <= left[grid.person])
    who, opens, closes = grid.person[rows], grid.opens[rows], grid.edges[grid.interval[rows] + 1]
    since, begins, beginning = None, np.zeros(len(left)), None
    if strategy.begins is not None and strategy.grace is not None:
        begins = np.where(strategy.begins < strategy.grace, strategy.begins, np.inf)
        since = opens - begins[who]
        within = np.where(opens < strategy.grace, np.minimum(closes, strategy.grace), opens)
        beginning = _decision(grid, begins, who, opens, within)
        left = np.where(np.isfinite(begins), left, np.inf)  # the end of grace is no decision
    staying = _decision(grid, left, who, np.maximum(opens, begins[who]), closes)
    loss = None if lost is None else _loss(grid, strategy, lost, rows)
    z, columns = _design(x[rows], names, opens, since, bands)
    return Layout(grid, strategy, rows, z, columns, tuple(names), staying, beginning, loss)


def _check(grid: Grid, strategy: Strategy, lost: Bools | None) -> None:
    n = len(grid.time)
    for what, times in (("leaves", strategy.leaves), ("begins", strategy.begins)):
        if times is not None and (np.shape(times) != (n,) or not (np.asarray(times) >= 0).all()):
            raise ValueError(f"{what} of '{strategy.name}' must be {n} known times, 0 or later")
    if strategy.grace is not None and strategy.grace not in grid.edges:
        raise ValueError("the end of grace must be one of the edges")
    if lost is not None and np.shape(lost) != (n,):
        raise ValueError(f"lost must have {n} values, has shape {np.shape(lost)}")


def _loss(grid: Grid, strategy: Strategy, lost: Bools, rows: Ints) -> Decision:
    """The loss of clones that still follow the strategy, at the end of the last day followed."""
    who, opens, closes = grid.person[rows], grid.opens[rows], grid.edges[grid.interval[rows] + 1]
    last_day = np.where(lost & (grid.cause == 0) & (grid.time < grid.edges[-1]), grid.time - 1, np.inf)
    here = _decision(grid, last_day, who, opens, closes)
    followed = np.maximum(np.minimum(strategy.left, grid.time)[who] - opens, 0.0)
    return Decision(here.length, np.minimum(here.risk, followed), here.does & (strategy.left[who] >= grid.time[who]))


def _decision(grid: Grid, does: Floats, who: Ints, low: Floats, high: Floats) -> Decision:
    """Of something that each person does at a time, in rows of people ``who`` from low to high."""
    here = (low <= does[who]) & (does[who] < np.minimum(high, grid.time[who]))
    end = np.where(here, does[who] + 1, np.minimum(high, grid.time[who]))
    ahead = does[who] >= low
    length, risk = (np.where(ahead, np.maximum(until - low, 0.0), 0.0) for until in (high, end))
    return Decision(length, risk, here)


def _design(
    x: Floats, names: Sequence[str], opens: Floats, since: Floats | None, bands: Sequence[float]
) -> tuple[Floats, tuple[str, ...]]:
    """Covariates, and bands of time since time zero and since the person began, without what does not vary."""
    parts, columns = [x], list(names)
    for clock, label in ((opens, "time"), (since, "time since begun")):
        if clock is None:
            continue
        place = np.searchsorted(np.asarray(bands, float), clock, side="right")
        for k in range(1, len(bands) + 1):
            parts.append((place == k)[:, None].astype(float))
            columns.append(f"{label} from {bands[k - 1]:g}")
    return np.hstack(parts), tuple(columns)
