"""The search for the maximum of a binary regression's likelihood, and why there may be none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival import binary_blocks as blocks
from opioid_outcomes.survival.binary_blocks import Design, Link, Point, Rows
from opioid_outcomes.survival.risk_sets import Floats

MAX_STEPS = 100
# Newton's decrement per unit of weight at which that step, doubling the digits, is the last
DECREMENT = 1e-12
NEXT = 1e-18  # of very many rows, the decrement to be expected after it: d_k (d_k / d_k-1)^2, as Newton's are
ROUGHLY = 0.01  # and in a share of the rows
# a linear predictor that still moves by this much when the likelihood stands still has no limit
STILL_MOVING = 1e-2
# steps, or a linear predictor, after which columns are looked at for separation: without it neither is often reached
PATIENCE, FAR = 10, 15.0
# a share of the rows gives a start if it has so many of the rarer outcome per coefficient, and so many blocks
ROUGH_EVENTS, ROUGH_BLOCKS = 20, 12
# share of a column's information that must be left after the columns before it
COLLINEAR = 1e-10


class RegressionFailure(Exception):
    """A model that has no estimate: why, and through which columns.

    reason: "no events", "everybody" (nobody without the event), "no variation" (a column is the same in everybody),
    "collinear", "separation" (a column, or several together, tell the outcome for sure in some) or "no convergence".
    """

    def __init__(self, reason: str, columns: Sequence[str] = ()) -> None:
        self.reason, self.columns = reason, tuple(columns)
        super().__init__(f"{reason}: {', '.join(self.columns)}" if self.columns else reason)


class _Separated(RegressionFailure):
    """Columns that separate by themselves, wherever the search began."""


@dataclass(frozen=True)
class Maximum:
    """Where the search ended: the columns in the model, their scaled coefficients, and those left out, with why."""

    design: Design
    point: Point
    penalty: Floats
    n_iter: int
    dropped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Search:
    """Newton's method on centred, scaled columns, with step halving."""

    rows: Rows
    names: tuple[str, ...]
    link: Link
    ridge: float
    drop: bool
    like: Design | None = None  # of which the centre and spread of the columns are taken

    def run(self, start: Floats | None) -> Maximum:
        known = self.like
        centre, spread = blocks.location_and_spread(self.rows) if known is None else (known.centre, known.spread)
        design = Design(self.rows, centre, spread, np.arange(len(self.names)))
        design, dropped = self._varying(design)
        beta = self._rough(design) if start is None else design.scaled(start)
        if beta is not None:
            try:
                return self._from(design, beta, dropped, sure=False)
            except _Separated:
                raise
            except RegressionFailure:  # perhaps of so bad a start only
                pass
        return self._from(design, blocks.null(design, self.link), dropped, sure=True)

    def _from(self, design: Design, beta: Floats, dropped: list[tuple[str, str]], *, sure: bool) -> Maximum:
        """The maximum from a start; unless ``sure``, columns that look alike there may do so because of the start."""
        point = blocks.at(design, beta, self.link)
        dependent: list[tuple[str, str]] = []
        if self.ridge == 0:
            smaller = self._independent(design, point, dependent)
            if smaller is not design:
                if not sure:
                    raise RegressionFailure("collinear")
                design = smaller
                point = blocks.at(design, blocks.null(design, self.link), self.link)
        penalty = self._penalty(design)
        point, n_iter = self._climb(design, point, penalty)
        if self.link != "logit":
            point = blocks.at(design, point.beta, self.link, expected=True)
        if self.ridge == 0 and blocks.dependent(point.information, COLLINEAR):  # of somebody's outcome nothing is open
            raise self._failure("separation", design, point.beta)
        return Maximum(design, point, penalty, n_iter, (*dropped, *dependent))

    def _rough(self, design: Design) -> Floats | None:
        """Coefficients in a share of very many rows, which save most passes over all; None if it is too small."""
        rows, size = self.rows, int(self.rows.intercept) + len(design.active)
        counted = rows.weights > 0
        rarer = min(int((counted & (rows.y == outcome)).sum()) for outcome in (0, 1))
        every = min(rarer // (ROUGH_EVENTS * size), len(rows.y) // (ROUGH_BLOCKS * blocks.BLOCK))
        if every < 2:
            return None
        point = blocks.at(design, blocks.null(design, self.link), self.link, every)
        if self.ridge == 0 and blocks.dependent(point.information, COLLINEAR):
            return None
        try:
            return self._climb(design, point, self._penalty(design) / every, every)[0].beta
        except _Separated:
            raise
        except RegressionFailure:
            return None

    def _penalty(self, design: Design) -> Floats:
        size = np.full(len(design.active), self.ridge * self.rows.weights.sum())
        return np.concatenate([[0.0], size]) if self.rows.intercept else size

    def _varying(self, design: Design) -> tuple[Design, list[tuple[str, str]]]:
        """Without columns that are the same in everybody (which a ridge can bear)."""
        flat = design.spread <= 1e-12 * np.maximum(1, np.abs(design.centre))
        if self.ridge > 0 or not flat.any():
            return design, []
        named = [self.names[j] for j in np.flatnonzero(flat)]
        if not self.drop:
            raise RegressionFailure("no variation", named)
        return design.only(np.flatnonzero(~flat)), [(name, "no variation") for name in named]

    def _independent(self, design: Design, point: Point, dropped: list[tuple[str, str]]) -> Design:
        """Without columns that those before them already say."""
        first = int(self.rows.intercept)
        found = blocks.dependent(point.information, COLLINEAR)
        for j, partners in found.items():
            named = [self.names[design.active[k - first]] for k in (*partners, j) if k >= first]
            if not self.drop:
                raise RegressionFailure("collinear", named)
            dropped.append((named[-1], "collinear"))
        if not found:
            return design
        return design.only(np.delete(design.active, [j - first for j in found]))

    def _climb(self, design: Design, point: Point, penalty: Floats, every: int = 1) -> tuple[Point, int]:
        unit = float(self.rows.weights.sum() / np.count_nonzero(self.rows.weights))
        counted = self.rows.weights > 0
        decrement, looked = np.inf, self.ridge > 0
        for n_iter in range(1, MAX_STEPS + 1):
            slope = point.score - penalty * point.beta
            try:
                step = np.linalg.solve(point.information + np.diag(penalty), slope).astype(np.float64)
            except np.linalg.LinAlgError:
                raise self._failure("separation", design, point.beta) from None
            before, previous, decrement = point.eta, decrement, float(step @ slope)
            point = self._uphill(design, point, step, penalty, every)
            if every > 1 and (decrement < ROUGHLY * unit or n_iter == PATIENCE):
                return point, n_iter
            if self._last(decrement / unit, previous / unit):
                if np.abs(point.eta - before)[counted].max() > STILL_MOVING:
                    raise self._failure("separation", design, step)
                return point, n_iter
            if not looked and (n_iter == PATIENCE or np.abs(point.eta).max() > FAR):
                looked = True
                self._refuse_separating(design)
        raise self._failure("no convergence", design, step)

    def _last(self, decrement: float, previous: float) -> bool:
        """Whether the step just taken leaves nothing to gain: by its size, or by how fast Newton's steps shrink."""
        if decrement < DECREMENT:
            return True
        many = len(self.rows.y) > ROUGH_BLOCKS * blocks.BLOCK
        shrinks = decrement < 1e-3 * previous < np.inf
        return many and shrinks and decrement * (decrement / previous) ** 2 < NEXT

    def _uphill(self, design: Design, point: Point, step: Floats, penalty: Floats, every: int) -> Point:
        """The point after the longest of the step, its half, quarter, ... that does not lower the likelihood."""
        height = point.loglik - 0.5 * float(penalty @ point.beta**2)
        slack = 1e-10 * (1 + abs(height))  # rounding
        for _ in range(30):
            trial = blocks.at(design, point.beta + step, self.link, every)
            reached = trial.loglik - 0.5 * float(penalty @ trial.beta**2)
            if np.isfinite(trial.information).all() and reached >= height - slack:
                return trial
            step = 0.5 * step
        raise self._failure("no convergence", design, step)

    def _refuse_separating(self, design: Design) -> None:
        if (alone := blocks.separating(design)).size:
            raise _Separated("separation", [self.names[j] for j in alone])

    def _failure(self, reason: str, design: Design, movement: Floats) -> RegressionFailure:
        """Names the columns whose part of the predictor moves most."""
        if reason == "separation":
            self._refuse_separating(design)
        moved = np.abs(movement[int(self.rows.intercept) :]) * blocks.spans(design)
        most = moved > 0.1 * moved.max(initial=0)
        return RegressionFailure(reason, [self.names[j] for j in design.active[most]])
