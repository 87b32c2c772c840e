"""``hyperalgesia.reduction``: the mirror trial, pain after the dose of stable therapy is lowered, against maintained.

If opioids make pain worse, it falls when the dose does; but doses are lowered in people who get better, which looks the
same. So reductions that follow a change of policy or formulary, whatever the pain, are told apart, against people
without such a change at the time; and those that follow a change of prescriber (ANALYSES 5.3, METHODS D3.6). Pain
counts from the fifth week on: before it, withdrawal hurts whatever opioids do (METHODS A4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.causal.augmented import Method
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import trial as trials
from opioid_outcomes.hyperalgesia.comparable import assign, corrected
from opioid_outcomes.hyperalgesia.compared import Measured, Question, as_recorded, compare, contrast_rows
from opioid_outcomes.hyperalgesia.confounders import Confounders
from opioid_outcomes.hyperalgesia.escalation import POPULATION
from opioid_outcomes.hyperalgesia.histories import Histories, score_history
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints
from opioid_outcomes.hyperalgesia.trial import Trial, Window

ANALYSIS = "hyperalgesia.reduction"
CONTRAST, VERB = "reduce vs maintain", "reduced"
METHOD: Method = "aipw"
# A change explains a reduction of which the grace ends this many days after it, at most
PROMPTED_DAYS = 60
BLOCK = 90  # days of time that stand for a quarter where dates are not actual
MIMICS = "reductions made because pain fell look like hyperalgesia"
NOT_ACTUAL = "dates are not actual, so that one 90-day block need not be one time"


@dataclass(frozen=True)
class Prompt:
    """A kind of change that lowers doses whatever the pain: its reasons in the table of changes, and in words."""

    population: str
    reasons: tuple[str, ...]
    words: str


PROMPTS = (
    Prompt("dose lowered after a policy or formulary change", ("policy", "formulary"), "policy or formulary"),
    Prompt("dose lowered after a change of prescriber", ("prescriber",), "prescriber"),
)


@dataclass(frozen=True)
class Rules:
    """Windows of days after the visit, days of grace, whether dates are actual, and what effects are per."""

    windows: Sequence[tuple[int, int]]
    grace_days: int
    actual_dates: bool
    step_mme: float
    error_variance: float  # of one pain score


def windows_from(day: int, windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The windows that begin on ``day`` or later, the first of them widened to it; what is left of the last if none."""
    later = [(first, last) for first, last in sorted(windows) if first >= day]
    if not later:
        return [(day, max(day, *(last for _, last in windows)))]
    return [(day, later[0][1]), *later[1:]]


def estimates(decisions: Trial, histories: Histories, changes: pl.DataFrame, rules: Rules) -> list[Estimate]:
    """Pain per window and per step of achieved separation: all reductions, and those that a change has prompted.

    ``changes``: canonical. By AIPW in those whose dose was lowered, with the error of pain taken out beside it.
    Cost: as the escalation trial, once per population and bound.
    """
    rows = _rows(_question(POPULATION, rules), decisions, histories, rules, MIMICS)
    for prompt in PROMPTS:
        mine = changes.filter(pl.col("reason").cast(pl.String).is_in(prompt.reasons))
        question = _question(prompt.population, rules)
        if mine.is_empty():
            gate = f"not evaluable: no changes of {prompt.words} are recorded"
            rows += _nothing(question, rules, gate)
            continue
        rows += _rows(question, _prompted(decisions, histories, mine, rules), histories, rules, _note(prompt, rules))
    return rows


def empty(gate: str, rules: Rules) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    populations = [POPULATION, *(prompt.population for prompt in PROMPTS)]
    return [row for name in populations for row in _nothing(_question(name, rules), rules, gate)]


def _prompted(decisions: Trial, histories: Histories, changes: pl.DataFrame, rules: Rules) -> Trial:
    """Reductions that follow a change, and maintaining decisions, in the same quarter, of people who never have one.

    Who has one later is no control: their dose falls within the windows. The quarter is among the confounders.
    """
    person, day = decisions.visits.person, decisions.visits.day
    known = score_history(changes.with_columns(change=pl.lit(1.0)), histories, value="change")
    low, high = known.window(person, day + rules.grace_days - PROMPTED_DAYS, day + rules.grace_days)
    when = _quarter(day, actual=rules.actual_dates)
    chosen = np.where(decisions.taken, high > low, ~np.isin(person, known.person))
    shared = np.intersect1d(when[chosen & decisions.taken], when[chosen & ~decisions.taken])
    chosen &= np.isin(when, shared)
    found = decisions.rows(chosen)
    return replace(found, confounders=_with_quarters(found.confounders, when[chosen]))


def _quarter(day: Ints, *, actual: bool) -> Ints:
    """Number of the calendar quarter, or of the 90 days, that hold a day."""
    if not actual:
        return day // BLOCK
    months = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // 3, dtype=np.int64)


def _with_quarters(terms: Confounders, when: Ints) -> Confounders:
    """A 0/1 term for each quarter but the first."""
    columns = {f"quarter: {number}": (when == quarter).astype(float)
               for number, quarter in enumerate(np.unique(when)[1:], start=2)}  # fmt: skip
    return terms.beside(columns)


def _rows(question: Question, decisions: Trial, histories: Histories, rules: Rules, note: str) -> list[Estimate]:
    decisions = trials.among_the_like(decisions)
    windows = [trials.window(decisions, histories, days, rules.grace_days) for days in rules.windows]
    unlike = f"; {trials.unlike_any(decisions, 'lowered')}" if decisions.unlike else ""
    recorded = assign(decisions, verb=VERB)
    under_error = assign(decisions, verb=VERB, error_variance=rules.error_variance)
    measured = [Measured(each.label, each.pain, each.mme, each.alive) for each in windows]
    as_found = [compare(decisions, recorded, each, VERB) for each in measured]
    under_error = corrected(recorded, under_error)
    less_error = as_recorded([compare(decisions, under_error, each, VERB) for each in measured], as_found)
    rows = []
    for name, assigned, compared in (
        (METHOD, recorded, as_found),
        (f"{METHOD}_noise_corrected", under_error, less_error),
    ):
        for window, found in zip(windows, compared, strict=True):
            told = f"{_changes(decisions, window)}; {note}{unlike}" if found.outcome else f"{note}{unlike}"
            rows += contrast_rows(question, found, assigned, decisions, method=METHOD, name=name, note=told)
    return rows


def _changes(decisions: Trial, window: Window) -> str:
    """Both arms' mean change since the visit, which holds regression to the mean."""
    since: Floats = window.pain - decisions.visits.pain
    told = []
    for arm, what in ((decisions.taken, "reduced"), (~decisions.taken, "maintained")):
        scored = arm & np.isfinite(since)
        told.append(f"{float(since[scored].mean()):+.2f} {what}")
    return f"mean change since the visit {', '.join(told)}; events = people whose dose was lowered"


def _note(prompt: Prompt, rules: Rules) -> str:
    told = f"against people who never have a change of {prompt.words}, in the same quarter"
    return told if rules.actual_dates else f"{told}; {NOT_ACTUAL}"


def _question(population: str, rules: Rules) -> Question:
    return Question(ANALYSIS, f"{population} (ATT)", CONTRAST, VERB, rules.step_mme, direction=-1)


def _nothing(question: Question, rules: Rules, gate: str) -> list[Estimate]:
    labels = [f"{first}-{last}" for first, last in rules.windows]
    names = (METHOD, f"{METHOD}_noise_corrected")
    return [row for name in names for label in labels for row in question.nothing(name, label, gate)]
