"""The truth of an escalation: what METHODS D2 predicts, and what a regression on the recorded scores finds."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.simulate import truth, truth_pain
from opioid_outcomes.simulate.cohort import Cohort, simulate
from opioid_outcomes.simulate.world import WORLDS

PERSONS = 4000


def by_window(known: list[dict[str, float]], scale: str) -> dict[str, tuple[float, float]]:
    return {
        row["window"]: (row["truth"], row["se"])
        for row in known
        if (row["analysis"], row["method"], row["scale"]) == ("hyperalgesia.escalation", "aipw", scale)
    }


@pytest.fixture(scope="module", params=["null", "relief", "tolerance", "hyperalgesia"])
def world(request: pytest.FixtureRequest) -> tuple[str, Cohort, list[dict[str, float]]]:
    cohort = simulate(WORLDS[request.param], PERSONS, 21)
    return request.param, cohort, truth.of(cohort)


def test_truth_has_the_shape_of_its_world(world: tuple[str, Cohort, list[dict[str, float]]]) -> None:
    name, _, known = world
    effect = by_window(known, "mean_difference_per_step")
    short, long = effect["1-30"][0], effect["181-365"][0]
    expected = {
        "null": short == long == 0,
        "relief": -0.65 < short < -0.4 and -0.65 < long < -0.4,
        "tolerance": short < -0.55 and abs(long) < 0.12,
        "hyperalgesia": short < -0.4 and long > 0.45,
    }
    assert expected[name]
    assert all(se < 0.03 for _, se in effect.values())


def window_effects(cohort: Cohort, first: int, last: int) -> tuple[float, float, float]:
    """Crude difference, regression on score, mean of earlier scores and dose, and its person-clustered SE."""
    cared = cohort.care
    person, visit = np.nonzero(cared.eligible)
    decided = cared.day[person, visit]
    since = cared.day[person] - decided[:, None]
    score = cared.score[person]
    seen = ~np.isnan(score)
    inside = (since >= max(first, 7)) & (since <= last) & seen
    before = (since < 0) & (since >= -180) & seen
    dose = truth_pain.daily_mme(cared.fills, cohort.people.n, int(cohort.people.length.max()))[person, decided - 1]
    use = inside.any(axis=1) & before.any(axis=1)
    y = np.where(inside, score, 0).sum(axis=1)[use] / inside.sum(axis=1)[use]
    past = np.where(before, score, 0).sum(axis=1)[use] / before.sum(axis=1)[use]
    up = cared.escalated[person, visit][use].astype(float)
    x = np.column_stack([up, np.ones(len(y)), cared.score[person, visit][use], past, dose[use]])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    scores = np.zeros((cohort.people.n, x.shape[1]))
    np.add.at(scores, person[use], x * (y - x @ beta)[:, None])
    return (
        float(y[up == 1].mean() - y[up == 0].mean()),
        float(beta[0]),
        float(np.sqrt((bread @ scores.T @ scores @ bread)[0, 0])),
    )


def test_regression_on_recorded_history_recovers_it(world: tuple[str, Cohort, list[dict[str, float]]]) -> None:
    """Within 3 standard errors in every window, while the unadjusted contrast is off by half a point somewhere."""
    _, cohort, known = world
    off = []
    for (first, last), (value, error) in zip(
        truth_pain.WINDOWS, by_window(known, "mean_difference").values(), strict=True
    ):
        crude, adjusted, se = window_effects(cohort, first, last)
        assert abs(adjusted - value) < 3 * np.hypot(se, error), (first, last)
        off.append(crude - value)
    assert max(off) > 0.5
    assert min(off) > 0.2  # people escalate because it hurts


def test_monte_carlo_error_is_honest() -> None:
    """Truths of independent cohorts scatter as their stated errors say."""
    known = [
        by_window(truth_pain.of(simulate(WORLDS["hyperalgesia"], 800, seed), None), "mean_difference")
        for seed in range(6)
    ]
    squares = []
    for window in ("1-30", "181-365"):
        values = np.array([each[window][0] for each in known])
        squares.append(values.var(ddof=1) / np.mean([each[window][1] ** 2 for each in known]))
    assert 0.15 < np.mean(squares) < 2.96  # chi-square with 10 degrees of freedom over 10: 0.1 % and 99.9 %


def test_planted_hazard_ratio_is_exact() -> None:
    for name, hazard_ratio in (("null", 1.0), ("mortality", 1.6)):
        row = truth.of(simulate(WORLDS[name], 100, 1))[0]
        assert row["analysis"] == "mortality.current_use"
        assert row["truth"] == pytest.approx(np.log(hazard_ratio))
        assert row["se"] == 0
