"""mortality.sustained: what the gates withhold, and what they name."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal import clone_censor
from opioid_outcomes.causal.clone_censor import Strategy
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import sustained
from opioid_outcomes.mortality.sustained import Choices, Covariates, Result, Sample
from opioid_outcomes.mortality.sustained_strategies import Question
from opioid_outcomes.survival.design_matrix import Design

INF, PEOPLE, GRACE = np.inf, 2000, 90
HORIZONS = (180,)
WITHHELD = "not evaluable: fewer than ten deaths of people who follow one of the strategies alone"


def answer(*, x: np.ndarray | None = None, at_zero: np.ndarray | None = None, **changes: np.ndarray) -> Result:
    """Two thousand people, half of whom begin on days 0 to 89; a tenth dies, on any day of 200, of whatever they do."""
    place = np.arange(PEOPLE)
    begins = np.where(place % 2 == 0, (place // 2) % GRACE, INF).astype(float)
    dies = place % 10 == 5
    dies |= place % 20 == 6
    of = {"begins": begins, "dies": dies, "time": np.where(dies, 1.0 + (place * 7) % 200, 200.0)} | changes
    of["begins"] = np.where(of["begins"] < of["time"], of["begins"], INF)
    people = pl.DataFrame(
        {"person_id": place, "zero": 0, "since": 0, "time": of["time"].astype(int), "death": of["dies"].astype(int)}
    ).with_columns(lost=pl.lit(value=False), many=pl.lit(1.0))
    strategies = (
        Strategy("start and stay", np.full(PEOPLE, INF), begins=of["begins"], grace=GRACE),
        Strategy("never", of["begins"]),
    )
    question = Question(
        "start and stay vs never", "people", "start: within 90 days", people, strategies, place, cast("Any", None)
    )
    grid = clone_censor.grid(of["time"], of["dies"].astype(int), sustained.edges(HORIZONS, GRACE))
    own = np.zeros(PEOPLE) + (place % 3 == 0) if x is None else x
    first = own if at_zero is None else at_zero
    made = [
        Design(values.astype(float)[:, None], ("frailty=high",), np.ones(len(values), bool), ())
        for values in (own[grid.person], first)
    ]
    sample = Sample(np.ones(PEOPLE), place)
    return sustained.sustained(question, grid, Covariates(made[0], made[1]), Choices(HORIZONS), sample)


def gates(result: Result, method: str) -> set[str]:
    return {row.gate for row in result.rows if row.method == method}


def test_it_passes_where_nothing_forbids() -> None:
    result = answer()
    assert gates(result, "ipw") == gates(result, "crude") == {"pass"}
    assert "leave no choice" not in str(result.rows[0].note)


def test_deaths_in_one_group_only_are_no_contrast() -> None:
    """However many die before they begin: those deaths are of both groups."""
    place = np.arange(PEOPLE)
    late = np.where(place % 2 == 0, 60.0 + place % 30, INF)
    dies = (place % 2 == 1) & (place % 5 == 0) | (place % 20 == 6)
    time = np.where(dies, np.where(place % 2 == 0, 40.0, 1.0 + (place * 7) % 200), 200.0)
    result = answer(begins=late, dies=dies, time=time)
    assert gates(result, "ipw") == gates(result, "crude") == {"not evaluable: deaths in one group only"}
    assert result.rows[0].events == dies[time <= 180].sum()


def test_deaths_that_both_strategies_share_do_not_tell_them_apart() -> None:
    """Two hundred die before they begin or grace ends, and then five of those who have begun; or fifteen."""
    place = np.arange(PEOPLE)
    for after, expected in ((5, WITHHELD), (15, "pass")):
        begun, others = (place % 2 == 0) & (place < 2 * after), (place % 2 == 1) & (place % 10 == 5)
        time = np.where(begun, 150.0, np.where(others, 1.0 + (place * 7) % 80, 200.0))
        result = answer(dies=begun | others, time=time)
        assert gates(result, "ipw") == gates(result, "crude") == {expected}
        assert result.rows[0].events == 200 + after


def test_fewer_than_ten_deaths_of_those_who_follow_are_none() -> None:
    """Fifty more die after they have left both strategies."""
    place = np.arange(PEOPLE)
    dies = place < 59
    begins = np.where(place < 50, 100.0, np.where(place % 2 == 0, place % GRACE, INF)).astype(float)
    result = answer(begins=begins, dies=dies, time=np.where(dies, 150.0, 200.0))
    assert gates(result, "ipw") == {"not evaluable: fewer than ten deaths of people who follow either strategy"}
    assert result.rows[0].events == 9


def test_a_covariate_that_tells_who_begins_is_named() -> None:
    place = np.arange(PEOPLE)
    result = answer(x=(place % 2 == 0).astype(float))
    note = str(result.rows[0].note)
    assert "some values of frailty leave no choice" in note
    assert all("frailty" in gate for gate in gates(result, "ipw"))
    assert gates(result, "crude") == gates(result, "ipw")


def test_a_difference_that_does_not_exist_does_not_pass() -> None:
    """Weights are by what says nothing; at time zero the groups differ in something that varies in neither."""
    place = np.arange(PEOPLE)
    begins = np.where(place % 2 == 0, 0.0, INF)
    dies = place % 7 == 0
    time = np.where(dies, 100.0 + place % 100, 200.0)
    result = answer(begins=begins, dies=dies, time=time, at_zero=(place % 2 == 0).astype(float))
    expected = {"fail: no standardised difference exists of a covariate (frailty)"}
    assert gates(result, "ipw") == gates(result, "crude") == expected


def row(method: str, window: str, gate: str) -> Estimate:
    return Estimate(
        analysis="mortality.sustained", method=method, population="", outcome="death", contrast="taper vs maintain",
        scale="risk_difference", window=window, estimate=0.01, gate=gate,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("weighted", "own", "told"),
    [
        ("fail: max |SMD| 0.2 (age) is not under 0.1", "pass", "fail: max |SMD| 0.2 (age) is not under 0.1"),
        ("pass", "pass", "pass"),
        ("pass", "not evaluable: its standard error is 0", "not evaluable: its standard error is 0"),
        ("fail: why", "not evaluable: other", "not evaluable: other"),
    ],
)
def test_crude_rows_are_withheld_with_the_weighted_ones_of_their_horizon(weighted: str, own: str, told: str) -> None:
    rows = [row("ipw", "0-90", weighted), row("ipw", "0-180", "pass"), row("crude", "0-90", own)]
    rows.append(row("crude", "0-180", "pass"))
    found = sustained.alike_withheld(rows)
    assert [each.gate for each in found] == [weighted, "pass", told, "pass"]
