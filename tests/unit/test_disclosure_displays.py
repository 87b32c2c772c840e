"""Displays at the door: no small group follows from rows that stand side by side, from shares, sums or keys."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.disclosure import displays
from opioid_outcomes.disclosure.profile import PROFILES

CMS11 = PROFILES["cms11"]


def released(name: str, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return displays.released(frame, DISPLAYS[name], CMS11).to_dicts()


def thresholds(persons: int, over_50: int, over_90: int) -> dict[str, object]:
    return {
        "definition": 2, "factors": "cdc_2022", "persons": persons, "over_50": over_50, "over_90": over_90,
        "share_50": over_50 / persons, "share_90": over_90 / persons, "median_mme": 41.23456,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "shown", "suppressed"),
    [
        ((1903, 402, 121), (1905, 400, 120), 0),
        ((1903, 402, 0), (1905, 400, 0), 0),
        ((1903, 402, 7), (1905, 400, None), 1),  # the few are hidden, and the row stays
        ((1903, 402, 397), (1905, 400, None), 2),  # 5 people are above 50 and not above 90
        ((1903, 1898, 402), (1905, None, 400), 2),  # 5 people never are above 50
        ((1903, 1903, 1898), (1905, 1905, None), 2),
        ((1903, 9, 4), (1905, None, None), 1),
        ((9, 0, 0), (None, None, None), 1),
    ],
)
def test_people_over_50_and_not_over_90_are_a_group_too(
    counts: tuple[int, int, int], shown: tuple[int | None, ...], suppressed: int
) -> None:
    row = released("mme_thresholds", [thresholds(*counts)])[0]
    assert (row["persons"], row["over_50"], row["over_90"]) == shown
    assert row["suppressed"] == suppressed
    assert [row[name] is None for name in ("share_50", "share_90")] == [part is None for part in shown[1:]]
    assert (row["median_mme"] is None) == (shown[0] is None)


def test_shares_of_thresholds_do_not_give_the_exact_counts_back() -> None:
    row = released("mme_thresholds", [thresholds(1903, 402, 121)])[0]
    assert (row["share_50"], row["share_90"]) == (round(400 / 1905, 3), round(120 / 1905, 3))


def test_a_share_of_a_family_comes_from_its_rounded_total() -> None:
    persons = {"off": 603, "<20": 201, "20-49": 96}
    rows: list[dict[str, object]] = [
        {"month": 0, "band": band, "persons": count, "share": count / 900} for band, count in persons.items()
    ]
    shown = released("dose_bands", rows)
    assert [row["share"] for row in shown] == [round(605 / 900, 3), round(200 / 900, 3), round(95 / 900, 3)]


def months_of_bands(months: list[dict[str, int]]) -> list[dict[str, object]]:
    return [
        {"month": month, "band": band, "persons": count, "share": count / sum(counts.values())}
        for month, counts in enumerate(months)
        for band, count in counts.items()
    ]


def test_a_band_hidden_alone_takes_the_next_smallest_of_its_month_only() -> None:
    most = {"off": 600, "20-49": 200, ">=90": 96, "unknown": 40}
    shown = released("dose_bands", months_of_bands([most | {"unknown": 4}, *[most] * 10]))
    assert [row["suppressed"] for row in shown] == [0, 0, 2, 1, *[0] * 40]


def test_a_band_small_in_many_months_is_told_with_its_neighbour_in_all() -> None:
    usual = {"off": 600, "<20": 5, "20-49": 200, "50-89": 80, ">=90": 40}
    shown = released("dose_bands", months_of_bands([usual, usual | {"<20": 45}, usual]))
    bands = {(row["month"], row["band"]): row["persons"] for row in shown}
    assert bands[0, "<20 or 20-49"] == 205
    assert bands[1, "<20 or 20-49"] == 245
    assert {band for _, band in bands} == {"off", "<20 or 20-49", "50-89", ">=90"}
    assert {row["suppressed"] for row in shown} == {0}


@pytest.mark.parametrize(
    ("small", "found"),
    [
        ((">=90",), {"off", "treatment", "<20", "20-49 or >=90", "unknown"}),
        (("treatment",), {"off", "treatment or unknown", "<20", "20-49", ">=90"}),
        (("treatment", "unknown"), {"off", "treatment or unknown", "<20", "20-49", ">=90"}),
        (("<20", "20-49", ">=90"), {"off", "treatment", "<20 or 20-49 or >=90", "unknown"}),
    ],
)
def test_neighbours_told_together_are_neighbours_in_meaning(small: tuple[str, ...], found: set[str]) -> None:
    counts = dict.fromkeys(("off", "treatment", "<20", "20-49", ">=90", "unknown"), 70)
    shown = released("dose_bands", months_of_bands([counts | dict.fromkeys(small, 7)] * 3))
    assert {row["band"] for row in shown} == found
    assert sum(row["persons"] is None for row in shown) == 0


def test_states_that_are_small_together_join_the_dose_of_fewest_people_not_the_commonest() -> None:
    counts = {"off": 600, "treatment": 3, "<20": 400, "20-49": 200, ">=90": 30, "unknown": 4}
    shown = released("dose_bands", months_of_bands([counts] * 3))
    assert {row["band"]: row["persons"] for row in shown} == {
        "off": 600, "treatment or >=90 or unknown": 35, "<20": 400, "20-49": 200,
    }  # fmt: skip


def repairs(persons: tuple[int, int], repaired: int, over_90: int = 60) -> list[dict[str, object]]:
    return [
        {"fills_used": used, "persons": count, "person_years": 1003.2, "mean_mme": 50.0, "share_50": 0.4,
         "share_90": 0.1, "persons_repaired": behind, "persons_50": 300, "persons_90": over_90}
        for used, count, behind in (("all", persons[0], persons[0]), ("without repaired", persons[1], repaired))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("persons", "repaired", "suppressed", "counted", "mean"),
    [
        ((1900, 1880), 60, [0, 0], 1880, 50.0),
        ((1900, 1896), 60, [0, 2], None, 50.0),  # 4 people have repaired fills only: their number goes, the days stay
        ((1900, 1896), 9, [0, 2], None, None),
        ((1900, 1900), 9, [0, 2], None, None),  # the rows differ by the days of 9 people
        ((1900, 1900), 0, [0, 0], 1900, 50.0),
        ((1900, 1889), 11, [0, 0], 1890, 50.0),
        ((1900, 9), 1895, [0, 1], None, None),
    ],
)
def test_rows_that_differ_by_a_few_people_are_not_shown_side_by_side(
    persons: tuple[int, int], repaired: int, suppressed: list[int], counted: int | None, mean: float | None
) -> None:
    shown = released("repair_sensitivity", repairs(persons, repaired))
    assert [row["suppressed"] for row in shown] == suppressed
    assert (shown[0]["persons"], shown[0]["mean_mme"]) == (1900, 50.0)
    assert [shown[1][name] for name in ("persons", "mean_mme", "share_50")] == [counted, mean, mean and 0.4]
    assert (shown[1]["person_years"] is None) == (mean is None)


def test_a_share_of_days_that_few_people_contribute_goes_alone() -> None:
    row = released("repair_sensitivity", repairs((1900, 1880), 60, over_90=3))[0]
    assert (row["share_90"], row["share_50"], row["persons"]) == (None, 0.4, 1900)
    assert "persons_90" not in row


def test_observed_means_of_few_members_go_and_the_class_s_curve_stays() -> None:
    rows: list[dict[str, object]] = [
        {"class": number, "month": month, "persons": people, "mean": 40.0, "ci_low": 38.0, "ci_high": 42.0,
         "observed": 41.0, "share": people / 1000, "persons_observed": people if month == 0 else 10}
        for number, people in ((1, 700), (2, 300))
        for month in (0, 1)
    ]  # fmt: skip
    shown = released("trajectory_classes", rows)
    assert [row["observed"] for row in shown] == [41.0, None, 41.0, None]
    assert [row["mean"] for row in shown] == [40.0] * 4


def test_the_number_behind_a_model_cannot_be_had_from_its_bic_and_likelihood() -> None:
    parameters, persons, likelihood = 11, 1483, -23456.789
    bic = -2 * likelihood + parameters * np.log(persons)
    row: dict[str, object] = {
        "classes": 2, "chosen": 1, "why": "", "persons": persons, "smallest_class": 400, "log_likelihood": likelihood,
        "bic": bic, "entropy": 0.9, "mean_posterior": 0.95, "smallest_share": 400 / persons, "left_never_on": 700,
        "left_few_months": 30,
    }  # fmt: skip
    shown = released("trajectory_models", [row])[0]
    assert (shown["log_likelihood"], shown["bic"]) == (-23457.0, round(bic))
    guesses = [  # every number of people that agrees with what is told
        n for n in range(1000, 2000) if abs(-2 * -23457 + parameters * np.log(n) - round(bic)) <= 2 * 0.5 + 0.5
    ]
    assert len(guesses) > 100


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((900, 300, 120), (900, 300, 120)),
        ((900, 300, 4), (900, 300, None)),
        ((900, 300, 292), (900, 300, None)),  # 8 have days of both and not the measure
        ((900, 896, 896), (900, None, None)),  # 4 have no day of both: neither count may tell
        ((900, 6, 0), (900, None, None)),
    ],
)
def test_concurrent_use_tells_no_few_within_or_beside_it(
    counts: tuple[int, int, int], shown: tuple[int | None, ...]
) -> None:
    persons, with_class, cob = counts
    values = {"share_with": with_class / persons, "share_of_days": 0.12}
    counted = {"class": "benzodiazepine", "persons": persons, "with_class": with_class, "cob": cob}
    row = released("concurrent_use", [counted | values])[0]
    assert (row["persons"], row["with_class"], row["cob"]) == shown
    assert (row["share_of_days"] is None) == (shown[1] is None)


def test_a_long_gap_of_few_people_goes_with_the_next_fewest() -> None:
    rows: list[dict[str, object]] = [
        {"gap_days_from": low, "gap_days_to": high, "gaps": gaps, "persons": gaps - 2, "share": gaps / 1012}
        for low, high, gaps in ((1, 7, 700), (8, 14, 250), (15, 30, 50), (366, None, 12))
    ]
    shown = released("gap_distribution", rows)
    assert [row["suppressed"] for row in shown] == [0, 0, 2, 1]  # 12 gaps of 10 people
    assert [row["gaps"] for row in shown] == [700, 250, None, None]


def test_of_definitions_that_lie_inside_another_none_tells_of_the_few_between() -> None:
    met = {"d90_in_365": 500, "d180": 300, "svendsen_wide": 296, "fills3": 620, "fills6": 609, "consort": 297}
    rows: list[dict[str, object]] = [
        {"definition": name, "persons": 900, "met": count, "share": count / 900} for name, count in met.items()
    ]
    hidden = [row["definition"] for row in released("long_term", rows) if row["suppressed"] == 2]
    assert hidden == ["svendsen_wide"]  # 4 people met d180 only; consort is no part of another
    assert released("long_term", rows)[2]["persons"] == 900


def test_rapid_tapers_of_all_but_a_few_who_taper_are_withheld() -> None:
    rows: list[dict[str, object]] = [
        {"event": name, "persons": persons, "events": persons + 3, "median_change": -0.3}
        for name, persons in (("taper", 90), ("rapid_taper_weekly", 40), ("rapid_taper_monthly", 85))
    ]
    assert [row["suppressed"] for row in released("dose_events", rows)] == [0, 0, 2]


def test_people_without_a_course_are_counted_on_their_own() -> None:
    row: dict[str, object] = {
        "classes": 1, "chosen": 1, "why": "chosen", "persons": 900, "smallest_class": 900, "log_likelihood": -1e4,
        "bic": 2e4, "entropy": 1.0, "mean_posterior": 1.0, "smallest_share": 1.0, "left_never_on": 702,
        "left_few_months": 4,
    }  # fmt: skip
    shown = released("trajectory_models", [row])[0]
    assert (shown["persons"], shown["left_never_on"], shown["left_few_months"], shown["bic"]) == (900, 700, None, 2e4)


def test_nobody_s_course_can_be_read_from_the_keys_of_hidden_rows() -> None:
    one = [{"month": month, "band": band, "persons": 1, "share": 1.0} for month, band in enumerate(["off", "20-49"])]
    assert released("dose_bands", one) == []
    bands = [{"dose_band": "20-49", "persons": 1, "person_years": 1.2, "share_of_time": 1.0}]
    assert released("dose_distribution", bands) == []
    fills: list[dict[str, object]] = [
        {"item": "ingredient", "label": "oxycodone", "fills": 30, "persons": 1},
        {"item": "stay", "label": "supply held through a stay", "fills": 2, "persons": 1},
    ]
    assert released("exposure_ledger", fills) == []


def test_the_last_months_of_the_few_followed_longest_are_not_listed() -> None:
    usual = {"off": 600, "<20": 200, ">=90": 40}
    shown = released("dose_bands", months_of_bands([usual, usual, {"off": 5, ">=90": 5}]))
    assert [row["month"] for row in shown] == [0, 0, 0, 1, 1, 1]
    assert {row["suppressed"] for row in shown} == {0}
    months: list[dict[str, object]] = [
        {"month": month, "persons": people, "persons_on": people, "persons_with_dose": people, "share_on": 1.0,
         "p25": 10.0, "median": 20.0, "p75": 30.0, "mean": 21.0}
        for month, people in ((0, 500), (1, 10))
    ]  # fmt: skip
    assert [row["month"] for row in released("dose_trajectory", months)] == [0]


def test_bands_of_few_people_are_not_listed_and_the_next_fewest_withheld() -> None:
    rows: list[dict[str, object]] = [
        {"dose_band": band, "persons": people, "person_years": 2.0 * people, "share_of_time": people / 900}
        for band, people in (("<20", 700), ("20-49", 180), (">=90", 4))
    ]
    shown = released("dose_distribution", rows)
    assert [(row["dose_band"], row["persons"], row["suppressed"]) for row in shown] == [
        ("<20", 700, 0),
        ("20-49", None, 2),
    ]


def test_what_few_carry_is_told_as_other_with_what_would_give_it_back() -> None:
    rows: list[dict[str, object]] = [
        {"item": item, "label": label, "fills": fills, "persons": persons}
        for item, label, fills, persons in (
            ("ingredient", "oxycodone", 3000, 400), ("ingredient", "levorphanol", 60, 3),
            ("ingredient", "tramadol", 40, 30), ("ingredient", "pentazocine", 2, 1),
            ("repair", "person_units", 70, 60), ("repair", "quantity", 22, 20), ("repair", "product_units", 3, 3),
            ("unusable", "quantity missing", 25, 23),
        )
    ]  # fmt: skip
    shown = [(row["item"], row["label"], row["fills"], row["suppressed"]) for row in released("exposure_ledger", rows)]
    assert shown == [
        ("ingredient", "oxycodone", 3000, 0), ("ingredient", "tramadol", 40, 0), ("ingredient", "other", None, 2),
        ("repair", "person_units", 70, 0), ("repair", "other", None, 2), ("unusable", "quantity missing", 25, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"off": 100, "unknown": 5}, {"off or unknown": 105}),
        ({"off": 5, "<20": 60, ">=90": 60}, {"off or <20": 65, ">=90": 60}),
    ],
)
def test_off_and_unknown_are_told_together_where_there_is_no_other_neighbour(
    counts: dict[str, int], found: dict[str, int]
) -> None:
    shown = released("dose_bands", months_of_bands([counts] * 3))
    assert {row["band"]: row["persons"] for row in shown} == found


def test_a_definition_of_all_but_a_few_is_told_as_the_one_around_it() -> None:
    met = {"d90_in_365": 500, "d180": 492, "svendsen_wide": 485, "fills3": 620, "dunn_entry": 612}
    rows: list[dict[str, object]] = [
        {"definition": name, "persons": 900, "met": count, "share": count / 900} for name, count in met.items()
    ]
    shown = {row["definition"]: (row["met"], row["share"], row["suppressed"]) for row in released("long_term", rows)}
    assert shown["dunn_entry"] == (620, round(620 / 900, 3), 2)
    assert shown["d180"] == shown["svendsen_wide"] == (500, round(500 / 900, 3), 2)
    assert shown["fills3"] == (620, round(620 / 900, 3), 0)
