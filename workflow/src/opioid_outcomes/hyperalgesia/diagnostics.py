"""Display ``escalation_diagnostics``: who stands behind the contrast in each window, by arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.hyperalgesia.compared import people
from opioid_outcomes.hyperalgesia.fitted import RECORDED, Fitted
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.survivors import survival
from opioid_outcomes.hyperalgesia.trial import Trial, Window

DISPLAY = "escalation_diagnostics"


def table(trial: Trial, histories: Histories, windows: Sequence[Window], fitted: Fitted) -> pl.DataFrame:
    """One row per window and arm; means are those of the arm as it is, except dose and dead of who maintained, which
    are weighted as the contrast is. Empty where no assignment could be fitted."""
    rows = [row for place in range(len(windows)) for row in _rows(trial, histories, windows, fitted, place)]
    display = DISPLAYS[DISPLAY]
    return pl.DataFrame(rows, schema=display.schema).select(display.empty().columns)


def _rows(
    trial: Trial, histories: Histories, windows: Sequence[Window], fitted: Fitted, place: int
) -> list[dict[str, object]]:
    window, compared, assigned = windows[place], fitted.compared[RECORDED][place], fitted.assigned[RECORDED]
    if compared.outcome is None or assigned.assignment is None:
        return []
    odds, person = assigned.assignment.odds, trial.visits.person
    alive = survival(trial, window, histories, odds, int(window.label.split("-")[1]))
    rows: list[dict[str, object]] = []
    for number, (arm, mine) in enumerate((("maintain", ~trial.taken), ("escalate", trial.taken))):
        scored = mine & np.isfinite(window.pain)
        dosed = mine & np.isfinite(window.mme) & np.isfinite(window.pain)
        weight = odds[dosed]
        rows.append({
            "window": window.label, "arm": arm,
            "persons": people(person[scored]),
            "deaths": people(person[mine & ~window.alive]),
            "persons_unseen": people(person[mine & window.alive & ~np.isfinite(window.pain)]),
            "ess": compared.outcome.ess[number],
            "observed": compared.outcome.observation[number],
            "change": float(np.mean(window.pain[scored] - trial.visits.pain[scored])),
            "mme": float((weight * window.mme[dosed]).sum() / weight.sum()) if weight.sum() > 0 else None,
            "largest_smd": assigned.smd if assigned.smd is not None and np.isfinite(assigned.smd) else None,
            "dead": 1 - alive.alive[number],
        })  # fmt: skip
    return rows
