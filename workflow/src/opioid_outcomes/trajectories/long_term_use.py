"""``trajectory.predictors``, second part: which new users of opioids are long-term users within a year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.counts import about
from opioid_outcomes.survival import incidence
from opioid_outcomes.survival.risk_sets import Floats
from opioid_outcomes.trajectories.odds import Bools, Missing, Regression, regress
from opioid_outcomes.trajectories.predictors import (
    ANALYSIS,
    EVERY_COVARIATE,
    FEWEST,
    describe,
    few_per_covariate,
    left_out,
    of_term,
    too_few,
    ways,
)

HORIZON_DAYS = 365
NEVER_BEFORE = "new users: no opioid on record before their first day on, as no washout is known"


@dataclass(frozen=True)
class NewUsers:
    """``people``: person_id, day (of starting), after (days since entry), one row each, sorted; with the rest as long.

    met_before: people left out because they had met the definition before they start.
    """

    people: pl.DataFrame
    met: Bools
    known: Bools  # whether the outcome at the horizon is known
    weight: Floats  # 1 / probability of not being censored before it was known
    met_before: int
    never_before: bool  # new for want of any earlier opioid, as the cohort has no washout


def long_term_use(
    found: NewUsers, covariates: pl.DataFrame, names: Sequence[str], *, definition: str, missing: Missing,
    factors: str, lookback: int,
) -> list[Estimate]:  # fmt: skip
    """Log odds of meeting a definition of long-term therapy within 365 days of starting, a row per covariate.

    found: of ``new_users``; covariates: person_id and ``names`` of these people, as known on the eve of starting, of
    ``lookback`` days unless they are conditions. Who died before meeting the definition did not meet it. Who leaves
    before that is known is left out, and the others stand in for them by the inverse probability of being followed so
    long (Kaplan-Meier of censoring; Scheike, Zhang & Gerds 2008 Biometrika 95:205): to leave out only those who had not
    met it would make long-term use look likelier. Robust (HC0) standard errors, which take the weights as known. Where
    covariates are missing and that is a category, complete cases beside.
    """
    people = found.people.join(
        covariates.select("person_id", *names), on="person_id", how="left", maintain_order="left"
    )
    people, met = people.filter(pl.Series(found.known, dtype=pl.Boolean)), found.met[found.known]
    row = Estimate(
        analysis=ANALYSIS, method="logistic", population="new users of opioids", outcome="long-term use",
        contrast=EVERY_COVARIATE, scale="log_or", window=f"0-{HORIZON_DAYS}", persons=people.height,
        events=int(met.sum()), smallest_cell=smallest(int(met.sum()), int((~met).sum())),
        gate="not evaluable: not fitted",
    )  # fmt: skip
    refusal = _refusal(met, names)
    if refusal:
        return [replace(row, gate=f"not evaluable: {refusal}")]
    first = [
        f"{definition} met within {HORIZON_DAYS} days of starting; death before counts as not met",
        f"left before that was known: {about(int((~found.known).sum()))}, made up for by weights",
        f"long-term users before they start anew, left out: {about(found.met_before)}",
        "covariates as known on the eve of starting: conditions (code lists) from all that is on record before, drugs,"
        f" pain and measures from the {lookback} days before; MME by {factors}",
    ]
    if found.never_before:
        first.append(NEVER_BEFORE)
    weight = found.weight[found.known]
    outcomes = np.column_stack([weight * ~met, weight * met])
    rows = []
    for method, rule in ways(row.method, people, names, missing):
        rows += _of_terms(replace(row, method=method), met, regress(people, outcomes, names, missing=rule), first)
    return rows


def _of_terms(row: Estimate, met: Bools, result: Regression, first: list[str]) -> list[Estimate]:
    inside = met[result.kept]
    smaller = int(min(inside.sum(), (~inside).sum()))
    note = "; ".join((describe(first, result), *few_per_covariate(smaller, result, "new users of the rarer outcome")))
    row = replace(row, persons=len(inside), events=int(inside.sum()), note=note)
    gate = _few(inside) or too_few(smaller, result)
    return [of_term(row, term, 0, (~inside, inside), gate=gate, apart=left_out(result)) for term in result.terms]


def new_users(person_time: pl.DataFrame, cohort: pl.DataFrame, long_term: pl.DataFrame, definition: str) -> NewUsers:
    """Who begins a new use on the first day on opioids in follow-up, and what is known of them 365 days later.

    Where ``new_user`` is null for everybody (no washout can be seen), those who had never used before. Time counts as
    in person-time: what is met on day begin + k is so at k + 1.
    """
    rows = person_time.sort("person_id", "start").with_columns(before=pl.col("use_state").shift().over("person_id"))
    first = rows.filter(pl.col("on_opioid") == 1).unique("person_id", keep="first", maintain_order=True)
    never_before = first["new_user"].null_count() == first.height
    new = pl.col("before") == "never" if never_before else pl.col("new_user") == 1
    met = long_term.filter(pl.col("definition") == definition).group_by("person_id").agg(pl.col("met").min())
    people = (
        first.filter(new.fill_null(value=False), pl.col("days_since_start") == 0)
        .select("person_id", after="start")
        .join(cohort.select("person_id", "entry", "exit", "death"), on="person_id", how="inner", maintain_order="left")
        .join(met, on="person_id", how="left", maintain_order="left")
        .with_columns(day=(pl.col("entry") + pl.col("after")).cast(pl.Int32))
    )
    already = (pl.col("met") < pl.col("day")).fill_null(value=False)
    met_before = people.filter(already).height
    people = people.filter(~already)
    times = people.select(
        met=(pl.col("met") - pl.col("day") + 1).cast(pl.Float64).fill_null(np.inf),
        followed=(pl.col("exit") - pl.col("day")).cast(pl.Float64),
        death=pl.col("death") == 1,
    )
    met_at, followed, died = (times[name].to_numpy() for name in ("met", "followed", "death"))
    meets = met_at <= np.minimum(followed, HORIZON_DAYS)
    known = meets | died | (followed >= HORIZON_DAYS)
    time = np.minimum(np.minimum(met_at, followed), HORIZON_DAYS)
    return NewUsers(
        people.select("person_id", "day", "after"), meets, known, _weight(time, ~known), met_before, never_before
    )


def _weight(time: Floats, censored: Bools) -> Floats:
    """1 / Kaplan-Meier probability of being uncensored just before ``time``."""
    curve = incidence.fit(0.0, time, censored, causes=1)
    return 1 / np.r_[1.0, curve.survival][np.searchsorted(curve.time, time, side="left")]


def _refusal(met: Bools, names: Sequence[str]) -> str | None:
    if not len(met):
        return "no new user is followed long enough"
    return _few(met) or (None if names else "no baseline covariates are named")


def _few(met: Bools) -> str | None:
    if met.sum() < FEWEST:
        return "fewer than ten new users meet the definition of long-term use"
    return "fewer than ten new users do not meet the definition of long-term use" if (~met).sum() < FEWEST else None
