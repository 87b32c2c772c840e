"""``pain.after_stopping``: pain by time since the end of supply, against the last days on, in people who stopped.

ANALYSES 1 (C7); McPherson et al. (2018) Pain 159:2097. Descriptive: nobody was randomised to stop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.causal import visit_intensity
from opioid_outcomes.causal.contrasts import Joint
from opioid_outcomes.causal.gates import FEWEST_EFFECTIVE
from opioid_outcomes.causal.overlap import effective_sample_size
from opioid_outcomes.causal.visit_intensity import AtRisk, CoxFailure, Intensity
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.hyperalgesia.variation import unvaried
from opioid_outcomes.mortality.numbered import numbered
from opioid_outcomes.pain import mixed
from opioid_outcomes.pain.stops import BEFORE_DAYS, LAST_DAY, Scores, Stops, scores, stops
from opioid_outcomes.units import DAYS_PER_YEAR

ANALYSIS = "pain.after_stopping"
METHODS = ("gee_intensity_weighted", "mixed")
WINDOWS = {(0, 30): "0-1", (31, 90): "1-3", (91, 180): "3-6", (181, 365): "6-12", (366, 730): "12-24"}  # months
FEWEST = 50  # people in a window, and in the last days on (ANALYSES 4, gates)
SINCE = (14, 30, 60, 90)  # days since the last score at which the intensity of visits may change
MOST_IN_MIXED = 2_000  # people; the library's search loops over them
DESCRIPTIVE = (
    "descriptive: who stops and who stays off is not chance; pain while alive and off opioids, until a restart; "
    "McPherson 2018: -0.20 over 12 months in people who stopped"
)
WEIGHTS = (
    "scores weighted by the inverse intensity of visits given the last score, its age and the dose, and of staying off "
    "given the last score; independence GEE, SE by person"
)
LOST = (
    "random intercept{slope} by person, REML; no weights for visits or for staying off, so scores missing at random "
    "given those seen, and the model's own variance"
)


def after_stopping(histories: Histories, status: pl.DataFrame) -> list[Estimate]:
    """Difference in mean pain per window and method. Rows whose gate says why where nothing can be told."""
    if len(histories.pain.person) == 0:
        return nothing("not evaluable: no pain scores")
    ended = stops(status, histories)
    if len(ended.person) == 0:
        return nothing("not evaluable: nobody's long-term therapy is seen to end")
    seen = scores(ended, histories)
    window = window_of(seen.clock)
    told = _told(window, seen.person)
    if told[0] is not None:
        return nothing(f"not evaluable: {told[0]}")
    kept = np.isin(window, [place for place, gate in enumerate(told) if gate is None])
    rows = {method: _empty(method, window, seen.person, told) for method in METHODS}
    constant = unvaried(seen.pain[kept])
    if constant:
        return nothing(constant)
    chosen = [place for place in range(1, len(told)) if told[place] is None]
    if not chosen:
        return [row for method in METHODS for row in rows[method]]
    x = np.column_stack([np.ones(int(kept.sum())), *(window[kept] == place for place in chosen)])
    _, person = np.unique(seen.person, return_inverse=True)
    weighted = _gee(ended, seen, x, kept, person)
    many = -(-len(np.unique(person[kept])) // MOST_IN_MIXED)
    some = person[kept] % many == 0
    model = mixed.fit(x[some], seen.pain[kept][some], person[kept][some], seen.clock[kept][some] / DAYS_PER_YEAR)
    for column, place in enumerate(chosen, start=1):
        here = [each[place - 1] for each in rows.values()]
        reason = _thin(weighted, window, kept, person, place)
        rows[METHODS[0]][place - 1] = _weighted_row(here[0], weighted, column, reason)
        counts = _counts(window[kept][some], person[kept][some], place)
        rows[METHODS[1]][place - 1] = _mixed_row(replace(here[1], **counts), model, column, many)
    return [row for method in METHODS for row in rows[method]]


def nothing(gate: str) -> list[Estimate]:
    """The rows of an analysis that cannot be made, with the reason as their gate."""
    return [replace(_row(method, days), gate=gate) for method in METHODS for days in WINDOWS]


def window_of(clock: Ints) -> Ints:
    """0 for the last days on, 1, 2, ... for the windows after the end of supply, -1 for what is earlier."""
    return np.searchsorted([-BEFORE_DAYS, *(first for first, _ in WINDOWS)], clock, side="right").astype(np.int64) - 1


def _row(method: str, days: tuple[int, int]) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method=method, population="stopped long-term opioid therapy", outcome="pain",
        contrast=f"stopped {WINDOWS[days]} months ago vs last {BEFORE_DAYS} days on", window=f"{days[0]}-{days[1]}",
        scale="mean_difference", gate="not evaluable: not estimated",
    )  # fmt: skip


def _told(window: Ints, person: Ints) -> list[str | None]:
    """Why the last days on and each window are not told of, for want of people."""
    names = [f"in the last {BEFORE_DAYS} days on", *("in the window" for _ in WINDOWS)]
    few = [len(np.unique(person[window == place])) < FEWEST for place in range(len(names))]
    return [
        f"fewer than {FEWEST} people have a score {name}" if short else None
        for short, name in zip(few, names, strict=True)
    ]


def _empty(method: str, window: Ints, person: Ints, told: list[str | None]) -> list[Estimate]:
    """The rows of a method without their numbers, with the people behind them."""
    rows: list[Estimate] = []
    for place, days in enumerate(WINDOWS, start=1):
        gate = f"not evaluable: {told[place] or 'not estimated'}"
        rows.append(replace(_row(method, days), gate=gate, **_counts(window, person, place)))
    return rows


def _counts(window: Ints, person: Ints, place: int) -> dict[str, Any]:
    before, after = (np.unique(person[window == part]) for part in (0, place))
    return {"persons": len(np.union1d(before, after)), "smallest_cell": smallest(len(before), len(after))}


@dataclass(frozen=True)
class _Weighted:
    joint: Joint
    weights: Floats  # of the rows of the model
    stay: bool  # whether weights for staying off are in them


def _gee(ended: Stops, seen: Scores, x: Floats, kept: Bools, person: Ints) -> _Weighted | str:
    """The weighted means, or why there are none."""
    until = np.minimum(ended.until - ended.end, LAST_DAY + 1)
    rows = visit_intensity.split(visit_intensity.at_risk(seen.stop, seen.clock, until[seen.stop], SINCE), 0)
    z, names = _known_before(rows, seen, ended)
    if not names:
        return "the scores are constant"
    try:
        found = visit_intensity.weights(rows, z, names=names, person=person)
    except CoxFailure:
        return "the intensity of visits has no estimate"
    staying = _staying(rows, seen, ended, until, person)
    if staying is not None:
        found = found.times(staying)
    few, codes = np.unique(person[kept], return_inverse=True)
    part = Intensity(found.weights[kept], found.fits, found.derivative[kept], found.influence[few])
    fit = visit_intensity.gee(x, seen.pain[kept], names=[""] * x.shape[1], person=codes, intensity=part)
    return _Weighted(fit.joint(), part.weights, staying is not None)


def _known_before(rows: AtRisk, seen: Scores, ended: Stops) -> tuple[Floats, list[str]]:
    """What the next visit may depend on: the last score (on and off therapy), its age, and the dose that ended."""
    last, dose = seen.pain[rows.last], ended.dose[seen.stop[rows.last]]
    columns = {"last score": last, "last score, off": last * (rows.start >= 0)}
    columns |= {f"over {days} days since": (rows.since >= k).astype(float) for k, days in enumerate(SINCE, start=1)}
    columns["dose"] = np.log1p(np.nan_to_num(dose))
    columns["dose unknown"] = np.isnan(dose).astype(float)
    # a visit must be seen on either side of a column that is 0 or 1, or its coefficient is infinite
    seen_on = {name: np.ptp(values[rows.visit >= 0]) > 0 if (rows.visit >= 0).any() else False
               for name, values in columns.items()}  # fmt: skip
    names = [name for name in columns if seen_on[name]]
    return np.column_stack([columns[name] for name in names]) if names else np.zeros((len(last), 0)), names


def _staying(rows: AtRisk, seen: Scores, ended: Stops, until: Ints, person: Ints) -> Intensity | None:
    """Weights of staying off opioids; None where nobody restarts, or the model has no estimate."""
    stop = seen.stop[rows.last]
    leaves = ended.restarts[stop] & (rows.visit < 0) & (rows.stop == until[stop]) & (until[stop] <= LAST_DAY)
    off = rows.start >= 0
    if not (leaves & off).any():
        return None
    z = seen.pain[rows.last][:, None]
    try:
        return visit_intensity.staying(rows, leaves, off, z, names=["last score"], subject=seen.stop, person=person)
    except CoxFailure:
        return None


def _thin(weighted: _Weighted | str, window: Ints, kept: Bools, person: Ints, place: int) -> str | None:
    """Why a weighted mean rests on too few, as gates elsewhere have it."""
    if isinstance(weighted, str):
        return f"not evaluable: {weighted}"
    for part in (0, place):
        rows = window[kept] == part
        sums = np.bincount(person[kept][rows], weighted.weights[rows])
        if effective_sample_size(sums) < FEWEST_EFFECTIVE:
            return f"fail: effective sample size is under {FEWEST_EFFECTIVE} people"
    return None


def _weighted_row(row: Estimate, weighted: _Weighted | str, column: int, reason: str | None) -> Estimate:
    if isinstance(weighted, str) or reason:
        return replace(row, gate=reason or "")
    before, change = weighted.joint.values[0], weighted.joint.values[column]
    means = f"mean {before:.1f} in the last {BEFORE_DAYS} days on, {before + change:.1f} in the window"
    words = WEIGHTS if weighted.stay else WEIGHTS.replace(", and of staying off given the last score", "")
    return numbered(
        replace(row, note=f"{means}; {words}; {DESCRIPTIVE}"),
        weighted.joint.combination(_unit(column, len(weighted.joint.values))),
    )


def _mixed_row(row: Estimate, model: mixed.Mixed | None, column: int, many: int) -> Estimate:
    if model is None:
        return replace(row, gate="not evaluable: the mixed model does not converge")
    if (row.smallest_cell or 0) < FEWEST:
        return replace(row, gate=f"not evaluable: fewer than {FEWEST} of one in {many} people have a score")
    note = LOST.format(slope=" and slope in time" if model.slope else "")
    if many > 1:
        note = f"of one in {many} people; {note}"
    return numbered(
        replace(row, note=f"{note}; {DESCRIPTIVE}"), model.joint.combination(_unit(column, len(model.joint.values)))
    )


def _unit(column: int, size: int) -> Floats:
    gradient = np.zeros(size)
    gradient[column] = 1.0
    return gradient
