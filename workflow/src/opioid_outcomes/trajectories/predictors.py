"""``trajectory.predictors``: who gets which course of dose, and who stays on opioids (ANALYSES 1, C9 and C10).

Associations with what was on record before entry, all covariates in one model; not effects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.survival import normal
from opioid_outcomes.survival.risk_sets import Floats
from opioid_outcomes.trajectories.monthly import MONTH_DAYS
from opioid_outcomes.trajectories.odds import (
    LEAST_PER_COLUMN,
    SAID_PER_COLUMN,
    SEPARATION,
    Bools,
    Missing,
    Regression,
    Term,
    has_missing,
    regress,
)

ANALYSIS = "trajectory.predictors"
# ANALYSES 4, gates; in words, as gates give no small numbers of people
FEWEST = 10
EVERY_COVARIATE = "baseline covariates"


def class_membership(
    trajectories: pl.DataFrame, cohort: pl.DataFrame, covariates: Sequence[str], *, missing: Missing, months: int,
    factors: str, refused: str = "nobody has a course of dose", persons: int = 0,
) -> list[Estimate]:  # fmt: skip
    """Log odds of each latent class of dose course against class 1 (lowest mean dose), a row per covariate and class.

    trajectories: contracts TRAJECTORIES with posterior_1..K; cohort: contracts COHORT with the covariates; refused: why
    there are no classes if trajectories is empty, of how many ``persons`` with a course. Multinomial logistic
    regression in which each person enters every class with the posterior probability of it; robust standard errors
    clustered by person, given the classes. Where covariates are missing and that is a category, complete cases beside.
    Rows that cannot be estimated say why; at least one row.
    """
    row = Estimate(
        analysis=ANALYSIS, method="multinomial", population="people with a course of dose", outcome="class",
        contrast=EVERY_COVARIATE, scale="log_or", window=f"0-{MONTH_DAYS * months}", gate="not evaluable: not fitted",
    )  # fmt: skip
    count = sum(name.startswith("posterior_") for name in trajectories.columns)
    people = trajectories.join(cohort.select("person_id", *covariates), on="person_id", how="inner").sort("person_id")
    row = replace(row, persons=people.height or persons)
    refusal = refused if people.is_empty() else _no_classes(count, covariates)
    if refusal:
        return [replace(row, gate=f"not evaluable: {refusal}")]
    posterior = people.select(f"posterior_{k}" for k in range(1, count + 1)).to_numpy()
    rows = []
    for method, rule in ways(row.method, people, covariates, missing):
        found = regress(people, posterior, covariates, missing=rule)
        rows += _of_classes(replace(row, method=method), people["class"].to_numpy(), posterior, found, factors)
    return rows


def _of_classes(
    row: Estimate, modal: npt.NDArray[np.int64], posterior: Floats, found: Regression, factors: str
) -> list[Estimate]:
    row = replace(row, persons=int(found.kept.sum()))
    first = (
        "each person in every class by posterior probability: uncertain classes draw log odds towards 0",
        f"standard errors clustered by person take the classes as given; MME by {factors}",
    )
    modal, expected = modal[found.kept], posterior[found.kept].sum(axis=0)
    rows = []
    for k in range(2, len(expected) + 1):
        compared = modal == 1, modal == k
        smaller = float(min(expected[0], expected[k - 1]))
        few = [str(j) for j in (1, k) if expected[j - 1] < FEWEST]
        gate = f"fewer than ten people expected in class {' and '.join(few)}" if few else too_few(smaller, found)
        note = "; ".join((describe(first, found), *few_per_covariate(smaller, found, "people of the smaller class")))
        of_class = replace(row, outcome=f"class:{k} vs 1", events=int(compared[1].sum()), note=note)
        rows += [of_term(of_class, term, k - 2, compared, gate=gate, apart=left_out(found)) for term in found.terms]
    return rows


def _no_classes(count: int, covariates: Sequence[str]) -> str | None:
    if count < 2:
        return "one class only"
    return None if covariates else "no baseline covariates are named"


def ways(method: str, people: pl.DataFrame, covariates: Sequence[str], missing: Missing) -> list[tuple[str, Missing]]:
    """Methods and their rule for missing covariates: complete cases beside, where missing ones are a category."""
    beside: list[tuple[str, Missing]] = [(f"{method}_complete_case", "complete")]
    return [(method, missing), *(beside if missing == "indicator" and has_missing(people, covariates) else [])]


def too_few(smaller: float, found: Regression) -> str | None:
    """Why people of the rarer outcome are too few for the regression."""
    return "fewer people of an outcome than covariates" if smaller < LEAST_PER_COLUMN * found.columns else None


def few_per_covariate(smaller: float, found: Regression, of: str) -> list[str]:
    """What is said where they are few."""
    return [f"fewer than five {of} per covariate"] if smaller < SAID_PER_COLUMN * found.columns else []


def left_out(found: Regression) -> int:
    """How many people a regression lacks, by whom its counts differ from those of another row."""
    return int((~found.kept).sum())


def describe(first: Sequence[str], found: Regression) -> str:
    """The note of a row of either analysis."""
    inside = dict.fromkeys(term.covariate for term in found.terms if term.refusal is None)
    adjusted = f"association, not effect; all in one model: {', '.join(inside)}"
    return "; ".join((*first, adjusted, *found.notes))


def of_term(
    row: Estimate, term: Term, place: int, outcomes: tuple[Bools, Bools], *, gate: str | None, apart: int
) -> Estimate:
    """The row of one term; ``outcomes``: who of the people kept has neither or either of the two outcomes compared.

    ``apart``: people by whom the row differs from another.
    """
    levels = [np.ones(len(outcomes[0]), dtype=bool)] if term.level is None else [term.level, ~term.level]
    cells = (int((level & outcome).sum()) for level in levels for outcome in outcomes)
    row = replace(row, contrast=term.contrast, smallest_cell=smallest(*cells, apart))
    why = gate or term.refusal
    if why or term.log_or is None or term.se is None:
        return replace(row, gate=f"not evaluable: {why}")
    estimate, se = float(term.log_or[place]), float(term.se[place])
    if not (math.isfinite(estimate) and math.isfinite(se)):
        return replace(row, gate=f"not evaluable: {SEPARATION}")
    return replace(
        row, estimate=estimate, se=se, ci_low=estimate - normal.Z * se, ci_high=estimate + normal.Z * se, gate="pass",
        p_value=normal.p_value(estimate, se) if se > 0 else None,
    )  # fmt: skip
