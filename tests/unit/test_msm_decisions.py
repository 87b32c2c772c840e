"""Covariates of the day on which use changed, in the period it changed in."""

from __future__ import annotations

import polars as pl
import pytest

from opioid_outcomes.cohort.covariates import Sources
from opioid_outcomes.mortality.msm_decisions import at_decisions, changes

ENTRY = 1000


def panel(on: list[int | None], pain: list[float | None] | None = None) -> pl.DataFrame:
    k = len(on)
    scores = pain or [5.0] * k
    return pl.DataFrame(
        {
            "person_id": [7] * k, "period": list(range(k)), "pain": scores,
            "pain_observed": [int(score is not None) for score in scores], "mme": [0.0] * k, "on_opioid": on,
            "death": [0] * k, "age": [50.0] * k, "benzodiazepine": [0] * k, "new_diagnoses": [9] * k,
        },
        schema_overrides={"on_opioid": pl.Int64, "pain": pl.Float64},
    )  # fmt: skip


def stretches(*rows: tuple[int, int, int | None, int | None]) -> pl.DataFrame:
    """(start, stop, on_opioid, days_since_start)"""
    table = pl.DataFrame(
        rows, orient="row",
        schema={"start": pl.Int64, "stop": pl.Int64, "on_opioid": pl.Int64, "days_since_start": pl.Int64},
    )  # fmt: skip
    return table.with_columns(pl.lit(7).cast(pl.Int64).alias("person_id"))


def cohort() -> pl.DataFrame:
    return pl.DataFrame({"person_id": [7], "entry": [ENTRY]})


def sources(scores: dict[int, float], diagnosed: list[int] | None = None) -> Sources:
    """Pain scores, and days of diagnoses of new codes, by day since entry."""
    days = [ENTRY + day for day in scores]
    codes = [ENTRY + day for day in diagnosed or []]
    return Sources(
        persons=pl.DataFrame({"person_id": [7], "sex": ["F"]}),
        diagnoses=pl.DataFrame(
            {"person_id": [7] * len(codes), "date": codes, "code": [f"E{10 + i}" for i in range(len(codes))],
             "vocabulary": ["ICD10CM"] * len(codes)},
            schema_overrides={"date": pl.Int32, "code": pl.String, "vocabulary": pl.String, "person_id": pl.Int64},
        ),
        dispensings=pl.DataFrame(schema={"person_id": pl.Int64, "date": pl.Int32}),
        pain=pl.DataFrame(
            {"person_id": [7] * len(days), "date": days, "score": list(scores.values())},
            schema_overrides={"person_id": pl.Int64, "date": pl.Int32, "score": pl.Float64},
        ),
        measurements=pl.DataFrame(schema={"person_id": pl.Int64, "date": pl.Int32, "measure": pl.String}),
        daily_dose=pl.DataFrame(schema={"person_id": pl.Int64}),
    )  # fmt: skip


def decided(table: pl.DataFrame, time: pl.DataFrame, known: Sources, names: tuple[str, ...] = ()) -> pl.DataFrame:
    return at_decisions(table, time, cohort(), known, time_varying=names, lookback=365)


@pytest.mark.parametrize(
    ("on", "time", "found"),
    [
        ([0, 0, 1], [(0, 40, 0, None), (40, 90, 1, 0)], [(2, 40)]),
        ([0, 1, 1], [(0, 30, 0, None), (30, 90, 1, 0)], [(1, 30)]),  # on the first day itself
        ([1, 1, 0], [(0, 50, 1, 0), (50, 90, 0, None)], [(0, 0), (2, 50)]),
        ([1, 1], [(0, 60, 1, 12)], []),  # already on on the eve of entry
        ([0, 1, 1], [(0, 10, 0, None), (10, 20, 1, 0), (20, 60, 1, 10)], [(1, 10)]),  # a change of dose is none of use
        ([0, 0], [(0, 5, 0, None), (5, 20, 1, 0), (20, 60, 0, None)], []),  # on between two first days
        ([1, 1], [(0, 5, 1, 9), (5, 20, 0, None), (20, 60, 1, 0)], []),
    ],
)
def test_day_on_which_use_changed(
    on: list[int | None], time: list[tuple[int, int, int | None, int | None]], found: list[tuple[int, int]]
) -> None:
    assert changes(panel(on), stretches(*time)).select("period", "since").rows() == found


def test_pain_is_that_of_the_visit_and_not_of_the_days_after() -> None:
    """On from day 40: 8 at the visit that day, and 2 once the drug has worked, before the period begins on day 60."""
    time = stretches((0, 40, 0, None), (40, 90, 1, 0))
    rows = decided(panel([0, 0, 1], [5.0, 6.0, 5.0]), time, sources({8: 3.0, 20: 6.0, 40: 8.0, 55: 2.0}))
    assert rows["pain"].to_list() == [5.0, 6.0, 7.0]
    assert rows["on_opioid"].to_list() == [0, 0, 1]


def test_pain_before_use_had_ended() -> None:
    """Off from day 50: the score of that very day was not known to who let it end."""
    time = stretches((0, 50, 1, 12), (50, 90, 0, None))
    rows = decided(panel([1, 1, 0]), time, sources({30: 4.0, 50: 9.0, 58: 9.0}))
    assert rows["pain"].to_list() == [5.0, 5.0, 4.0]


def test_pain_not_recorded_before_the_change() -> None:
    rows = decided(panel([0, 0, 1]), stretches((0, 40, 0, None), (40, 90, 1, 0)), sources({55: 2.0}))
    assert rows["pain"].to_list() == [5.0, 5.0, None]
    assert rows["pain_observed"].to_list() == [1, 1, 0]


def test_other_covariates_are_those_of_the_eve_of_the_change() -> None:
    """Diagnoses of the day use began and of later days are not before it."""
    time = stretches((0, 40, 0, None), (40, 90, 1, 0))
    rows = decided(panel([0, 0, 1]), time, sources({}, [15, 39, 40, 50]), ("new_diagnoses",))
    assert rows["new_diagnoses"].to_list() == [9, 9, 2]
    assert rows.columns == panel([0]).columns


def test_without_changes_nothing_changes() -> None:
    table = panel([0, 0, 0])
    assert decided(table, stretches((0, 90, 0, None)), sources({20: 1.0}), ("new_diagnoses",)).equals(table)


def test_nobody() -> None:
    table = panel([0]).clear()
    assert decided(table, stretches((0, 90, 0, None)).clear(), sources({20: 1.0})).is_empty()
