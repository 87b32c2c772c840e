"""Effects in those treated of data at the edge: one arm, nobody observed, separation, weights of 0, columns alike."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.causal import augmented
from opioid_outcomes.causal.augmented import RegressionFailure
from opioid_outcomes.causal.contrasts import NO_ERROR
from opioid_outcomes.survival.binary_blocks import Beside

N, NAMES = 1200, ("pain", "dose")
PERSON = np.repeat(np.arange(N // 4), 4)


def rows(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 2))
    treated = rng.random(N) < 1 / (1 + np.exp(1 - 0.5 * x[:, 0]))
    y = np.column_stack([x[:, 0] + 0.5 * treated + rng.normal(size=N), 20 * treated + rng.normal(size=N)])
    y[rng.random(N) < 0.3] = np.nan
    return x, treated, y


def assigned(x: np.ndarray, treated: np.ndarray, **given: object) -> augmented.Assignment:
    names = given.pop("names", [f"x{j}" for j in range(x.shape[1])])
    return augmented.assignment(x, treated, names=names, **({"person": PERSON} | given))  # type: ignore[arg-type]


def same(a: augmented.Effects, b: augmented.Effects, rtol: float = 1e-9) -> None:
    for method in augmented.METHODS:
        np.testing.assert_allclose(a.values(method), b.values(method), rtol=rtol)
        np.testing.assert_allclose(a.joint(method).covariance, b.joint(method).covariance, rtol=100 * rtol, atol=1e-14)


@pytest.mark.parametrize(("treated", "reason"), [(np.zeros(N), "no events"), (np.ones(N), "everybody")])
def test_one_arm_has_no_assignment(treated: np.ndarray, reason: str) -> None:
    with pytest.raises(RegressionFailure, match=reason):
        assigned(rows()[0], treated)


@pytest.mark.parametrize(("arm", "name"), [(0, "untreated"), (1, "treated")])
@pytest.mark.parametrize("how", ["outcomes", "eligible", "followed"])
def test_an_arm_of_which_nobody_is_observed(arm: int, name: str, how: str) -> None:
    x, treated, y = rows()
    none = treated == arm
    given = {"eligible": {"eligible": ~none}, "followed": {"followed": (~none).astype(float)}, "outcomes": {}}[how]
    if how == "outcomes":
        y[none] = np.nan
    with pytest.raises(RegressionFailure, match="no outcomes") as caught:
        augmented.effects(assigned(x, treated), y, **given)
    assert caught.value.columns == (name,)


def test_a_covariate_that_tells_the_decision_is_a_failure_by_name() -> None:
    x, treated, _ = rows()
    with pytest.raises(RegressionFailure, match="separation: prescribed"):
        assigned(np.column_stack([x, treated]), treated, names=["pain", "dose", "prescribed"])


def test_columns_that_say_nothing_are_left_out_and_told() -> None:
    x, treated, y = rows()
    wide = np.column_stack([np.ones(N), x[:, 0], x, x[:, 1] * 3])
    who = assigned(wide, treated, names=["site", "a", "pain", "dose", "again"])
    assert who.dropped == (("site", "no variation"), ("pain", "collinear"), ("again", "collinear"))
    found = augmented.effects(who, y)
    same(found, augmented.effects(assigned(x, treated), y))
    assert (found.slopes[[0, 2, 4]] == 0).all()
    assert (found.slopes[[1, 3]] != 0).all()


def test_a_column_alike_in_all_observed_says_nothing_of_their_outcomes() -> None:
    """It is in the model of the decision, and leaves the outcome's; that of being observed bears it with a penalty."""
    x, treated, y = rows()
    rare = (np.random.default_rng(2).random(N) < 0.05).astype(float)
    y[rare == 1] = np.nan
    found = augmented.effects(assigned(np.column_stack([x, rare]), treated), y)
    assert found.observation_model == "ridge"
    assert (found.slopes[2] == 0).all()
    joint = found.joint("aipw")
    assert joint.values[0] == pytest.approx(0.5, abs=4 * np.sqrt(joint.covariance[0, 0]))
    assert joint.values[1] == pytest.approx(20, abs=4 * np.sqrt(joint.covariance[1, 1]))


def test_an_outcome_that_is_the_same_in_everybody() -> None:
    x, treated, y = rows()
    y[:, 1] = 7.25
    found = augmented.effects(assigned(x, treated), y)
    for method in augmented.METHODS:
        joint = found.joint(method)
        assert joint.values[1] == pytest.approx(0, abs=1e-12)
        assert np.sqrt(joint.covariance[1, 1]) < 1e-12
    np.testing.assert_allclose(found.means[:, 1], 7.25, rtol=1e-12)
    exact = augmented.effects(assigned(x, treated), np.zeros((N, 1))).joint("aipw")
    assert exact.combination(np.ones(1)).reason == NO_ERROR


def test_rows_of_weight_0_are_as_if_left_out() -> None:
    x, treated, y = rows()
    weights = (PERSON % 5 > 0).astype(float)
    kept = weights > 0
    left = augmented.effects(assigned(x[kept], treated[kept], person=PERSON[kept]), y[kept])
    x[~kept], y[~kept] = 50 * x[~kept], 1e6
    zero = augmented.effects(assigned(x, treated, weights=weights), y)
    same(zero, left)
    assert (zero.persons, zero.treated_people, zero.people) == (left.persons, left.treated_people, left.people)
    assert zero.ess == pytest.approx(left.ess, rel=1e-9)
    assert zero.observation == pytest.approx(left.observation, rel=1e-12)
    with pytest.raises(RegressionFailure, match="no events"):
        assigned(x, treated, weights=np.zeros(N))


def test_those_not_eligible_count_for_the_decision_only() -> None:
    x, treated, y = rows()
    alive = np.random.default_rng(3).random(N) < 0.9
    found = augmented.effects(assigned(x, treated), y, eligible=alive)
    y[~alive] = np.nan
    gone = augmented.effects(assigned(x, treated), np.where(alive[:, None], y, 1e6), eligible=alive)
    same(found, gone, rtol=1e-13)
    assert found.observation[0] == pytest.approx(
        (~np.isnan(y[:, 0]) & alive & ~treated).sum() / (alive & ~treated).sum(), rel=1e-12
    )


def test_multiplicities_are_repeated_rows() -> None:
    x, treated, y = rows()
    times = np.random.default_rng(4).poisson(1, N // 4)[PERSON]
    weighted = augmented.effects(assigned(x, treated, weights=times), y)
    again = np.repeat(np.arange(N), times)
    same(weighted, augmented.effects(assigned(x[again], treated[again], person=PERSON[again]), y[again]))


@pytest.mark.parametrize("kind", [np.float32, np.int64, object])
def test_columns_of_any_type_are_read_as_they_are(kind: type) -> None:
    x, treated, y = rows()
    whole = np.round(4 * x)
    same(
        augmented.effects(assigned(whole.astype(kind), treated), y),
        augmented.effects(assigned(whole, treated), y),
        rtol=1e-12,
    )


def test_columns_far_from_0_keep_their_digits() -> None:
    x, treated, y = rows()
    far = x * [1e-3, 1e3] + [50.0, 1e7]
    same(augmented.effects(assigned(far, treated), y), augmented.effects(assigned(x, treated), y), rtol=1e-8)


def test_persons_of_any_name_and_in_any_order() -> None:
    x, treated, y = rows()
    named = np.array([f"p{9999 - each}" for each in PERSON])
    same(augmented.effects(assigned(x, treated, person=named), y), augmented.effects(assigned(x, treated), y), 1e-12)


def test_one_person_has_no_standard_error() -> None:
    x, treated, y = rows()
    joint = augmented.effects(assigned(x, treated, person=np.zeros(N)), y).joint("aipw")
    assert np.sqrt(joint.covariance[0, 0]) < 1e-9
    assert joint.values[0] == pytest.approx(0.5, abs=0.3)


def test_no_history_is_a_difference_of_means() -> None:
    _, treated, y = rows()
    found = augmented.effects(assigned(np.zeros((N, 0)), treated), y)
    seen = ~np.isnan(y[:, 0])
    difference = y[seen & treated].mean(axis=0) - y[seen & ~treated].mean(axis=0)
    for method in augmented.METHODS:
        np.testing.assert_allclose(found.values(method), difference, rtol=1e-9)


def test_arguments_that_make_no_sense() -> None:
    x, treated, y = rows()
    who = assigned(x, treated)
    infinite = y.copy()
    infinite[0, 0] = np.inf
    for outcomes, given, message in (
        (y[:, 0], {}, "outcomes must be 1200 rows x k"),
        (y[1:], {}, "outcomes must be 1200 rows x k"),
        (infinite, {}, "outcomes must be finite"),
        (y, {"eligible": np.ones(3)}, "eligible must have 1200 values"),
        (y, {"followed": np.full(N, -1.0)}, "at least 0"),
        (y, {"followed": np.full(N, np.nan)}, "at least 0"),
    ):
        with pytest.raises(ValueError, match=message):
            augmented.effects(who, outcomes, **given)
    with pytest.raises(ValueError, match="named columns"):
        assigned(x, treated, names=["pain"])
    with pytest.raises(ValueError, match="person must have 1200 values"):
        assigned(x, treated, person=PERSON[1:])
    with pytest.raises(ValueError, match="person must be known"):
        assigned(x, treated, person=np.where(PERSON == 3, np.nan, PERSON))
    with pytest.raises(ValueError, match="covariates must be known and finite: pain"):
        assigned(np.where(x > 2, np.nan, x) * [1, 0], treated, names=["pain", "dose"])
    other = augmented.effects(assigned(x[:800], treated[:800], person=PERSON[:800]), y[:800])
    with pytest.raises(ValueError, match="one assignment"):
        augmented.joint([augmented.effects(who, y), other], "aipw")


def test_columns_beside_another_read_as_an_array() -> None:
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    beside = Beside(x, np.array([2, 0]), np.array([1.0, 0.0, 1.0, 0.0]))
    whole = np.column_stack([[1, 0, 1, 0], x[:, [2, 0]]])
    assert (beside.shape, len(beside), beside.dtype) == ((4, 3), 4, np.float32)
    np.testing.assert_array_equal(np.asarray(beside), whole)
    np.testing.assert_array_equal(beside[1:3], whole[1:3])
    np.testing.assert_array_equal(Beside(x, np.array([1]))[np.array([3, 0])], x[[3, 0]][:, [1]])
