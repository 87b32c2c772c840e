"""Amounts recorded as ranges: which are read as two numbers, and which stay unreadable."""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.ingest import convert
from opioid_outcomes.ingest.raw import Raw, no_rows_excluded
from opioid_outcomes.ingest.rules import Ingested, canonicalise


def ingest(**columns: list) -> Ingested:
    rows = len(next(iter(columns.values())))
    tables = {
        "persons": {"person_id": [1], "sex": ["F"], "birth_year": [1950]},
        "observation": {"person_id": [1], "start": ["2010-01-01"], "end": ["2012-12-31"]},
        "dispensings": {
            "person_id": [1] * rows, "date": [f"2011-01-{day + 1:02}" for day in range(rows)],
            "ingredient": ["oxycodone"] * rows, **columns,
        },
    }  # fmt: skip
    raws = [
        Raw(name, name, pl.DataFrame(table).with_row_index("row", offset=1), no_rows_excluded())
        for name, table in tables.items()
    ]
    return canonicalise(raws, calendar=True, person_columns=[], max_rejected_share=0.99)


@pytest.mark.parametrize(
    ("text", "ends", "why"),
    [
        ("1-2", (1, 2), "a hyphen"),
        ("30 to 60", (30, 60), "the word"),
        ("5 \u2013 10", (5, 10), "an en dash"),
        ("5\u201410", (5, 10), "an em dash"),
        (" 0.5 TO 1.5 ", (0.5, 1.5), "decimals, capitals, blanks around it"),
        ("0-2", (0, 2), "none or two"),
        ("2-2", (2, 2), "one number written as a range"),
        ("10-5", None, "descending: a date, a code or a slip"),
        ("-5", None, "a negative number"),
        ("1-2-3", None, "three numbers"),
        ("2 tabs", None, "words"),
        ("1-", None, "half a range"),
        ("1,5-2", None, "a comma is no decimal point"),
    ],
)
def test_ranges_of_quantities(text: str, ends: tuple[float, float] | None, why: str) -> None:
    read = convert.ranges(pl.Series([text, "60", None]))
    assert (
        read is None if ends is None else (read[0][0], read[1][0], *read[0][1:], *read[1][1:]) == (*ends, *[None] * 4)
    )


@pytest.mark.parametrize(
    ("text", "ends", "why"),
    [
        ("5-10", (5, 10), "five to ten mg"),
        ("2.5 to 10", (2.5, 10), "four times: still a range"),
        ("5-325", None, "oxycodone with paracetamol, not a range"),
        ("60-300", None, "codeine with paracetamol"),
        ("7.5-200", None, "hydrocodone with ibuprofen"),
        ("0-5", None, "no strength is 0"),
    ],
)
def test_ranges_of_strengths_are_narrow(text: str, ends: tuple[float, float] | None, why: str) -> None:
    read = convert.ranges(pl.Series([text]), strength=True)
    assert (read and (read[0][0], read[1][0])) == ends


def test_a_range_is_read_into_its_lower_end_and_a_column_of_the_upper() -> None:
    read = ingest(quantity=["30-60", "90", "10-5"], days_supply=["30", "20 to 30", "5"], strength=["5-10", "5", "5"])
    columns = ["quantity", "quantity_to", "days_supply", "days_supply_to", "strength", "strength_to"]
    assert read.tables["dispensings"].select(columns).rows() == [
        (30, 60, 30, None, 5, 10), (90, None, 20, 30, 5, None),
    ]  # fmt: skip
    assert read.rejected.select("row", "rule").rows() == [(3, "unreadable_number")]


def test_a_combination_in_the_column_of_strengths_is_unreadable_as_ever() -> None:
    read = ingest(quantity=[30, 30], days_supply=[30, 30], strength=["5", "5-325"])
    assert read.rejected.select("row", "rule").rows() == [(2, "unreadable_number")]


def test_upper_ends_may_have_columns_of_their_own() -> None:
    read = ingest(quantity=[1.0, 1.0, 2.0], quantity_to=[2.0, None, 1.0], days_supply=[10, 10, 10])
    assert read.tables["dispensings"].select("quantity", "quantity_to").rows() == [(1, 2), (1, None)]
    assert read.rejected.select("row", "rule").rows() == [(3, "descending_range")]


def test_ranges_in_other_columns_stay_unreadable() -> None:
    """A score of "3-5" is not read as two numbers: only amounts of dispensings are repaired."""
    pain = pl.DataFrame(
        {"person_id": [1, 1], "date": ["2011-01-01", "2011-01-02"], "scale": "NRS", "score": ["3-5", "4"]}
    )
    tables = {
        "persons": pl.DataFrame({"person_id": [1], "sex": ["F"], "birth_year": [1950]}),
        "observation": pl.DataFrame({"person_id": [1], "start": ["2010-01-01"], "end": ["2012-12-31"]}),
        "pain": pain,
    }
    raws = [Raw(n, n, t.with_row_index("row", offset=1), no_rows_excluded()) for n, t in tables.items()]
    read = canonicalise(raws, calendar=True, person_columns=[], max_rejected_share=0.9)
    assert read.rejected.select("row", "rule").rows() == [(1, "unreadable_number")]
