"""Rows of ``hyperalgesia.blip``: steps of the dose, scores by lag, planted effects, and a gate where there is none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pain_world
import polars as pl
import pytest

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import blip_decisions, dose_steps, histories, trial, visits
from opioid_outcomes.hyperalgesia.blip_decisions import Decisions
from opioid_outcomes.hyperalgesia.confounders import Confounders
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.steps.blip import analyse

SETTINGS = {
    "hyperalgesia": {"scale": None}, "covariates": {"baseline": [], "time_varying": [], "missing": "indicator"},
    "population": {"lookback_days": 365},
}  # fmt: skip
LABELS = [
    "1-44", "45-74", "75-104", "105-134", "135-164", "165-194", "195-224", "225-254", "255-284", "285-314", "315-344",
    "345-374",
]  # fmt: skip
WINDOWS = {"1-30": [1], "31-90": [2, 3], "91-180": [4, 5, 6], "181-365": [7, 8, 9, 10, 11, 12]}


def tables(
    doses: list[tuple[int, int, int, float | None]], scores: list[tuple[int, int, float]], people: int = 1,
    exit_day: int = 1_000, death: int = 0,
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """doses: person, start, stop, MME (None: not known). scores: person, day, score."""
    everybody = pl.DataFrame({"person_id": range(people)})
    supply = pl.DataFrame(doses, schema={"person_id": pl.Int64, "start": pl.Int64, "stop": pl.Int64, "mme": pl.Float64},
                          orient="row")  # fmt: skip
    pain = pl.DataFrame(scores, schema={"person_id": pl.Int64, "date": pl.Int64, "score": pl.Float64}, orient="row")
    return {
        "cohort": everybody.with_columns(entry=pl.lit(0), exit=pl.lit(exit_day), death=pl.lit(death)),
        "pain": pain.with_columns(scale=pl.lit("NRS")),
        "daily_dose": supply.with_columns(mme_incomplete=pl.col("mme").is_null().cast(pl.Int64)),
        "opioid_status": everybody.with_columns(
            start=pl.lit(-200), stop=pl.lit(2_000), state=pl.lit("on"), on_since=pl.lit(-200)
        ),
    }


def known(found: dict[str, pl.DataFrame]) -> Histories:
    return histories.build(found["cohort"], found["pain"], found["daily_dose"], found["opioid_status"])


def decided(found: dict[str, pl.DataFrame]) -> tuple[Decisions, Histories]:
    about = known(found)
    options = Hyperalgesia()
    chosen = visits.eligible(about, stable_days=options.escalation.stable_days)
    n = len(chosen.person)
    terms = Confounders(
        np.zeros((n, 0)), [], np.ones(n, dtype=bool), [], [], np.zeros(0, int), np.zeros((n, 0, 0)), np.zeros(0, int)
    )
    taken = trial.escalations(chosen, terms, about, options.escalation)
    return blip_decisions.decide(taken, about, options.escalation, step_mme=20), about


def test_steps_of_the_dose() -> None:
    """A short gap is none, a long one is a fall and a rise, so is the end of supply; unknown doses have no size."""
    about = known(
        tables(
            [
                (0, -100, 50, 40), (0, 80, 100, 40), (0, 100, 200, 60), (0, 231, 300, 50), (1, -100, 100, 30),
                (1, 100, 150, None), (1, 150, 990, 30), (2, -100, 970, 20), (3, -100, 969, 20),
            ],
            [(0, 0, 5)], people=4,
        )
    )  # fmt: skip
    steps = dose_steps.build(about.dose, about.exit)
    told = list(zip(steps.person, steps.day, steps.change, steps.known, strict=True))
    assert told == [
        (0, -100, 40, True), (0, 100, 20, True), (0, 200, -60, True), (0, 231, 50, True), (0, 300, -50, True),
        (1, -100, 30, True), (1, 100, 0, False), (1, 150, 0, False), (2, -100, 20, True), (3, -100, 20, True),
        (3, 969, -20, True),
    ]  # fmt: skip
    person, days = np.array([0, 0, 0, 1, 1, 1, 2]), np.array([50, 100, 101, 50, 101, 151, 0])
    np.testing.assert_array_equal(steps.total(person, days, days + 101), [20, -40, -60, np.nan, np.nan, 0, 0])
    never = dose_steps.NEVER
    assert steps.first_unknown(person, days).tolist() == [never, never, never, 100, 150, never, never]


def test_decisions_are_rises_and_none_and_small_changes_are_neither() -> None:
    """20 MME on 200 is a rise, though below a fifth; a fall leaves no decision; 4 MME are a drift."""
    doses = []
    for person, after in enumerate((40.0, 60.0, 20.0, 44.0, 36.0)):
        doses += [(person, -100, 103, 40.0), (person, 103, 900, after)]
    doses += [(5, -100, 103, 200.0), (5, 103, 900, 220.0)]
    found, _ = decided(tables(doses, [(person, 100, 5.0) for person in range(6)], people=6))
    assert found.trial.visits.person.tolist() == [0, 1, 3, 4, 5]
    np.testing.assert_allclose(found.step, [0, 1, 0, 0, 1])
    np.testing.assert_allclose(found.drift, [0, 0, 0.2, -0.2, 0])
    assert (found.fell, found.unknown, found.cut) == (1, 0, 0)


def test_scores_and_later_steps_by_lag() -> None:
    """A step is so many months before a score as is nearest, 1 at the least; on the day of the score it is after it."""
    doses = [(0, -100, 102, 40.0), (0, 102, 130, 60.0), (0, 130, 170, 80.0), (0, 170, 1_000, 70.0)]
    scores = [(0, 100, 5.0), (0, 105, 4.0), (0, 130, 6.0), (0, 140, 7.0), (0, 170, 8.0), (0, 246, 3.0)]
    found, about = decided(tables(doses, scores))
    assert found.trial.visits.day.tolist()[0] == 100
    first, second, third, *_, fifth = blip_decisions.lags(found, about, 5)
    assert first.outcome[0] == 6.5  # days 130 and 140; that of day 105 is within grace
    assert [first.later.row.tolist()[0], first.later.lag.tolist()[0], first.later.step[0, 0]] == [0, 1, 0.5]
    assert second.outcome[0] == 8.0
    assert second.later.row[second.later.row == 0].tolist() == [0]
    assert second.later.lag[second.later.row == 0].tolist() == [1]  # 40 days, of which the nearest month is the first
    assert np.isnan(third.outcome[0])
    here = fifth.later.row == 0
    assert sorted(zip(fifth.later.lag[here], fifth.later.step[here, 0], strict=True)) == [(3, -0.5), (4, 1.0)]


def test_scores_after_a_step_of_unknown_size_do_not_count() -> None:
    doses = [(0, -100, 140, 40.0), (0, 140, 160, None), (0, 160, 1_000, 40.0)]
    found, about = decided(tables(doses, [(0, 100, 5.0), (0, 140, 6.0), (0, 141, 9.0), (0, 170, 9.0)]))
    first, second = blip_decisions.lags(found, about, 2)
    assert first.outcome[0] == 6.0
    assert np.isnan(second.outcome[0])
    assert second.eligible[0]
    assert found.cut == 1


def test_the_end_of_follow_up_leaves_nobody_to_be_seen_and_death_keeps_the_scores_before_it() -> None:
    doses = [(0, -100, 1_000, 40.0)]
    scores = [(0, 100, 5.0), (0, 150, 6.0)]
    for death, outcome in ((0, [False, False]), (1, [True, False])):
        found, about = decided(tables(doses, scores, exit_day=155, death=death))
        second, third = [lag for number, lag in enumerate(blip_decisions.lags(found, about, 3)) if number]
        assert [bool(np.isfinite(lag.outcome[0])) for lag in (second, third)] == outcome
        assert not second.eligible[0]
        assert not third.eligible[0]


def test_labels_of_lags_touch() -> None:
    assert [blip_decisions.label(lag) for lag in range(1, 13)] == LABELS
    assert blip_decisions.lag_of(np.array([1, 44, 45, 74, 75])).tolist() == [1, 1, 2, 2, 3]


@cache
def world_rows(name: str) -> tuple[pain_world.World, dict[tuple[str, str, str], object]]:
    world = replace(pain_world.D2[name], persons=10_000)
    rows, decisions = analyse(pain_world.tables(world, pain_world.live(world, pain_world.Draws.of(world, 4))), SETTINGS)
    assert decisions > 200_000
    return world, {(row.analysis, row.contrast, row.window): row for row in rows}


@pytest.mark.parametrize("name", ["tolerance", "hyperalgesia"])
def test_planted_effects_are_found_from_the_pipelines_tables(name: str) -> None:
    world, rows = world_rows(name)
    blip = {window: row for (analysis, _, window), row in rows.items() if analysis == "hyperalgesia.blip"}
    assert [*blip] == [*LABELS, *WINDOWS]
    truth = world.blip(np.arange(1, 13))
    for lag, label in enumerate(LABELS, start=1):
        row = blip[label]
        assert (row.gate, row.method, row.contrast) == ("pass", "g_estimation", "per +20 MME")
        assert (row.population, row.scale) == ("stable long-term opioid therapy (ATT)", "mean_difference_per_step")
        assert abs(row.estimate - truth[lag - 1]) < 3 * row.se < 0.13
        assert row.persons >= row.events == row.smallest_cell > 1_000
    for window, lags in WINDOWS.items():
        row = blip[window]
        assert row.estimate == pytest.approx(np.mean([blip[LABELS[lag - 1]].estimate for lag in lags]), abs=1e-12)
        assert abs(row.estimate - truth[[lag - 1 for lag in lags]].mean()) < 3 * row.se


def test_modifiers_have_rows_with_and_without_a_number() -> None:
    _, rows = world_rows("hyperalgesia")
    modifiers = {contrast: row for (analysis, contrast, _), row in rows.items() if analysis == "hyperalgesia.modifier"}
    assert [*modifiers] == [
        "fibromyalgia: with minus without", "depression: with minus without", "dose: per 20 MME/day more",
        "duration: per year longer",
    ]  # fmt: skip
    assert {row.window for row in modifiers.values()} == {"181-365"}
    for condition in ("fibromyalgia", "depression"):
        assert modifiers[f"{condition}: with minus without"].gate == "not evaluable: not known at the visits"
    for planted_none in ("dose: per 20 MME/day more", "duration: per year longer"):
        row = modifiers[planted_none]
        assert row.gate == "pass"
        assert abs(row.estimate) < 3 * row.se


def visit_of(persons: int, raised: int, later: list[int]) -> dict[str, pl.DataFrame]:
    """Visits on day 100, the first people raised by 30 MME on day 102, and so many days later."""
    rng = np.random.default_rng(8)
    doses, scores = [], []
    for person in range(persons):
        doses += [(person, -100, 102, 50.0), (person, 102, 900, 50.0 + 30 * (person < raised))]
        scores += [(person, 100 + day, float(rng.integers(2, 9))) for day in (0, *later)]
    return tables(doses, scores, people=persons)


def gates(found: dict[str, pl.DataFrame]) -> list[str]:
    rows, _ = analyse(found, SETTINGS)
    assert len(rows) == len(LABELS) + len(WINDOWS) + 4
    assert all((row.estimate is None) == (row.gate != "pass") for row in rows)
    return [row.gate for row in rows]


FEW = "not evaluable: fewer than 50 people raised the dose, or kept it, and have a score"
NO_SCORES = "not evaluable: no pain scores on these days"


@pytest.mark.parametrize(("raised", "gate"), [(0, FEW), (49, FEW), (50, "pass"), (150, "pass"), (151, FEW), (200, FEW)])
def test_fifty_people_who_raise_and_fifty_who_keep(raised: int, gate: str) -> None:
    assert gates(visit_of(200, raised, [20]))[0] == gate


def test_few_who_kept_the_dose_is_said_before_what_tells_who_raised_it() -> None:
    found = visit_of(200, 151, [20])
    found["cohort"] = found["cohort"].with_columns(arm=pl.Series([1.0] * 151 + [0.0] * 49))
    rows, _ = analyse(found, SETTINGS | {"covariates": SETTINGS["covariates"] | {"baseline": ["arm"]}})
    assert {row.gate for row in rows[: len(LABELS)]} == {FEW}


def test_a_lag_without_scores_leaves_the_others_alone() -> None:
    """Only who kept the dose is stable on day 120, 70 days before a score: a decision unlike any at which one rose."""
    found = gates(visit_of(200, 100, [20, 90]))
    assert found[:4] == ["pass", NO_SCORES, "pass", NO_SCORES]
    assert found[12:16] == ["pass", "pass", NO_SCORES, NO_SCORES]
    rows, _ = analyse(visit_of(200, 100, [20, 90]), SETTINGS)
    assert rows[13].note.startswith("mean over 3 months (without 2, not evaluable)")
    assert rows[13].estimate == rows[2].estimate


def test_constant_pain_is_no_effect_without_error() -> None:
    found = visit_of(200, 100, [20])
    found["pain"] = found["pain"].with_columns(score=pl.lit(6.0))
    assert gates(found)[0] == "not evaluable: pain does not vary"


def test_history_that_determines_the_decision_is_collinear() -> None:
    found = visit_of(200, 100, [20])
    found["cohort"] = found["cohort"].with_columns(arm=pl.Series([1.0] * 100 + [0.0] * 100))
    rows, _ = analyse(found, SETTINGS | {"covariates": SETTINGS["covariates"] | {"baseline": ["arm"]}})
    assert rows[0].gate == "not evaluable: what is known at the visit determines who raises the dose (collinear)"


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        ("cohort", "nobody is eligible"),
        ("pain", "no pain scores"),
        ("daily_dose", "nobody has a dispensing that gives a daily dose"),
        ("opioid_status", "nobody on a stable dose for 90 days reported pain"),
    ],
)
def test_what_is_missing_is_said_in_every_row(lacking: str, why: str) -> None:
    found = visit_of(200, 100, [20])
    found[lacking] = found[lacking].clear()
    assert set(gates(found)) == {f"not evaluable: {why}"}


def test_doses_never_known() -> None:
    found = visit_of(200, 100, [20])
    found["daily_dose"] = found["daily_dose"].with_columns(mme_incomplete=pl.lit(1))
    assert set(gates(found)) == {"not evaluable: the dose is unknown on every day with supply"}
