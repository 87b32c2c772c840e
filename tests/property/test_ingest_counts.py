"""Whatever comes in, every row ends in a canonical table, in the rejected ones, or merged; exactly once."""

from __future__ import annotations

from collections import Counter
from datetime import date
from unittest import mock

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.ingest import accounting
from opioid_outcomes.ingest.raw import Raw
from opioid_outcomes.ingest.rules import Ingested, canonicalise

ID = st.sampled_from(["1", "2", "3", "4", " 1", "01", "x", None])
DAY = st.sampled_from(
    ["2010-01-01", "2010-01-02", "2010-06-30", "2011-01-01T05:00", "2010-02-30", "1500-01-01", "?", None]
)
NUMBER = st.sampled_from(["0", "1", "3.5", "10", "99", "-1", "many", None])
SEX = st.sampled_from(["F", "m", "x", None])
SCALE = st.sampled_from(["NRS", "VAS100", "VRS", "x", None])
YEAR = st.sampled_from(["1950", "1960", "2020", "?"])
COLUMNS = {
    "persons": {"person_id": ID, "sex": SEX, "birth_year": YEAR},
    "observation": {"person_id": ID, "start": DAY, "end": DAY},
    "deaths": {"person_id": ID, "date": DAY},
    "pain": {"person_id": ID, "date": DAY, "scale": SCALE, "score": NUMBER},
    "opioid_use": {"person_id": ID, "date": DAY, "using": NUMBER, "daily_mme": NUMBER},
    "stays": {"person_id": ID, "start": DAY, "end": DAY},
}


@st.composite
def cohorts(draw: st.DrawFn) -> list[Raw]:
    raws = []
    for table, columns in COLUMNS.items():
        lines = draw(st.lists(st.tuples(*columns.values()), max_size=12))
        schema = dict.fromkeys(columns, pl.String)
        frame = pl.DataFrame(lines, schema=schema, orient="row").with_row_index("row", offset=1)
        kept = (
            pl.Series(draw(st.lists(st.integers(0, 3), min_size=len(lines), max_size=len(lines))), dtype=pl.Int64) > 0
        )
        if table == "persons":  # somebody must be left, or the run stops
            sure = pl.DataFrame([("1", "F", "1950"), ("4", "M", "1940")], schema=schema, orient="row")
            frame = pl.concat([frame.drop("row"), sure]).with_row_index("row", offset=1)
            kept = pl.concat([kept, pl.Series([True, True])])
        excluded = frame.filter(~kept).select("row", "person_id", rule=pl.lit("where"))
        raws.append(
            Raw(table, table, frame.filter(kept), excluded if table == "persons" else excluded.drop("person_id"))
        )
    return raws


def judged(raws: list[Raw]) -> Ingested:
    """What is tested is the accounting, not the limit on rejected rows."""
    with mock.patch.object(accounting, "stop_if_too_many"):
        return canonicalise(raws, calendar=True, person_columns=[], max_rejected_share=1.0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cohorts())
def test_rows_add_up(raws: list[Raw]) -> None:
    result = judged(raws)
    rejected = Counter(result.rejected["table"].to_list())
    for line in result.quality.iter_rows(named=True):
        raw = next(raw for raw in raws if raw.table == line["table"])
        assert line["rows_in"] == raw.frame.height + raw.excluded.height
        assert line["rows_in"] == line["canonical"] + line["rejected"] + line["merged"]
        assert line["canonical"] == result.tables[line["into"]].height
        assert line["rejected"] == rejected[line["table"]]
    assert result.quality_rules["rows"].sum() == result.rejected.height
    assert not result.rejected.select("table", "row").is_duplicated().any()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cohorts())
def test_what_is_canonical_keeps_the_contract(raws: list[Raw]) -> None:
    tables = judged(raws).tables
    people = set(tables["persons"]["person_id"])
    assert tables["persons"]["person_id"].is_unique().all()
    assert tables["deaths"]["person_id"].is_unique().all()
    dead = dict(tables["deaths"].select("person_id", "date").rows())
    for name, frame in tables.items():
        assert set(frame["person_id"]) <= people
        for column in CANONICAL[name].columns:
            values = frame[column.name]
            if column.required:
                assert values.null_count() == 0
            if column.values:
                assert set(values.drop_nulls()) <= set(column.values)
        if name in ("pain", "opioid_use"):
            assert all(day <= dead.get(person, day) for person, day in frame.select("person_id", "date").rows())
    assert tables["pain"]["score"].is_between(0, 10).all()
    periods = tables["observation"].sort("person_id", "start")
    after = periods.select(pl.col("start") - pl.col("end").shift(1).over("person_id")).to_series().drop_nulls()
    assert (after > 1).all()
    assert (periods["start"] <= periods["end"]).all()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(cohorts())
def test_merging_keeps_every_observed_day(raws: list[Raw]) -> None:
    result = judged(raws)
    people = set(result.tables["persons"]["person_id"].cast(pl.String))
    raw = next(raw for raw in raws if raw.into == "observation").frame
    gone = result.rejected.filter((pl.col("table") == "observation") & (pl.col("rule") != "duplicate_row"))["row"]
    sound = raw.filter(~pl.col("row").is_in(gone.implode()), pl.col("person_id").str.strip_chars().is_in(list(people)))
    before = {
        (person.strip(), day)
        for person, start, end in sound.select("person_id", "start", "end").rows()
        for day in range(number(start), number(end) + 1)
    }
    after = {
        (str(person), day)
        for person, start, end in result.tables["observation"].rows()
        for day in range(start, end + 1)
    }
    assert before == after


def number(day: str) -> int:
    return (date.fromisoformat(day[:10]) - date(1970, 1, 1)).days
