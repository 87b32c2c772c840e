"""What the decision to escalate may have depended on: pain and dose history at the visit, and baseline covariates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.causal.augmented_error import Error
from opioid_outcomes.cohort.covariates import measure
from opioid_outcomes.cohort.eligibility import TOP_CODED_AGE
from opioid_outcomes.hyperalgesia.histories import DoseHistory, Histories, ScoreHistory
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints, segment_reduce, within
from opioid_outcomes.hyperalgesia.visits import LONGEST_GAP, Visits
from opioid_outcomes.mortality.trial_table import EVER
from opioid_outcomes.survival.products import row_blocks
from opioid_outcomes.units import DAYS_PER_YEAR

# METHODS D3.4: mean, slope and highest pain over the 180 days up to the visit
PAIN_HISTORY_DAYS = 180
# Squared months added to those over which scores lie apart, so that the slope of scores a few days apart, which is
# nothing but their error, is near 0
SHRINKING = 0.5
SLOPE = "slope of pain in 180 days"
HIGHEST = "highest pain in 180 days"
BEFORE = "score before the last"
SQUARED, TIMES = ", squared", " times "
MIDDLE = 5.0  # of the scale: about it squares say little that the scores do not say
DOSE = "dose before the visit"
FEWEST = 0.02  # of the decisions, on either side of a step of the dose


@dataclass(frozen=True)
class Confounders:
    """One row per visit, one named column per term; ``complete`` marks rows without a missing covariate."""

    values: Floats
    names: list[str]
    complete: Bools
    baseline: list[str]  # names of the terms of baseline covariates
    absent: list[str]  # baseline covariates that the cohort does not have
    noisy: Ints  # (q,) columns whose error is taken out where scores have one: last score, mean of the earlier ones
    unit: Floats  # (n, q, q) covariance of their errors for an error variance of 1 of one score
    # columns left out where that is done: the highest, squares and products are not linear in the scores, and of the
    # slope, or one more score, given the other two little but error is left
    unsteady: Ints

    def rows(self, chosen: Bools | slice) -> Confounders:
        """Those of the chosen decisions."""
        return replace(self, values=self.values[chosen], complete=self.complete[chosen], unit=self.unit[chosen])

    def beside(self, columns: dict[str, Floats]) -> Confounders:
        """With further terms (n,) after the others, counted among the covariates."""
        values = np.column_stack([self.values, *columns.values()])
        return replace(self, values=values, names=[*self.names, *columns], baseline=[*self.baseline, *columns])

    def error(self, variance: float) -> Error:
        """The error of the noisy columns where that of one score has this variance; the unsteady are left out then."""
        return Error(self.noisy, self.unit, variance, self.unsteady)


def build(
    visits: Visits, histories: Histories, *, baseline: list[str], missing: str, min_rise: float, min_mme: float
) -> Confounders:
    """Terms of pain, of dose, and the covariates ``baseline`` as known on the eve of the visit.

    ``missing``: ``complete`` marks rows with a missing covariate; ``indicator`` and ``mi`` make missing a category of
    its own. Cost: O(scores within 180 days of a visit), and an as-of join per covariate.
    """
    columns, unit = pain_terms(visits, histories.pain)
    columns |= dose_terms(visits)
    columns["years on opioids"] = visits.days_on / DAYS_PER_YEAR
    columns["earlier escalations"] = earlier_changes(visits, histories.dose, rises(histories.dose, min_rise, min_mme))
    columns["earlier reductions"] = earlier_changes(visits, histories.dose, falls(histories.dose, min_rise, min_mme))
    complete = np.ones(len(visits.person), dtype=bool)
    history = len(columns)
    known = at_visits(visits, histories, baseline)
    for name in known.columns:
        terms, observed = baseline_terms(name, known[name], indicator=missing != "complete")
        columns |= terms
        complete &= observed | (missing != "complete")
    absent = [name for name in baseline if name not in known.columns]
    noisy, unsteady = np.arange(unit.shape[1]), np.flatnonzero([unsteady_term(name) for name in columns])
    names = [*columns]
    return Confounders(_stacked(columns), names, complete, names[history:], absent, noisy, unit, unsteady)


def unsteady_term(name: str) -> bool:
    """Whether a term of pain is left out where the error of scores is taken out."""
    return name in {SLOPE, HIGHEST, BEFORE} or curved(name)


def curved(name: str) -> bool:
    """Whether a term is a square or a product of others."""
    return name.endswith(SQUARED) or TIMES in name


def at_visits(visits: Visits, histories: Histories, names: list[str]) -> pl.DataFrame:
    """Covariates on the eve of each visit, those that somebody has; conditions count however old their record is."""
    if histories.sources is None:
        present = [name for name in names if name in histories.cohort.columns]
        found = histories.cohort.select("person_id", *present)[visits.person]
    else:
        anchors = pl.DataFrame({"person_id": visits.person, "day": visits.day.astype(np.int32)})
        found = measure(anchors, names, histories.sources, histories.lookback, of_code_lists=EVER).frame
        if "age" in names:
            older = (visits.day - histories.entry[visits.person]) / DAYS_PER_YEAR
            found = found.with_columns((pl.col("age") + pl.Series(older)).clip(upper_bound=TOP_CODED_AGE))
    return found.select(name for name in names if name in found.columns and found[name].null_count() < found.height)


def _stacked(columns: dict[str, npt.NDArray[Any]]) -> Floats:
    """The columns side by side, (n, p); each is let go once it is in its place."""
    names = [*columns]
    values = np.empty((len(columns[names[0]]), len(names)))
    for part in row_blocks(len(values), len(names)):
        for place, name in enumerate(names):
            values[part, place] = columns[name][part]
    return values


@dataclass(frozen=True)
class Recent:
    """Scores of the 180 days up to each day, by row, (n,): [low, high) in the history, their number and sum, and the
    least squares slope per 30 days, shrunk: 0 of one score or none."""

    low: Ints
    high: Ints
    count: Floats
    total: Floats
    slope: Floats


def recent(pain: ScoreHistory, person: Ints, day: Ints) -> Recent:
    """What scores of the 180 days up to each day, which itself counts, say. O(scores within 180 days), in blocks."""
    low, high = pain.window(person, day - PAIN_HISTORY_DAYS, day)
    total, slope = np.zeros(len(low)), np.zeros(len(low))
    for part in row_blocks(len(low), 1):
        owner, index = within(low[part], high[part])
        rows = len(low[part])
        score, months = pain.score[index], (pain.day[index] - day[part][owner]) / 30.0
        centre = np.bincount(owner, months, minlength=rows) / np.maximum(high[part] - low[part], 1)
        centred = months - centre[owner]
        spread = np.bincount(owner, centred**2, minlength=rows)
        total[part] = np.bincount(owner, score, minlength=rows)
        slope[part] = np.bincount(owner, centred * score, minlength=rows) / (spread + SHRINKING)
    return Recent(low, high, (high - low).astype(float), total, slope)


def pain_terms(visits: Visits, pain: ScoreHistory) -> tuple[dict[str, npt.NDArray[Any]], Floats]:
    """Terms of the scores in the 180 days up to the visit, and the error covariance (n, 2, 2) of the first two.

    The last score (the visit's own), the mean of the earlier ones (the last where there is none), their slope (see
    ``Recent``), the highest, their number, the score before the last, and squares and products of the last with these,
    as who decides may look for two high scores on end. Each score carries an independent error of variance 1.
    Cost: O(scores within 180 days of a visit).
    """
    past = recent(pain, visits.person, visits.day)
    earlier = past.count - 1  # the visit's own score is one of them
    single = earlier == 0
    mean = np.where(single, visits.pain, (past.total - visits.pain) / np.maximum(earlier, 1))
    before = np.where(single, visits.pain, pain.score[np.maximum(past.high - 2, 0)])
    last, usual, previous = (score - MIDDLE for score in (visits.pain, mean, before))
    terms = {
        "pain at the visit": visits.pain,
        "mean of earlier pain in 180 days": mean,
        SLOPE: past.slope,
        HIGHEST: segment_reduce(np.maximum, pain.score, past.low, past.high, -np.inf),
        "scores in 180 days": past.count,
        "one score in 180 days": single,
        BEFORE: before,
        f"pain at the visit{SQUARED}": last**2,
        f"mean of earlier pain{SQUARED}": usual**2,
        f"{BEFORE}{SQUARED}": previous**2,
        f"pain at the visit{TIMES}mean of earlier pain": last * usual,
        f"pain at the visit{TIMES}{BEFORE}": last * previous,
    }
    unit = np.zeros((len(single), 2, 2))
    unit[:, 0, 0] = 1.0
    unit[:, 1, 1] = np.where(single, 1.0, 1 / np.maximum(earlier, 1))
    unit[:, 0, 1] = unit[:, 1, 0] = single
    return terms, unit


def dose_terms(visits: Visits) -> dict[str, npt.NDArray[Any]]:
    """The dose before the visit, and by tenths of its distribution, those with few decisions joined to the next.

    Where nobody escalates (at a ceiling dose) the steps take those decisions out of the contrast, which a line alone
    would extrapolate across.
    """
    if len(visits.dose) == 0:
        return {DOSE: visits.dose}
    edges = _fair(np.sort(visits.dose), np.unique(np.quantile(visits.dose, np.arange(1, 10) / 10)))
    steps = {f"dose step {number}": visits.dose >= edge for number, edge in enumerate(edges, start=1)}
    return {DOSE: visits.dose, **steps}


def _fair(dose: Floats, edges: Floats) -> list[float]:
    """The edges, rising, between which, and beyond which, lie not too few of the sorted doses.

    Doses are often of a few sizes, and so are tenths of theirs: a step that tells a handful apart tells nothing.
    """
    fewest, kept, below = FEWEST * len(dose), [], 0
    for edge, until in zip(edges, np.searchsorted(dose, edges, side="left"), strict=True):
        if until - below >= fewest and len(dose) - until >= fewest:
            kept.append(float(edge))
            below = int(until)
    return kept


def rises(dose: DoseHistory, min_rise: float, min_mme: float) -> Bools:
    """Whether each stretch of dose after the first begins with a rise, by the definition of an escalation."""
    rise = dose.mme[1:] - dose.mme[:-1]
    return _changes(dose) & (rise >= min_mme) & (rise >= min_rise * dose.mme[:-1])


def falls(dose: DoseHistory, min_fall: float, min_mme: float) -> Bools:
    """The same of a fall."""
    fall = dose.mme[:-1] - dose.mme[1:]
    return _changes(dose) & (fall >= min_mme) & (fall >= min_fall * dose.mme[:-1])


def _changes(dose: DoseHistory) -> Bools:
    """Stretches whose dose is known as that of the one before is, after no longer gap."""
    return (dose.start[1:] - dose.stop[:-1] <= LONGEST_GAP) & dose.known[1:] & dose.known[:-1]


def earlier_changes(visits: Visits, dose: DoseHistory, changes: Bools) -> Floats:
    """How many of the changes, one per stretch of dose after the first, this person has had before the visit."""
    if len(dose.start) == 0:
        return np.zeros(len(visits.person))
    before = np.concatenate([[0], np.cumsum(np.concatenate([[False], changes]))])
    begin = dose.first_from(visits.person, np.full(len(visits.person), dose.days.first))
    return (before[dose.first_from(visits.person, visits.day)] - before[begin]).astype(float)


def baseline_terms(name: str, column: pl.Series, *, indicator: bool) -> tuple[dict[str, npt.NDArray[Any]], Bools]:
    """A number as it is (its mean where missing), a category by level; a term for missing if ``indicator``."""
    observed = column.is_not_null().to_numpy()
    terms: dict[str, npt.NDArray[Any]] = {}
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64).to_numpy().astype(float)
        observed = np.isfinite(numbers)
        centre = float(numbers[observed].mean()) if observed.any() else 0.0
        terms[name] = np.where(observed, numbers, centre)
    else:
        levels = column.drop_nulls().cast(pl.String).unique().sort().to_list()
        text = column.cast(pl.String)
        terms |= {f"{name}: {level}": (text == level).fill_null(value=False).to_numpy() for level in levels[1:]}
    if indicator and not observed.all():
        terms[f"{name}: missing"] = ~observed
    return terms, observed
