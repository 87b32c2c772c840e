"""``hyperalgesia.event_study``: pain month by month around the first escalation, shown as the wrong answer it is.

A rise before it is expected, as people escalate because it hurts: then the trends were not parallel, and what follows
is no effect (METHODS D3.3).
"""

from __future__ import annotations

import numpy as np

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia import fixed_effects
from opioid_outcomes.hyperalgesia.escalation import FEWEST_PER_ARM, POPULATION, people
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints
from opioid_outcomes.hyperalgesia.trial import Trial
from opioid_outcomes.hyperalgesia.variation import unvaried

ANALYSIS = "hyperalgesia.event_study"
CONTRAST = "escalate vs not yet"
GATE = "fail: by design: pain rises before people escalate, so their course would have differed anyway"
MONTH = 30
FIRST, LAST = -180, 360  # days from the first escalation between which months are told
REFERENCE = -30  # first day of the month that the others are compared with
BEGINS = [day for day in range(FIRST, LAST, MONTH) if day != REFERENCE]
LABELS = [f"{day}-{day + MONTH - 1}" for day in BEGINS]
LEADS = [place for place, day in enumerate(BEGINS) if day < 0]


def empty(gate: str) -> list[Estimate]:
    """The rows of an analysis that cannot be made."""
    return [_row(label, gate=gate) for label in LABELS]


def estimates(trial: Trial, histories: Histories) -> list[Estimate]:
    """Pain in each 30 days before and after a person's first escalation, against the 30 days before it.

    Least squares with effects of person and of 30-day block of time on all scores in follow-up of the trial's people;
    who never escalated is the control of what time does. Days further off than are told have a term of their own.
    Cost: as ``fixed_effects.fit`` with 19 columns.
    """
    person, day, score, since = _scores(trial, histories)
    if len(person) == 0:
        return empty("not evaluable: nobody has a score in follow-up")
    months = [(since >= begin) & (since < begin + MONTH) for begin in BEGINS]
    columns = np.stack([*months, since < FIRST, since >= LAST], axis=1)
    escalated, never = [people(person[month]) for month in months], people(person[np.isnan(since)])
    fit = fixed_effects.fit(
        score, columns, names=[*LABELS, "earlier", "later"], person=person, period=day // MONTH
    )  # fmt: skip
    told = [place for place, count in enumerate(escalated) if count >= FEWEST_PER_ARM]
    note = "" if fit is None else _note(fit.joint_p_value([place for place in LEADS if place in told]))
    constant = unvaried(fixed_effects.about_person(score, person))
    rows = []
    for place, label in enumerate(LABELS):
        count = escalated[place]
        counts = {"persons": people(person), "events": count, "smallest_cell": smallest(count, never)}
        if place not in told:
            gate = f"not evaluable: fewer than {FEWEST_PER_ARM} people who escalate have a score in these days"
            rows.append(_row(label, gate=gate, **counts))
        elif constant:
            rows.append(_row(label, gate=constant, **counts))
        elif fit is None or label in fit.dropped:
            rows.append(_row(label, gate="not evaluable: the other months and time tell this one", **counts))
        else:
            rows.append(_row(label, gate=GATE, note=note, **fit.numbers(place), **counts))
    return rows


def _scores(trial: Trial, histories: Histories) -> tuple[Ints, Ints, Floats, Floats]:
    """Person, day and value of the scores in follow-up of the trial's people, and days since the first escalation.

    These are NaN in people who never escalated. The score at the visit itself counts as the first day after.
    """
    persons = len(histories.entry)
    first = np.full(persons, np.inf)
    np.minimum.at(first, trial.visits.person[trial.taken], trial.visits.day[trial.taken].astype(np.float64))
    inside = np.zeros(persons, dtype=bool)
    inside[trial.visits.person] = True
    pain = histories.pain
    kept = inside[pain.person] & (histories.entry[pain.person] <= pain.day) & (pain.day < histories.exit[pain.person])
    person, day = pain.person[kept], pain.day[kept]
    since = np.where(np.isfinite(first[person]), day - first[person], np.nan)
    return person, day, pain.score[kept], since


def _note(p_value: float) -> str:
    if not np.isfinite(p_value):
        return "months before not told together"
    told = "below 0.001" if p_value < 0.001 else f"{p_value:.3f}"
    return f"reference: days {REFERENCE} to {REFERENCE + MONTH - 1}; all earlier months 0: p {told}"


def _row(label: str, **values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method="fixed_effects", population=POPULATION, outcome="pain", contrast=CONTRAST,
        window=label, scale="mean_difference", **values,  # type: ignore[arg-type]
    )  # fmt: skip
