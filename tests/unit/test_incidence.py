"""survival.incidence against R survfit (tests/reference), by hand, by its own definition, and on known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival import incidence

REFERENCE = Path(__file__).parents[1] / "reference"
PEOPLE = pl.read_csv(REFERENCE / "trajectories_estimates" / "competing.csv")
ROWS = pl.read_csv(REFERENCE / "survival" / "incidence_rows.csv").with_columns(
    constant=pl.col("weight").first().over("id"),
    plain=pl.lit(1.0),
    clustered=pl.col("weight"),
    weighted=pl.col("weight"),
)
CURVES = pl.read_csv(REFERENCE / "survival" / "incidence_curves.csv")
HORIZONS = pl.read_csv(REFERENCE / "survival" / "incidence_horizons.csv", null_values="NA")
DAYS = [10, 30, 55, 80]


def of_rows(kind: str, rows: pl.DataFrame = ROWS) -> incidence.Incidence:
    cluster = rows["cluster" if kind == "clustered" else "id"]
    return incidence.fit(rows["start"], rows["stop"], rows["cause"], causes=3, weights=rows[kind], cluster=cluster)


def test_rows_with_delayed_entry_changing_weights_and_clusters_equal_survfit() -> None:
    for kind in ("plain", "constant", "weighted", "clustered"):
        ours, theirs = of_rows(kind), CURVES.filter(pl.col("kind") == kind)
        place = np.searchsorted(theirs["time"], ours.time)
        theirs = theirs[place]
        assert theirs["time"].to_list() == ours.time.tolist()
        exact = {"rtol": 1e-9, "atol": 1e-10}
        np.testing.assert_allclose(ours.incidence, theirs.select("risk_1", "risk_2", "risk_3"), **exact)
        np.testing.assert_allclose(ours.se, theirs.select("se_1", "se_2", "se_3"), **exact)
        np.testing.assert_allclose(ours.survival, theirs["surv"], **exact)
        np.testing.assert_allclose(ours.survival_se, theirs["surv_se"], **exact)


def test_horizons_with_their_covariance_and_mean_times_equal_survfit() -> None:
    for kind in ("plain", "constant", "weighted", "clustered"):
        ours, theirs = of_rows(kind), HORIZONS.filter(pl.col("kind") == kind)
        exact = {"rtol": 1e-9, "atol": 1e-10}
        covariance = ours.covariance(DAYS)
        np.testing.assert_allclose(ours.risk(DAYS).ravel(), theirs["risk"], **exact)
        np.testing.assert_allclose(np.sqrt(np.diagonal(covariance)), theirs["se"], **exact)
        if theirs["with_first"].null_count() == 0:
            np.testing.assert_allclose(covariance[0], theirs["with_first"], **exact)
        np.testing.assert_allclose(np.repeat(ours.rmst(DAYS), 3), theirs["rmst"], **exact)
        np.testing.assert_allclose(np.repeat(ours.rmst_se(DAYS), 3), theirs["rmst_se"], **exact)


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_people_followed_from_zero_equal_survfit(kind: str) -> None:
    curves = pl.read_csv(REFERENCE / "trajectories_estimates" / "aalen_johansen.csv")
    weights = PEOPLE["weight"] if kind == "weighted" else None
    ours = incidence.fit(0.0, PEOPLE["time"], PEOPLE["cause"], causes=3, weights=weights)
    for cause in (1, 2, 3):
        theirs = curves.filter((pl.col("kind") == kind) & (pl.col("cause") == cause))
        theirs = theirs[np.searchsorted(theirs["time"], ours.time)]
        assert theirs["time"].to_list() == ours.time.tolist()
        np.testing.assert_allclose(ours.incidence[:, cause - 1], theirs["incidence"], rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(ours.se[:, cause - 1], theirs["se"], rtol=1e-9, atol=1e-14)


def test_what_two_causes_leave_equals_survfit_with_its_influence() -> None:
    """Two causes as one have the sum of their incidences, and its error: so does the share with neither."""
    theirs = pl.read_csv(REFERENCE / "trajectories_estimates" / "neither.csv")
    ours = incidence.fit(0.0, PEOPLE["time"], np.choose(PEOPLE["cause"].to_numpy(), [0, 1, 2, 1]), causes=2)
    theirs = theirs[np.searchsorted(theirs["time"], ours.time)]
    np.testing.assert_allclose(1 - ours.incidence[:, 0], theirs["share"], rtol=1e-9)
    np.testing.assert_allclose(ours.se[:, 0], theirs["se"], rtol=1e-9, atol=1e-14)


def test_influence_is_the_derivative_by_the_weights() -> None:
    """Central differences of the curves themselves, weight by weight, summed within people."""
    base, step = of_rows("weighted"), 1e-5
    slopes, means = [], []
    for i in range(ROWS.height):
        up, down = (
            incidence.weighted(base.rows, base.weights + d * (np.arange(ROWS.height) == i)) for d in (step, -step)
        )
        slopes.append((up.risk(DAYS) - down.risk(DAYS)) / (2 * step))
        means.append((up.rmst(DAYS) - down.rmst(DAYS)) / (2 * step))
    np.testing.assert_allclose(base.unit_influence(DAYS), slopes, atol=1e-9)
    np.testing.assert_allclose(base.unit_rmst_influence(DAYS), means, atol=1e-7)
    people = [np.sum(base.weights[rows, None, None] * np.array(slopes)[rows], axis=0) for rows in by_person()]
    np.testing.assert_allclose(base.influence(DAYS), people, atol=1e-8)
    assert base.clusters.tolist() == sorted(set(ROWS["id"]))


def by_person() -> list[np.ndarray]:
    return [np.flatnonzero(ROWS["id"].to_numpy() == person) for person in sorted(set(ROWS["id"]))]


def test_cutting_rows_changes_nothing() -> None:
    """A row cut in two at the same weight is still one person: the same curves and errors."""
    early, late = ROWS.with_columns(stop=pl.col("start") + 1, cause=0), ROWS.with_columns(start=pl.col("start") + 1)
    cut = pl.concat([early, late], how="vertical_relaxed").filter(pl.col("stop") > pl.col("start"))
    one, two = of_rows("weighted"), of_rows("weighted", cut)
    np.testing.assert_allclose(one.incidence, two.incidence, rtol=1e-12)
    np.testing.assert_allclose(one.se, two.se, rtol=1e-9)
    np.testing.assert_allclose(one.rmst_influence(DAYS), two.rmst_influence(DAYS), atol=1e-12)


def test_the_curve_of_errors_without_influences_is_that_of_the_influences() -> None:
    """Every row its own cluster: sums by distinct times, with and without delayed entry, against all influences."""
    found = incidence.fit(ROWS["start"], ROWS["stop"], ROWS["cause"], causes=3, weights=ROWS["weight"])
    formed = found.influence(found.time)
    np.testing.assert_allclose(found.se, np.sqrt((formed**2).sum(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(found.survival_se, np.sqrt((formed.sum(axis=2) ** 2).sum(axis=0)), rtol=1e-9)


def test_errors_at_many_horizons_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidence, "BLOCK", 1000)
    days = np.r_[0, 1, DAYS, 500]
    for rows in (ROWS["id"], None):
        found = incidence.fit(
            ROWS["start"], ROWS["stop"], ROWS["cause"], causes=3, weights=ROWS["weight"], cluster=rows
        )
        formed = found.influence(days)
        np.testing.assert_allclose(found.risk_se(days), np.sqrt((formed**2).sum(axis=0)), rtol=1e-9, atol=1e-15)
        expected = np.sqrt((formed.sum(axis=2) ** 2).sum(axis=0))
        np.testing.assert_allclose(found.survival_se_at(days), expected, rtol=1e-9, atol=1e-15)
        assert np.isnan(found.survival_se_at(days)[-1])


def test_by_hand_with_a_tie_of_events_and_censoring() -> None:
    """4 at risk: at 1 one event; at 2 one of each cause and one censored, events first."""
    found = incidence.fit(0, [1, 2, 2, 2], [1, 1, 2, 0], causes=2)
    assert found.at_risk.tolist() == [4, 3]
    np.testing.assert_allclose(found.incidence, [[1 / 4, 0], [1 / 4 + 3 / 4 / 3, 3 / 4 / 3]])
    np.testing.assert_allclose(found.survival, [3 / 4, 1 / 4])
    np.testing.assert_allclose(found.rmst([0.5, 1.5, 2]), [0.5, 1 + 0.75 / 2, 1.75])


def test_who_enters_late_counts_from_then() -> None:
    """Two from 0, one dies at 2; two more from 2 (not at risk at 2), of three one dies at 5."""
    found = incidence.fit([0, 0, 2, 2], [2, 9, 5, 9], [1, 0, 1, 0], causes=1)
    assert found.at_risk.tolist() == [2, 3]
    np.testing.assert_allclose(found.survival, [1 / 2, 1 / 3])


def test_without_censoring_it_is_a_proportion_with_its_standard_error() -> None:
    found = incidence.fit(0.0, np.arange(1, 101), np.repeat([1, 2], [30, 70]), causes=2)
    np.testing.assert_allclose(found.risk(1000)[0], [0.3, 0.7])
    np.testing.assert_allclose(np.sqrt(np.diagonal(found.covariance(1000))), np.sqrt(0.3 * 0.7 / 100), rtol=1e-12)
    np.testing.assert_allclose(found.rmst(1000), 50.5)
    np.testing.assert_allclose(found.rmst_se(1000), np.std(np.arange(1, 101)) / 10)


def test_risks_and_survival_add_up_to_one() -> None:
    found = of_rows("weighted")
    np.testing.assert_allclose(found.incidence.sum(axis=1) + found.survival, 1, rtol=1e-12)


def test_a_weight_of_two_counts_as_two_people_and_one_of_zero_as_nobody() -> None:
    twice = incidence.fit(0, [3, 3, 5, 8], [1, 1, 0, 2], causes=2)
    heavy = incidence.fit(0, [3, 5, 8, 4], [1, 0, 2, 1], causes=2, weights=[2, 1, 1, 0])
    np.testing.assert_allclose(heavy.risk([3, 4, 8]), twice.risk([3, 4, 8]))
    assert heavy.influence(8)[3].tolist() == [[0, 0]]
    assert np.isfinite(heavy.se).all()


def test_weights_of_any_size_leave_nobody_behind() -> None:
    """The last risk set dies: survival is 0 exactly though the weights round, and errors stay finite."""
    rng = np.random.default_rng(2)
    found = incidence.fit(0, np.r_[rng.integers(1, 50, 500), 60, 60], 1 + rng.integers(0, 2, 502), causes=2,
                          weights=np.r_[rng.random(500) * 1e9, 0.1, 0.2])  # fmt: skip
    assert found.survival[-1] == 0
    assert found.survival_se[-1] == pytest.approx(0, abs=1e-9)
    assert np.isfinite(found.se).all()


def test_order_of_rows_hardly_changes_a_digit() -> None:
    order = np.random.default_rng(1).permutation(ROWS.height)
    one, other = of_rows("weighted"), of_rows("weighted", ROWS[order])
    np.testing.assert_allclose(one.se, other.se, rtol=1e-11)
    np.testing.assert_allclose(one.influence(DAYS), other.influence(DAYS), atol=1e-14)


def test_beyond_follow_up_nothing_is_known() -> None:
    found = incidence.fit(0, [5, 6, 9], [1, 0, 0], causes=1)
    assert found.followed_until == 9
    assert np.isnan(found.risk([9, 9.5])[:, 0]).tolist() == [False, True]
    for unknown in (found.rmst(10), found.survival_at(10), found.influence(10), found.rmst_influence(10)):
        assert np.isnan(unknown).all()


def test_nobody_one_person_and_nobody_with_an_event() -> None:
    assert np.isnan(incidence.fit([], [], [], causes=2).risk(10)).all()
    assert incidence.fit(0, [5], [2], causes=2).risk([5, 10]).tolist() == [[0, 1], [0, 1]]
    assert incidence.fit(0, [5], [2], causes=2).risk(4.9).tolist() == [[0, 0]]
    nothing = incidence.fit(0, [5, 6], [0, 0], causes=2)
    assert nothing.risk(6).tolist() == [[0, 0]]
    assert nothing.rmst([2, 6]).tolist() == [2, 6]
    assert not nothing.influence(6).any()
    assert nothing.se.shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "more", "why"),
    [
        (([0, 0], [1, 2], [0]), {}, "one length"),
        (([0, 0], [0, 2], [0, 1]), {}, "stop above start"),
        (([0, np.nan], [1, 2], [0, 1]), {}, "known"),
        (([0, 0], [1, 2], [0, 3]), {}, "0 \\(none\\) to 2"),
        (([0, 0], [1, 2], [0, 1]), {"weights": [1, -1]}, "at least 0"),
        (([0, 0], [1, 2], [0, 1]), {"cluster": [1]}, "as long as"),
    ],
)
def test_arguments_that_make_no_sense(arguments: tuple[Any, ...], more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        incidence.fit(*arguments, causes=2, **more)


def test_known_truth_which_one_minus_kaplan_meier_overstates() -> None:
    """Hazards .002 and .004 a day: by day 365, (1 - exp(-.006 x 365)) / 3 have the first event, not 1 - exp(-.73).

    Entry is delayed, up to day 100: leaving out who had the event before they entered must not bias the curve.
    """
    rng, n, reps = np.random.default_rng(20260101), 4000, 40
    truth = (1 - np.exp(-0.006 * 365)) / 3
    mean = (1 - np.exp(-0.006 * 365)) / 0.006
    estimates, errors, naive, means, mean_errors = [], [], [], [], []
    for _ in range(reps):
        event, left = rng.exponential(1 / 0.006, n), rng.uniform(100, 900, n)
        entry = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(0, 100, n))
        kind = np.where(event <= left, rng.choice([1, 2], n, p=[1 / 3, 2 / 3]), 0)
        ends, seen = np.minimum(event, left), event > entry
        found = incidence.fit(entry[seen], ends[seen], kind[seen], causes=2)
        estimates.append(found.risk(365)[0, 0])
        errors.append(np.sqrt(found.covariance(365)[0, 0]))
        means.append(found.rmst(365)[0])
        mean_errors.append(found.rmst_se(365)[0])
        naive.append(incidence.fit(entry[seen], ends[seen], kind[seen] == 1, causes=1).risk(365)[0, 0])
    for found_values, known, se in ((estimates, truth, errors), (means, mean, mean_errors)):
        spread = np.std(found_values, ddof=1)
        assert abs(np.mean(found_values) - known) < 3 * spread / np.sqrt(reps)
        assert np.mean(se) == pytest.approx(spread, rel=0.3)
    assert np.mean(naive) > truth + 0.1
