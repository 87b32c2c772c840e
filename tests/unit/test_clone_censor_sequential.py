"""Clone-censor-weight from every month in which either strategy could be begun, against potential outcomes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sustained_world import BANDS, HORIZONS, STAY_OF_MONTHS, UNTREATED_OF_MONTHS, Lives, live

from opioid_outcomes.causal.clone_contrasts import Comparison, compare

SEEDS, PEOPLE = range(8), 2500
TRUTH = np.array([STAY_OF_MONTHS, UNTREATED_OF_MONTHS])


def compared(lives: Lives, **options: Any) -> Comparison:
    months = lives.months()
    rows, x = months.grid()
    return compare(
        rows, months.strategies(), x, names=("ill", "frail", "days before"), bands=BANDS, causes=1, horizons=HORIZONS,
        **{"cluster": months.person, **options},
    )  # fmt: skip


@cache
def found() -> tuple[np.ndarray, ...]:
    """Over seeds: risks (2, H), differences by what people did, errors by person, errors as if all were independent."""
    risks, naive, errors, alone = [], [], [], []
    for seed in SEEDS:
        lives = live(PEOPLE, 200 + seed)
        result, independent = compared(lives), compared(lives, cluster=None)
        risks.append(result.risk)
        naive.append(lives.months().by_what_they_did())
        errors.append([result.risk_difference(h).se for h in range(len(HORIZONS))])
        alone.append([independent.risk_difference(h).se for h in range(len(HORIZONS))])
    return tuple(map(np.array, (risks, naive, errors, alone)))


def test_risks_are_those_of_the_potential_outcomes_from_every_month() -> None:
    risks, _, errors, _ = found()
    spread = risks.std(axis=0, ddof=1) / np.sqrt(len(SEEDS))
    assert (np.abs(risks.mean(axis=0) - TRUTH) < 3 * spread).all()
    assert (spread[:, :2] < 0.006).all()
    difference = (risks[:, 0] - risks[:, 1]).mean(axis=0)
    assert (np.abs(difference - (TRUTH[0] - TRUTH[1])) < 2.5 * errors.mean(axis=0) / np.sqrt(len(SEEDS))).all()


def test_classified_by_what_they_did_people_seem_to_be_saved() -> None:
    naive, difference = found()[1].mean(axis=0), TRUTH[0] - TRUTH[1]
    assert naive[0] < 0 < difference[0]
    assert (np.abs(naive - difference)[:2] > 0.03).all()


def test_errors_are_by_person_and_those_of_independent_months_too_small() -> None:
    risks, _, errors, alone = found()
    spread = (risks[:, 0] - risks[:, 1]).std(axis=0, ddof=1)
    assert (errors.mean(axis=0) > 0.6 * spread).all()
    assert (errors.mean(axis=0) < 2 * spread).all()
    assert (errors.mean(axis=0) > 1.1 * alone.mean(axis=0))[1:].all()


def test_months_tell_more_than_the_first_alone() -> None:
    lives = live(PEOPLE, 300)
    rows, x = lives.grid()
    first = compare(rows, lives.strategies(), x, names=("ill", "frail"), bands=BANDS, causes=1, horizons=HORIZONS)
    result = compared(lives)
    for h in range(2):
        assert result.risk_difference(h).se < 0.9 * first.risk_difference(h).se


def test_intervals_that_nobody_follows_change_nothing() -> None:
    from sustained_world import EDGES

    from opioid_outcomes.causal.clone_censor import grid

    months = live(600, 301).months()
    rows, x = months.grid()
    until = np.maximum(*(each.left for each in months.strategies()))
    short = grid(months.time, months.cause, EDGES, until)
    assert len(short.person) < len(rows.person)
    kept = np.isin(rows.person * 100 + rows.interval, short.person * 100 + short.interval)
    whole, part = (
        compare(of, months.strategies(), z, names=("i", "f", "d"), bands=BANDS, causes=1, horizons=HORIZONS)
        for of, z in ((rows, x), (short, x[kept]))
    )
    np.testing.assert_array_equal(whole.risk, part.risk)


def test_the_bootstrap_draws_people_with_all_their_months() -> None:
    lives = live(500, 302)
    sandwich, bootstrap = compared(lives), compared(lives, se="bootstrap", replicates=40, seed=3)
    for h in range(2):
        assert bootstrap.risk_difference(h).estimate == sandwich.risk_difference(h).estimate
        assert 0.5 < bootstrap.risk_difference(h).se / sandwich.risk_difference(h).se < 1.4
