"""Synthesis: the cohorts' estimates in one table, and pooled where they may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.synthesis import cohorts
from opioid_outcomes.synthesis.e_values import e_value_rows
from opioid_outcomes.synthesis.shares import share_rows

KINDS = (
    "trajectories", "mortality", "new_user", "msm", "sustained", "negative_control", "addiction", "hyperalgesia",
    "blip", "corroboration", "wrong_answers", "pain",
)  # fmt: skip


def synthesize_estimates(inputs: dict[str, list[Path]], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """All estimates of all cohorts in one table; pooled rows last, unless the cohorts share people."""
    _require_somebody(inputs["attrition"])
    parts = [path for kind in KINDS for path in inputs[kind]]
    estimates = pl.concat([pl.read_parquet(path) for path in parts])
    study = settings["study"]
    pooled = pl.concat([cohorts.pooled_rows(estimates, study), share_rows(estimates, study)])
    if not settings["synthesis"]["pool"]:
        pooled = pooled.clear()
    everything = pl.concat([estimates, pooled])
    if "e_value" in settings["mortality"]["analyses"]:
        everything = pl.concat([everything, e_value_rows(everything)])
    io.write_frame(everything, outputs["estimates"])
    withheld = estimates.filter(pl.col("gate") != "pass").height
    cohort_count = estimates["cohort"].n_unique()
    return (
        f"{estimates.height} estimates of {cohort_count} cohorts, {withheld} withheld by gate, {pooled.height} pooled"
    )


def _require_somebody(attritions: list[Path]) -> None:
    """A study in which nobody is eligible is a mistake in the config or the mapping, not a result."""
    emptied: dict[str, str] = {}
    for path in attritions:
        steps = pl.read_csv(path)
        nobody = steps.filter(pl.col("persons_kept") == 0)
        if nobody.is_empty():
            return
        emptied[path.parent.name] = nobody["rule"][0]
    raise UserError(
        *(
            Problem(
                f"nobody is eligible: no one is left after the rule '{rule}'",
                where=f"cohort {cohort}",
                fix=f"see {attritions[0].parent.parent / cohort / 'attrition.csv'}, then the population section of the"
                " config, its code lists and the mapping of the tables",
            )
            for cohort, rule in emptied.items()
        )
    )
