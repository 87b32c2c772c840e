"""The files of an OMOP CDM folder: CSV or Parquet, file and column names in either letter case."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.readers import ROW, open_source, unreadable
from opioid_outcomes.ingest.sources import OMOP_TABLES, files_of


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
        source = open_source(self.files[table])
        found = {name: source.find(name) for name in (*required, *optional)}
        _refuse_missing(table, [name for name in required if found[name] is None])
        frame = source.read([column for column in found.values() if column is not None])
        self.warnings.extend(source.warnings)
        return frame.select(
            pl.col(ROW).alias("row"),
            *(
                pl.lit(None, pl.String).alias(name) if column is None else pl.col(column).alias(name)
                for name, column in found.items()
            ),
        )

    def read_vocabulary(
        self, table: str, required: tuple[str, ...], optional: tuple[str, ...], wanted: pl.Expr
    ) -> pl.DataFrame:
        """Like ``read``, as text and of the rows that are ``wanted`` only: a vocabulary's tables hold millions.

        OHDSI's Athena distributes them separated by tabs, without quotes.
        """
        path = self.files[table]
        try:
            rows = _scan(path)
            lower = {name.lower(): name for name in rows.collect_schema().names()}
            _refuse_missing(table, [name for name in required if name not in lower])
            columns = [
                pl.col(lower[name]).cast(pl.String).alias(name)
                if name in lower
                else pl.lit(None, pl.String).alias(name)
                for name in (*required, *optional)
            ]
            return rows.select(columns).filter(wanted).collect()
        except UserError:
            raise
        except Exception as error:
            raise unreadable(path, error) from None


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


def _scan(path: Path) -> pl.LazyFrame:
    if path.suffix.lower() == ".parquet":
        return pl.scan_parquet(path)
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        tabs = "\t" in file.readline()
    return pl.scan_csv(path, infer_schema=False, separator="\t" if tabs else ",", quote_char=None if tabs else '"')
