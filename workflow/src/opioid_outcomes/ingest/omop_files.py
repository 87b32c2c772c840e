"""The files of an OMOP CDM folder: CSV or Parquet, file and column names in either letter case."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.readers import Source, open_source
from opioid_outcomes.ingest.sources import OMOP_TABLES, files_of

# OHDSI's Athena distributes these separated by tabs, without quotes
VOCABULARY_TABLES = ("concept", "concept_ancestor", "drug_strength")


@dataclass(frozen=True)
class CdmFolder:
    """The CDM tables that a folder has, by lower-case name, and what its files gave occasion to say."""

    path: Path
    files: dict[str, Path]
    warnings: list[str] = field(default_factory=list)

    def has(self, table: str) -> bool:
        return table in self.files

    def read(self, table: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pl.DataFrame:
        """The named columns, and ``row``: the data row in the file, counted from 1.

        CSV columns are text. A missing optional column is null throughout; a missing required one is a UserError.
        """
        rows, source = self._scan(table, required, optional)
        return source.collect(rows).with_row_index("row", offset=1)

    def read_vocabulary(
        self, table: str, required: tuple[str, ...], optional: tuple[str, ...], wanted: pl.Expr
    ) -> pl.DataFrame:
        """Like ``read``, as text and of the rows that are ``wanted`` only: a vocabulary's tables hold millions."""
        rows, source = self._scan(table, required, optional)
        return source.collect(rows.select(pl.all().cast(pl.String)).filter(wanted))

    def is_empty(self, table: str) -> bool:
        """Whether the table is a header only."""
        source = open_source(self.files[table], quoted_tabs=table not in VOCABULARY_TABLES)
        return source.collect(source.scan(source.names[:1]).head(1)).is_empty()

    def _scan(self, table: str, required: tuple[str, ...], optional: tuple[str, ...]) -> tuple[pl.LazyFrame, Source]:
        vocabulary = table in VOCABULARY_TABLES
        source = open_source(self.files[table], quoted_tabs=not vocabulary)
        found = {name: source.find(name) for name in (*required, *optional)}
        _refuse_missing(table, [name for name in required if found[name] is None])
        rows = source.scan([column for column in found.values() if column is not None])
        self.warnings.extend(warning for warning in source.warnings if warning not in self.warnings)
        columns = (
            pl.lit(None, pl.String).alias(name) if column is None else pl.col(column).alias(name)
            for name, column in found.items()
        )
        return rows.select(columns), source


def open_folder(folder: Path) -> CdmFolder:
    """Finds the tables of a CDM folder; the same table twice is a UserError."""
    if not folder.is_dir():
        raise UserError(Problem("there is no such folder", str(folder), "correct the cohort's path"))
    found = {table: files_of(folder, table) for table in OMOP_TABLES}
    twice = [
        Problem(
            f"{len(files)} files hold table {table}: {', '.join(file.name for file in files)}", str(folder), "keep one"
        )
        for table, files in found.items()
        if len(files) > 1
    ]
    if twice:
        raise UserError(*twice)
    return CdmFolder(folder, {table: files[0] for table, files in found.items() if files})


def _refuse_missing(table: str, columns: list[str]) -> None:
    if columns:
        what = f"column {', '.join(columns)} is missing"
        raise UserError(Problem(what, f"OMOP table {table}", "export the table as OMOP CDM 5.2 to 5.4 names it"))
