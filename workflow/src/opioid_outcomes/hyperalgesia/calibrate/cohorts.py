"""One cohort of people drawn from the study's own, in a world whose effects are known.

Vectorised over people, with one loop over visits; nobody's future decides on what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from opioid_outcomes.hyperalgesia.calibrate import ragged
from opioid_outcomes.hyperalgesia.calibrate.source import Source, Stretches
from opioid_outcomes.hyperalgesia.calibrate.worlds import MONTH, World
from opioid_outcomes.hyperalgesia.histories import DoseHistory, Histories, ScoreHistory
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.trial import EscalationRule
from opioid_outcomes.hyperalgesia.visits import LONGEST_GAP

NEVER = np.iinfo(np.int64).max // 4
SEEN_ODDS = 1.4  # log odds of coming at the usual pain, where coming depends on it: four visits of five


@dataclass(frozen=True)
class Draws:
    """Every random number of a cohort, so that lives that differ in one decision share them. (people,) or by visit."""

    chosen: Ints  # who of the source
    usual: Floats
    flare: Floats
    error: Floats
    up: Floats
    down: Floats
    come: Floats
    rise: Floats
    delay: Floats

    @classmethod
    def of(cls, source: Source, people: int, rng: np.random.Generator) -> Draws:
        """People with replacement, those with most visits first: who is still seen is then a leading block."""
        chosen = rng.integers(0, source.size, people)
        count = np.diff(source.visit_first)[chosen]
        chosen = chosen[np.argsort(-count, kind="stable")]
        shape = (people, int(count.max(initial=0)))
        normal = [rng.standard_normal(shape) for _ in range(2)]
        return cls(chosen, rng.standard_normal(people), *normal, *(rng.random(shape) for _ in range(5)))


@dataclass(frozen=True)
class Changes:
    """Changes of the dose, in no order."""

    person: Ints
    day: Ints
    level: Floats  # MME/day from that day on
    until: Ints  # day up to which there is supply whatever the study's own: a rise counts once it is dispensed


@dataclass(frozen=True)
class Lived:
    """What happened, by person and visit of the source; ``histories`` of it is made by ``as_histories``."""

    source: Source
    chosen: Ints
    day: Ints
    score: Floats  # NaN where nobody came
    chance: Floats  # of raising the dose; 0 where it could not be
    raised: Bools
    changes: Changes

    def place(self, person: Ints, day: Ints) -> Ints:
        """Which of the person's visits was on that day, counted from 0; there must be one."""
        days = self.source.histories.dose.days
        who, visit = np.nonzero(self.day < NEVER)
        return visit[np.searchsorted(days.key(who, self.day[who, visit]), days.key(person, day))]

    def row(self, person: Ints, day: Ints) -> Ints:
        """The same as a row of the source's visits."""
        return self.source.visit_first[self.chosen[person]] + self.place(person, day)


@dataclass(frozen=True)
class Forced:
    """By person one visit at which the dose is raised, or not, whatever the chance."""

    visit: Ints
    raised: bool


def live(
    source: Source, world: World, draws: Draws, rule: EscalationRule, *, step_mme: float, forced: Forced | None = None
) -> Lived:
    """Pain, scores and doses of everybody, visit after visit. Cost: visits x people; 0.1 s for 5,000 x 24."""
    return _Clinic(source, world, draws, rule=rule, step_mme=step_mme, forced=forced).run()


class _Clinic:
    def __init__(
        self,
        source: Source,
        world: World,
        draws: Draws,
        *,
        rule: EscalationRule,
        step_mme: float,
        forced: Forced | None,
    ) -> None:
        self.source, self.world, self.draws, self.rule, self.step, self.forced = (
            source, world, draws, rule, step_mme, forced,
        )  # fmt: skip
        first = source.visit_first
        _, row = ragged.take(first, draws.chosen)
        count = np.diff(first)[draws.chosen]
        own = np.concatenate([[0], np.cumsum(count)])
        grids = ragged.padded(
            [array[row] for array in (source.visit_day, source.decides, source.period, source.begins, source.ends)],
            own, [NEVER, False, 0, 0, 0],
        )  # fmt: skip
        self.day, self.decides, self.period, self.begins, self.ends = grids
        self.seen = np.searchsorted(-count, -np.arange(self.day.shape[1]), side="left")  # people with a visit so late
        share = self._true_share()
        self.decisions = source.decisions.on_true_pain(share) if world.by_true_pain else source.decisions
        self.level = source.dose[draws.chosen].copy()
        self.usual_dose = source.dose[draws.chosen]
        self.changed = np.full(len(count), -NEVER)
        self.at_period = np.zeros(len(count), dtype=np.int64)
        self.effect = np.zeros(self.day.shape) if not world.inert else np.zeros((len(count), 0))
        self.score = np.full(self.day.shape, np.nan)
        self.chance = np.zeros(self.day.shape)
        self.raised = np.zeros(self.day.shape, dtype=bool)
        self.changes: list[tuple[Ints, Ints, Floats, Ints]] = []

    def _true_share(self) -> float:
        pain = self.source.pain
        true = pain.between + pain.flare
        return true / (true + pain.error + pain.unit**2 / 12) if true > 0 else 1.0

    def run(self) -> Lived:
        pain, draws = self.source.pain, self.draws
        usual = pain.usual[draws.chosen] + pain.usual_sd[draws.chosen] * draws.usual
        flare = np.sqrt(pain.flare) * draws.flare[:, 0] if self.day.shape[1] else np.zeros(0)
        for visit, seen in enumerate(self.seen):
            if visit:
                kept = pain.correlation ** ((self.day[:seen, visit] - self.day[:seen, visit - 1]) / MONTH)
                fresh = np.sqrt(pain.flare * (1 - kept**2)) * draws.flare[:seen, visit]
                flare = kept * flare[:seen] + fresh
            true = usual[:seen] + flare[:seen]
            if not self.world.inert:
                true = true + self.effect[:seen, visit]
            self._visit(visit, true)
        none = np.zeros(0, np.int64)
        who, day, level, until = zip((none, none, np.zeros(0), none), *self.changes, strict=True)
        changes = Changes(np.concatenate(who), np.concatenate(day), np.concatenate(level), np.concatenate(until))
        return Lived(self.source, draws.chosen, self.day, self.score, self.chance, self.raised, changes)

    def _visit(self, visit: int, true: Floats) -> None:
        pain, draws, seen = self.source.pain, self.draws, len(true)
        score = pain.recorded(true + np.sqrt(pain.error) * draws.error[:seen, visit])
        comes = np.ones(seen, dtype=bool)
        if self.world.informative:
            arm = self.level[:seen] > self.usual_dose[:seen]
            odds = SEEN_ODDS + self.world.visits_by_pain * (true - pain.mean) + self.world.visits_by_arm * arm
            comes = draws.come[:seen, visit] < 1 / (1 + np.exp(-odds))
        self.score[:seen, visit] = np.where(comes, score, np.nan)
        who = np.flatnonzero(self.decides[:seen, visit] & comes)
        if len(who):
            self._new_periods(who, visit)
            self._decide(who, visit, (true if self.world.by_true_pain else score)[who])

    def _new_periods(self, who: Ints, visit: int) -> None:
        """After a long gap the dose is what it was before the first decision, and its days count anew."""
        begun = who[self.period[who, visit] != self.at_period[who]]
        self.at_period[begun] = self.period[begun, visit]
        self.level[begun] = self.usual_dose[begun]
        self.changed[begun] = self.begins[begun, visit]

    def _decide(self, who: Ints, visit: int, pain: Floats) -> None:
        decisions, draws, today = self.decisions, self.draws, self.day[who, visit]
        level = self.level[who]
        steady = (today - self.changed[who] >= self.source.stable_days) & (level > 0)
        free = today >= self.changed[who]  # no change is under way
        least = np.maximum(self.rule.min_mme, self.rule.min_rise * level)
        possible = free & (level + least <= decisions.highest)
        chance = np.where(possible, decisions.chance(pain, level, steady), 0.0)
        up = draws.up[who, visit] < chance
        if self.forced is not None:
            up = np.where(self.forced.visit[who] == visit, self.forced.raised & possible, up)
        self.chance[who, visit], self.raised[who, visit] = chance, up
        rise = decisions.rises[_index(draws.rise[who, visit], len(decisions.rises))]
        rise = np.clip(np.maximum(rise, least), None, np.maximum(decisions.highest - level, least))
        down = free & ~up & (draws.down[who, visit] < decisions.fall_share)
        left = level * (decisions.falls[_index(draws.rise[who, visit], len(decisions.falls))] if down.any() else 1.0)
        delay = decisions.delays[_index(draws.delay[who, visit], len(decisions.delays))]
        # what comes after the next score is, in the study as here, the decision of that visit
        if visit + 1 < self.day.shape[1]:
            delay = np.minimum(delay, self.day[who, visit + 1] - 1 - today)
        dispensed = np.minimum(today + self.rule.grace_days + 1, self.ends[who, visit] + LONGEST_GAP)
        moved, until = up | down, np.where(up, dispensed, today)
        self._change(who[moved], visit, (today + delay)[moved], np.where(up, level + rise, left)[moved], until[moved])

    def _change(self, who: Ints, visit: int, day: Ints, level: Floats, until: Ints) -> None:
        """The dose is another from ``day`` until supply ends, and pain answers to both."""
        if len(who) == 0:
            return
        if not self.world.inert:
            steps = (level - self.level[who]) / self.step
            later, ends = self.day[who, visit + 1 :], np.maximum(self.ends[who, visit], day)
            effect = self.world.effect((later - day[:, None]).astype(float))
            effect -= self.world.effect((later - ends[:, None]).astype(float))
            self.effect[who, visit + 1 :] += steps[:, None] * effect
        self.level[who], self.changed[who] = level, day
        self.changes.append((who, day, level, until))


def _index(uniform: Floats, length: int) -> Ints:
    return (uniform * length).astype(np.int64)


def as_histories(lived: Lived) -> Histories:
    """The cohort as the study's own estimators read one. Cost: O(scores + stretches), no table in between."""
    source, chosen = lived.source, lived.chosen
    histories, people = source.histories, source.people[chosen]
    days = histories.dose.days
    person, visit = np.nonzero(np.isfinite(lived.score))
    owner, row = ragged.take(source.on.first, chosen)
    return replace(
        histories,
        cohort=histories.cohort[people],
        entry=histories.entry[people],
        exit=histories.exit[people],
        death=histories.death[people],
        dose=_doses(lived),
        pain=ScoreHistory(days, person, lived.day[person, visit], lived.score[person, visit]),
        on_start=days.key(owner, source.on.start[row]),
        on_stop=days.key(owner, source.on.stop[row]),
        on_since=source.on.value[row].astype(np.int64),
    )


def _doses(lived: Lived) -> DoseHistory:
    """Doses of the study up to the first decision, and from then on the simulated ones while there is supply."""
    source, chosen, changes = lived.source, lived.chosen, lived.changes
    days = source.histories.dose.days
    begin, end = _supply(lived)
    inside = np.searchsorted(begin, days.key(changes.person, changes.day), side="right") - 1
    at = np.maximum(inside, 0)
    cuts = (inside >= 0) & (end[at] > days.key(changes.person, changes.day)) if len(end) else inside > 0
    new_begin = np.concatenate([begin, days.key(changes.person[cuts], changes.day[cuts])])
    new_end = np.concatenate([end, end[at[cuts]]])
    order = np.argsort(new_begin, kind="stable")
    new_begin, new_end = new_begin[order], new_end[order]
    new_end[:-1] = np.minimum(new_end[:-1], new_begin[1:])
    some = new_end > new_begin
    new_begin, new_end = new_begin[some], new_end[some]
    level = _levels(lived, new_begin)
    past, row = ragged.take(source.past.first, chosen)
    early = days.key(past, source.past.start[row]), days.key(past, source.past.stop[row])
    starts = np.concatenate([early[0], new_begin])
    order = np.argsort(starts, kind="stable")
    return DoseHistory(
        days,
        starts[order],
        np.concatenate([early[1], new_end])[order],
        np.concatenate([source.past.value[row], level])[order],
        np.concatenate([source.past.known[row], np.ones(len(level), dtype=bool)])[order],
    )


def _supply(lived: Lived) -> tuple[Ints, Ints]:
    """Keys of the days with supply: the study's, and those for which a rise was dispensed. Disjoint, in order.

    Without the latter nobody who has run out could raise, and who raised would have more supply than who did not for
    no reason that their histories tell.
    """
    source, chosen, changes = lived.source, lived.chosen, lived.changes
    days = source.histories.dose.days
    owner, start, stop = _spans(source.supply, chosen)
    risen = changes.until > changes.day
    begin = np.concatenate([days.key(owner, start), days.key(changes.person[risen], changes.day[risen])])
    end = np.concatenate([days.key(owner, stop), days.key(changes.person[risen], changes.until[risen])])
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    first = np.flatnonzero(np.append(True, begin[1:] > end[:-1])[: len(begin)])
    return begin[first], end[np.append(first[1:], len(begin)) - 1] if len(begin) else end


def _spans(stretches: Stretches, chosen: Ints) -> tuple[Ints, Ints, Ints]:
    owner, row = ragged.take(stretches.first, chosen)
    return owner, stretches.start[row], stretches.stop[row]


def _levels(lived: Lived, begin: Ints) -> Floats:
    """MME/day at each key: that of the last change before it within the same period of supply."""
    source, chosen, changes = lived.source, lived.chosen, lived.changes
    days = source.histories.dose.days
    owner, start, _ = _spans(source.periods, chosen)
    key = np.concatenate([days.key(owner, start), days.key(changes.person, changes.day)])
    level = np.concatenate([source.dose[chosen][owner], changes.level])
    order = np.argsort(key, kind="stable")  # a change on the first day of a period comes after it
    return level[order][np.searchsorted(key[order], begin, side="right") - 1]
