"""``hyperalgesia.spread`` and ``.threshold``: does pain spread, and is less of it borne, after an escalation.

Hyperalgesia is diffuse, and lowers thresholds and tolerance; tolerance to the drug and relief do neither (METHODS D1).
The escalation trial with another outcome, and the last value of it among the confounders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from opioid_outcomes.causal.augmented import Method
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import trial as trials
from opioid_outcomes.hyperalgesia.comparable import assign
from opioid_outcomes.hyperalgesia.compared import SCALES, Measured, Question, compare, contrast_rows
from opioid_outcomes.hyperalgesia.escalation import CONTRAST, POPULATION
from opioid_outcomes.hyperalgesia.histories import Histories, ScoreHistory, score_history
from opioid_outcomes.hyperalgesia.person_days import MARGIN, Floats
from opioid_outcomes.hyperalgesia.trial import Trial

METHOD: Method = "aipw"
VERB = "escalated"
MEASURES = {
    "hyperalgesia.spread": ("widespread_pain_index", "body_sites"),
    "hyperalgesia.threshold": ("pressure_pain_threshold_kpa", "cold_pressor_tolerance_s"),
}
MEANING = {
    "hyperalgesia.spread": "a rise is more widespread pain",
    "hyperalgesia.threshold": "a fall is pain from less",
}


def estimates(
    decisions: Trial, histories: Histories, measurements: pl.DataFrame, windows: Sequence[tuple[int, int]],
    *, grace_days: int,
) -> list[Estimate]:  # fmt: skip
    """Mean of each measure in each window, escalate minus maintain, by AIPW in those who escalate.

    ``measurements``: canonical. Cost: as the escalation trial, once per measure that is recorded.
    """
    rows = []
    labels = [f"{first}-{last}" for first, last in windows]
    for analysis, names in MEASURES.items():
        for name in names:
            mine = measurements.filter(pl.col("measure") == name)
            question = Question(analysis, f"{POPULATION} (ATT)", CONTRAST, VERB, 0.0, outcome=name)
            if mine.is_empty():
                rows += _nothing(question, labels, f"not evaluable: no {name} is recorded")
                continue
            history = score_history(mine, histories, value="value")
            rows += _rows(question, decisions, histories, history, windows, grace_days)
    return rows


def empty(labels: Sequence[str], gate: str) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    questions = [
        Question(analysis, f"{POPULATION} (ATT)", CONTRAST, VERB, 0.0, outcome=name)
        for analysis, names in MEASURES.items()
        for name in names
    ]
    return [row for question in questions for row in _nothing(question, labels, gate)]


def _rows(  # noqa: PLR0917 - one call of it
    question: Question, decisions: Trial, histories: Histories, history: ScoreHistory,
    windows: Sequence[tuple[int, int]], grace_days: int,
) -> list[Estimate]:  # fmt: skip
    earlier = replace(decisions, confounders=decisions.confounders.beside(last_value(decisions, history)))
    earlier = trials.among_the_like(earlier)
    person, day = earlier.visits.person, earlier.visits.day
    assigned = assign(earlier, verb=VERB)
    rows = []
    for days in windows:
        first, last = trials.span(earlier, histories, days, grace_days)
        outcome = history.mean(person, first, last)
        alive = np.isfinite(outcome) | (histories.death[person] > day + days[1])
        measured = Measured(f"{days[0]}-{days[1]}", outcome, np.full(len(day), np.nan), alive)
        found = compare(earlier, assigned, measured, VERB, what=question.outcome)
        note = f"{MEANING[question.analysis]}; events = people who escalated"
        rows.append(contrast_rows(question, found, assigned, earlier, method=METHOD, name=METHOD, note=note)[0])
    return rows


def last_value(decisions: Trial, history: ScoreHistory) -> dict[str, Floats]:
    """The last value up to the visit, its mean where there is none, and that there is none."""
    person, day = decisions.visits.person, decisions.visits.day
    low, high = history.window(person, np.full(len(day), history.days.first - MARGIN), day)
    some = high > low
    value = np.where(some, history.score[np.maximum(high - 1, 0)], 0.0) if len(history.score) else np.zeros(len(day))
    filled = np.where(some, value, float(value[some].mean()) if some.any() else 0.0)
    return {"last value before the visit": filled, "last value before the visit: missing": (~some).astype(float)}


def _nothing(question: Question, labels: Sequence[str], gate: str) -> list[Estimate]:
    return [row for label in labels for row in question.nothing(METHOD, label, gate, SCALES[:1])]
