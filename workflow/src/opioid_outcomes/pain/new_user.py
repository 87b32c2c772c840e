"""``pain.new_user``: pain a year after starting an opioid against a comparator, in those who start (ATT).

ANALYSES 1 (C5): no evidence of efficacy in the long term. The trials are those of ``mortality.new_user``; SPACE (Krebs
et al. 2018 JAMA 319:872) asked the same of patients who were randomised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.hyperalgesia.histories import Histories, numbered
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints
from opioid_outcomes.mortality.new_user import outcomes_of, sampled
from opioid_outcomes.mortality.numbered import numbered as with_number
from opioid_outcomes.mortality.trial_estimates import CONTRASTS, groups
from opioid_outcomes.pain import att
from opioid_outcomes.pain.att import Compared, Decisions
from opioid_outcomes.pain.history import Before, before
from opioid_outcomes.units import DAYS_PER_YEAR

ANALYSIS = "pain.new_user"
FIRST, LAST = 301, 425  # days after the index date: twelve months, two either way
LESS = 0.3  # METHODS D5: the share by which pain is much better
RESPONSE = f"alive with {100 * LESS:.0f} % less pain"
SCALES = {"pain": "mean_difference", RESPONSE: "risk_difference"}
SPACE = "SPACE (Krebs 2018) asked the same of randomised patients and found opioids no better"


@dataclass(frozen=True)
class Year:
    """What follows the index dates: mean score (NaN if none) and being alive, or having had a score before death."""

    pain: Floats
    alive: Bools


def new_user(
    comparator: str, trials: pl.DataFrame, histories: Histories, *, baseline: list[str], missing: str
) -> list[Estimate]:
    """Difference in 12-month pain while alive, and in the share alive with 30 % less pain than before.

    trials: TRIALS of one comparator with the baseline covariates, survey_weight and cluster. By intention to treat,
    clustered by person. Rows whose gate says why where it cannot be told. Cost: two logistic regressions.
    """
    trials = trials.join(numbered(histories.cohort), on="person_id", how="inner", maintain_order="left")
    # within 30 days of follow-up in which one arm only is seen nothing is compared
    both = pl.col("arm").max().over("trial") > pl.col("arm").min().over("trial")
    trials, base = sampled(trials.filter(both) if trials["arm"].n_unique() > 1 else trials)
    names = [name for name in baseline if name != "pain"]
    columns, kept = att.covariates(trials, names, missing, trials.height)
    if not kept.all():
        trials, base = trials.filter(pl.Series(kept)), base[kept]
        columns = {name: values[kept] for name, values in columns.items()}
    for arm, name in reversed([*enumerate(groups(comparator))]):
        if not (trials["arm"] == arm).any():
            return nothing(comparator, f"not evaluable: nobody in group '{name}'")
    person, index = trials["person"].to_numpy(), trials["index"].cast(pl.Int64).to_numpy()
    past, year = before(histories.pain, person, index), _year(histories, person, index)
    since = {"years since entry": trials["days_since_entry"].to_numpy() / DAYS_PER_YEAR}
    columns = past.terms | since | columns
    treated, unit = trials["arm"].to_numpy() == 1, outcomes_of(trials).unit
    decisions = Decisions(person, unit, treated, np.column_stack([*columns.values()]), [*columns], base)
    assigned = att.assign(decisions)
    words = [
        "intention to treat; covariates and pain history on the index date; weights for having a score; SE by person",
        *att.on_missing(trials, names, missing), SPACE,
    ]  # fmt: skip
    found = att.compare(decisions, assigned, year.pain, year.alive, before=past.last)
    note = "; ".join([_changes(decisions, past, year), "pain while alive", *words])
    rows = [_row(comparator, "pain", found, note)]
    response, eligible = _response(past, year)
    found = att.compare(decisions, assigned, response, eligible, what=f"who is {RESPONSE}")
    cells = [
        len(np.unique(person[eligible & (treated == arm) & (response == happened)]))
        for arm in (True, False) for happened in (0, 1)
    ]  # fmt: skip
    found.counts["events"] = len(np.unique(person[eligible & (response == 1)]))
    found.counts["smallest_cell"] = smallest(*cells)
    note = "; ".join([f"the dead count as not {RESPONSE}; of those in pain before", *words])
    return [*rows, _row(comparator, RESPONSE, found, note)]


def nothing(comparator: str, gate: str) -> list[Estimate]:
    """The rows of a comparison that cannot be made, with the reason as their gate."""
    return [_row(comparator, outcome, Compared(None, gate, {}), "") for outcome in SCALES]


def _row(comparator: str, outcome: str, found: Compared, note: str) -> Estimate:
    row = Estimate(
        analysis=ANALYSIS, method="aipw", population="chronic pain (ATT)", outcome=outcome,
        contrast=CONTRASTS[comparator], window=f"{FIRST}-{LAST}", scale=SCALES[outcome],
        gate="not evaluable: not estimated", **found.counts,
    )  # fmt: skip
    if found.effects is None:
        return replace(row, gate=found.gate)
    return with_number(replace(row, note=note), found.effects.joint("aipw").combination(np.ones(1)))


def _year(histories: Histories, person: Ints, index: Ints) -> Year:
    last = np.minimum(index + LAST, histories.exit[person] - 1)
    pain = histories.pain.mean(person, index + FIRST, last)
    return Year(pain, np.isfinite(pain) | (histories.death[person] > index + LAST))


def _response(past: Before, year: Year) -> tuple[Floats, Bools]:
    """1 where alive with less pain, 0 where not or dead, NaN where not seen; and of whom it can be said."""
    with np.errstate(invalid="ignore"):
        less = (year.pain <= (1 - LESS) * past.last).astype(float)
        in_pain = past.last > 0
    return np.where(~year.alive, 0.0, np.where(np.isfinite(year.pain), less, np.nan)), in_pain


def _changes(decisions: Decisions, past: Before, year: Year) -> str:
    """Both arms' change, unadjusted."""
    change = year.pain - past.last
    told = np.isfinite(change) & (decisions.weights > 0)
    means = [
        float(np.average(change[told & arm], weights=decisions.weights[told & arm])) if (told & arm).any() else np.nan
        for arm in (decisions.treated, ~decisions.treated)
    ]
    return f"mean change since the last score {means[0]:+.2f} after starting, {means[1]:+.2f} without"
