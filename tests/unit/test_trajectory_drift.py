"""trajectory.drift against lm by person in R, by hand, and on known truth in which pooled least squares is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.trajectories.drift import drift, mean_slope

REFERENCE = Path(__file__).parents[1] / "reference" / "trajectories_estimates"
PANEL = {"person_id": pl.Int64, "period": pl.Int64, "pain": pl.Float64}
YEAR_OF_MONTHS = 365.25 / 30


def months_on(rows: list[tuple[int, int, float | None]]) -> pl.DataFrame:
    """Person-time of whole months on: (person, month, MME/day)."""
    return pl.DataFrame(
        [(person, 30 * month, 30 * month + 30, 1, mme) for person, month, mme in rows],
        schema={"person_id": pl.Int64, "start": pl.Int64, "stop": pl.Int64, "on_opioid": pl.Int64, "mme": pl.Float64},
        orient="row",
    )


def pain_in(rows: list[tuple[int, int, float | None]]) -> pl.DataFrame:
    """Panel in which the mean pain of a month (person, month, score) stands on the first day of the next."""
    return pl.DataFrame([(person, month + 1, score) for person, month, score in rows], schema=PANEL, orient="row")


def test_mean_of_slopes_equals_lm_by_person() -> None:
    months = pl.read_csv(REFERENCE / "months.csv").filter(pl.len().over("person_id") >= 6)
    ours = mean_slope(months.sample(fraction=1, shuffle=True, seed=1), "mme")
    assert ours is not None
    for name, value in pl.read_csv(REFERENCE / "drift.csv").row(0, named=True).items():
        assert getattr(ours, name) == pytest.approx(value, rel=1e-9), name


def test_dose_climbs_a_mme_a_month_while_pain_stays() -> None:
    """12 people of 8 months, dose +1 a month from where each began; pain, of 11 of them in 4 months, the same."""
    person_time = months_on([(person, month, 10.0 * person + month) for person in range(1, 13) for month in range(8)])
    pain = pain_in([(person, month, 5.0) for person in range(1, 12) for month in (0, 2, 3, 7)])
    everybody, of_those_in_pain, score = drift(person_time, pain, months=24, factors="cdc_2022")
    assert everybody.estimate == pytest.approx(YEAR_OF_MONTHS)
    assert (everybody.outcome, everybody.persons, everybody.window) == ("dose", 12, "0-720")
    assert everybody.scale == "slope"
    assert "cdc_2022" in everybody.note
    assert (of_those_in_pain.outcome, of_those_in_pain.persons) == ("dose", 11)
    assert (score.outcome, score.persons, score.estimate) == ("pain", 11, 0.0)
    # the row that differs from the first by one person alone may not leave
    assert of_those_in_pain.smallest_cell == 1
    assert everybody.smallest_cell == 12


def test_pain_of_a_month_is_matched_to_the_dose_of_that_month() -> None:
    """Pain rises by one a month: read a month late or early, the months of pain would be others, at other slopes."""
    person_time = months_on([(person, month, 30.0) for person in range(10) for month in range(6)])
    scores = {1: 1.0, 3: 3.0, 5: 5.0, 6: 0.0}  # month 6 is not on opioids
    late = [(person, month, score) for person in range(10) for month, score in scores.items()]
    pain = drift(person_time, pain_in(late), months=24, factors="f")[2]
    assert pain.estimate == pytest.approx(YEAR_OF_MONTHS)
    assert pain.persons == 10


def test_months_of_few_days_on_at_a_known_dose_do_not_count() -> None:
    """Seven full months a dose higher each; two days on at ten times the dose, or 14 known of 30, are no month."""
    steady = months_on([(person, month, 30.0 + month) for person in range(10) for month in range(7)])
    odd = pl.concat(
        steady.select("person_id").unique().with_columns(start=start, stop=stop, on_opioid=1, mme=pl.lit(mme, float))
        for start, stop, mme in ((210, 212, 900.0), (240, 254, 900.0), (254, 270, None))
    ).select(pl.col(name).cast(dtype) for name, dtype in steady.schema.items())
    row = drift(pl.concat([steady, odd]), pain_in([]), months=24, factors="f")[0]
    assert row.estimate == pytest.approx(YEAR_OF_MONTHS)
    fifteen = odd.with_columns(pl.col("stop").replace({212: 225}))
    assert (drift(pl.concat([steady, fifteen]), pain_in([]), months=24, factors="f")[0].estimate or 0) > 500
    assert "months with at least 15 days on opioids at a known dose" in row.note
    assert "days of carry-over after a supply count at its dose" in row.note


def test_unknown_dose_and_months_beyond_the_window_do_not_count() -> None:
    known = [(person, month, 30.0 + person * month) for person in range(1, 11) for month in range(6)]
    further = [(person, 6, None) for person in range(1, 11)] + [(person, 7, 900.0) for person in range(1, 11)]
    row = drift(months_on(known + further), pain_in([]), months=7, factors="f")[0]
    assert row.estimate == pytest.approx(5.5 * YEAR_OF_MONTHS)


@pytest.mark.parametrize(
    ("people", "months", "why"),
    [(9, 6, "fewer than ten people"), (40, 5, "fewer than ten people"), (0, 0, "fewer than ten people")],
)
def test_too_few_people_or_months_are_told(people: int, months: int, why: str) -> None:
    person_time = months_on([(person, month, 30.0 + month) for person in range(people) for month in range(months)])
    rows = drift(person_time, pain_in([]), months=24, factors="f")
    assert [(row.outcome, row.estimate) for row in rows] == [("dose", None), ("dose", None), ("pain", None)]
    assert all(row.gate.startswith(f"not evaluable: {why}") for row in rows)


def cohort_that_leaves(rng: np.random.Generator, persons: int) -> pl.DataFrame:
    """Everybody's dose rises by 0.2 MME/day a month; who is on a high dose stays 24 months, others 6 to 12."""
    high = rng.random(persons) < 0.4
    stay = np.where(high, 24, rng.integers(6, 13, persons))
    person = np.repeat(np.arange(persons), stay)
    month = np.concatenate([np.arange(n) for n in stay])
    level = np.where(high, 120.0, 30.0) + rng.normal(0, 5, persons)
    slope = 0.2 + rng.normal(0, 0.3, persons)
    mme = level[person] + slope[person] * month + rng.normal(0, 4, len(month))
    return pl.DataFrame({"person_id": person, "month": month, "mme": mme})


def test_known_truth_which_pooled_least_squares_misses_because_high_doses_stay() -> None:
    rng, reps = np.random.default_rng(77), 200
    truth, between = 0.2 * YEAR_OF_MONTHS, 0.3 * YEAR_OF_MONTHS
    estimates, errors, pooled, spreads = [], [], [], []
    for _ in range(reps):
        months = cohort_that_leaves(rng, 300)
        found = mean_slope(months, "mme")
        assert found is not None
        estimates.append(found.estimate)
        errors.append(found.se)
        spreads.append(found.between_sd)
        pooled.append(np.polyfit(months["month"] / YEAR_OF_MONTHS, months["mme"], 1)[0])
    spread = np.std(estimates, ddof=1)
    assert abs(np.mean(estimates) - truth) < 3 * spread / np.sqrt(reps)
    assert np.mean(errors) == pytest.approx(spread, rel=0.15)
    assert np.mean(spreads) == pytest.approx(between, rel=0.15)
    assert np.mean(pooled) > truth + 10
