"""The estimates on which the verdict rests, and nothing else: what ``calibrate`` makes of each simulated cohort.

By the functions of the study's own analyses, on the first and the last window only.
"""

from __future__ import annotations

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import adherence, blip, escalation, trial
from opioid_outcomes.hyperalgesia.comparable import Assigned, assign
from opioid_outcomes.hyperalgesia.compared import SCALES, Measured, as_recorded, compare, contrast_rows
from opioid_outcomes.hyperalgesia.confounders import Confounders
from opioid_outcomes.hyperalgesia.escalation import ESCALATED, VERDICT
from opioid_outcomes.hyperalgesia.fitted import CORRECTED, RECORDED, Fitted
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.trial import Trial, Window
from opioid_outcomes.hyperalgesia.visits import Visits

BOUNDS = {"aipw": RECORDED, "aipw_noise_corrected": CORRECTED}
PER_STEP = SCALES[1]


def lags(options: Hyperalgesia) -> list[tuple[int, int]]:
    """The windows of the verdict: short lag, long lag (one where the config has one only)."""
    windows = sorted(options.windows_days)
    return [windows[0], windows[-1]] if len(windows) > 1 else windows


def assess(
    visits: Visits, confounders: Confounders, histories: Histories, options: Hyperalgesia, *, error_variance: float
) -> list[Estimate]:
    """Rows of the primary estimate at both lags and both bounds of noise, and of their difference.

    The estimate per protocol and the blip at the long lag have a say in one reading only, hyperalgesia, and are made
    where all that it asks for besides is there: the verdict is the same as with them everywhere. Cost: two models of
    assignment and four of effects, then one of adherence and one of the blip; 0.5 to 1 s for 25,000 decisions.
    """
    decided = trial.escalations(visits, confounders, histories, options.escalation)
    if len(decided.taken) == 0:
        return []
    windows = [trial.window(decided, histories, span, options.escalation.grace_days) for span in lags(options)]
    fitted = _fit(decided, windows, error_variance)
    asked = escalation.question(options.step_mme)
    rows = [
        row
        for name, source in BOUNDS.items()
        for compared in fitted.compared[source]
        for row in contrast_rows(asked, compared, fitted.assigned[source], decided, method="aipw", name=name)
    ]
    rows += [escalation.long_less_short(asked, decided, fitted, name, source) for name, source in BOUNDS.items()]
    if not _may_be_hyperalgesia(rows, windows[-1].label, options.smallest_effect):
        return rows
    rows += _per_protocol(decided, histories, options, windows[-1], fitted.assigned[RECORDED])
    return rows + blip.estimates(blip.decide(decided, histories, options), histories, options)


def _fit(decided: Trial, windows: list[Window], error_variance: float) -> Fitted:
    assigned = {
        RECORDED: assign(decided, verb=ESCALATED),
        CORRECTED: assign(decided, verb=ESCALATED, error_variance=error_variance),
    }
    measured = [Measured(each.label, each.pain, each.mme, each.alive) for each in windows]
    compared = {
        source: [compare(decided, given, each, ESCALATED) for each in measured] for source, given in assigned.items()
    }
    compared[CORRECTED] = as_recorded(compared[CORRECTED], compared[RECORDED])
    return Fitted(assigned, compared)


def _per_protocol(
    decided: Trial, histories: Histories, options: Hyperalgesia, window: Window, assigned: Assigned
) -> list[Estimate]:
    (kept,) = adherence.followed(decided, histories, lags(options)[-1:], options.escalation)
    measured = Measured(kept.label, kept.pain, kept.mme, window.alive, kept.weight)
    compared = compare(decided, assigned, measured, ESCALATED)
    asked = escalation.question(options.step_mme)
    return contrast_rows(asked, compared, assigned, decided, method="aipw", name="per_protocol")


def _may_be_hyperalgesia(rows: list[Estimate], long: str, smallest_effect: float) -> bool:
    """Whether long lag and long minus short lag are as hyperalgesia asks, at both bounds of noise."""
    told = [row for row in rows if row.scale == PER_STEP and (row.window == long or row.analysis == VERDICT)]
    return all(
        row.estimate is not None
        and row.ci_low is not None
        and row.ci_low > 0
        and (row.analysis == VERDICT or row.estimate >= smallest_effect)
        for row in told
    )
