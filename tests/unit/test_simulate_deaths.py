"""The planted hazard ratio is in the simulated deaths, and the wrong analysis does not find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from opioid_outcomes.simulate import deaths
from opioid_outcomes.simulate.cohort import Cohort, simulate
from opioid_outcomes.simulate.world import WORLDS

PERSONS = 3000
SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Followed:
    """Per person: days on and off after entry, hazard when off, death, and whether on when it came."""

    on: np.ndarray
    off: np.ndarray
    hazard: np.ndarray
    died: np.ndarray
    died_on: np.ndarray


def followed(cohort: Cohort) -> Followed:
    drawn, died = cohort.people, cohort.deaths.day >= 0
    days = int(drawn.length.max()) + deaths.REGISTRY_DAYS
    on = deaths.on_days(cohort.care.fills, drawn.n, days) == 1
    end = np.where(died, cohort.deaths.day + 1, drawn.length)
    day = np.arange(days)
    at_risk = (day >= drawn.entry[:, None]) & (day < end[:, None])
    pain = deaths.pain_before_entry(drawn, cohort.care)
    return Followed(
        (on & at_risk).sum(axis=1),
        (~on & at_risk).sum(axis=1),
        np.exp(deaths.log_hazard(drawn, pain)),
        died,
        on[np.arange(drawn.n), np.maximum(cohort.deaths.day, 0)] & died,
    )


@pytest.mark.parametrize("world", ["null", "mortality", "immortal_time"])
def test_hazard_ratio_is_as_planted(world: str) -> None:
    """Deaths over those expected off opioids, on against off: the maximum likelihood estimate at known covariates."""
    found, variance, deaths_seen = [], 0.0, 0
    for seed in SEEDS:
        seen = followed(simulate(WORLDS[world], PERSONS, seed))
        died_off = seen.died & ~seen.died_on
        ratio_on = seen.died_on.sum() / (seen.hazard * seen.on).sum()
        ratio_off = died_off.sum() / (seen.hazard * seen.off).sum()
        assert abs(ratio_off - 1) < 3.5 / np.sqrt(died_off.sum())
        found.append(np.log(ratio_on / ratio_off))
        variance += 1 / seen.died_on.sum() + 1 / died_off.sum()
        deaths_seen += seen.died.sum()
    assert deaths_seen > 200 * len(SEEDS)
    truth = np.log(WORLDS[world].hazard_ratio)
    assert abs(np.mean(found) - truth) < 3 * np.sqrt(variance) / len(SEEDS)


def ever_against_never(cohort: Cohort, seen: Followed) -> float:
    """The wrong analysis: death rate from entry of those who ever start after it, over that of those who never do."""
    days = int(cohort.people.length.max()) + deaths.REGISTRY_DAYS
    new = deaths.on_days(cohort.care.fills, PERSONS, days)[np.arange(PERSONS), cohort.people.entry] == 0
    rate = [
        seen.died[arm].sum() / (seen.on + seen.off)[arm].sum() for arm in (new & (seen.on > 0), new & (seen.on == 0))
    ]
    return float(rate[0] / rate[1])


def test_crude_is_confounded_and_ever_against_never_is_immortal() -> None:
    """Planted 1.6: crude rates on and off opioids show far more, counting all time of ever-users far less."""
    crude, ever = [], []
    for seed in SEEDS:
        cohort = simulate(WORLDS["mortality"], PERSONS, seed)
        seen = followed(cohort)
        rate_off = (seen.died & ~seen.died_on).sum() / seen.off.sum()
        crude.append(seen.died_on.sum() / seen.on.sum() / rate_off)
        ever.append(ever_against_never(cohort, seen))
    assert np.mean(crude) > 2.2
    assert np.mean(ever) < 1.2


def test_immortal_time_makes_a_null_look_protective() -> None:
    cohorts = [simulate(WORLDS["immortal_time"], PERSONS, seed) for seed in SEEDS]
    assert np.mean([ever_against_never(cohort, followed(cohort)) for cohort in cohorts]) < 0.85


def test_overdose_is_commoner_on_opioids_and_carries_its_drug() -> None:
    cohort = simulate(WORLDS["mortality"], 5000, 7)
    seen = followed(cohort)
    overdose = cohort.deaths.cause == deaths.OVERDOSE
    share_on = overdose[seen.died_on].mean()
    share_off = overdose[seen.died & ~seen.died_on].mean()
    assert share_on == pytest.approx(0.22, abs=0.08)
    assert share_off == pytest.approx(0.04, abs=0.04)
    assert all(text.startswith("T40") for text in cohort.deaths.contributing[overdose])
    assert set(cohort.deaths.contributing[~overdose]) == {""}
