"""``mortality.negative_control``: drugs that cannot cause death, and conditions that opioids cannot cause.

What the design of ``mortality.current_use`` finds for them is its error. Only drugs share the confounding of death.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from opioid_outcomes.causal.negative_controls import FEWEST, calibrate, ease, fit_null
from opioid_outcomes.contracts.estimates import Estimate, smallest
from opioid_outcomes.mortality.contrasts import ON_OFF, UNKNOWN, Contrast, Exposure, Missing
from opioid_outcomes.mortality.hazard_ratio import hazard_ratio, not_asked

ANALYSIS = "mortality.negative_control"
METHOD = "adjusted_full"
SUPPLY_DAYS = 30  # of a fill whose days of supply are not known
CARRY_OVER_DAYS = 30  # as of opioids: what stops because somebody is dying still counts


@dataclass(frozen=True)
class Controls:
    """``exposures``: fills (person_id, date, days_supply) by name; ``outcomes``: days (person_id, date) by name."""

    exposures: Mapping[str, pl.DataFrame]
    outcomes: Mapping[str, pl.DataFrame]


def negative_controls(
    person_time: pl.DataFrame, entry: pl.DataFrame, controls: Controls, baseline: Sequence[str], missing: Missing, *,
    exposure: Exposure,
) -> list[Estimate]:  # fmt: skip
    """One hazard ratio per control, adjusted as ``current_use`` is; from 20 exposure controls on, death on against off
    opioids with their error taken out (method ``calibrated``).

    person_time: PERSON_TIME; entry: person_id, entry (day). Cost: one Cox fit per control.
    """
    if not controls.exposures and not controls.outcomes:
        return [not_asked(person_time, ON_OFF, analysis=ANALYSIS, why="none is named in mortality.negative_controls")]
    drugs = [
        _of_drug(person_time, entry, name, fills, baseline=baseline, missing=missing)
        for name, fills in controls.exposures.items()
    ]
    conditions: list[Estimate] = []
    for name, days in controls.outcomes.items():
        if exposure == "time_varying":
            conditions.append(_of_condition(person_time, entry, name, days, baseline=baseline, missing=missing))
        else:
            row = not_asked(person_time, ON_OFF, analysis=ANALYSIS, why=UNKNOWN[exposure])
            conditions.append(replace(row, outcome=name))
    usable = [row for row in drugs if row.gate == "pass"]
    if len(usable) < FEWEST or exposure != "time_varying":
        told = f"shown as it is: fewer than {FEWEST} exposure controls could be estimated, too few to calibrate"
        return [_noted(row, told) for row in drugs] + conditions
    return [*drugs, *conditions, _calibrated(person_time, usable, baseline, missing)]


def _of_drug(
    person_time: pl.DataFrame, entry: pl.DataFrame, name: str, fills: pl.DataFrame, *, baseline: Sequence[str],
    missing: Missing,
) -> Estimate:  # fmt: skip
    """Hazard ratio of death on against off one drug class."""
    contrast = Contrast(f"on {words(name)} vs off {words(name)}", pl.col("on_control"))
    row = hazard_ratio(
        with_drug(person_time, entry, fills), contrast, analysis=ANALYSIS, method=METHOD,
        adjust=[covariate for covariate in baseline if covariate != name], missing=missing,
    )  # fmt: skip
    return _noted(row, f"exposure control: no effect of {words(name)} on death is expected")


def with_drug(person_time: pl.DataFrame, entry: pl.DataFrame, fills: pl.DataFrame) -> pl.DataFrame:
    """Person-time cut where supply of a drug begins and ends, with ``on_control``: 1 under it, 0 not.

    fills: person_id, date, days_supply. On at day d: d before the end of supply and 30 days, from fills up
    to d only; fills overlap, and are not stockpiled. Follow-up of a person is whole from day 0. O(n log n).
    """
    supply = pl.when(pl.col("days_supply") > 0).then("days_supply").otherwise(SUPPLY_DAYS).fill_null(SUPPLY_DAYS)
    spans = fills.join(entry, on="person_id").select(
        "person_id",
        start=(pl.col("date") - pl.col("entry")).cast(pl.Int64),
        stop=(pl.col("date") - pl.col("entry") + supply.floor() + CARRY_OVER_DAYS).cast(pl.Int64),
    )
    steps = [
        spans.select("person_id", day=pl.col(edge).clip(lower_bound=0), step=pl.lit(sign, pl.Int64))
        for edge, sign in (("start", 1), ("stop", -1))
    ]
    changes = (
        pl.concat(steps)
        .group_by("person_id", "day")
        .agg(pl.col("step").sum())
        .sort("person_id", "day")
        .with_columns(on_control=(pl.col("step").cum_sum().over("person_id") > 0).cast(pl.Int64))
        .filter(pl.col("on_control") != pl.col("on_control").shift(1, fill_value=0).over("person_id"))
        .select("person_id", "day", "on_control")
    )
    rows = person_time.sort("person_id", "start")
    exits = rows.group_by("person_id", maintain_order=True).agg(pl.col("stop").max().alias("exit"))
    inside = changes.join(exits, on="person_id").filter((pl.col("day") > 0) & (pl.col("day") < pl.col("exit")))
    cuts = (
        pl.concat([rows.select("person_id", at="start"), inside.select("person_id", at=pl.col("day"))])
        .unique()
        .sort("person_id", "at")
    )
    found = cuts.join_asof(
        rows, left_on="at", right_on="start", by="person_id", strategy="backward", coalesce=False,
        check_sortedness=False,
    ).join_asof(
        changes, left_on="at", right_on="day", by="person_id", strategy="backward", check_sortedness=False
    )  # fmt: skip
    following = pl.col("at").shift(-1).over("person_id")
    return (
        found.with_columns(
            until=pl.min_horizontal("stop", following.fill_null(pl.col("stop"))),
            on_control=pl.col("on_control").fill_null(0),
        )
        .with_columns(
            start=pl.col("at"),
            death=pl.when(pl.col("until") == pl.col("stop")).then("death").otherwise(0),
            stop=pl.col("until"),
        )
        .select(*person_time.columns, "on_control")
    )


def _of_condition(
    person_time: pl.DataFrame, entry: pl.DataFrame, name: str, days: pl.DataFrame, *, baseline: Sequence[str],
    missing: Missing,
) -> Estimate:  # fmt: skip
    """Hazard ratio of the first diagnosis of a condition, on against off opioids, among people without one before."""
    free = until_diagnosed(person_time, entry, days)
    adjust = [covariate for covariate in baseline if covariate != name]
    row = hazard_ratio(free, ON_OFF, analysis=ANALYSIS, method=METHOD, adjust=adjust, missing=missing)
    told = "outcome control: opioids are not expected to cause it; first diagnosis, of people without one before entry"
    row = replace(
        row, outcome=name, gate=row.gate.replace("deaths", "diagnoses"), note=row.note.replace("deaths", "diagnoses")
    )
    return _noted(row, f"{told}; death ends follow-up")


def until_diagnosed(person_time: pl.DataFrame, entry: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Person-time up to the first of ``days`` (person_id, date), which takes the place of ``death``, of people who have
    none before entry. A diagnosis on day k is an event at k + 1."""
    first = days.group_by("person_id").agg(pl.col("date").min())
    at = first.join(entry, on="person_id").select(
        "person_id", diagnosed=(pl.col("date") - pl.col("entry") + 1).cast(pl.Int64)
    )
    return (
        person_time.join(at, on="person_id", how="left", maintain_order="left")
        .filter(pl.col("diagnosed").is_null() | ((pl.col("diagnosed") > 0) & (pl.col("start") < pl.col("diagnosed"))))
        .with_columns(
            death=((pl.col("diagnosed") > pl.col("start")) & (pl.col("diagnosed") <= pl.col("stop")))
            .fill_null(value=False)
            .cast(pl.Int64),
            stop=pl.min_horizontal("stop", "diagnosed"),
        )
        .drop("diagnosed")
    )


def _calibrated(
    person_time: pl.DataFrame, controls: Sequence[Estimate], baseline: Sequence[str], missing: Missing
) -> Estimate:
    """Death on against off opioids, less the error that the controls show."""
    row = hazard_ratio(person_time, ON_OFF, analysis=ANALYSIS, method=METHOD, adjust=baseline, missing=missing)
    if row.estimate is None or row.se is None:
        return replace(row, method="calibrated")
    null = fit_null([control.estimate or 0.0 for control in controls], [control.se or 1.0 for control in controls])
    found = calibrate(row.estimate, row.se, null)
    told = (
        f"less the error of {len(controls)} exposure controls: mean log hazard ratio {null.mu:.3f}, standard deviation"
        f" {null.sigma:.3f}, expected absolute error {ease(null):.3f}"
    )
    row = replace(
        row, method="calibrated", estimate=found.estimate, ci_low=found.ci_low, ci_high=found.ci_high, se=found.se,
        p_value=found.p_value, smallest_cell=smallest(row.smallest_cell, *(each.smallest_cell for each in controls)),
    )  # fmt: skip
    return _noted(row, told)


def words(name: str) -> str:
    """A control's name as words."""
    return name.replace("_", " ")


def _noted(row: Estimate, told: str) -> Estimate:
    return replace(row, note="; ".join(filter(None, (told, row.note))))
