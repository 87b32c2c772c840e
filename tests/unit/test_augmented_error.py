"""A pain recorded with error: what is made of no effect where decisions follow the truth, and where the record.

The world of METHODS D2b: usual pain N(5, 1.2), flares of standard deviation 1.5 that last (0.6 a month), escalation
with chance expit(-4.2 + 0.45 (pain - 5)), no effect whatever. The record is the pain with an error added.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import RegressionFailure
from opioid_outcomes.hyperalgesia.comparable import why

PERSONS, MONTHS, EARLIER = 100_000, 24, 5
VISITS = np.arange(EARLIER, MONTHS - 6, 2)
LAGS = (1, 6)
NAMES = ("last", "mean of the earlier", "slope")
NOTHING = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class World:
    """Rows are visits. x: the history's three terms; unit: covariance of their errors per error variance; later: scores
    recorded 1 and 6 months on.
    """

    person: np.ndarray
    treated: np.ndarray
    x: np.ndarray
    unit: np.ndarray
    later: np.ndarray

    def effects(self, terms: int, variance: float | None) -> augmented.Effects:
        given = None
        if variance is not None:
            given = augmented.Error(np.arange(terms), self.unit[:, :terms, :terms], variance, NOTHING)
        who = augmented.assignment(
            self.x[:, :terms], self.treated, names=NAMES[:terms], person=self.person, error=given
        )
        return augmented.effects(who, self.later)


def pain(rng: np.random.Generator) -> np.ndarray:
    usual, flare = rng.normal(5, 1.2, PERSONS), rng.normal(0, 1.5, PERSONS)
    found = np.empty((PERSONS, MONTHS))
    for month in range(MONTHS):
        found[:, month] = usual + flare
        flare = 0.6 * flare + rng.normal(0, 1.5 * 0.8, PERSONS)
    return found


def terms(recorded: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Last score, mean of the earlier ones known, slope through all known; and the covariance of their errors."""
    there = known.astype(float)
    months = np.arange(-EARLIER, 1.0)
    weights = np.zeros((len(recorded), 3, EARLIER + 1))
    weights[:, 0, -1] = 1
    weights[:, 1, :-1] = there[:, :-1] / there[:, :-1].sum(axis=1, keepdims=True)
    centred = (months - (there * months).sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True)) * there
    weights[:, 2] = centred / (centred**2).sum(axis=1, keepdims=True)
    return np.einsum("nkm,nm->nk", weights, recorded), np.einsum("nkm,nlm->nkl", weights, weights)


@lru_cache(maxsize=1)
def world(sd: float, on_record: bool = False) -> World:
    rng = np.random.default_rng(23)
    truth = pain(rng)
    recorded = truth + sd * rng.normal(size=truth.shape)
    parts = []
    for month in VISITS:
        moving = (recorded if on_record else truth)[:, month]
        treated = rng.random(PERSONS) < 1 / (1 + np.exp(4.2 - 0.45 * (moving - 5)))
        known = rng.random((PERSONS, EARLIER + 1)) < 0.7
        known[:, [0, -1]] = True
        x, unit = terms(recorded[:, month - EARLIER : month + 1], known)
        parts.append((np.arange(PERSONS), treated, x, unit, recorded[:, [month + lag for lag in LAGS]]))
    return World(*(np.concatenate(each) for each in zip(*parts, strict=True)))


# bias of a zero effect one and six months on, by the error's standard deviation, adjusting for the last score
TABLE = {0.5: (0.08, 0.06), 1.0: (0.26, 0.16), 1.5: (0.46, 0.26)}


@pytest.mark.parametrize("sd", TABLE)
def test_decisions_on_the_truth_and_a_history_of_records(sd: float) -> None:
    """The bias that is to be expected, and the correction that removes it from all three estimates."""
    visits = world(sd)
    recorded = visits.effects(1, None).values("aipw")
    np.testing.assert_allclose(recorded, TABLE[sd], atol=0.04)
    for number in (1, 3):
        found = visits.effects(number, sd**2)
        for method in augmented.METHODS:
            joint = found.joint(method)
            assert (np.abs(joint.values) < 0.05).all()
            assert (np.abs(joint.values) < 3.5 * np.sqrt(np.diag(joint.covariance))).all()
    longer = visits.effects(3, None).values("aipw")
    assert (longer < recorded).all()
    assert longer[0] > 0.75 * recorded[0]  # a longer history lessens it little


@pytest.mark.parametrize("sd", TABLE)
def test_decisions_on_the_record_need_no_correction_and_are_pulled_down_by_it(sd: float) -> None:
    visits = world(sd, on_record=True)
    for number in (1, 3):
        plain = visits.effects(number, None).joint("aipw")
        assert (np.abs(plain.values) < 0.05).all()
        assert (np.abs(plain.values) < 3.5 * np.sqrt(np.diag(plain.covariance))).all()
        corrected = visits.effects(number, sd**2).values("aipw")
        assert corrected[0] < -0.06
        assert (corrected < plain.values - 0.015).all()


def test_half_the_error_leaves_about_half_of_the_bias() -> None:
    visits = world(1.0)
    values = [visits.effects(1, variance).values("aipw")[0] for variance in (None, 0.5, 1.0)]
    assert 0.3 * values[0] < values[1] < 0.65 * values[0]
    assert abs(values[2]) < 0.05


def small(rng: np.random.Generator, persons: int, visits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """History of two terms with error of variance 0.4 (their errors by the row), treatment by their truth, outcomes."""
    usual = np.repeat(rng.normal(size=persons), visits)
    truth = np.column_stack([usual + rng.normal(0, 0.8, len(usual)), usual + rng.normal(0, 0.4, len(usual))])
    scores = rng.integers(1, 4, len(truth))
    recorded = truth + np.sqrt(0.4) * rng.normal(size=truth.shape) / np.sqrt(
        np.column_stack([np.ones_like(scores), scores])
    )
    unit = np.zeros((len(truth), 2, 2))
    unit[:, 0, 0], unit[:, 1, 1] = 1, 1 / scores
    treated = rng.random(len(truth)) < 1 / (1 + np.exp(0.8 - 0.8 * truth[:, 0] - 0.2 * truth[:, 1]))
    y = truth[:, 0] + 0.5 * truth[:, 1] + 0.5 * treated + 0.5 * usual + rng.normal(size=len(truth))
    y[rng.random(len(y)) > 1 / (1 + np.exp(-1 - 0.5 * recorded[:, 0]))] = np.nan
    return recorded, unit, treated, y


def test_limits_cover_the_truth_as_often_as_they_say() -> None:
    """300 worlds of 300 persons x 4 visits, a quarter of the outcomes missing; by the record alone they never would."""
    rng, person = np.random.default_rng(8), np.repeat(np.arange(300), 4)
    told = {method: [] for method in (*augmented.METHODS, "recorded")}
    for _ in range(300):
        x, unit, treated, y = small(rng, 300, 4)
        for given in (None, augmented.Error(np.arange(2), unit, 0.4, NOTHING)):
            who = augmented.assignment(x, treated, names=["last", "mean"], person=person, error=given)
            found = augmented.effects(who, y[:, None])
            for method in augmented.METHODS if given else ("aipw",):
                joint = found.joint(method)
                told[method if given else "recorded"].append((joint.values[0], np.sqrt(joint.covariance[0, 0])))
    covered = {}
    for method, numbers in told.items():
        values, errors = np.array(numbers).T
        covered[method] = (np.abs(values - 0.5) < 1.96 * errors).mean()
        # weights of exponentials have long tails: the middle half of the estimates tells their spread
        spread = float(np.diff(np.quantile(values, [0.25, 0.75]))[0]) / 1.349
        assert np.median(errors) / spread == pytest.approx(1, abs=0.12), method
    assert all(0.925 < covered[method] < 0.985 for method in augmented.METHODS), covered
    assert covered["recorded"] < 0.5


def test_an_error_larger_than_the_variance_is_a_failure() -> None:
    rng = np.random.default_rng(9)
    x, unit, treated, _ = small(rng, 300, 4)
    person = np.repeat(np.arange(300), 4)
    too_large = augmented.Error(np.arange(2), unit, 1.2 * float(x[:, 0].var()), NOTHING)
    with pytest.raises(RegressionFailure, match="error") as failure:
        augmented.assignment(x, treated, names=["last", "mean"], person=person, error=too_large)
    assert failure.value.reason == "error"
    assert why(failure.value, "escalated") == "the declared error is more than the recorded pain varies"


@pytest.mark.parametrize(("steep", "reason"), [(2.0, None), (10.0, "no root")])
def test_decisions_too_steep_for_an_error_that_is_less_than_the_variance(steep: float, reason: str | None) -> None:
    """Decisions on the record: were they on the truth, recorded pain of half error could not tell them so well."""
    rng = np.random.default_rng(9)
    truth = rng.normal(size=2000)
    x = truth[:, None] + np.sqrt(0.8) * rng.normal(size=(2000, 1))
    treated = rng.random(2000) < 1 / (1 + np.exp(-steep * (truth if reason is None else x[:, 0])))
    given = augmented.Error(np.arange(1), np.ones((2000, 1, 1)), 0.8, NOTHING)
    asked = {"names": ["last"], "person": np.arange(2000), "error": given}
    if reason is None:
        assert augmented.assignment(x, treated, **asked).params[1] == pytest.approx(steep * truth.std(), rel=0.5)
        return
    with pytest.raises(RegressionFailure) as failure:
        augmented.assignment(x, treated, **asked)
    assert failure.value.reason == reason
    assert why(failure.value, "escalated") == (
        "decisions follow pain too steeply for an error of this size to be taken out"
    )


def test_an_error_larger_than_the_variance_of_those_observed_is_a_failure() -> None:
    """The decisions can bear it, but those with an outcome are too alike."""
    rng = np.random.default_rng(10)
    x, unit, treated, y = small(rng, 3000, 4)
    given = augmented.Error(np.arange(2), unit, 0.4, NOTHING)
    who = augmented.assignment(x, treated, names=["last", "mean"], person=np.arange(len(x)), error=given)
    alike = np.abs(x[:, 0]) < 0.6
    assert np.isfinite(augmented.effects(who, y[:, None]).values("aipw")).all()
    with pytest.raises(RegressionFailure, match="error"):
        augmented.effects(who, y[:, None], eligible=alike)


def test_columns_that_are_not_linear_in_the_scores_are_left_out_and_told() -> None:
    rng = np.random.default_rng(11)
    x, unit, treated, y = small(rng, 1000, 4)
    person, wide = np.arange(len(x)), np.column_stack([x.max(axis=1), x])
    narrow = augmented.Error(np.arange(2), unit, 0.4, NOTHING)
    given = augmented.Error(np.array([1, 2]), unit, 0.4, np.array([0]))
    a = augmented.assignment(x, treated, names=["last", "mean"], person=person, error=narrow)
    b = augmented.assignment(wide, treated, names=["highest", "last", "mean"], person=person, error=given)
    assert b.dropped == (("highest", "left out under error"),)
    pair = [augmented.effects(each, y[:, None]) for each in (a, b)]
    np.testing.assert_allclose(pair[0].joint("aipw").covariance, pair[1].joint("aipw").covariance, rtol=1e-10)
    np.testing.assert_allclose(pair[1].slopes[1:], pair[0].slopes, rtol=1e-10)


def test_a_noisy_column_that_another_says_is_left_out_with_its_error() -> None:
    """Where nobody has an earlier score, their mean is the last one."""
    rng = np.random.default_rng(12)
    x, unit, treated, y = small(rng, 1000, 4)
    person, twice = np.arange(len(x)), np.column_stack([x[:, 0], x[:, 0], x[:, 1]])
    both = np.zeros((len(x), 3, 3))
    both[:, :2, :2], both[:, 2, 2] = 1, unit[:, 1, 1]
    a = augmented.assignment(
        x, treated, names=["last", "mean"], person=person, error=augmented.Error(np.arange(2), unit, 0.4, NOTHING)
    )
    b = augmented.assignment(
        twice, treated, names=["last", "earlier", "mean"], person=person,
        error=augmented.Error(np.arange(3), both, 0.4, NOTHING),
    )  # fmt: skip
    assert b.dropped == (("earlier", "collinear"),)
    pair = [augmented.effects(each, y[:, None]).joint("aipw") for each in (a, b)]
    np.testing.assert_allclose(pair[0].values, pair[1].values, rtol=1e-10)
    np.testing.assert_allclose(pair[0].covariance, pair[1].covariance, rtol=1e-9)


def test_errors_that_do_not_belong_to_the_columns() -> None:
    rng = np.random.default_rng(13)
    x, unit, treated, _ = small(rng, 50, 4)
    for columns, covariance, variance, without, message in (
        ([0, 1], unit[1:], 0.4, [], "unit must be 200 x 2 x 2"),
        ([0, 1], unit, 0.4, [1], "different columns"),
        ([0, 2], unit, 0.4, [], "different columns"),
        ([0, 1], unit, -0.1, [], "at least 0"),
        ([0, 1], unit, np.nan, [], "at least 0"),
    ):
        given = augmented.Error(np.array(columns), covariance, variance, np.array(without, dtype=np.int64))
        with pytest.raises(ValueError, match=message):
            augmented.assignment(x, treated, names=["last", "mean"], person=np.arange(200), error=given)
