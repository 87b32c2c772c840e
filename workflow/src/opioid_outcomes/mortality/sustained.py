"""``mortality.sustained``: risk of death under strategies sustained over time, by cloning, censoring and weighting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.causal import clone_contrasts
from opioid_outcomes.causal.clone_censor import Bools, Grid
from opioid_outcomes.causal.clone_contrasts import Comparison
from opioid_outcomes.causal.overlap import effective_sample_size
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.numbered import numbered
from opioid_outcomes.mortality.person_years import DAYS_PER_YEAR
from opioid_outcomes.mortality.sustained_curves import survival
from opioid_outcomes.mortality.sustained_strategies import Question
from opioid_outcomes.mortality.sustained_times import codes
from opioid_outcomes.survival import design_matrix
from opioid_outcomes.survival.risk_sets import Floats, Ints

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
    """Of each row of the grid, and of each time zero (the grid's first row of each)."""

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


@dataclass(frozen=True)
class Sample:
    """Of n time zeros: what each counts for, and what they are clustered by."""

    weights: Floats
    cluster: npt.NDArray


def sustained(question: Question, grid: Grid, covariates: Covariates, choices: Choices, sample: Sample) -> Result:
    """Risk difference, risk ratio and difference of time alive at each horizon, weighted and crude.

    grid: of the question's time zeros on ``edges``; covariates: known before each interval. ``crude`` weighs by time
    alone. Cost: two regressions per strategy on the rows of the grid (in each replicate, if bootstrapped).
    """
    refusal = _refusal(question)
    if refusal:
        return not_estimated(question.contrast, refusal)
    weighted = Told(question, compared(question, grid, covariates, choices, sample), covariates, choices)
    alone = replace(covariates.design, x=np.zeros((len(grid.person), 0)), names=())
    crude = compared(question, grid, replace(covariates, design=alone), choices, sample)
    rows = alike_withheld([*weighted.all_rows(), *Told(question, crude, None, choices).all_rows()])
    return Result(rows, survival(question, weighted.found, choices.horizons), _diagnostics(weighted))


def alike_withheld(rows: list[Estimate]) -> list[Estimate]:
    """Crude rows withheld where the weighted row beside them is: they would say what may not be said."""
    gates = {(row.window, row.scale): row.gate for row in rows if row.method == "ipw"}
    return [
        replace(row, gate=gates.get((row.window, row.scale), row.gate)) if row.gate == "pass" else row for row in rows
    ]


def weighted_rows(
    question: Question, grid: Grid, covariates: Covariates, choices: Choices, sample: Sample
) -> list[Estimate]:
    """The weighted rows alone, of an imputed copy."""
    if _refusal(question):
        return []
    return Told(question, compared(question, grid, covariates, choices, sample), covariates, choices).all_rows()


def compared(question: Question, grid: Grid, covariates: Covariates, choices: Choices, sample: Sample) -> Comparison:
    """Both strategies, weighted by the covariates."""
    return clone_contrasts.compare(
        grid, question.strategies, covariates.design.x, names=covariates.design.names, bands=BANDS, causes=1,
        horizons=choices.horizons, weights=sample.weights, truncation=choices.truncation, se=choices.se,
        replicates=choices.replicates, seed=choices.seed, lost=question.people["lost"].to_numpy(),
        cluster=sample.cluster,
    )  # fmt: skip


def _refusal(question: Question) -> str | None:
    if question.people.is_empty():
        return "nobody could follow the strategies from time zero"
    if question.people.filter(pl.col("death") == 1)["person_id"].n_unique() < FEWEST_DEATHS:
        return "fewer than ten deaths"
    return None


@dataclass(frozen=True)
class Told:
    """One way of comparing, as estimates with their gates. All counts are of people, however many their time zeros."""

    question: Question
    found: Comparison
    covariates: Covariates | None  # None: crude, where nothing is balanced
    choices: Choices

    def all_rows(self) -> list[Estimate]:
        """Of each horizon and scale."""
        return [row for h in range(len(self.choices.horizons)) for row in self.rows(h)]

    def rows(self, h: int) -> Iterator[Estimate]:
        """Of one horizon."""
        horizon = self.choices.horizons[h]
        gate = self._gate(h)
        deaths = [self._deaths(arm, horizon) for arm in range(2)]
        either = deaths[0] | deaths[1]
        row = Estimate(
            analysis=ANALYSIS, method="crude" if self.covariates is None else "ipw",
            population=self.question.population, outcome="death", contrast=self.question.contrast,
            window=f"0-{horizon}", scale="risk_difference", persons=self.people,
            events=int(either.sum()), person_years=float(self._years(horizon)), gate="not evaluable: not estimated",
            note=self._note,
            smallest_cell=smallest(
                *(int(died.sum()) for died in deaths), *(len(self.followed(arm, horizon)) for arm in range(2))
            ),
        )  # fmt: skip
        numbers = (
            self.found.risk_difference(h), self.found.risk_ratio(h), self.found.rmst_difference(h),
        )  # fmt: skip
        for scale, number in zip(SCALES, numbers, strict=True):
            told = replace(row, scale=scale)
            yield numbered(told, number) if gate == "pass" else replace(told, gate=gate)

    @cached_property
    def _codes(self) -> Ints:
        """The number of each time zero's person."""
        return codes(self.question.people)

    @property
    def people(self) -> int:
        """How many there are."""
        return int(self._codes.max(initial=-1)) + 1

    def followed(self, arm: int, horizon: float) -> Floats:
        """Weight of each person who still follows the strategy at the horizon, over all time zeros."""
        who = self._codes[self.found.followers(arm, horizon)]
        total = np.bincount(who, self.found.following(arm, horizon), self.people)
        return total[np.bincount(who, minlength=self.people) > 0].astype(np.float64)

    def _least_effective(self, arm: int, horizon: float) -> float:
        """The smallest effective number of people at the horizon and in any interval before: who leaves soon counts."""
        edges = self.found.grid.edges
        within = [self._effective[arm][place] for place in np.flatnonzero(edges[:-1] < horizon)]
        return min(effective_sample_size(self.followed(arm, horizon)), *within)

    @cached_property
    def _effective(self) -> list[list[float]]:
        """Effective number of people of each arm when each interval opens."""
        found: list[list[float]] = []
        for clones in self.found.clones:
            at = [np.flatnonzero((clones.start <= edge) & (clones.stop > edge)) for edge in self.found.grid.edges[:-1]]
            found.append([
                effective_sample_size(np.bincount(self._codes[clones.person[rows]], clones.weight[rows], self.people))
                for rows in at
            ])  # fmt: skip
        return found

    @cached_property
    def _note(self) -> str:
        given = "time alone"
        more: tuple[str, ...] = ()
        if self.covariates is not None:
            design = self.covariates.design
            named = dict.fromkeys(covariate_of(name) for name in design.names)
            given, more = f"{', '.join(named)}, as known before each interval", design.notes
            if self._certain:
                more = (*more, f"some values of {self._certain} leave no choice")
        how = f"clones censored on leaving, weighted for that and for end of observation given {given}"
        errors = "SE clustered by person, weights taken as given"
        if self.choices.se == "bootstrap":
            errors = f"person bootstrap, {self.choices.replicates} replicates, weights redone"
        return "; ".join((self.question.meaning, how, *more, errors))

    @cached_property
    def _certain(self) -> str:
        """Covariates of which some values tell who leaves or begins."""
        every = (covariate_of(name) for clones in self.found.clones for name in clones.separated)
        return ", ".join(dict.fromkeys(every))

    def _gate(self, h: int) -> str:
        horizon = self.choices.horizons[h]
        names = [clones.strategy.name for clones in self.found.clones]
        for arm, name in enumerate(names):
            problem = self.found.clones[arm].problem
            if problem:
                return f"not evaluable: '{name}': {problem}"
            if len(self.followed(arm, horizon)) < FEWEST_FOLLOWED:
                return f"not evaluable: fewer than ten people who follow '{name}' are followed for {horizon} days"
        few = self._few_deaths(horizon)
        if few:
            return f"not evaluable: {few}"
        for arm, name in enumerate(names):
            if self._least_effective(arm, horizon) < LEAST_ESS:
                why = f" (some values of {self._certain} leave no choice)" if self._certain else ""
                return f"fail: effective number of people who follow '{name}' is under {LEAST_ESS:.0f}{why}"
        return "pass" if self.covariates is None else self._balanced(horizon)

    def _few_deaths(self, horizon: int) -> str | None:
        if (self._deaths(0, horizon) | self._deaths(1, horizon)).sum() < FEWEST_DEATHS:
            return "fewer than ten deaths of people who follow either strategy"
        if not all(self._dead_after_beginning(arm, horizon) for arm in range(2)):
            return "deaths in one group only"
        if self._people_of(self._dies(0, horizon) ^ self._dies(1, horizon)).sum() < FEWEST_DEATHS:
            return "fewer than ten deaths of people who follow one of the strategies alone"
        return None

    def _balanced(self, horizon: int) -> str:
        assert self.covariates is not None
        at_zero = self.covariates.at_zero
        if not at_zero.names:
            return "pass"
        differences = np.abs(self.found.balance(at_zero.x, horizon))
        absent = [name for name, told in zip(at_zero.names, np.isfinite(differences), strict=True) if not told]
        if absent:
            named = ", ".join(dict.fromkeys(covariate_of(name) for name in absent))
            return f"fail: no standardised difference exists of a covariate ({named})"
        worst = int(np.argmax(differences))
        if differences[worst] < LARGEST_SMD:
            return "pass"
        name = covariate_of(at_zero.names[worst])
        return f"fail: max |SMD| {differences[worst]:.2f} ({name}) is not under {LARGEST_SMD}"

    def _deaths(self, arm: int, horizon: float) -> Bools:
        """Of each person, whether the death by the horizon befell a follower of the strategy."""
        return self._people_of(self._dies(arm, horizon))

    def _dies(self, arm: int, horizon: float) -> Bools:
        """The same of each time zero. Who dies before beginning follows both, and says nothing of their difference."""
        clones = self.found.clones[arm]
        died = np.zeros(len(self._codes), dtype=bool)
        died[clones.person[(clones.cause > 0) & (clones.stop <= horizon)]] = True
        return died

    def _people_of(self, zeros: Bools) -> Bools:
        """Of each person, whether any of the time zeros is."""
        return np.bincount(self._codes[zeros], minlength=self.people) > 0

    def _dead_after_beginning(self, arm: int, horizon: float) -> bool:
        """Whether anybody dies who does what the strategy asks: deaths before that are of every arm."""
        clones, begins = self.found.clones[arm], self.found.clones[arm].strategy.begins
        died = (clones.cause > 0) & (clones.stop <= horizon)
        return bool((died if begins is None else died & (clones.start >= begins[clones.person])).any())

    def _years(self, horizon: float) -> float:
        """Time in which people follow either strategy from any time zero; days that several share count once."""
        left = np.maximum(*(clones.strategy.left for clones in self.found.clones))
        length = np.minimum(np.minimum(left, self.found.grid.time), horizon)
        spans = pl.DataFrame({"person": self._codes, "zero": self.question.people["zero"]}).with_columns(
            end=pl.col("zero") + pl.Series(length)
        )
        seen = pl.col("end").cum_max().shift(1).over("person")
        fresh = spans.select((pl.col("end") - pl.max_horizontal("zero", seen)).clip(0).sum()).item()
        return float(fresh) / DAYS_PER_YEAR


def covariate_of(term: str) -> str:
    """The covariate of a term of the design, without its level: a level may be one person's."""
    return term.split("=", maxsplit=1)[0].removesuffix(" missing")


def _diagnostics(told: Told) -> pl.DataFrame:
    """People who could follow each strategy, who still do, and what their weights leave of them."""
    records = []
    for arm, clones in enumerate(told.found.clones):
        for horizon in told.choices.horizons:
            people, weights = told.followed(arm, horizon), told.found.following(arm, horizon)
            records.append(
                {
                    "question": told.question.contrast, "strategy": clones.strategy.name, "day": float(horizon),
                    "persons": told.people, "following": len(people), "ess": effective_sample_size(people),
                    "largest_weight": float(f"{weights.max():.2g}") if len(weights) else None,
                }
            )  # fmt: skip
    return pl.DataFrame(records, schema=DISPLAYS["sustained_diagnostics"].schema)
