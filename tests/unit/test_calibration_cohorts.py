"""Cohorts for calibration: like the study's own, and of known truth."""

from __future__ import annotations

import numpy as np
import pain_source
import pytest

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.hyperalgesia import confounders, trial, visits
from opioid_outcomes.hyperalgesia.calibrate import cohorts, pain_model, source, truth, worlds
from opioid_outcomes.hyperalgesia.calibrate.cohorts import Draws, Forced, Lived
from opioid_outcomes.hyperalgesia.calibrate.source import Source
from opioid_outcomes.hyperalgesia.histories import Histories

OPTIONS = Hyperalgesia()
LONG = OPTIONS.windows_days[-1]
WORLDS = ("null", "relief", "tolerance", "hyperalgesia", "noisy_null", "informative_visits")


@pytest.fixture(scope="module")
def study() -> Histories:
    return pain_source.study(1500, 24, 20260101, error=0.8)


def of(study: Histories, error_variance: float = 0.64) -> Source:
    made = source.build(study, OPTIONS, error_variance=error_variance, baseline=["depression"], missing="indicator")
    assert isinstance(made, Source)
    return made


@pytest.fixture(scope="module")
def known(study: Histories) -> Source:
    return of(study)


def lived(known: Source, world: str, seed: int, people: int | None = None, forced: Forced | None = None) -> Lived:
    draws = Draws.of(known, people or known.size, np.random.default_rng(seed))
    return cohorts.live(known, worlds.of(world, LONG), draws, OPTIONS.escalation, step_mme=20, forced=forced)


def by_hand(known: Source, world: worlds.World, draws: Draws, person: int, forced: tuple[int, bool] | None):
    """One person's life, visit after visit, as the world says: scores, doses day by day, raised."""
    who = draws.chosen[person]
    rows = range(known.visit_first[who], known.visit_first[who + 1])
    pain, rule = known.pain, OPTIONS.escalation
    decisions = known.decisions
    if world.by_true_pain:
        true = pain.between + pain.flare
        decisions = decisions.on_true_pain(true / (true + pain.error + 1 / 12))
    usual = pain.usual[who] + pain.usual_sd[who] * draws.usual[person]
    flare, level, changed, period, steps, scores, raised, changes = 0.0, known.dose[who], -(10**9), 0, [], [], [], []
    for visit, row in enumerate(rows):
        day = known.visit_day[row]
        if visit == 0:
            flare = np.sqrt(pain.flare) * draws.flare[person, 0]
        else:
            kept = pain.correlation ** ((day - known.visit_day[row - 1]) / 30)
            flare = kept * flare + np.sqrt(pain.flare * (1 - kept**2)) * draws.flare[person, visit]
        now = usual + flare
        for size, begin, end in steps:
            now += size / 20 * float(world.effect(np.float64(day - begin)) - world.effect(np.float64(day - end)))
        score = float(np.clip(np.rint(now + np.sqrt(pain.error) * draws.error[person, visit]), 0, 10))
        comes = not world.informative or draws.come[person, visit] < 1 / (
            1 + np.exp(-(1.4 + 0.35 * (now - pain.mean) + 0.5 * (level > known.dose[who])))
        )
        scores.append(score if comes else np.nan)
        raised.append(False)
        if not (comes and known.decides[row]):
            continue
        if known.period[row] != period:
            period, level, changed = known.period[row], known.dose[who], known.begins[row]
            changes.append((known.begins[row], level, known.begins[row]))
        least = max(rule.min_mme, rule.min_rise * level)
        steady = day - changed >= rule.stable_days
        possible = day >= changed and level + least <= decisions.highest
        odds = decisions.constant + decisions.pain * ((now if world.by_true_pain else score) - 5)
        odds += decisions.dose * level / 20 + decisions.steady * steady
        up = possible and draws.up[person, visit] < 1 / (1 + np.exp(-odds))
        if forced is not None and forced[0] == visit:
            up = possible and forced[1]
        down = not up and day >= changed and draws.down[person, visit] < decisions.fall_share
        raised[-1] = up
        delay = decisions.delays[int(draws.delay[person, visit] * len(decisions.delays))]
        new = day + (min(delay, known.visit_day[row + 1] - 1 - day) if row + 1 < rows.stop else delay)
        if up:
            rise = decisions.rises[int(draws.rise[person, visit] * len(decisions.rises))]
            size = min(max(rise, least), max(decisions.highest - level, least))
        elif down:
            size = level * decisions.falls[int(draws.rise[person, visit] * len(decisions.falls))] - level
        else:
            continue
        steps.append((size, new, max(known.ends[row], new)))
        level, changed = level + size, new
        changes.append((new, level, min(day + rule.grace_days + 1, known.ends[row] + 30) if up else new))
    return np.array(scores), np.array(raised), changes


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("force", [None, True, False])
def test_lives_are_those_of_one_person_after_another(known: Source, world: str, force: bool | None) -> None:
    people = 60
    draws = Draws.of(known, people, np.random.default_rng(3))
    at = np.full(people, 9)
    forced = None if force is None else Forced(at, force)
    found = cohorts.live(known, worlds.of(world, LONG), draws, OPTIONS.escalation, step_mme=20, forced=forced)
    seen = cohorts.as_histories(found)
    changed = 0
    for person in range(people):
        expected = by_hand(known, worlds.of(world, LONG), draws, person, None if force is None else (9, force))
        scores, raised, changes = expected
        np.testing.assert_array_equal(found.score[person, : len(scores)], scores)
        np.testing.assert_array_equal(found.raised[person, : len(raised)], raised)
        assert np.isnan(found.score[person, len(scores) :]).all()
        changed += len(changes)
        who = draws.chosen[person]
        start, stop = known.supply.first[who], known.supply.first[who + 1]
        days = np.concatenate(
            [
                np.arange(a, b)
                for a, b in zip(known.supply.start[start:stop], known.supply.stop[start:stop], strict=True)
            ]
        )
        # and those for which a rise was dispensed
        days = np.unique(np.concatenate([days, *(np.arange(begin, until) for begin, _, until in changes)])).astype(int)
        dose = np.full(len(days), known.dose[who])
        for begin, level, _ in changes:  # in the order in which they were decided
            # a change goes until the next long gap, after which the dose is the usual one
            first, last = known.periods.first[who], known.periods.first[who + 1]
            ends = known.periods.start[first:last]
            until = ends[ends > begin].min(initial=10**9)
            dose[(days >= begin) & (days < until)] = level
        np.testing.assert_allclose(seen.dose.on_day(np.full(len(days), person), days), dose)
    assert changed > 20


def test_the_truth_is_that_of_both_lives_of_every_decision_to_raise(known: Source) -> None:
    """Brute force: each decision that was in fact to raise is taken back once, one at a time, and nothing drawn."""
    world, people = worlds.of("hyperalgesia", LONG), 1500
    draws = Draws.of(known, people, np.random.default_rng(8))
    rule = OPTIONS.escalation
    free = cohorts.live(known, world, draws, rule, step_mme=20)
    as_lived = cohorts.as_histories(free)
    decided = visits.eligible(as_lived, stable_days=90)
    place = free.place(decided.person, decided.day)
    chosen = free.raised[decided.person, place] & trial.raised(decided, as_lived, rule)[0]
    chosen &= as_lived.exit[decided.person] > decided.day + rule.grace_days
    person, day, place = decided.person[chosen], decided.day[chosen], place[chosen]
    number = np.arange(len(person)) - np.searchsorted(person, person)  # 0 for a person's first decision to raise
    sums = np.zeros((len(OPTIONS.windows_days), 2))
    errors = [[] for _ in OPTIONS.windows_days]
    for each in range(int(number.max()) + 1):
        rows = number == each
        at = np.full(people, -1)
        at[person[rows]] = place[rows]
        without = cohorts.as_histories(
            cohorts.live(known, world, draws, rule, step_mme=20, forced=Forced(at, raised=False))
        )
        for window, (first, last) in enumerate(OPTIONS.windows_days):
            begin = day[rows] + max(first, rule.grace_days)
            end = np.minimum(day[rows] + last, as_lived.exit[person[rows]] - 1)
            pain = [life.pain.mean(person[rows], begin, end) for life in (as_lived, without)]
            mme = [life.dose.mean(person[rows], begin, np.maximum(end + 1, begin)) for life in (as_lived, without)]
            seen = np.isfinite(pain[0]) & np.isfinite(mme[0])
            sums[window] += (pain[0] - pain[1])[seen].sum(), (mme[0] - mme[1])[seen].sum()
            errors[window].append(np.stack([(pain[0] - pain[1])[seen], (mme[0] - mme[1])[seen]]))
    expected = 20 * sums[:, 0] / sums[:, 1]
    found = truth.of(known, world, OPTIONS, seed=[4], people=6000)
    for window, parts in enumerate(errors):
        pains, doses = np.concatenate(parts, axis=1)
        own = 20 * np.sqrt(((pains - expected[window] / 20 * doses) ** 2).sum()) / doses.sum()
        assert own < 0.05
        assert abs(found.per_step[window] - expected[window]) < 4 * np.hypot(own, found.se[window])
    assert found.per_step[0] == pytest.approx(-0.5, abs=0.15)
    assert found.per_step[-1] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("world", ["null", "noisy_null", "relief", "tolerance"])
def test_simulated_cohorts_are_like_the_study(study: Histories, known: Source, world: str) -> None:
    own, simulated = (summary(each) for each in (study, cohorts.as_histories(lived(known, world, 5))))
    assert simulated["people"] == pytest.approx(own["people"], rel=0.02)
    assert simulated["decisions"] == pytest.approx(own["decisions"], rel=0.05)
    assert simulated["raised"] == pytest.approx(own["raised"], rel=0.2)
    assert simulated["raised people"] == pytest.approx(own["raised people"], rel=0.2)
    assert simulated["dose"] == pytest.approx(own["dose"], rel=0.1)
    assert simulated["mean"] == pytest.approx(own["mean"], abs=0.3)
    assert simulated["sd"] == pytest.approx(own["sd"], rel=0.06)
    assert simulated["next"] == pytest.approx(own["next"], abs=0.05)


def summary(histories: Histories) -> dict[str, float]:
    decided = visits.eligible(histories, stable_days=90)
    raised, known = trial.raised(decided, histories, OPTIONS.escalation)
    same = np.diff(decided.person) == 0
    return {
        "people": len(np.unique(decided.person)), "decisions": len(decided.person), "raised": (raised & known).sum(),
        "raised people": len(np.unique(decided.person[raised])), "dose": float(decided.dose.mean()),
        "mean": float(decided.pain.mean()), "sd": float(decided.pain.std()),
        "next": float(np.corrcoef(decided.pain[1:][same], decided.pain[:-1][same])[0, 1]),
    }  # fmt: skip


def test_visits_that_depend_on_pain_are_fewer_and_more_painful(known: Source) -> None:
    free, drawn = lived(known, "null", 5), lived(known, "informative_visits", 5)
    share = np.isfinite(drawn.score).sum() / np.isfinite(free.score).sum()
    assert 0.7 < share < 0.85
    assert np.nanmean(drawn.score) > np.nanmean(free.score) + 0.15


def test_variance_components_are_found(study: Histories) -> None:
    found = pain_model.fit(study.pain.person, study.pain.day, study.pain.score, 1500, 0.64 + 1 / 12)
    assert found.between == pytest.approx(1.2**2, rel=0.1)
    assert found.flare == pytest.approx(1.5**2, rel=0.1)
    assert found.correlation == pytest.approx(0.6, abs=0.06)
    assert found.unit == 1.0
    assert found.error == pytest.approx(0.64)


def test_decisions_are_those_of_the_study(known: Source) -> None:
    assert known.decisions.pain == pytest.approx(0.45, abs=0.05)
    assert set(known.decisions.rises) == {20.0}
    assert set(known.decisions.delays) == {0}
    assert known.decisions.fall_share == pytest.approx(0.005, abs=0.003)
    assert known.decisions.on_true_pain(0.8).pain == pytest.approx(known.decisions.pain / 0.8)


def test_covariates_come_with_the_person(known: Source, study: Histories) -> None:
    found = lived(known, "null", 5)
    decided = visits.eligible(cohorts.as_histories(found), stable_days=90)
    history = confounders.build(
        decided, cohorts.as_histories(found), baseline=[], missing="indicator", min_rise=0.2, min_mme=5
    )
    joined = known.carried.join(history, found.row(decided.person, decided.day))
    whose = known.people[found.chosen[decided.person]]
    np.testing.assert_array_equal(
        joined.values[:, joined.names.index("depression")], study.cohort["depression"].to_numpy()[whose]
    )
    assert joined.baseline == ["depression"]


def test_the_same_seed_gives_the_same_cohort(study: Histories, known: Source) -> None:
    first, second = (cohorts.as_histories(lived(each, "tolerance", 7)) for each in (known, of(study)))
    np.testing.assert_array_equal(first.pain.score, second.pain.score)
    np.testing.assert_array_equal(first.dose.mme, second.dose.mme)
    other = cohorts.as_histories(lived(known, "tolerance", 8))
    assert len(other.pain.score) != len(first.pain.score) or (other.pain.score != first.pain.score).any()


def test_doses_are_disjoint_and_in_order(known: Source) -> None:
    dose = cohorts.as_histories(lived(known, "hyperalgesia", 9)).dose
    assert (dose.stop > dose.start).all()
    assert (dose.start[1:] >= dose.stop[:-1]).all()
    assert (dose.mme > 0).all()


def test_worlds_have_the_effects_they_are_named_for() -> None:
    days = np.arange(LONG[0], LONG[1] + 1, dtype=float)
    assert worlds.of("hyperalgesia", LONG).effect(days).mean() == pytest.approx(1.0)
    assert worlds.of("hyperalgesia", LONG).effect(np.array([10.0]))[0] < -0.4
    assert abs(worlds.of("tolerance", LONG).effect(days).mean()) < 0.05
    assert worlds.of("tolerance", LONG).effect(np.array([10.0]))[0] == -1.0
    assert set(worlds.of("relief", LONG).effect(days)) == {-1.0}
    for name in WORLDS:
        assert (worlds.of(name, LONG).effect(np.array([-5.0, 0.0])) == 0).all()
    with pytest.raises(ValueError, match="no world"):
        worlds.of("paradise", LONG)


def test_a_study_from_which_nothing_can_be_learned_says_why() -> None:
    none = pain_source.study(200, 24, 1, constant=-20)
    assert source.build(none, OPTIONS, error_variance=0.0, baseline=[], missing="indicator") == (
        "too few doses were raised to learn from how they are"
    )
    short = pain_source.study(50, 2, 1)
    options = Hyperalgesia(escalation={"stable_days": 400})
    assert source.build(short, options, error_variance=0.0, baseline=[], missing="indicator") == (
        "nobody on a stable dose reported pain"
    )
