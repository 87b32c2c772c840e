"""survival.person_bootstrap: whole people, whole numbers, whatever the order of the rows."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.survival import incidence
from opioid_outcomes.survival.person_bootstrap import persons

PERSON = np.array([30, 10, 10, 20, 30, 30, 40])


def test_rows_of_a_person_are_drawn_together_and_as_many_as_there_are() -> None:
    for replicate in range(20):
        weights = persons(PERSON).weights(replicate, seed=5)
        assert weights[1] == weights[2]
        assert weights[0] == weights[4] == weights[5]
        assert weights[[0, 1, 3, 6]].sum() == 4
        assert (weights == weights.round()).all()


def test_order_of_rows_and_kind_of_id_change_nothing() -> None:
    order = np.array([6, 2, 0, 5, 3, 1, 4])
    weights = persons(PERSON).weights(3, seed=9)
    assert persons(PERSON[order]).weights(3, seed=9).tolist() == weights[order].tolist()
    assert persons(PERSON.astype(str)).weights(3, seed=9).tolist() == weights.tolist()


def test_replicates_and_seeds_differ_and_repeat() -> None:
    many = persons(np.arange(1000))
    assert many.draw(0, 1).tolist() == many.draw(0, 1).tolist()
    assert many.draw(0, 1).tolist() != many.draw(1, 1).tolist()
    assert many.draw(0, 1).tolist() != many.draw(0, 2).tolist()


def test_draws_are_multinomial() -> None:
    """Mean 1 and variance 1 - 1/n of each person's weight, covariance -1/n between two."""
    drawn = np.array([persons(np.arange(5)).draw(replicate, 2) for replicate in range(20_000)])
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.03)
    expected = np.where(np.eye(5) == 1, 1 - 1 / 5, -1 / 5)
    np.testing.assert_allclose(np.cov(drawn, rowvar=False), expected, atol=0.04)


def test_its_spread_is_the_error_of_a_curve_with_clusters() -> None:
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(300), 2)
    time = rng.exponential(50, 300)[person]  # both rows of a person end alike
    found = incidence.fit(0, time, np.ones(600), causes=1, cluster=person)
    drawn = persons(person)
    spread = np.std([incidence.weighted(found.rows, drawn.weights(b, 1)).risk(40)[0, 0] for b in range(400)])
    robust = float(np.sqrt(found.covariance(40)[0, 0]))
    naive = float(np.sqrt(incidence.fit(0, time, np.ones(600), causes=1).covariance(40)[0, 0]))
    assert abs(spread / robust - 1) < 0.1
    assert spread / naive > 1.3
