"""Doses lowered because it hurts less mimic hyperalgesia; doses lowered by a policy do not, and tell the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import reduction_world

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import confounders, histories, reduction, trial, visits

EVERYBODY = "stable long-term opioid therapy (ATT)"
BY_POLICY = "dose lowered after a policy or formulary change (ATT)"
BY_PRESCRIBER = "dose lowered after a change of prescriber (ATT)"
WINDOWS = ["29-90", "91-180", "181-365"]
Rows = dict[tuple[str, str, str, str], Estimate]


def rows_of(tables: dict[str, pl.DataFrame], *, error_variance: float = 0.0, actual: bool = True) -> Rows:
    options = Hyperalgesia()
    rule = options.escalation
    known = histories.build(tables["cohort"], tables["pain"], tables["daily_dose"], tables["opioid_status"])
    chosen = visits.eligible(known, stable_days=rule.stable_days)
    terms = confounders.build(chosen, known, baseline=[], missing="indicator", min_rise=0.2, min_mme=5)
    lowered = trial.reductions(chosen, terms, known, options.reduction, grace_days=rule.grace_days)
    windows = reduction.windows_from(options.reduction.from_day, options.windows_days)
    rules = reduction.Rules(windows, rule.grace_days, actual, options.step_mme, error_variance)
    found = reduction.estimates(lowered, known, tables["changes"], rules)
    assert [(row.population, row.method, row.window, row.scale) for row in reduction.empty("fail: x", rules)] == [
        (row.population, row.method, row.window, row.scale) for row in found
    ]
    return {(row.population, row.method, row.window, row.scale): row for row in found}


def test_pain_driven_reductions_mimic_hyperalgesia_and_policies_do_not() -> None:
    world = reduction_world.World(noise=1.5)  # nothing changes pain; doses follow true pain, recorded with error
    rows = rows_of(reduction_world.tables(world, persons=8_000), error_variance=1.5**2)
    first = rows[EVERYBODY, "aipw", "29-90", "mean_difference"]
    assert first.gate == "pass"
    assert first.ci_high < -0.2
    assert "reductions made because pain fell look like hyperalgesia" in first.note
    corrected = rows[EVERYBODY, "aipw_noise_corrected", "29-90", "mean_difference"]
    assert abs(corrected.estimate) < 3 * corrected.se
    for window in WINDOWS:
        for method in ("aipw", "aipw_noise_corrected"):
            row = rows[BY_POLICY, method, window, "mean_difference"]
            assert row.gate == "pass"
            assert abs(row.estimate) < 3 * row.se
            assert row.se < 0.05
            # the noise of pain in the few reductions of their own is all that is left
            assert abs(row.estimate) < abs(first.estimate) / 3


def test_a_planted_fall_of_pain_is_found_and_told_per_step() -> None:
    world = reduction_world.World(gain=1.0, lowered=-5.0)
    rows = rows_of(reduction_world.tables(world, persons=8_000))
    months = {"29-90": range(1, 4), "91-180": range(4, 7), "181-365": range(7, 13)}
    for window, lags in months.items():
        truth = float(world.effect(np.array(lags)).mean())
        row = rows[BY_POLICY, "aipw", window, "mean_difference"]
        assert row.gate == "pass"
        assert abs(row.estimate - truth) < 3 * row.se + 0.03  # further falls of either arm on top
        step = rows[BY_POLICY, "aipw", window, "mean_difference_per_step"]
        # a fall of 150 MME by a quarter is 37.5; what is told is per 20 less
        assert abs(step.estimate - row.estimate * 20 / 37.5) < 0.08
        assert step.estimate < 0
        assert "mean change since the visit" in step.note
        assert step.note.startswith("per -20 MME/day; achieved separation -")
    assert "against people who never have a change of policy or formulary, in the same quarter" in row.note


def test_arms_that_differ_as_recorded_are_not_compared_with_the_error_taken_out_either() -> None:
    world = reduction_world.World(noise=1.0, by_pain=-3.0, lowered=-9.0)
    rows = rows_of(reduction_world.tables(world, persons=1_500), error_variance=1.0)
    recorded, corrected = (rows[EVERYBODY, m, "29-90", "mean_difference"] for m in ("aipw", "aipw_noise_corrected"))
    assert recorded.gate.startswith("fail: max |SMD| ")
    assert (corrected.gate, corrected.estimate) == (recorded.gate, None)


def test_the_change_of_few_people_is_not_told() -> None:
    rows = rows_of(reduction_world.tables(reduction_world.World(affected=0.1), persons=300))
    few = rows[BY_POLICY, "aipw", "29-90", "mean_difference"]
    assert few.gate == "not evaluable: fewer than 50 people reduced and have a score in the window"
    assert few.events > 0
    assert few.note.startswith("against people who never have a change")


def test_who_counts_after_a_change() -> None:
    """Reductions up to 60 days after it, in quarters that hold both arms; people with any such change maintain none."""
    options = Hyperalgesia()
    tables = reduction_world.tables(reduction_world.World(lowered=-4.0), persons=3_000)
    known = histories.build(tables["cohort"], tables["pain"], tables["daily_dose"], tables["opioid_status"])
    chosen = visits.eligible(known, stable_days=90)
    terms = confounders.build(chosen, known, baseline=[], missing="indicator", min_rise=0.2, min_mme=5)
    lowered = trial.reductions(chosen, terms, known, options.reduction, grace_days=7)
    rules = reduction.Rules([(29, 90)], 7, actual_dates=True, step_mme=20, error_variance=0.0)
    found = reduction._prompted(lowered, known, tables["changes"], rules)
    changed = dict(tables["changes"].select("person_id", "date").iter_rows())
    person, day = found.visits.person, found.visits.day
    for who, when, taken in zip(person.tolist(), day.tolist(), found.taken.tolist(), strict=True):
        assert (who in changed) == taken
        assert not taken or 0 <= when + 7 - changed[who] <= 60
    quarters = [{(d // 91) for d in day[found.taken == arm]} for arm in (True, False)]
    assert quarters[0] | quarters[1] <= {2, 3}
    added = found.confounders.names[len(lowered.confounders.names) :]
    assert added == ["quarter: 2"]
    assert found.confounders.baseline[-1] == "quarter: 2"
    assert found.confounders.noisy.tolist() == lowered.confounders.noisy.tolist()
    by_block = reduction._prompted(lowered, known, tables["changes"], replace(rules, actual_dates=False))
    assert set((by_block.visits.day // 90).tolist()) <= {3, 4}  # days 270 to 449


def test_changes_that_are_not_recorded_are_said_and_others_told() -> None:
    tables = reduction_world.tables(reduction_world.World(reason="prescriber"), persons=3_000)
    rows = rows_of(tables, actual=False)
    assert {row.gate for key, row in rows.items() if key[0] == BY_POLICY} == {
        "not evaluable: no changes of policy or formulary are recorded"
    }
    told = rows[BY_PRESCRIBER, "aipw", "29-90", "mean_difference"]
    assert told.gate == "pass"
    assert "dates are not actual" in told.note
    tables["changes"] = tables["changes"].clear()
    rows = rows_of(tables)
    assert {row.gate for key, row in rows.items() if key[0] == BY_PRESCRIBER} == {
        "not evaluable: no changes of prescriber are recorded"
    }
    assert rows[EVERYBODY, "aipw", "29-90", "mean_difference"].gate == "pass"


def test_everybody_under_a_policy_leaves_nobody_to_compare_with() -> None:
    tables = reduction_world.tables(reduction_world.World(affected=1.0), persons=2_000)
    rows = rows_of(tables)
    for window in WINDOWS:
        row = rows[BY_POLICY, "aipw", window, "mean_difference"]
        assert row.gate == "not evaluable: fewer than 50 people reduced and have a score in the window"
        assert row.estimate is None


@pytest.mark.parametrize(
    ("day", "windows", "expected"),
    [
        (29, [(1, 30), (31, 90), (91, 180), (181, 365)], [(29, 90), (91, 180), (181, 365)]),
        (0, [(1, 30), (31, 90)], [(0, 30), (31, 90)]),
        (100, [(1, 30), (31, 90)], [(100, 100)]),
        (29, [(1, 365)], [(29, 365)]),
        (29, [(181, 365), (31, 90)], [(29, 90), (181, 365)]),
    ],
)
def test_windows_begin_after_withdrawal(
    day: int, windows: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    assert reduction.windows_from(day, windows) == expected
