"""The only reading and writing of tables: days become dates at the edge, and files appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes.contracts.columns import Table
from opioid_outcomes.errors import Problem, UserError
from opioid_outcomes.ingest.delimited import MISSING, Delimited


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` that takes its place on success; an orphaned job never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """A frame as it is, by the file's ending: .csv or .parquet."""
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            frame.write_csv(temporary)
        else:
            # the fastest to write and read; nobody reads a part of a file, for which statistics would serve
            frame.write_parquet(temporary, compression="lz4", statistics=False, metadata=_text_metadata(frame))


def _text_metadata(frame: pl.DataFrame) -> dict[str, str] | None:
    """What makes categories text in a Parquet file: they are laid out as texts with a dictionary are, only faster.

    A file holds a note on how its columns are to be read (ARROW:schema); this is that of a table with texts.
    """
    categories = [name for name, dtype in frame.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    if not categories:
        return None
    empty = BytesIO()
    frame.clear().with_columns(pl.col(categories).cast(pl.String)).write_parquet(empty)
    empty.seek(0)
    return pl.read_parquet_metadata(empty)


def write_table(frame: pl.DataFrame, path: Path, table: Table, *, calendar: bool) -> None:
    """A table of the contract: its columns first, in order, then any others; days as dates if the cohort has them.

    Categories are written as text.
    """
    missing = [name for name in table.names if name not in frame.columns]
    if missing:
        raise ValueError(f"{table.name} lacks columns {missing}")
    further = [name for name in frame.columns if name not in table.names]
    frame = frame.select(*table.names, *further)
    if calendar:
        days = [column.name for column in table.columns if column.kind == "day"]
        frame = frame.with_columns(pl.col(days).cast(pl.Int32).cast(pl.Date))
    write_frame(frame, path)


def read_table(path: Path, columns: tuple[str, ...] | None = None) -> pl.DataFrame:
    """A table written by ``write_table``, or some columns: dates come back as integer days since 1970-01-01."""
    frame = pl.read_parquet(path, columns=None if columns is None else list(columns))
    return frame.with_columns(pl.col(name).cast(pl.Int32) for name, dtype in frame.schema.items() if dtype == pl.Date)


def read_text_table(path: Path, columns: tuple[str, ...] = (), *, optional: tuple[str, ...] = ()) -> pl.DataFrame:
    """A small delimited table, shipped or the user's own: code lists, factors, products. Every column is text.

    Read as CONTRACT 7 (Text) has it, lines that begin with # left out: column names in lower case, blanks around values
    trimmed, missing values null. ``columns`` alone are kept if given, and the ``optional`` ones that are there.
    UserError if it cannot be read so.
    """
    if not path.is_file():
        raise UserError(Problem("no such file", str(path), "give the path of a CSV file"))
    text = Delimited.open(path, comments=True)
    names = [name.strip().lower() for name in text.names]
    missing, needed = [name for name in columns if name not in names], ", ".join(columns)
    if missing:
        raise UserError(Problem(f"lacks the columns {', '.join(missing)}", str(path), f"needed: {needed}"))
    kept = (*columns, *(name for name in optional if name in names)) if columns else tuple(names)
    twice = sorted({name for name in kept if names.count(name) > 1})
    if twice:
        raise UserError(Problem(f"two columns are called {twice[0]}", str(path), "rename one of them"))
    try:
        frame = text.scan(text.names).collect()
    except pl.exceptions.PolarsError:
        raise UserError(Problem("cannot be read as a CSV file", str(path), "save it as CSV in UTF-8")) from None
    frame.columns = names
    trimmed = pl.col(pl.String).str.strip_chars()
    return frame.select(kept).select(pl.when(~trimmed.is_in(list(MISSING))).then(trimmed))


def encoding_warnings(own_tables: Iterable[str | None]) -> list[str]:
    """A sentence on each of the user's own tables (names that are shipped ones are no files) that is not UTF-8."""
    paths = [Path(name) for name in own_tables if name is not None and Path(name).is_file()]
    return [warning for path in paths for warning in Delimited.open(path, comments=True).warnings]


def is_calendar(path: Path, day: str) -> bool:
    """Whether a written table holds dates (a calendar cohort) rather than day offsets."""
    return pl.read_parquet_schema(path)[day] == pl.Date


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
