"""What the decision to escalate may have depended on: pain and dose history at the visit, and baseline covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.hyperalgesia.histories import DoseHistory, Histories, PainHistory
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, within
from opioid_outcomes.hyperalgesia.visits import LONGEST_GAP, Visits
from opioid_outcomes.units import DAYS_PER_YEAR

# METHODS D3.4: mean, slope and highest pain over the 180 days up to the visit
PAIN_HISTORY_DAYS = 180


@dataclass(frozen=True)
class Confounders:
    """One row per visit, one named column per term; ``complete`` marks rows without a missing covariate."""

    values: Floats
    names: list[str]
    complete: Bools
    baseline: list[str]  # names of the terms of baseline covariates
    absent: list[str]  # baseline covariates that the cohort does not have


def build(
    visits: Visits, histories: Histories, *, baseline: list[str], missing: str, min_rise: float, min_mme: float
) -> Confounders:
    """History terms, then baseline ones. ``missing`` is ``indicator`` (a category of its own) or ``complete``."""
    columns: dict[str, Floats] = {"pain at the visit": visits.pain}
    columns |= pain_terms(visits, histories.pain)
    columns |= dose_terms(visits)
    columns["years on opioids"] = visits.days_on / DAYS_PER_YEAR
    columns["earlier escalations"] = earlier_escalations(visits, histories.dose, min_rise=min_rise, min_mme=min_mme)
    complete = np.ones(len(visits.person), dtype=bool)
    history = len(columns)
    present = [name for name in baseline if name in histories.cohort.columns]
    for name in present:
        terms, observed = baseline_terms(name, histories.cohort[name], indicator=missing == "indicator")
        columns |= {term: values[visits.person] for term, values in terms.items()}
        complete &= observed[visits.person] | (missing == "indicator")
    values = np.stack([*columns.values()], axis=1)
    absent = [name for name in baseline if name not in present]
    return Confounders(values, [*columns], complete, [*columns][history:], absent)


def pain_terms(visits: Visits, pain: PainHistory) -> dict[str, Floats]:
    """Mean, highest, slope (per 30 days; 0 where there is one score only) and count of the scores up to the visit."""
    low, high = pain.window(visits.person, visits.day - PAIN_HISTORY_DAYS, visits.day)
    owner, index = within(low, high)
    count = (high - low).astype(float)  # at least 1: the visit's own score
    mean = np.bincount(owner, pain.score[index], minlength=len(low)) / count
    highest = np.full(len(low), -np.inf)
    np.maximum.at(highest, owner, pain.score[index])
    months = (pain.day[index] - visits.day[owner]) / 30.0
    centred = months - (np.bincount(owner, months, minlength=len(low)) / count)[owner]
    spread = np.bincount(owner, centred**2, minlength=len(low))
    rise = np.bincount(owner, centred * pain.score[index], minlength=len(low))
    slope = np.divide(rise, spread, out=np.zeros(len(low)), where=spread > 0)
    return {
        "mean pain in 180 days": mean,
        "highest pain in 180 days": highest,
        "slope of pain in 180 days": slope,
        "scores in 180 days": count,
        "one score in 180 days": (count == 1).astype(float),
    }


def dose_terms(visits: Visits) -> dict[str, Floats]:
    """The dose before the visit, and by tenths of its distribution.

    Where nobody escalates (at a ceiling dose) the steps take those decisions out of the contrast, which a line alone
    would extrapolate across.
    """
    if len(visits.dose) == 0:
        return {"dose before the visit": visits.dose}
    edges = np.unique(np.quantile(visits.dose, np.arange(1, 10) / 10))
    steps = {f"dose step {number}": (visits.dose >= edge).astype(float) for number, edge in enumerate(edges, start=1)}
    return {"dose before the visit": visits.dose} | steps


def earlier_escalations(visits: Visits, dose: DoseHistory, *, min_rise: float, min_mme: float) -> Floats:
    """Number of rises of the daily dose before the visit, by the definition of an escalation, over no longer gap."""
    if len(dose.start) == 0:
        return np.zeros(len(visits.person))
    continues = dose.start[1:] - dose.stop[:-1] <= LONGEST_GAP
    known = dose.known[1:] & dose.known[:-1]
    rise = dose.mme[1:] - dose.mme[:-1]
    rises = continues & known & (rise >= min_mme) & (rise >= min_rise * dose.mme[:-1])
    before = np.concatenate([[0], np.cumsum(np.concatenate([[False], rises]))])
    begin = dose.first_from(visits.person, np.full(len(visits.person), dose.days.first))
    return (before[dose.first_from(visits.person, visits.day)] - before[begin]).astype(float)


def baseline_terms(name: str, column: pl.Series, *, indicator: bool) -> tuple[dict[str, Floats], Bools]:
    """A number as it is (its mean where missing), a category by level; a term for missing if ``indicator``."""
    observed = column.is_not_null().to_numpy()
    terms: dict[str, Floats] = {}
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64).to_numpy().astype(float)
        observed = np.isfinite(numbers)
        centre = float(numbers[observed].mean()) if observed.any() else 0.0
        terms[name] = np.where(observed, numbers, centre)
    else:
        levels = column.drop_nulls().cast(pl.String).unique().sort().to_list()
        text = column.cast(pl.String)
        terms |= {f"{name}: {level}": (text == level).fill_null(False).to_numpy().astype(float) for level in levels[1:]}
    if indicator and not observed.all():
        terms[f"{name}: missing"] = (~observed).astype(float)
    return terms, observed
