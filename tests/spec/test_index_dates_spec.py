"""Eligible index dates, as tables: fills and contacts with care go in, index dates come out.

Everybody is observed on days 0-999, enters the cohort on day 200 and is followed to the end. Washout 180 days,
carry-over 30 days: a fill of 30 days on day 300 keeps a person on until day 360, and free of opioids from then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from trial_cohorts import Fill, cohort, tables

from opioid_outcomes.mortality.trial_table import Rules, build

Row = tuple[int, ...]
NOBODY: list[Row] = []


def rules(comparator: str, **changes: Any) -> Rules:
    settings = {
        "comparators": [comparator], "baseline": [], "exclude": ["cancer", "opioid_use_disorder_treatment"],
        "washout_days": 180, "lookback_days": 180, "encounter_window_days": 7,
    }  # fmt: skip
    return Rules(**(settings | changes))


def trials(
    comparator: str,
    fills: Sequence[Fill] = (),
    *,
    contacts: Sequence[tuple[int, int]] = (),
    persons: int = 1,
    columns: Sequence[str] = ("person_id", "arm", "index", "trial"),
    changes: dict[str, Any] | None = None,
    **events: Any,
) -> list[Row]:
    scores = [(person, day, 5.0) for person, day in contacts]
    known = tables([(p, 0, 999) for p in range(1, persons + 1)], fills, scores=scores, **events)
    people = cohort([(p, 200, 1000, 0) for p in range(1, persons + 1)])
    table = build(people, known, rules(comparator, **(changes or {}))).table
    return table.sort("person_id", "index", "arm").select(columns).rows()


def test_new_user_is_who_fills_after_a_washout_and_the_index_is_the_day_of_the_fill() -> None:
    assert trials("non_user", [(1, 300, "morphine", 30)]) == [(1, 1, 300, 3)]


def test_a_fill_within_the_washout_makes_nobody_new() -> None:
    # on until 360; free for 179 and 180 days
    assert trials("non_user", [(1, 250, "morphine", 30), (1, 310 + 179, "morphine", 30)]) == [(1, 1, 250, 1)]
    assert trials("non_user", [(1, 250, "morphine", 30), (1, 310 + 180, "morphine", 30)]) == [
        (1, 1, 250, 1), (1, 1, 490, 9),
    ]  # fmt: skip


def test_use_before_entry_counts_as_use() -> None:
    assert trials("non_user", [(1, 100, "morphine", 30)], contacts=[(1, 210)]) == NOBODY


def test_non_user_is_who_was_in_care_that_day_once_a_block() -> None:
    assert trials("non_user", contacts=[(1, 205), (1, 215), (1, 231), (1, 199)]) == [(1, 0, 200, 0), (1, 0, 231, 1)]


def test_a_contact_opens_seven_days() -> None:
    """Entry is the first day on which anything else is met: a contact 7 days before it counts, one of 8 does not."""
    assert trials("non_user", contacts=[(1, 193)]) == [(1, 0, 200, 0)]
    assert trials("non_user", contacts=[(1, 192)]) == NOBODY


def test_nobody_is_a_non_user_on_the_day_opioids_begin() -> None:
    assert trials("non_user", [(1, 300, "morphine", 30)], contacts=[(1, 300)]) == [(1, 1, 300, 3)]


def test_starting_later_removes_nobody_from_the_comparators() -> None:
    """Trap: *non-user throughout the block*, or *never-user*, would know the future and drop the comparator of 290."""
    rows = trials("non_user", [(1, 295, "morphine", 30)], contacts=[(1, 290), (1, 250)])
    assert rows == [(1, 0, 250, 1), (1, 0, 290, 3), (1, 1, 295, 3)]


def test_contact_after_the_index_does_not_make_it_one() -> None:
    assert trials("non_user", contacts=[(1, 404)]) == [(1, 0, 404, 6)]


@pytest.mark.parametrize("drug", ["tramadol", "codeine", "tapentadol"])
def test_any_opioid_for_pain_ends_being_free_of_opioids(drug: str) -> None:
    assert trials("non_user", [(1, 210, drug, 30)], contacts=[(1, 400)]) == [(1, 1, 210, 0)]


def test_injections_are_no_use() -> None:
    known = tables([(1, 0, 999)], [(1, 210, "morphine", 30)])
    injected = known["dispensings"].with_columns(route=pl.lit("injection"))
    assert injected.height == 1
    from opioid_outcomes.config.exposure import Exposure
    from opioid_outcomes.steps.exposure import doses_and_status, opioid_fills

    clean = opioid_fills(injected, Exposure())[1]
    daily, _, status = doses_and_status(clean, known, Exposure())
    known |= {"dispensings": injected, "dispensings_clean": clean, "daily_dose": daily, "opioid_status": status}
    rows = build(cohort([(1, 200, 1000, 0)]), known, rules("non_user")).table
    assert rows.select("arm", "index").rows() == [(0, 210)]  # in care, and not using


def test_what_excludes_at_entry_excludes_later_too() -> None:
    """Cancer on record on day 300: an index of that day was decided before it was known, one of 301 was not."""
    events = {"diagnoses": [(1, 300, "C509")]}
    assert trials("non_user", contacts=[(1, 240), (1, 300), (1, 340)], **events) == [(1, 0, 240, 1), (1, 0, 300, 3)]


def test_washout_and_lookback_must_be_observed() -> None:
    known = tables([(1, 100, 999)], scores=[(1, 250, 5.0), (1, 281, 5.0)])
    people = cohort([(1, 200, 1000, 0)])
    rows = build(people, known, rules("non_user")).table.select("arm", "index").rows()
    assert rows == [(0, 281)]  # 180 days from 100 on end with 279


def test_nobody_is_followed_from_after_the_last_day() -> None:
    people = [(1, 0, 600)]
    known = tables(people, scores=[(1, 580, 5.0), (1, 600, 5.0), (1, 601, 5.0)])
    rows = build(cohort([(1, 200, 601, 0)]), known, rules("non_user")).table
    assert rows.select("index", "follow_up", "event").rows() == [(580, 21, 0), (600, 1, 0)]


def test_active_comparators_are_new_users_of_the_class() -> None:
    fills = [(1, 250, "naproxen", 30), (1, 300, "naproxen", 30), (1, 481, "naproxen", 30)]
    assert trials("nsaid", fills) == [(1, 0, 250, 1), (1, 0, 481, 9)]  # 180 days without: 301-480
    assert trials("nsaid", [*fills[:2], (1, 480, "naproxen", 30)]) == [(1, 0, 250, 1)]


def test_both_arms_are_free_of_both_medicines() -> None:
    assert trials("nsaid", [(1, 250, "naproxen", 30), (1, 300, "morphine", 30)]) == [(1, 0, 250, 1)]
    assert trials("nsaid", [(1, 250, "morphine", 30), (1, 300, "naproxen", 30)]) == [(1, 1, 250, 1)]
    assert trials("nsaid", [(1, 250, "morphine", 30), (1, 250, "naproxen", 30)]) == NOBODY  # both at once


def test_classes_do_not_mix() -> None:
    fills = [(1, 250, "gabapentin", 30), (2, 250, "sertraline", 30), (3, 250, "naproxen", 30)]
    for person, comparator in enumerate(("gabapentinoid", "antidepressant", "nsaid"), start=1):
        assert trials(comparator, fills, persons=3) == [(person, 0, 250, 1)]


def test_weak_and_strong_opioids() -> None:
    fills = [
        (1, 250, "tramadol", 30), (2, 250, "oxycodone", 30), (3, 250, "codeine", 30), (4, 250, "tapentadol", 30),
        (5, 250, "tramadol", 30), (5, 250, "morphine", 30),
    ]  # fmt: skip
    rows = trials("weak_opioid", fills, persons=5, columns=("person_id", "arm"))
    assert rows == [(1, 0), (2, 1), (3, 0), (4, 1), (5, 1)]


def test_as_treated_ends_when_the_strategy_is_left() -> None:
    """A new user leaves when no longer on, a comparator when opioids begin; what is refilled in time is no gap."""
    fills = [(1, 300, "morphine", 30), (1, 355, "morphine", 30)]
    columns = ("arm", "index", "follow_up", "as_treated_until")
    assert trials("non_user", fills, contacts=[(1, 290)], columns=columns) == [(0, 290, 710, 10), (1, 300, 700, 115)]


def test_gaps_are_not_bridged_by_refills_to_come() -> None:
    """Trap: an episode merged over gaps of 30 days would hold 300-420; on the day 360 nobody knows of the refill."""
    fills = [(1, 300, "morphine", 30), (1, 365, "morphine", 30)]
    columns = ("index", "as_treated_until")
    assert trials("non_user", fills, columns=columns) == [(300, 60)]


def test_weak_users_leave_with_a_strong_opioid_and_the_other_way_round() -> None:
    fills = [
        (1, 250, "tramadol", 30), (1, 270, "morphine", 30), (2, 250, "morphine", 30), (2, 275, "tramadol", 30),
        (3, 250, "tramadol", 30), (3, 275, "codeine", 30),
    ]  # fmt: skip
    columns = ("person_id", "arm", "as_treated_until")
    assert trials("weak_opioid", fills, persons=3, columns=columns) == [(1, 0, 20), (2, 1, 25), (3, 0, 85)]


def test_who_stays_until_observation_ends_has_not_left() -> None:
    columns = ("index", "follow_up", "as_treated_until")
    assert trials("non_user", [(1, 950, "morphine", 60)], columns=columns) == [(950, 50, None)]


def test_death_on_the_index_day_is_an_event_on_day_one() -> None:
    known = tables([(1, 0, 500)], [(1, 500, "morphine", 30)], deaths=[(1, 500)])
    rows = build(cohort([(1, 200, 501, 1)]), known, rules("non_user")).table
    assert rows.select("index", "follow_up", "event", "as_treated_until").rows() == [(500, 1, 1, None)]


def test_deaths_complete_until_takes_follow_up_beyond_observation_and_use_ends_with_it() -> None:
    """Observed to 600, dead on 800: by intention to treat an event; how the person was treated is known until 630."""
    known = tables([(1, 0, 600)], [(1, 595, "morphine", 30)], scores=[(1, 560, 5.0)], deaths=[(1, 800)])
    columns = ("arm", "index", "follow_up", "event", "as_treated_until")
    people = cohort([(1, 200, 601, 0)])
    observed = build(people, known, rules("non_user")).table.select(columns).rows()
    assert observed == [(0, 560, 41, 0, 35), (1, 595, 6, 0, None)]
    complete = build(people, known, rules("non_user", deaths_complete_until=900)).table.select(columns).rows()
    assert complete == [(0, 560, 241, 1, 35), (1, 595, 206, 1, 36)]
    early = build(people, known, rules("non_user", deaths_complete_until=700)).table.select(columns).rows()
    assert early == [(0, 560, 141, 0, 35), (1, 595, 106, 0, 36)]
    capped = build(people, known, rules("non_user", deaths_complete_until=900, max_followup_days=450)).table
    assert capped.select(columns).rows() == [(0, 560, 90, 0, 35), (1, 595, 55, 0, 36)]


def test_covariates_are_those_of_the_eve_of_the_index_date() -> None:
    """Trap: covariates of cohort entry for who starts later. The score of the day itself is not of the eve."""
    scores = [(1, 190, 2.0), (1, 390, 8.0), (1, 400, 9.0)]
    known = tables([(1, 0, 999)], [(1, 400, "morphine", 30)], scores=scores, diagnoses=[(1, 300, "F329")])
    settings = rules("non_user", baseline=["pain", "depression"])
    rows = build(cohort([(1, 200, 1000, 0)]), known, settings).table
    columns = ("arm", "index", "days_since_entry", "pain", "depression")
    assert rows.select(columns).rows() == [(0, 300, 100, 2.0, 0), (0, 390, 190, None, 1), (1, 400, 200, 8.0, 1)]


def test_age_advances() -> None:
    known = tables([(1, 0, 999)], scores=[(1, 200, 5.0), (1, 566, 5.0)])
    people = cohort([(1, 200, 1000, 0)]).with_columns(age=pl.lit(60.0))
    rows = build(people, known, rules("non_user", baseline=["age"])).table
    assert rows["age"].to_list() == pytest.approx([60.0, 60.0 + 366 / 365.25])
