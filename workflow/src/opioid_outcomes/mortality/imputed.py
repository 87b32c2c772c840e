"""Estimates from imputed copies of the people, combined (``covariates.missing: mi``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from opioid_outcomes.causal import imputation
from opioid_outcomes.contracts.estimates import Estimate

RATIOS = ("risk_ratio", "smr")  # told as they are, combined as logarithms


def copies_of_person_time(person_time: pl.DataFrame, baseline: Sequence[str], *, seed: int) -> list[pl.DataFrame]:
    """Copies of PERSON_TIME with the missing baseline covariates of each person drawn, from one draw per person.

    Every model holds death, the cumulative hazard at the end of follow-up, use at time zero and the share of time on.
    """
    people = (
        person_time.sort("person_id", "start")
        .group_by("person_id", maintain_order=True)
        .agg(
            pl.col("death").max(),
            pl.col("stop").max(),
            (pl.col("baseline_user").first() == 1).fill_null(False).cast(pl.Float64).alias("user"),
            (pl.col("stop") - pl.col("start")).filter(pl.col("on_opioid") == 1).sum().alias("days_on"),
            *(pl.col(name).first() for name in baseline),
        )
        .with_columns((pl.col("days_on") / pl.col("stop")).alias("share_on"))
    )
    return [
        person_time.drop(baseline)
        .join(copy.select("person_id", *baseline), on="person_id", how="left", maintain_order="left")
        .select(person_time.columns)
        for copy in _completed(people, baseline, ["death", "hazard", "user", "share_on"], seed=seed)
    ]


def with_values(cohort: pl.DataFrame, copy: pl.DataFrame, baseline: Sequence[str]) -> pl.DataFrame:
    """COHORT with the covariates of a copy of its person-time."""
    values = copy.unique("person_id", maintain_order=True).select("person_id", *baseline)
    return cohort.drop(baseline).join(values, on="person_id", how="left", maintain_order="left").select(cohort.columns)


def copies_of_trials(trials: pl.DataFrame, baseline: Sequence[str], *, seed: int) -> list[pl.DataFrame]:
    """Copies of TRIALS with the missing covariates of each index date drawn; models hold arm, death, hazard."""
    renamed = trials.with_columns(pl.col("event").alias("death"), pl.col("follow_up").alias("stop"))
    copies = _completed(renamed, baseline, ["death", "hazard", "arm"], seed=seed)
    return [copy.select(trials.columns) for copy in copies]


def copies_of_histories(
    histories: pl.DataFrame, zeros: pl.DataFrame, names: Sequence[str], *, seed: int
) -> list[pl.DataFrame]:
    """Copies of what is known of people on days from their time zeros, sorted by person, missing values drawn.

    zeros: person_id, zero, time, death of each time zero. One draw per person, on what is known on the first day;
    models hold death and the cumulative hazard from then.
    """
    first = zeros.unique("person_id", keep="first", maintain_order=True).rename({"time": "stop"})
    known = histories.unique("person_id", keep="first", maintain_order=True).select("person_id", *names)
    people = first.select("person_id", "death", "stop").join(known, on="person_id", maintain_order="left")
    drawn = _completed(people, names, ["death", "hazard"], seed=seed)
    return [
        histories.join(
            copy.select("person_id", *(pl.col(name).alias(f"{name} drawn") for name in names)), on="person_id",
            how="left", maintain_order="left",
        )
        .with_columns(pl.coalesce(name, f"{name} drawn").alias(name) for name in names)
        .select(histories.columns)
        for copy in drawn
    ]  # fmt: skip


def _completed(people: pl.DataFrame, baseline: Sequence[str], known: Sequence[str], *, seed: int) -> list[pl.DataFrame]:
    stop, death = people["stop"].to_numpy(), people["death"].to_numpy()
    hazard = imputation.cumulative_hazard(0 * stop, stop, death)
    return imputation.completed(people.with_columns(hazard=pl.Series(hazard)), baseline, known=known, seed=seed)


def with_copies(
    analyse: Callable[[pl.DataFrame], list[Estimate]], frame: pl.DataFrame, copies: Sequence[pl.DataFrame]
) -> list[Estimate]:
    """The rows of ``analyse(frame)``, those that imputation changes replaced by what the copies say together.

    Complete cases, which no copy has, stay as they are beside the imputed ones.
    """
    rows = analyse(frame)
    of_copies: dict[tuple[str, ...], list[Estimate]] = {}
    for copy in copies:
        for row in analyse(copy):
            of_copies.setdefault(_estimand(row), []).append(row)
    alike = {key: found for key, found in of_copies.items() if len(found) == len(copies)}
    return [_combined(alike[_estimand(row)]) if _estimand(row) in alike else row for row in rows]


def _estimand(row: Estimate) -> tuple[str, ...]:
    population = row.population.split("; ")[0]  # whom else an analysis leaves out, a copy may keep
    return (row.analysis, row.method, population, row.outcome, row.contrast, row.window, row.scale)


def combined(copies: Sequence[Sequence[Estimate]]) -> list[Estimate]:
    """One row for each estimand, from the rows of each copy in the same order, by Rubin's rules.

    A row that has no estimate in one of the copies has none: its gate is that of the first copy that refuses.
    """
    return [_combined(rows) for rows in zip(*copies, strict=True)]


def _combined(rows: Sequence[Estimate]) -> Estimate:
    refused = next((row for row in rows if row.estimate is None or not row.se), None)
    if len(rows) == 1 or refused is not None:
        return refused or rows[0]
    if all((row.estimate, row.se) == (rows[0].estimate, rows[0].se) for row in rows):
        return rows[0]  # nothing imputed is in it
    first, logs = rows[0], rows[0].scale in RATIOS
    values = [math.log(row.estimate) if logs else row.estimate for row in rows if row.estimate is not None]
    errors = [row.se / row.estimate if logs else row.se for row in rows if row.se and row.estimate]
    pooled = imputation.pool(values, [error**2 for error in errors])
    half = _quantile(pooled.degrees) * pooled.se
    estimate, low, high = pooled.estimate, pooled.estimate - half, pooled.estimate + half
    shown = tuple(map(math.exp, (estimate, low, high))) if logs else (estimate, low, high)
    note = f"missing covariates imputed {len(rows)} times (chained equations), combined by Rubin's rules"
    return replace(
        first, estimate=shown[0], ci_low=shown[1], ci_high=shown[2],
        se=pooled.se * shown[0] if logs else pooled.se,
        p_value=_p_value(pooled) if first.p_value is not None else None,
        note="; ".join(filter(None, [first.note, note])),
    )  # fmt: skip


def _quantile(degrees: float) -> float:
    from scipy.stats import norm, t

    return float(norm.ppf(0.975) if math.isinf(degrees) else t.ppf(0.975, degrees))


def _p_value(pooled: imputation.Pooled) -> float:
    from scipy.stats import norm, t

    ratio = abs(pooled.estimate / pooled.se)
    return float(2 * (norm.sf(ratio) if math.isinf(pooled.degrees) else t.sf(ratio, pooled.degrees)))
