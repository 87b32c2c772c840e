"""Whatever the texts hold, a delimited file is read row for row as Python's own csv module reads it, or refused."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opioid_outcomes.errors import UserError
from opioid_outcomes.ingest.readers import ROW, open_source

HEADER = ["a", "b", "c"]
text = st.text(alphabet="x'\" ,;\n1é", max_size=4)


def parsed(content: str) -> list[tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(content, newline="")
        frame = open_source(path).read(HEADER).drop(ROW)
    return [tuple(value or "" for value in row) for row in frame.rows()]


def without_blanks(row: Iterable[str]) -> tuple[str, ...]:
    return tuple(text if text.strip() else "" for text in row)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(text, text, text), min_size=1, max_size=6))
def test_well_formed_files_pass_exactly(rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([HEADER, *rows])
    assert parsed(out.getvalue()) == [without_blanks(row) for row in rows]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(text, text, text), min_size=1, max_size=6))
@example([("1", "2", "5'1\""), ("2", "2", "5'2\"")])
def test_no_row_is_swallowed_in_silence(rows: list[tuple[str, str, str]]) -> None:
    """Texts written without any quoting: read as csv reads them, strictly, or a mistake to mend."""
    content = "a,b,c\n" + "".join(",".join(row) + "\n" for row in rows)
    try:
        lines = list(csv.reader(io.StringIO(content, newline="\n"), strict=True))
    except csv.Error:
        lines = [["misplaced"]]
    lines = [line for line in lines if len(line) > 1 or "".join(line).strip()]
    if all(len(line) == 3 for line in lines):
        assert parsed(content) == [without_blanks(line) for line in lines[1:]]
    else:
        with pytest.raises(UserError):
            parsed(content)
