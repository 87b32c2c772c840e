# ruff: noqa: E501 - drawn tables are wide
"""What becomes of an input row: rows in, then canonical rows and the rule of each rejected row.

Every case starts from the same three people, observed from 2010-01-01 to 2012-12-31; person 3 died on 2012-06-30.
"""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from opioid_outcomes.ingest.raw import Raw, no_rows_excluded
from opioid_outcomes.ingest.rules import Ingested, canonicalise

PERSONS = """
person_id | sex | birth_year
1         | F   | 1950
2         | M   | 1960
3         | f   | 1970
"""
OBSERVATION = """
person_id | start      | end
1         | 2010-01-01 | 2012-12-31
2         | 2010-01-01 | 2012-12-31
3         | 2010-01-01 | 2012-12-31
"""
DEATHS = """
person_id | date       | cause
3         | 2012-06-30 | X42.0
"""
COMMON = {"persons": PERSONS, "observation": OBSERVATION, "deaths": DEATHS}


def rows(table: str) -> pl.DataFrame:
    """A table drawn with bars; an empty cell is missing."""
    header, *lines = [[cell.strip() or None for cell in line.split("|")] for line in table.strip().splitlines()]
    columns = dict(zip(header, zip(*lines, strict=True), strict=True)) if lines else {name: [] for name in header}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).with_row_index("row", offset=1)


def ingest(calendar: bool = True, **tables: str) -> Ingested:
    raws = [Raw(name, name, rows(table), no_rows_excluded()) for name, table in (COMMON | tables).items()]
    return canonicalise(raws, calendar=calendar, person_columns=[], max_rejected_share=0.99)


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def rejected(result: Ingested, table: str) -> dict[int, str]:
    return dict(result.rejected.filter(pl.col("table") == table).select("row", "rule").rows())


CASES = {
    "pain": (
        """
        person_id | date       | scale        | score
        1         | 2010-02-01 | NRS          | 7
        1         | 2010-02-02 | vas100       | 73
        1         | 2010-02-03 | VRS          | 3
        1         | 2010-02-04 | PEG          | 4.3
        1         | 2010-02-05 | BPI_severity | 10
        1         | 2010-02-06 | NRS          | 99
        1         | 2010-02-07 | NRS          | Unable to Score
        1         | 2010-02-08 | NRS          |
        1         | 2010-02-09 | faces        | 3
        1         | 2010-02-10 | NRS          | -1
        1         | 2010-02-01 | NRS          | 7
        9         | 2010-02-01 | NRS          | 7
                  | 2010-02-01 | NRS          | 7
        3         | 2012-06-30 | NRS          | 8
        3         | 2012-07-01 | NRS          | 8
        1         | 2010-02-30 | NRS          | 5
        1         | 1066-10-14 | NRS          | 5
        1         |            | NRS          | 5
        1         | 2010-02-19 23:59 | NRS    | 5
        """,
        ["person_id", "date", "score"],
        [
            (1, day("2010-02-01"), 7.0),
            (1, day("2010-02-02"), 7.3),
            (1, day("2010-02-03"), 7.5),
            (1, day("2010-02-04"), 4.3),
            (1, day("2010-02-05"), 10.0),
            (1, day("2010-02-19"), 5.0),  # a time of day is dropped
            (3, day("2012-06-30"), 8.0),  # the day of death is still lived
        ],
        {
            6: "score_out_of_range",
            7: "unreadable_number",
            8: "missing_value",
            9: "unknown_scale",
            10: "score_out_of_range",
            11: "duplicate_row",
            12: "unknown_person",
            13: "missing_person_id",
            15: "after_death",
            16: "unreadable_date",
            17: "impossible_date",
            18: "missing_date",
        },
    ),
    "dispensings": (
        """
        person_id | date       | code        | vocabulary | ingredient | route  | strength | strength_unit | quantity | days_supply
        1         | 2010-02-01 | 00406055201 | ndc        |            |        |          |               | 30       | 30
        1         | 2010-02-01 |             |            | Oxycodone  | Oral   | 5        | mg            | 30       |
        1         | 2010-02-02 |             |            | oxycodone  | orally | 5        | mg            | 30       | 30
        1         | 2010-02-02 |             |            | oxycodone  | oral   | 5        | grains        | 30       | 30
        1         | 2010-02-02 |             |            | oxycodone  | oral   | 5        | mg            | 0        | 9999
        1         | 2010-02-03 |             |            | oxycodone  | oral   | 5        | mg            | -30      | 30
        1         | 2010-02-04 |             |            | oxycodone  | oral   | 5        | mg            | thirty   | 30 days
        1         | 2009-12-01 |             |            | oxycodone  | oral   | 5        | mg            | 30       | 30
        """,
        ["date", "code", "vocabulary", "ingredient", "route", "quantity", "days_supply"],
        [
            # supply dispensed before observation counts
            (day("2009-12-01"), None, None, "oxycodone", "oral", 30.0, 30.0),
            (day("2010-02-01"), "00406055201", "NDC", None, None, 30.0, 30.0),
            (day("2010-02-01"), None, None, "oxycodone", "oral", 30.0, None),
            # amounts that cannot be are no reason to lose a fill: exposure repairs them
            (day("2010-02-02"), None, None, "oxycodone", "oral", 0.0, 9999.0),
            (day("2010-02-03"), None, None, "oxycodone", "oral", -30.0, 30.0),
            (day("2010-02-04"), None, None, "oxycodone", "oral", None, 30.0),
        ],
        {3: "unknown_route", 4: "unknown_strength_unit"},
    ),
    "opioid_use": (
        """
        person_id | date       | using | daily_mme
        1         | 2010-02-01 | 1     | 40
        1         | 2010-03-01 | 0     |
        1         | 2010-04-01 | 2     |
        1         | 2010-05-01 | yes   |
        1         | 2010-06-01 | 1     | -5
        """,
        ["using", "daily_mme"],
        [(1, 40.0), (0, None)],
        {3: "not_0_or_1", 4: "unreadable_number", 5: "negative_number"},
    ),
    "diagnoses": (
        """
        person_id | date       | code   | vocabulary
        1         | 2010-02-01 | m54.50 | ICD10CM
        1         | 2010-02-01 | M5450  | ICD10CM
        1         | 2010-02-02 | 279039007 | SNOMED
        1         | 2010-02-03 |        | SNOMED
        1         | 2010-02-04 | M54    | READ
        """,
        ["code", "vocabulary"],
        [("M5450", "ICD10CM"), ("279039007", "SNOMED")],
        {2: "duplicate_row", 4: "missing_value", 5: "unknown_vocabulary"},
    ),
    "stays": (
        """
        person_id | start      | end
        1         | 2010-02-01 | 2010-02-05
        1         | 2010-03-05 | 2010-03-01
        3         | 2012-06-29 | 2012-07-01
        3         | 2012-07-02 | 2012-07-03
        """,
        ["person_id", "start", "end"],
        [(1, day("2010-02-01"), day("2010-02-05")), (3, day("2012-06-29"), day("2012-07-01"))],
        {2: "end_before_start", 4: "after_death"},
    ),
    "measurements": (
        """
        person_id | date       | measure | value
        1         | 2010-02-01 | phq9    | 12
        1         | 2010-02-01 | delta   | -3
        1         | 2010-02-01 | gad7    |
        """,
        ["measure", "value"],
        [("phq9", 12.0), ("delta", -3.0)],
        {3: "missing_value"},
    ),
    "changes": (
        """
        person_id | date       | reason
        1         | 2010-02-01 | Policy
        1         | 2010-02-01 | whim
        """,
        ["reason"],
        [("policy",)],
        {2: "unknown_reason"},
    ),
    "deaths": (
        """
        person_id | date       | cause | contributing
        1         | 2011-05-02 | I21.9 |
        1         | 2011-05-01 | X42.0 | T40.2; T42.4
        1         | 2011-05-01 | X42.0 | T40.2; T42.4
        2         | 2009-12-31 | C34   |
        3         | 2020-01-01 |       |
        """,
        ["person_id", "date", "cause", "contributing"],
        [
            (1, day("2011-05-01"), "X420", "T402;T424"),
            (3, day("2020-01-01"), None, None),  # long after the last observed day: not this table's matter
        ],
        {1: "later_death", 3: "duplicate_row", 4: "death_before_observation"},
    ),
    "observation": (
        """
        person_id | start      | end
        1         | 2010-01-01 | 2010-06-30
        1         | 2010-07-01 | 2010-12-31
        1         | 2010-03-01 | 2010-04-01
        1         | 2011-01-02 | 2011-12-31
        1         | 2011-01-02 | 2011-12-31
        2         | 2012-01-01 | 2011-01-01
        2         | 2012-01-01 |
        2         | 2010-01-01 | 2010-01-01
        9         | 2010-01-01 | 2010-01-01
        3         | 2010-01-01 | 2012-12-31
        """,
        ["person_id", "start", "end"],
        [
            (1, day("2010-01-01"), day("2010-12-31")),  # touching and contained periods are one: 2 rows merged
            (1, day("2011-01-02"), day("2011-12-31")),  # a day apart
            (2, day("2010-01-01"), day("2010-01-01")),
            (3, day("2010-01-01"), day("2012-12-31")),
        ],
        {5: "duplicate_row", 6: "end_before_start", 7: "missing_date", 9: "unknown_person"},
    ),
    "persons": (
        """
        person_id | sex   | birth_year
        1         | F     | 1950
        1         | F     | 1950
        2         | M     | 1960
        2         | M     | 1961
        3         |       | 1970
        4         | male  | 1970
        5         | F     | 2011
        6         | F     | 18??
        7         | F     | 1700
                  | F     | 1970
        8         | U     |
        """,
        ["person_id", "sex", "birth_year"],
        [(1, "F", 1950), (3, "U", 1970), (5, "F", 2011), (7, "F", 1700), (8, "U", None)],
        {
            2: "duplicate_row",
            3: "conflicting_person",
            4: "conflicting_person",
            6: "unknown_sex",
            8: "unreadable_number",
            10: "missing_person_id",
        },
    ),
}


@pytest.mark.parametrize("table", list(CASES))
def test_what_becomes_of_every_row(table: str) -> None:
    given, columns, canonical, broken = CASES[table]
    result = ingest(**{table: given})
    assert result.tables[table].select(columns).rows() == canonical
    assert rejected(result, table) == broken


def test_merged_periods_are_counted() -> None:
    result = ingest(observation=CASES["observation"][0])
    line = result.quality.filter(pl.col("into") == "observation").row(0, named=True)
    assert (line["rows_in"], line["canonical"], line["rejected"], line["merged"]) == (10, 4, 4, 2)


def test_birth_after_the_first_observed_day() -> None:
    persons = PERSONS + "4 | F | 2011\n5 | F | 2010\n6 | F | 1800\n"
    observation = OBSERVATION + "".join(f"{i} | 2010-01-01 | 2012-12-31\n" for i in (4, 5, 6))
    result = ingest(persons=persons, observation=observation)
    assert rejected(result, "persons") == {4: "birth_after_observation", 6: "impossible_birth_year"}
    assert rejected(result, "observation") == {4: "unknown_person", 6: "unknown_person"}


def test_people_over_ninety_become_ninety() -> None:
    """By age on the first observed day (2010): 1919 is 91, 1920 is 90; who reaches 90 later keeps their birth year."""
    persons = PERSONS + "4 | F | 1919\n5 | F | 1920\n6 | F | 1921\n"
    observation = OBSERVATION + "".join(f"{i} | 2010-01-01 | 2012-12-31\n" for i in (4, 5, 6))
    result = ingest(persons=persons, observation=observation)
    assert result.tables["persons"]["birth_year"].to_list()[3:] == [1920, 1920, 1921]
    assert any("top-coded to 90: fewer than 11" in warning for warning in result.warnings)


def test_offsets() -> None:
    result = ingest(
        calendar=False,
        persons="person_id | sex | age_at_entry\n1 | F | 95\n2 | M | 40.5\n3 | M | 130",
        observation="person_id | start | end\n1 | -5 | 10\n2 | 0.0 | 7.0\n2 | 1.5 | 9\n1 | 0 | 60000\n1 | 2010-01-01 | 20",
        deaths="person_id | date\n1 | 10",
    )
    assert result.tables["observation"].rows() == [(1, -5, 10), (2, 0, 7)]
    assert rejected(result, "observation") == {3: "unreadable_date", 4: "impossible_date", 5: "unreadable_date"}
    assert result.tables["persons"]["age_at_entry"].to_list() == [90.0, 40.5]
    assert rejected(result, "persons") == {3: "impossible_age"}
    assert any("observation.start" in warning and "floating" in warning for warning in result.warnings)


def test_every_canonical_table_is_there() -> None:
    result = ingest()
    assert sorted(result.tables) == [
        "changes", "deaths", "diagnoses", "dispensings", "measurements", "observation", "opioid_use", "pain", "persons",
        "stays", "therapies",
    ]  # fmt: skip
    assert result.tables["pain"].is_empty()
    assert result.tables["pain"].schema["person_id"] == pl.Int64
