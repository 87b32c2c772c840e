"""Delimited text: encoding, delimiter and shape are checked before polars parses it."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from opioid_outcomes.errors import Problem, UserError

DELIMITERS = ",;\t|"
HEADER_BYTES = 1 << 20  # a header longer than this is no header
CHUNK = 1 << 24
BLANK_LINES = re.compile(rb"([ \t]*\r?\n)*")
QUOTE, NEWLINE, RETURN = ord('"'), ord("\n"), ord("\r")


@dataclass(frozen=True)
class Delimited:
    """A delimited text file, decompressed and known to be UTF-8."""

    path: Path
    content: bytes
    delimiter: str
    names: list[str]
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> Delimited:
        content, warnings = _utf8(path, _bytes(path))
        content = content[BLANK_LINES.match(content).end() :]  # type: ignore[union-attr]
        if not content.strip():
            raise UserError(Problem("is empty", str(path), "export it again"))
        delimiter, names = _header(content)
        if len(names) < 2:
            raise UserError(
                Problem(
                    "its header has one column only", str(path), "separate columns by one of: comma, semicolon, tab, |"
                )
            )
        return cls(path, content, delimiter, names, warnings)

    def read(self, names: list[str]) -> pl.DataFrame:
        """Columns as text; blank lines are no rows. Every row must have the header's number of fields."""
        content = self.content
        if not quotes_open_fields(content, self.delimiter):
            content = _requoted(self.path, content, self.delimiter)
        blank = check_shape(self.path, content, self.delimiter, len(self.names))
        positions = [index for index, name in enumerate(self.names) if name in set(names)]
        frame = pl.read_csv(
            content, separator=self.delimiter, infer_schema=False, columns=positions, null_values=["NA"]
        )
        frame.columns = [self.names[index] for index in positions]
        if len(blank):
            keep = np.ones(frame.height, dtype=bool)
            keep[blank[blank < frame.height]] = False
            frame = frame.filter(pl.Series(keep))
        return frame


def _bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if not path.name.lower().endswith(".gz"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise UserError(
            Problem("is not a whole gzip file", str(path), "copy or export it again; it may be cut short")
        ) from None


def _utf8(path: Path, content: bytes) -> tuple[bytes, list[str]]:
    """The text as UTF-8 without byte order mark. What is not UTF-8 is taken for cp1252, the usual Windows export."""
    if content.isascii() and b"\0" not in content:
        return content, []
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
        warnings = []
    except UnicodeDecodeError:
        try:
            content = content.decode("cp1252").encode("utf-8")
        except UnicodeDecodeError:
            raise _no_text(path) from None
        warnings = [f"{path.name} is not UTF-8; it was read as Windows-1252 (cp1252)."]
    if b"\0" in content:
        raise _no_text(path)
    return content, warnings


def _no_text(path: Path) -> UserError:
    return UserError(Problem("is not UTF-8 text", str(path), "save it as CSV in UTF-8"))


def _header(content: bytes) -> tuple[str, list[str]]:
    """The delimiter that splits the header into most columns, and the columns."""
    start = content[:HEADER_BYTES].decode("utf-8", errors="ignore")
    best, names = ",", [""]
    for delimiter in DELIMITERS:
        found = next(csv.reader(io.StringIO(start), delimiter=delimiter))
        if len(found) > len(names):
            best, names = delimiter, found
    return best, names


def quotes_open_fields(content: bytes, delimiter: str) -> bool:
    """Whether every quotation mark that opens a quotation stands at the start of a field, as in well-formed CSV.

    Where one does not (5'1" in an unquoted text), counting quotation marks no longer tells where rows end.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    seen = 0
    for begin in range(0, len(data), CHUNK):
        at = np.flatnonzero(data[begin : begin + CHUNK] == QUOTE) + begin
        opening = at[seen % 2 :: 2]
        seen += len(at)
        before = data[opening[opening > 0] - 1]
        if not np.isin(before, (QUOTE, NEWLINE, ord(delimiter))).all():
            return False
    return True


def _requoted(path: Path, content: bytes, delimiter: str) -> bytes:
    """The same fields, well-formed: a quotation mark inside an unquoted field is a character like any other.

    Row by row, so slow (about a second per million fields), and only for files that need it.
    """
    rows = csv.reader(io.StringIO(content.decode(), newline="\n"), delimiter=delimiter, strict=True)
    out = io.StringIO()
    try:
        csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    except csv.Error:
        what = f"data row {rows.line_num - 1} (or a line near it) has a misplaced quotation mark"
        raise UserError(
            Problem(what, str(path), 'put texts in quotation marks and double those inside: "5\'1"""')
        ) from None
    return out.getvalue().encode()


def check_shape(path: Path, content: bytes, delimiter: str, width: int) -> np.ndarray:
    """Refuses rows with more or fewer fields than the header; returns the positions of blank lines among rows.

    Polars fills short rows with nulls in silence, which would hide a file cut short. One pass over the bytes in
    chunks: fields are delimiters outside quotes between newlines outside quotes.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    quoted, cuts_open, rows, line_start = False, 0, 0, 0
    blank: list[int] = []
    for begin in range(0, len(data), CHUNK):
        chunk = data[begin : begin + CHUNK]
        outside = ~(np.logical_xor.accumulate(chunk == QUOTE) ^ quoted)
        quoted = not outside[-1]
        ends = np.flatnonzero((chunk == NEWLINE) & outside)
        cuts = np.cumsum((chunk == ord(delimiter)) & outside, dtype=np.int32)
        if not len(ends):
            cuts_open += int(cuts[-1])
            continue
        fields = np.diff(cuts[ends], prepend=-cuts_open) + 1
        starts = np.concatenate(([line_start], ends[:-1] + begin + 1))
        lengths = ends + begin - starts
        empty = (lengths == 0) | ((lengths == 1) & (data[starts] == RETURN))
        for line in np.flatnonzero((fields != width) & ~empty):
            if data[starts[line] : begin + ends[line]].tobytes().strip():
                raise _ragged(path, rows + int(line) - len(blank) - int(empty[:line].sum()), width)
            empty[line] = True  # nothing but white space
        blank.extend((rows + np.flatnonzero(empty)).tolist())
        cuts_open = int(cuts[-1] - cuts[ends[-1]])
        line_start = begin + int(ends[-1]) + 1
        rows += len(ends)
    if quoted:
        raise UserError(Problem("a quotation mark is never closed", str(path), "export it again; it may be cut short"))
    if line_start < len(data) and cuts_open + 1 != width:
        if data[line_start:].tobytes().strip():
            raise _ragged(path, rows - len(blank), width)
        blank.append(rows)
    return np.array(blank, dtype=np.int64) - 1  # the header is line 0


def _ragged(path: Path, row: int, width: int) -> UserError:
    return UserError(
        Problem(
            f"data row {row} has not as many fields as the header ({width})",
            str(path),
            "export it again: it may be cut short, or hold the delimiter in an unquoted text",
        )
    )
