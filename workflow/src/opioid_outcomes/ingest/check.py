"""The inputs of one cohort checked in memory: every row is read, nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from opioid_outcomes.config.model import Config


def check_cohort(name: str, config: Config) -> str:
    """One line of counts; ``UserError`` for what must be mended. Rows that would merely be rejected are counted."""
    from opioid_outcomes.config.slices import slice_of
    from opioid_outcomes.ingest.run import read_cohort

    settings = slice_of(config, "ingest_cohort", name)
    read = read_cohort(
        config.cohorts[name],
        name,
        privacy=config.privacy,
        quality=config.quality,
        person_columns=settings["person_columns"],
    )
    return f"{name}: {summary(read.ingested.quality)}"


def summary(quality: pl.DataFrame) -> str:
    """Rows in, accepted, rejected, merged and not selected over all tables of a cohort."""
    total = {column: int(quality[column].sum()) for column in quality.columns[2:]}
    rejected = total["rejected"] - total["not_selected"]
    persons = int(quality.filter(quality["into"] == "persons")["canonical"].sum())
    return (
        f"{persons:,} persons; {total['rows_in']:,} rows read, {total['canonical']:,} accepted, "
        f"{rejected:,} rejected, {total['merged']:,} merged, {total['not_selected']:,} not selected"
    )
