"""causal.visit_intensity against R (tests/reference/pain/visit_intensity.R), and visits that are made in pain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal.visit_intensity import CoxFailure, at_risk, gee, split, staying, weights

REFERENCE = Path(__file__).parents[1] / "reference" / "pain"
VISITS = pl.read_csv(REFERENCE / "visits.csv")
R = json.loads((REFERENCE / "visit_intensity.json").read_text())
DAYS = 365


def test_equals_r() -> None:
    subject, day, arm, pain = (VISITS[name].to_numpy().astype(float) for name in ("subject", "day", "arm", "pain"))
    person = (subject - 1).astype(np.int64)
    rows = at_risk(person, day, np.full(len(day), 300))
    z = np.column_stack([pain[rows.last], arm[rows.last], day[rows.last]])
    found = weights(rows, z, names=["last", "arm", "lag"], person=person, stabiliser=["arm"])
    assert found.fits[0].params == pytest.approx(R["full"], abs=1e-6)
    assert found.fits[1].params == pytest.approx(R["null"], abs=1e-6)
    assert np.sqrt(np.diag(found.fits[0].robust_covariance)) == pytest.approx(R["robust"], abs=1e-6)
    assert found.weights[::7] == pytest.approx(R["weights"], abs=1e-6)
    x = np.column_stack([np.ones(len(day)), arm])
    fit = gee(x, pain, names=["1", "arm"], person=person, intensity=found)
    assert fit.params == pytest.approx(R["weighted"], abs=1e-6)
    assert gee(x, pain, names=["1", "arm"], person=person).params == pytest.approx(R["plain"], abs=1e-9)
    given = replace(found, influence=np.zeros_like(found.influence))  # geeglm takes weights as given, no G / (G - 1)
    theirs = np.sqrt(np.diag(gee(x, pain, names=["1", "arm"], person=person, intensity=given).covariance) * 149 / 150)
    assert theirs == pytest.approx(R["weighted_se"], abs=1e-6)


def test_staying_equals_r() -> None:
    rows = VISITS.join(pl.read_csv(REFERENCE / "leaving.csv"), on="subject", maintain_order="left")
    rows = rows.filter(pl.col("day") < pl.col("until"))
    subject, day, pain, until = (rows[name].to_numpy() for name in ("subject", "day", "pain", "until"))
    person = np.unique(subject, return_inverse=True)[1]
    risk = at_risk(subject, day, until)
    leaves = (risk.visit < 0) & (rows["leaves"].to_numpy()[risk.last] == 1)
    for cut in (None, 150):  # cutting rows changes nothing
        at = risk if cut is None else split(risk, cut)
        gone = (
            leaves
            if cut is None
            else (at.visit < 0) & (at.stop == until[at.last]) & (rows["leaves"].to_numpy()[at.last] == 1)
        )
        found = staying(
            at, gone, np.ones(len(gone), dtype=bool), pain[at.last][:, None], names=["last"], subject=subject,
            person=person,
        )  # fmt: skip
        assert found.fits[0].params == pytest.approx(R["leave"], abs=1e-6)
        # R's mean of the covariate is over whole rows: another constant per time, the same ratio within a day
        if cut is None:
            assert found.weights[::5] == pytest.approx(R["staying"], abs=1e-6)


def visits_made_in_pain(people: int, seed: int, *, effect: float) -> tuple[np.ndarray, ...]:
    """Subject, day, score and arm: in arm 1 the next visit comes the sooner, the worse the last score was."""
    rng = np.random.default_rng(seed)
    arm = (np.arange(people) % 2).astype(float)
    level, flare = rng.normal(5, 1, people) + effect * arm, rng.normal(0, 1.5, people)
    last = level + flare
    parts = [(np.arange(people), np.zeros(people), last.copy())]
    for day in range(1, DAYS + 1):
        flare = 0.98 * flare + rng.normal(0, 1.5 * np.sqrt(1 - 0.98**2), people)
        comes = rng.random(people) < 0.02 * np.exp(0.25 * arm * (last - 5))
        last = np.where(comes, level + flare, last)
        parts.append((np.flatnonzero(comes), np.full(int(comes.sum()), day), last[comes]))
    who, day, score = (np.concatenate([part[k] for part in parts]) for k in range(3))
    order = np.lexsort((day, who))
    return who[order].astype(np.int64), day[order].astype(np.int64), score[order], arm[who[order]]


def estimated(people: int, seed: int, *, effect: float) -> tuple[float, float, float]:
    """Difference between the arms without weights, with them, and the latter's error."""
    who, day, score, arm = visits_made_in_pain(people, seed, effect=effect)
    x = np.column_stack([np.ones(len(day)), arm])
    rows = at_risk(who, day, np.full(len(day), DAYS))
    z = np.column_stack([score[rows.last], arm[rows.last], (score * arm)[rows.last]])
    found = weights(rows, z, names=["last", "arm", "last x arm"], person=who, stabiliser=["arm"])
    plain = gee(x, score, names=["1", "arm"], person=who)
    weighted = gee(x, score, names=["1", "arm"], person=who, intensity=found)
    return float(plain.params[1]), float(weighted.params[1]), float(np.sqrt(weighted.covariance[1, 1]))


def test_weights_recover_a_difference_that_visits_made_in_pain_double() -> None:
    plain, weighted, se = estimated(20_000, 1, effect=0.5)
    assert plain > 1.0  # twice the truth
    assert weighted == pytest.approx(0.5, abs=0.06)
    assert se < 0.03


def test_errors_cover() -> None:
    """40 worlds of 500: 95 % intervals hold the truth in at least 34 (one in 1,000 chances of fewer)."""
    found = [estimated(500, seed, effect=0.0) for seed in range(100, 140)]
    covered = sum(abs(weighted) <= 1.96 * se for _, weighted, se in found)
    assert covered >= 34
    spread = np.std([weighted for _, weighted, _ in found])
    assert np.mean([se for *_, se in found]) == pytest.approx(spread, rel=0.25)


def test_rows_at_risk_by_hand() -> None:
    rows = at_risk([0, 0, 1], [0, 40, 5], [100, 100, 5], cuts=(30, 60))
    told = list(zip(rows.last, rows.start, rows.stop, rows.since, rows.visit, strict=True))
    assert told == [(0, 0, 30, 0, -1), (0, 30, 40, 1, 1), (1, 40, 70, 0, -1), (1, 70, 100, 1, -1)]


def test_one_visit_each_has_no_intensity() -> None:
    rows = at_risk([0, 1], [0, 0], [10, 10])
    with pytest.raises(CoxFailure):
        weights(rows, np.array([[1.0], [2.0]]), names=["last"], person=[0, 1])


def test_unsorted_visits_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        at_risk([0, 0], [5, 5], [9, 9])
