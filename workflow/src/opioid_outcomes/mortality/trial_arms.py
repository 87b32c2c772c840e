"""The two arms of a sequential trial made comparable: score, weights, balance, and whether outcomes may be read.

Nothing here has seen an outcome by arm: the table that comes in has no column of events or of follow-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.causal import matching, overlap, propensity
from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.mortality.contrasts import Missing
from opioid_outcomes.mortality.trial_score import ScoreDesign, score_design
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.risk_sets import Floats

Weighting = Literal["overlap", "iptw", "att", "match"]
Trim = Literal["none", "crump", "sturmer"]
POPULATIONS = {
    "overlap": "overlap population (ATO)",
    "iptw": "whole population (ATE)",
    "att": "new users (ATT)",
    "match": "new users with a match (ATT)",
}
BEFORE_OUTCOMES = ("follow_up", "event", "cause", "as_treated_until")  # columns that tell an outcome


class NotComparable(Exception):
    """Arms between which nothing can be compared: the reason, in general words."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Arms:
    """Index dates of both arms: those used (``keep``, of the rows that came in), and their weights.

    arm: (n,) 1 new user. base: (n,) weights that the rows came with (sampling). weights: (n,) weights of the score, not
    yet times base. balance: covariate, in_score, smd_before, smd_after.
    """

    keep: npt.NDArray[np.bool_]
    arm: Floats
    base: Floats
    design: ScoreDesign
    score: Floats
    weights: Floats
    balance: pl.DataFrame
    notes: tuple[str, ...]

    @property
    def final(self) -> Floats:
        return self.weights * self.base

    def of(self, arm: int) -> npt.NDArray[np.bool_]:
        return self.arm == arm


def compare(
    rows: pl.DataFrame, baseline: Sequence[str], *, left_out: Sequence[str], weighting: Weighting, missing: Missing,
    base: Floats, trim: Trim = "none", ridge: float = 0.0,
) -> Arms:  # fmt: skip
    """Score and weights of index dates (``arm``, days_since_entry, baseline and left_out covariates; no outcomes).

    left_out: covariates measured at the index dates that are not in the score, on which balance is judged too. base:
    (n,) weights of the rows. Raises NotComparable where there is nobody in an arm, or a covariate tells it for sure.
    Cost: a logistic regression, two with trimming; balance is linear in rows x covariates squared.
    """
    told = [name for name in BEFORE_OUTCOMES if name in rows.columns]
    if told:
        raise ValueError(f"outcomes are not to be seen before the gates: {told}")
    design = score_design(rows, baseline, missing)
    keep, arm, base = design.keep, rows["arm"].to_numpy().astype(float)[design.keep], base[design.keep]
    notes = list(design.notes)
    score = _score(design.x, arm, base, design.names, ridge)
    if trim != "none" and weighting in ("iptw", "att"):
        inside = overlap.trim(score, arm, trim)
        keep = keep.copy()
        keep[np.flatnonzero(keep)[~inside]] = False
        design = ScoreDesign(
            design.x[inside], design.names, design.covariates[inside], design.covariate_names, keep, design.notes
        )
        arm, base = arm[inside], base[inside]
        score = _score(design.x, arm, base, design.names, ridge)
        notes.append(f"index dates outside the score's range left out ({trim})")
    weights = matching.match(score, arm).weights if weighting == "match" else propensity.weights(score, arm, weighting)
    kept = rows.filter(pl.Series(keep))
    found = balance(design, kept.select(left_out), arm, weights * base, base)
    return Arms(keep, arm, base, design, score, weights, found, tuple(notes))


def _score(x: Floats, arm: Floats, base: Floats, names: Sequence[str], ridge: float) -> Floats:
    if not (arm * base).any() or not ((1 - arm) * base).any():
        raise NotComparable(f"nobody in group '{'new user' if not (arm * base).any() else 'comparator'}'")
    try:
        weights = None if (base == 1).all() else base
        return propensity.estimate(x, arm, names=names, weights=weights, ridge=ridge).score
    except RegressionFailure as failure:
        named = ", ".join(dict.fromkeys(name.split("=")[0].split(" (curve")[0] for name in failure.columns))
        what = "a covariate tells for sure who starts" if failure.reason == "separation" else failure.reason
        raise NotComparable(f"propensity score: {what}{f' ({named})' if named else ''}") from None


def balance(design: ScoreDesign, left_out: pl.DataFrame, arm: Floats, weights: Floats, base: Floats) -> pl.DataFrame:
    """covariate, in_score, smd_before, smd_after: of covariates, their squares and products, and those left out."""
    x, names = design.covariates, design.covariate_names
    parts: list[tuple[Sequence[str], int, Floats]] = [(names, 1, x)]
    two_valued = np.array([np.isin(column[np.isfinite(column)], (0.0, 1.0)).all() for column in x.T], dtype=bool)
    for j, name in enumerate(names):  # one covariate at a time: all products at once would be as many tables
        others = [k for k in range(j, len(names)) if k > j or not two_valued[j]]
        if others:
            words = [f"{name} squared" if k == j else f"{name} x {names[k]}" for k in others]
            parts.append((words, 0, x[:, [j]] * x[:, others]))
    numbers = [name for name in left_out.columns if left_out.schema[name].is_numeric()]
    if numbers:
        parts.append((numbers, 0, left_out.select(pl.col(numbers).cast(pl.Float64).fill_null(np.nan)).to_numpy()))
    frames = [
        pl.DataFrame(
            {
                "covariate": list(words), "in_score": [float(within)] * len(words),
                "smd_before": standardised_difference(values, arm, base),
                "smd_after": standardised_difference(values, arm, weights),
            }
        )
        for words, within, values in parts
    ]  # fmt: skip
    return pl.concat(frames).with_columns(pl.col("smd_before", "smd_after").fill_nan(None))
