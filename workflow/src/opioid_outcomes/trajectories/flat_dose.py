"""Dose over time at methadone's flat factor, where a factor table's factor rises with its dose.

By tiers, 20 -> 20.01 mg/day doubles the dose: a course or slope of dose would be a step between factors.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.exposure.dose_history import FLAT_FACTOR


def told(factors: str, tiers: pl.DataFrame | None) -> str:
    """The name of the factor table, and of the flat factor where it is used."""
    return factors if tiers is None else f"{factors}, methadone at {FLAT_FACTOR:g} whatever its dose"


def at_flat_dose(person_time: pl.DataFrame, cohort: pl.DataFrame, daily: pl.DataFrame) -> pl.DataFrame:
    """Person-time with the dose of ``daily`` by ``flat``: that of the supply held on each day, carry-over included."""
    shift = daily.select("person_id", "start", shift=pl.col("flat") - pl.col("mme")).sort("person_id", "start")
    rows = person_time.join(cohort.select("person_id", "entry"), on="person_id", how="left", maintain_order="left")
    held = (
        rows.with_columns(day=(pl.col("entry") + pl.col("start")).cast(shift.schema["start"]))
        .sort("person_id", "day")
        .join_asof(
            shift, left_on="day", right_on="start", by="person_id", strategy="backward", check_sortedness=False,
            suffix="_of_supply",
        )
    )  # fmt: skip
    on = (pl.col("on_opioid") == 1).fill_null(value=False)
    return held.select(
        *(pl.col(name) for name in person_time.columns if name != "mme"),
        mme=pl.col("mme") + pl.when(on).then(pl.col("shift").fill_null(0)).otherwise(0),
    )
