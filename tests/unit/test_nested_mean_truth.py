"""Worlds whose effects by lag are known (METHODS D2): found where slopes and crude contrasts mislead."""

from __future__ import annotations

from dataclasses import replace

import blip_world
import numpy as np
import pain_world
import pytest

from opioid_outcomes.causal import nested_mean
from opioid_outcomes.causal.nested_mean import NestedMean
from opioid_outcomes.survival import person_bootstrap

VARYING = ("pain", "dose", "state")


def least_squares(y: np.ndarray, *columns: np.ndarray) -> float:
    """Coefficient of the first column."""
    design = np.column_stack([*columns, np.ones(len(y))])
    return float(np.linalg.lstsq(design, y, rcond=None)[0][0])


def found_in(world: pain_world.World, count: int, seed: int) -> tuple[NestedMean, pain_world.Lives]:
    lives = pain_world.live(world, pain_world.Draws.of(world, seed))
    d = blip_world.decisions(lives)
    lags = blip_world.lags(lives.raised, lives.recorded, count)
    return nested_mean.fit(d.x, d.steps, lags, names=blip_world.NAMES, person=d.person), lives


def after(lives: pain_world.Lives, lag: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decisions, scores so many months later, and the history, of decisions that have one."""
    history = np.column_stack([lives.score[:-lag].ravel(), lives.dose[: -lag - 1].ravel()])
    return lives.raised[:-lag].ravel().astype(float), lives.score[lag:].ravel(), history


@pytest.mark.parametrize("name", pain_world.D2)
def test_lags_1_and_6_are_found_where_slopes_and_crude_contrasts_mislead(name: str) -> None:
    world = pain_world.D2[name]
    found, lives = found_in(world, 6, seed=20)
    assert lives.raised.shape == (24, 60_000)
    truth = world.blip(np.arange(1, 7))
    for lag in (1, 6):
        contrast = found.mean([lag])
        assert abs(contrast.estimate - truth[lag - 1]) < 0.05
        assert contrast.se < 0.015
        decided, score, _ = after(lives, lag)
        crude = score[decided == 1].mean() - score[decided == 0].mean()
        assert abs(crude - truth[lag - 1]) > 0.5
    assert np.abs(found.psi[:, 0] - truth).max() < 0.05
    slope = least_squares(lives.score.ravel(), lives.dose[:-1].ravel())
    assert slope > 0.1  # "hyperalgesia" in all four worlds
    if name != "hyperalgesia":
        assert slope > truth[5] + 0.15


def test_later_escalations_part_the_trial_from_the_step_and_the_step_is_found() -> None:
    """8 % raise the dose every month; whom a step relieves raises it less, so that the trial's effect is less."""
    world = replace(pain_world.D2["relief"], escalation=-2.4, by_pain=0.6)
    found, lives = found_in(world, 12, seed=21)
    assert 0.075 < lives.raised.mean() < 0.1
    truth = world.blip(np.arange(1, 13))
    assert np.abs(found.psi[:, 0] - truth).max() < 0.03
    decided, score, history = after(lives, 12)
    trial = least_squares(score, decided, history)
    assert trial - truth[11] > 0.1


def test_what_the_effect_varies_with_over_time_is_found() -> None:
    world = blip_world.modified(20_000, 14, seed=5)
    x, steps, person = world.rows()
    lags = blip_world.lags(world.steps, world.pain, 4, world.state)
    found = nested_mean.fit(x, steps, lags, names=VARYING, person=person, modifiers=x[:, 2:])
    errors = np.sqrt(np.diag(found.joint().covariance)).reshape(4, 2)
    assert errors.max() < 0.03
    expected = np.column_stack([blip_world.EFFECT, blip_world.MORE])
    assert (np.abs(found.psi - expected) < 3 * errors).all()
    assert np.abs(found.psi - expected).max() < 0.05


def test_either_model_may_be_wrong() -> None:
    """Pain does not move in a line: the model of outcomes is wrong; with its sign alone that of steps is, too."""
    world = blip_world.modified(20_000, 10, seed=6, curved=0.25)
    x, steps, person = world.rows()
    plain = x[:, [0, 1, 2]]
    found = {}
    for name, history in {"one right": plain, "both wrong": np.column_stack([x[:, 0] > 5, x[:, 1:]])}.items():
        lags = blip_world.lags(world.steps, world.pain, 2, world.state)
        found[name] = nested_mean.fit(history, steps, lags, names=VARYING, person=person, modifiers=x[:, 2:])
    assert np.abs(found["one right"].psi[:, 0] - blip_world.EFFECT[:2]).max() < 0.04
    assert np.abs(found["both wrong"].psi[:, 0] - blip_world.EFFECT[:2]).min() > 0.1


def observed(world: blip_world.Varying, seed: int) -> np.ndarray:
    """Pain as it is recorded: who took a step or hurts comes less often, by what was known a month before."""
    rng = np.random.default_rng(seed)
    before = np.vstack([world.pain[:1], world.pain[:-1]])
    stepped = np.vstack([0 * world.steps[:1], world.steps[:-1] > 0])
    chance = pain_world.expit(1.0 - 1.2 * stepped + 0.5 * (before - 5) * (1 - 2 * stepped))
    return np.where(rng.random(world.pain.shape) < chance, world.pain, np.nan)


def fit_small(persons: int, months: int, seed: int, weights: np.ndarray | None = None) -> NestedMean:
    world = blip_world.modified(persons, months, seed)
    x, steps, person = world.rows()
    lags = blip_world.lags(world.steps, observed(world, seed + 1), 4, world.state)
    return nested_mean.fit(
        x, steps, lags, names=VARYING, person=person, modifiers=x[:, 2:],
        weights=None if weights is None else weights[person],
    )  # fmt: skip


def test_standard_errors_are_those_of_a_bootstrap_of_people() -> None:
    persons, replicates = 1_200, 250
    people = person_bootstrap.persons(np.arange(persons))
    errors = np.sqrt(np.diag(fit_small(persons, 10, 30).joint().covariance))
    drawn = [fit_small(persons, 10, 30, people.draw(number, 9)).psi.ravel() for number in range(replicates)]
    ratio = errors / np.std(drawn, axis=0, ddof=1)
    assert ratio.shape == (8,)
    assert abs(ratio.mean() - 1) < 0.05
    assert np.abs(ratio - 1).max() < 0.12


def test_limits_cover_the_truth_in_19_of_20_small_cohorts() -> None:
    replicates, covered, scaled = 300, np.zeros((4, 2)), []
    expected = np.column_stack([blip_world.EFFECT, blip_world.MORE])
    for seed in range(replicates):
        found = fit_small(600, 8, 1_000 + 2 * seed)
        errors = np.sqrt(np.diag(found.joint().covariance)).reshape(4, 2)
        scaled.append((found.psi - expected) / errors)
        covered += np.abs(scaled[-1]) < 1.96
    share = covered / replicates
    assert 0.93 < share.mean() < 0.97
    assert share.min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / replicates)
    assert np.abs(np.mean(scaled, axis=0)).max() < 4 / np.sqrt(replicates)


def test_weights_stand_for_outcomes_that_are_missing_by_what_was_done() -> None:
    """Outcomes curve in the history, so that the model of them is wrong, and are missing by history and step."""
    rng = np.random.default_rng(40)
    n = 60_000
    x = rng.normal(size=(n, 1))
    steps = (rng.random(n) < pain_world.expit(-1 + 0.7 * x[:, 0])).astype(float)
    y = x[:, 0] ** 2 - 0.5 * steps + rng.normal(0, 0.5, n)
    came = rng.random(n) < pain_world.expit(1.0 + x[:, 0] - 2.0 * steps)
    lag = nested_mean.Lag(np.where(came, y, np.nan), None, np.ones(n, dtype=bool))
    found = {
        weighted: nested_mean.fit(x, steps, [lag], names=["x"], person=np.arange(n), observation=weighted).mean([1])
        for weighted in (True, False)
    }
    assert abs(found[True].estimate + 0.5) < 2 * found[True].se < 0.06
    assert found[False].ci_low > -0.4
