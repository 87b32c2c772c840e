"""Spread, thresholds and modifiers: planted effects are found, none where there is none, and gates say why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pain_world
import polars as pl
import pytest

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import body, confounders, histories, modifier, trial, visits

PERSONS = 8_000
WINDOWS = [(1, 30), (31, 90), (91, 180), (181, 365)]
WPI, COLD = "widespread_pain_index", "cold_pressor_tolerance_s"


def lived(seed: int = 3, persons: int = PERSONS, **world: object) -> tuple[pain_world.World, pain_world.Lives]:
    chosen = pain_world.World(persons=persons, **world)
    return chosen, pain_world.live(chosen, pain_world.Draws.of(chosen, seed))


def decided(tables: dict[str, pl.DataFrame]) -> tuple[histories.Histories, trial.Trial]:
    known = histories.build(tables["cohort"], tables["pain"], tables["daily_dose"], tables["opioid_status"])
    chosen = visits.eligible(known, stable_days=90)
    terms = confounders.build(chosen, known, baseline=[], missing="indicator", min_rise=0.2, min_mme=5)
    return known, trial.escalations(chosen, terms, known, Hyperalgesia().escalation)


def measured(lives: pain_world.Lives, effect: float, seed: int = 4) -> pl.DataFrame:
    """Body maps at half, sensory tests at a third of the visits; both answer to pain, and to the steps taken so far."""
    rng = np.random.default_rng(seed)
    months, persons = lives.score.shape
    usual = rng.normal(0, 1.5, persons)
    steps = lives.dose[:-1] - pain_world.FIRST_DOSE
    found = {
        WPI: (0.5, 7 + usual + 0.6 * (lives.score - 5) + effect * steps + rng.normal(0, 1, lives.score.shape)),
        COLD: (0.3, 40 - 3 * usual - 8 * effect * steps + rng.normal(0, 4, lives.score.shape)),
    }
    parts = []
    for name, (share, value) in found.items():
        month, who = np.nonzero(rng.random((months, persons)) < share)
        rows = {"person_id": who, "date": month * pain_world.MONTH, "value": value[month, who]}
        parts.append(pl.DataFrame(rows).with_columns(measure=pl.lit(name)))
    return pl.concat(parts)


def by_measure(rows: list[Estimate]) -> dict[tuple[str, str], Estimate]:
    return {(row.outcome, row.window): row for row in rows}


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_spread_and_thresholds_answer_to_what_is_planted_and_not_to_pain(effect: float) -> None:
    world, lives = lived()
    known, decisions = decided(pain_world.tables(world, lives))
    rows = by_measure(body.estimates(decisions, known, measured(lives, effect), WINDOWS, grace_days=7))
    for (outcome, window), row in rows.items():
        if outcome not in (WPI, COLD):
            assert row.gate == f"not evaluable: no {outcome} is recorded"
            continue
        assert row.gate == "pass"
        planted = effect if outcome == WPI else -8 * effect
        # later steps are fewer after one: up to a tenth of the separation is lost in a year
        assert abs(row.estimate - planted) < 3 * row.se + 0.1 * abs(planted), (outcome, window)
        assert row.analysis == ("hyperalgesia.spread" if outcome == WPI else "hyperalgesia.threshold")
        assert row.scale == "mean_difference"
        assert ("a rise is more widespread pain" if outcome == WPI else "a fall is pain from less") in row.note
    empty = body.empty(["1-30", "31-90", "91-180", "181-365"], "fail: x")
    assert [(row.analysis, row.outcome, row.window) for row in empty] == [
        (row.analysis, row.outcome, row.window) for row in rows.values()
    ]


def test_the_last_value_is_that_up_to_the_visit() -> None:
    world, lives = lived(persons=400)
    known, decisions = decided(pain_world.tables(world, lives))
    person, day = int(decisions.visits.person[5]), int(decisions.visits.day[5])
    table = pl.DataFrame({"person_id": [person] * 3, "date": [day - 40, day, day + 1], "value": [3.0, 4.0, 9.0]})
    terms = body.last_value(decisions, histories.score_history(table, known, value="value"))
    value, missing = terms.values()
    mine = decisions.visits.person == person
    assert value[5] == 4.0
    assert not missing[mine & (decisions.visits.day >= day)].any()
    assert missing[~mine].all()
    later = mine & (decisions.visits.day > day)
    assert later.any()
    assert (value[later] == 9.0).all()


def test_few_measurements_are_said() -> None:
    world, lives = lived(persons=600)
    known, decisions = decided(pain_world.tables(world, lives))
    few = measured(lives, 0.0).filter(pl.col("person_id") < 30)
    rows = by_measure(body.estimates(decisions, known, few, WINDOWS, grace_days=7))
    gates = {row.gate for (outcome, _), row in rows.items() if outcome in (WPI, COLD)}
    assert gates == {"not evaluable: fewer than 50 people escalated and have a score in the window"}


def two_groups(persons: int = 9_000) -> dict[str, pl.DataFrame]:
    """Half have fibromyalgia and one point more pain per step, for good; in the others nothing changes pain."""
    parts = []
    for number, world in enumerate((pain_world.World(s=1.0), pain_world.World())):
        chosen = replace(world, persons=persons)
        tables = pain_world.tables(chosen, pain_world.live(chosen, pain_world.Draws.of(chosen, 10 + number)))
        parts.append(
            {name: table.with_columns(pl.col("person_id") + number * persons) for name, table in tables.items()}
        )
    return {name: pl.concat([part[name] for part in parts]) for name in parts[0]}


def test_a_modifier_is_found_with_the_error_of_both_groups() -> None:
    tables = two_groups()
    known, decisions = decided(tables)
    conditions = pl.DataFrame({"fibromyalgia": (decisions.visits.person < 9_000).astype(int)})
    window = trial.window(decisions, known, (91, 180), 7)
    rows = {row.contrast: row for row in modifier.estimates(decisions, window, conditions, step_mme=20)}
    with_it, without = rows["fibromyalgia: with"], rows["fibromyalgia: without"]
    assert abs(with_it.estimate - 1.0) < 3 * with_it.se
    assert abs(without.estimate) < 3 * without.se
    difference = rows["fibromyalgia: with minus without"]
    assert difference.estimate == pytest.approx(with_it.estimate - without.estimate)
    assert difference.se == pytest.approx(np.hypot(with_it.se, without.se), rel=1e-3)  # nobody is in both
    assert difference.ci_low > 0.5
    assert difference.persons == with_it.persons + without.persons
    assert "exploratory" in difference.note
    for row in rows.values():
        if row.contrast.startswith("depression"):
            assert row.gate == "not evaluable: depression is not recorded"
        assert row.scale == "mean_difference_per_step"
        assert row.population == "stable long-term opioid therapy (ATT)"
    halves = ["dose: above median", "dose: below median", "dose: above minus below median"]
    assert [name for name in rows if name.startswith("dose")] == halves
    assert "median about 40 MME/day" in rows[halves[0]].note
    # everybody began on the same day: time on opioids is what has passed since
    assert rows["duration: above minus below median"].gate == "pass"
    assert abs(rows["duration: above minus below median"].estimate) < 4 * rows["duration: above minus below median"].se
    assert [row.contrast for row in modifier.empty("x", "fail: x")] == [*rows]


def test_a_group_of_few_or_of_nobody_is_said() -> None:
    world, lives = lived(persons=2_000)
    known, decisions = decided(pain_world.tables(world, lives))
    window = trial.window(decisions, known, (1, 30), 7)
    conditions = pl.DataFrame({"fibromyalgia": (decisions.visits.person < 40).astype(int)})
    rows = {row.contrast: row for row in modifier.estimates(decisions, window, conditions, step_mme=20)}
    gate = "not evaluable: fewer than 50 people escalated and have a score in the window"
    assert rows["fibromyalgia: with"].gate == gate
    assert rows["fibromyalgia: with minus without"].gate == gate
    assert rows["fibromyalgia: without"].gate == "pass"
    one_dose = replace(decisions, visits=replace(decisions.visits, dose=np.full(len(decisions.taken), 40.0)))
    rows = {row.contrast: row for row in modifier.estimates(one_dose, window, conditions, step_mme=20)}
    assert rows["dose: above median"].gate == gate  # nobody is above a median that is everybody's
