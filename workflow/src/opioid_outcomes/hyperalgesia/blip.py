"""``hyperalgesia.blip``: the effect of one dose step by months since, by g-estimation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from opioid_outcomes.causal import nested_mean
from opioid_outcomes.causal.contrasts import Contrast
from opioid_outcomes.causal.nested_mean import NestedMean, RegressionFailure
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.counts import about, share
from opioid_outcomes.hyperalgesia import blip_decisions
from opioid_outcomes.hyperalgesia.blip_decisions import Decisions, label
from opioid_outcomes.hyperalgesia.fixed_effects import about_person
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats
from opioid_outcomes.hyperalgesia.trial import Trial
from opioid_outcomes.hyperalgesia.variation import unvaried

ANALYSIS, METHOD = "hyperalgesia.blip", "g_estimation"
POPULATION, SCALE = "stable long-term opioid therapy (ATT)", "mean_difference_per_step"
FEWEST_PER_ARM = 50  # people, as in the escalation trials
FEW_GATE = f"not evaluable: fewer than {FEWEST_PER_ARM} people raised the dose, or kept it, and have a score"
GATES = {
    nested_mean.NO_OUTCOME: "not evaluable: no pain scores on these days",
    nested_mean.FEW: FEW_GATE,
    nested_mean.CONSTANT: "not evaluable: pain does not vary",
    nested_mean.COLLINEAR: "not evaluable: what is known at the visit determines who raises the dose (collinear)",
    nested_mean.OBSERVATION: "not evaluable: who has a score on these days cannot be modelled",
}
FAILURES = {
    "no events": FEW_GATE,
    "everybody": FEW_GATE,
}


def estimates(decisions: Decisions, histories: Histories, options: Hyperalgesia) -> list[Estimate]:
    """A row per lag, and the mean over the lags of each window; those without a number have a gate that says why.

    Cost: that of ``nested_mean.fit``; memory: the confounders and some twenty columns.
    """
    fitted = fit(decisions, histories, options.lags_months)
    if isinstance(fitted, str):
        return empty(options, fitted)
    note = _note(decisions, fitted)
    lags = {name: [number] for number, name in enumerate(_labels(options), start=1)}
    rows = [
        told(_row(options, name), fitted, inside, f"{_share(fitted, inside)}; {note}") for name, inside in lags.items()
    ]
    return rows + [
        told(_row(options, name), fitted, inside, f"{mean_of(fitted, inside)}; {note}")
        for name, inside in _windows(options).items()
    ]


def empty(options: Hyperalgesia, gate: str) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    return [_row(options, name, gate=gate) for name in [*_labels(options), *_windows(options)]]


def decide(trial: Trial, histories: Histories, options: Hyperalgesia) -> Decisions:
    """The decisions of the escalation trials, in steps."""
    return blip_decisions.decide(trial, histories, options.escalation, step_mme=options.step_mme)


def fit(decisions: Decisions, histories: Histories, lags: int, modifiers: Floats | None = None) -> NestedMean | str:
    """The model, or the gate of every row of it. modifiers: (decisions, r)."""
    person, rises = decisions.trial.visits.person, decisions.rises()
    if min(len(np.unique(person[arm])) for arm in (rises, ~rises)) < FEWEST_PER_ARM:
        return FEW_GATE
    constant = unvaried(about_person(histories.pain.score, histories.pain.person))
    if constant:
        return constant
    terms = decisions.trial.confounders
    try:
        return nested_mean.fit(
            terms.values, decisions.step, blip_decisions.lags(decisions, histories, lags, modifiers),
            names=terms.names, person=person, modifiers=modifiers, fewest=FEWEST_PER_ARM,
        )  # fmt: skip
    except RegressionFailure as failure:
        return FAILURES.get(failure.reason, "not evaluable: who raises the dose cannot be modelled")


def lags_of(window: tuple[int, int], count: int) -> list[int]:
    """Lags whose middle day lies in a window of days."""
    return [lag for lag in range(1, count + 1) if window[0] <= blip_decisions.MONTH * lag <= window[1]]


def told(row: Estimate, fitted: NestedMean, lags: Sequence[int], note: str, term: int = 0) -> Estimate:
    """The row with the mean over lags of a term of the model, or the gate of the last of them that has none."""
    seen: Bools = np.logical_or.reduce([fitted.seen[lag - 1] for lag in lags] or [np.zeros((2, 0), dtype=bool)])
    rose, kept = int(seen[0].sum()), int(seen[1].sum())
    counts = {"persons": int(seen.any(axis=0).sum()), "events": rose, "smallest_cell": smallest(rose, kept)}
    own = _own(fitted, lags)
    if not own:
        why = fitted.reasons[lags[-1] - 1] if lags else None
        gate = GATES[why] if why else "not evaluable: no lag lies in the window"
        return replace(row, gate=gate, **counts)  # type: ignore[arg-type]
    return _numbered(replace(row, note=note, **counts), fitted.mean(own, term))  # type: ignore[arg-type]


def mean_of(fitted: NestedMean, lags: Sequence[int]) -> str:
    """Which lags a mean is of, in words."""
    own, lacking = _own(fitted, lags), [str(lag) for lag in lags if fitted.reasons[lag - 1] is not None]
    words = f"mean over {_months(own)}"
    return f"{words} (without {', '.join(lacking)}, not evaluable)" if lacking else words


def _months(lags: Sequence[int]) -> str:
    return "1 month" if list(lags) == [1] else f"{', '.join(str(lag) for lag in lags)} months"


def _own(fitted: NestedMean, lags: Sequence[int]) -> list[int]:
    return [lag for lag in lags if fitted.reasons[lag - 1] is None]


def _labels(options: Hyperalgesia) -> list[str]:
    return [label(lag) for lag in range(1, options.lags_months + 1)]


def _windows(options: Hyperalgesia) -> dict[str, list[int]]:
    """Lags of the windows by label; a window that is a lag's has that lag's row."""
    found = {f"{first}-{last}": lags_of((first, last), options.lags_months) for first, last in options.windows_days}
    return {name: inside for name, inside in found.items() if name not in _labels(options)}


def _row(options: Hyperalgesia, window: str, **values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method=METHOD, population=POPULATION, outcome="pain",
        contrast=f"per +{options.step_mme:g} MME", window=window, scale=SCALE,
        **({"gate": "not evaluable: not estimated"} | values),  # type: ignore[arg-type]
    )  # fmt: skip


def _numbered(row: Estimate, found: Contrast) -> Estimate:
    if found.reason is not None:
        return replace(row, gate=f"not evaluable: {found.reason}")
    return replace(
        row, estimate=found.estimate, se=found.se, ci_low=found.ci_low, ci_high=found.ci_high, p_value=found.p_value,
        gate="pass",
    )  # fmt: skip


def _share(fitted: NestedMean, lags: Sequence[int]) -> str:
    observed = fitted.observed[lags[0] - 1]
    weighted = ", weighted for having one" if observed < 1 else ""
    return f"{share(observed, 1)} of the decisions followed so long have a score{weighted}"


def _note(decisions: Decisions, fitted: NestedMean) -> str:
    trial = decisions.trial
    parts = [
        "of one step whatever came before and comes after it; later rises and falls taken off by shorter lags' effects",
        "errors in pain scores not corrected for",
        "events = people who raised the dose",
        f"decisions left out: {about(decisions.fell)} where the dose fell within grace, "
        f"{about(decisions.unknown + trial.arm_unknown)} for a dose not known within it, "
        f"{about(trial.left_in_grace)} for follow-up that ends within it, "
        f"{about(trial.incomplete)} for a missing covariate",
        f"decisions whose scores after a change of unknown size do not count: {about(decisions.cut)}",
    ]
    borrowed = [str(lag) for lag, acts in enumerate(fitted.acts_as, start=1) if acts != lag]
    if fitted.separated:
        parts.append("what is known at some visits tells for sure what is decided; those say nothing of the effect")
    if borrowed:
        parts.append(f"later steps {', '.join(borrowed)} months before a score taken to act as at the next longer lag")
    return "; ".join(parts)
