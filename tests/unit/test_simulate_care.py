"""Simulated care: pain answers to dose as METHODS D2 says, decisions follow what is on record, supply adds up."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.simulate import care, draws, people
from opioid_outcomes.simulate.cohort import generator
from opioid_outcomes.simulate.drugs import OPIOIDS
from opioid_outcomes.simulate.world import WORLDS


def lived(world: str, persons: int, seed: int) -> tuple[people.People, care.Care]:
    drawn = people.draw(persons, generator(seed, 0))
    return drawn, care.run(drawn, draws.draw(drawn, generator(seed, 1)), WORLDS[world])


@pytest.mark.parametrize(
    ("world", "after_1", "after_6"),
    [("null", 0.0, 0.0), ("relief", -0.5, -0.5), ("tolerance", -0.8, -0.066), ("hyperalgesia", -0.630, 0.453)],
)
def test_effect_of_a_step_after_one_and_six_months(world: str, after_1: float, after_6: float) -> None:
    """METHODS D2, column "truth lag1/lag6"."""
    assert care.blip(np.array([1.0, 6.0]), WORLDS[world]) == pytest.approx([after_1, after_6], abs=5e-4)
    assert care.blip(np.array([0.0, -3.0]), WORLDS[world]).tolist() == [0.0, 0.0]


def test_pain_without_effects_has_the_moments_of_its_parts() -> None:
    """Variance 1.2^2 + 1.5^2, 1/12 for rounding, and what depression and fibromyalgia add; flares fade by .6."""
    drawn, cared = lived("null", 4000, 1)
    score = cared.score
    rise = 0.4 * (drawn.conditions["fibromyalgia"] + drawn.conditions["depression"])
    assert np.nanmean(score) == pytest.approx(5, abs=0.05)
    assert np.nanvar(score) == pytest.approx(1.44 + 2.25 + 1 / 12 + rise.var(), rel=0.04)
    monthly = np.diff(cared.day, axis=1)[:, :20] == 30
    both = monthly & ~np.isnan(score[:, :20]) & ~np.isnan(score[:, 1:21])
    covariance = np.cov(score[:, :20][both], score[:, 1:21][both])[0, 1]
    assert covariance == pytest.approx(1.44 + rise.var() + 0.6 * 2.25, rel=0.06)


def test_escalation_depends_on_the_recorded_score_and_the_dose_alone() -> None:
    """Decisions are as frequent as the stated chance, within every stratum of score."""
    _, cared = lived("hyperalgesia", 4000, 2)
    possible = cared.probability > 0
    for score in range(2, 10):
        stratum = possible & (cared.score == score)
        expected = cared.probability[stratum].sum()
        spread = np.sqrt((cared.probability[stratum] * (1 - cared.probability[stratum])).sum())
        assert abs(cared.escalated[stratum].sum() - expected) < 3.5 * spread, score
    assert not cared.escalated[~possible].any()


def test_a_clinic_of_5000_supports_the_escalation_trial() -> None:
    _, cared = lived("hyperalgesia", 5000, 3)
    assert cared.eligible.any(axis=1).sum() >= 1000
    assert (cared.eligible & cared.escalated).sum() >= 400
    assert np.isin(cared.score[~np.isnan(cared.score)], [0, 10]).mean() < 0.05  # clipping stays rare


def test_a_raised_dose_is_dispensed_within_three_days_and_counts_as_an_escalation() -> None:
    drawn, cared = lived("hyperalgesia", 2000, 4)
    fills = cared.fills
    person, visit = np.nonzero(cared.escalated & (cared.day + 3 < drawn.length[:, None]))
    key = fills.person * 10_000 + fills.day
    for who, day in zip(person[:300], cared.day[person[:300], visit[:300]], strict=True):
        first, last = np.searchsorted(key, [who * 10_000 + day, who * 10_000 + day + 4])
        assert last == first + 1
        before, after = fills.mme[first - 1], fills.mme[first]
        assert after >= 1.2 * before
        assert after >= before + 5


def test_supply_ends_where_stockpiling_says() -> None:
    """CONTRACT 7, by hand: left-over days, at most 30, times old over new units a day, are added to an early refill."""
    _, cared = lived("null", 1000, 5)
    fills = cared.fills
    end, before = -1.0, -1
    carried = 0
    for row in range(len(fills.day)):
        if fills.person[row] != before or fills.product[row] != fills.product[row - 1]:
            end, before = -1.0, int(fills.person[row])
        left = min(max(end - fills.day[row], 0.0), 30.0)
        if left:
            carried += 1
            left *= fills.units[row - 1] / fills.units[row]
        end = fills.day[row] + fills.days_supply[row] + left + fills.held[row]
        assert fills.end[row] == pytest.approx(end, abs=1e-9)
    assert carried > 100


def test_products_carry_the_factors_of_cdc_2022() -> None:
    """METHODS B1: MME a day of one unit a day is strength x factor, and a patch is worn for three days.

    Buprenorphine's is of HEAL: 2.2 a mcg/h over seven days; who has it has no known dose by CDC, and is not escalated.
    """
    factor = {"oxycodone": 1.5, "morphine": 1, "hydrocodone": 1, "tramadol": 0.2, "codeine": 0.15, "fentanyl": 2.4 * 3,
              "methadone": 4.7, "hydromorphone": 5, "tapentadol": 0.4, "buprenorphine": 2.2 * 7}  # fmt: skip
    for product in OPIOIDS:
        assert product.mme == pytest.approx(product.strength * factor[product.ingredient]), product.name
        assert product.step == 0 or product.ingredient != "buprenorphine"


def test_nothing_is_dispensed_in_hospital_and_supply_lasts_longer_by_the_stay() -> None:
    """By hand: the fill before an admission ends later by each stay that interrupts it, and no refill comes earlier."""
    drawn, cared = lived("mortality", 1500, 6)
    fills = cared.fills
    person, visit = np.nonzero((cared.admission < draws.NEVER) & (cared.admission + 40 < drawn.length[:, None]))
    held = np.zeros(len(fills.day), dtype=int)
    interrupted = 0
    for who, start, days in zip(person, cared.admission[person, visit], cared.stay_days[person, visit], strict=True):
        first, last = np.searchsorted(fills.person, [who, who + 1])
        theirs = fills.day[first:last]
        assert not ((theirs >= start) & (theirs < start + days)).any()
        before = first + np.searchsorted(theirs, start) - 1
        if before < first or fills.stop[before] - fills.held[before] + held[before] <= start:
            continue
        held[before] += days
        interrupted += 1
        if before + 1 < last:
            assert fills.day[before + 1] >= fills.end[before]
    assert interrupted > 100
    known = np.isin(fills.person, person) & (fills.end + 60 < drawn.length[fills.person])
    assert held[known].tolist() == fills.held[known].tolist()


def test_some_long_term_users_step_down_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falls of dose from one refill to the next: hardly anybody has two in a row without a plan to taper."""
    people_with, ending = {}, {}
    for chance in (care.STEP_DOWN, 0.0):
        monkeypatch.setattr(care, "STEP_DOWN", chance)
        _, cared = lived("mortality", 3000, 7)
        fills = cared.fills
        same = (fills.person[1:] == fills.person[:-1]) & (fills.product[1:] == fills.product[:-1])
        fell = same & (fills.units[1:] < fills.units[:-1])
        twice = np.flatnonzero(fell[1:] & fell[:-1]) + 2  # the fill of the second fall
        people_with[chance] = len(np.unique(fills.person[twice]))
        ending[chance] = (fills.next_day[twice] - fills.stop[twice] > 60).mean()
    assert people_with[care.STEP_DOWN] <= 2
    assert people_with[0.003] > 20
    assert ending[0.003] > 0.2
