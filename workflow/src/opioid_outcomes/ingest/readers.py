"""Every file type, read into columns that are exactly what the file says.

Text columns stay text (``00406055201`` keeps its zeros); statistical packages' files come typed. A file that cannot be
read as it stands is one ``UserError``: what a library says about it may quote a value, so it is never passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.delimited import MISSING, Delimited

ROW = "\0row"  # no source column can be called so
# The machine's failures and ours: no file is at fault, so they are not told as its.
OURS = (MemoryError, TypeError, AttributeError, NameError, AssertionError)
DAMAGED = "export it again: it may be cut short, damaged, or of another kind than its name says"


@dataclass(frozen=True)
class Source:
    """An opened file: its column names as written, and a way to read some of them."""

    path: Path
    names: list[str]
    scan_columns: Callable[[list[str]], pl.LazyFrame]
    warnings: list[str] = field(default_factory=list)

    def find(self, name: str) -> str | None:
        """The column of that name: exactly, else in any letter case. Two that differ by case only are refused."""
        if name in self.names:
            return name
        wanted = name.strip().lower()
        found = [column for column in self.names if column.strip().lower() == wanted]
        if len(found) > 1:
            raise UserError(
                Problem(f"{len(found)} columns are called {name} but for letter case", str(self.path), "rename one")
            )
        return found[0] if found else None

    def read(self, names: list[str]) -> pl.DataFrame:
        """The named columns, missing values as nulls, with ``ROW`` counting data rows from 1."""
        return self.collect(self.scan(names)).with_row_index(ROW, offset=1)

    def scan(self, names: list[str]) -> pl.LazyFrame:
        """The named columns, missing values as nulls, not yet read."""
        wanted = [name for name in self.names if name in set(names)]
        twice = sorted({name for name in wanted if wanted.count(name) > 1})
        if twice:
            raise UserError(Problem(f"two columns are called {twice[0]}", str(self.path), "rename one of them"))
        try:
            rows = self.scan_columns(wanted)
            schema = rows.collect_schema()
        except (UserError, *OURS):
            raise
        except Exception as error:
            raise unreadable(self.path, error) from None
        for name, dtype in schema.items():
            if dtype.is_nested() or dtype == pl.Object:
                what = f"column {name} holds several values in one cell ({dtype.base_type()})"
                raise UserError(Problem(what, str(self.path), "export one value per cell, or leave the column out"))
        text = pl.col(pl.String)
        return rows.with_columns(
            pl.when(~text.str.strip_chars().is_in(list(MISSING))).then(text), cs.float().fill_nan(None)
        )

    def collect(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Reads what was scanned. What a library says about a failure may quote a value: only its kind is told."""
        try:
            return rows.collect()
        except OURS:
            raise
        except Exception as error:
            raise unreadable(self.path, error) from None


def unreadable(path: Path, error: Exception) -> UserError:
    return UserError(Problem(f"cannot be read ({type(error).__name__})", str(path), DAMAGED))


def open_source(path: Path, *, quoted_tabs: bool = True) -> Source:
    """Opens a file by its ending (.csv .csv.gz .parquet .sas7bdat .dta .xpt); only its header is read yet."""
    name = path.name.lower()
    if path.is_dir():
        raise UserError(Problem("is a folder, not a file", str(path), "put the whole table in one file"))
    if not path.is_file():
        raise UserError(Problem("no such file", str(path), "correct the path in the config"))
    if path.stat().st_size == 0:
        raise UserError(Problem("is empty", str(path), "export it again"))
    try:
        if name.endswith((".csv", ".csv.gz")):
            text = Delimited.open(path, quoted_tabs=quoted_tabs)
            return Source(path, text.names, text.scan, text.warnings)
        if name.endswith(".parquet"):
            return Source(path, list(pl.read_parquet_schema(path)), lambda names: _parquet(path, names))
        return _statistical(path)
    except (UserError, *OURS):
        raise
    except Exception as error:
        raise unreadable(path, error) from None


def _parquet(path: Path, names: list[str]) -> pl.LazyFrame:
    rows = pl.scan_parquet(path, glob=False).select(names)
    return rows.with_columns(cs.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))


def _statistical(path: Path) -> Source:
    """Files of SAS and Stata. Stored values are read, not value labels."""
    import pyreadstat

    readers: dict[str, Callable[..., Any]] = {
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".dta": pyreadstat.read_dta,
        ".xpt": pyreadstat.read_xport,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        known = ", ".join((".csv", ".csv.gz", ".parquet", *readers))
        raise UserError(Problem("is of a kind that is not read", str(path), f"save it as one of {known}"))
    _, described = reader(str(path), metadataonly=True, output_format="polars")

    def scan(names: list[str]) -> pl.LazyFrame:
        frame, _ = reader(str(path), usecols=names, output_format="polars")
        return frame.select(names).lazy()

    return Source(path, list(described.column_names), scan)
