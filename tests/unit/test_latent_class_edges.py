"""Latent classes at their edges: no people, no noise, constant doses, curves that are no curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from opioid_outcomes.trajectories.latent_class import NoFit, fit, observe
from opioid_outcomes.trajectories.selection import select

PERSON, TIME = np.repeat(np.arange(6), 4), np.tile(np.arange(4.0), 6)
NOISE = np.random.default_rng(2).normal(size=24)


@pytest.mark.parametrize(
    ("y", "times", "message"),
    [
        (np.full(24, np.nan), TIME, "every value is missing"),
        (np.zeros(0), np.zeros(0), "differ in length"),
        (np.full(24, 3.3), TIME, "every value is the same"),
        (np.where(np.arange(24) == 5, np.inf, NOISE), TIME, "not finite"),
        (NOISE, np.where(np.arange(24) == 5, np.nan, TIME), "not finite"),
        (NOISE, np.minimum(TIME, 1), "needs 3 distinct times, there are 2"),
    ],
)
def test_what_cannot_be_curves_is_said(y: Any, times: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        observe(PERSON, times, y)


def test_no_rows_at_all() -> None:
    with pytest.raises(ValueError, match="every value is missing"):
        observe(np.zeros(0), np.zeros(0), np.zeros(0))


def test_fewer_persons_than_classes() -> None:
    curves = observe(PERSON, TIME, NOISE)
    with pytest.raises(NoFit, match="fewer persons than classes"):
        fit(curves, 7)
    with pytest.raises(ValueError, match="at least 1"):
        fit(curves, 0)


def test_curves_without_noise_are_told_apart_at_the_floor_of_the_variance() -> None:
    """Each class fits exactly: the likelihood has no bound unless the variance has one."""
    y = np.where(PERSON < 3, 1.0, 2.0) + 0.1 * TIME
    found = fit(observe(PERSON, TIME, y), 2, least_sigma=0.1)
    assert found.sizes.tolist() == [3, 3]
    assert found.at_floor.all()
    np.testing.assert_allclose(found.sigma, 0.1 * y.std(), rtol=1e-9)
    np.testing.assert_allclose(found.curve([0, 3]), [[1.0, 1.3], [2.0, 2.3]], atol=1e-9)
    constant = np.log(2 * np.pi * (0.1 * y.std()) ** 2)  # residuals are 0
    assert found.loglik == pytest.approx(-12 * constant + 6 * np.log(0.5), abs=1e-6)
    one_line = fit(observe(PERSON, TIME, TIME), 1)
    assert one_line.at_floor.all()
    np.testing.assert_allclose(one_line.curve(TIME[:4]), [TIME[:4]], atol=1e-9)


def constant_and_noisy(constant: int = 120) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """People always on 30 MME, and 80 on about 60: person, month, log(1 + MME/day)."""
    noisy = 60 + 10 * np.random.default_rng(1).normal(size=(80, 24))
    y = np.log1p(np.concatenate([np.full((constant, 24), 30.0), noisy]))
    return np.repeat(np.arange(len(y)), 24), np.tile(np.arange(24.0), len(y)), y.ravel()


def test_people_on_one_constant_dose_are_a_class() -> None:
    """The other class is the least-squares curve of the others, as if the people on 30 MME were not there."""
    person, month, y = constant_and_noisy()
    candidates = select(observe(person, month, y), 3, seed=1)
    assert [each.why for each in candidates[:2]] == ["BIC is larger than with 2", "chosen; variance at its floor"]
    assert candidates[2].why == "BIC is larger than with 2; variance at its floor"
    found = candidates[1].fit
    assert found is not None
    assert found.members.tolist() == [0] * 120 + [1] * 80
    assert found.at_floor.tolist() == [True, False]
    np.testing.assert_allclose(found.curve(np.arange(24.0))[0], np.log(31), atol=1e-9)
    others = fit(observe(person[120 * 24 :], month[120 * 24 :], y[120 * 24 :]), 1)
    np.testing.assert_allclose(found.curve(np.arange(24.0))[1], others.curve(np.arange(24.0))[0], atol=1e-9)
    assert found.sigma[1] == pytest.approx(others.sigma[0], rel=1e-9)
    # the variance of the first is held: its limits are those of people who do not differ, the other's as alone
    np.testing.assert_allclose(found.standard_error([0.0, 12.0])[0], 0, atol=1e-9)
    np.testing.assert_allclose(found.standard_error([12.0])[1], others.standard_error([12.0])[0], rtol=1e-6)


def test_two_people_on_one_dose_are_no_class() -> None:
    """They fit exactly, so that BIC wants them; 11 people do make a class."""
    few = select(observe(*constant_and_noisy(2)), 2, seed=1)
    assert [each.chosen for each in few] == [True, False]
    assert few[1].why == "a class holds fewer than 11 persons; variance at its floor"
    assert few[0].fit is not None
    assert few[1].fit is not None
    assert few[1].fit.bic < few[0].fit.bic
    assert select(observe(*constant_and_noisy(10)), 2, seed=1)[0].chosen
    assert select(observe(*constant_and_noisy(11)), 2, seed=1)[1].chosen


def test_a_few_equal_people_do_not_hide_the_classes_of_the_others() -> None:
    """Ten people of 600 with one constant dose: a spike of them has the largest likelihood of three classes."""
    rng = np.random.default_rng(3)
    y = np.repeat([1.0, 1.4, 4.0], 200)[:, None] + 0.5 * rng.normal(size=(600, 12))
    y[:10] = 2.5
    curves = observe(np.repeat(np.arange(600), 12), np.tile(np.arange(12.0), 600), y.ravel())
    highest = fit(curves, 3, seed=1)
    assert highest.sizes.min() == 10
    assert highest.at_floor.any()
    chosen = select(curves, 3, seed=1)[2]
    assert chosen.why == "chosen, though BIC still falls: the most classes tried"
    assert chosen.fit is not None
    assert chosen.fit.loglik < highest.loglik
    np.testing.assert_allclose(chosen.fit.curve([5.0])[:, 0], [1.0, 1.4, 4.0], atol=0.15)


def test_the_floor_is_the_same_whatever_the_number_of_classes_so_that_more_never_fit_worse() -> None:
    """Nine constant doses: each class more explains more, and no likelihood is without bound."""
    dose = np.log1p(np.repeat([15.0, 20, 30, 40, 45, 60, 90, 120, 200], 30))
    curves = observe(np.repeat(np.arange(270), 6), np.tile(np.arange(6.0), 270), np.repeat(dose, 6))
    candidates = select(curves, 9, seed=1, least_sigma=0.1)
    fits = [each.fit for each in candidates]
    logliks = [each.loglik for each in fits if each is not None]
    assert np.all(np.diff(logliks) > 0)
    floor = 0.1 * curves.scale
    assert all(each.sigma.min() >= floor * (1 - 1e-9) for each in fits if each is not None)
    assert candidates[8].chosen
    assert fits[8] is not None
    assert fits[8].sizes.tolist() == [30] * 9


def test_more_classes_than_kinds_of_curves_coincide() -> None:
    """Only two different curves, repeated: a third class has no people of its own."""
    y = np.tile([[0.0, 1, 0, 1], [5, 3, 5, 4]], (20, 1)).ravel()
    curves = observe(np.repeat(np.arange(40), 4), np.tile(np.arange(4.0), 40), y)
    assert fit(curves, 2).sizes.tolist() == [20, 20]
    with pytest.raises(NoFit, match="coincide"):
        fit(curves, 3)
