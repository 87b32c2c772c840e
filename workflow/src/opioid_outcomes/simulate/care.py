"""Care, day by day: visits, pain, prescriptions, fills, stays. Vectorised over persons; the loop is over days.

Pain follows METHODS D2: person mean + AR(.6 a month) flare + for every past change of the prescribed dose a blip that
depends on the months since it. Whoever decides on a dose sees the recorded score (in some worlds the pain itself) and
the present dose, nothing else, so that adjusting for these two suffices. Some doses are lowered by a rule, whatever the
pain; other therapies relieve pain for ``THERAPY_DAYS``, less on opioids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from opioid_outcomes.simulate.draws import NEVER, Draws
from opioid_outcomes.simulate.drugs import OPIOIDS
from opioid_outcomes.simulate.people import MONTH, People
from opioid_outcomes.simulate.world import World

STEPS = 40  # dose changes remembered per person; whoever has had so many changes no more
CAP_DAYS = 30.0  # stockpile cap, CONTRACT 7
DAY_EPSILON = 1e-6
STABLE_DAYS = 90
WASHOUT_DAYS = 180
CEILING_MME = 150.0
LEAST_RISE = 0.2  # a smaller one would not count as an escalation
DOSE_CAUTION = 0.3  # fall of the log odds of escalating per 20 MME already taken
# Chosen so that about half of 5,000 people ever use opioids, a third of them long enough to be on a stable dose.
PREVALENT = 2.4  # log odds of use on the first day, above those of starting at a visit
LONG_TERM_SHARE = 0.6  # of those who start
STOP, TAPER, SHORT_TERM_STOP = 0.012, 0.006, 0.5  # chances per visit, whatever the pain
STEP_DOWN = 0.003  # of a taper that goes on, a step with each refill, until nothing is left
LEAST_LEFT = 15.0  # MME/day below which no step but the smallest is taken off
THERAPIES = ("exercise", "acupuncture", "mind_body")
THERAPY_DAYS = 90
THERAPY_RELIEF = 1.0  # points off opioids
THERAPY_ODDS, THERAPY_PAIN = -4.4, 0.15  # log odds of one at a visit at pain 5, and more of them for a point
RECENTLY_RAISED = 90  # days

MME = np.array([product.mme for product in OPIOIDS])
START = np.array([product.start for product in OPIOIDS])
STEP = np.array([product.step for product in OPIOIDS])
FALL = np.array([product.fall for product in OPIOIDS])
DAYS = np.array([product.days for product in OPIOIDS])
LONG_SHARES = np.cumsum([product.long_term for product in OPIOIDS])
SHORT_SHARES = np.cumsum([product.short_term for product in OPIOIDS])


def expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def blip(months: np.ndarray, world: World) -> np.ndarray:
    """Effect on pain of a +20 MME step so many months ago (METHODS D2); nothing before it, full relief at once."""
    relief = -world.tolerance * np.exp(-np.maximum(months - 1, 0) / 2) + world.lasting
    return np.where(months > 0, relief + harm(months, world), 0.0)


def harm(months: np.ndarray, world: World) -> np.ndarray:
    """The part of ``blip`` that is hyperalgesia."""
    return np.asarray(world.hyperalgesia * -np.expm1(-np.maximum(months, 0) / 3))


@dataclass(frozen=True)
class Forced:
    """For each person one visit at which the decision, to escalate, to start or to lower by a rule, is set."""

    visit: np.ndarray
    taken: bool
    decision: Literal["escalate", "start", "reduce"] = "escalate"


@dataclass(frozen=True)
class Fills:
    """One row per fill, sorted by person and day; ``end`` is the real-valued end of supply with stockpiling."""

    person: np.ndarray
    day: np.ndarray
    product: np.ndarray
    units: np.ndarray  # per day
    days_supply: np.ndarray
    end: np.ndarray
    held: np.ndarray  # days in hospital while the supply lasted, by which it ends later

    @property
    def stop(self) -> np.ndarray:
        return np.floor(self.end + DAY_EPSILON).astype(np.int64)

    @property
    def mme(self) -> np.ndarray:
        return self.units * MME[self.product]

    @property
    def next_day(self) -> np.ndarray:
        """The day on which the person's next fill takes over."""
        following = np.append(self.day[1:], NEVER)
        return np.where(np.append(self.person[1:], -1) == self.person, following, NEVER)


@dataclass(frozen=True)
class Care:
    """What happened: scores and decisions by person and visit, and the fills."""

    day: np.ndarray
    pain: np.ndarray  # as felt; nan where not seen
    sensitised: np.ndarray  # the points of it that are hyperalgesia
    score: np.ndarray  # recorded, 0-10; nan where not seen
    probability: np.ndarray  # of escalating, given score (or pain) and dose; 0 where it could not happen
    escalated: np.ndarray
    eligible: np.ndarray  # long-term, dose unchanged for 90 days, no long gap
    start_probability: np.ndarray  # of starting opioids
    may_start: np.ndarray  # after entry, with ``WASHOUT_DAYS`` without supply
    therapy: np.ndarray  # number in ``THERAPIES``; -1 none
    reducible: np.ndarray  # a rule could have lowered the dose, unchanged for 90 days
    reduced: np.ndarray  # a rule has lowered it
    fills: Fills
    admission: np.ndarray  # as in ``Draws``
    stay_days: np.ndarray


class _Clinic:
    """The state of all people on one day; ``run`` walks the days."""

    def __init__(self, people: People, draws: Draws, world: World, forced: Forced | None) -> None:
        n = people.n
        self.people, self.draws, self.world, self.forced = people, draws, world, forced
        self.visit = np.zeros(n, dtype=np.int64)
        self.units = np.zeros(n)  # as last dispensed
        self.prescribed = np.zeros(n)  # as last decided; 0: no opioid
        self.product = np.zeros(n, dtype=np.int64)
        self.long_term = np.zeros(n, dtype=bool)
        self.days_supply = np.zeros(n, dtype=np.int64)
        self.end = np.full(n, -1.0)
        self.due = np.full(n, NEVER, dtype=np.int64)
        self.changed = np.full(n, NEVER, dtype=np.int64)  # last change of dose or long gap
        self.tapering = np.zeros(n, dtype=bool)
        self.admission = np.full(n, NEVER, dtype=np.int64)
        self.in_hand = np.zeros(n, dtype=bool)  # supply held in hospital is not used up yet
        self.last_fill = np.full(n, -1, dtype=np.int64)
        self.steps = np.zeros(n, dtype=np.int64)
        self.step_day = np.full((n, STEPS), NEVER, dtype=np.int64)
        self.step_size = np.zeros((n, STEPS))
        shape = draws.day.shape
        self.raised_on = np.full(n, -NEVER, dtype=np.int64)
        self.relief = np.zeros(n)  # of the last therapy
        self.relieved_until = np.full(n, -1, dtype=np.int64)
        self.score, self.pain = np.full(shape, np.nan), np.full(shape, np.nan)
        self.sensitised = np.zeros(shape)
        self.therapy = np.full(shape, -1, dtype=np.int8)
        self.reducible, self.reduced = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        self.probability = np.zeros(shape)
        self.escalated = np.zeros(shape, dtype=bool)
        self.eligible = np.zeros(shape, dtype=bool)
        self.start_probability = np.zeros(shape)
        self.may_start = np.zeros(shape, dtype=bool)
        self.fills: list[tuple[np.ndarray, ...]] = []
        self.dispensed = 0
        self.held: list[tuple[np.ndarray, np.ndarray]] = []  # fills, and days for which they are held
        self.risk = initiation_log_odds(people)

    def run(self) -> Care:
        self._prevalent_users()
        next_visit = self.draws.day[:, 0].copy()
        for today in range(int(self.people.length.max())):
            seen = np.flatnonzero(next_visit == today)
            if len(seen):
                self._visits(seen, today)
                self.admission[seen] = self.draws.admission[seen, self.visit[seen]]
                self.visit[seen] += 1
                next_visit[seen] = self.draws.day[seen, self.visit[seen]]
                next_visit[seen[next_visit[seen] >= self.people.length[seen]]] = NEVER
            admitted = np.flatnonzero(self.admission == today)
            if len(admitted):
                self._admit(admitted, today)
            filling = np.flatnonzero(self.due == today)
            if len(filling):
                self._fill(filling, today)
        draws = self.draws
        return Care(
            draws.day, self.pain, self.sensitised, self.score, self.probability, self.escalated, self.eligible,
            self.start_probability, self.may_start, self.therapy, self.reducible, self.reduced, self._all_fills(),
            draws.admission, draws.stay_days,
        )  # fmt: skip

    def _at(self, name: str, who: np.ndarray) -> np.ndarray:
        column: np.ndarray = getattr(self.draws, name)
        return column[who, np.minimum(self.visit[who], column.shape[1] - 1)]

    def _prevalent_users(self) -> None:
        prevalent = np.flatnonzero(self.draws.start[:, -1] < expit(self.risk + PREVALENT))
        self._start(prevalent, 0)

    def _visits(self, who: np.ndarray, today: int) -> None:
        pain = self._pain(who, today)
        came = self._at("attendance", who) > self._missed(who, pain, today)
        who, pain = who[came], pain[came]
        visit = self.visit[who]
        score = np.clip(np.rint(pain + self.world.noise * self._at("noise", who)), 0, 10)
        self.score[who, visit], self.pain[who, visit] = score, pain
        if self.world.hyperalgesia:
            months = (today - self.step_day[who]) / MONTH
            self.sensitised[who, visit] = (self.step_size[who] / 20 * harm(months, self.world)).sum(axis=1)
        on = self.prescribed[who] > 0
        self._other_therapies(who, visit, score, on, today)
        known = pain if self.world.decided_on_pain else score
        self._decide_dose(who[on], visit[on], known[on], today)
        off = ~on & (self.end[who] <= today) & (self.due[who] == NEVER) & (self.steps[who] < STEPS - 2)
        self._decide_start(who[off], visit[off], known[off], today)

    def _pain(self, who: np.ndarray, today: int) -> np.ndarray:
        months = (today - self.step_day[who]) / MONTH
        effect = (self.step_size[who] / 20 * blip(months, self.world)).sum(axis=1)
        ill = self.draws.illness[who] * (today >= self.people.entry[who])
        relief = np.where(today <= self.relieved_until[who], self.relief[who], 0.0)
        return np.asarray(self.people.mean_pain[who] + self._at("flare", who) + effect + ill - relief)

    def _missed(self, who: np.ndarray, pain: np.ndarray, today: int) -> np.ndarray | float:
        """Chance of not coming, by the pain of the day where the world says so."""
        world = self.world
        if not world.comes_for_pain:
            return world.missed
        recent = today - self.raised_on[who] <= RECENTLY_RAISED
        slope = world.comes_for_pain + world.comes_once_raised * recent
        return expit(np.log(world.missed / (1 - world.missed)) - slope * (pain - 5))

    def _other_therapies(
        self, who: np.ndarray, visit: np.ndarray, score: np.ndarray, on: np.ndarray, today: int
    ) -> None:
        chance, drawn = expit(THERAPY_ODDS + THERAPY_PAIN * (score - 5)), self._at("therapy", who)
        given = drawn < chance
        self.therapy[who[given], visit[given]] = (len(THERAPIES) * drawn / chance)[given].astype(np.int8)
        self.relief[who[given]] = THERAPY_RELIEF * np.where(on, 1 - self.world.blunting, 1.0)[given]
        self.relieved_until[who[given]] = today + THERAPY_DAYS

    def _decide_start(self, who: np.ndarray, visit: np.ndarray, known: np.ndarray, today: int) -> None:
        world = self.world
        chance = expit(self.risk[who] + world.initiation + world.initiation_pain * (known - 5))
        self.start_probability[who, visit] = chance
        free = (self.last_fill[who] < 0) | (today - self.end[who] >= WASHOUT_DAYS)
        self.may_start[who, visit] = free & (today >= self.people.entry[who])
        starts = self._unless_forced("start", who, visit, self._at("start", who) < chance)
        self._start(who[starts], today)

    def _unless_forced(self, decision: str, who: np.ndarray, visit: np.ndarray, taken: np.ndarray) -> np.ndarray:
        if self.forced is None or self.forced.decision != decision:
            return taken
        return np.where(self.forced.visit[who] == visit, self.forced.taken, taken)

    def _start(self, who: np.ndarray, today: int) -> None:
        long_term = self._at("long_term", who) < LONG_TERM_SHARE
        drawn = self._at("product", who)
        choices = (np.searchsorted(shares / shares[-1], drawn, side="right") for shares in (LONG_SHARES, SHORT_SHARES))
        self.long_term[who] = long_term
        self.product[who] = np.where(long_term, *choices)
        self.prescribed[who] = START[self.product[who]]
        supply = self._at("supply", who)
        days = np.where(long_term, np.where(supply < 0.6, 30, 28), 5 + (supply * 11).astype(int))
        given = DAYS[self.product[who]]
        self.days_supply[who] = np.where(given > 0, given, days)
        self.due[who] = today + self._at("delay", who)

    def _decide_dose(self, who: np.ndarray, visit: np.ndarray, known: np.ndarray, today: int) -> None:
        dose = self.prescribed[who] * MME[self.product[who]]
        rise = STEP[self.product[who]] * MME[self.product[who]]
        free = (self.prescribed[who] == self.units[who]) & (self.steps[who] < STEPS - 2)  # no change is under way
        free &= self.long_term[who] & ~self.in_hand[who]  # nor is supply of before a stay left over
        steady = free & ~self.tapering[who] & (rise > 0)
        possible = steady & (rise >= LEAST_RISE * dose) & (dose + rise <= CEILING_MME)
        chance = np.where(
            possible, expit(self.world.escalation + 0.45 * (known - 5) - DOSE_CAUTION * (dose / 20 - 2)), 0.0
        )
        self.probability[who, visit] = chance
        self.eligible[who, visit] = (
            (chance > 0) & (today - self.changed[who] >= STABLE_DAYS) & (today >= self.people.entry[who])
        )
        up = self._unless_forced("escalate", who, visit, self._at("escalate", who) < chance)
        self.escalated[who, visit] = up
        raised = who[up]
        self.prescribed[raised] += STEP[self.product[raised]]
        self.due[raised] = today + self._at("delay", raised)
        self.raised_on[raised] = today
        other = self._at("other", who)
        stopping = ~up & (other < np.where(self.long_term[who], STOP, SHORT_TERM_STOP))
        self._stop(who[stopping])
        open_to_rule = free & ~self.tapering[who] & ~up & ~stopping
        ruled = self._lower_by_rule(who, visit, open_to_rule, dose - rise >= LEAST_LEFT, today)
        lowered = ~up & ~stopping & ~ruled & steady & (dose - rise >= LEAST_LEFT) & (other < STOP + TAPER)
        self.prescribed[who[lowered]] -= STEP[self.product[who[lowered]]]  # from the next refill on
        self.tapering[who] |= ~up & ~ruled & free & (other > 1 - STEP_DOWN)
        self._step_down(who[self.tapering[who] & free & ~stopping])

    def _lower_by_rule(
        self, who: np.ndarray, visit: np.ndarray, free: np.ndarray, whole_step: np.ndarray, today: int
    ) -> np.ndarray:
        """Whose dose a policy, a formulary or a new prescriber lowers, whatever the pain; dispensed within days."""
        product, units = self.product[who], self.prescribed[who]
        step = np.where(whole_step & (STEP[product] > 0), STEP[product], FALL[product])
        possible = free & (step >= LEAST_RISE * units) & (units - step > FALL[product] / 2)
        self.reducible[who, visit] = (
            possible & (today - self.changed[who] >= STABLE_DAYS) & (today >= self.people.entry[who])
        )
        ruled = possible & self._unless_forced("reduce", who, visit, self.draws.change[who] == visit)
        self.reduced[who, visit] = ruled
        self.prescribed[who[ruled]] -= step[ruled]
        self.due[who[ruled]] = today + self._at("delay", who[ruled])
        return np.asarray(ruled)

    def _step_down(self, who: np.ndarray) -> None:
        fall = FALL[self.product[who]]
        left = self.prescribed[who] - fall
        self.prescribed[who] = left  # from the next refill on
        self._stop(who[left < fall / 2])

    def _stop(self, who: np.ndarray) -> None:
        self.prescribed[who] = 0.0
        # nothing is dispensed any more; the effect of the lost dose begins when the supply runs out
        started = who[self.units[who] > 0]
        ends = np.floor(self.end[started] + DAY_EPSILON).astype(np.int64)
        self._record_step(started, ends, -self.units[started] * MME[self.product[started]])
        self.units[who] = 0.0
        self.tapering[who] = False
        self.due[who] = NEVER
        self.changed[who] = NEVER

    def _record_step(self, who: np.ndarray, day: np.ndarray | int, size: np.ndarray) -> None:
        self.step_day[who, self.steps[who]] = day
        self.step_size[who, self.steps[who]] = size
        self.steps[who] += 1

    def _admit(self, who: np.ndarray, today: int) -> None:
        """A stay in hospital, whatever its cause: nothing is dispensed, and what is at home is not used up."""
        days = self.draws.stay_days[who, self.visit[who] - 1]
        ordered = self.due[who] < NEVER
        self.due[who[ordered]] += days[ordered]
        lasting = np.floor(self.end[who] + DAY_EPSILON) > today
        who, days = who[lasting], days[lasting]
        self.end[who] += days
        # the next refill waits until all is used up: else supply of two doses would be left over from before the stay
        self.due[who] = np.maximum(self.due[who], np.ceil(self.end[who] - DAY_EPSILON).astype(np.int64))
        later = (self.step_day[who] > today) & (self.step_day[who] < NEVER)  # supply of those who have stopped
        self.step_day[who] += np.where(later, days[:, None], 0)
        self.in_hand[who] = True
        self.held.append((self.last_fill[who], days))

    def _fill(self, who: np.ndarray, today: int) -> None:
        units, old = self.prescribed[who], self.units[who]
        change = units != old
        changing = who[change]
        self._record_step(changing, today, (units - old)[change] * MME[self.product[changing]])
        self.changed[changing] = today
        late = who[(today - self.end[who] > MONTH) & (old > 0)]
        self.changed[late] = today
        left = np.clip(self.end[who] - today, 0, CAP_DAYS)
        carried = np.where(old > 0, left * old / units, 0.0)
        self.end[who] = today + self.days_supply[who] + carried
        self.units[who] = units
        self.in_hand[who] = False
        self.last_fill[who] = self.dispensed + np.arange(len(who))
        self.dispensed += len(who)
        self.fills.append(
            (who, np.full(len(who), today), self.product[who], units, self.days_supply[who], self.end[who])
        )
        due = np.floor(self.end[who] + DAY_EPSILON).astype(np.int64) + self._at("refill_days", who)
        self.due[who] = np.maximum(due, today + 1)
        ending = ~self.long_term[who] & (self._at("refill", who) < SHORT_TERM_STOP)
        self._stop(who[ending])

    def _all_fills(self) -> Fills:
        if not self.fills:
            none = np.zeros(0, dtype=np.int64)
            return Fills(none, none, none, np.zeros(0), none, np.zeros(0), none)
        person, day, product, units, supply, end = (np.concatenate(part) for part in zip(*self.fills, strict=True))
        held = np.zeros(len(day), dtype=np.int64)
        for rows, days in self.held:
            np.add.at(held, rows, days)
        columns = person, day, product, units, supply, end + held, held
        order = np.lexsort((day, person))
        fills = Fills(*(column[order] for column in columns))
        return keep(fills, fills.day < self.people.length[fills.person])


def keep(fills: Fills, rows: np.ndarray) -> Fills:
    return Fills(*(value[rows] for value in vars(fills).values()))


def initiation_log_odds(people: People) -> np.ndarray:
    """Confounding by indication: what also raises mortality makes opioids more likely."""
    has = people.conditions
    return (
        -4.8 + 0.02 * (people.age - 55) + 0.8 * has["depression"] + 0.6 * has["fibromyalgia"]
        + 0.7 * has["heart_failure"] + 0.6 * has["copd"] + 0.2 * has["diabetes"] + 0.7 * has["benzodiazepine"]
    )  # fmt: skip


def run(people: People, draws: Draws, world: World, forced: Forced | None = None) -> Care:
    return _Clinic(people, draws, world, forced).run()
