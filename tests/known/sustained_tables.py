"""The lives of ``sustained_world`` as tables, and the stage run on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sustained_world import DAYS, HORIZONS, Lives, live

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts import canonical, derived
from opioid_outcomes.contracts.columns import Table
from opioid_outcomes.steps.sustained import estimate_sustained

TABLES: dict[str, Table] = {
    "cohort": derived.COHORT, "opioid_status": derived.OPIOID_STATUS, "daily_dose": derived.DAILY_DOSE,
    "long_term": derived.LONG_TERM,
    **{
        name: canonical.CANONICAL[name]
        for name in ("persons", "diagnoses", "dispensings", "pain", "measurements", "stays")
    },
}  # fmt: skip
ENTRY = 1000
SETTINGS: dict[str, Any] = {
    "study": "s", "cohort_name": "c", "study_seed": 1,
    "mortality": Mortality(horizons_days=[int(day) for day in HORIZONS]).model_dump(),
    "covariates": {"baseline": ["pain", "frailty"], "time_varying": [], "missing": "indicator"},
    "exposure": Exposure().model_dump(), "population": {"lookback_days": 365},
}  # fmt: skip
NOTES = {"exposure": "time_varying", "deaths": 100, "deaths_after_observation": 0}


def filled(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The contract's columns, null where ``rows`` has none, then further ones."""
    schema = table.schema(pl.Int64())
    nulls = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in rows.columns]
    cast = [pl.col(name).cast(schema[name]) for name in rows.columns if name in schema]
    return rows.with_columns(cast).with_columns(nulls)


def world(people: int, seed: int) -> dict[str, pl.DataFrame]:
    return world_of(live(people, seed))


def world_of(lives: Lives) -> dict[str, pl.DataFrame]:
    """The known world as tables: illness is the pain recorded on the eve of each month."""
    ids = pl.DataFrame({"person_id": np.arange(len(lives.begun))})
    end = lives.time.astype(int)
    spans = [
        ("on", lives.begun, np.minimum(lives.stopped, end)),
        ("recent", lives.stopped, end.astype(float)),
    ]
    status = [
        ids.filter(pl.Series(start < stop)).with_columns(
            state=pl.lit(state), start=pl.Series(start[start < stop].astype(int) + ENTRY),
            stop=pl.Series(stop[start < stop].astype(int) + ENTRY), mme=pl.lit(30.0 if state == "on" else 0.0),
            supply_end=pl.lit(ENTRY + 10_000),  # who has stopped is not eligible again
        )
        for state, start, stop in spans
    ]  # fmt: skip
    person, month = np.nonzero(np.arange(DAYS // 30) * 30 < end[:, None])
    pain = {"person_id": person, "date": ENTRY + 30 * month - 1, "score": np.where(lives.ill[person, month], 8.0, 3.0)}
    return {
        "cohort": ids.with_columns(
            entry=ENTRY, exit=pl.Series(end + ENTRY), death=pl.Series(lives.cause), exit_reason=pl.lit("study end")
        ),
        "opioid_status": pl.concat(status).sort("person_id", "start"),
        "persons": ids.with_columns(sex=pl.lit("F"), frailty=pl.Series(lives.frail)),
        "pain": pl.DataFrame(pain),
        **{
            name: ids.clear()
            for name in ("daily_dose", "long_term", "diagnoses", "dispensings", "measurements", "stays")
        },
    }


def run(
    folder: Path, tables: dict[str, pl.DataFrame], *, notes: dict[str, Any] | None = None, **changes: Any
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    inputs = {name: folder / f"{name}.parquet" for name in TABLES} | {"notes": folder / "cohort_notes.json"}
    for name, table in TABLES.items():
        io.write_table(filled(table, tables[name]), inputs[name], table, calendar=False)
    io.write_json(inputs["notes"], NOTES | (notes or {}))
    names = ("estimates", "sustained_survival", "sustained_diagnostics")
    outputs = {name: folder / f"{name}_out.parquet" for name in names}
    estimate_sustained(inputs, outputs, SETTINGS | changes)
    rows, curves, tests = (pl.read_parquet(outputs[name]) for name in names)
    return rows, curves, tests
