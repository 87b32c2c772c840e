"""Covariates: strictly before the anchor day, within the look-back; not measurable is null, never 0."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from opioid_outcomes.cohort import covariates
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import DAILY_DOSE
from opioid_outcomes.errors import UserError


def table(name: str, *rows: dict[str, Any]) -> pl.DataFrame:
    schema = CANONICAL[name].schema(pl.Int64())
    return pl.DataFrame([{column: row.get(column) for column in schema} for row in rows], schema=schema)


def sources(**tables: pl.DataFrame) -> covariates.Sources:
    persons = table("persons", {"person_id": 1, "sex": "F"}, {"person_id": 2, "sex": "M"})
    persons = persons.with_columns(
        pl.Series("age", [50.5, None], dtype=pl.Float64),
        pl.Series("smoking", ["never", None]),
        pl.Series("diabetes", [3, 4]),
    )
    empty = {name: table(name) for name in ("diagnoses", "dispensings", "pain", "measurements")}
    daily = pl.DataFrame(schema=DAILY_DOSE.schema(pl.Int64()))
    return covariates.Sources(**{"persons": persons, "daily_dose": daily, **empty, **tables})  # type: ignore[arg-type]


ANCHORS = pl.DataFrame({"person_id": [1, 2], "day": [100, 100]}, schema={"person_id": pl.Int64, "day": pl.Int32})


def values(name: str, data: covariates.Sources, lookback: int = 30, anchors: pl.DataFrame = ANCHORS) -> list[Any]:
    return covariates.measure(anchors, [name], data, lookback).frame[name].to_list()


def code(day: int, person: int = 1) -> dict[str, Any]:
    return {"person_id": person, "date": day, "code": "J449", "vocabulary": "ICD10CM"}


@pytest.mark.parametrize(("day", "value"), [(69, 0), (70, 1), (99, 1), (100, 0), (101, 0)])
def test_a_code_counts_strictly_before_the_day_and_within_the_look_back(day: int, value: int) -> None:
    data = sources(diagnoses=table("diagnoses", code(day), code(500, 2)))
    assert values("copd", data) == [value, 0]


def test_a_later_or_older_code_does_not_hide_one_inside() -> None:
    data = sources(diagnoses=table("diagnoses", code(10), code(80), code(100), code(150)))
    assert values("copd", data) == [1, 0]


def test_without_diagnoses_a_code_list_is_missing_not_zero() -> None:
    measured = covariates.measure(ANCHORS, ["copd"], sources(), 30)
    assert measured.frame["copd"].to_list() == [None, None]
    assert measured.costs == ["Covariate copd is missing for everybody: no diagnoses."]


def test_without_look_back_nothing_is_measured() -> None:
    data = sources(diagnoses=table("diagnoses", code(99)), pain=table("pain", score(99, 5)))
    assert values("copd", data, lookback=0) == [None, None]
    assert values("pain", data, lookback=0) == [None, None]


def score(day: int, value: float, person: int = 1) -> dict[str, Any]:
    return {"person_id": person, "date": day, "scale": "NRS", "score": value}


def test_pain_is_the_last_score_before_the_day() -> None:
    data = sources(pain=table("pain", score(90, 7), score(80, 2), score(100, 9), score(60, 1, 2)))
    assert values("pain", data) == [7.0, None]


def test_scores_of_one_day_are_averaged() -> None:
    data = sources(pain=table("pain", score(90, 7), score(90, 4)))
    assert values("pain", data) == [5.5, None]


def test_a_measure_goes_by_its_own_name() -> None:
    rows = [
        {"person_id": 1, "date": 90, "measure": "phq9", "value": 12.0},
        {"person_id": 1, "date": 95, "measure": "gad7", "value": 3.0},
    ]
    assert values("phq9", sources(measurements=table("measurements", *rows))) == [12.0, None]


def fill(day: int, ingredient: str, person: int = 1) -> dict[str, Any]:
    return {"person_id": person, "date": day, "ingredient": ingredient}


def test_drug_classes_are_any_fill_in_the_look_back() -> None:
    data = sources(dispensings=table("dispensings", fill(99, "diazepam"), fill(100, "gabapentin", 2)))
    assert values("benzodiazepine", data) == [1, 0]
    assert values("gabapentinoid", data) == [0, 0]


def test_a_cohort_whose_dispensings_hold_opioids_only_cannot_measure_other_classes() -> None:
    measured = covariates.measure(
        ANCHORS, ["nsaid"], sources(dispensings=table("dispensings", fill(99, "oxycodone"))), 30
    )
    assert measured.frame["nsaid"].to_list() == [None, None]
    assert "other than an opioid" in measured.costs[0]


def dose(start: int, stop: int, mme: float | None, incomplete: int = 0, person: int = 1) -> tuple[Any, ...]:
    return (person, start, stop, mme, incomplete, 0, 0, None)


@pytest.mark.parametrize(
    ("rows", "mean"),
    [
        ([dose(80, 90, 30.0)], 10.0),  # 10 of 30 days
        ([dose(60, 75, 60.0), dose(95, 130, 30.0)], 15.0),  # (5 x 60 + 5 x 30) / 30: cut at both ends
        ([dose(0, 70, 60.0), dose(100, 130, 60.0)], 0.0),  # all outside: on no day of the look-back
        ([dose(80, 90, None)], None),
        ([dose(80, 90, 30.0, incomplete=1)], None),
        ([dose(0, 50, None), dose(80, 90, 30.0)], 10.0),  # unknown before the look-back does not matter
        ([dose(60, 71, None), dose(80, 90, 30.0)], None),  # unknown on its first day does
    ],
)
def test_prior_mme_is_the_mean_daily_dose_of_the_look_back(rows: list[tuple[Any, ...]], mean: float | None) -> None:
    daily = pl.DataFrame([*rows, dose(0, 10, 99.0, person=2)], schema=DAILY_DOSE.schema(pl.Int64()), orient="row")
    found = values("prior_mme", sources(daily_dose=daily))
    assert found == [pytest.approx(mean, abs=1e-9) if mean is not None else None, 0.0]


@pytest.mark.parametrize(
    ("day", "year"), [(0, 1970.0), (14_610, 2010.0), (14_792, 2010.0 + 182 / 365.25), (-1461, 1966.0)]
)
def test_calendar_year_is_the_anchors_own_as_a_number(day: int, year: float) -> None:
    anchors = ANCHORS.with_columns(day=pl.lit(day, pl.Int32))
    assert values("calendar_year", sources(), anchors=anchors) == pytest.approx([year, year], abs=1e-9)


def stay(start: int, end: int, person: int = 1) -> dict[str, Any]:
    return {"person_id": person, "start": start, "end": end}


@pytest.mark.parametrize(
    ("stays", "days"),
    [
        ([stay(80, 85)], 5),  # the day of discharge is at home
        ([stay(60, 75)], 5),  # cut at the 30th day before
        ([stay(95, 120)], 5),  # and on the eve
        ([stay(40, 70), stay(100, 110)], 0),
        ([stay(50, 150)], 30),
        ([stay(80, 85), stay(83, 90), stay(95, 96)], 11),  # overlapping ones count once
    ],
)
def test_hospital_days_are_those_of_the_last_thirty(stays: list[dict[str, Any]], days: int) -> None:
    data = sources(stays=table("stays", *stays, stay(0, 3, 2)))
    assert values("hospital_days", data, lookback=180) == [days, 0]


def test_without_stays_hospital_days_are_missing_not_zero() -> None:
    assert values("hospital_days", sources()) == [None, None]
    assert values("hospital_days", sources(stays=table("stays"))) == [None, None]


def diagnosis(day: int, name: str, vocabulary: str = "ICD10CM") -> dict[str, Any]:
    return {"person_id": 1, "date": day, "code": name, "vocabulary": vocabulary}


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([("I10", 70), ("E11", 99), ("J44", 100)], 2),  # strictly before the day
        ([("I10", 69), ("I10", 80)], 0),  # known before
        ([("I10", 80), ("I1.0", 80), ("i10", 90), ("I10", 200)], 1),  # one code, however written and how often
        ([("I10", 85), ("E11", 85), ("J44", 85)], 3),
    ],
)
def test_new_diagnoses_are_codes_first_recorded_in_the_last_thirty_days(
    rows: list[tuple[str, int]], count: int
) -> None:
    data = sources(diagnoses=table("diagnoses", *(diagnosis(day, name) for name, day in rows)))
    assert values("new_diagnoses", data, lookback=180) == [count, 0]


def test_of_the_person() -> None:
    assert values("age", sources()) == [50.5, None]
    assert values("sex", sources()) == ["F", "M"]
    assert values("smoking", sources()) == ["never", None]


def test_a_column_of_persons_goes_before_the_code_list_of_its_name() -> None:
    assert values("diabetes", sources(diagnoses=table("diagnoses", code(99)))) == [3, 4]


def test_several_anchors_of_a_person_see_their_own_past_only() -> None:
    anchors = pl.DataFrame({"person_id": [1, 1, 1], "day": [80, 81, 111]}, schema=ANCHORS.schema)
    data = sources(diagnoses=table("diagnoses", code(80)))
    assert values("copd", data, anchors=anchors) == [0, 1, 0]


def test_unknown_and_reserved_names_are_all_told_at_once() -> None:
    with pytest.raises(UserError) as error:
        covariates.measure(ANCHORS, ["copd", "smokng", "mme"], sources(), 30)
    message = str(error.value)
    assert "no covariate 'smokng'" in message
    assert "smoking" in message  # what there is
    assert "'mme' is a column of person-time" in message
    assert "prior_mme" in message
