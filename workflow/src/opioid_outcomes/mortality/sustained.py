"""``mortality.sustained``: risk of death under strategies sustained over time, by cloning, censoring and weighting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from opioid_outcomes.causal import clone_contrasts
from opioid_outcomes.causal.clone_censor import Bools, Grid
from opioid_outcomes.causal.clone_contrasts import Comparison
from opioid_outcomes.causal.contrasts import Contrast
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.person_years import DAYS_PER_YEAR
from opioid_outcomes.mortality.sustained_strategies import Question
from opioid_outcomes.survival import design_matrix
from opioid_outcomes.survival.kaplan_meier import log_log_limits
from opioid_outcomes.survival.risk_sets import Floats

ANALYSIS = "mortality.sustained"
SCALES = ("risk_difference", "risk_ratio", "rmst_days")
PERIOD = 30  # days of an interval, as the panel's period; twice as long after the first year
LATER = 360
# Days since time zero, and since what was asked for began, at which the hazard of leaving may change
BANDS = (30.0, 60.0, 90.0, 180.0, 365.0)
# ANALYSES 4, gates; METHODS C6: a horizon with fewer than 10 people at risk is beyond follow-up
LARGEST_SMD, LEAST_ESS, FEWEST_DEATHS, FEWEST_FOLLOWED = 0.1, 50.0, 10, 10
UNKNOWN = {
    "baseline": "exposure known at one interview only",
    "none": "no opioid exposure is recorded",
}
QUESTIONS = ("start and stay vs never", "taper vs maintain", "stop vs maintain")


@dataclass(frozen=True)
class Choices:
    """How everything is estimated."""

    horizons: tuple[int, ...]
    truncation: tuple[float, float] = (0, 100)
    se: Literal["sandwich", "bootstrap"] = "sandwich"
    replicates: int = 500
    seed: int = 0


@dataclass(frozen=True)
class Covariates:
    """Of each row of the grid, and of each person at time zero (the grid's first row of each)."""

    design: design_matrix.Design
    at_zero: design_matrix.Design


def edges(horizons: Sequence[int], grace: int) -> list[float]:
    """Intervals on which leaving is modelled: the first day, then 30 days, after a year 60; none ends within the last
    30 days of grace."""
    last = max(*horizons, grace)
    cuts = {0, 1, grace, last, *range(PERIOD, LATER + 1, PERIOD), *range(LATER, last, 2 * PERIOD)}
    opens = max(grace - PERIOD, 0)
    return sorted(float(cut) for cut in {*cuts, opens} if cut <= last and not opens < cut < grace)


@dataclass(frozen=True)
class Result:
    """Estimates, and rows of the displays sustained_survival and sustained_diagnostics."""

    rows: list[Estimate]
    survival: pl.DataFrame
    diagnostics: pl.DataFrame


def not_estimated(contrast: str, why: str) -> Result:
    """One row that says why."""
    row = Estimate(
        analysis=ANALYSIS, method="ipw", population="eligible persons", outcome="death", contrast=contrast,
        scale="risk_difference", gate=f"not evaluable: {why}",
    )  # fmt: skip
    return Result([row], DISPLAYS["sustained_survival"].empty(), DISPLAYS["sustained_diagnostics"].empty())


def sustained(
    question: Question, grid: Grid, covariates: Covariates, choices: Choices, *, weights: Floats | None = None
) -> Result:
    """Risk difference, risk ratio and difference of time alive at each horizon, weighted and crude.

    grid: of the question's people on ``edges``; covariates: known before each interval. ``crude`` weighs by time alone.
    Cost: two regressions per strategy on the rows of the grid (in each replicate, if bootstrapped).
    """
    refusal = _refusal(question)
    if refusal:
        return not_estimated(question.contrast, refusal)
    design = covariates.design

    def compared(terms: int) -> Comparison:
        return clone_contrasts.compare(
            grid, question.strategies, design.x[:, :terms], names=design.names[:terms], bands=BANDS, causes=1,
            horizons=choices.horizons, weights=weights, truncation=choices.truncation, se=choices.se,
            replicates=choices.replicates, seed=choices.seed, lost=question.people["lost"].to_numpy(),
        )  # fmt: skip

    weighted, crude = compared(len(design.names)), compared(0)
    told = [_Told(question, weighted, covariates, choices), _Told(question, crude, None, choices)]
    rows = [row for each in told for h in range(len(choices.horizons)) for row in each.rows(h)]
    return Result(rows, _survival(question, weighted, choices), _diagnostics(question, weighted, choices))


def _refusal(question: Question) -> str | None:
    if question.people.is_empty():
        return "nobody could follow the strategies from time zero"
    if question.people["death"].sum() < FEWEST_DEATHS:
        return "fewer than ten deaths"
    return None


@dataclass(frozen=True)
class _Told:
    """One way of comparing, as estimates with their gates."""

    question: Question
    found: Comparison
    covariates: Covariates | None  # None: crude, where nothing is balanced
    choices: Choices

    def rows(self, h: int) -> Iterator[Estimate]:
        horizon = self.choices.horizons[h]
        gate = self._gate(h)
        deaths = [self._deaths(arm, horizon) for arm in range(2)]
        either = deaths[0] | deaths[1]
        row = Estimate(
            analysis=ANALYSIS, method="crude" if self.covariates is None else "ipw",
            population=self.question.population, outcome="death", contrast=self.question.contrast,
            window=f"0-{horizon}", scale="risk_difference", persons=self.question.people.height,
            events=int(either.sum()), person_years=float(self._years(horizon)), gate="not evaluable: not estimated",
            note=self._note,
            smallest_cell=smallest(
                *(int(died.sum()) for died in deaths), *(len(self.found.following(arm, horizon)) for arm in range(2))
            ),
        )  # fmt: skip
        numbers = (
            self.found.risk_difference(h), self.found.risk_ratio(h), self.found.rmst_difference(h),
        )  # fmt: skip
        for scale, number in zip(SCALES, numbers, strict=True):
            yield _filled(replace(row, scale=scale), number, gate)

    @cached_property
    def _note(self) -> str:
        given = "time alone"
        more: tuple[str, ...] = ()
        if self.covariates is not None:
            design = self.covariates.design
            named = dict.fromkeys(covariate_of(name) for name in design.names)
            given, more = f"{', '.join(named)}, as known before each interval", design.notes
        how = f"clones censored on leaving, weighted for that and for end of observation given {given}"
        errors = "SE clustered by person, weights taken as given (conservative)"
        if self.choices.se == "bootstrap":
            errors = f"person bootstrap, {self.choices.replicates} replicates, weights redone"
        return "; ".join((self.question.meaning, how, *more, errors))

    def _gate(self, h: int) -> str:
        horizon = self.choices.horizons[h]
        names = [clones.strategy.name for clones in self.found.clones]
        for arm, name in enumerate(names):
            problem = self.found.clones[arm].problem
            if problem:
                return f"not evaluable: '{name}': {problem}"
            if len(self.found.following(arm, horizon)) < FEWEST_FOLLOWED:
                return f"not evaluable: fewer than ten people who follow '{name}' are followed for {horizon} days"
        if (self._deaths(0, horizon) | self._deaths(1, horizon)).sum() < FEWEST_DEATHS:
            return "not evaluable: fewer than ten deaths of people who follow either strategy"
        for arm, name in enumerate(names):
            if not self._dead_after_beginning(arm, horizon):
                return f"not evaluable: no deaths of people who have begun '{name}'"
            if effective_number(self.found.following(arm, horizon)) < LEAST_ESS:
                return f"fail: effective number of people who follow '{name}' is under {LEAST_ESS:.0f}"
        return "pass" if self.covariates is None else self._balanced(horizon)

    def _balanced(self, horizon: int) -> str:
        assert self.covariates is not None
        at_zero = self.covariates.at_zero
        if not at_zero.names:
            return "pass"
        differences = np.abs(np.nan_to_num(self.found.balance(at_zero.x, horizon)))
        worst = int(np.argmax(differences))
        if differences[worst] < LARGEST_SMD:
            return "pass"
        name = covariate_of(at_zero.names[worst])
        return f"fail: max |SMD| {differences[worst]:.2f} ({name}) is not under {LARGEST_SMD}"

    def _deaths(self, arm: int, horizon: float) -> Bools:
        """Of each person, whether the death by the horizon befell a follower of the strategy."""
        clones = self.found.clones[arm]
        died = np.zeros(self.question.people.height, dtype=bool)
        died[clones.person[(clones.cause > 0) & (clones.stop <= horizon)]] = True
        return died

    def _dead_after_beginning(self, arm: int, horizon: float) -> bool:
        """Whether anybody dies who does what the strategy asks; within grace that is not looked at."""
        clones, strategy = self.found.clones[arm], self.found.clones[arm].strategy
        if strategy.begins is None or strategy.grace is None or horizon <= strategy.grace:
            return True
        died = (clones.cause > 0) & (clones.stop <= horizon)
        return bool((died & (clones.start >= strategy.begins[clones.person])).any())

    def _years(self, horizon: float) -> float:
        """Time in which people follow either strategy."""
        left = np.maximum(*(clones.strategy.left for clones in self.found.clones))
        return float(np.minimum(np.minimum(left, self.found.grid.time), horizon).sum()) / DAYS_PER_YEAR


def _filled(row: Estimate, number: Contrast, gate: str) -> Estimate:
    if gate == "pass" and number.reason is not None:
        gate = f"not evaluable: {number.reason}"
    return replace(
        row, estimate=number.estimate, se=number.se, ci_low=number.ci_low, ci_high=number.ci_high,
        p_value=number.p_value, gate=gate,
    )  # fmt: skip


def covariate_of(term: str) -> str:
    """The covariate of a term of the design, without its level: a level may be one person's."""
    return term.split("=", maxsplit=1)[0].removesuffix(" missing")


def effective_number(weights: Floats) -> float:
    """(sum w)^2 / sum w^2; 0 of nobody."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if (weights > 0).any() else 0.0


def _survival(question: Question, found: Comparison, choices: Choices) -> pl.DataFrame:
    """Curves at every 30 days (90 after the first year) and the horizons, as far as ten people follow the strategy."""
    last = max(choices.horizons)
    days = sorted({0, *range(PERIOD, LATER + 1, PERIOD), *range(LATER, last + 1, 3 * PERIOD), *choices.horizons})
    parts = [DISPLAYS["sustained_survival"].empty()]
    for arm, (clones, curve) in enumerate(zip(found.clones, found.curves, strict=True)):
        shown = [day for day in days if len(found.following(arm, day)) >= FEWEST_FOLLOWED or day == 0]
        at = np.array(shown, dtype=float)
        survival = curve.survival_at(at)
        se = curve.survival_se_at(at)
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = log_log_limits(survival, (se / survival) ** 2)
        first, stop = clones.start == 0, clones.stop
        last_rows = np.append(clones.person[1:] != clones.person[:-1], True)[: len(stop)]
        died = np.sort(stop[last_rows & (clones.cause > 0)])
        left = np.sort(stop[last_rows & (clones.cause == 0)])
        entered, events, gone = int(first.sum()), _until(died, at), _until(left, at)
        parts.append(
            pl.DataFrame(
                {
                    "question": question.contrast, "strategy": clones.strategy.name, "day": at,
                    "at_risk": entered - events - gone, "entered": np.full(len(at), entered), "events": events,
                    "left": gone, "survival": survival, "ci_low": low, "ci_high": high, "weighted": 1.0,
                },
                schema=DISPLAYS["sustained_survival"].schema, strict=False,
            ).fill_nan(None)
        )  # fmt: skip
    return pl.concat(parts)


def _until(sorted_times: Floats, days: Floats) -> np.ndarray:
    return np.searchsorted(sorted_times, days, side="right")


def _diagnostics(question: Question, found: Comparison, choices: Choices) -> pl.DataFrame:
    """People who could follow each strategy, who still do, and what their weights leave of them."""
    records = []
    for arm, clones in enumerate(found.clones):
        for horizon in choices.horizons:
            weights = found.following(arm, horizon)
            records.append(
                {
                    "question": question.contrast, "strategy": clones.strategy.name, "day": float(horizon),
                    "persons": question.people.height, "following": len(weights), "ess": effective_number(weights),
                    "largest_weight": float(f"{weights.max():.2g}") if len(weights) else None,
                }
            )  # fmt: skip
    return pl.DataFrame(records, schema=DISPLAYS["sustained_diagnostics"].schema)
