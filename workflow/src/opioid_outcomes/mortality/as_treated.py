"""As-treated risks of new users and comparators: followed while they keep to their strategy, weighted for leaving it.

ANALYSES 4.3. Who leaves is censored then, and those who were like them and stay stand in for them: inverse probability
of censoring weights by 30-day intervals, per arm (``adherence``; METHODS C; Hernan & Robins (2020) What If, ch. 21).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from opioid_outcomes.causal.gates import FEWEST_EFFECTIVE
from opioid_outcomes.causal.weighted_risk import CensoringRows, Estimand, RiskFailure
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.adherence import Adherence, Intervals, adherence
from opioid_outcomes.mortality.adherence_balance import Judged, balanced, effective, gate_at
from opioid_outcomes.mortality.intervals import INTERVAL_DAYS
from opioid_outcomes.mortality.new_user import Compared, by_horizon, every_mth_comparator, population
from opioid_outcomes.mortality.trial_arms import words
from opioid_outcomes.mortality.trial_estimates import (
    UNINFORMATIVE,
    Choices,
    Outcomes,
    hazard_row,
    longest_evaluable,
    risk_rows,
    template,
    weighted_risks,
)
from opioid_outcomes.survival import incidence
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats

MOST_INTERVALS = 400_000  # rows of intervals; of more, one in so many comparators is taken, and counts for all
TOO_FEW = f"fewer than {FEWEST_EFFECTIVE:.0f} people (effective) of an arm keep to their strategy so long"
ERRORS = {
    "sandwich": "SE clustered by person, weights for leaving taken as given",
    "bootstrap": "SE by bootstrap of persons, score and weights for leaving redone in each replicate",
}


def as_treated(comparator: str, compared: Compared, choices: Choices, intervals: Intervals) -> list[Estimate]:
    """Risks by what was taken, at each horizon; nothing where the arms did not pass.

    intervals: ``mortality.intervals`` of rows (row, person_id, index, until). Horizons to which too few people keep to
    either strategy are told to be so, and nothing is made of the time after the last of the others. Cost: a logistic
    regression per arm on index dates x intervals, at most ``MOST_INTERVALS``; again in each replicate of a bootstrap.
    """
    if compared.arms is None or compared.trials is None or compared.outcomes is None:
        return []
    row = template(
        comparator, f"{choices.weighting}_as_treated", population(choices, compared.trials, compared.arms.restricted),
        "while new users stay on and comparators off opioids (as treated), weighted for leaving by what was known when"
        " each 30-day interval began; "
        + f"{ERRORS[choices.standard_error]}; {UNINFORMATIVE}",
    )  # fmt: skip
    final, outcomes = compared.arms.final, compared.outcomes
    enough = [h for h in choices.horizons if min(keeping(compared.trials, outcomes, final, h)) >= FEWEST_EFFECTIVE]
    later = replace(choices, horizons=[h for h in choices.horizons if h not in enough])
    followed = until_left(outcomes, compared.trials["as_treated_until"])
    refused = by_horizon(replace(row, gate=f"not evaluable: {TOO_FEW}"), later, followed, final > 0)
    return (_within(row, compared, replace(choices, horizons=enough), intervals) if enough else []) + refused


def keeping(trials: pl.DataFrame, outcomes: Outcomes, weights: Floats, horizon: int) -> tuple[float, float]:
    """Effective number of people of each arm, comparators first, who are followed and keep on to the horizon.

    As if nobody died, so that no outcome is looked at: of those followed, the share that neither leaves nor is lost
    (Kaplan-Meier, death as the end of being seen).
    """
    left = trials["as_treated_until"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    end = np.minimum(outcomes.time, left)
    gone = (end < horizon) & ~((outcomes.event == 1) & (left >= outcomes.time))
    found = []
    for arm in (0, 1):
        rows = (outcomes.arm == arm) & (weights > 0)
        if not rows.any():
            return 0.0, 0.0
        curve = incidence.fit(
            0.0, np.minimum(end[rows], horizon), gone[rows].astype(int), causes=1, weights=weights[rows]
        )  # fmt: skip
        share = float(curve.survival_at([horizon])[0])
        found.append(effective(outcomes.person[rows], weights[rows]) * (share if np.isfinite(share) else 0.0))
    return found[0], found[1]


def _within(row: Estimate, compared: Compared, choices: Choices, intervals: Intervals) -> list[Estimate]:
    """The rows of horizons to which enough people keep to their strategies."""
    assert compared.arms is not None
    assert compared.trials is not None
    assert compared.outcomes is not None
    arms, longest = compared.arms, max(choices.horizons)
    names = arms.design.names
    chosen, many = thinned(compared.trials, arms.arm, longest)
    trials, outcomes, base = compared.trials.filter(pl.Series(chosen)), compared.outcomes.rows(chosen), many[chosen]
    if many.max() > 1:
        row = replace(row, note=f"{row.note}; one in {many.max():.0f} index dates of comparators")
    x, final = arms.design.x[chosen], arms.final[chosen] * base
    judged = Judged(replace(arms.design, covariates=arms.design.covariates[chosen]), trials.select(compared.left_out))
    try:
        kept = adherence(trials, (x, names), intervals, longest=longest, truncation=choices.truncation)
        kept, told = balanced(kept, judged, outcomes, final, choices.horizons)
    except RegressionFailure as failure:
        named = words(failure.columns)
        return by_horizon(replace(row, gate=f"not evaluable: weights for leaving: {failure.reason}{named}"), choices)
    followed = until_left(outcomes, trials["as_treated_until"])
    weighed: tuple[Floats | None, Sequence[str], Floats, Estimand] = (None, (), final, "given")
    if choices.weighting != "match":  # matched pairs are taken as they are
        weighed = (x, names, arms.base[chosen] * base, choices.weighting)
    censoring = CensoringRows(kept.start, kept.stop, kept.row, kept.weight, kept.refit)
    try:
        found = weighted_risks(outcomes, *weighed, choices, censoring)
    except RiskFailure as failure:
        return by_horizon(replace(row, gate=f"not evaluable: {failure.reason}"), choices)
    gates = {f"0-{horizon}": gate_at(horizon, told[horizon], followed, kept, final) for horizon in choices.horizons}
    rows = [*risk_rows(row, found, followed, choices.horizons, final > 0)]
    sound = [horizon for horizon in choices.horizons if gates[f"0-{horizon}"] == "pass"]
    last = longest_evaluable(followed, choices.horizons, final > 0, first=sound)
    rows.append(hazard_of_intervals(row, followed, kept, final, last))
    return [replace(told, gate=gates[told.window]) if told.gate == "pass" else told for told in rows]


def until_left(outcomes: Outcomes, left: pl.Series) -> Outcomes:
    """Follow-up that ends where the strategy is left. left: (n,) days from index, null never."""
    until = left.cast(pl.Float64).fill_null(np.inf).to_numpy()
    return replace(outcomes, time=np.minimum(outcomes.time, until), event=outcomes.event * (until >= outcomes.time))


def thinned(trials: pl.DataFrame, arm: Floats, longest: int, most: int = MOST_INTERVALS) -> tuple[np.ndarray, Floats]:
    """Which index dates are taken, and for how many each stands: all, or all new users and every m-th comparator."""
    days = pl.min_horizontal("follow_up", "as_treated_until", pl.lit(longest)).cast(pl.Int64)
    rows = trials.select((days + INTERVAL_DAYS - 1) // INTERVAL_DAYS).to_series().to_numpy()
    others, mine = int(rows[arm == 0].sum()), int(rows[arm == 1].sum())
    many = max(1, -(-others // max(most - mine, most // 10)))
    return every_mth_comparator(arm, many), np.where(arm == 1, 1.0, float(many))


def hazard_of_intervals(row: Estimate, followed: Outcomes, kept: Adherence, final: Floats, longest: int) -> Estimate:
    """Log hazard ratio, to a horizon, with weights that change by interval."""
    some = np.flatnonzero(kept.start < longest)
    date, stop = kept.row[some], kept.stop[some]
    split = Outcomes(
        followed.person[date], followed.unit[date], followed.arm[date], stop,
        followed.event[date] * (stop == followed.time[date]), kept.start[some],
    )  # fmt: skip
    return hazard_row(row, split, final[date] * kept.weight[some], longest)
