"""Latent classes of curves: against R's flexmix, a slow plain calculator, simulations with known classes, and edges."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from opioid_outcomes.trajectories import mixture_em as em
from opioid_outcomes.trajectories.curves import basis
from opioid_outcomes.trajectories.latent_class import Curves, LatentClasses, fit, observe
from opioid_outcomes.trajectories.mixture_starts import starting_values
from opioid_outcomes.trajectories.selection import select

REFERENCE = Path(__file__).parents[1] / "reference" / "trajectories"
ROWS = pl.read_csv(REFERENCE / "latent_class.csv")
R = json.loads((REFERENCE / "latent_class.json").read_text())
LOW_NOISE = pl.read_csv(REFERENCE / "low_noise.csv")
LOW_NOISE_R = json.loads((REFERENCE / "low_noise.json").read_text())
MONTHS = np.arange(12.0)


def reference(classes: int, shape: Any = "quadratic") -> LatentClasses:
    return fit(observe(ROWS["person"], ROWS["month"], ROWS["y"], shape), classes, seed=5)


def simulate(
    curves: NDArray[np.float64], sigma: list[float], prior: list[float], persons: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """True class of each person, and rows: person, month, y, a tenth of them missing."""
    rng = np.random.default_rng(seed)
    months = curves.shape[1]
    member = rng.choice(len(curves), persons, p=prior)
    y = curves[member] + rng.normal(size=(persons, months)) * np.array(sigma)[member][:, None]
    y[rng.random(y.shape) < 0.1] = np.nan
    return member, np.repeat(np.arange(persons), months), np.tile(np.arange(months, dtype=float), persons), y.ravel()


# -- R -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "classes", "shape"),
    [("maximum_likelihood", 3, "quadratic"), ("two_classes", 2, "quadratic"), ("spline", 3, "spline")],
)
def test_equals_flexmix(key: str, classes: int, shape: str) -> None:
    ours, theirs = reference(classes, shape), R[key]
    assert ours.converged
    assert ours.loglik == pytest.approx(theirs["loglik"], abs=1e-8)
    assert ours.bic_observations == pytest.approx(theirs["bic"], abs=1e-8)
    np.testing.assert_allclose(ours.prior, theirs["prior"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.sigma, theirs["sigma"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.curve(MONTHS), theirs["curves"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.posterior[:20], theirs["posterior"], rtol=0, atol=1e-6)
    if shape == "quadratic":
        powers = np.polynomial.polynomial.polyfit(MONTHS, ours.curve(MONTHS).T, 2).T
        np.testing.assert_allclose(powers, theirs["beta"], rtol=0, atol=1e-6)


def test_flexmix_own_variance_stops_beside_the_maximum() -> None:
    ours, theirs = reference(3), R["flexmix_own"]
    assert 0 < ours.loglik - theirs["loglik"] < 0.01
    np.testing.assert_allclose(ours.curve(MONTHS), theirs["curves"], atol=0.01)


def test_bic_counts_persons_and_flexmix_counts_rows() -> None:
    """2 classes of 3 coefficients and a variance, and one free prevalence: 9 parameters."""
    ours = reference(2)
    assert ours.parameters == 9
    assert len(ours.curves.persons) == 300
    assert ours.bic == pytest.approx(-2 * R["two_classes"]["loglik"] + 9 * np.log(300), abs=1e-7)
    assert ours.bic_observations == pytest.approx(-2 * R["two_classes"]["loglik"] + 9 * np.log(ROWS.height), abs=1e-7)


@pytest.mark.parametrize("key", [key for key in LOW_NOISE_R if key != "made_by"])
def test_equals_flexmix_where_classes_are_far_less_noisy_than_they_are_apart(key: str) -> None:
    """Levels 10, 40, 80 and 120 with noise of SD 3; courses with noise of SD 0.2 to 0.5, below 1 % of the overall."""
    name, classes = key.split()
    rows, theirs = LOW_NOISE.filter(pl.col("data") == name), LOW_NOISE_R[key]
    curves = observe(rows["person"], rows["month"], rows["y"])
    ours = fit(curves, int(classes), seed=1)
    assert not ours.at_floor.any()
    assert ours.loglik >= theirs["loglik"] - 1e-6
    assert ours.loglik == pytest.approx(theirs["loglik"], abs=1e-6)
    np.testing.assert_allclose(ours.prior, theirs["prior"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.sigma, theirs["sigma"], rtol=0, atol=1e-6)
    at = np.arange(8.0)
    powers = np.polynomial.polynomial.polyfit(at, ours.curve(at).T, 2).T
    np.testing.assert_allclose(powers, theirs["beta"], rtol=0, atol=1e-6)
    # noise below a tenth of the overall SD, which a floor there would raise
    assert min(theirs["sigma"]) < 0.08 * curves.scale
    floored = fit(curves, int(classes), seed=1, least_sigma=0.1)
    assert floored.at_floor.any()
    assert floored.loglik < theirs["loglik"] - 10


# -- a slow plain calculator -------------------------------------------------------------------------------------------


BY_PERSON = [
    (rows["y"].to_numpy(), rows["month"].to_numpy())
    for _, rows in ROWS.sort("person", "month").group_by("person", maintain_order=True)
]


def plain_loglik(parameters: NDArray[np.float64], curves: Curves, classes: int) -> list[float]:
    """Log-likelihood of each person, straight from the definition: beta (K x 3), log variance, log(pi_k / pi_1)."""
    beta = parameters[: 3 * classes].reshape(classes, 3)
    variance = np.exp(parameters[3 * classes : 4 * classes])
    odds = np.exp([0.0, *parameters[4 * classes :]])
    found = []
    for y, month in BY_PERSON:
        at = curves.basis.at(month)
        each = [
            odds[k] / odds.sum() * np.prod(
                np.exp(-((y - at @ beta[k]) ** 2) / (2 * variance[k])) / np.sqrt(2 * np.pi * variance[k])
            )
            for k in range(classes)
        ]  # fmt: skip
        found.append(float(np.log(sum(each))))
    return found


def test_covariance_is_the_sandwich_of_numerical_derivatives() -> None:
    found = reference(2)
    at = np.concatenate([found.beta.ravel(), np.log(found.sigma**2), np.log(found.prior[1:] / found.prior[0])])
    assert sum(plain_loglik(at, found.curves, 2)) == pytest.approx(found.loglik, abs=1e-8)
    h = 1e-4
    steps = np.eye(len(at)) * h
    up = np.array([plain_loglik(at + each, found.curves, 2) for each in steps])
    down = np.array([plain_loglik(at - each, found.curves, 2) for each in steps])
    score = (up - down) / (2 * h)
    np.testing.assert_allclose(score.sum(axis=1), 0, atol=1e-4)
    information = np.empty((len(at), len(at)))
    for i, one in enumerate(steps):
        for j, two in enumerate(steps[: i + 1]):
            corners = [
                sum(plain_loglik(at + a * one + b * two, found.curves, 2))
                for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            information[i, j] = information[j, i] = -(corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h)
    bread = np.linalg.inv(information)
    expected = bread @ score @ score.T @ bread
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found.covariance / np.outer(scale, scale), expected / np.outer(scale, scale), atol=2e-4)


def test_one_class_is_least_squares() -> None:
    found = reference(1)
    powers = np.vander(ROWS["month"].to_numpy().astype(float), 3, increasing=True)
    beta, squares, *_ = np.linalg.lstsq(powers, ROWS["y"].to_numpy(), rcond=None)
    np.testing.assert_allclose(found.curve(MONTHS)[0], np.vander(MONTHS, 3, increasing=True) @ beta, rtol=1e-10)
    assert found.sigma[0] == pytest.approx(np.sqrt(squares[0] / ROWS.height), rel=1e-10)
    assert (found.entropy, found.prior[0], found.mean_posterior[0]) == (1.0, 1.0, 1.0)


def test_an_em_step_never_lowers_the_likelihood() -> None:
    sums = observe(ROWS["person"], ROWS["month"], ROWS["y"]).sums
    now = starting_values(sums, 4, 10, np.random.default_rng(1))
    reached = np.full(10, -np.inf)
    for _ in range(50):
        now, loglik = em.step(sums, now)
        assert np.all(loglik >= reached - 1e-9)
        reached = loglik
    leapt, _ = em.converge(sums, now, 1e-8)
    assert np.all(em.step(sums, leapt)[1] >= reached - 1e-9)


# -- known classes -----------------------------------------------------------------------------------------------------

LEVEL = np.ones(24)
SLOPE = np.linspace(-1, 1, 24)
FOUR = np.array([LEVEL, 2 * LEVEL + 0.8 * SLOPE, 2 * LEVEL - 0.8 * SLOPE, 3.5 * LEVEL - 0.6 * SLOPE**2])


def test_recovers_curves_and_prevalences() -> None:
    prior, sigma = [0.4, 0.3, 0.2, 0.1], [0.8, 1.0, 1.2, 0.9]
    member, *rows = simulate(FOUR, sigma, prior, 4000, seed=3)
    found = fit(observe(*rows), 4, seed=1)
    # two curves have the same mean: compare each true class with the found one that most of its members are in
    match = [np.bincount(found.members[member == k]).argmax() for k in range(4)]
    assert sorted(match) == [0, 1, 2, 3]
    error = np.abs(found.curve(np.arange(24))[match] - FOUR) / found.standard_error(np.arange(24))[match]
    assert error.max() < 4.5
    np.testing.assert_allclose(found.sigma[match], sigma, rtol=0.02)
    np.testing.assert_allclose(found.prior[match], np.bincount(member) / 4000, atol=0.01)


def test_classes_of_the_mean_alone_do_not_see_who_rises_and_who_falls() -> None:
    """Rising and falling with one mean: by quantile of the mean dose a coin toss, by latent class nearly everybody."""
    member, person, month, y = simulate(FOUR[1:3], [1.0, 1.0], [0.5, 0.5], 1000, seed=4)
    found = fit(observe(person, month, y), 2, seed=1)
    rising = found.curve([0, 23]) @ [-1, 1] > 0
    assert (rising[found.members] == (member == 0)).mean() > 0.95
    mean = np.nanmean(y.reshape(1000, 24), axis=1)
    by_mean = mean > np.median(mean)
    assert 0.4 < (by_mean == (member == 0)).mean() < 0.6


def test_classifying_first_pulls_overlapping_classes_apart() -> None:
    """Members of the likelier class, taken as certain, differ by more than the classes do; the mixture does not."""
    true = np.array([np.zeros(6), np.full(6, 0.8)])
    _, person, month, y = simulate(true, [1.0, 1.0], [0.5, 0.5], 5000, seed=5)
    found = fit(observe(person, month, y), 2, seed=1)
    means = np.array([np.nanmean(y.reshape(5000, 6)[found.members == k]) for k in range(2)])
    assert found.curve(np.arange(6)).mean(axis=1) @ [-1, 1] == pytest.approx(0.8, abs=0.08)
    assert means @ [-1, 1] > 0.92


def test_splitting_the_smaller_model_finds_what_one_start_misses() -> None:
    """Levels that come and go: one start stays hundreds below the best of a hundred; split classes reach it."""
    rng = np.random.default_rng(5)
    begin = np.where(rng.random(500) < 0.4, rng.integers(0, 20, 500), 0)[:, None]
    months = np.arange(24)
    on = (months >= begin) & (months < begin + rng.integers(1, 40, (500, 1)))
    y = np.where(on, 3.5 + 0.5 * rng.normal(size=(500, 1)) + 0.1 * rng.normal(size=(500, 24)), 0)
    curves = observe(np.repeat(np.arange(500), 24), np.tile(months, 500), y.ravel())
    best = np.array([fit(curves, k, starts=100, seed=1).loglik for k in range(1, 7)])
    one = np.array([fit(curves, k, starts=1, seed=1).loglik for k in range(1, 7)])
    split = np.array([each.fit.loglik for each in select(curves, 6, starts=1, seed=1) if each.fit is not None])
    assert (one - best).min() < -100
    assert (split - best).min() > -5


@pytest.mark.parametrize("seed", range(5))
def test_one_class_is_chosen_where_there_is_one(seed: int) -> None:
    _, *rows = simulate(FOUR[:1], [1.0], [1.0], 500, seed)
    candidates = select(observe(*rows), 4, seed=1)
    assert [each.why for each in candidates if each.chosen] == ["chosen"]
    assert candidates[0].chosen


def test_the_true_number_is_chosen_and_every_other_says_why_not() -> None:
    _, *rows = simulate(FOUR, [0.8, 1.0, 1.2, 0.9], [0.4, 0.3, 0.2, 0.1], 2000, seed=6)
    candidates = select(observe(*rows), 6, seed=1)
    assert [each.classes for each in candidates] == [1, 2, 3, 4, 5, 6]
    assert [each.chosen for each in candidates] == [False, False, False, True, False, False]
    assert [each.why for each in candidates[:4]] == ["BIC is larger than with 4"] * 3 + ["chosen"]
    bic = [each.fit.bic for each in candidates if each.fit is not None]
    assert np.argmin(bic) == 3


@pytest.mark.parametrize(
    ("persons", "apart", "why"),
    [
        (3000, 25, "a class holds under 1 % of persons"), (1000, 10, "a class holds fewer than 11 persons"),
        (1000, 11, None),
    ],
)  # fmt: skip
def test_a_smaller_bic_of_indistinct_classes_is_not_chosen(persons: int, apart: int, why: str | None) -> None:
    """A few people apart: BIC wants them, the smallest class has to hold 1 % and 11 people."""
    rng = np.random.default_rng(8)
    y = rng.normal(size=(persons, 8))
    y[:apart] += 30
    curves = observe(np.repeat(np.arange(persons), 8), np.tile(np.arange(8.0), persons), y.ravel())
    one, two = select(curves, 2, seed=1)
    assert one.fit is not None
    assert two.fit is not None
    assert two.fit.bic < one.fit.bic
    assert two.fit.sizes.min() == apart
    assert (one.chosen, two.chosen) == (why is not None, why is None)
    assert two.why == (why or "chosen, though BIC still falls: the most classes tried")


def test_a_class_of_five_percent_of_300_people_is_found() -> None:
    """15 people on 150 MME/day among 285 on 30, each with noise of their own."""
    rng = np.random.default_rng(12)
    high = np.arange(300) < 15
    y = np.where(high, np.log1p(150), np.log1p(30))[:, None] + 0.3 * rng.normal(size=(300, 12))
    candidates = select(observe(np.repeat(np.arange(300), 12), np.tile(MONTHS, 300), y.ravel()), 4, seed=1)
    assert [each.chosen for each in candidates] == [False, True, False, False]
    found = candidates[1].fit
    assert found is not None
    assert (found.members == high).all()


def test_classes_nobody_is_sure_of_are_not_chosen() -> None:
    """Two months a person: many rows tell a mixture from one curve, and no person's class from the others."""
    rng = np.random.default_rng(9)
    member = rng.random(40_000) < 0.5
    month = rng.integers(0, 3, 40_000).astype(float)
    y = rng.normal(size=40_000) * np.where(member, 1.0, 2.2)
    candidates = select(observe(np.arange(40_000), month, y), 2, seed=1)
    assert candidates[0].chosen
    assert candidates[1].why == "mean posterior of a class is under 0.7"


def test_limits_hold_the_true_curve_although_months_of_a_person_are_alike() -> None:
    """Random levels of persons: the sandwich holds 95 %; the model's own errors, of independent months, far fewer."""
    rng = np.random.default_rng(10)
    times = np.arange(10.0)
    held = naive = 0
    for _ in range(200):
        member = rng.random(200) < 0.4
        level = np.where(member, 0.0, 8.0) + rng.normal(size=200)
        y = level[:, None] + rng.normal(size=(200, 10))
        found = fit(observe(np.repeat(np.arange(200), 10), np.tile(times, 200), y.ravel()), 2, starts=3, seed=1)
        low, high = found.band([4.0])
        held += int(low[0, 0] <= 0 <= high[0, 0])
        independent = found.sigma[0] * np.sqrt((found.curves.basis.at([4.0]) ** 2).sum() / (10 * member.sum()))
        naive += int(abs(found.curve([4.0])[0, 0]) <= 1.96 * independent)
    assert 0.915 <= held / 200 <= 0.985
    assert naive / 200 < 0.8


# -- what must not matter ----------------------------------------------------------------------------------------------


def digest(found: LatentClasses) -> str:
    numbers = (found.prior, found.beta, found.sigma, found.posterior, found.covariance, np.array([found.loglik]))
    return hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in numbers)).hexdigest()


def test_the_order_of_rows_and_missing_ones_change_no_bit() -> None:
    expected = digest(reference(3))
    shuffled = ROWS.sample(fraction=1, shuffle=True, seed=3)
    assert digest(fit(observe(shuffled["person"], shuffled["month"], shuffled["y"]), 3, seed=5)) == expected
    nobody = pl.DataFrame({"person": [1, 5000], "month": [30, 2], "y": [None, None]}, schema=ROWS.schema)
    more = pl.concat([shuffled, nobody])
    assert digest(fit(observe(more["person"], more["month"], more["y"].to_numpy()), 3, seed=5)) == expected


def test_text_keys_serve_as_well() -> None:
    named = np.array([f"p{person:04d}" for person in ROWS["person"]])
    found = fit(observe(named, ROWS["month"], ROWS["y"]), 3, seed=5)
    assert digest(found) == digest(reference(3))
    assert found.curves.persons[0] == "p0001"


def test_units_change_nothing_but_the_units() -> None:
    expected = reference(3)
    found = fit(observe(ROWS["person"], 30 * ROWS["month"] + 7, 1000 * ROWS["y"] - 5), 3, seed=5)
    np.testing.assert_allclose(found.posterior, expected.posterior, atol=1e-6)
    np.testing.assert_allclose(found.curve(30 * MONTHS + 7), 1000 * expected.curve(MONTHS) - 5, rtol=1e-6)
    np.testing.assert_allclose(found.standard_error([7.0]), 1000 * expected.standard_error([0.0]), rtol=1e-5)
    assert found.loglik == pytest.approx(expected.loglik - ROWS.height * np.log(1000), abs=1e-6)


def test_other_starts_find_the_same_classes() -> None:
    curves = observe(ROWS["person"], ROWS["month"], ROWS["y"])
    logliks = [fit(curves, 3, seed=seed).loglik for seed in range(5)]
    np.testing.assert_allclose(logliks, logliks[0], atol=1e-7)


SCRIPT = """
import hashlib
import numpy as np
from opioid_outcomes.trajectories.latent_class import fit, observe

rng = np.random.default_rng(1)
y = rng.normal(size=(6000, 24)) + rng.normal(size=(6000, 1)) * 2
found = fit(observe(np.repeat(np.arange(6000), 24), np.tile(np.arange(24.0), 6000), y.ravel(), "{shape}"), 6, seed=1)
numbers = (found.prior, found.beta, found.sigma, found.posterior, found.covariance, np.array([found.loglik]))
print(hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in numbers)).hexdigest())
"""


@pytest.mark.parametrize("shape", ["quadratic", "spline"])
def test_threads_do_not_change_a_bit(shape: str) -> None:
    def run(threads: int) -> bytes:
        limit = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        command = [sys.executable, "-c", SCRIPT.format(shape=shape)]
        return subprocess.run(command, env=os.environ | limit, capture_output=True, check=True).stdout

    assert run(1) == run(2)


def test_a_person_with_one_month_has_a_posterior_near_the_prevalences() -> None:
    found = reference(3)
    one = int(np.flatnonzero(found.curves.persons == 10)[0])
    assert found.curves.sums.features[one, 1] == 1
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1, rtol=1e-12)
    assert found.posterior[one].max() < 0.9


def test_classes_are_in_order_of_their_mean_curve() -> None:
    for classes in (2, 3, 4):
        level = reference(classes).beta[:, 0]
        assert np.all(np.diff(level) > 0)


@pytest.mark.parametrize(("shape", "columns"), [("quadratic", 3), ("spline", 5)])
def test_bases_are_orthonormal_over_the_observed_times(shape: Any, columns: int) -> None:
    times = np.repeat(np.arange(24.0), np.arange(24, 0, -1))
    found = basis(times, shape)
    at = found.at(times)
    assert at.shape == (300, columns)
    np.testing.assert_allclose(at.T @ at / 300, np.eye(columns), atol=1e-12)
    np.testing.assert_allclose(at[:, 0], 1, atol=1e-12)
    line = np.linalg.lstsq(at, 3 - 2 * times, rcond=None)[0]
    np.testing.assert_allclose(found.at([0.0, 11.5, 40.0]) @ line, [3.0, -20.0, -77.0], atol=1e-8)


def test_a_spline_is_straight_beyond_its_ends() -> None:
    found = basis(np.arange(24), "spline")
    outside = found.at([30.0, 31.0, 32.0])
    np.testing.assert_allclose(outside[0] + outside[2], 2 * outside[1], atol=1e-10)
