"""Which first lines are headers, and what reads as a date."""

from __future__ import annotations

import pytest

from opioid_outcomes.ingest.headers import DATE, is_header

DATES = ["2016-03-17", "17/03/2016", "17.3.16", "17mar2016", "17 March 2016", "17-Mär-16", "Mar 17, 2016",
         "2016-Mar-17", "2016-03-17T10:00", "at 2016-03-17 10:00"]  # fmt: skip
OTHERS = ["10-20 mg", "2001-2002", "NRS", "M54.5", "nrs_2016", "day 30", "1.5", "30 days", "0406-0552"]


@pytest.mark.parametrize("text", DATES)
def test_dates(text: str) -> None:
    assert DATE.search(text)
    assert not is_header(["person_id", text], ["person_id"])


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_date(text: str) -> None:
    assert not DATE.search(text)


@pytest.mark.parametrize("text", ["7", " -0.5", "1,5", "+3", "00406055201"])
def test_a_header_holds_no_number(text: str) -> None:
    assert not is_header(["person_id", text], ["person_id"])


def test_a_header_has_a_name_that_is_asked_for_in_any_case() -> None:
    assert is_header(["", " SEQN", "nrs_2016"], ["person_id", "seqn "])
    assert not is_header(["MRN-A", "NRS"], ["person_id"])
    assert not is_header([], ["person_id"])
