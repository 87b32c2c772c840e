"""Weights for the scores of those who still follow the strategy make up for those who left it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.config.hyperalgesia import Escalation
from opioid_outcomes.hyperalgesia import adherence, confounders, histories, trial, visits
from opioid_outcomes.hyperalgesia.adherence import Followed
from opioid_outcomes.hyperalgesia.trial import Trial

PERSONS, MONTHS, VISIT = 12_000, 7, 100
RULE = Escalation()


@pytest.fixture(scope="module")
def followed() -> tuple[Trial, np.ndarray, list[Followed]]:
    """A decision on day 100 each, a score a month; who hurts raises the dose in the next month. Doses do nothing."""
    rng = np.random.default_rng(3)
    usual = rng.normal(5, 1, PERSONS)
    pain = usual[:, None] + rng.normal(0, 1, (PERSONS, MONTHS))
    chance = 1 / (1 + np.exp(-(-2.5 + 0.9 * (pain - 5))))
    raises = rng.random((PERSONS, MONTHS)) < chance
    raises[:, 0] = False  # everybody maintains
    first = np.where(raises.any(axis=1), raises.argmax(axis=1), 99)
    people = [f"p{number:05d}" for number in range(PERSONS)]
    change = np.minimum(VISIT + 30 * first + rng.integers(0, 30, PERSONS), 400)  # in the month after a score that hurts
    doses = pl.concat([
        pl.DataFrame({"person_id": people, "start": np.zeros(PERSONS, dtype=int), "stop": change, "mme": 50.0}),
        pl.DataFrame({"person_id": people, "start": change, "stop": np.full(PERSONS, 500), "mme": 80.0}),
    ]).with_columns(mme_incomplete=pl.lit(0))  # fmt: skip
    days = VISIT + 30 * np.arange(MONTHS)
    scores = pl.DataFrame({
        "person_id": np.repeat(people, MONTHS), "date": np.tile(days, PERSONS), "score": pain.ravel(), "scale": "NRS",
    })  # fmt: skip
    everyone = pl.DataFrame({"person_id": people})
    status = everyone.with_columns(state=pl.lit("on"), start=pl.lit(0), stop=pl.lit(VISIT + 1), on_since=pl.lit(0))
    cohort = everyone.with_columns(entry=pl.lit(0), exit=pl.lit(VISIT + 365), death=pl.lit(0))
    known = histories.build(cohort, scores, doses, status)
    chosen = visits.eligible(known, stable_days=90)
    terms = confounders.build(chosen, known, baseline=[], missing="indicator", min_rise=0.2, min_mme=5.0)
    decisions = trial.escalations(chosen, terms, known, RULE)
    return decisions, pain, adherence.followed(decisions, known, [(31, 90), (91, 180)], RULE)


def test_weighted_means_of_those_who_follow_are_those_of_everybody(
    followed: tuple[Trial, np.ndarray, list[Followed]],
) -> None:
    decisions, pain, windows = followed
    assert len(decisions.taken) == PERSONS
    assert not decisions.taken.any()
    for window, months in zip(windows, (slice(2, 4), slice(4, 7)), strict=True):
        everybody = pain[:, months].mean()
        seen = np.isfinite(window.pain)
        plain = window.pain[seen].mean()
        weighted = (window.weight[seen] * window.pain[seen]).sum() / window.weight[seen].sum()
        assert everybody - plain > 0.05  # who hurts has left
        assert abs(everybody - weighted) < 0.02
        assert window.weight[seen].min() > 0


def test_weights_are_near_one_on_average_and_nobody_counts_after_leaving(
    followed: tuple[Trial, np.ndarray, list[Followed]],
) -> None:
    _, _, windows = followed
    for window in windows:
        seen = np.isfinite(window.pain)
        # 1 on average over the scores while following; less over decisions, as some leave within the window
        assert 0.85 < window.weight[seen].mean() < 1.0
        assert (window.weight[~seen] >= 0).all()
        assert window.mme[seen].min() == pytest.approx(50.0)
        assert np.median(window.mme[seen]) == pytest.approx(50.0)  # a rise is one once it has lasted for a week
