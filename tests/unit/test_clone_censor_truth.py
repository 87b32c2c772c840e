"""Clone-censor-weight against potential outcomes: right where classifying people by what they did is not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sustained_world import BANDS, HORIZONS, STAY, UNTREATED, Lives, by_what_they_did, live

from opioid_outcomes.causal.clone_contrasts import Comparison, compare

SEEDS, PEOPLE = range(10), 4000
TRUTH = np.array([STAY, UNTREATED])
NAMES = ("ill", "frail")


def compared(lives: Lives, **options: object) -> Comparison:
    rows, x = lives.grid()
    return compare(
        rows, lives.strategies(), x, names=NAMES, bands=BANDS, causes=1, horizons=HORIZONS,
        **options,  # type: ignore[arg-type]
    )  # fmt: skip


@cache
def found() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Over seeds: risks (2, H) weighted and not, differences by what people did, standard errors of the difference."""
    weighted, crude, naive, errors = [], [], [], []
    for seed in SEEDS:
        lives = live(PEOPLE, seed)
        result = compared(lives)
        weighted.append(result.risk)
        crude.append(compared(lives, weigh_leaving=False).risk)
        naive.append(by_what_they_did(lives))
        errors.append([result.risk_difference(h).se for h in range(len(HORIZONS))])
    return np.array(weighted), np.array(crude), np.array(naive), np.array(errors)


def test_risks_and_their_difference_are_those_of_the_potential_outcomes() -> None:
    weighted, _, _, errors = found()
    np.testing.assert_allclose(weighted.mean(axis=0), TRUTH, atol=0.006)
    difference = (weighted[:, 0] - weighted[:, 1]).mean(axis=0)
    assert (np.abs(difference - (TRUTH[0] - TRUTH[1])) < 2.5 * errors.mean(axis=0) / np.sqrt(len(SEEDS))).all()
    assert (errors.mean(axis=0) < 0.03).all()


def test_classified_by_what_they_did_people_seem_to_be_saved_by_treatment() -> None:
    difference = TRUTH[0] - TRUTH[1]
    naive = found()[2].mean(axis=0)
    assert naive[0] < 0 < difference[0]
    assert (np.abs(naive - difference)[:2] > 0.03).all()


def test_censored_clones_without_weights_are_no_answer() -> None:
    crude = found()[1].mean(axis=0)
    assert abs(crude[0, 2] - crude[1, 2] - (TRUTH[0, 2] - TRUTH[1, 2])) > 0.02


def test_standard_errors_are_the_spread_of_the_estimates_or_wider() -> None:
    weighted, _, _, errors = found()
    spread = (weighted[:, 0] - weighted[:, 1]).std(axis=0, ddof=1)
    assert (errors.mean(axis=0) > 0.7 * spread).all()
    assert (errors.mean(axis=0) < 2 * spread).all()


def test_nothing_is_found_where_treatment_does_nothing() -> None:
    differences, naive = [], []
    for seed in SEEDS:
        lives = live(PEOPLE, 100 + seed, ratio=1.0, relief=0.0)
        result = compared(lives)
        differences.append(result.risk[0] - result.risk[1])
        naive.append(by_what_they_did(lives))
    spread = np.std(differences, axis=0, ddof=1) / np.sqrt(len(SEEDS))
    assert (np.abs(np.mean(differences, axis=0)) < 2.5 * spread).all()
    assert (np.mean(naive, axis=0)[:2] < -0.03).all()


def test_the_bootstrap_redoes_the_weights_and_is_no_wider_than_the_sandwich() -> None:
    lives = live(800, 5)
    sandwich, bootstrap = compared(lives), compared(lives, se="bootstrap", replicates=40, seed=3)
    again = compared(lives, se="bootstrap", replicates=40, seed=3)
    for h in range(len(HORIZONS)):
        assert bootstrap.risk_difference(h).estimate == sandwich.risk_difference(h).estimate
        assert bootstrap.risk_difference(h) == again.risk_difference(h)
        assert 0.5 < bootstrap.risk_difference(h).se / sandwich.risk_difference(h).se < 1.3


def test_weights_balance_those_who_stay() -> None:
    lives = live(20_000, 11)
    result, crude = compared(lives), compared(lives, weigh_leaving=False)
    x = np.column_stack([lives.ill[:, 0], lives.frail]).astype(float)
    for horizon in HORIZONS[1:]:
        assert np.abs(result.balance(x, horizon)).max() < 0.1
    assert np.abs(crude.balance(x, 180.0)).max() > 0.1


@pytest.mark.parametrize("arm", [0, 1])
def test_those_who_stay_weigh_as_many_as_there_were(arm: int) -> None:
    """In the middle of an interval, for which its weights are; illness does not answer to treatment here either."""
    lives = live(20_000, 12, ratio=1.0, relief=0.0)
    followed = (lives.time >= 165).sum()
    assert compared(lives).following(arm, 165.0).sum() == pytest.approx(followed, rel=0.03)
