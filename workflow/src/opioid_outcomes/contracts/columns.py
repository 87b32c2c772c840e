"""How a table of the pipeline is described: its columns, their kinds, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

Kind = Literal["id", "day", "int", "float", "text", "category"]

DTYPES: dict[str, pl.DataType] = {
    "day": pl.Int32(),  # in memory: days since 1970-01-01, or the study's own offset
    "int": pl.Int64(),
    "float": pl.Float64(),
    "text": pl.String(),
    "category": pl.String(),
}


@dataclass(frozen=True)
class Column:
    """One column. ``required`` means never null; ``values`` closes a category's vocabulary."""

    name: str
    kind: Kind
    description: str
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table: what a row is, its columns, and what to beware of in real data."""

    name: str
    row: str
    columns: tuple[Column, ...]
    optional: bool = False
    caveats: str = ""

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def schema(self, id_dtype: pl.DataType | None = None) -> dict[str, pl.DataType]:
        """Polars dtypes in memory; ids are Int64 or String, one choice per cohort."""
        return {
            column.name: (id_dtype or pl.String()) if column.kind == "id" else DTYPES[column.kind]
            for column in self.columns
        }
