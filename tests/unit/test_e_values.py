"""synthesis.e_values: which estimates get an E-value, and that it follows them everywhere."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from opioid_outcomes.contracts.estimates import INTERNAL, Estimate, frame
from opioid_outcomes.synthesis.e_values import e_value_rows


def estimates(**changes: Any) -> pl.DataFrame:
    row = {
        "analysis": "mortality.new_user", "method": "overlap", "population": "p", "outcome": "death",
        "contrast": "new user vs non user", "window": "0-365", "scale": "risk_ratio", "estimate": 3.9, "ci_low": 2.4,
        "ci_high": 8.7, "se": 0.3, "p_value": 0.01, "persons": 5000, "events": 200, "person_years": 900.0,
        "smallest_cell": 12,
    } | changes  # fmt: skip
    return frame([Estimate(**row)], study="s", cohort="c")


def test_a_risk_ratio_has_its_e_value_and_keeps_what_disclosure_needs() -> None:
    found = e_value_rows(estimates())
    assert dict(found.schema) == INTERNAL
    row = found.row(0, named=True)
    assert row["estimate"] == pytest.approx(7.263, abs=1e-3)
    assert row["ci_low"] == pytest.approx(4.233, abs=1e-3)
    assert (row["analysis"], row["scale"], row["gate"]) == ("mortality.e_value", "risk_ratio", "pass")
    assert (row["ci_high"], row["se"], row["p_value"]) == (None, None, None)
    kept = ("method", "outcome", "contrast", "window", "persons", "events", "smallest_cell", "cohort", "spec")
    assert [row[name] for name in kept] == [estimates()[name][0] for name in kept]


def test_a_hazard_ratio_is_a_risk_ratio_where_death_is_rare_and_turned_into_one_where_it_is_not() -> None:
    hazard = {"analysis": "mortality.current_use", "method": "adjusted_full", "scale": "log_hr", "window": ""}
    logs = {name: math.log(value) for name, value in (("estimate", 1.64), ("ci_low", 1.26), ("ci_high", 2.12))}
    rare = e_value_rows(estimates(**hazard, **logs)).row(0, named=True)
    assert (rare["estimate"], rare["ci_low"]) == pytest.approx((2.66, 1.83), abs=6e-3)
    assert "death is rare" in rare["note"]
    common = e_value_rows(estimates(**hazard, **logs, persons=1000)).row(0, named=True)
    assert common["estimate"] < rare["estimate"]
    assert "common outcomes" in common["note"]


def test_an_interval_that_holds_one_has_limit_one_and_protection_is_turned_over() -> None:
    assert e_value_rows(estimates(estimate=1.2, ci_low=0.9, ci_high=1.6))["ci_low"].to_list() == [1.0]
    turned = e_value_rows(estimates(estimate=1 / 3.9, ci_low=1 / 8.7, ci_high=1 / 2.4)).row(0, named=True)
    assert (turned["estimate"], turned["ci_low"]) == pytest.approx((7.263, 4.233), abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"gate": "fail: max |SMD| 0.2 (pain) is not under 0.1"},
        {"scale": "risk_difference"},
        {"analysis": "mortality.rate"},
        {"method": "crude"},
        {"method": "adjusted_complete_case"},
        {"method": "adjusted_full_lag_90"},
        {"estimate": 0.0, "ci_low": 0.0, "ci_high": 2.0},  # nobody died in one arm
        {"ci_low": None},
    ],
)
def test_what_has_none(changes: dict[str, Any]) -> None:
    assert e_value_rows(estimates(**changes))["estimate"].to_list() == [None]


def test_sensitivity_specifications_and_nothing_at_all_have_none() -> None:
    assert e_value_rows(estimates().with_columns(spec=pl.lit("gap_7")))["estimate"].to_list() == [None]
    assert dict(e_value_rows(estimates().clear()).schema) == INTERNAL


def test_a_cohort_without_a_ratio_that_passed_has_one_row_that_says_so() -> None:
    both = pl.concat([estimates(), estimates(gate="fail: x").with_columns(cohort=pl.lit("d"))])
    found = e_value_rows(both)
    assert found.select("cohort", "gate").rows() == [
        ("c", "pass"), ("d", "not evaluable: no adjusted ratio of death passed its gate"),
    ]  # fmt: skip


def test_no_two_rows_stand_under_one_name() -> None:
    ratio = estimates(window="0-730")
    hazard = estimates(window="0-730", scale="log_hr", estimate=0.5, ci_low=0.2, ci_high=0.8)
    found = e_value_rows(pl.concat([ratio, hazard]))
    assert found.height == 1
    assert "of the risk ratio" in found["note"].item()
