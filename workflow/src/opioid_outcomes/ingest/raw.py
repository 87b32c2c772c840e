"""Rows of one source table on their way to one canonical table: what readers hand to the rules."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

EXCLUDED_SCHEMA = {"row": pl.UInt32(), "rule": pl.String()}


def no_rows_excluded() -> pl.DataFrame:
    return pl.DataFrame(schema=EXCLUDED_SCHEMA)


@dataclass(frozen=True)
class Raw:
    """Rows of one source table, in the contract's column names but not yet in its types and rules.

    ``table`` names the source as ``rejected.parquet`` will: the contract table in format ``tables``, the CDM table in
    lower case in format ``omop``. ``frame`` has those canonical columns of ``into`` that the source has (as text or
    already typed), further columns of persons, and ``row``, the data row in the file counted from 1. ``excluded``
    (row, rule; for persons also ``person_id`` where it is known) holds the rows that were set aside before the rules:
    not selected (``where``, ``not_used``) or without anything usable (any other rule name, which counts as rejected).
    Every source row is in one of the two, once.
    """

    table: str
    into: str
    frame: pl.DataFrame
    excluded: pl.DataFrame
