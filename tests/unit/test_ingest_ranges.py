"""Amounts as text: which are read as a number or a range of two, and which count as missing."""

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
        ("1-2-3", None, "three numbers"),
        ("1-", None, "half a range"),
        ("1,5-2", None, "a comma is no decimal point"),
        ("1 or 2", (1, 2), "the other word"),
        ("1-2 tabs", (1, 2), "a range of tablets"),
        ("30 - 60 Tablets", (30, 60), "blanks, capitals"),
        ("60 tabs", (60, None), "one number of tablets"),
        ("60tabs.", (60, None), "no blank, a full stop"),
        ("1 patch", (1, None), "a patch"),
        ("120 mL", (120, None), "a liquid"),
        ("-5 caps", (-5, None), "negative: exposure repairs it"),
        ("1,000", (1000, None), "thousands"),
        ("12,000 ml", (12000, None), "thousands of a unit"),
        ("1,00", None, "no thousands: a decimal comma?"),
        ("0,125", None, "no thousands"),
        ("1/2", None, "half a tablet, or one of two"),
        ("60 boxes", None, "who knows how many tablets"),
        ("30 days", None, "days are no quantity"),
        ("abc", None, "letters"),
        ("inf tabs", None, "no number"),
        ("1-10", (1, 10), "as wide as a range may be"),
        ("5-325", None, "a strength of a combination"),
    ],
)
def test_what_is_read_of_quantities(text: str, ends: tuple[float, float | None] | None, why: str) -> None:
    read = convert.amounts(pl.Series([text, "60", None]), "quantity")
    assert [column.to_list() for column in read or ()] == [[end, None, None] for end in ends or (None, None)]


def test_days_have_words_of_their_own() -> None:
    read = convert.amounts(pl.Series(["30 days", "1 day", "10 to 20 days", "30 tabs", "4 weeks"]), "days_supply")
    assert [column.to_list() for column in read or ()] == [[30, 1, 10, None, None], [None, None, 20, None, None]]


@pytest.mark.parametrize(
    ("text", "ends", "why"),
    [
        ("5-10", (5, 10), "five to ten mg"),
        ("2.5 to 10", (2.5, 10), "four times: still a range"),
        ("5-325", None, "oxycodone with paracetamol, not a range"),
        ("60-300", None, "codeine with paracetamol"),
        ("7.5-200", None, "hydrocodone with ibuprofen"),
        ("0-5", None, "no strength is 0"),
        ("2,500", None, "no strength has thousands: a decimal comma"),
        ("5 tabs", None, "no strength"),
    ],
)
def test_ranges_of_strengths_are_narrow(text: str, ends: tuple[float, float] | None, why: str) -> None:
    read = convert.amounts(pl.Series([text]), "strength")
    assert read is not None
    assert (read[0][0], read[1][0]) == (ends or (None, None))


def test_a_range_is_read_into_its_lower_end_and_a_column_of_the_upper() -> None:
    read = ingest(quantity=["30-60", "90", "10-5"], days_supply=["30", "20 to 30", "5"], strength=["5-10", "5", "5"])
    columns = ["quantity", "quantity_to", "days_supply", "days_supply_to", "strength", "strength_to"]
    assert read.tables["dispensings"].select(columns).rows() == [
        (30, 60, 30, None, 5, 10), (90, None, 20, 30, 5, None), (None, None, 5, None, 5, None),
    ]  # fmt: skip
    assert read.rejected.is_empty()


@pytest.mark.parametrize("name", ["quantity", "days_supply", "strength"])
def test_what_cannot_be_read_is_missing_and_counted_not_a_fill_lost(name: str) -> None:
    texts = ["1/2", "abc", "10-5", "5-325", "", "30", "-30"] + ["?"] * 10
    read = ingest(**{"quantity": ["30"] * 17, "days_supply": ["30"] * 17, name: texts})
    assert read.tables["dispensings"][name].to_list() == [None] * 5 + [30, -30] + [None] * 10
    assert read.rejected.is_empty()
    assert [line for line in read.warnings if "could not be read" in line] == [
        f"{name} could not be read in about 15 rows of dispensings: they count as missing."
    ]
    assert not any("could not be read" in line for line in ingest(quantity=["30", ""], days_supply=["", "9"]).warnings)


def test_upper_ends_may_have_columns_of_their_own() -> None:
    """An upper end below the lower one, or that cannot be read, leaves no amount; one that is missing, the lower."""
    read = ingest(quantity=["1", "1", "2", "3"], quantity_to=["2", None, "1", "few"], days_supply=[10] * 4)
    assert read.tables["dispensings"].select("quantity", "quantity_to").rows() == [
        (1, 2), (1, None), (None, None), (None, None),
    ]  # fmt: skip
    assert read.rejected.is_empty()
    assert "quantity could not be read in fewer than 11 rows of dispensings: they count as missing." in read.warnings


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
