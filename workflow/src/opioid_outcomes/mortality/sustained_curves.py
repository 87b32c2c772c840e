"""Survival under sustained strategies, as curves of which each count is of people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from opioid_outcomes.causal.clone_censor import Clones
from opioid_outcomes.causal.clone_contrasts import Comparison
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality.sustained_strategies import Question
from opioid_outcomes.mortality.sustained_times import codes
from opioid_outcomes.survival.incidence import Incidence
from opioid_outcomes.survival.kaplan_meier import log_log_limits
from opioid_outcomes.survival.risk_sets import Floats, Ints

FEWEST_FOLLOWED = 10  # METHODS C6
STEP, LATER = 30, 360


def survival(question: Question, found: Comparison, horizons: Sequence[int]) -> pl.DataFrame:
    """Curves at every 30 days (90 after the first year) and the horizons, as far as ten people follow the strategy.

    A person is counted once: as dead on the first day, since any time zero, on which the person dies while following,
    as having left when nothing is followed from any.
    """
    last, person = max(horizons), codes(question.people)
    days = sorted({0, *range(STEP, LATER + 1, STEP), *range(LATER, last + 1, 3 * STEP), *horizons})
    parts = [DISPLAYS["sustained_survival"].empty()]
    for arm, (clones, curve) in enumerate(zip(found.clones, found.curves, strict=True)):
        shown = [
            day for day in days if day == 0 or len(np.unique(person[found.followers(arm, day)])) >= FEWEST_FOLLOWED
        ]
        parts.append(_curve(question, clones, curve, np.array(shown, dtype=float), person))
    return pl.concat(parts)


def _curve(question: Question, clones: Clones, curve: Incidence, at: Floats, person: Ints) -> pl.DataFrame:
    alive, se = curve.survival_at(at), curve.survival_se_at(at)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = log_log_limits(alive, (se / alive) ** 2)
    people = int(person.max(initial=-1)) + 1
    who, dies = person[clones.person], clones.cause > 0
    died, ended = np.full(people, np.inf), np.zeros(people)
    np.minimum.at(died, who[dies], clones.stop[dies])
    np.maximum.at(ended, who, clones.stop)
    there = ended > 0
    died, ended = died[there], ended[there]
    events = np.searchsorted(np.sort(died), at, side="right")
    gone = np.searchsorted(np.sort(ended[np.isinf(died)]), at, side="right")
    entered = int(there.sum())
    return pl.DataFrame(
        {
            "question": question.contrast, "strategy": clones.strategy.name, "day": at,
            "at_risk": entered - events - gone, "entered": np.full(len(at), entered), "events": events, "left": gone,
            "survival": alive, "ci_low": low, "ci_high": high, "weighted": 1.0,
        },
        schema=DISPLAYS["sustained_survival"].schema, strict=False,
    ).fill_nan(None)  # fmt: skip
