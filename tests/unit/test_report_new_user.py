"""What the report says of new users, of strategies kept up, of causes and of designs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from report_mortality import UNBALANCED, estimates, refused, study

from opioid_outcomes.report import (
    cause_section,
    designs_section,
    mortality_words,
    new_user_charts,
    new_user_section,
    opening,
    strategies_section,
    trials_section,
)
from opioid_outcomes.report.document import Figure, Section, Table
from opioid_outcomes.report.released import Released


@pytest.fixture(scope="module")
def released() -> Released:
    return study()


def tables(section: Section | None) -> dict[str, Table]:
    assert section is not None
    return {block.name: block for block in section.blocks if isinstance(block, Table)}


def figures(section: Section | None) -> dict[str, Figure]:
    assert section is not None
    return {block.name: block for block in section.blocks if isinstance(block, Figure)}


def words(section: Section | None) -> str:
    assert section is not None
    parts: list[str] = []
    for block in section.blocks:
        parts += [getattr(block, "text", ""), *getattr(block, "items", ()), getattr(block, "caption", "")]
    return " ".join(str(part) for part in parts)


def test_the_first_page_leads_with_the_primary_estimate_absolute_beside_relative(released: Released) -> None:
    section = opening.key_numbers(released)
    first = section.blocks[0]
    assert isinstance(first, Table)
    assert first.name == "key_primary"
    assert first.rows[1] == (
        "against non-users", "5.00 %", "4.00 %", "1.00 (0.00 to 2.00)", "1.25 (0.95 to 1.55)", "1.50 (0.50 to 2.50)",
        "2,400 / 120",
    )  # fmt: skip
    assert "within a year" in first.caption
    assert "overlap population (ATO)" in first.caption


def test_a_failed_gate_is_told_on_the_first_page_and_not_a_comparator_that_nobody_takes(released: Released) -> None:
    told = words(opening.key_numbers(released))
    assert "clinic, against an NSAID (365 days): withheld because max |SMD| 0.14 (pain) is not under 0.1." in told
    assert "gabapentinoid" not in str(opening.key_numbers(released).blocks[0])


def test_the_scope_says_what_the_primary_analysis_can_say_and_that_the_verdict_is_absent(released: Released) -> None:
    told = words(opening.scope(released))
    assert "the primary analysis of mortality, declared beforehand" in told
    assert "`hyperalgesia.verdict`" in told
    assert "could not be estimated or may not be shown" not in told


def test_without_a_primary_estimate_the_scope_and_the_key_numbers_say_so() -> None:
    bare = study(estimates=refused(UNBALANCED), displays={})
    assert "Whether starting opioids changes mortality" in words(opening.scope(bare))
    assert "The primary estimate (risk difference at 365 days) may not be shown" in words(opening.key_numbers(bare))


def test_the_table_has_intention_to_treat_as_treated_and_crude_side_by_side(released: Released) -> None:
    rows = tables(new_user_section.new_user(released))["new_user_risks"].rows
    assert [row[0] for row in rows[:4]] == [
        "clinic, against non-users", "intention to treat", "as treated", "crude",
    ]  # fmt: skip
    assert rows[1][1:] == (
        "5.00 %", "4.00 %", "1.00 (0.00 to 2.00)", "1.25 (0.95 to 1.55)", "−3.0 (−4.5 to −1.5)", "2,400 / 120",
    )  # fmt: skip
    assert rows[3][1] == "7.00 %"
    assert rows[5][1:4] == ("–", "–", "failed a gate")


def test_horizons_hold_only_what_may_be_shown(released: Released) -> None:
    rows = tables(new_user_section.new_user(released))["new_user_horizons"].rows
    assert [row[0] for row in rows] == ["clinic, against non-users", "365 days", "1,825 days"]
    assert rows[2][1:3] == ("20.00 %", "16.00 %")


def test_risks_of_the_arms_are_those_that_difference_and_ratio_imply() -> None:
    made = {"cohort": "clinic", "estimate": 0.01}, {"cohort": "clinic", "estimate": 1.25}
    assert mortality_words.risks_by_arm(*made) == pytest.approx((0.05, 0.04))
    same = {"cohort": "clinic", "estimate": 0.0}, {"cohort": "clinic", "estimate": 1.0}
    assert mortality_words.risks_by_arm(*same) == (None, None)
    pooled = {"cohort": "pooled", "estimate": 0.01}, {"cohort": "pooled", "estimate": 1.25}
    assert mortality_words.risks_by_arm(*pooled) == (None, None)


def test_figures_of_new_users_say_what_they_show(released: Released) -> None:
    drawn = figures(new_user_section.new_user(released))
    assert set(drawn) == {"new_user_contrasts", "new_user_survival", "new_user_balance"}
    assert "clinic: against non-users, 1.00 (0.00 to 2.00)" in drawn["new_user_contrasts"].alt
    assert "new users 95.0 %" in drawn["new_user_survival"].alt
    assert "largest before 0.40 (age), after 0.08 (age squared)" in drawn["new_user_balance"].alt


def test_love_plots_hold_the_largest_of_what_was_left_out(released: Released) -> None:
    shown = new_user_charts.chosen(released.displays["new_user_balance"])
    assert [row["covariate"] for row in shown] == [
        "age", "sex=M", "age squared", "age x thing_9", "age x thing_8", "age x thing_7",
    ]  # fmt: skip


def test_missing_values_are_told_by_arm_where_there_are_any(released: Released) -> None:
    rows = tables(new_user_section.new_user(released))["missing_by_arm"].rows
    assert rows == (("clinic, against non-users",), ("pain", "90 of 900 (10.0 %)", "90 of 900 (10.0 %)"))


def test_the_weighted_ratio_stands_beside_the_conditional_one(released: Released) -> None:
    shown = tables(strategies_section.strategies(released))
    assert shown["msm_hazards"].rows == (
        ("clinic", "days 0 to 365", "1.50 (1.23 to 1.83)", "1.20 (0.98 to 1.47)", "2,400", "120"),
    )  # fmt: skip
    assert shown["msm_risks"].rows[1][:3] == ("365 days", "8.00 %", "5.00 %")


def test_a_ratio_that_may_not_be_told_is_not_told_with_weights_cut(released: Released) -> None:
    rows = tables(strategies_section.strategies(released))["msm_truncation"].rows
    assert [row[-1] for row in rows[1:]] == ["1.50 (1.23 to 1.82)", "–"]


def test_strategies_that_fail_are_named_with_what_failed(released: Released) -> None:
    section = strategies_section.strategies(released)
    told = "clinic, taper vs maintain (365 days): withheld because effective number of people who follow 'taper'"
    assert told in words(section)
    assert tables(section)["sustained_risks"].rows[0] == ("start and stay vs never, clinic (weighted)",)


def test_causes_add_up_and_the_unknown_ones_bound_the_share_of_overdose(released: Released) -> None:
    section = cause_section.causes(released)
    rows = {row[0]: row[1:] for row in tables(section)["cause_table"].rows}
    assert rows["opioid overdose"] == ("1.5 %", "1.0 %", "0.50 (0.30 to 0.70)", "50.0 (40.0 to 60.0)", "40")
    assert rows[cause_section.SUM][2:] == ("1.00", "100.0", "120")
    assert "would lie from 40 % to 65 %" in words(section)


def test_pooled_shares_are_told_beside_those_of_the_cohorts() -> None:
    rows = estimates()
    shares = [row | {"cohort": "pooled"} for row in rows if row["analysis"] == "mortality.overdose_share"]
    assert "Shares of the cohorts pooled" not in words(cause_section.causes(study(estimates=rows)))
    told = words(cause_section.causes(study(estimates=rows + shares)))
    assert "against non-users: cancer 20.0 (10.0 to 30.0) %; other 30.0 (20.0 to 40.0) %; opioid overdose 50.0" in told


def test_no_sum_is_told_where_a_cause_is_withheld() -> None:
    hidden: dict[str, Any] = {
        "estimate": None,
        "ci_low": None,
        "gate": "not evaluable: withheld: 1 to 10 people or deaths",
    }
    rows = [row | (hidden if row["outcome"] == "death:cancer" else {}) for row in estimates()]
    found = {row[0]: row[1:] for row in tables(cause_section.causes(study(estimates=rows)))["cause_table"].rows}
    assert found[cause_section.SUM][2] == "a cause is withheld"
    assert found["cancer"][2] == "withheld"


def test_designs_stand_side_by_side_and_the_trap_only_where_the_truth_is_known(released: Released) -> None:
    drawn = figures(designs_section.designs(released))["designs"]
    assert "clinic: ever against never, from entry (wrong), 0.70 (0.63 to 0.77)" in drawn.alt
    assert "clinic: new users, 1.25 (0.95 to 1.55)" in drawn.alt
    real = designs_section.designs(study(simulated=False))
    assert "ever against never" not in figures(real)["designs"].alt
    assert "trap" not in words(real)


def test_target_trials_are_printed_item_by_item(released: Released) -> None:
    assert trials_section.target_trials(released) is None
    described = replace(released, trials=[{"trial": "new users", "item": "eligibility", "text": "adults"}])
    assert tables(trials_section.target_trials(described))["target_trials"].rows == (
        ("new users",), ("eligibility", "adults"),
    )  # fmt: skip
