"""As-treated risks of new users and comparators: followed while they keep to their strategy, weighted for leaving it.

ANALYSES 4.3. Who leaves is censored then, and those who were like them and stay stand in for them: inverse probability
of censoring weights by 30-day intervals, per arm, stabilised by the baseline covariates (METHODS C; Hernan & Robins
(2020) What If, ch. 17 and 21).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.causal import overlap
from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.causal.gates import FEWEST_EFFECTIVE, LARGEST_SMD
from opioid_outcomes.causal.time_varying_weights import censoring_weights, truncate
from opioid_outcomes.causal.weighted_risk import CensoringRows, Estimand, RiskFailure
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.intervals import INTERVAL_DAYS
from opioid_outcomes.mortality.new_user import Compared, by_horizon, every_mth_comparator, population
from opioid_outcomes.mortality.trial_arms import words
from opioid_outcomes.mortality.trial_estimates import Choices, Outcomes, hazard_row, risk_rows, template, weighted_risks
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats, Ints

# First intervals of bands within which the chance of leaving is constant: it changes most at the beginning
BANDS = (0, 1, 2, 3, 4, 6, 12, 24)
MOST_INTERVALS = 600_000  # rows of intervals; of more, one in so many comparators is taken, and counts for all
KNOWN = ("row", "person_id", "interval", "start", "stop")

Intervals = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Adherence:
    """Index dates followed while they keep to their strategy: rows of intervals and what they weigh.

    left: (n,) days from index at which the strategy was left, inf never. row, start, stop: of the intervals; weight:
    of not having left before.
    """

    left: Floats
    row: Ints
    start: Floats
    stop: Floats
    weight: Floats


def as_treated(comparator: str, compared: Compared, choices: Choices, intervals: Intervals) -> list[Estimate]:
    """Risks by what was taken, at each horizon; nothing where the arms did not pass.

    intervals: ``mortality.intervals`` of rows (row, person_id, index, until). Cost: two logistic regressions per arm on
    index dates x intervals, at most ``MOST_INTERVALS``.
    """
    if compared.arms is None or compared.trials is None or compared.outcomes is None:
        return []
    row = template(
        comparator, f"{choices.weighting}_as_treated", population(choices, compared.trials),
        "while new users stay on and comparators off opioids (as treated), weighted for leaving by 30-day intervals;"
        " SE clustered by person, weights for leaving taken as given",
    )  # fmt: skip
    chosen, many = thinned(compared.trials, compared.arms.arm, max(choices.horizons))
    trials, outcomes, base = compared.trials.filter(pl.Series(chosen)), compared.outcomes.rows(chosen), many[chosen]
    arms, names = compared.arms, compared.arms.design.names
    if many.max() > 1:
        row = replace(row, note=f"{row.note}; one in {many.max():.0f} index dates of comparators")
    x = arms.design.x[chosen]
    try:
        kept = adherence(trials, (x, names), choices, intervals)
    except RegressionFailure as failure:
        named = words(failure.columns)
        return by_horizon(replace(row, gate=f"not evaluable: weights for leaving: {failure.reason}{named}"), choices)
    final = arms.final[chosen] * base
    followed = replace(
        outcomes, time=np.minimum(outcomes.time, kept.left), event=outcomes.event * (kept.left >= outcomes.time)
    )
    weighed: tuple[Floats | None, Sequence[str], Floats, Estimand] = (None, (), final, "given")
    if choices.weighting != "match":  # matched pairs are taken as they are
        weighed = (x, names, arms.base[chosen] * base, choices.weighting)
    try:
        found = weighted_risks(
            outcomes, *weighed, choices,
            CensoringRows(kept.start, kept.stop, kept.row, kept.weight),
        )  # fmt: skip
    except RiskFailure as failure:
        return by_horizon(replace(row, gate=f"not evaluable: {failure.reason}"), choices)
    design = arms.design
    gates = {
        f"0-{horizon}": gate_at(horizon, design.covariates[chosen], design.covariate_names, followed, kept, final)
        for horizon in choices.horizons
    }
    rows = [*risk_rows(row, found, followed, choices.horizons, final > 0)]
    rows.append(hazard_of_intervals(row, followed, kept, final, max(choices.horizons)))
    return [replace(told, gate=gates[told.window]) if told.gate == "pass" else told for told in rows]


def thinned(trials: pl.DataFrame, arm: Floats, longest: int, most: int = MOST_INTERVALS) -> tuple[np.ndarray, Floats]:
    """Which index dates are taken, and for how many each stands: all, or all new users and every m-th comparator."""
    length = trials.select(pl.min_horizontal("follow_up", "as_treated_until", pl.lit(longest))).to_series().to_numpy()
    rows = -(-length // INTERVAL_DAYS)
    others, mine = int(rows[arm == 0].sum()), int(rows[arm == 1].sum())
    many = max(1, -(-others // max(most - mine, most // 10)))
    return every_mth_comparator(arm, many), np.where(arm == 1, 1.0, float(many))


def adherence(
    trials: pl.DataFrame, score: tuple[Floats, Sequence[str]], choices: Choices, intervals: Intervals
) -> Adherence:
    """How long the strategies are kept to, and the weights for it; RegressionFailure where they have no estimate.

    score: the baseline columns (n, p) and their names, which stabilise.
    """
    (x, names), arm = score, trials["arm"].to_numpy()
    # who leaves on a day decided on what was known on its eve: that day's interval, if it only begins, is theirs too
    end = pl.min_horizontal("follow_up", pl.col("as_treated_until") + 1, pl.lit(max(choices.horizons)))
    left = trials["as_treated_until"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    dates = trials.select("person_id", "index", until=end).with_row_index("row")
    rows = intervals(dates.with_columns(pl.col("row").cast(pl.Int64)))
    row, interval = rows["row"].to_numpy(), rows["interval"].to_numpy()
    start, stop = (rows[name].to_numpy().astype(float) for name in ("start", "stop"))
    stop = np.minimum(stop, left[row])
    # two decisions an interval: on its first day, which counts for the interval itself, and later in it, for the next
    first, later = np.flatnonzero(interval > 0), np.flatnonzero(stop > start)
    place, stage = np.concatenate([first, later]), np.repeat([0, 1], [len(first), len(later)])
    order = np.lexsort((stage, place))  # rows are sorted by index date and interval
    place, stage = place[order], stage[order]
    day, leaving = start[place], left[row[place]]
    leaves = np.where(stage == 0, leaving == day, (leaving > day) & (leaving < day + INTERVAL_DAYS)).astype(float)
    band = np.searchsorted(BANDS, interval[place], side="right") - 1
    kind = 2 * arm[row[place]] + stage
    cell = band * 4 + kind
    some = np.bincount(cell, leaves, 4 * len(BANDS)) > 0  # where nobody leaves there is nothing to be weighted for
    numerator = np.column_stack([x[row[place]], *((band == k).astype(float) for k in range(1, len(BANDS)))])
    numerator_names = [*names, *(f"interval {k}" for k in BANDS[1:])]
    more, more_names = _time_varying(rows)
    found = censoring_weights(
        row[place], 2 * interval[place] + stage, leaves, numerator, np.column_stack([numerator, more[place]]),
        numerator_names=numerator_names, denominator_names=[*numerator_names, *more_names], at_risk=some[cell],
        strata=kind,
    )  # fmt: skip
    weight = found.values[stage == 1]
    if choices.truncation != (0.0, 100.0):
        weight = truncate(weight, *choices.truncation)
    return Adherence(left, row[later], start[later], stop[later], weight)


def _time_varying(rows: pl.DataFrame) -> tuple[Floats, list[str]]:
    """What is known at the beginning of each interval as columns; a missing value is 0 and a column of its own."""
    columns, names = [], []
    for name in rows.columns:
        if name in KNOWN or rows[name].null_count() == rows.height or not rows.schema[name].is_numeric():
            continue
        values = rows[name].cast(pl.Float64)
        columns.append(values.fill_null(0.0).to_numpy())
        names.append(f"{name} over time")
        if values.null_count():
            columns.append(values.is_null().cast(pl.Float64).to_numpy())
            names.append(f"{name} missing over time")
    return np.column_stack(columns) if columns else np.zeros((rows.height, 0)), names


def gate_at(  # noqa: PLR0917
    horizon: int, covariates: Floats, names: Sequence[str], followed: Outcomes, kept: Adherence, final: Floats
) -> str:
    """Balance and effective sample size, by the horizon, of those who have not left: with right weights, everybody."""
    end = np.minimum(followed.time, horizon)
    rows = np.flatnonzero((kept.start < end[kept.row]) & (kept.stop >= end[kept.row]))
    rows = rows[kept.left[kept.row[rows]] > end[kept.row[rows]]]
    weights, arm = final[kept.row[rows]] * kept.weight[rows], followed.arm[kept.row[rows]]
    for one in (0, 1):
        if overlap.effective_sample_size(weights[arm == one]) < FEWEST_EFFECTIVE:
            return "fail: effective sample size of an arm that keeps to its strategy is under 50"
    apart = np.nan_to_num(np.abs(standardised_difference(covariates[kept.row[rows]], arm, weights)))
    if len(apart) and apart.max() >= LARGEST_SMD:
        name = words([names[int(np.argmax(apart))]])
        return f"fail: max |SMD| {apart.max():.2f}{name} of those who keep to their strategy is not under 0.1"
    return "pass"


def hazard_of_intervals(row: Estimate, followed: Outcomes, kept: Adherence, final: Floats, longest: int) -> Estimate:
    """Log hazard ratio with weights that change by interval."""
    ends = followed.time[kept.row]
    split = Outcomes(
        followed.person[kept.row], followed.unit[kept.row], followed.arm[kept.row], kept.stop,
        followed.event[kept.row] * (kept.stop == ends), kept.start,
    )  # fmt: skip
    return hazard_row(row, split, final[kept.row] * kept.weight, longest)
