"""The files of an OMOP CDM folder: CSV or Parquet, file and column names in either letter case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from opioid_outcomes.errors import Problem, UserError

ENDINGS = (".parquet", ".csv.gz", ".csv")


@dataclass(frozen=True)
class CdmFolder:
    """The CDM tables of a folder, by lower-case table name."""

    path: Path
    files: dict[str, Path]

    def has(self, table: str) -> bool:
        return table in self.files

    def columns(self, table: str) -> list[str]:
        """The table's column names, in lower case; none where the table is missing."""
        return [name.lower() for name in self._scan(table).collect_schema().names()] if self.has(table) else []

    def read(self, table: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pl.DataFrame:
        """The named columns, and ``row``: the data row in the file, counted from 1.

        CSV columns are text. A missing optional column is null throughout; a missing required one is a UserError.
        """
        return self.scan(table, required, optional).collect()

    def scan(self, table: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pl.LazyFrame:
        """Like ``read``, but lazily, for vocabularies of millions of rows."""
        source = self._scan(table)
        lower = {name.lower(): name for name in source.collect_schema().names()}
        missing = [name for name in required if name not in lower]
        if missing:
            raise UserError(
                Problem(
                    f"column {', '.join(missing)} is missing",
                    where=f"OMOP table {table}",
                    fix="export the table with the column names of OMOP CDM 5.2 to 5.4",
                )
            )
        wanted = [*required, *optional]
        columns = [(pl.col(lower[name]) if name in lower else pl.lit(None, pl.String)).alias(name) for name in wanted]
        return source.select(columns).with_row_index("row", offset=1)

    def _scan(self, table: str) -> pl.LazyFrame:
        path = self.files[table]
        if path.suffix == ".parquet":
            return pl.scan_parquet(path)
        return pl.scan_csv(path, infer_schema=False, separator=_separator(path))


def open_folder(folder: Path) -> CdmFolder:
    """Finds the tables of a CDM folder; the same table twice is a UserError."""
    if not folder.is_dir():
        raise UserError(Problem("there is no such folder", where=str(folder), fix="correct the cohort's path"))
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), None)
        if ending is None:
            continue
        table = path.name.lower().removesuffix(ending)
        if table in files:
            raise UserError(
                Problem(
                    f"two files hold the table {table}: {files[table].name} and {path.name}",
                    where=str(folder),
                    fix="keep one of them",
                )
            )
        files[table] = path
    return CdmFolder(folder, files)


def _separator(path: Path) -> str:
    """Comma, or the tab in which the OHDSI vocabularies are distributed."""
    import gzip

    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    return max(",\t;|", key=header.count)
