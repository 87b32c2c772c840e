"""Every file type, and what delimited text may look like."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pyreadstat
import pytest

from opioid_outcomes.errors import UserError
from opioid_outcomes.ingest.delimited import check_shape
from opioid_outcomes.ingest.readers import ROW, open_source


def read(path: Path, *names: str) -> list[tuple]:
    source = open_source(path)
    return source.read(list(names or source.names)).drop(ROW).rows()


def written(folder: Path, content: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = f'a{delimiter}b{delimiter}c\n1{delimiter}"x{delimiter}y"{delimiter}3\n'
    assert read(written(tmp_path, text.encode())) == [("1", f"x{delimiter}y", "3")]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),  # byte order mark
        (b"a,b\r\n1,2\r\n\r\n3,4\r\n\r\n", [("1", "2"), ("3", "4")]),  # blank lines are no rows
        (b"\n\na,b\n1,2", [("1", "2")]),  # no newline at the end
        (b'a,b\n1,"two\nlines"\n', [("1", "two\nlines")]),
        (b'a,b\n"say ""no""",2\n', [('say "no"', "2")]),
        (
            b'a,b\n00406055201,\nNA,NaN\nNULL,.\n"", x \n',
            [("00406055201", None), (None, None), (None, None), (None, " x ")],
        ),
        ("a,b\né,1\n".encode(), [("é", "1")]),
        # a quotation mark inside an unquoted text is a character like any other
        (b'a,b\n1,5\'1"\n2,5\'2"\n3,"x ""y"",\nz"\n', [("1", "5'1\""), ("2", "5'2\""), ("3", 'x "y",\nz')]),
        (b"a,b\n1,5'1\"\n\n2,x\n", [("1", "5'1\""), ("2", "x")]),
        (b'a,b"c\n1,2\n', [("1", "2")]),
        (b"a,b\n  \n1,2\n\t\r\n3,4\n   ", [("1", "2"), ("3", "4")]),  # white space only: blank
        (b" \n\r\na,b\n1,2\n", [("1", "2")]),
        (b"a,b\n", []),
    ],
)
def test_text_passes_exactly(tmp_path: Path, content: bytes, rows: list[tuple]) -> None:
    assert read(written(tmp_path, content)) == rows
    assert read(written(tmp_path, gzip.compress(content), "t.csv.gz")) == rows


def test_windows_text_is_read_with_a_warning(tmp_path: Path) -> None:
    source = open_source(written(tmp_path, "a,b\nné,1\n".encode("cp1252")))
    assert source.read(["a"])["a"].to_list() == ["né"]
    assert "1252" in source.warnings[0]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "t.csv", "is empty"),
        (b"\n\n", "t.csv", "is empty"),
        (b"a:b\n1:2\n", "t.csv", "one column only"),
        (b"a,b\n1,2\n3\n", "t.csv", "data row 2 "),
        (b"a,b\n1,2\n\n3,secret,5\n6,7\n", "t.csv", "data row 2 "),
        (b"a,b\n1,2\n3", "t.csv", "data row 2 "),
        (b'a,b\n"secret,2\n3,4\n', "t.csv", "never closed"),
        (b'a,b\n"1"secret,2\n', "t.csv", "cannot be read"),
        (b'a,b\n1,5\'1"\n"1"secret,2\n', "t.csv", "misplaced quotation mark"),
        (b'a,b\n1,5\'1"\n"secret,2\n', "t.csv", "misplaced quotation mark"),
        (b"a,a\n1,2\n", "t.csv", "two columns are called a"),
        ("a,b\n1,2\n".encode("utf-16"), "t.csv", "not UTF-8"),
        (b"secret", "t.csv.gz", "not a whole gzip"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 999, mtime=0)[:-9], "t.csv.gz", "not a whole gzip"),
        (b"secret", "t.parquet", "cannot be read"),
        (b"secret", "t.dta", "cannot be read"),
        (b"secret", "t.sas7bdat", "cannot be read"),
        (b"secret", "t.xpt", "cannot be read"),
        (b"secret", "t.xlsx", "kind that is not read"),
    ],
)
def test_a_damaged_file_is_one_message_without_values(tmp_path: Path, content: bytes, name: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as raised:
        read(written(tmp_path, content, name))
    assert "secret" not in str(raised.value)
    assert name in str(raised.value)


def test_quotation_marks_in_texts_swallow_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "a,b,c\n" + "".join(f"{i},x,5'{i}\"\n" for i in range(1, 9))
    for size in (1, 2, 7, 1 << 24):
        monkeypatch.setattr("opioid_outcomes.ingest.delimited.CHUNK", size)
        rows = read(written(tmp_path, content.encode()))
        assert rows == [(str(i), "x", f"5'{i}\"") for i in range(1, 9)]


def test_no_number_is_missing(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1.5, float("nan"), None]}).write_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == [(1.5,), (None,), (None,)]


@pytest.mark.parametrize("values", [[["secret"], ["b"]], [{"a": "secret"}, {"a": "b"}]])
def test_a_cell_of_several_values_is_refused(tmp_path: Path, values: list) -> None:
    pl.DataFrame({"x": [1, 2], "y": values}).write_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet", "x") == [(1,), (2,)]
    with pytest.raises(UserError, match="column y holds several values in one cell") as raised:
        read(tmp_path / "t.parquet", "y")
    assert "secret" not in str(raised.value)


def test_shape_is_judged_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quoted text, a blank line and a short row, wherever the chunks part."""
    good = b'a,b\n"x,\n\n""y",2\n\n3,4\n'
    for size in range(1, len(good) + 1):
        monkeypatch.setattr("opioid_outcomes.ingest.delimited.CHUNK", size)
        assert check_shape(tmp_path, memoryview(good), ",", 2).tolist() == [1]
        with pytest.raises(UserError, match="data row 3 "):
            check_shape(tmp_path, memoryview(good + b"5\n6,7\n"), ",", 2)


def test_statistical_files_come_typed(tmp_path: Path) -> None:
    from datetime import date

    frame = pl.DataFrame({"id": [1, 2], "s": ["a", ""], "d": [date(2020, 1, 31), None], "x": [1.5, None]})
    pyreadstat.write_dta(frame, str(tmp_path / "t.dta"))
    pyreadstat.write_xport(frame, str(tmp_path / "t.xpt"))
    frame.write_parquet(tmp_path / "t.parquet")
    for name in ("t.dta", "t.xpt", "t.parquet"):
        assert read(tmp_path / name, "d", "id") == [(1, date(2020, 1, 31)), (2, None)]
        assert read(tmp_path / name, "s", "x") == [("a", 1.5), (None, None)]


def test_sas_files_go_to_their_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No free library writes sas7bdat; what is tested is that its reader is asked for the columns that are used."""
    frame = pl.DataFrame({"ID": [1.0, 2.0], "note": ["x", "y"]})

    class Described:
        column_names = frame.columns

    def reader(path: str, *, metadataonly: bool = False, usecols: list[str] | None = None, output_format: str) -> tuple:
        return frame.select(usecols or []), Described()

    monkeypatch.setattr(pyreadstat, "read_sas7bdat", reader)
    assert read(written(tmp_path, b"x", "t.sas7bdat"), "ID") == [(1.0,), (2.0,)]


def test_names_are_found_in_any_case_and_twins_refused(tmp_path: Path) -> None:
    source = open_source(written(tmp_path, b"Person_ID,age,AGE, x\n1,2,3,4\n"))
    assert source.find("person_id") == "Person_ID"
    assert source.find("AGE") == "AGE"
    assert source.find("x") == " x"
    assert source.find("none") is None
    with pytest.raises(UserError, match="letter case"):
        source.find("Age")
