"""Whether those who keep to their strategies may be compared: balance under the weights for leaving.

ANALYSES 4, gates: under IPCW at each horizon, on covariates, their squares and products, and on those left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.causal import overlap
from opioid_outcomes.causal.balance_table import pair_names
from opioid_outcomes.causal.gates import FEWEST_EFFECTIVE, LARGEST_SMD
from opioid_outcomes.mortality.adherence import Adherence
from opioid_outcomes.mortality.trial_arms import ROUNDS, ROWS_PER_COLUMN, balance, words
from opioid_outcomes.mortality.trial_estimates import Outcomes
from opioid_outcomes.mortality.trial_score import ScoreDesign
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats


@dataclass(frozen=True)
class Judged:
    """What is to be in balance: the score's covariates with their squares and products, and those it leaves out."""

    design: ScoreDesign
    left_out: pl.DataFrame

    def columns(self) -> dict[str, Callable[[], Floats]]:
        """Squares, products and left-out covariates by name, each made when called; NaN where missing."""
        x, found = self.design.covariates, dict[str, Callable[[], Floats]]()
        for name, (j, k) in pair_names(self.design.covariate_names, self.design.two_valued).items():
            found[name] = lambda j=j, k=k: x[:, j] * x[:, k]  # type: ignore[misc]
        for column in self.left_out.iter_columns():
            if column.dtype.is_numeric():
                found[column.name] = lambda c=column: c.cast(pl.Float64).fill_null(np.nan).to_numpy()  # type: ignore[misc]
        return found


def balanced(
    kept: Adherence, judged: Judged, outcomes: Outcomes, final: Floats, horizons: Sequence[int]
) -> tuple[Adherence, dict[int, pl.DataFrame]]:
    """Weights for leaving, and balance (``trial_arms.balance``) at each horizon.

    Squares, products and left-out covariates that are out of balance enter the model of the arm whose mean has moved
    since the index dates (of both, if both have), which is made anew, as the score is (``trial_arms.compare``). final:
    (n,) weights of the index dates. Cost: up to ``ROUNDS`` more models of an arm.
    """
    candidates, arm = judged.columns(), outcomes.arm
    most = {one: int((arm == one).sum() / ROWS_PER_COLUMN) for one in (0, 1)}
    within: set[tuple[int, str]] = set()
    for turn in range(ROUNDS + 1):
        weights = {horizon: weights_at(horizon, outcomes, kept, final) for horizon in horizons}
        told = {horizon: balance(judged.design, judged.left_out, arm, w, final) for horizon, w in weights.items()}
        more: dict[int, dict[str, Floats]] = {0: {}, 1: {}}
        for name, horizon in _apart(told):
            if turn == ROUNDS or name not in candidates:
                continue
            column = candidates[name]()
            for one in _moved(column, arm, weights[horizon], final):
                if (one, name) not in within and len(more[one]) < most[one]:
                    more[one][name] = np.nan_to_num(column)
        if not (more[0] or more[1]):
            break
        within |= {(one, name) for one, columns in more.items() for name in columns}
        try:
            kept = _with(kept, more)
        except RegressionFailure:  # what cannot be modelled stays out of balance, and is told to be so
            break
    return kept, told


def _apart(told: dict[int, pl.DataFrame]) -> list[tuple[str, int]]:
    """What is out of balance, the worst first, and at which horizon it is worst."""
    rows = pl.concat(one.with_columns(horizon=pl.lit(horizon)) for horizon, one in told.items())
    rows = rows.with_columns(pl.col("smd_after").abs()).filter(pl.col("smd_after") >= LARGEST_SMD)
    rows = rows.sort("smd_after", "covariate", "horizon", descending=[True, False, False])
    return rows.unique("covariate", keep="first", maintain_order=True).select("covariate", "horizon").rows()


def _moved(column: Floats, arm: Floats, weights: Floats, final: Floats) -> list[int]:
    """The arm whose mean is furthest from that of its index dates; the other too, if its is half as far and matters."""
    far, known = [], np.isfinite(column)
    for one in (0, 1):
        rows = known & (arm == one)
        means = [
            np.average(column[rows], weights=w[rows]) if w[rows].sum() > 0 else np.nan for w in (weights, final)
        ]  # fmt: skip
        far.append(abs(means[0] - means[1]))
    least = max(max(far) / 2, LARGEST_SMD / 2 * float(np.std(column[known])))
    return [one for one in (0, 1) if far[one] >= min(least, max(far))]


def _with(kept: Adherence, more: dict[int, dict[str, Floats]]) -> Adherence:
    for one, columns in more.items():
        if columns and kept.adding is not None:
            kept = kept.adding(one, np.column_stack([*columns.values()]), [*columns])
    return kept


def weights_at(horizon: int, outcomes: Outcomes, kept: Adherence, final: Floats) -> Floats:
    """(n,) weights of those who have not left by the horizon, or by the end of their follow-up; 0 of the others.

    They stand in for those like them who have: with right weights they are all index dates. Weights stabilised by time
    would count those followed for long less, by the share of the arm that is left then, and so compare people of other
    times where the arms leave differently.
    """
    end = np.minimum(outcomes.time, horizon)
    rows = np.flatnonzero((kept.start < end[kept.row]) & (kept.stop >= end[kept.row]))
    rows = rows[kept.left[kept.row[rows]] > end[kept.row[rows]]]
    weights = np.zeros(len(final))
    weights[kept.row[rows]] = final[kept.row[rows]] * kept.weight[rows] / kept.staying[rows]
    return weights


def gate_at(horizon: int, told: pl.DataFrame, outcomes: Outcomes, kept: Adherence, final: Floats) -> str:
    """Effective number of people who keep on to the horizon, and balance there."""
    there = np.flatnonzero((kept.start < horizon) & (kept.stop >= horizon) & (kept.left[kept.row] >= horizon))
    for one in (0, 1):
        rows = there[outcomes.arm[kept.row[there]] == one]
        if effective(outcomes.person[kept.row[rows]], final[kept.row[rows]] * kept.weight[rows]) < FEWEST_EFFECTIVE:
            return f"fail: effective sample size of an arm that keeps to its strategy is under {FEWEST_EFFECTIVE}"
    unknown = told.filter(pl.col("smd_after").is_null())["covariate"].to_list()
    if unknown:
        return f"fail: no standardised difference exists of a covariate{words(unknown)} of those who keep on"
    worst = told.sort(pl.col("smd_after").abs(), "covariate", descending=[True, False]).head(1)
    if worst.height and abs(worst["smd_after"].item()) >= LARGEST_SMD:
        apart, name = abs(worst["smd_after"].item()), words(worst["covariate"].to_list())
        return f"fail: max |SMD| {apart:.2f}{name} of those who keep to their strategy is not under {LARGEST_SMD}"
    return "pass"


def effective(person: np.ndarray, weights: Floats) -> float:
    """Effective number of people behind index dates."""
    code = np.unique(person, return_inverse=True)[1]
    return overlap.effective_sample_size(np.bincount(code, weights, minlength=1))
