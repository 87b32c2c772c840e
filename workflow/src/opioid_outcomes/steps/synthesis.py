"""Synthesis: the cohorts' estimates in one table, and pooled where they may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.synthesis import cohorts


def synthesize_estimates(inputs: dict[str, list[Path]], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """All estimates of all cohorts in one table; pooled rows last, unless the cohorts share people."""
    estimates = pl.concat([pl.read_parquet(path) for path in (*inputs["mortality"], *inputs["hyperalgesia"])])
    pooled = cohorts.pooled_rows(estimates, settings["study"])
    if not settings["synthesis"]["pool"]:
        pooled = pooled.clear()
    io.write_frame(pl.concat([estimates, pooled]), outputs["estimates"])
    withheld = estimates.filter(pl.col("gate") != "pass").height
    cohort_count = estimates["cohort"].n_unique()
    return (
        f"{estimates.height} estimates of {cohort_count} cohorts, {withheld} withheld by gate, {pooled.height} pooled"
    )
