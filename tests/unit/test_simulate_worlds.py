"""What the worlds for mortality plant is in the simulated deaths, and the wrong analysis does not find it."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.simulate import deaths, morbidity, truth
from opioid_outcomes.simulate.cohort import Cohort, simulate
from opioid_outcomes.simulate.world import WORLDS

PERSONS = 2000
SEEDS = (1, 2)


def simulated(world: str, persons: int = PERSONS) -> list[Cohort]:
    return [simulate(WORLDS[world], persons, seed) for seed in SEEDS]


def at_risk(cohort: Cohort) -> tuple[np.ndarray, np.ndarray]:
    """Days followed from entry to death, and the day of each person's death, (persons, days)."""
    drawn, died = cohort.people, cohort.deaths.day >= 0
    days = int(drawn.length.max()) + deaths.REGISTRY_DAYS
    end = np.where(died, cohort.deaths.day + 1, drawn.length)
    day = np.arange(days)
    followed = (day >= drawn.entry[:, None]) & (day < end[:, None])
    return followed, (day == cohort.deaths.day[:, None]) & followed


def use(cohort: Cohort) -> deaths.Use:
    days = int(cohort.people.length.max()) + deaths.REGISTRY_DAYS
    return deaths.Use.of(cohort.care.fills, cohort.world, cohort.people.n, days)


def ratio(cohort: Cohort, group: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Log ratio of deaths over those expected at the known base hazard, and its variance."""
    followed, dies = at_risk(cohort)
    seen = [(dies & part).sum() for part in (group, reference)]
    expected = [(cohort.hazards.base[:, None] * (followed & part)).sum() for part in (group, reference)]
    return float(np.log(seen[0] / expected[0] / (seen[1] / expected[1]))), 1 / seen[0] + 1 / seen[1]


def pooled(found: list[tuple[float, float]]) -> tuple[float, float]:
    value, variance = np.array(found).T
    return float(np.average(value, weights=1 / variance)), float(np.sqrt(1 / (1 / variance).sum()))


def test_death_is_commoner_after_stopping_and_not_on() -> None:
    on_supply, early, late = [], [], []
    for cohort in simulated("stopping"):
        used = use(cohort)
        never = np.cumsum(used.on, axis=1) == 0
        stopped = used.stopped == 1
        current = (used.on == 1) & ~stopped
        early.append(ratio(cohort, stopped, current))
        on_supply.append(ratio(cohort, current, never))
        late.append(ratio(cohort, (used.on == 0) & ~stopped & ~never, never))
    value, se = pooled(early)
    assert abs(value - np.log(3)) < 3 * se
    assert value > 3 * se
    for found in (on_supply, late):
        value, se = pooled(found)
        assert abs(value) < 3 * se


def test_susceptibles_are_used_up() -> None:
    """On against off: high after the start, below 1 among those long on; as ``truth`` integrates it."""
    found: dict[str, list[tuple[float, float]]] = {"0-30": [], "31-180": [], "181-": []}
    known: dict[str, list[float]] = {name: [] for name in found}
    for cohort in simulated("depletion"):
        on = use(cohort).on
        day = np.arange(on.shape[1])
        since = np.where(on == 1, day - np.maximum.accumulate(np.where(on == 1, -1, day), axis=1) - 1, -1)
        for name, low, high in (("0-30", 0, 29), ("31-180", 30, 179), ("181-", 180, 9999)):
            found[name].append(ratio(cohort, (since >= low) & (since <= high), on == 0))
        for row in truth.of(cohort):
            if row["analysis"] == "mortality.current_use":
                known[row["window"]].append(row["truth"])
    for name, each in found.items():
        value, se = pooled(each)
        assert abs(value - np.mean(known[name])) < 3 * se, name
    assert np.exp(np.mean(known["0-30"])) > 2.2
    assert np.exp(np.mean(known["181-"])) < 0.9


def test_causes_are_raised_as_planted() -> None:
    """Cause-specific hazards on against off, each over those expected off at known covariates."""
    cohorts = simulated("causes")
    for cause in WORLDS["causes"].causes:
        seen, expected = np.zeros(2), np.zeros(2)
        for cohort in cohorts:
            followed, dies = at_risk(cohort)
            on = use(cohort).on == 1
            of_cause = np.isin(cohort.deaths.cause, cause.codes or ("",))
            seen += [(dies & on)[of_cause].sum(), (dies & ~on)[of_cause].sum()]
            expected += [(cohort.hazards.base[:, None] * (followed & part)).sum() for part in (on, ~on)]
        assert abs(seen[1] / (cause.share * expected[1]) - 1) < 3.5 / np.sqrt(seen[1]), cause.group
        found = np.log(seen[0] / expected[0] / (seen[1] / expected[1]))
        assert abs(found - np.log(cause.hazard_ratio)) < 3 * np.sqrt((1 / seen).sum()), cause.group


def test_shares_of_causes_add_up_and_overdose_has_what_was_planted() -> None:
    cohort = simulate(WORLDS["causes"], PERSONS, 1)
    shares = {r["outcome"]: r["truth"] for r in truth.of(cohort) if r["analysis"] == "mortality.overdose_share"}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    # 0.04 x (8 - 1) of what all causes add; a little more, as others die of other causes who would have died of these
    planted = 0.28 / (WORLDS["causes"].hazard_ratio - 1)
    assert planted < shares["death:opioid overdose"] < planted + 0.03


def test_opioid_use_disorder_follows_dose_and_duration() -> None:
    """First diagnoses over those expected off opioids, by the dose 90 days before, within short and long use."""
    seen, expected = np.zeros((2, 5)), np.zeros((2, 5))
    for cohort in simulated("null"):
        people = cohort.people
        days = int(people.length.max())
        rows = cohort.records.diagnoses.filter(code=morbidity.OUD).group_by("person_id").agg(first=("date")).to_dict()
        row_of = {number: row for row, number in enumerate(people.person_id)}
        diagnosed = np.full(people.n, days)
        for number, dates in zip(rows["person_id"], rows["first"], strict=True):
            diagnosed[row_of[number]] = min(dates) - people.start[row_of[number]]
        died = np.where(cohort.deaths.day >= 0, cohort.deaths.day + 1, people.length)
        day = np.arange(days)
        followed = (day > people.entry[:, None]) & (day < np.minimum(people.length, died)[:, None])
        followed &= day <= diagnosed[:, None]
        mme = morbidity.held_mme(cohort.care.fills, people.n, days)
        lagged = np.zeros_like(mme)
        lagged[:, 90:] = mme[:, :-90]
        band = np.where(lagged > 1e-6, 1 + np.searchsorted((20, 50, 90), lagged + 1e-6, side="right"), 0)
        long = band > 0
        for back in range(1, 91):  # on on each of the 90 days before as well
            long[:, back:] &= band[:, :-back] > 0
            long[:, :back] = False
        for k in range(2):
            inside = followed & (long == bool(k))
            expected[k] += np.bincount(band[inside], minlength=5) * morbidity.OUD_PER_YEAR / 365.25
            seen[k] += np.bincount(band[inside & (day == diagnosed[:, None])], minlength=5)
    planted = np.array([1.0, *morbidity.OUD_RATIOS]) * np.array([[1.0], [morbidity.OUD_LONG_RATIO]])
    used = expected > 0
    used[1, 0] = False
    assert seen.sum() > 80
    deviation = (seen - planted * expected)[used] / np.sqrt((planted * expected)[used])
    assert np.abs(deviation).max() < 3.5
