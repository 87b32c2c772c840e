"""Delimited text: encoding, delimiter and shape are checked before polars parses it."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import mmap
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from opioid_outcomes.errors import Problem, UserError

DELIMITERS = ",;\t|"
MISSING = ("", "NA", "NaN", "NULL", ".")
COMMENT = re.compile(rb"^#[^\n]*(?:\n|\Z)", re.MULTILINE)
HEADER_BYTES = 1 << 20  # a header longer than this is no header
CHUNK = 1 << 24
BLANK_LINES = re.compile(rb"([ \t]*\r?\n)*")
QUOTE, NEWLINE, RETURN = ord('"'), ord("\n"), ord("\r")


@dataclass(frozen=True)
class Delimited:
    """A delimited text file, known to be UTF-8. A file that is so as it stands is mapped, not held in memory."""

    path: Path
    content: memoryview
    as_it_stands: bool
    delimiter: str
    quote: int  # the byte that quotes a field; 0 (which no text holds) where marks are characters like any other
    names: list[str]
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, *, quoted_tabs: bool = True, comments: bool = False) -> Delimited:
        """``quoted_tabs``: whether tab-separated files quote fields (OHDSI's vocabularies do not).

        ``comments``: whether lines that begin with # are none of the table's.
        """
        stored = _stored(path)
        content, warnings = _utf8(path, stored)
        if comments:
            content = memoryview(COMMENT.sub(b"", bytes(content)))
        start = BLANK_LINES.match(content)
        content = content[start.end() if start else 0 :]
        if not len(content):
            raise UserError(Problem("is empty", str(path), "export it again"))
        delimiter, names = _header(content)
        if len(names) < 2:
            what, fix = "its header has one column only", "separate columns by one of: comma, semicolon, tab, |"
            raise UserError(Problem(what, str(path), fix))
        as_it_stands = not (start and start.end()) and not warnings and not comments and not _is_gzip(path)
        quote = QUOTE if quoted_tabs or delimiter != "\t" else 0
        return cls(path, content, as_it_stands, delimiter, quote, names, warnings)

    def scan(self, names: list[str]) -> pl.LazyFrame:
        """Columns as text; blank lines are no rows. Every row must have the header's number of fields."""
        source, content = self.path if self.as_it_stands else None, self.content
        if self.quote and not quotes_open_fields(content, self.delimiter):
            source, content = None, memoryview(_requoted(self.path, content, self.delimiter))
        blank = check_shape(self.path, content, self.delimiter, len(self.names), self.quote)
        rows = pl.scan_csv(
            source or bytes(content),
            separator=self.delimiter,
            quote_char=chr(self.quote) if self.quote else None,
            infer_schema=False,
            null_values=["NA"],
            glob=False,
        )
        parsed = list(zip(rows.collect_schema().names(), self.names, strict=True))
        if len(blank):
            rows = rows.with_row_index("\0line").filter(~pl.col("\0line").is_in(pl.Series(blank).implode()))
        return rows.select(pl.col(found).alias(name) for found, name in parsed if name in set(names))


def _is_gzip(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _stored(path: Path) -> memoryview:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return memoryview(b"")  # cannot be mapped
        if not _is_gzip(path):
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        try:
            return memoryview(gzip.decompress(file.read()))
        except (OSError, EOFError, zlib.error):
            fix = "copy or export it again; it may be cut short"
            raise UserError(Problem("is not a whole gzip file", str(path), fix)) from None


def _utf8(path: Path, content: memoryview) -> tuple[memoryview, list[str]]:
    """The text as UTF-8 without byte order mark. What is not UTF-8 is taken for cp1252, the usual Windows export."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for begin in range(0, len(content), CHUNK):
            if "\0" in decoder.decode(content[begin : begin + CHUNK]):
                raise _no_text(path)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        try:
            text = str(content, "cp1252")
        except UnicodeDecodeError:
            raise _no_text(path) from None
        if "\0" in text:
            raise _no_text(path) from None
        return memoryview(text.encode()), [f"{path.name} is not UTF-8; it was read as Windows-1252 (cp1252)."]
    return content[3:] if bytes(content[:3]) == codecs.BOM_UTF8 else content, []


def _no_text(path: Path) -> UserError:
    return UserError(Problem("is not UTF-8 text", str(path), "save it as CSV in UTF-8"))


def _header(content: memoryview) -> tuple[str, list[str]]:
    """The delimiter that splits the header into most columns, and the columns."""
    start = bytes(content[:HEADER_BYTES]).decode("utf-8", errors="ignore")
    best, names = ",", [""]
    for delimiter in DELIMITERS:
        found = next(csv.reader(io.StringIO(start), delimiter=delimiter))
        if len(found) > len(names):
            best, names = delimiter, found
    return best, names


def quotes_open_fields(content: memoryview, delimiter: str) -> bool:
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


def _requoted(path: Path, content: memoryview, delimiter: str) -> bytes:
    """The same fields, well-formed: a quotation mark inside an unquoted field is a character like any other.

    Row by row, so slow (about a second per million fields), and only for files that need it.
    """
    rows = csv.reader(io.StringIO(str(content, "utf-8"), newline="\n"), delimiter=delimiter, strict=True)
    out = io.StringIO()
    try:
        csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    except csv.Error:
        what = f"data row {rows.line_num - 1} (or a line near it) has a misplaced quotation mark"
        raise UserError(
            Problem(what, str(path), 'put texts in quotation marks and double those inside: "5\'1"""')
        ) from None
    return out.getvalue().encode()


def check_shape(path: Path, content: memoryview, delimiter: str, width: int, quote: int = QUOTE) -> np.ndarray:
    """Refuses rows with more or fewer fields than the header; returns the positions of blank lines among rows.

    Polars fills short rows with nulls in silence, which would hide a file cut short. One pass over the bytes in
    chunks: fields are delimiters outside quotes between newlines outside quotes.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    quoted, cuts_open, rows, line_start = False, 0, 0, 0
    blank: list[int] = []
    for begin in range(0, len(data), CHUNK):
        chunk = data[begin : begin + CHUNK]
        outside = ~(np.logical_xor.accumulate(chunk == quote) ^ quoted)
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
