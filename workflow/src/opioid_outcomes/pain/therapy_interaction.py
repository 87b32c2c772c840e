"""``pain.therapy_interaction``: does what else is done for pain work less well on opioids than off them.

ANALYSES 1 (C8). Sequential trials at visits: a therapy that is begun within a week of a pain score, and before the next
one is told, as that would be a later decision, against visits of people who do not begin it; apart for people on and
off opioids on that day, then one minus the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.causal.augmented import Effects
from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia import confounders
from opioid_outcomes.hyperalgesia.histories import NEVER, Histories, numbered
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.visits import Visits
from opioid_outcomes.mortality.numbered import numbered as with_number
from opioid_outcomes.pain import att
from opioid_outcomes.pain.att import Compared, Decisions
from opioid_outcomes.survival.products import cross
from opioid_outcomes.units import DAYS_PER_YEAR

ANALYSIS = "pain.therapy_interaction"
THERAPIES = ("exercise", "acupuncture", "mind_body")
NEW_DAYS = 180  # without a contact before it, a contact is a start
GRACE_DAYS = 7  # after the visit, within which a therapy is begun; no score before its end counts
LAST = 90
STATES = ("on", "off")
DESIGN = "begun within a week of a score, against not then, whatever is begun later"


@dataclass(frozen=True)
class Contacts:
    """Days of contact with one therapy, sorted keys of (person, day)."""

    keys: Ints

    def any(self, histories: Histories, person: Ints, first: Ints, last: Ints) -> Bools:
        """Whether there is a contact on the days first..last."""
        days = histories.dose.days
        low = np.searchsorted(self.keys, days.key(person, first), side="left")
        return np.asarray(np.searchsorted(self.keys, days.key(person, last), side="right") > low)


def therapy_interaction(
    histories: Histories, status: pl.DataFrame, therapies: pl.DataFrame, *, baseline: list[str], missing: str
) -> list[Estimate]:
    """Effects on mean pain in the 90 days after a start, on and off opioids, and the difference, by therapy.

    status: OPIOID_STATUS; visits in treatment of opioid use disorder, or where use is not known, are in neither state.
    Rows whose gate says why where it cannot be told. Cost: the covariates of every pain visit once, and two logistic
    regressions per therapy and state.
    """
    if therapies.is_empty():
        return [row for therapy in THERAPIES for row in nothing(therapy, "not evaluable: no therapies are recorded")]
    contacts = {therapy: _contacts(therapies, therapy, histories) for therapy in THERAPIES}
    if not any(len(each.keys) for each in contacts.values()):
        why = "not evaluable: none of the cohort has the therapy"
        return [row for therapy in THERAPIES for row in nothing(therapy, why)]
    visits = _visits(histories)
    neither = _elsewhere(status, histories, visits)
    on = np.isfinite(visits.days_on)
    states = {"on": on & ~neither, "off": ~on & ~neither}
    frame = confounders.at_visits(visits, histories, baseline)
    columns, kept = att.covariates(frame, baseline, missing, len(visits.person))
    shared = confounders.pain_terms(visits, histories.pain)[0] | {
        "dose": np.nan_to_num(visits.dose), "dose unknown": np.isnan(visits.dose),
        "years on opioids": np.where(on, np.nan_to_num(visits.days_on), 0.0) / DAYS_PER_YEAR,
        "years since entry": (visits.day - histories.entry[visits.person]) / DAYS_PER_YEAR,
        **{f"{name} in {NEW_DAYS} days": _recent(contacts[name], histories, visits) for name in THERAPIES},
    }  # fmt: skip
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in shared.items()} | columns
    words = "; ".join([DESIGN, *att.on_missing(frame, baseline, missing)])
    rows: list[Estimate] = []
    for therapy in THERAPIES:
        if not len(contacts[therapy].keys):
            rows += nothing(therapy, "not evaluable: none of the cohort has the therapy")
            continue
        last = visits.day + GRACE_DAYS
        fresh = kept & ~_recent(contacts[therapy], histories, visits) & (histories.exit[visits.person] > last)
        begun = contacts[therapy].any(histories, visits.person, visits.day, np.minimum(last, _next(visits) - 1))
        own = {name: values for name, values in columns.items() if name != f"{therapy} in {NEW_DAYS} days"}
        rows += _therapy(therapy, [_state(histories, visits, own, begun, fresh & states[s]) for s in STATES], words)
    return rows


def nothing(therapy: str, gate: str) -> list[Estimate]:
    """The rows of a therapy of which nothing can be told, with the reason as their gate."""
    return [replace(_row(therapy, what), gate=gate) for what in (*STATES, "difference")]


@dataclass(frozen=True)
class _State:
    """What is found in one state; ``persons``: ids behind the codes of its influences."""

    found: Compared
    persons: Ints
    note: str


def _row(therapy: str, what: str) -> Estimate:
    name = therapy.replace("_", "-")
    if what == "difference":
        contrast, population = f"{name}: on minus off opioids", "chronic pain (ATT)"
    else:
        contrast, population = f"{name} vs none, {what} opioids", f"chronic pain, {what} opioids (ATT)"
    return Estimate(
        analysis=ANALYSIS, method="aipw", population=population, outcome="pain", contrast=contrast,
        window=f"1-{LAST}", scale="mean_difference", gate="not evaluable: not estimated",
    )  # fmt: skip


def _state(histories: Histories, visits: Visits, columns: dict[str, Floats], begun: Bools, rows: Bools) -> _State:
    person, day = visits.person[rows], visits.day[rows]
    if not len(person):
        return _State(Compared(None, "not evaluable: nobody is in this state with a score", {}), person, "")
    x = np.column_stack([values[rows] for values in columns.values()])
    decisions = Decisions(person, person, begun[rows], x, [*columns], np.ones(len(person)))
    until = day + LAST
    pain = histories.pain.mean(person, day + GRACE_DAYS, np.minimum(until, histories.exit[person] - 1))
    alive = np.isfinite(pain) | (histories.death[person] > until)
    found = att.compare(decisions, att.assign(decisions), pain, alive, before=visits.pain[rows])
    change, scored = pain - visits.pain[rows], np.isfinite(pain)
    means = [
        float(change[scored & arm].mean()) if (scored & arm).any() else np.nan
        for arm in (decisions.treated, ~decisions.treated)
    ]
    note = f"mean change since the visit {means[0]:+.2f} with the therapy, {means[1]:+.2f} without"
    return _State(found, np.unique(person), note)


def _therapy(therapy: str, states: list[_State], words: str) -> list[Estimate]:
    rows = []
    for what, state in zip(STATES, states, strict=True):
        row, effects = replace(_row(therapy, what), **state.found.counts), state.found.effects
        if effects is None:
            rows.append(replace(row, gate=state.found.gate))
            continue
        note = f"{state.note}; {words}; pain while alive; weights for having a score; SE by person"
        rows.append(with_number(replace(row, note=note), effects.joint("aipw").combination(np.ones(1))))
    row = _row(therapy, "difference")
    counts = [state.found.counts for state in states]
    row = replace(row, smallest_cell=smallest(*(each.get("smallest_cell") for each in counts)))
    row = replace(row, persons=sum(each.get("persons") or 0 for each in counts))
    found = [(state.found.effects, state.persons) for state in states if state.found.effects is not None]
    if len(found) < len(STATES):
        return [*rows, replace(row, gate="not evaluable: the effect is not told in both states")]
    both = together(found).combination(np.array([1.0, -1.0]))
    note = f"above 0: the therapy takes less pain away on opioids; {words}; one person's two states in one error"
    return [*rows, with_number(replace(row, note=note), both)]


def together(found: list[tuple[Effects, Ints]]) -> Joint:
    """Effects of samples that share people, with the covariance of sums by person over all of them.

    found: effects on one outcome, and the people (sorted) behind the codes of their influences.
    """
    everybody = np.unique(np.concatenate([persons for _, persons in found]))
    influence = np.zeros((len(everybody), len(found)))
    for column, (effects, persons) in enumerate(found):
        factor = np.sqrt(effects.people / max(effects.people - 1, 1))
        influence[np.searchsorted(everybody, persons), column] = factor * effects.influence("aipw")[:, 0]
    return Joint(np.array([effects.values("aipw")[0] for effects, _ in found]), cross(influence, influence))


def _contacts(therapies: pl.DataFrame, therapy: str, histories: Histories) -> Contacts:
    mine = therapies.filter(pl.col("therapy") == therapy).join(numbered(histories.cohort), on="person_id")
    person, day = (mine[name].cast(pl.Int64).to_numpy() for name in ("person", "date"))
    return Contacts(np.unique(histories.dose.days.key(person, day)))


def _visits(histories: Histories) -> Visits:
    pain = histories.pain
    followed = (histories.entry[pain.person] <= pain.day) & (pain.day < histories.exit[pain.person])
    person, day = pain.person[followed], pain.day[followed]
    dose = histories.dose.on_day(person, day - 1)
    return Visits(person, day, pain.score[followed], dose, histories.days_on(person, day))


def _next(visits: Visits) -> Ints:
    """Day of the person's next visit; a day that never comes where there is none."""
    same = visits.person[1:] == visits.person[:-1]
    return np.append(np.where(same, visits.day[1:], NEVER), NEVER)[: len(visits.day)]


def _recent(contacts: Contacts, histories: Histories, visits: Visits) -> Bools:
    """Whether there was a contact in the days before the visit."""
    return contacts.any(histories, visits.person, visits.day - NEW_DAYS, visits.day - 1)


def _elsewhere(status: pl.DataFrame, histories: Histories, visits: Visits) -> Bools:
    """Visits in treatment of opioid use disorder, or where use is not known."""
    rows = status.filter(pl.col("state").cast(pl.String).is_in(["treatment", "unknown"]))
    rows = rows.join(numbered(histories.cohort), on="person_id").sort("person", "start")
    person, start, stop = (rows[name].cast(pl.Int64).to_numpy() for name in ("person", "start", "stop"))
    days = histories.dose.days
    begins, ends, keys = days.key(person, start), days.key(person, stop), days.key(visits.person, visits.day)
    place = np.searchsorted(begins, keys, side="right") - 1
    if not len(begins):
        return np.zeros(len(keys), dtype=bool)
    return (place >= 0) & (ends[np.maximum(place, 0)] > keys)
