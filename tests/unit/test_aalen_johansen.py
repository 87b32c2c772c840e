"""survival.aalen_johansen against R survfit (tests/reference/trajectories_estimates), by hand, and on known truth."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival.aalen_johansen import cumulative_incidence

REFERENCE = Path(__file__).parents[1] / "reference" / "trajectories_estimates"
PEOPLE = pl.read_csv(REFERENCE / "competing.csv")
CURVES = pl.read_csv(REFERENCE / "aalen_johansen.csv")


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_incidence_and_standard_error_equal_survfit(kind: str) -> None:
    weights = PEOPLE["weight"] if kind == "weighted" else None
    ours = cumulative_incidence(PEOPLE["time"], PEOPLE["cause"], causes=3, weights=weights)
    for cause in (1, 2, 3):
        theirs = CURVES.filter((pl.col("kind") == kind) & (pl.col("cause") == cause))
        assert ours.time.tolist() == theirs["time"].to_list()
        np.testing.assert_allclose(ours.incidence[:, cause - 1], theirs["incidence"], rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(ours.se[:, cause - 1], theirs["se"], rtol=1e-9, atol=1e-14)


def test_what_two_causes_leave_equals_survfit_with_its_influence() -> None:
    """Two causes as one have the sum of their incidences, and its error: so does the share with neither."""
    theirs = pl.read_csv(REFERENCE / "neither.csv")
    ours = cumulative_incidence(PEOPLE["time"], np.choose(PEOPLE["cause"].to_numpy(), [0, 1, 2, 1]), causes=2)
    assert ours.time.tolist() == theirs["time"].to_list()
    np.testing.assert_allclose(1 - ours.incidence[:, 0], theirs["share"], rtol=1e-9)
    np.testing.assert_allclose(ours.se[:, 0], theirs["se"], rtol=1e-9, atol=1e-14)


def test_by_hand_with_a_tie_of_events_and_censoring() -> None:
    """4 at risk: at 1 one event; at 2 one of each cause and one censored, events first."""
    found = cumulative_incidence([1, 2, 2, 2], [1, 1, 2, 0], causes=2)
    assert found.at_risk.tolist() == [4, 3]
    np.testing.assert_allclose(found.incidence, [[1 / 4, 0], [1 / 4 + 3 / 4 / 3, 3 / 4 / 3]])
    np.testing.assert_allclose(found.survival, [3 / 4, 1 / 4])


def test_without_censoring_it_is_a_proportion_with_its_standard_error() -> None:
    cause = np.repeat([1, 2], [30, 70])
    found = cumulative_incidence(np.arange(1, 101), cause, causes=2)
    share, se = found.at(1000)
    np.testing.assert_allclose(share, [0.3, 0.7])
    np.testing.assert_allclose(se, np.sqrt(0.3 * 0.7 / 100), rtol=1e-12)


def test_shares_and_survival_add_up_to_one() -> None:
    found = cumulative_incidence(PEOPLE["time"], PEOPLE["cause"], causes=3, weights=PEOPLE["weight"])
    np.testing.assert_allclose(found.incidence.sum(axis=1) + found.survival, 1, rtol=1e-12)


def test_a_weight_of_two_counts_as_two_people_in_the_curve() -> None:
    twice = cumulative_incidence([3, 3, 5, 8], [1, 1, 0, 2], causes=2)
    weighted = cumulative_incidence([3, 5, 8], [1, 0, 2], causes=2, weights=[2, 1, 1])
    np.testing.assert_allclose(weighted.incidence, twice.incidence)


def test_order_of_rows_changes_nothing() -> None:
    order = np.random.default_rng(1).permutation(PEOPLE.height)
    one = cumulative_incidence(PEOPLE["time"], PEOPLE["cause"], causes=3)
    other = cumulative_incidence(PEOPLE["time"].to_numpy()[order], PEOPLE["cause"].to_numpy()[order], causes=3)
    assert (one.se == other.se).all()


def test_nobody_one_person_and_nobody_with_an_event() -> None:
    assert cumulative_incidence([], [], causes=2).at(10)[0].tolist() == [0, 0]
    assert cumulative_incidence([5], [2], causes=2).at(5)[0].tolist() == [0, 1]
    assert cumulative_incidence([5], [2], causes=2).at(4.9)[0].tolist() == [0, 0]
    nothing = cumulative_incidence([5, 6], [0, 0], causes=2)
    assert not nothing.incidence.any()
    assert not nothing.se.any()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (([1, 2], [0], {}), "one length"),
        (([0, 2], [0, 1], {}), "above 0"),
        (([1, 2], [0, 3], {}), "0 \\(censored\\) to 2"),
        (([1, 2], [0, 1], {"weights": [1, -1]}), "at least 0"),
    ],
)
def test_arguments_that_make_no_sense(arguments: tuple[list[int], list[int], dict[str, list[int]]], why: str) -> None:
    times, cause, more = arguments
    with pytest.raises(ValueError, match=why):
        cumulative_incidence(times, cause, causes=2, **more)


def test_known_truth_which_one_minus_kaplan_meier_overstates() -> None:
    """Hazards .002 and .004 a day: by day 365, (1 - exp(-.006 x 365)) / 3 have the first event, not 1 - exp(-.73)."""
    rng, n, reps = np.random.default_rng(20260101), 4000, 40
    truth = (1 - np.exp(-0.006 * 365)) / 3
    estimates, errors, naive = [], [], []
    for _ in range(reps):
        event, left = rng.exponential(1 / 0.006, n), rng.uniform(100, 900, n)
        cause = np.where(event <= left, rng.choice([1, 2], n, p=[1 / 3, 2 / 3]), 0)
        ends = np.minimum(event, left)
        share, se = cumulative_incidence(ends, cause, causes=2).at(365)
        estimates.append(share[0])
        errors.append(se[0])
        naive.append(cumulative_incidence(ends, cause == 1, causes=1).at(365)[0][0])
    spread = np.std(estimates, ddof=1)
    assert abs(np.mean(estimates) - truth) < 3 * spread / np.sqrt(reps)
    assert np.mean(errors) == pytest.approx(spread, rel=0.3)
    assert np.mean(naive) > truth + 0.1


def test_a_million_people_take_about_a_second() -> None:
    """Counted by day: 0.15 s when measured; the bound is loose, as other work shares the machine."""
    rng = np.random.default_rng(1)
    days, cause = rng.integers(1, 3650, 10**6), rng.integers(0, 4, 10**6)
    begin = time.perf_counter()
    cumulative_incidence(days, cause, causes=3)
    assert time.perf_counter() - begin < 3
