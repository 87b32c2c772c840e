"""Two arms of decisions compared in those who decided so (ATT), with the gates of ANALYSES 4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.causal import augmented, gates
from opioid_outcomes.causal.augmented import Assignment, Effects, RegressionFailure
from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.contracts.estimates import smallest
from opioid_outcomes.hyperalgesia.confounders import baseline_terms
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.variation import unvaried

FEWEST_PER_ARM = 50  # people with an outcome (ANALYSES 4, gates)
NOT_IMPUTED = "missing covariates are a category of their own, not imputed"
REASONS = {
    "no events": "nobody starts",
    "everybody": "everybody starts",
    "separation": "a covariate tells for sure who starts",
    "collinear": "the covariates determine who starts",
    "no outcomes": "nobody of an arm has an outcome",
}


@dataclass(frozen=True)
class Decisions:
    """Rows (n,) of ``person`` (any whole number) who were ``treated`` or not, with columns x (n, p) by ``names``.

    unit: (n,) whom errors are clustered by. weights: (n,) of sampling, 1 unless known.
    """

    person: Ints
    unit: Ints
    treated: Bools
    x: Floats
    names: list[str]
    weights: Floats


@dataclass(frozen=True)
class Compared:
    """Effects, or None; ``gate``; ``counts``: persons and the smallest arm, of rows with an outcome."""

    effects: Effects | None
    gate: str
    counts: dict[str, Any]


def assign(decisions: Decisions) -> Assignment | str:
    """Who decides so given the columns, or the gate that says why it cannot be told."""
    try:
        return augmented.assignment(
            decisions.x, decisions.treated, names=decisions.names, person=decisions.unit, weights=decisions.weights
        )
    except RegressionFailure as failure:
        return refused(failure)


def refused(failure: RegressionFailure) -> str:
    """The gate of a model that has no estimate."""
    return f"not evaluable: {REASONS.get(failure.reason, 'the models do not converge')}"


def compare(
    decisions: Decisions,
    assignment: Assignment | str,
    outcome: Floats,
    eligible: Bools,
    *,
    before: Floats | None = None,
    what: str = "pain",
) -> Compared:
    """Effect on an outcome, (n,) with NaN where it is not seen, in eligible rows; gates before the number is looked at.

    Gates: 50 people of either arm with an outcome; an outcome (``what``), and a change since ``before``, that varies;
    50 effective people after weighting; every column within 0.1 standard deviations. Cost: of ``augmented.effects``.
    """
    seen = eligible & np.isfinite(outcome) & (decisions.weights > 0)
    arms = [len(np.unique(decisions.person[seen & arm])) for arm in (decisions.treated, ~decisions.treated)]
    counts: dict[str, Any] = {
        "persons": len(np.unique(decisions.person[seen])),
        "smallest_cell": smallest(*arms),
    }
    if isinstance(assignment, str):
        return Compared(None, assignment, counts)
    change = outcome if before is None else outcome - np.nan_to_num(before)
    gate = (
        _few(arms)
        or unvaried(outcome[seen], what)
        or unvaried(change[seen], what)
        or _balance(decisions, assignment, eligible, counts["persons"])
    )
    if gate != "pass":
        return Compared(None, gate, counts)
    try:
        found = augmented.effects(assignment, outcome[:, None], eligible=eligible)
    except RegressionFailure as failure:
        return Compared(None, refused(failure), counts)
    if min(found.ess) < gates.FEWEST_EFFECTIVE:
        gate = f"fail: effective sample size of an arm is under {gates.FEWEST_EFFECTIVE}"
        return Compared(None, gate, counts)
    return Compared(found, "pass", counts)


def _few(arms: list[int]) -> str | None:
    for size, who in zip(arms, ("start", "do not start"), strict=True):
        if size < FEWEST_PER_ARM:
            return f"not evaluable: fewer than {FEWEST_PER_ARM} people {who} and have a score in the window"
    return None


def covariates(frame: pl.DataFrame, names: list[str], missing: str, rows: int) -> tuple[dict[str, Floats], Bools]:
    """Columns of the covariates that somebody has, and which rows are used (all, unless ``complete`` is asked).

    rows: how many there are; a frame without a covariate has none.
    """
    columns: dict[str, Floats] = {}
    complete = np.ones(rows, dtype=bool)
    for name in names:
        if name not in frame.columns or frame[name].null_count() == frame.height:
            continue
        terms, observed = baseline_terms(name, frame[name], indicator=missing != "complete")
        columns |= {term: np.asarray(values, dtype=np.float64) for term, values in terms.items()}
        complete &= observed | (missing != "complete")
    return columns, complete


def on_missing(frame: pl.DataFrame, names: list[str], missing: str) -> list[str]:
    """What a note says of covariates that are missing."""
    absent = [name for name in names if name not in frame.columns or frame[name].null_count() == frame.height]
    words = [f"not in the data: {', '.join(name.replace('_', ' ') for name in absent)}"] if absent else []
    return [*words, NOT_IMPUTED] if missing == "mi" else words


def _balance(decisions: Decisions, assignment: Assignment, eligible: Bools, persons: int) -> str:
    weight = assignment.weights * assignment.odds
    rows = eligible & (assignment.weights > 0)
    treated = decisions.treated[rows]
    smd = standardised_difference(decisions.x[rows], treated, weight[rows])
    return gates.diagnose(
        [name.split(": ")[0].replace("_", " ") for name in decisions.names], smd, score=assignment.score[rows],
        treated=treated, weights=weight[rows], events=persons, person=decisions.person[rows],
    ).gate(event="score")  # fmt: skip
