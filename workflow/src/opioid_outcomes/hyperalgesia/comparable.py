"""Whether those who took the strategy and those who maintained may be compared, before any outcome is read by arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import Assignment, Effects, Error, RegressionFailure
from opioid_outcomes.causal.balance import column_differences
from opioid_outcomes.causal.gates import FEWEST_EFFECTIVE, LARGEST_SMD, MOST_OUTSIDE
from opioid_outcomes.hyperalgesia.confounders import Confounders, curved
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats
from opioid_outcomes.hyperalgesia.positivity import where_taken
from opioid_outcomes.hyperalgesia.trial import Trial

# Score above which a decision was all but certain; the untreated's odds are then above 99
CERTAIN = 0.99
# Why an assignment has no estimate, by the reason of the regression
FAILURES = {
    "no events": "nobody {verb}",
    "everybody": "everybody {verb}",
    "separation": "who {verb} is told for sure by {columns}",
    "no convergence": "the model of who {verb} does not converge",
    "error": "the declared error is more than the recorded pain varies",
    "no root": "decisions follow pain too steeply for an error of this size to be taken out",
}


@dataclass(frozen=True)
class Assigned:
    """Who took the strategy given the history, or the ``gate`` of every weighted row.

    smd: largest absolute standardised difference after weighting, of ``worst``; None without an assignment.
    """

    assignment: Assignment | None
    gate: str
    smd: float | None = None
    worst: str = ""


def assign(
    trial: Trial, *, verb: str, error_variance: float = 0.0, weights: Floats | None = None, judge: bool = True
) -> Assigned:
    """The assignment model of a trial and its gates: balance, and scores near 1. ``judge``: whether these are read.

    Balance is that of the weights, in every term and the square of each that is more than yes or no. Weights corrected
    for error balance what they are meant to on average only, over errors that are not seen, and the outcome model
    takes up the rest: whether the arms can be compared is then told by the weights without correction.
    """
    error = trial.confounders.error(error_variance) if error_variance > 0 else None
    counted = np.ones(len(trial.taken)) if weights is None else weights
    try:
        try:
            found = _fitted(trial, counted, error)
        except RegressionFailure as failure:
            if failure.reason != "separation":
                raise
            # of a trial those unlike any with the strategy are left out; of the people drawn there are more of them
            kept = counted * where_taken(trial.confounders, trial.taken & (counted > 0))[0]
            if not ((kept > 0) & ~trial.taken).any():
                raise
            found = _fitted(trial, kept, error)
    except RegressionFailure as failure:
        return Assigned(None, f"not evaluable: {why(failure, verb)}")
    if not judge:
        return Assigned(found, "pass")
    if error is not None:
        return _judged(found, 0.0, "", verb)
    return _judged(found, *_balance(trial.confounders, trial.taken, found.odds, found.weights), verb)


def _fitted(trial: Trial, weights: Floats, error: Error | None) -> Assignment:
    terms = trial.confounders
    return augmented.assignment(
        terms.values, trial.taken, names=terms.names, person=trial.visits.person, weights=weights, error=error
    )


def corrected(recorded: Assigned, under_error: Assigned) -> Assigned:
    """The assignment under error, behind the gate of the one without too."""
    if "pass" in {recorded.gate, under_error.gate}:
        gate = under_error.gate if recorded.gate == "pass" else recorded.gate
        return replace(under_error, gate=gate, smd=recorded.smd, worst=recorded.worst)
    return under_error


def _judged(found: Assignment, smd: float, worst: str, verb: str) -> Assigned:
    reasons = []
    if not np.isfinite(found.odds[found.weights > 0]).all():
        reasons.append(f"somebody who maintained was certain to have {verb}")
    elif not smd < LARGEST_SMD:
        reasons.append(f"max |SMD| {smd:.2f} ({worst}) after weighting is not under {LARGEST_SMD}")
    if float(np.mean(found.score[found.weights > 0] > CERTAIN)) >= MOST_OUTSIDE:
        reasons.append(f"{100 * MOST_OUTSIDE:.0f} % or more of the scores are above {CERTAIN:g}")
    return Assigned(found, f"fail: {'; '.join(reasons)}" if reasons else "pass", smd, worst)


def why(failure: RegressionFailure, verb: str) -> str:
    """A regression's failure in words; of a covariate's levels the covariate, as a level may be one person's."""
    columns = ", ".join(dict.fromkeys(name.split(": ")[0] for name in failure.columns))
    told = FAILURES.get(failure.reason, "a model has no estimate ({reason})")
    return told.format(verb=verb, columns=columns or "the covariates", reason=failure.reason)


def _balance(terms: Confounders, taken: Bools, odds: Floats, counted: Floats) -> tuple[float, str]:
    """Largest absolute standardised difference, and the term it is of."""
    weights = odds * counted
    if not np.isfinite(weights).all():
        return float("inf"), ""
    squared = [
        place for place, name in enumerate(terms.names) if not (curved(name) or _yes_or_no(terms.values[:, place]))
    ]
    largest, worst = 0.0, ""
    for places, of in ((range(len(terms.names)), ""), (squared, "square of ")):
        # the columns as they are, not a copy of them
        x = np.square(terms.values[:, squared]) if of else terms.values
        smd = np.abs(column_differences(x, taken, [weights])[0])
        smd = np.where(np.isnan(smd), np.inf, smd)  # the arms differ in a term that varies in neither
        if len(smd) and smd.max() > largest:
            place = int(np.argmax(smd))
            largest, worst = float(smd[place]), of + terms.names[places[place]].split(": ")[0]
    return largest, worst


def _yes_or_no(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def effective(effects: Effects, verb: str) -> str:
    """``pass``, or the gate of arms whose weights leave too few people."""
    for size, arm in zip(effects.ess, ("maintained", verb), strict=True):
        if not size >= FEWEST_EFFECTIVE:
            return f"fail: the effective number of people who {arm} is under {FEWEST_EFFECTIVE}"
    return "pass"
