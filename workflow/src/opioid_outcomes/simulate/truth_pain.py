"""What analyses of pain and dose should find in a simulated cohort.

Effects of a decision are differences of twins: people who live twice from the same random numbers, once with the
decision and once without, care after it free (intention to treat). They are weighted by the chance of the decision, so
that they are of those who take it (ATT).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from opioid_outcomes.simulate import care, futures, measures
from opioid_outcomes.simulate.cohort import Cohort, generator
from opioid_outcomes.simulate.futures import DOES_NOT, STARTS, Futures
from opioid_outcomes.simulate.people import MONTH, People

WINDOWS = ((1, 30), (31, 90), (91, 180), (181, 365))
REDUCTION_WINDOWS = ((29, 90), (91, 180), (181, 365))
GRACE_DAYS = 7  # no score before the last day of grace counts, and separation is measured from it
STEP_MME = 20
DIFFERENCE, PER_STEP = "mean_difference", "mean_difference_per_step"
METHODS = ("aipw", "ipw", "regression")
LAGS = 12  # months after a step
TWINS = 2  # eligible visits drawn per person
POLICY = "dose lowered after a policy or formulary change (ATT)"
Row = dict[str, Any]


def row(  # noqa: PLR0917
    analysis: str, method: str, contrast: str, window: str, scale: str, truth: float, se: float, description: str,
    outcome: str = "pain",
) -> Row:  # fmt: skip
    """One number to find; the order of its keys is that of ``truth.json``."""
    return {
        "analysis": analysis, "method": method, "outcome": outcome, "contrast": contrast, "window": window,
        "scale": scale, "truth": float(truth), "se": float(se), "description": description,
    }  # fmt: skip


def of(cohort: Cohort, lived: Futures | None) -> list[Row]:
    """By analysis, in the order of ANALYSES 5; nothing where pain is not recorded."""
    if not cohort.world.records_pain:
        return []
    known = [
        *_escalation(cohort), *_blip(cohort), *_reduction(cohort), *_new_user(cohort, lived),
        *_therapies(cohort),
    ]  # fmt: skip
    return [each for each in known if np.isfinite(each["truth"]) and np.isfinite(each["se"])]


@dataclass(frozen=True)
class Twins:
    """Everybody's decision taken and not taken; one entry per person and visit drawn."""

    rows: np.ndarray  # persons of the cohort, each as often as visits are drawn
    people: People
    noise: measures.Noise
    lives: tuple[care.Care, care.Care]
    supplied: tuple[np.ndarray, np.ndarray]  # MME dispensed up to the start of each day
    decided: np.ndarray  # day
    weight: np.ndarray

    def effect(self, values: tuple[np.ndarray, np.ndarray], first: int, last: int) -> np.ndarray:
        """Difference of the means of (rows, visits) values in a window; nan where one life has none in it."""
        means = [
            window_mean(value, lived.day, self.decided, first, last)
            for value, lived in zip(values, self.lives, strict=True)
        ]
        return np.asarray(means[0] - means[1])

    def mean(self, effect: np.ndarray) -> tuple[float, float]:
        """The weighted mean of an effect, and its error clustered by person."""
        use = ~np.isnan(effect)
        if not use.any() or not self.weight[use].any():
            return np.nan, np.nan
        mean = float(np.average(effect[use], weights=self.weight[use]))
        return mean, _standard_error(self.rows[use], self.weight[use], effect[use] - mean)


def twins(
    cohort: Cohort, possible: np.ndarray, chance: np.ndarray, decision: Literal["escalate", "reduce"]
) -> Twins | None:
    """``TWINS`` of each person's possible visits, (persons, visits), drawn at random; None where there is none."""
    persons = np.flatnonzero(possible.any(axis=1))
    if not len(persons):
        return None
    rows = np.repeat(persons, TWINS)
    count = possible[rows].sum(axis=1)
    rank = (generator(cohort.seed, 4).random(len(rows)) * count).astype(np.int64)
    visit = np.argmax(np.cumsum(possible[rows], axis=1) > rank[:, None], axis=1)
    people, draws = cohort.people.rows(rows), cohort.draws.rows(rows)
    taken, left = (
        care.run(people, draws, cohort.world, care.Forced(visit, taken, decision)) for taken in (True, False)
    )
    supplied = (_supplied(taken.fills, people), _supplied(left.fills, people))
    decided = draws.day[np.arange(len(rows)), visit]
    return Twins(rows, people, cohort.noise.rows(rows), (taken, left), supplied, decided, count * chance[rows, visit])


def _escalation(cohort: Cohort) -> Iterator[Row]:
    """Escalating at an eligible visit: pain, how far it spreads and how little of it is borne."""
    eligible = cohort.care.eligible
    if not eligible.any():
        return
    lived = twins(cohort, eligible, cohort.care.probability, "escalate") if cohort.world.dose_changes_pain else None
    what = "after escalating against not, later care free, among those who escalate; both decisions simulated"
    found = None if lived is None else [measures.values(lived.people, life, lived.noise) for life in lived.lives]
    for first, last in WINDOWS:
        window = f"{first}-{last}"
        for scale, truth, se in _contrast(lived, first, last, STEP_MME):
            for method in METHODS:
                yield row(
                    "hyperalgesia.escalation", method, "escalate vs maintain", window, scale, truth, se,
                    f"recorded pain {what}",
                )  # fmt: skip
        for measure in (measures.SPREAD, measures.COLD, measures.PRESSURE):
            if lived is None or found is None:
                truth, se = 0.0, 0.0
            else:
                truth, se = lived.mean(lived.effect((found[0][measure], found[1][measure]), first, last))
            analysis = "hyperalgesia.spread" if measure == measures.SPREAD else "hyperalgesia.threshold"
            yield row(
                analysis, "aipw", "escalate vs maintain", window, DIFFERENCE, truth, se, f"{measure} {what}", measure
            )


def _contrast(lived: Twins | None, first: int, last: int, step_mme: int) -> Iterator[tuple[str, float, float]]:
    """Difference in recorded pain, and per so many MME of achieved separation; exactly 0 where dose does nothing."""
    if lived is None:
        yield from ((scale, 0.0, 0.0) for scale in (DIFFERENCE, PER_STEP))
        return
    effect = lived.effect((lived.lives[0].score, lived.lives[1].score), first, last)
    one, other = (_mean_dose(supplied, lived, first, last) for supplied in lived.supplied)
    mean, se = lived.mean(effect)
    gap, _ = lived.mean(np.where(np.isnan(effect), np.nan, one - other))
    if not abs(gap) > 0:
        return  # nobody is left in the window, or its doses do not differ
    yield DIFFERENCE, mean, se
    ratio, steps = mean / gap, gap / step_mme
    _, error = lived.mean(effect - ratio * (one - other))
    yield PER_STEP, mean / steps, error / abs(steps)  # delta method


def _blip(cohort: Cohort) -> Iterator[Row]:
    """Effect of one step by the months since it: the planted curve on the days on which people are seen."""
    day, delay = cohort.draws.day, cohort.draws.delay
    chance = np.where(cohort.care.eligible, cohort.care.probability, 0.0)
    effects = np.zeros(LAGS + 1)
    for lag in range(1, LAGS + 1) if cohort.world.dose_changes_pain and chance.any() else ():
        low, high = _lag_days(lag)
        total, weights = 0.0, 0.0
        for later in (lag - 1, lag, lag + 1):
            visits = day.shape[1] - later
            since, felt = day[:, later:] - day[:, :visits], cohort.care.pain[:, later:]
            weight = chance[:, :visits] * ((since >= low) & (since <= high) & ~np.isnan(felt))
            shown = np.abs(felt - 5) < 5.5  # an effect on pain beyond the ends of the scale is not recorded
            total += (weight * shown * care.blip((since - delay[:, :visits]) / MONTH, cohort.world)).sum()
            weights += weight.sum()
        effects[lag] = total / weights
    spans = {"{}-{}".format(*_lag_days(lag)): [lag] for lag in range(1, LAGS + 1)}
    spans |= {
        f"{first}-{last}": [lag for lag in range(1, LAGS + 1) if first <= MONTH * lag <= last]
        for first, last in WINDOWS
    }
    for window, lags in spans.items():
        yield row(
            "hyperalgesia.blip", "g_estimation", f"per +{STEP_MME} MME", window, PER_STEP, effects[lags].mean(), 0.0,
            "effect of a dose step on recorded pain so many days later, no further step: planted",
        )  # fmt: skip


def _lag_days(lag: int) -> tuple[int, int]:
    return (1 if lag == 1 else MONTH * lag - MONTH // 2), MONTH * lag + MONTH // 2 - 1


def _reduction(cohort: Cohort) -> Iterator[Row]:
    """Lowering the dose by a rule, whatever the pain, at a visit at which one could: rules choose visits evenly."""
    if not cohort.care.reducible.any():
        return
    evenly = np.broadcast_to(1 / cohort.people.length[:, None], cohort.care.score.shape)
    lived = twins(cohort, cohort.care.reducible, evenly, "reduce") if cohort.world.dose_changes_pain else None
    for first, last in REDUCTION_WINDOWS:
        for scale, truth, se in _contrast(lived, first, last, -STEP_MME):
            known = row(
                "hyperalgesia.reduction", "aipw", "reduce vs maintain", f"{first}-{last}", scale, truth, se,
                "recorded pain after a rule has lowered the dose against not, later care free; both simulated",
            )  # fmt: skip
            yield known if lived is None else known | {"population": POLICY}


def _new_user(cohort: Cohort, lived: Futures | None) -> Iterator[Row]:
    """Starting opioids, among those who start."""
    if lived is None:
        return
    weight = lived.visits * lived.chance
    known = {
        (301, 425): ("pain.new_user", "aipw", "pain"),
        (181, 365): ("hyperalgesia.baseline_excess", "match", "pain above pain before"),
    }
    for (first, last), (analysis, method, outcome) in known.items():
        effect = lived.pain[STARTS, :, futures.PAIN_WINDOWS.index((first, last))]
        effect = effect - lived.pain[DOES_NOT, :, futures.PAIN_WINDOWS.index((first, last))]
        use = ~np.isnan(effect)
        if not use.any():
            continue
        mean = float(np.average(effect[use], weights=weight[use]))
        yield row(
            analysis, method, "new user vs non user", f"{first}-{last}", DIFFERENCE, mean,
            _standard_error(lived.person[use], weight[use], effect[use] - mean),
            "recorded pain after starting opioids against not, later care free, among those who start; both simulated",
            outcome,
        )  # fmt: skip


def _therapies(cohort: Cohort) -> Iterator[Row]:
    for therapy in care.THERAPIES:
        yield row(
            "pain.therapy_interaction", "aipw", f"{therapy}: on minus off opioids", f"1-{care.THERAPY_DAYS}",
            DIFFERENCE, care.THERAPY_RELIEF * cohort.world.blunting, 0.0,
            "relief by the therapy that is lost on opioids, planted",
        )  # fmt: skip


def window_mean(value: np.ndarray, day: np.ndarray, decided: np.ndarray, first: int, last: int) -> np.ndarray:
    """Mean from ``first`` (not before the end of grace) to ``last`` days after the decision; nan without any."""
    since = day - decided[:, None]
    inside = (since >= max(first, GRACE_DAYS)) & (since <= last) & ~np.isnan(value)
    count = inside.sum(axis=1)
    total = np.where(inside, value, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def daily_mme(fills: care.Fills, persons: int, days: int) -> np.ndarray:
    """MME on each day: a fill counts from its day until it runs out or the next takes over."""
    stop = np.minimum(np.minimum(fills.stop, fills.next_day), days)
    edges = np.zeros((persons, days + 1))
    np.add.at(edges, (fills.person, fills.day), fills.mme)
    np.add.at(edges, (fills.person, stop), -fills.mme)
    return np.cumsum(edges, axis=1)[:, :days]


def _supplied(fills: care.Fills, people: People) -> np.ndarray:
    dose = daily_mme(fills, people.n, int(people.length.max()))
    return np.concatenate([np.zeros((people.n, 1)), np.cumsum(dose, axis=1)], axis=1)


def _mean_dose(supplied: np.ndarray, lived: Twins, first: int, last: int) -> np.ndarray:
    length = lived.people.length
    start = np.minimum(lived.decided + max(first, GRACE_DAYS), length)
    stop = np.minimum(lived.decided + last + 1, length)
    each = np.arange(len(length))
    return np.asarray((supplied[each, stop] - supplied[each, start]) / np.maximum(stop - start, 1))


def _standard_error(person: np.ndarray, weight: np.ndarray, residual: np.ndarray) -> float:
    """Of a weighted mean, clustered by person."""
    score = np.bincount(person, weights=weight * residual)
    return float(np.sqrt((score**2).sum()) / weight.sum())
