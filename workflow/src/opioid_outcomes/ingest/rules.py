"""The rules of the canonical tables: every row becomes canonical, or is rejected by a named rule, or is merged."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from opioid_outcomes.ingest.raw import Raw


@dataclass(frozen=True)
class Ingested:
    """One cohort, validated. ``tables`` has every canonical table, days as Int32; the rest is its accounting."""

    tables: dict[str, pl.DataFrame]
    rejected: pl.DataFrame  # table, row, rule
    quality: pl.DataFrame  # table, into, rows_in, canonical, rejected, merged, not_selected
    quality_rules: pl.DataFrame  # table, rule, rows
    warnings: list[str] = field(default_factory=list)


def canonicalise(raws: list[Raw], *, calendar: bool, person_columns: list[str], max_rejected_share: float) -> Ingested:
    """Types, units and vocabularies of the contract, with every row accounted for."""
    raise NotImplementedError
