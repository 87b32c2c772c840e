"""The effect of raising the dose in a simulated world, by letting the same people live both lives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import trial, visits
from opioid_outcomes.hyperalgesia.calibrate.cohorts import Draws, Forced, Lived, as_histories, live
from opioid_outcomes.hyperalgesia.calibrate.source import Source
from opioid_outcomes.hyperalgesia.calibrate.worlds import World
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Floats, Ints
from opioid_outcomes.hyperalgesia.visits import Visits

PEOPLE = 40_000


@dataclass(frozen=True)
class Truth:
    """By window: difference in mean recorded pain and in mean daily dose, and the first per step of the second.

    se: Monte Carlo error of ``per_step``. In an inert world all are 0 without error, and doses are not looked at (NaN).
    """

    pain: Floats
    mme: Floats
    per_step: Floats
    se: Floats


def of(source: Source, world: World, options: Hyperalgesia, *, seed: list[int], people: int = PEOPLE) -> Truth:
    """Effect in those who raise: each person once raises at one eligible visit and once does not, later care free.

    The visit is drawn among the person's eligible ones, and weighs as many of them as there are times the chance of
    raising there, so that every decision to raise counts once, as in the estimates. Both lives share all random
    numbers. Cost: three lives of ``people``, 2 s for 40,000 x 24 visits.
    """
    if world.inert:
        nothing = np.zeros(len(options.windows_days))
        return Truth(nothing, np.full_like(nothing, np.nan), nothing, nothing)
    rule, step = options.escalation, options.step_mme
    rng = np.random.default_rng(seed)
    draws = Draws.of(source, people, rng)
    lived = live(source, world, draws, rule, step_mme=step)
    known = as_histories(lived)
    decided, place = _decisions(lived, known, options)
    first = np.searchsorted(decided.person, np.arange(people))
    count = np.searchsorted(decided.person, np.arange(people), side="right") - first
    drawn = first + (rng.random(people) * count).astype(np.int64)
    chosen = np.minimum(drawn, len(decided.person) - 1)[count > 0]
    decided, place = Visits(*(values[chosen] for values in vars(decided).values())), place[chosen]
    weight = count[count > 0] * lived.chance[decided.person, place]
    at = np.full(people, -1, dtype=np.int64)
    at[decided.person] = place
    lives = [
        as_histories(live(source, world, draws, rule, step_mme=step, forced=Forced(at, raised)))
        for raised in (True, False)
    ]
    # the study's own rule says who raised: who has run out on the last day of grace did not, whatever was prescribed
    taken, _ = trial.raised(decided, lives[0], rule)
    decided, weight = decided.rows(taken), weight[taken]
    windows = [_difference(lives, decided, weight, span, options) for span in options.windows_days]
    pain, mme, per_step, se = (np.array(column) for column in zip(*windows, strict=True))
    return Truth(pain, mme, per_step, se)


def _decisions(lived: Lived, known: Histories, options: Hyperalgesia) -> tuple[Visits, Ints]:
    """Eligible visits at which the dose could be raised, and the column of each in ``lived``."""
    decided = visits.eligible(known, stable_days=options.escalation.stable_days)
    place = lived.place(decided.person, decided.day)
    followed = known.exit[decided.person] > decided.day + options.escalation.grace_days
    possible = followed & (lived.chance[decided.person, place] > 0)
    return decided.rows(possible), place[possible]


def _difference(
    lives: list[Histories], decided: Visits, weight: Floats, span: tuple[int, int], options: Hyperalgesia
) -> tuple[float, float, float, float]:
    """Weighted mean difference of pain and dose between the two lives in a window, their ratio per step, its error."""
    person, day = decided.person, decided.day
    first = day + max(span[0], options.escalation.grace_days)
    last = np.minimum(day + span[1], lives[0].exit[person] - 1)
    pain = [life.pain.mean(person, first, last) for life in lives]
    mme = [life.dose.mean(person, first, np.maximum(last + 1, first)) for life in lives]
    seen = np.isfinite(pain[0]) & np.isfinite(pain[1]) & np.isfinite(mme[0]) & np.isfinite(mme[1])
    if not seen.any():
        return (np.nan,) * 4
    pains, doses, weight = (pain[0] - pain[1])[seen], (mme[0] - mme[1])[seen], weight[seen]
    total = float(weight.sum())
    mean, separation = float(weight @ pains) / total, float(weight @ doses) / total
    ratio = mean / separation if separation else np.nan
    error = np.sqrt(float(((weight * (pains - ratio * doses)) ** 2).sum())) / total / abs(separation or np.nan)
    return mean, separation, ratio * options.step_mme, error * options.step_mme
