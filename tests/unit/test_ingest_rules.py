"""Ids, the limit on rejected rows, further columns of persons, and the order of what comes out."""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.counts import about
from opioid_outcomes.errors import UserError
from opioid_outcomes.ingest import convert
from opioid_outcomes.ingest.raw import Raw, no_rows_excluded
from opioid_outcomes.ingest.rules import Ingested, canonicalise


def raw(table: str, into: str | None = None, **columns: list) -> Raw:
    return Raw(table, into or table, pl.DataFrame(columns).with_row_index("row", offset=1), no_rows_excluded())


def persons(ids: list, **further: list) -> Raw:
    return raw("persons", person_id=ids, sex=["F"] * len(ids), birth_year=[1950] * len(ids), **further)


def observation(ids: list) -> Raw:
    return raw("observation", person_id=ids, start=["2010-01-01"] * len(ids), end=["2012-12-31"] * len(ids))


def ingest(*raws: Raw, share: float = 0.2, columns: list[str] | None = None) -> Ingested:
    return canonicalise(list(raws), calendar=True, person_columns=columns or [], max_rejected_share=share)


@pytest.mark.parametrize(
    ("given", "expected", "dtype"),
    [
        (["1", " 2 ", "10"], [1, 2, 10], pl.Int64),
        (["01", "2"], ["01", "2"], pl.String),
        (["a", "B"], ["B", "a"], pl.String),
        ([1, 2], [1, 2], pl.Int64),
        (["9007199254740993", "-1"], [-1, 9007199254740993], pl.Int64),
        (["9223372036854775808", "1"], ["1", "9223372036854775808"], pl.String),
        ([1.0, 2.0], [1, 2], pl.Int64),
        (["1.0", "2.0"], [1, 2], pl.Int64),
        (["101.01", "101.02"], ["101.01", "101.02"], pl.String),
        (["1.0", "x"], ["1.0", "x"], pl.String),
        (["007", "8.0"], ["007", "8.0"], pl.String),
        (["0.0", "10.", "-3"], [-3, 0, 10], pl.Int64),
    ],
)
def test_ids_stay_exact(given: list, expected: list, dtype: pl.DataType) -> None:
    result = ingest(persons(given), observation(given))
    assert result.tables["persons"]["person_id"].to_list() == expected
    assert result.tables["observation"]["person_id"].to_list() == expected
    assert all(table.schema["person_id"] == dtype for table in result.tables.values())


@pytest.mark.parametrize("given", [[1.5, 2.0], [2.0**53 + 2, 1.0], ["1.0", "1.5"], ["9007199254740994.0"], ["1.2e+15"]])
def test_inexact_ids_are_refused_without_telling_them(given: list) -> None:
    with pytest.raises(UserError, match=r"persons\.person_id") as raised:
        ingest(persons(given), observation(given))
    assert "1.5" not in str(raised.value)
    assert "9007" not in str(raised.value)


def test_floating_ids_are_told() -> None:
    assert any("floating" in warning for warning in ingest(persons([1.0]), observation([1])).warnings)
    assert not ingest(persons([1]), observation(["1"])).warnings


def test_one_id_type_in_a_cohort() -> None:
    """Whole persons' ids are Int64; an id written otherwise elsewhere (leading zero, text) is nobody's."""
    pain = raw("pain", person_id=["1", "01", "x"], date=["2011-01-01"] * 3, scale=["NRS"] * 3, score=[1, 2, 3])
    result = ingest(persons([1, 2]), observation(["1", "2"]), pain, share=0.9)
    assert result.tables["pain"]["person_id"].to_list() == [1]
    assert result.rejected["rule"].to_list() == ["unknown_person", "unknown_person"]


def pains(good: int, bad: int) -> Raw:
    scores = ["5"] * good + ["99"] * bad
    dates = [f"2011-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(good + bad)]
    return raw("pain", person_id=["1"] * (good + bad), date=dates, scale=["NRS"] * (good + bad), score=scores)


@pytest.mark.parametrize(("good", "bad", "share"), [(8, 2, 0.2), (1, 99, 0.99), (5, 0, 0.0)])
def test_up_to_the_limit_rows_are_merely_rejected(good: int, bad: int, share: float) -> None:
    result = ingest(persons(["1"]), observation(["1"]), pains(good, bad), share=share)
    assert result.tables["pain"].height == good
    assert result.quality_rules.select("rule", "rows").rows() == ([("score_out_of_range", bad)] if bad else [])


@pytest.mark.parametrize(("good", "bad", "share"), [(79, 21, 0.2), (0, 1, 1.0), (9, 1, 0.0)])
def test_beyond_the_limit_or_when_all_is_rejected_the_run_stops(good: int, bad: int, share: float) -> None:
    with pytest.raises(UserError, match=f"table pain: {bad} of {good + bad} rows") as raised:
        ingest(persons(["1"]), observation(["1"]), pains(good, bad), share=share)
    assert f"score_out_of_range {bad}" in str(raised.value)
    assert "recode codes such as 99" in str(raised.value)


@pytest.mark.parametrize("date", ["17/03/2016", "1850-01-01", None, "2011-01-01"])
def test_a_cdm_is_not_told_to_mend_its_config(date: str | None) -> None:
    score = "7" if date != "2011-01-01" else "99"
    columns = {"person_id": ["1"], "date": [date], "scale": ["NRS"], "score": [score]}
    with pytest.raises(UserError) as raised:
        ingest(persons(["1"]), observation(["1"]), raw("measurement", "pain", **columns))
    said = str(raised.value)
    assert "table measurement (to pain)" in said
    assert not [word for word in ("date_basis", "map ", "mapping", "recode", "scale") if word in said]
    with pytest.raises(UserError, match=r"date_basis|map the|recode"):
        ingest(persons(["1"]), observation(["1"]), raw("pain", **columns))


def test_rows_not_selected_do_not_count_against_the_limit() -> None:
    excluded = pl.DataFrame({"row": [2, 3], "person_id": ["2", "3"], "rule": ["where"] * 2})
    selected = Raw("persons", "persons", persons(["1"]).frame, excluded)
    elsewhere = raw(
        "pain",
        person_id=["1", "2", "3", "3"],
        date=["2011-01-01", "2011-01-01", None, "x"],
        scale=["NRS"] * 4,
        score=["1", "99", "1", None],
    )
    result = ingest(selected, observation(["1", "2", "3"]), elsewhere, share=0.0)
    assert dict(result.quality.select("into", "not_selected").rows()) == {"observation": 2, "pain": 3, "persons": 2}
    assert set(result.rejected["rule"]) == {"where", "person_not_selected"}


def test_copies_do_not_count_against_the_limit_but_are_told() -> None:
    dates = ["2011-01-01"] * 5
    copies = raw("pain", person_id=["1"] * 5, date=dates, scale=["NRS"] * 5, score=["1"] * 5)
    result = ingest(persons(["1"]), observation(["1"]), copies, share=0.0)
    assert result.quality.filter(pl.col("into") == "pain").row(0)[2:] == (5, 1, 4, 0, 0)
    assert result.warnings == ["Fewer than 11 rows of pain repeat another in all that is read; one is kept."]


def test_one_canonical_table_may_have_several_sources() -> None:
    """As in OMOP: scores in MEASUREMENT and in OBSERVATION; rows are counted where they come from."""
    columns = {"person_id": ["1", "1"], "scale": ["NRS", "NRS"], "score": [4, 5]}
    first = raw("measurement", "pain", date=["2011-01-01", "2011-01-02"], **columns)
    second = raw("observation", "pain", date=["2011-01-02", "2011-01-03"], **columns)
    unused = Raw("observation", "pain", second.frame, pl.DataFrame({"row": [3, 4], "rule": ["not_used", "no_value"]}))
    result = ingest(persons(["1"]), observation(["1"]), first, unused)
    lines = {line["table"]: line for line in result.quality.filter(pl.col("into") == "pain").iter_rows(named=True)}
    assert list(lines["measurement"].values())[2:] == [2, 2, 0, 0, 0]
    assert list(lines["observation"].values())[2:] == [4, 2, 2, 0, 1]
    assert result.tables["pain"]["score"].to_list() == [4.0, 5.0, 4.0, 5.0]


def test_further_columns_of_persons() -> None:
    given = persons(["1", "2"], smoking=["never", None], income=["1.5", "2"], flag=[True, None], nothing=[None, None])
    frame = ingest(given, observation(["1", "2"]), columns=["smoking"]).tables["persons"]
    assert frame.select("smoking", "income", "flag", "nothing").rows() == [
        ("never", 1.5, 1.0, None),
        (None, 2.0, None, None),
    ]


def test_a_covariate_nobody_has() -> None:
    with pytest.raises(UserError, match="no covariate 'smokin' in this cohort"):
        ingest(persons(["1"], smoking=["no"]), observation(["1"]), columns=["smokin"])
    phq = raw("measurements", person_id=["1"], date=["2011-01-01"], measure=["phq9"], value=["3"])
    ingest(persons(["1"]), observation(["1"]), phq, columns=["phq9"])


def test_rows_are_ordered_by_person_and_day() -> None:
    frame = pains(9, 0).frame.with_columns(score=pl.Series([str(i) for i in range(9)]))
    tables = [
        ingest(persons(["1"]), observation(["1"]), Raw("pain", "pain", given, no_rows_excluded())).tables["pain"]
        for given in (frame, frame.reverse())
    ]
    assert tables[0].equals(tables[1])


def test_possible_days() -> None:
    days = convert.Days.of(True, 2100)
    assert (days.first, days.last) == (-25567, 47846)
    assert pl.Series([days.first, days.last]).cast(pl.Date).dt.to_string().to_list() == ["1900-01-01", "2100-12-31"]


@pytest.mark.parametrize(
    ("count", "told"), [(0, "none"), (1, "fewer than 11"), (10, "fewer than 11"), (11, "about 10"), (13, "about 15")]
)
def test_counts_in_sentences(count: int, told: str) -> None:
    assert about(count) == told
