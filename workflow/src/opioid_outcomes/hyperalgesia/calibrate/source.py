"""What a calibration keeps of the study's own people, and what it learns from them.

Plasmode simulation: Franklin, Schneeweiss, Polinski & Rassen (2014) Computational Statistics & Data Analysis 72:219.

Kept: days of scores, follow-up, death, covariates, doses up to the first decision, days with supply after it. Pain and
later doses are simulated by the models fitted here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import visits
from opioid_outcomes.hyperalgesia.calibrate import carried, decisions, pain_model, ragged
from opioid_outcomes.hyperalgesia.calibrate.carried import Carried
from opioid_outcomes.hyperalgesia.calibrate.decisions import Decisions
from opioid_outcomes.hyperalgesia.calibrate.pain_model import PainModel
from opioid_outcomes.hyperalgesia.histories import Histories, ScoreHistory
from opioid_outcomes.hyperalgesia.person_days import MARGIN, Bools, Floats, Ints, PersonDays
from opioid_outcomes.hyperalgesia.visits import LONGEST_GAP, Visits

HISTORY_DAYS = 365  # scores so long before the first decision are simulated too: confounders look back 180 days
FEWEST_RISES = 20  # decisions to raise from which to learn how doses are raised


@dataclass(frozen=True)
class Stretches:
    """Spans of days [start, stop) of people, sorted; ``first``: row of each person's first, and the number of rows."""

    first: Ints
    start: Ints
    stop: Ints
    value: Floats  # MME/day, or the day since which; 0 where it has no meaning
    known: Bools


@dataclass(frozen=True)
class Source:
    """The people who make a decision, numbered 0, 1, ...; ``people`` is their index in the study's cohort."""

    histories: Histories
    people: Ints
    start: Ints  # day of the first decision
    dose: Floats  # MME/day before it
    visit_first: Ints  # row of each person's first visit
    visit_day: Ints
    decides: Bools  # by visit: supplied the day before, from the first decision on
    period: Ints  # by visit: number of long gaps in supply since the first decision
    begins: Ints  # by visit: day on which supply without a long gap begins
    ends: Ints  # by visit: and on which it ends
    past: Stretches  # doses before the first decision
    supply: Stretches  # days with supply from then on
    periods: Stretches  # the same joined over gaps that are not long
    on: Stretches  # days on opioids for analgesia, with the day since which
    carried: Carried  # covariates, by visit
    pain: PainModel
    decisions: Decisions
    stable_days: int  # of one dose before a decision

    @property
    def size(self) -> int:
        return len(self.people)


def build(
    histories: Histories, options: Hyperalgesia, *, error_variance: float, baseline: list[str], missing: str
) -> Source | str:
    """The study's people as the source of simulated cohorts, or why they cannot be."""
    chosen = visits.eligible(histories, stable_days=options.escalation.stable_days)
    if len(chosen.person) == 0:
        return "nobody on a stable dose reported pain"
    people, first_row = np.unique(chosen.person, return_index=True)
    start, dose = chosen.day[first_row], chosen.dose[first_row]
    number = np.full(len(histories.entry), -1, dtype=np.int64)
    number[people] = np.arange(len(people))
    scores = histories.pain
    row = np.flatnonzero(number[scores.person] >= 0)
    row = row[scores.day[row] >= start[number[scores.person[row]]] - HISTORY_DAYS]
    who, day, score = number[scores.person[row]], scores.day[row], scores.score[row]
    supply, past = _doses(histories, number, start)
    owner = np.repeat(np.arange(len(people)), np.diff(supply.first))
    periods = merged(owner, supply.start, supply.stop, len(people), gap=LONGEST_GAP)
    period, begins, ends = _periods(periods, start, who, day, histories.dose.days)
    decides = (day >= start[who]) & (ends > day) & (histories.dose.on_day(people[who], day - 1) > 0)
    model = _decisions(histories, chosen, ScoreHistory(scores.days, people[who], day, score), decides, options)
    if model is None or len(model.rises) < FEWEST_RISES:
        return "too few doses were raised to learn from how they are"
    known = Visits(people[who], day, score, np.zeros(len(day)), np.zeros(len(day)))
    return Source(
        histories=histories, people=people, start=start, dose=dose, visit_first=ragged.bounds(who, len(people)),
        visit_day=day, decides=decides, period=period, begins=begins, ends=ends, past=past, supply=supply,
        periods=periods, on=_on(histories, number),
        carried=carried.carry(known, histories, baseline=baseline, missing=missing),
        pain=pain_model.fit(who, day, score, len(people), error_variance), decisions=model,
        stable_days=options.escalation.stable_days,
    )  # fmt: skip


def _decisions(
    histories: Histories, eligible: Visits, scores: ScoreHistory, decides: Bools, options: Hyperalgesia
) -> Decisions | None:
    person, day, score = scores.person, scores.day, scores.score
    later = np.append(np.where(person[1:] == person[:-1], day[1:], np.iinfo(np.int64).max), np.iinfo(np.int64).max)
    days = histories.dose.days
    keys = days.key(person, day)
    steady = np.isin(keys, days.key(eligible.person, eligible.day))
    dose = histories.dose.on_day(person, day - 1)
    rows = decides & np.isfinite(dose) & (dose > 0)
    candidates = Visits(person, day, score, dose, histories.days_on(person, day)).rows(rows)
    return decisions.fit(candidates, later[rows], steady[rows], histories, options)


def decoded(days: PersonDays, key: Ints) -> tuple[Ints, Ints]:
    """Person and day of keys."""
    span = days.last - days.first + 1 + 2 * MARGIN
    return key // span, key % span + days.first - MARGIN


def _doses(histories: Histories, number: Ints, start: Ints) -> tuple[Stretches, Stretches]:
    """Days with supply from each person's first decision on, and the doses before it."""
    dose = histories.dose
    person, begin = decoded(dose.days, dose.start)
    stop = begin + dose.stop - dose.start
    chosen = number[person] >= 0
    who, begin, stop = number[person[chosen]], begin[chosen], stop[chosen]
    mme, known = dose.mme[chosen], dose.known[chosen]
    cut = start[who]
    early, late = begin < cut, stop > cut
    past = _stretches((who[early], len(start)), begin[early], np.minimum(stop, cut)[early], mme[early], known[early])
    supply = merged(who[late], np.maximum(begin, cut)[late], stop[late], len(start), gap=0)
    return supply, past


def merged(person: Ints, start: Ints, stop: Ints, people: int, *, gap: int) -> Stretches:
    """Sorted, disjoint spans joined over gaps of at most ``gap`` days."""
    new = np.ones(len(person), dtype=bool)
    new[1:] = (person[1:] != person[:-1]) | (start[1:] - stop[:-1] > gap)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(person)) - 1
    return _stretches(
        (person[first], people), start[first], stop[last], np.zeros(len(first)), np.ones(len(first), bool)
    )


def _stretches(owner: tuple[Ints, int], start: Ints, stop: Ints, value: Floats, known: Bools) -> Stretches:
    return Stretches(ragged.bounds(*owner), start, stop, value, known)


def _periods(periods: Stretches, start: Ints, who: Ints, day: Ints, days: PersonDays) -> tuple[Ints, Ints, Ints]:
    """By visit: which period of supply without a long gap it is in or after, and that period's first day and end."""
    keys = days.key(np.repeat(np.arange(len(start)), np.diff(periods.first)), periods.start)
    index = np.searchsorted(keys, days.key(who, day), side="right") - 1
    inside = index >= periods.first[who]
    at = np.clip(index, 0, max(len(keys) - 1, 0))
    if len(keys) == 0:
        return np.zeros(len(who), np.int64), start[who], start[who]
    number = np.where(inside, at - periods.first[who], 0)
    return number, np.where(inside, periods.start[at], start[who]), np.where(inside, periods.stop[at], start[who])


def _on(histories: Histories, number: Ints) -> Stretches:
    days = histories.dose.days
    person, start = decoded(days, histories.on_start)
    chosen = number[person] >= 0
    stop = start + histories.on_stop - histories.on_start
    return _stretches(
        (number[person[chosen]], int(number.max(initial=-1)) + 1), start[chosen], stop[chosen],
        histories.on_since[chosen].astype(float), np.ones(int(chosen.sum()), bool),
    )  # fmt: skip
