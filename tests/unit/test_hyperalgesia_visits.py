"""Which visits are decisions, who escalated, and what is known of the dose and pain around them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.config.hyperalgesia import Escalation
from opioid_outcomes.hyperalgesia import confounders, histories, trial, visits
from opioid_outcomes.hyperalgesia.confounders import Confounders
from opioid_outcomes.hyperalgesia.histories import Histories
from opioid_outcomes.hyperalgesia.visits import Visits

NEVER_ENDS = 10_000
RULE = Escalation()


def known(
    doses: list[tuple[int, int, float | None]],
    scores: list[tuple[int, float]],
    *,
    entry: int = 0,
    leaves: int = NEVER_ENDS,
    dies: bool = False,
    status: list[tuple[str, int, int, int | None]] | None = None,
) -> Histories:
    """One person, and a decoy on either side; doses are (start, stop, mme), scores (day, score)."""
    people = ["a decoy", "p", "z decoy"]
    cohort = pl.DataFrame({"person_id": people, "entry": [entry] * 3, "exit": [leaves] * 3, "death": [int(dies)] * 3})
    dose_rows = [("p", *row) for row in doses] + [(decoy, -400, 5000, 999.0) for decoy in (people[0], people[2])]
    daily = pl.DataFrame(dose_rows, schema=["person_id", "start", "stop", "mme"], orient="row").with_columns(
        mme_incomplete=pl.col("mme").is_null().cast(pl.Int64)
    )
    pain = pl.DataFrame([("p", *row) for row in scores], schema=["person_id", "date", "score"], orient="row")
    spans = status or [("on", -400, NEVER_ENDS, -400)]
    columns = ["person_id", "state", "start", "stop", "on_since"]
    states = pl.DataFrame([("p", *span) for span in spans], schema=columns, orient="row")
    return histories.build(cohort, pain.with_columns(scale=pl.lit("NRS")), daily, states)


def terms_of(found: Visits, histories_: Histories) -> Confounders:
    return confounders.build(found, histories_, baseline=[], missing="indicator", min_rise=0.2, min_mme=5.0)


STEADY = [(-100, 300, 50.0)]


@pytest.mark.parametrize(
    ("why", "doses", "day", "expected"),
    [
        ("a steady dose", STEADY, 100, True),
        ("therapy began on the first of the 90 days", [(10, 300, 50.0)], 100, True),
        ("therapy began a day too late", [(11, 300, 50.0)], 100, False),
        ("a gap of 30 days", [(-100, 30, 50.0), (60, 300, 50.0)], 100, True),
        ("a gap of 31 days", [(-100, 30, 50.0), (61, 300, 50.0)], 100, False),
        ("a gap that began before the 90 days", [(-100, 0, 50.0), (31, 300, 50.0)], 100, False),
        ("supply ends the day before the visit", [(-100, 99, 50.0)], 100, False),
        ("supply lasts to the day before the visit", [(-100, 100, 50.0)], 100, True),
        ("doses within 20 % of their mean", [(-100, 55, 45.0), (55, 300, 60.0)], 100, True),  # mean 52.5: 42-63
        ("a dose more than 20 % above the mean", [(-100, 90, 40.0), (90, 300, 60.0)], 100, False),  # mean 42.2
        ("a dose unknown for a day", [(-100, 50, 50.0), (50, 51, None), (51, 300, 50.0)], 100, False),
        ("a rise on the day of the visit is the decision", [(-100, 100, 50.0), (100, 300, 80.0)], 100, True),
        ("a change before the 90 days", [(-100, 10, 20.0), (10, 300, 50.0)], 100, True),
        ("no dose in sight", [(-300, -200, 50.0)], 100, False),
    ],
)
def test_stable_therapy(why: str, doses: list[tuple[int, int, float | None]], day: int, expected: bool) -> None:
    found = visits.eligible(known(doses, [(day, 6.0)]), stable_days=90)
    assert (len(found.day) == 1) == expected, why


@pytest.mark.parametrize(
    ("why", "options", "expected"),
    [
        ("on the day of entry", {"entry": 100}, True),
        ("before entry", {"entry": 101}, False),
        ("on the last day followed", {"leaves": 101}, True),
        ("after follow-up", {"leaves": 100}, False),
        ("treated for opioid use disorder", {"status": [("treatment", 90, 200, None), ("on", -9, 90, -9)]}, False),
        ("on opioids", {"status": [("on", 100, 101, 40)]}, True),
    ],
)
def test_followed_and_on_opioids_at_the_visit(why: str, options: dict, expected: bool) -> None:
    found = visits.eligible(known(STEADY, [(100, 6.0)], **options), stable_days=90)
    assert (len(found.day) == 1) == expected, why


def test_days_on_opioids_count_from_the_present_stretch() -> None:
    found = visits.eligible(known(STEADY, [(100, 6.0)], status=[("on", -9, 200, -9)]), stable_days=90)
    assert found.days_on.tolist() == [109.0]
    assert found.dose.tolist() == [50.0]


@pytest.mark.parametrize(
    ("why", "after", "arm"),
    [
        ("the same dose", [(100, 300, 50.0)], "maintain"),
        ("a rise of 20 % on the day", [(100, 300, 60.0)], "escalate"),
        ("a rise of less than 20 %", [(100, 300, 59.9)], "maintain"),
        ("a rise on the last day of grace", [(100, 107, 50.0), (107, 300, 80.0)], "escalate"),
        ("a rise the day after grace", [(100, 108, 50.0), (108, 300, 80.0)], "maintain"),
        ("supply runs out", [], "maintain"),
        ("a lower dose", [(100, 300, 20.0)], "maintain"),
        ("an unknown dose within grace", [(100, 105, 50.0), (105, 300, None)], None),
        ("a rise, then an unknown dose", [(100, 105, 80.0), (105, 300, None)], "escalate"),
        ("another product at the same dose, filled two days early", [(100, 102, 100.0), (102, 300, 50.0)], "maintain"),
        ("another product, higher, filled two days early", [(100, 102, 130.0), (102, 300, 80.0)], "escalate"),
        ("an unknown dose, then the same dose by the end of grace", [(100, 105, None), (105, 300, 50.0)], "maintain"),
    ],
)
def test_arms(why: str, after: list[tuple[int, int, float | None]], arm: str | None) -> None:
    histories_ = known([(-100, 100, 50.0), *after], [(100, 6.0)])
    found = visits.eligible(histories_, stable_days=90)
    escalated, certain = trial.raised(found, histories_, RULE)
    assert certain.tolist() == [arm is not None], why
    if arm:
        assert escalated.tolist() == [arm == "escalate"], why


def test_a_rise_must_reach_the_smallest_absolute_one() -> None:
    for dose, arm in ((14.0, False), (15.0, True)):  # 10 MME/day: 20 % would be 2, 5 are asked for
        histories_ = known([(-100, 100, 10.0), (100, 300, dose)], [(100, 6.0)])
        found = visits.eligible(histories_, stable_days=90)
        assert trial.raised(found, histories_, RULE)[0].tolist() == [arm]


@pytest.mark.parametrize(("leaves", "followed"), [(107, False), (108, True)])
def test_whoever_leaves_before_the_last_day_of_grace_drops_out(leaves: int, followed: bool) -> None:
    histories_ = known(STEADY, [(100, 6.0)], leaves=leaves)
    found = visits.eligible(histories_, stable_days=90)
    decisions = trial.escalations(found, terms_of(found, histories_), histories_, RULE)
    assert len(decisions.visits.day) == int(followed)
    assert decisions.left_in_grace == int(not followed)


def test_windows_begin_with_the_last_day_of_grace_and_end_with_follow_up() -> None:
    doses = [(-100, 100, 50.0), (100, 110, 60.0), (120, 400, 90.0)]
    scores = [(100, 6.0), (106, 0.0), (107, 4.0), (130, 5.0), (131, 8.0), (160, 9.0)]
    histories_ = known(doses, scores, leaves=145)
    found = visits.eligible(histories_, stable_days=90)
    assert found.day.tolist()[0] == 100
    decisions = trial.escalations(found, terms_of(found, histories_), histories_, RULE)
    first = trial.window(decisions, histories_, (1, 30), RULE.grace_days)
    assert first.pain[0] == 4.5  # days 107 and 130; not 106, still in grace, nor 131
    # days 107-130: three at 60, ten without supply, eleven at 90
    assert first.mme[0] == pytest.approx((3 * 60 + 0 * 10 + 11 * 90) / 24)
    second = trial.window(decisions, histories_, (31, 90), RULE.grace_days)
    assert second.pain[0] == 8.0  # the score of day 160 is after follow-up
    assert second.mme[0] == pytest.approx(90.0)
    assert np.isnan(trial.window(decisions, histories_, (91, 180), RULE.grace_days).pain[0])


def test_days_of_unknown_dose_are_left_out_of_the_mean_and_none_is_no_zero() -> None:
    histories_ = known([(0, 10, 30.0), (10, 20, None), (30, 40, None)], [(0, 5.0)])
    person = np.array([1, 1, 1])
    mean = histories_.dose.mean(person, np.array([0, 10, 20]), np.array([20, 20, 30]))
    assert mean[0] == 30.0
    assert np.isnan(mean[1])
    assert mean[2] == 0.0
    on_day = histories_.dose.on_day(person, np.array([9, 10, 20]))
    assert on_day[[0, 2]].tolist() == [30.0, 0.0]
    assert np.isnan(on_day[1])


def test_pain_history_of_180_days() -> None:
    scores = [(-81, 9.0), (-80, 2.0), (40, 4.0), (40, 6.0), (100, 8.0)]  # the first is too old; day 40 has a mean of 5
    histories_ = known(STEADY, scores)
    found = visits.eligible(histories_, stable_days=90)
    at = found.day.tolist().index(100)
    terms, unit = confounders.pain_terms(found, histories_.pain)
    months = np.array([-6.0, -2.0, 0.0]) + 8 / 3
    assert {name: values[at] for name, values in terms.items()} == pytest.approx(
        {
            "pain at the visit": 8.0,
            "mean of earlier pain in 180 days": 3.5,
            "highest pain in 180 days": 8.0,
            # days -180, -60, 0: slope of 2, 5, 8 per 30 days by ridge regression, penalty half a squared month
            "slope of pain in 180 days": float(months @ [2.0, 5.0, 8.0]) / ((months**2).sum() + 0.5),
            "scores in 180 days": 3.0,
            "one score in 180 days": 0.0,
            "score before the last": 5.0,
            # about the middle of the scale, 5
            "pain at the visit, squared": 9.0,
            "mean of earlier pain, squared": 2.25,
            "score before the last, squared": 0.0,
            "pain at the visit times mean of earlier pain": -4.5,
            "pain at the visit times score before the last": 0.0,
        }
    )
    # of the scores 2, 5, 8 each term takes these shares
    shares = np.array([[0, 0, 1], [0.5, 0.5, 0]])
    assert shares @ [2.0, 5.0, 8.0] == pytest.approx([values[at] for values in [*terms.values()][:2]])
    assert unit[at] == pytest.approx(shares @ shares.T)


def test_the_slope_of_scores_a_day_apart_is_next_to_nothing() -> None:
    """Two points of difference between them are error: 60 points a month otherwise."""
    histories_ = known(STEADY, [(99, 4.0), (100, 6.0)])
    terms, _ = confounders.pain_terms(visits.eligible(histories_, stable_days=90), histories_.pain)
    assert terms[confounders.SLOPE][-1] == pytest.approx((2 / 60) / (2 / 60**2 + 0.5))


def test_of_one_score_the_mean_of_the_earlier_ones_is_that_score() -> None:
    histories_ = known(STEADY, [(100, 8.0)])
    terms, unit = confounders.pain_terms(visits.eligible(histories_, stable_days=90), histories_.pain)
    assert [values[0] for values in terms.values()] == [8.0, 8.0, 0.0, 8.0, 1.0, 1.0, 8.0, 9.0, 9.0, 9.0, 9.0, 9.0]
    assert unit[0].tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(("rises", "first", "second"), [(103, True, False), (104, False, True), (106, False, True)])
def test_what_is_done_from_the_next_score_on_is_that_visits_decision(rises: int, first: bool, second: bool) -> None:
    """A rise after the score of day 104 may follow that score: in the trial of day 100 the dose was maintained."""
    histories_ = known([(-100, rises, 50.0), (rises, 300, 80.0)], [(100, 5.0), (104, 9.0)])
    found = visits.eligible(histories_, stable_days=90)
    rule = SimpleNamespace(min_rise=0.2, min_mme=5.0, grace_days=7)
    raised = dict(zip(found.day.tolist(), trial.raised(found, histories_, rule)[0].tolist(), strict=True))
    assert raised[100] is first
    assert raised.get(104, False) is second  # after a rise on day 103 the dose of day 104 is not stable


@pytest.mark.parametrize(
    ("why", "after", "arm"),
    [
        ("the same dose", [(100, 300, 50.0)], False),
        ("a fall of 20 % on the day", [(100, 300, 40.0)], True),
        ("a fall of less than 20 %", [(100, 300, 40.1)], False),
        ("a fall on the last day of grace", [(100, 107, 50.0), (107, 300, 20.0)], True),
        ("a fall the day after grace", [(100, 108, 50.0), (108, 300, 20.0)], False),
        ("a refill four days late", [(104, 300, 50.0)], False),
        ("lower, then back", [(100, 104, 20.0), (104, 300, 50.0)], False),
        ("lower, then late", [(100, 104, 20.0)], True),
        ("a rise", [(100, 300, 80.0)], False),
        ("an unknown dose within grace", [(100, 105, 50.0), (105, 300, None)], None),
    ],
)
def test_who_lowered_the_dose(why: str, after: list[tuple[int, int, float | None]], arm: bool | None) -> None:
    histories_ = known([(-100, 100, 50.0), *after], [(100, 6.0)])
    found = visits.eligible(histories_, stable_days=90)
    rule = SimpleNamespace(min_fall=0.2, min_mme=5.0)
    reduced, certain = trial.lowered(found, histories_, rule, grace_days=7)
    assert certain.tolist() == [arm is not None], why
    assert arm is None or reduced.tolist() == [arm], why


@pytest.mark.parametrize(
    ("scores", "alive"),
    [([(100, 6.0)], [False, False]), ([(100, 6.0), (115, 5.0)], [True, False]), ([(100, 6.0), (140, 5.0)], [True] * 2)],
)
def test_alive_in_a_window_is_no_death_before_a_score_in_it(scores: list[tuple[int, float]], alive: list[bool]) -> None:
    dies = 120 if len(scores) == 1 or scores[1][0] == 115 else 150
    histories_ = known(STEADY, scores, leaves=dies + 1, dies=True)
    found = visits.eligible(histories_, stable_days=90)
    decisions = trial.escalations(found, terms_of(found, histories_), histories_, RULE)
    windows = [trial.window(decisions, histories_, days, RULE.grace_days) for days in ((1, 30), (31, 90))]
    assert [bool(each.alive[0]) for each in windows] == alive


def test_earlier_escalations_are_rises_by_the_same_definition() -> None:
    doses = [(-300, -200, 20.0), (-200, -150, 30.0), (-150, -140, 33.0), (-100, 0, 60.0), (0, 300, 55.0)]
    histories_ = known(doses, [(100, 6.0)])
    found = visits.eligible(histories_, stable_days=90)
    # 20 to 30 counts; 30 to 33 is too small; 33 to 60 comes after a gap of 40 days; 60 to 55 is a fall
    dose = histories_.dose
    assert confounders.earlier_changes(found, dose, confounders.rises(dose, 0.2, 5.0)).tolist() == [1.0]
    assert confounders.earlier_changes(found, dose, confounders.falls(dose, 0.2, 5.0)).tolist() == [0.0]
    assert confounders.earlier_changes(found, dose, confounders.falls(dose, 0.05, 5.0)).tolist() == [1.0]


def test_missing_covariates_are_a_category_of_their_own_or_cost_the_row() -> None:
    column = pl.Series("bmi", [20.0, None, 30.0])
    terms, observed = confounders.baseline_terms("bmi", column, indicator=True)
    assert {name: values.tolist() for name, values in terms.items()} == {
        "bmi": [20.0, 25.0, 30.0],
        "bmi: missing": [0.0, 1.0, 0.0],
    }
    assert observed.tolist() == [True, False, True]
    race, _ = confounders.baseline_terms("race", pl.Series(["b", None, "a"]), indicator=True)
    assert {name: values.tolist() for name, values in race.items()} == {
        "race: b": [1.0, 0.0, 0.0],
        "race: missing": [0.0, 1.0, 0.0],
    }
