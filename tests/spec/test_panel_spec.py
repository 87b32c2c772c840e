"""The panel, as tables: what counts in a period is what was known before its first day."""

from __future__ import annotations

from typing import Any

import polars as pl

from opioid_outcomes.cohort import covariates, panel
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import DAILY_DOSE

ENTRY = 1000


def table(name: str, *rows: dict[str, Any]) -> pl.DataFrame:
    schema = CANONICAL[name].schema(pl.Int64())
    return pl.DataFrame([{column: row.get(column) for column in schema} for row in rows], schema=schema)


def time(*rows: tuple[int, int, int, float, int]) -> pl.DataFrame:
    """(person, start, stop, mme, on_opioid)"""
    return pl.DataFrame(rows, schema=["person_id", "start", "stop", "mme", "on_opioid"], orient="row")


def pain(*rows: tuple[int, float]) -> pl.DataFrame:
    """(day since entry, score) of person 1"""
    return table("pain", *({"person_id": 1, "date": ENTRY + day, "scale": "NRS", "score": s} for day, s in rows))


def build(person_time: pl.DataFrame, scores: pl.DataFrame, *, death: int = 0, **names: list[str]) -> pl.DataFrame:
    cohort = pl.DataFrame(
        {"person_id": [1], "entry": [ENTRY], "death": [death], "age": [50.0], "pain": [4.0], "copd": [0]}
    )
    diagnoses = table("diagnoses", {"person_id": 1, "date": ENTRY + 30, "code": "J449", "vocabulary": "ICD10CM"})
    sources = covariates.Sources(
        persons=table("persons", {"person_id": 1, "sex": "F"}).with_columns(pl.lit(50.0).alias("age")),
        diagnoses=diagnoses, dispensings=table("dispensings"), pain=scores, measurements=table("measurements"),
        daily_dose=pl.DataFrame(schema=DAILY_DOSE.schema(pl.Int64())),
    )  # fmt: skip
    return panel.build(
        person_time, cohort.with_columns(pl.col("entry").cast(pl.Int32)), scores,
        baseline=names.get("baseline", []), time_varying=names.get("time_varying", []), sources=sources, lookback=30,
    )  # fmt: skip


def test_use_and_dose_are_those_on_the_first_day() -> None:
    """A start on day 45 belongs to no period before the one that begins on day 60."""
    built = build(time((1, 0, 45, 0.0, 0), (1, 45, 61, 40.0, 1), (1, 61, 100, 0.0, 0)), pain())
    assert built.select("period", "on_opioid", "mme", "death").rows() == [
        (0, 0, 0.0, 0),
        (1, 0, 0.0, 0),
        (2, 1, 40.0, 0),
        (3, 0, 0.0, 0),
    ]


def test_a_period_needs_its_first_day_followed() -> None:
    assert build(time((1, 0, 60, 0.0, 0)), pain())["period"].to_list() == [0, 1]
    assert build(time((1, 0, 61, 0.0, 0)), pain())["period"].to_list() == [0, 1, 2]


def test_death_belongs_to_the_period_of_its_day() -> None:
    """Death on day 60 is an event at 61: in the period that begins on day 60; on day 59, in the one before."""
    assert build(time((1, 0, 61, 0.0, 0)), pain(), death=1).select("period", "death").rows() == [(0, 0), (1, 0), (2, 1)]
    assert build(time((1, 0, 60, 0.0, 0)), pain(), death=1).select("period", "death").rows() == [(0, 0), (1, 1)]


def test_pain_is_the_mean_of_the_30_days_strictly_before() -> None:
    scores = pain((-31, 1.0), (-30, 2.0), (-1, 4.0), (0, 8.0), (29, 6.0), (30, 9.0))
    assert build(time((1, 0, 90, 0.0, 0)), scores).select("period", "pain", "pain_observed").rows() == [
        (0, 3.0, 1),
        (1, 7.0, 1),
        (2, 9.0, 1),
    ]
    assert build(time((1, 0, 31, 0.0, 0)), pain((-31, 1.0))).select("pain", "pain_observed").rows() == [
        (None, 0),
        (None, 0),
    ]


def test_time_varying_covariates_know_nothing_of_their_first_day() -> None:
    """The code of day 30 is on record for the period that begins on day 60, and there is within its 30 days."""
    built = build(time((1, 0, 120, 0.0, 0)), pain(), time_varying=["copd"])
    assert built["copd"].to_list() == [0, 0, 1, 0]


def test_baseline_values_keep_out_of_the_way_of_updated_ones() -> None:
    built = build(time((1, 0, 40, 0.0, 0)), pain(), baseline=["age", "pain", "copd"], time_varying=["copd", "pain"])
    assert built.columns[-4:] == ["age", "pain_at_entry", "copd_at_entry", "copd"]
    assert built.select("pain_at_entry", "copd_at_entry", "pain").rows() == [(4.0, 0, None), (4.0, 0, None)]


def test_age_grows_when_it_is_time_varying() -> None:
    built = build(time((1, 0, 40, 0.0, 0)), pain(), time_varying=["age"])
    assert built["age"].to_list() == [50.0, 50.0 + 30 / 365.25]
