"""The methods section says what the config did, in its own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from report_release import settings

from opioid_outcomes.config.model import Config
from opioid_outcomes.exposure import notes
from opioid_outcomes.hyperalgesia import escalation, visits
from opioid_outcomes.mortality import gates, hazard_ratio
from opioid_outcomes.report.document import Paragraph
from opioid_outcomes.report.methods import methods
from opioid_outcomes.report.released import Released


def told(
    use: str = "time_varying", release: dict[str, Any] | None = None, costs: Sequence[str] = (), **changes: Any
) -> str:
    config = Config(**settings(**changes))
    about = {name: {"exposure": use, "costs": list(costs)} for name in config.cohorts}
    controls = {"profile": "cms11", "threshold": 11, "rounding": 5, "rule": "Small counts are not shown."} | (
        release or {}
    )
    blocks = methods(Released(config, {**controls, "cohorts": about}, {}, [], {})).blocks
    return " ".join(block.text for block in blocks if isinstance(block, Paragraph))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"population": {"min_diagnoses": 3, "diagnosis_window_days": 400}}, "3 recorded diagnoses of chronic pain"),
        ({"population": {"min_diagnoses": 3, "diagnosis_window_days": 400}}, "within 400 days"),
        ({"population": {"min_diagnoses": 1}}, "1 recorded diagnosis of chronic pain (code list `chronic_pain`)."),
        ({"population": {"lookback_days": 275}}, "275 days of uninterrupted observation"),
        ({"population": {"min_age": 65}}, "65 years of age"),
        ({"population": {"exclude": []}}, "Nobody is excluded"),
        ({"population": {"exclude": ["cancer"]}}, "a record of cancer before entry"),
        ({"population": {"max_followup_days": 1825}}, "1,825 days after entry"),
        ({"population": {"entry": "first_observation"}}, "no chronic pain diagnosis is asked for"),
        ({"exposure": {"carry_over_days": 14}}, "up to 14 days after the end of supply"),
        ({"exposure": {"stockpile_cap_days": 0}}, "what is left over is dropped"),
        ({"exposure": {"dose_bands": [50, 100]}}, "begin at 50 and 100 MME/day"),
        ({"exposure": {"gap_days": 45}}, "gaps of up to 45 days"),
        ({"covariates": {"baseline": ["age", "heart_failure"]}}, "are age and heart failure, taken"),
        ({"mortality": {"horizons_days": [90, 1000]}}, "at 90 and 1,000 days"),
        ({"hyperalgesia": {"escalation": {"min_rise": 0.3, "min_mme": 10}}}, "at least 30 % and at least 10 MME/day"),
        ({"hyperalgesia": {"windows_days": [(1, 60), (61, 120)]}}, "(1 to 60 and 61 to 120 days after the visit)"),
        ({"hyperalgesia": {"smallest_effect": 0.75}}, "point at least 0.75"),
        ({"hyperalgesia": {"step_mme": 15}}, "per 15 MME/day"),
        ({"quality": {"max_rejected_share": 0.05}}, "loses more than 5 % of its rows"),
        ({"synthesis": {"pool": False}}, "not pooled"),
        ({"covariates": {"baseline": ["age", "sex"]}}, "Estimates are crude and adjusted for age and sex. "),
        ({"covariates": {"baseline": ["age", "copd"]}}, "crude, adjusted for age and adjusted for all baseline"),
        ({"hyperalgesia": {"escalation": {"grace_days": 14}}}, "on the last day of grace (14 days after the visit)"),
        ({"hyperalgesia": {"escalation": {"stable_days": 60}}}, "stable for 60 days"),
    ],
)  # fmt: skip
def test_a_setting_is_told_in_its_own_numbers(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in told(**changes)
    assert sentence not in told()  # nor is it there by default, whatever the config says


def test_of_use_asked_once_nothing_is_said_about_doses() -> None:
    once = told(use="baseline")
    assert "asked at one interview only" in once
    assert "Daily dose is the sum" not in once
    assert "Daily dose is the sum" in told()


def test_analyses_that_were_not_asked_for_are_not_described() -> None:
    assert "Cox regression" in told()
    assert "Cox regression" not in told(mortality={"analyses": ["rate"]}, addiction={"analyses": []})


def test_of_use_asked_once_no_group_is_said_to_change_from_day_to_day() -> None:
    once = told(use="baseline")
    for phrase in ("as it changes day by day", "the group they are in on each day"):
        assert phrase in told()
        assert phrase not in once
    assert "as reported where it is known at one interview only" in once
    assert "as reported where" not in told()


def test_supply_in_hand_before_the_visit_and_the_dose_after_grace_define_the_trial() -> None:
    said = told()
    assert "in hand on the day before the visit" in said
    assert "above the dose before the visit, else maintained" in said
    assert "a known rise of this size on an earlier day of grace counts" in said


def test_gates_are_told_as_they_stand_in_the_estimators() -> None:
    assert hazard_ratio.FEWEST_DEATHS == 10
    assert "fewer than ten deaths behind it" in told()
    assert f"more than {100 * gates.MOST_UNOBSERVED:g} % of its deaths fall outside follow-up" in told()
    assert f"fewer than {escalation.FEWEST_PER_ARM} people in an arm" in told()
    assert f"nor per step below {escalation.LEAST_SEPARATION:g} MME/day of separation" in told()
    assert f"no gap above {visits.LONGEST_GAP} days" in told()
    assert f"within {100 * visits.STABLE_BAND:g} % of their mean" in told()


def test_without_disclosure_control_the_reason_is_given() -> None:
    open_door = told(release={"profile": "none", "threshold": 1, "rounding": 1, "reason": "public data"})
    assert "No disclosure control was applied. Reason given: public data." in open_door
    assert "No disclosure control" not in told()


def test_choices_are_not_said_to_have_been_fixed_beforehand() -> None:
    assert "the program cannot tell whether it was fixed before outcomes were seen" in told()


def test_reports_are_believed_only_where_use_is_followed_by_them() -> None:
    reports = pl.DataFrame({"person_id": ["a", "a"], "daily_mme": [None, 20.0]})
    fills = pl.DataFrame({"analgesic": []}, schema={"analgesic": pl.Int8()})
    _, costs = notes._about_source({"dispensings": pl.DataFrame(), "opioid_use": reports}, fills)
    valid = {"report_valid_days": 200}
    assert "use is self-reported; a report is believed for 200 days." in told(costs=costs, exposure=valid)
    assert "believed" not in told(exposure=valid)
    assert "believed" not in told(use="baseline", costs=costs, exposure=valid)


def test_methods_claim_no_role_for_the_seed_where_nothing_is_drawn() -> None:
    assert "Nothing is drawn at random but simulated cohorts and the starts of latent classes, from" in told()


def test_predictors_of_long_term_use_are_told_to_be_of_the_eve_of_starting_where_asked_for() -> None:
    assert "as known on the eve of starting" in told()
    assert "eve of starting" not in told(trajectories={"analyses": ["drift"]})
