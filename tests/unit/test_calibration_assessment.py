"""What is made of a simulated cohort is what the study makes of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pain_source
import pytest

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.hyperalgesia import assessment, blip, confounders, trial, verdict, visits
from opioid_outcomes.hyperalgesia.calibrate import cohorts, replicates, source, worlds
from opioid_outcomes.hyperalgesia.calibrate.cohorts import Draws
from opioid_outcomes.hyperalgesia.calibrate.replicates import Setting
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.inputs import Known
from opioid_outcomes.steps.hyperalgesia import of_histories

OPTIONS = Hyperalgesia(error_sd=0.5, windows_days=[(1, 30), (91, 180), (181, 365)])


@pytest.fixture(scope="module")
def setting() -> Setting:
    study = pain_source.study(4000, 24, 20260101, error=0.5)
    made = source.build(study, OPTIONS, error_variance=0.25, baseline=["depression"], missing="indicator")
    assert isinstance(made, source.Source)
    return Setting(made, "hyperalgesia", OPTIONS, 0.25, (1, 2, 3))


def simulated(setting: Setting, world: str) -> Histories:
    draws = Draws.of(setting.source, setting.persons, np.random.default_rng(1))
    made = worlds.of(world, OPTIONS.windows_days[-1])
    return cohorts.as_histories(cohorts.live(setting.source, made, draws, OPTIONS.escalation, step_mme=20))


def numbers(rows: list[Estimate]) -> dict[tuple[str, ...], tuple[Any, ...]]:
    return {
        (row.analysis, row.method, row.window, row.scale): (row.estimate, row.ci_low, row.ci_high, row.gate)
        for row in rows
    }


@pytest.mark.parametrize(("world", "expected"), [("hyperalgesia", "hyperalgesia"), ("null", "no_effect")])
def test_rows_and_verdict_are_those_of_the_study_itself(setting: Setting, world: str, expected: str) -> None:
    histories = simulated(setting, world)
    decided = visits.eligible(histories, stable_days=90)
    terms = confounders.build(decided, histories, baseline=["depression"], missing="indicator", min_rise=0.2, min_mme=5)
    lean = assessment.assess(decided, terms, histories, OPTIONS, error_variance=0.25)
    own = of_histories(Known(histories, None, ["depression"], "indicator", "NRS", ""), OPTIONS, seed=1).rows
    made = trial.escalations(decided, terms, histories, OPTIONS.escalation)
    own += blip.estimates(blip.decide(made, histories, OPTIONS), histories, OPTIONS)
    expected_numbers = numbers(own)
    for key, found in numbers(lean).items():
        assert found[-1] == expected_numbers[key][-1], key
        assert found[:-1] == pytest.approx(expected_numbers[key][:-1], abs=1e-9), key
    judged = [
        verdict.judge(
            estimates.frame(rows, study="s", cohort="c"), OPTIONS.windows_days, smallest_effect=0.5, calibrated=False
        ).verdict
        for rows in (lean, own)
    ]
    assert judged == [expected, expected]
    methods = {row.method for row in lean}
    assert methods >= {"aipw", "aipw_noise_corrected"}
    assert ("per_protocol" in methods) == (world == "hyperalgesia")  # elsewhere no reading asks for it


def test_replicates_have_their_own_numbers_and_the_same_ones_again(setting: Setting) -> None:
    first = replicates.run(setting, [0, 1], cohort="clinic")
    again = replicates.run(setting, [1], cohort="clinic")
    assert first.filter(first["replicate"] == 1).equals(again)
    assert first["estimate_long"].n_unique() == 2
    assert first["cohort"].to_list() == ["clinic", "clinic"]
    assert set(first["verdict"]) == {"hyperalgesia"}
    assert first["truth_long"][0] == pytest.approx(1.0, abs=0.1)
    assert (first["estimate_long"] - first["truth_long"]).abs().max() < 0.3
    assert (first["corrected_long"] < first["estimate_long"]).all()  # doses follow the recorded score


def test_people_are_at_most_those_asked_for(setting: Setting) -> None:
    fewer = Hyperalgesia(calibration={"persons": 200})
    assert Setting(setting.source, "null", fewer, 0.0, (1,)).persons == 200
    assert setting.persons == setting.source.size == 4000


def test_seeds_differ_by_study_cohort_and_world() -> None:
    seeds = {replicates.seed_of(*key) for key in ((1, "a", "null"), (2, "a", "null"), (1, "b", "null"), (1, "a", "x"))}
    assert len(seeds) == 4


def test_a_cohort_in_which_nobody_can_be_judged_is_inconclusive(setting: Setting) -> None:
    few = Hyperalgesia(calibration={"persons": 60})
    rows = replicates.run(Setting(setting.source, "null", few, 0.0, (1,)), [0], cohort="clinic")
    assert rows["verdict"].to_list() == ["inconclusive"]
    assert rows["estimate_long"].to_list() == [None]
    assert replicates.characteristics(rows)["bias_long"] is None
