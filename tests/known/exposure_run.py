"""The exposure stage on tables told row by row: from canonical tables to what it leaves behind."""

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.steps.exposure import derive_exposure, describe_episodes

OUTPUTS = (
    "dispensings_clean", "daily_dose", "episodes", "opioid_status", "ledger", "repair_sensitivity", "gap_distribution",
    "episode_summary",
)  # fmt: skip
OXYCODONE = {"ingredient": "oxycodone", "route": "oral", "strength": 10.0, "strength_unit": "mg", "release": "IR"}


def fill(person: Any, date: int, quantity: float | None = 60, days: float | None = 30, **more: Any) -> dict:
    return {"person_id": person, "date": date, "quantity": quantity, "days_supply": days} | OXYCODONE | more


def derive(
    folder: Path, tables: dict[str, list[dict]], *, calendar: bool = False, ids: Any = None, **exposure: Any
) -> tuple[str, dict[str, pl.DataFrame], dict]:
    inputs = {}
    for name, table in CANONICAL.items():
        inputs[name] = folder / "in" / f"{name}.parquet"
        frame = pl.DataFrame(tables.get(name, []), schema=table.schema(ids or pl.Int64()))
        io.write_table(frame, inputs[name], table, calendar=calendar)
    outputs = {name: folder / f"{name}.parquet" for name in OUTPUTS} | {"notes": folder / "notes.json"}
    line = derive_exposure(inputs, outputs, {"exposure": exposure, "cohort_name": "c", "study": "s"})
    rules = {"exposure": Exposure(**exposure).model_dump()}
    describe_episodes(outputs, outputs, rules)
    return line, {name: pl.read_parquet(outputs[name]) for name in OUTPUTS}, io.read_json(outputs["notes"])


OBSERVED = [{"person_id": 1, "start": 0, "end": 400}, {"person_id": 2, "start": 0, "end": 400}]
