"""Display ``pain_escalation``: mean pain by 30-day month before and after the decision, by arm. Descriptive."""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints
from opioid_outcomes.hyperalgesia.trial import Trial

FIRST_MONTH, LAST_MONTH = -6, 12
SCHEMA = {
    "arm": pl.String(), "month": pl.Int64(), "persons": pl.Int64(), "mean": pl.Float64(), "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
}  # fmt: skip


def month_days(month: int, grace_days: int) -> tuple[int, int]:
    """Days from the visit, inclusive: month 0 is the visit itself, -1 the 30 days before, 1 the 30 days after it.

    No score between the visit and the last day of grace counts, as in the estimates.
    """
    if month == 0:
        return 0, 0
    if month < 0:
        return 30 * month, 30 * month + 29
    return max(30 * (month - 1) + 1, grace_days), 30 * month


def by_month(trial: Trial | None, histories: Histories | None, *, grace_days: int) -> pl.DataFrame:
    """Arm, month, persons, mean and 95 % limits clustered by person; a row for every month with a score."""
    rows: list[dict[str, object]] = []
    if trial is not None and histories is not None:
        person, visit = trial.visits.person, trial.visits.day
        for month in range(FIRST_MONTH, LAST_MONTH + 1):
            first, last = month_days(month, grace_days)
            end = np.minimum(visit + last, histories.exit[person] - 1)
            pain = histories.pain.mean(person, visit + first, end)
            for arm, chosen in (("escalate", trial.taken), ("maintain", ~trial.taken)):
                scored = chosen & np.isfinite(pain)
                if scored.any():
                    rows.append({"arm": arm, "month": month} | clustered_mean(pain[scored], person[scored]))
    frame = pl.DataFrame(rows, schema=SCHEMA)
    return frame.select(DISPLAYS["pain_escalation"].columns).sort("arm", "month")


def clustered_mean(values: Floats, person: Ints) -> dict[str, float | int | None]:
    """Mean with limits from the variance of the persons' sums of deviations (linearisation, t with G - 1)."""
    from scipy.stats import t

    persons, mean = int(np.count_nonzero(np.bincount(person))), float(values.mean())
    if persons < 2:
        return {"persons": persons, "mean": mean, "ci_low": None, "ci_high": None}
    sums = np.bincount(person, values - mean)
    variance = persons / (persons - 1) * float(np.einsum("i,i->", sums, sums)) / len(values) ** 2
    half = float(t.ppf(0.975, persons - 1)) * float(np.sqrt(variance))
    return {"persons": persons, "mean": mean, "ci_low": mean - half, "ci_high": mean + half}
