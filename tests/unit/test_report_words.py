"""How numbers read in the report."""

from __future__ import annotations

import math

import pytest

from opioid_outcomes.contracts.estimates import SCALES
from opioid_outcomes.report.words import counts, interval, listed, number, percent, plural, scales


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [
        (1234567, 0, "1,234,567"),
        (-0.354, 2, "−0.35"),
        (-0.004, 2, "0.00"),  # no minus before a zero
        (0, 0, "0"),
        (None, 2, "–"),
        (math.nan, 2, "–"),
    ],
)
def test_numbers_read_as_people_write_them(value: float | None, digits: int, told: str) -> None:
    assert number(value, digits) == told


def test_a_logarithm_is_printed_as_the_ratio_it_stands_for() -> None:
    row = {"estimate": math.log(1.58), "ci_low": math.log(1.31), "ci_high": math.log(1.9)}
    assert interval(row, scales(20)["log_hr"]) == "1.58 (1.31 to 1.90)"


def test_a_difference_is_printed_as_it_is_and_a_risk_in_percentage_points() -> None:
    row = {"estimate": -0.35, "ci_low": -0.53, "ci_high": 0.17}
    assert interval(row, scales(20)["mean_difference"]) == "−0.35 (−0.53 to 0.17)"
    assert interval(row, scales(20)["risk_difference"]) == "−35.00 (−53.00 to 17.00)"


def test_an_estimate_without_limits_has_none_and_a_withheld_one_is_a_dash() -> None:
    scale = scales(20)["rate_per_1000py"]
    assert interval({"estimate": 12.34, "ci_low": None, "ci_high": None}, scale) == "12.3"
    assert interval({"estimate": None, "ci_low": None, "ci_high": None}, scale) == "–"


def test_every_scale_of_the_contract_has_words() -> None:
    assert set(scales(20)) == set(SCALES)


def test_the_dose_step_is_named_with_the_study_s_own_size() -> None:
    assert scales(15)["mean_difference_per_step"].unit == "points per +15 MME/day"


def test_a_hidden_count_reads_below_the_threshold_and_zero_stays_zero() -> None:
    row = {"persons_kept": 4510, "persons_dropped": None, "suppressed": 1}
    shown = counts(row, ("persons_kept", "persons_dropped"), 11)
    assert shown == {"persons_kept": "4,510", "persons_dropped": "withheld"}
    assert counts({"rows": 0}, ("rows",), 11) == {"rows": "0"}


def test_without_disclosure_control_a_missing_count_is_merely_missing() -> None:
    assert counts({"rows": None}, ("rows",), 1) == {"rows": "–"}


def test_lists_and_plurals() -> None:
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"], "or")] == [
        "",
        "a",
        "a and b",
        "a, b or c",
    ]
    assert [plural(1, "day"), plural(0, "day"), plural(2, "diagnosis", "diagnoses")] == [
        "1 day",
        "0 days",
        "2 diagnoses",
    ]


def test_percent() -> None:
    assert [percent(0.1234), percent(None)] == ["12.3 %", "–"]
