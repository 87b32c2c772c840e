"""How much of one recorded score is error: declared, estimated from scores a few days apart, or assumed.

Classical error: recorded = true + error, independent of the truth and of the errors of other scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from opioid_outcomes.counts import SMALL, tellable
from opioid_outcomes.hyperalgesia.histories import DoseHistory, Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.visits import Visits

CLOSEST_DAYS, FARTHEST_DAYS = 1, 7  # between repeats (ANALYSES 5.6)
FEWEST_REPEATED = 50  # people with repeats, below which nothing is estimated from them
ASSUMED = "assumed"  # source of an error that is neither declared nor estimated
ASSUMED_SD = 1.0  # points; reliability 0.79 in METHODS D2b
ENDS = (0.0, 10.0)  # of every scale, as scores are read
AT_AN_END = 0.02  # share of the scores at an end of the scale from which on it is said


class Options(Protocol):
    """What of the section ``hyperalgesia`` of the config is read here."""

    @property
    def scale(self) -> str | None: ...
    @property
    def reliability(self) -> float | None: ...
    @property
    def error_sd(self) -> float | Mapping[Any, float] | None: ...


@dataclass(frozen=True)
class Noise:
    """Error of one recorded score, points of 0-10; ``reliability`` is the share of the variance at the visits that is
    not error, None where it cannot be told (no visits, or pain constant)."""

    variance: float
    sd: float
    reliability: float | None
    source: str  # declared reliability, declared error SD, repeated scores, assumed
    note: str  # a sentence for the report, without a count


def of(histories: Histories, visits: Visits, options: Options, *, scale: str | None = None) -> Noise:
    """The error variance by the best source there is, in the order of ANALYSES 5.6.

    Declared reliability r: (1 - r) x variance of the recorded scores at the eligible ``visits``. Declared SD: one for
    all, or that of the ``scale`` analysed (as configured, else as given here; if neither says, the largest declared).
    Repeats: half the mean squared difference of scores of one person 1-7 days apart without a change of dose between,
    from 50 people on; true change within the week counts as error. Else an SD of 1 point. Cost O(scores x log
    stretches).
    """
    recorded = _variance(visits.pain)
    chosen = options.scale or scale
    variance, source = _best(histories, recorded, options, chosen)
    # the error SD may be declared for other scales
    told = _TOLD[source].format(of=f" for the scale {chosen}" if options.error_sd is not None and chosen else "")
    return _noise(variance, recorded, source, f"{told}{_at_an_end(visits) if variance > 0 else ''}")


def _best(histories: Histories, recorded: float, options: Options, scale: str | None) -> tuple[float, str]:
    """The error variance, and where it is from."""
    if options.reliability is not None:
        return (1 - options.reliability) * recorded, "declared reliability"
    declared = _declared(options.error_sd, scale)
    if declared is not None:
        return declared**2, "declared error SD"
    differences, person = repeats(histories)
    if len(np.unique(person)) >= FEWEST_REPEATED:
        return float(np.mean(differences**2)) / 2, "repeated scores"
    return ASSUMED_SD**2, ASSUMED


def _at_an_end(visits: Visits) -> str:
    """What share of the scores is 0 or 10, where it is no small one and of no few people: errors there go one way."""
    at_end = np.isin(visits.pain, ENDS)
    share = float(at_end.mean()) if len(at_end) else 0.0
    people, others = (len(np.unique(visits.person[rows])) for rows in (at_end, ~at_end))
    if share < AT_AN_END or people < SMALL or not tellable(others):
        return ""
    return (
        f"; about {100 * share:.0f} % of the scores at the eligible visits lie at an end of the scale "
        f"({ENDS[0]:g} or {ENDS[1]:g}): where scores end, the correction takes out too much"
    )


def repeats(histories: Histories) -> tuple[Floats, Ints]:
    """Differences of consecutive scores 1-7 days apart with one dose throughout, and whose they are (index)."""
    person, day, score = histories.pain.person, histories.pain.day, histories.pain.score
    apart = np.diff(day)
    close = (person[1:] == person[:-1]) & (apart >= CLOSEST_DAYS) & (apart <= FARTHEST_DAYS)
    first = np.flatnonzero(close)
    same = _one_dose(histories.dose, person[first], day[first], day[first + 1])
    kept = first[same]
    return score[kept + 1] - score[kept], person[kept]


def _one_dose(dose: DoseHistory, person: Ints, first: Ints, last: Ints) -> Bools:
    """Whether no stretch of dose begins or ends on the days first..last: equal neighbours are one stretch.

    A change on the day of the first score may come after it, one on that of the second before it.
    """
    begun = dose.first_from(person, last + 1) - dose.first_from(person, first)
    ended = dose.first_after(person, last) - dose.first_after(person, first - 1)
    return (begun == 0) & (ended == 0)


def _declared(error_sd: float | Mapping[Any, float] | None, scale: str | None) -> float | None:
    if not isinstance(error_sd, Mapping):
        return error_sd
    return max(error_sd.values(), default=None) if scale is None else error_sd.get(scale)


def _variance(pain: Floats) -> float:
    return float(np.var(pain, ddof=1)) if len(pain) > 1 else 0.0


_TOLD = {
    "declared reliability": "as declared by its reliability",
    "declared error SD": "as declared",
    "repeated scores": f"estimated from scores of one person {CLOSEST_DAYS}-{FARTHEST_DAYS} days apart without a change"
    " of dose between (a true change within the week counts as error)",
    ASSUMED: "ASSUMED: neither a reliability nor an error SD is declared{of}, and too few people have scores"
    f" {CLOSEST_DAYS}-{FARTHEST_DAYS} days apart to estimate it",
}


def _noise(variance: float, recorded: float, source: str, told: str) -> Noise:
    reliability = 1 - variance / recorded if recorded > 0 else None
    sd = math.sqrt(variance)
    note = f"error of one pain score: SD {sd:.2f} points, {told}"
    if reliability is not None and reliability > 0:
        note += f"; reliability at the eligible visits {reliability:.2f}"
    elif reliability is not None:
        note += "; it exceeds the variance of the scores at the eligible visits: nothing can be corrected for it"
    return Noise(variance, sd, reliability, source, note)
