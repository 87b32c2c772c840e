"""The immortal-time trap, shown as the wrong answer beside the right one where the truth is known."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import Contrast
from opioid_outcomes.mortality.hazard_ratio import hazard_ratio

GATE = "fail: by design: who ever uses must have lived to start, so the time before counts for opioids"


def ever_against_never(person_time: pl.DataFrame) -> Estimate:
    """Hazard ratio of ever against never users of the whole follow-up, from entry: it classifies by the future.

    Suissa S. Am J Epidemiol 2008;167:492. Only for cohorts whose truth is known: in users' reports it would be read.
    """
    ever = (pl.col("on_opioid") == 1).fill_null(value=False).any().over("person_id").cast(pl.Int64)
    contrast = Contrast("ever user vs never user", pl.col("ever"))
    row = hazard_ratio(
        person_time.with_columns(ever.alias("ever")), contrast, analysis="mortality.current_use",
        method="ever_vs_never", adjust=(), missing="indicator",
    )  # fmt: skip
    return replace(row, gate=GATE) if row.gate == "pass" else row
