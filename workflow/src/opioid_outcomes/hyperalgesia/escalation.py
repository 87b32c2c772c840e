"""``hyperalgesia.escalation``: pain after raising the dose of stable long-term therapy, against not raising it."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.counts import about
from opioid_outcomes.hyperalgesia.person_days import Bools, Ints
from opioid_outcomes.hyperalgesia.regression import effects, fieller
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.hyperalgesia.visits import ROUNDING

ANALYSIS = "hyperalgesia.escalation"
CONTRAST = "escalate vs maintain"
POPULATION = "stable long-term opioid therapy"
SCALES = ("mean_difference", "mean_difference_per_step")
COLLINEAR_GATE = "not evaluable: the confounders determine who escalates (collinear)"
# People per arm below which nothing is estimated (ANALYSES 4, gates: effective sample of 50 per arm)
FEWEST_PER_ARM = 50
# MME/day of achieved separation below which a difference is not expressed per step (ANALYSES 5.1)
LEAST_SEPARATION = 10.0


def estimates(trial: Trial, windows: list[Window], *, step_mme: float) -> list[Estimate]:
    """Difference in mean pain per window, and the same per step of achieved separation in dose."""
    return [row for each in windows for row in _window_rows(trial, each, step_mme)]


def empty(labels: list[str], why: str) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    return [_row(label, scale, gate=f"not evaluable: {why}") for label in labels for scale in SCALES]


def _row(label: str, scale: str, **values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method="regression", population=POPULATION, outcome="pain", contrast=CONTRAST,
        window=label, scale=scale, **values,  # type: ignore[arg-type]
    )  # fmt: skip


def people(person: Ints) -> int:
    return len(np.unique(person))


def arm_counts(person: Ints, escalate: Bools) -> dict[str, int | None]:
    """People behind a comparison; its events are people who escalated. Somebody may be in both arms, at two visits."""
    escalated, maintained = people(person[escalate]), people(person[~escalate])
    return {"persons": people(person), "events": escalated, "smallest_cell": smallest(escalated, maintained)}


def too_few(person: Ints, escalate: Bools) -> str | None:
    """Why the arms are too small to compare, if they are; without a count that could be told apart."""
    for arm, verb in ((escalate, "escalated"), (~escalate, "maintained")):
        if people(person[arm]) < FEWEST_PER_ARM:
            return f"not evaluable: fewer than {FEWEST_PER_ARM} people {verb} and have a score in the window"
    return None


def _window_rows(trial: Trial, window: Window, step_mme: float) -> list[Estimate]:
    scored = np.isfinite(window.pain)
    person, escalate = trial.visits.person[scored], trial.taken[scored]
    counts = arm_counts(person, escalate)
    gate = too_few(person, escalate)
    if gate:
        return [_row(window.label, scale, gate=gate, **counts) for scale in SCALES]
    terms, names = trial.confounders.values[scored], trial.confounders.names
    fit = effects(window.pain[scored, None], escalate.astype(float), terms, names, person)
    if fit is None:
        return [_row(window.label, scale, gate=COLLINEAR_GATE, **counts) for scale in SCALES]
    note = _note(trial, window, scored, fit.dropped)
    return [
        _row(window.label, "mean_difference", note=note, **fit.numbers(), **counts),
        _per_step(trial, window, step_mme),
    ]


def _per_step(trial: Trial, window: Window, step_mme: float) -> Estimate:
    """The difference in pain over the adjusted difference in mean daily dose, both on visits with score and dose."""
    scale = "mean_difference_per_step"
    rows = np.isfinite(window.pain) & np.isfinite(window.mme)
    person, escalate = trial.visits.person[rows], trial.taken[rows]
    counts = arm_counts(person, escalate)
    gate = too_few(person, escalate)
    if gate:
        return _row(window.label, scale, gate=gate, **counts)
    both = np.stack([window.pain[rows], window.mme[rows]], axis=1)
    fit = effects(both, escalate.astype(float), trial.confounders.values[rows], trial.confounders.names, person)
    if fit is None:
        return _row(window.label, scale, gate=COLLINEAR_GATE, **counts)
    separation = float(fit.estimate[1])
    if separation < LEAST_SEPARATION - ROUNDING:
        gate = f"not evaluable: achieved separation in dose below {LEAST_SEPARATION:g} MME/day"
        return _row(window.label, scale, gate=gate, **counts)
    ratio = fieller(float(fit.estimate[0]), separation, fit.covariance, fit.critical())
    if ratio is None:
        return _row(window.label, scale, gate="not evaluable: the separation's interval includes 0", **counts)
    return _row(
        window.label, scale, estimate=ratio.estimate * step_mme, ci_low=ratio.low * step_mme,
        ci_high=ratio.high * step_mme, se=ratio.se * step_mme, p_value=fit.p_value(),
        note=f"per {step_mme:g} MME/day; achieved separation {separation:.1f} MME/day; Fieller limits", **counts,
    )  # fmt: skip


def _note(trial: Trial, window: Window, scored: Bools, dropped: tuple[str, ...]) -> str:
    change = window.pain[scored] - trial.visits.pain[scored]
    escalate = trial.taken[scored]
    up, same = float(change[escalate].mean()), float(change[~escalate].mean())
    parts = [
        f"mean change since the visit {up:+.2f} escalated, {same:+.2f} maintained",
        "events = people who escalated",
        f"decisions left out: {about(trial.left_in_grace)} for follow-up that ends within grace, "
        f"{about(trial.arm_unknown)} for a dose not known within it, "
        f"{about(trial.incomplete)} for a missing covariate",
    ]
    # covariates only, never their levels: a level may be one person's
    told_by_others = {name.split(": ")[0]: None for name in dropped if name in trial.confounders.baseline}
    if told_by_others:
        parts.append(f"constant in part, or told by the other terms: {', '.join(told_by_others)}")
    if trial.confounders.absent:
        parts.append(f"not in the data: {', '.join(trial.confounders.absent)}")
    return "; ".join(parts)
