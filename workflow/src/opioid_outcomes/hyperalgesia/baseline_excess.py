"""``hyperalgesia.baseline_excess``: does pain on opioids exceed the pain before them, against matched non-starters?

Hyperalgesic pain is said to exceed the original pain. Opioids are started at a peak of pain, which falls by itself, so
that the change since before says relief whatever opioids do: it is compared with that of people who did not start, at
the same pain, trend of pain and covariates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import confounders
from opioid_outcomes.hyperalgesia.escalation import FEWEST_PER_ARM, arm_counts
from opioid_outcomes.hyperalgesia.histories import ScoreHistory, daily_scores, numbered
from opioid_outcomes.hyperalgesia.person_days import Bools, Floats, Ints, PersonDays
from opioid_outcomes.hyperalgesia.regression import effects
from opioid_outcomes.hyperalgesia.variation import unvaried
from opioid_outcomes.hyperalgesia.visits import Visits
from opioid_outcomes.mortality import trial_arms
from opioid_outcomes.mortality.contrasts import Missing
from opioid_outcomes.mortality.trial_arms import Arms, NotComparable

ANALYSIS = "hyperalgesia.baseline_excess"
COMPARATOR = "non_user"
BEFORE_DAYS, AFTER_DAYS = 180, (181, 365)  # up to the index day, which is before the first dose; and after it
WINDOW = f"{AFTER_DAYS[0]}-{AFTER_DAYS[1]}"
SINCE_LAST = "days since the last score"
# what is matched on beside the covariates; the highest score is one of them or told by them
PAIN_TERMS = ("pain at the visit", "mean of earlier pain in 180 days", "slope of pain in 180 days")
NAMES = ("last pain", "mean of earlier pain", "slope of pain")


@dataclass(frozen=True)
class Scored:
    """Index dates with a score before and one after: their rows, what is matched on, and the change between means."""

    trials: pl.DataFrame
    change: Floats
    person: Ints  # index in the cohort
    started: Bools


def estimate(
    trials: pl.DataFrame, pain: pl.DataFrame, cohort: pl.DataFrame, *, baseline: Sequence[str], missing: Missing
) -> Estimate:
    """Mean pain 181-365 days after the index date minus mean pain of the 180 days up to it, new minus non users (ATT).

    ``trials``: new_user_trials with the ``baseline`` covariates; ``pain``: scores of one scale. Of index dates with a
    score in both, new users are matched one to one on a propensity score of pain (last, mean, slope), covariates and
    time since entry; what differences are left in these is taken out by regression (Abadie & Imbens 2011 J Bus Econ
    Stat 29:1). Errors are clustered by person, matches taken as given. Cost: as ``trial_arms.compare``.
    """
    dates = trials.filter(pl.col("comparator").cast(pl.String) == COMPARATOR)
    if dates.is_empty():
        return _row(gate="not evaluable: nobody starts an opioid, or might have")
    scored = _scored(dates, pain, cohort)
    counts = arm_counts(scored.person, scored.started)
    for arm, who in ((scored.started, "new users"), (~scored.started, "non users")):
        if len(np.unique(scored.person[arm])) < FEWEST_PER_ARM:
            gate = f"not evaluable: fewer than {FEWEST_PER_ARM} {who} have pain scores before and after"
            return _row(gate=gate, **counts)
    constant = unvaried(scored.change)
    if constant:
        return _row(gate=constant, **counts)
    names = [*baseline, *NAMES, SINCE_LAST]
    ones = np.ones(scored.trials.height)
    try:
        arms = trial_arms.compare(
            scored.trials.drop(trial_arms.BEFORE_OUTCOMES), names, left_out=[], weighting="match", missing=missing,
            base=ones,
        )  # fmt: skip
    except NotComparable as failure:
        return _row(gate=f"not evaluable: {failure.reason}", **counts)
    return _matched(scored, arms)


def nothing(gate: str) -> Estimate:
    """The row of an analysis that cannot be made."""
    return _row(gate=gate)


def _matched(scored: Scored, arms: Arms) -> Estimate:
    person = scored.person[arms.keep]
    chosen = arms.weights > 0
    counts = arm_counts(person[chosen], scored.started[arms.keep][chosen])
    gate = arms.diagnose(person, len(np.unique(person[chosen]))).gate(event="score")
    if gate != "pass":
        return _row(gate=gate, **counts)
    change, started, who = scored.change[arms.keep][chosen], arms.arm[chosen] == 1, person[chosen]
    fit = effects(change[:, None], started.astype(float), arms.design.x[chosen], list(arms.design.names), who)
    if fit is None:
        return _row(gate="not evaluable: the covariates determine who starts (collinear)", **counts)
    note = (
        f"mean change {float(change[started].mean()):+.2f} in new users, {float(change[~started].mean()):+.2f} in "
        "matched non users: opioids start at a peak of pain, so the change alone says nothing; events = people who "
        "start; people with a score in both windows; matched on recorded pain, whose error leaves some of the peak"
    )
    return _row(note="; ".join((note, *arms.notes)), **fit.numbers(), **counts)


def _scored(dates: pl.DataFrame, pain: pl.DataFrame, cohort: pl.DataFrame) -> Scored:
    persons = numbered(cohort)
    scores = daily_scores(pain, persons, "score")
    dates = dates.join(persons, on="person_id", how="inner", maintain_order="left")
    person, index = (dates[name].cast(pl.Int64).to_numpy() for name in ("person", "index"))
    day = scores["date"].cast(pl.Int64).to_numpy()
    seen = [values for values in (day, index) if len(values)]
    days = PersonDays(min(int(v.min()) for v in seen), max(int(v.max()) for v in seen))
    history = ScoreHistory(days, scores["person"].to_numpy(), day, scores["score"].cast(pl.Float64).to_numpy())
    before = history.mean(person, index - BEFORE_DAYS, index)
    change = history.mean(person, index + AFTER_DAYS[0], index + AFTER_DAYS[1]) - before
    kept = np.isfinite(change)
    person, index = person[kept], index[kept]
    arm = dates["arm"].to_numpy()[kept] == 1
    return Scored(dates.filter(pl.Series(kept)).hstack(_terms(history, person, index)), change[kept], person, arm)


def _terms(history: ScoreHistory, person: Ints, index: Ints) -> pl.DataFrame:
    """Pain up to the index date, of dates that have a score in the days before."""
    last = history.window(person, index - BEFORE_DAYS, index)[1] - 1
    nothing = np.zeros(len(person))
    at_last = Visits(person, index, history.score[last], nothing, nothing)
    terms, _ = confounders.pain_terms(at_last, history)
    found = {name: terms[term] for name, term in zip(NAMES, PAIN_TERMS, strict=True)}
    return pl.DataFrame(found | {SINCE_LAST: (index - history.day[last]).astype(float)})


def _row(**values: object) -> Estimate:
    return Estimate(
        analysis=ANALYSIS, method="match", population="new users and matched non users (ATT)",
        outcome="pain above pain before", contrast="new user vs non user", window=WINDOW, scale="mean_difference",
        **values,  # type: ignore[arg-type]
    )  # fmt: skip
