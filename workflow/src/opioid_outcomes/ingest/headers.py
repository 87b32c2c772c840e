"""Which column names of a file a message may quote: those of a header, never the cells of a row of data."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

NUMBER = re.compile(r"\s*[+-]?\d+([.,]\d*)?\s*$")  # 7, -0.5, 1,5
# with or without a time of day: 2016-03-17, 17/03/2016; 17mar2016, 17 March 2016; Mar 17, 2016
DATE = re.compile(
    r"\b\d{1,4}([-/. ])\d{1,2}\1\d{1,4}"
    r"|\b\d{1,4}[-/. ]*[^\W\d_]{3,9}[-/. ,]*\d{2,4}\b"
    r"|\b[^\W\d_]{3,9}\.? \d{1,2},? \d{4}\b"
)
NO_HEADER = "its first line is no header: add one (if it is one, map its columns)"


def is_header(names: Iterable[str], asked_for: Iterable[str]) -> bool:
    """Whether a file's first line names columns: no number or date among them, and at least one that is asked for."""
    wanted = {name.strip().lower() for name in asked_for}
    cells = [name.strip().lower() for name in names]
    return any(cell in wanted for cell in cells) and not any(NUMBER.match(cell) or DATE.search(cell) for cell in cells)


def suggest(name: str, names: list[str], asked_for: Iterable[str]) -> str:
    """The column of a file that may be meant. A first line that is no header may be a person's: it is not quoted."""
    return nearest(name, names) if is_header(names, asked_for) else NO_HEADER


def nearest(name: str, names: list[str]) -> str:
    """The most similar of the names, or the first ones."""
    lower = {known.lower(): known for known in reversed(names)}
    close = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    if close:
        return f"did you mean {lower[close[0]]}?"
    shown = ", ".join(names[:12])
    return f"there are: {shown}{', ...' if len(names) > 12 else ''}"
