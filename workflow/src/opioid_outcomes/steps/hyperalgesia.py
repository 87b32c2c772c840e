"""The step ``estimate_hyperalgesia``: does pain rise or fall after a dose escalation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.causal.augmented import Effects
from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import calibration, escalation, instrument, noise, pain_months, tipping
from opioid_outcomes.hyperalgesia.adherence import Followed, followed
from opioid_outcomes.hyperalgesia.compared import forbidden
from opioid_outcomes.hyperalgesia.confounders import build
from opioid_outcomes.hyperalgesia.diagnostics import table as diagnostics_of
from opioid_outcomes.hyperalgesia.escalation import ESCALATED, Told
from opioid_outcomes.hyperalgesia.fitted import CORRECTED, RECORDED, Fitted, Replicates, bootstrap, fit
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.inputs import TABLES, Known, known
from opioid_outcomes.hyperalgesia.noise import Noise
from opioid_outcomes.hyperalgesia.person_days import Floats
from opioid_outcomes.hyperalgesia.trial import Trial, escalations, window
from opioid_outcomes.hyperalgesia.visits import eligible

DISPLAYED = ("pain_escalation", "escalation_diagnostics", "noise_tipping")
MI_NOTE = "missing covariates are a category of their own here, not imputed"


@dataclass(frozen=True)
class Analysed:
    """Rows, displays by name, what ties a calibration to the cohort, the number of decisions, and the scores' error."""

    rows: list[Estimate]
    displays: dict[str, pl.DataFrame]
    facts: dict[str, float] = field(default_factory=dict)
    decisions: int = 0
    noise: dict[str, Any] | None = None


def estimate_hyperalgesia(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes the estimates and the displays of the escalation trial; returns what was done, in counts."""
    found = analyse({name: io.read_table(inputs[name]) for name in TABLES}, settings)
    frame = estimates.frame(found.rows, study=settings["study"], cohort=settings["cohort_name"])
    io.write_frame(frame, outputs["estimates"])
    for name in DISPLAYED:
        io.write_frame(found.displays[name], outputs[name])
    io.write_json(outputs["facts"], found.facts | ({"noise": found.noise} if found.noise else {}))
    evaluable = sum(row.gate == "pass" for row in found.rows)
    return f"{found.decisions} decisions, {evaluable} of {len(found.rows)} estimates evaluable"


def analyse(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Analysed:
    """``hyperalgesia.escalation`` and ``.verdict`` from the tables of ``hyperalgesia.inputs`` and the step's slice."""
    options = Hyperalgesia(**settings["hyperalgesia"])
    found = known(tables, settings)
    if found.gate is not None:
        return _nothing(options, found.gate)
    made = of_histories(found, options, seed=settings["study_seed"])
    return replace(made, rows=instrument.named(made.rows, found.scale))


def of_histories(found: Known, options: Hyperalgesia, *, seed: int) -> Analysed:
    """The same from what is known. Cost: O(decisions x (terms^2 + scores in the longest window))."""
    histories, rule = found.of(), options.escalation
    decided = _decisions(found, histories, options)
    if decided is None:
        return _nothing(options, f"not evaluable: nobody on a stable dose for {rule.stable_days} days reported pain")
    trial, error = decided
    pain = pain_months.by_month(trial, histories, grace_days=rule.grace_days)
    gate = _no_arms(trial, histories)
    if gate is not None:
        nothing = _nothing(options, gate)
        return Analysed(nothing.rows, nothing.displays | {"pain_escalation": pain}, decisions=len(trial.taken))
    spans = sorted(options.windows_days)
    windows = [window(trial, histories, days, rule.grace_days) for days in spans]

    def protocol(weights: Floats | None) -> list[Followed]:
        return followed(trial, histories, spans, rule, weights=weights)

    def fitted(weights: Floats | None = None) -> Fitted:
        return fit(trial, windows, protocol, verb=ESCALATED, error_variance=error.variance, weights=weights)

    once = fitted()
    replicates = _replicates(trial, once, fitted, options, seed)
    told = Told(noise=error.note, everywhere=_everywhere(found))
    rows = escalation.estimates(
        trial, histories, windows, once, step_mme=options.step_mme, told=told, replicates=replicates
    )
    tipped = tipping.rows(trial, windows, _readable(once, RECORDED), _readable(once, CORRECTED))
    displays = {
        "pain_escalation": pain,
        "escalation_diagnostics": diagnostics_of(trial, histories, windows, once),
        "noise_tipping": tipping.table(tipped),
    }
    return Analysed(rows, displays, calibration.facts(histories, trial, error), len(trial.taken), asdict(error))


def _decisions(found: Known, histories: Histories, options: Hyperalgesia) -> tuple[Trial, Noise] | None:
    """The trial and the scores' error; what they are made from is let go, as it fills as much memory as the trial."""
    rule = options.escalation
    visits = eligible(histories, stable_days=rule.stable_days)
    if len(visits.person) == 0:
        return None
    terms = build(
        visits, histories, baseline=found.covariates, missing=found.missing, min_rise=rule.min_rise,
        min_mme=rule.min_mme,
    )  # fmt: skip
    return escalations(visits, terms, histories, rule), noise.of(histories, visits, options, scale=found.scale)


def _readable(fitted: Fitted, source: str) -> list[Effects | None]:
    """By window, the effects whose rows are told: what a gate withholds is not explained away either."""
    assigned = fitted.assigned[source]
    return [
        effects if effects is not None and forbidden(assigned, effects, ESCALATED) == "pass" else None
        for effects in fitted.effects(source)
    ]


def _replicates(
    trial: Trial, once: Fitted, refit: Callable[[Floats], Fitted], options: Hyperalgesia, seed: int
) -> Replicates | None:
    if options.standard_error != "bootstrap":
        return None
    return bootstrap(trial, once, refit, replicates=options.replicates, seed=seed)


def _no_arms(trial: Trial, histories: Histories) -> str | None:
    """Why there is nothing to compare in any window."""
    if len(trial.taken) == 0:
        return "not evaluable: no decision has a known dose and follow-up to the end of grace"
    if not trial.taken.any():
        return "not evaluable: nobody escalated"
    if trial.taken.all():
        return "not evaluable: everybody escalated"
    scores = histories.pain
    if not (scores.person[1:] == scores.person[:-1]).any():
        return "not evaluable: nobody has pain recorded on a second day"
    return None


def _everywhere(found: Known) -> str:
    return "; ".join(part for part in (found.note, MI_NOTE if found.missing == "mi" else "") if part)


def _nothing(options: Hyperalgesia, gate: str) -> Analysed:
    labels = [f"{first}-{last}" for first, last in sorted(options.windows_days)]
    displays = {name: DISPLAYS[name].empty() for name in DISPLAYED}
    displays["pain_escalation"] = pain_months.by_month(None, None, grace_days=options.escalation.grace_days)
    return Analysed(escalation.empty(labels, gate, options.step_mme), displays)
