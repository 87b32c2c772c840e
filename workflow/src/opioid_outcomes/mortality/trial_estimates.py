"""The numbers of a sequential trial: risks, mean times and hazard ratios by arm, once the arms are comparable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from opioid_outcomes.causal.risks import ARMS, Risks
from opioid_outcomes.causal.weighted_risk import CensoringRows, Estimand, risks
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.contrasts import Missing
from opioid_outcomes.mortality.numbered import numbered
from opioid_outcomes.mortality.trial_arms import Trim, Weighting
from opioid_outcomes.survival import cox, normal
from opioid_outcomes.survival.risk_sets import Floats
from opioid_outcomes.units import DAYS_PER_YEAR

ANALYSIS = "mortality.new_user"
CONTRASTS = {
    "non_user": "new user vs non user",
    "nsaid": "new user vs nsaid",
    "gabapentinoid": "new user vs gabapentinoid",
    "antidepressant": "new user vs antidepressant",
    "weak_opioid": "strong vs weak opioid",
}
SCALES = ("risk_difference", "risk_ratio", "rmst_days")
FEWEST_DEATHS = 10  # ANALYSES 4, gates
FEWEST_AT_RISK = 10  # METHODS C6: nothing is told of a time to which fewer of an arm are followed
UNINFORMATIVE = "loss to follow-up is taken as uninformative"


@dataclass(frozen=True)
class Choices:
    """What the config says of the estimates. ``horizons``: days."""

    baseline: Sequence[str]
    horizons: Sequence[int]
    weighting: Weighting = "overlap"
    missing: Missing = "indicator"
    trim: Trim = "none"
    ridge: float = 0.0
    standard_error: Literal["sandwich", "bootstrap"] = "sandwich"
    replicates: int = 500
    truncation: tuple[float, float] = (0.0, 100.0)
    seed: int = 0
    deaths_complete: bool = False  # known for everybody, whether observed still or not


@dataclass(frozen=True)
class Outcomes:
    """Follow-up of the index dates that are compared: (n,) each. ``unit``: whom errors are clustered by.

    start: (n,) where follow-up is cut into rows; else it begins with the index date.
    """

    person: np.ndarray
    unit: np.ndarray
    arm: Floats
    time: Floats
    event: np.ndarray
    start: Floats | None = None

    def rows(self, chosen: np.ndarray) -> Outcomes:
        """Some of the rows."""
        begun = None if self.start is None else self.start[chosen]
        return Outcomes(
            self.person[chosen], self.unit[chosen], self.arm[chosen], self.time[chosen], self.event[chosen], begun
        )

    def until(self, horizon: float) -> tuple[Floats, np.ndarray]:
        """Time and death by the horizon."""
        return np.minimum(self.time, horizon), (self.event == 1) & (self.time <= horizon)


def groups(comparator: str) -> tuple[str, str]:
    """Names of arm 0 and arm 1."""
    treated, other = CONTRASTS[comparator].split(" vs ")
    return (other, f"{treated} opioid") if comparator == "weak_opioid" else (other, treated)


def template(comparator: str, method: str, population: str, note: str) -> Estimate:
    """The row of a comparison without its number; not evaluable until one is put in."""
    return Estimate(
        analysis=ANALYSIS, method=method, population=population, outcome="death", contrast=CONTRASTS[comparator],
        scale="risk_difference", gate="not evaluable: not estimated", note=note,
    )  # fmt: skip


def amounts(outcomes: Outcomes, horizon: float, counted: np.ndarray) -> dict[str, Any]:
    """Persons, distinct deaths, person-years (once per index date) and the smallest group of people told of."""
    time, died = outcomes.until(horizon)
    begun = 0.0 if outcomes.start is None else outcomes.start
    cells: list[int] = []
    for arm in (1, 0):
        rows = counted & (outcomes.arm == arm)
        persons, deaths = len(np.unique(outcomes.person[rows])), len(np.unique(outcomes.person[rows & died]))
        cells += [persons, deaths, persons - deaths]
    return {
        "persons": len(np.unique(outcomes.person[counted])),
        "events": len(np.unique(outcomes.person[counted & died])),
        "person_years": float((time - begun)[counted].sum()) / DAYS_PER_YEAR,
        "smallest_cell": smallest(*cells),
    }


def risk_rows(
    row: Estimate, found: Risks, outcomes: Outcomes, horizons: Sequence[int], counted: np.ndarray
) -> Iterator[Estimate]:
    """Risk difference, risk ratio and difference in restricted mean time alive at each horizon."""
    for horizon in horizons:
        here = replace(row, window=f"0-{horizon}", **amounts(outcomes, horizon, counted))
        refused = unfit(here.events or 0, outcomes, horizon, counted)
        contrasts = (found.risk_difference, found.risk_ratio, found.rmst_difference)
        for scale, contrast in zip(SCALES, contrasts, strict=True):
            told = replace(here, scale=scale)
            yield replace(told, gate=refused) if refused else numbered(told, contrast(horizon))


def unfit(deaths: int, outcomes: Outcomes, horizon: float, counted: np.ndarray) -> str | None:
    """Why risks by the horizon are not told, for want of deaths or of people followed so far; None if they may be."""
    return few_deaths(deaths, outcomes, horizon, counted) or few_followed(outcomes, horizon, counted)


def few_followed(outcomes: Outcomes, horizon: float, counted: np.ndarray) -> str | None:
    """Why a horizon is too far: fewer than ten people of an arm are at risk there. Not so where nobody was lost before
    it: then all that happened is known."""
    for arm, name in enumerate(ARMS):
        rows = counted & (outcomes.arm == arm)
        at_risk = len(np.unique(outcomes.person[rows & (outcomes.time >= horizon)]))
        lost = rows & (outcomes.time < horizon) & (outcomes.event == 0)
        if at_risk < FEWEST_AT_RISK and lost.any():
            few = f"fewer than {FEWEST_AT_RISK} {name} are followed to the horizon"
            return f"not evaluable: {few if at_risk else f'follow-up of the {name} ends before the horizon'}"
    return None


def longest_evaluable(
    outcomes: Outcomes, horizons: Sequence[int], counted: np.ndarray, *, first: Sequence[int] = ()
) -> int:
    """The longest horizon of which risks may be told, one of ``first`` if any is; of none the longest."""
    told = [
        horizon
        for horizon in horizons
        if unfit(amounts(outcomes, horizon, counted)["events"], outcomes, horizon, counted) is None
    ]
    return max([horizon for horizon in told if horizon in first] or told or horizons)


def few_deaths(deaths: int, outcomes: Outcomes, horizon: float, counted: np.ndarray) -> str | None:
    """Why risks by the horizon are not told for want of deaths; None if they may be."""
    if deaths == 0:
        return "not evaluable: no deaths"
    if deaths < FEWEST_DEATHS:
        return "not evaluable: fewer than ten deaths"
    _, died = outcomes.until(horizon)
    if len(np.unique(outcomes.arm[died & counted])) < 2:
        return "not evaluable: deaths in one group only"
    return None


def weighted_risks(  # noqa: PLR0917
    outcomes: Outcomes, x: Floats | None, names: Sequence[str], base: Floats, estimand: Estimand, choices: Choices,
    censoring: CensoringRows | None = None,
) -> Risks:  # fmt: skip
    """Death by arm in the population of the estimand; ``given``: base weights are all there is."""
    return risks(
        outcomes.time, outcomes.event, outcomes.arm, x, names=names, causes=("death",),
        horizons=choices.horizons,
        estimand=estimand, person=outcomes.unit, se=choices.standard_error, replicates=choices.replicates,
        seed=choices.seed, weights=base, ridge=choices.ridge, censoring=censoring,
    )  # fmt: skip


def hazard_row(row: Estimate, outcomes: Outcomes, weights: Floats, longest: int) -> Estimate:
    """Log hazard ratio of the weighted population over follow-up to a horizon (Cox, Efron ties)."""
    time, died = outcomes.until(longest)
    counted = weights > 0
    row = replace(row, scale="log_hr", window=f"0-{longest}", **amounts(outcomes, longest, counted))
    refused = few_deaths(row.events or 0, outcomes, longest, counted)
    if outcomes.start is None:  # of rows, few_followed would ask who is followed past each
        refused = refused or few_followed(outcomes, longest, counted)
    if refused:
        return replace(row, gate=refused)
    begun = np.zeros(len(time)) if outcomes.start is None else outcomes.start
    try:
        fit = cox.fit(
            begun, time, died, outcomes.arm[:, None], names=["arm"], weights=weights,
            cluster=outcomes.unit,
        )  # fmt: skip
    except cox.CoxFailure as failure:
        return replace(row, gate=f"not evaluable: {failure.reason}")
    log_hr, se = float(fit.params[0]), float(np.sqrt(fit.robust_covariance[0, 0]))
    if not se > 0:
        return replace(row, gate="not evaluable: its standard error is 0")
    low, high = normal.limits(log_hr, se)
    return replace(
        row, estimate=log_hr, se=se, ci_low=low, ci_high=high, p_value=normal.p_value(log_hr, se), gate="pass",
        note=f"{row.note}; sandwich SE clustered by person with the weights taken as given",
    )  # fmt: skip
