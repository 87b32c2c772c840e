"""Stage ``ingest_cohort``: raw files to canonical tables, with every row accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.cohorts import Cohort
from opioid_outcomes.config.privacy import Privacy, Quality
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import REJECTED
from opioid_outcomes.ingest.accounting import summary
from opioid_outcomes.ingest.run import read_cohort
from opioid_outcomes.ingest.sources import source_files

Files = dict[str, Path | list[Path]]


def ingest_cohort(inputs: Files, outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes one file per canonical table (empty where there is nothing), ``rejected``, ``quality``,
    ``quality_rules`` and ``notes``. Which files are read follows from the cohort's own section of the config."""
    name = settings["cohort_name"]
    cohort = Cohort(**settings["cohort"])
    read = read_cohort(
        cohort,
        name,
        privacy=Privacy(**settings["privacy"]),
        quality=Quality(**settings["quality"]),
        person_columns=settings["person_columns"],
    )
    result = read.ingested
    rows = dict(result.quality.group_by("table", maintain_order=True).agg(pl.col("rows_in").sum()).iter_rows())
    files = [{"file": path.name, "sha256": io.file_hash(path)} for path in source_files(cohort)]
    for table in CANONICAL.values():
        io.write_table(result.tables[table.name], outputs[table.name], table, calendar=read.calendar)
    io.write_table(result.rejected, outputs["rejected"], REJECTED, calendar=read.calendar)
    io.write_frame(result.quality, outputs["quality"])
    io.write_frame(result.quality_rules, outputs["quality_rules"])
    io.write_json(outputs["notes"], {"warnings": read.warnings, "costs": read.costs, "inputs": files, "rows": rows})
    return summary(result.quality)
