"""What simulated records hold beside scores and doses: rules that lower doses, therapies, measurements, repeats."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.simulate import care, measures, truth_pain
from opioid_outcomes.simulate.cohort import Cohort, simulate
from opioid_outcomes.simulate.world import WORLDS


@pytest.fixture(scope="module")
def clinic() -> Cohort:
    return simulate(WORLDS["hyperalgesia"], 4000, 31)


@pytest.fixture(scope="module")
def null() -> Cohort:
    return simulate(WORLDS["null"], 4000, 32)


def frequent_as_stated(cohort: Cohort, level: np.ndarray) -> float:
    """Largest deviation of escalations from their stated chance, in SD, over strata of a level of pain."""
    chance, taken = cohort.care.probability, cohort.care.escalated
    deviations = []
    for low in range(2, 9):
        stratum = (chance > 0) & (level >= low) & (level < low + 1)
        spread = np.sqrt((chance * (1 - chance))[stratum].sum())
        deviations.append(abs(taken[stratum].sum() - chance[stratum].sum()) / spread)
    return max(deviations)


def test_rules_lower_doses_whatever_the_pain(clinic: Cohort) -> None:
    """As much pain where a rule has lowered the dose as where one could have; a fifth at least, within three days."""
    cared, fills = clinic.care, clinic.care.fills
    person, visit = np.nonzero(cared.reduced)
    assert len(person) > 200
    felt, could = cared.pain[person, visit], cared.pain[cared.reducible]
    assert abs(felt.mean() - could.mean()) < 3 * felt.std() / np.sqrt(len(felt))
    key = fills.person * 10_000 + fills.day
    for who, day in zip(person, cared.day[person, visit], strict=True):
        first, last = np.searchsorted(key, [who * 10_000 + day, who * 10_000 + day + 4])
        if clinic.people.length[who] > day + 3:
            assert last == first + 1
            assert fills.mme[first] <= 0.8 * fills.mme[first - 1] + 1e-9
    until = clinic.people.start + clinic.people.length
    changes = clinic.records.changes
    assert 0.8 * len(person) < changes.height <= len(person)  # the dead are not changed
    assert set(changes["reason"]) == {"policy", "formulary", "prescriber"}
    assert (changes["date"].to_numpy() < until[np.searchsorted(clinic.people.person_id, changes["person_id"])]).all()


def test_therapies_relieve_less_on_opioids(clinic: Cohort, null: Cohort) -> None:
    """Twins with and without the sessions: points of pain at the visits of the 90 days after each."""
    for cohort, on_opioids in ((clinic, 0.4), (null, 1.0)):
        people, cared = cohort.people, cohort.care
        without = cohort.draws.rows(np.arange(people.n))
        without.therapy[:] = 1.0
        without.escalate[:], without.start[:, :-1], without.other[:] = 1.0, 1.0, 0.5  # nobody changes anything
        treated = cohort.draws.rows(np.arange(people.n))
        treated.escalate[:], treated.start[:, :-1], treated.other[:] = 1.0, 1.0, 0.5
        lives = [care.run(people, draws, cohort.world) for draws in (treated, without)]
        relief = lives[1].pain - lives[0].pain
        person, visit = np.nonzero(lives[0].therapy >= 0)
        use = visit + 1 < relief.shape[1]
        person, visit = person[use], visit[use]
        found = np.round(relief[person, visit + 1], 6)
        assert set(found[~np.isnan(found)]) <= {1.0, on_opioids}
        assert {1.0, on_opioids} <= set(found)
        assert 0.008 < (cared.therapy >= 0).sum() / (~np.isnan(cared.score)).sum() < 0.02


def test_measurements_answer_to_hyperalgesia_alone(clinic: Cohort, null: Cohort) -> None:
    assert not null.care.sensitised.any()
    found = measures.values(clinic.people, clinic.care, clinic.noise)
    seen = ~np.isnan(clinic.care.score)
    harm = clinic.care.sensitised[seen]
    for name, slope in ((measures.SPREAD, 4.0), (measures.COLD, -15.0), (measures.PRESSURE, -80.0)):
        x = np.column_stack([np.ones(len(harm)), harm, clinic.care.score[seen]])
        beta = np.linalg.lstsq(x, found[name][seen], rcond=None)[0]
        assert beta[1] == pytest.approx(slope, rel=0.15), name
    recorded = clinic.records.measurements
    share = recorded.group_by("measure").len().sort("measure")["len"].to_numpy() / clinic.records.visits.height
    assert share == pytest.approx([measures.TESTED_SHARE, measures.TESTED_SHARE, measures.SPREAD_SHARE], abs=0.01)
    assert recorded.filter(pl.col("measure") == measures.SPREAD)["value"].is_between(0, 19).all()


def test_repeats_tell_the_error_of_a_score() -> None:
    """Half the mean squared difference within days: the planted variance, 1/12 for rounding, and what flares move."""
    sd = {}
    for name in ("null", "noisy"):
        scores = (
            simulate(WORLDS[name], 2000, 5)
            .records.pain.filter(pl.col("score") <= 10)
            .unique()
            .sort("person_id", "date")
        )
        near = scores.with_columns(
            gap=pl.col("date").diff().over("person_id"), change=pl.col("score").diff().over("person_id")
        ).filter(pl.col("gap").is_between(1, 7))
        assert near.height > 1000
        sd[name] = float(np.sqrt((near["change"] ** 2).mean() / 2))
    drift = 2.25 * (1 - 0.6 ** (2 / 30))
    assert sd["noisy"] == pytest.approx(np.sqrt(1 + 1 / 12 + drift), abs=0.06)
    assert sd["null"] < 0.5


def test_decisions_follow_the_pain_that_is_not_recorded() -> None:
    cohort = simulate(WORLDS["noisy"], 4000, 6)
    chance, score, pain = cohort.care.probability, cohort.care.score, cohort.care.pain
    assert frequent_as_stated(cohort, pain) < 3.5
    at_same_score = (chance > 0) & (score == 6)
    hurts = pain > 6.5
    assert (
        cohort.care.escalated[at_same_score & hurts].mean() > 1.3 * cohort.care.escalated[at_same_score & ~hurts].mean()
    )


def test_who_has_more_pain_comes_more_often() -> None:
    cohort = simulate(WORLDS["informative_visits"], 3000, 7)
    level = cohort.people.mean_pain[:, None] + cohort.draws.flare
    seen = ~np.isnan(cohort.care.score)
    inside = cohort.draws.day < cohort.people.length[:, None]
    share = [seen[inside & (np.abs(level - at) < 0.5)].mean() for at in (3, 5, 7)]
    assert share == pytest.approx([1 / (1 + 3 / 7 * np.exp(-0.3 * (at - 5))) for at in (3, 5, 7)], abs=0.03)


def test_truth_of_reductions_measurements_and_steps(clinic: Cohort, null: Cohort) -> None:
    known = truth_pain.of(clinic, None)

    def of(analysis: str, window: str, scale: str = "mean_difference_per_step", outcome: str = "pain") -> float:
        (found,) = {
            row["truth"] for row in known
            if (row["analysis"], row["window"], row["scale"], row["outcome"]) == (analysis, window, scale, outcome)
        }  # fmt: skip
        return float(found)

    assert of("hyperalgesia.reduction", "181-365") < -0.45
    assert of("hyperalgesia.reduction", "29-90") > 0
    assert of("hyperalgesia.blip", "1-44") == pytest.approx(-0.63, abs=0.06)
    assert of("hyperalgesia.blip", "165-194") == pytest.approx(0.45, abs=0.04)
    assert of("hyperalgesia.spread", "181-365", "mean_difference", measures.SPREAD) > 1.5
    assert of("hyperalgesia.threshold", "181-365", "mean_difference", measures.COLD) < -5
    assert {row["truth"] for row in truth_pain.of(null, None)} == {0.0}
