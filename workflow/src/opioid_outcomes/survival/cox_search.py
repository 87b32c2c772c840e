"""The search for the maximum of a Cox partial likelihood, and the reasons for which there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival import cox_likelihood as likelihood
from opioid_outcomes.survival.centred import Centred
from opioid_outcomes.survival.cox_likelihood import Hazards, Moments
from opioid_outcomes.survival.cox_rows import Rows
from opioid_outcomes.survival.risk_sets import Floats, RiskSets

MAX_STEPS = 60
# Newton's decrement (step' information step, per unit of weight) at which that step, doubling the digits, is the last
DECREMENT = 1e-12
# a covariate whose coefficient still moves by this much over its range when the likelihood stands still has no estimate
STILL_MOVING = 1e-2
# log relative hazards that differ by more are supported by no data
BEYOND = 20.0
# share of a covariate's information that must be left after the covariates before it
COLLINEAR = 1e-10


class CoxFailure(Exception):
    """A model that has no estimate: why, and through which columns.

    reason: "no events", "no variation" (a column is the same in everybody at risk at each event), "collinear",
    "separation" (the likelihood rises for ever: everybody who dies has the same value), "uneven weights" (one row has
    all the weight) or "no convergence".
    """

    def __init__(self, reason: str, columns: Sequence[str] = ()) -> None:
        self.reason, self.columns = reason, tuple(columns)
        super().__init__(f"{reason}: {', '.join(self.columns)}" if self.columns else reason)


@dataclass(frozen=True)
class Point:
    beta: Floats
    hazards: Hazards
    moments: Moments
    score: Floats
    information: Floats

    def step(self, spread: Floats) -> Floats:
        """Newton's step, solved in standard deviations of the covariates: well conditioned whatever their units."""
        return np.linalg.solve(self.scaled(spread), self.score / spread).astype(np.float64) / spread

    def scaled(self, spread: Floats) -> Floats:
        """The information on coefficients per standard deviation of each covariate."""
        return self.information / np.outer(spread, spread)


@dataclass(frozen=True)
class Search:
    """Newton-Raphson on centred covariates, with step halving."""

    sets: RiskSets
    x: Centred
    rows: Rows
    efron: bool
    names: tuple[str, ...]

    def at(self, beta: Floats, least: float = -np.inf) -> Point | None:
        """Likelihood and derivatives, or None where the likelihood is under ``least`` (or is no number)."""
        eta = self.x.linear(beta, self.rows.offset)
        hazards = likelihood.hazards(self.sets, self.rows.weights, eta, efron=self.efron)
        if not hazards.loglik >= least:
            return None
        moments = likelihood.moments(self.sets, self.x, hazards)
        score = likelihood.score(self.sets, self.x, self.rows.weights[self.sets.died], hazards, moments)
        information = likelihood.information(hazards, moments)
        point = Point(beta, hazards, moments, score, information)
        return point if np.isfinite(point.scaled(self.x.spread)).all() else None

    def run(self) -> tuple[Point, int, float, float]:
        """The maximum, the number of steps taken, the log-likelihood without covariates and the score test there."""
        point = self.at(np.zeros(self.x.columns))
        if point is None:
            raise CoxFailure("no convergence", self.names)
        self._identified(point.scaled(self.x.spread))
        span, unit = self.x.high - self.x.low, float(self.rows.weights[self.rows.event].mean())
        loglik_null, null_score = point.hazards.loglik, float(point.step(self.x.spread) @ point.score)
        for n_iter in range(1, MAX_STEPS + 1):
            try:
                step = point.step(self.x.spread)
            except np.linalg.LinAlgError:
                raise self._failure("separation", point.beta * span) from None
            decrement = float(step @ point.score)
            if decrement < -DECREMENT * unit:  # what is left of the information is rounding
                raise self._unfinished(point)
            point = self._uphill(point, step)
            if decrement < DECREMENT * unit:
                if (np.abs(step) * span > STILL_MOVING).any():
                    raise self._failure("separation", step * span)
                if not (np.linalg.eigvalsh(point.scaled(self.x.spread)) > 0).all():
                    raise self._unfinished(point)
                return point, n_iter, loglik_null, null_score
        raise self._failure("no convergence", step * span)

    def _uphill(self, point: Point, step: Floats) -> Point:
        """The point after the longest of the step, its half, quarter, ... that does not lower the likelihood."""
        slack = 1e-10 * (1 + abs(point.hazards.loglik))  # rounding
        for _ in range(30):
            trial = self.at(point.beta + step, point.hazards.loglik - slack)
            if trial is not None:
                return trial
            step = 0.5 * step
        raise self._unfinished(point)

    def _unfinished(self, point: Point) -> CoxFailure:
        """The failure of a search that can go no further."""
        differ = np.ptp(self.x.linear(point.beta, np.zeros(len(self.x))))
        return self._failure(
            "separation" if differ > BEYOND else "no convergence", point.beta * (self.x.high - self.x.low)
        )

    def _failure(self, reason: str, movement: Floats) -> CoxFailure:
        moving = np.abs(movement) > 0.1 * np.abs(movement).max()
        return CoxFailure(reason, [name for name, moves in zip(self.names, moving, strict=True) if moves])

    def _identified(self, information: Floats) -> None:
        """Refuse columns that do not vary within risk sets, or that the columns before them already say."""
        size = np.diag(information)
        flat = size <= COLLINEAR * self.rows.weights[self.rows.event].sum()
        if flat.any():
            raise CoxFailure("no variation", [name for name, is_flat in zip(self.names, flat, strict=True) if is_flat])
        root = np.sqrt(size)
        correlation = information / np.outer(root, root)
        for j in range(1, len(size)):
            weights = np.linalg.lstsq(correlation[:j, :j], correlation[:j, j], rcond=None)[0]
            if 1 - correlation[j, :j] @ weights < COLLINEAR:
                partners = np.flatnonzero(np.abs(weights) > 1e-5)
                raise CoxFailure("collinear", [self.names[k] for k in (*partners, j)])
