"""Tables that come with the package: read once, comment lines skipped, every column as text."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import polars as pl

from opioid_outcomes.errors import Problem, UserError


@cache
def table(folder: str, name: str) -> pl.DataFrame:
    """The shipped table ``data/<folder>/<name>.csv``."""
    source = resources.files("opioid_outcomes") / "data" / folder / f"{name}.csv"
    return pl.read_csv(source.read_bytes(), comment_prefix="#", infer_schema=False)


def names(folder: str) -> list[str]:
    """Names of the tables shipped in ``data/<folder>``."""
    files = (resources.files("opioid_outcomes") / "data" / folder).iterdir()
    return sorted(file.name.removesuffix(".csv") for file in files if file.name.endswith(".csv"))


def user_table(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """A user's CSV with these columns, as text, blanks trimmed and empty cells null; UserError if it is not that."""
    if not path.is_file():
        raise UserError(Problem("no such file", str(path), "give the path of a CSV file"))
    try:
        frame = pl.read_csv(path, comment_prefix="#", infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        fix = f"save it as UTF-8, comma separated, with the columns {', '.join(columns)}"
        raise UserError(Problem("cannot be read as a CSV file", str(path), fix)) from None
    frame = frame.rename({name: name.strip().lower() for name in frame.columns}, strict=False)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise UserError(Problem(f"lacks the columns {', '.join(missing)}", str(path), f"needed: {', '.join(columns)}"))
    trimmed = pl.col(columns).str.strip_chars()
    return frame.select(pl.when(trimmed != "").then(trimmed))
