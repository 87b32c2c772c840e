"""The door out: what a reader could otherwise work out, and cannot."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.contracts.estimates import frame as estimates_frame
from opioid_outcomes.disclosure import release
from opioid_outcomes.disclosure.profile import PROFILES

CMS11, NONE = PROFILES["cms11"], PROFILES["none"]


def estimate(persons: int | None, events: int | None, note: str = "", gate: str = "pass") -> pl.DataFrame:
    row = Estimate(
        analysis="mortality.rate", method="crude", population="everybody", outcome="death", contrast="on",
        scale="rate_per_1000py", estimate=12.5, ci_low=10.0, ci_high=15.0, se=1.2, p_value=0.04, persons=persons,
        events=events, person_years=1203.4, note=note, gate=gate,
    )  # fmt: skip
    return estimates_frame([row], study="s", cohort="c")


@pytest.mark.parametrize(
    ("persons", "events", "hidden"),
    [(500, 10, True), (500, 1, True), (500, 11, False), (500, 0, False), (10, 0, True), (11, 0, False),
     (500, 495, True), (500, 500, False), (None, None, False)],
)  # fmt: skip
def test_everything_about_a_small_cell_goes_together(persons: int | None, events: int | None, hidden: bool) -> None:
    row = release.estimates(estimate(persons, events, note="5 deaths were left out"), CMS11).row(0, named=True)
    gone = [row[name] is None for name in ("estimate", "ci_low", "ci_high", "se", "p_value", "person_years")]
    assert gone == [hidden] * 6
    assert row["gate"].startswith("not evaluable: withheld" if hidden else "pass")
    assert "5 deaths" not in row["note"]


def test_counts_and_person_years_are_rounded_to_five_halves_up() -> None:
    row = release.estimates(estimate(1233, 47), CMS11).row(0, named=True)
    assert (row["persons"], row["events"], row["person_years"]) == (1235, 45, 1205.0)
    assert release.estimates(estimate(1232, 48), CMS11)["persons"].item() == 1230


def test_profile_none_changes_nothing() -> None:
    frame = estimate(7, 3, note="3 deaths")
    assert release.estimates(frame, NONE).equals(frame.drop("smallest_cell"))


def test_a_small_arm_hides_the_row_whatever_the_total() -> None:
    frame = estimate(500, 60).with_columns(smallest_cell=pl.lit(4, pl.Int64))
    assert release.estimates(frame, CMS11)["estimate"].to_list() == [None]


def test_a_rate_hidden_alone_takes_the_next_smallest_with_it() -> None:
    rates = pl.concat(
        estimate(500, deaths).with_columns(contrast=pl.lit(group))
        for group, deaths in [("off", 280), ("never", 190), ("recent", 6), ("former", 84)]
    )
    shown = release.estimates(rates, CMS11)
    assert shown["events"].to_list() == [280, 190, None, None]


def test_a_gate_keeps_its_reason_but_not_its_small_count() -> None:
    frame = estimate(900, 4, gate="not evaluable: 4 deaths, fewer than the 10 needed")
    row = release.estimates(frame, CMS11).row(0, named=True)
    assert row["gate"] == "not evaluable: <11 deaths, fewer than the 10 needed"
    assert row["events"] is None


def table_one(rows: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"variable": variable, "level": level, "statistic": "share", "group": "on", "persons": persons,
             "of_persons": of, "mean": None, "sd": None, "share": persons / of, "smd": 0.1}
            for variable, level, persons, of in rows
        ],
        schema_overrides={"mean": pl.Float64, "sd": pl.Float64},
    )  # fmt: skip


def test_one_hidden_level_takes_the_next_smallest_with_it() -> None:
    frame = table_one([("sex", "F", 600, 1000), ("sex", "M", 392, 1000), ("sex", "U", 8, 1000)])
    shown = release.display(frame, DISPLAYS["table_one"], CMS11)
    assert shown["suppressed"].to_list() == [0, 2, 1]
    assert shown["persons"].to_list() == [600, None, None]
    assert shown["share"].to_list()[1:] == [None, None]
    assert shown["smd"].to_list()[1:] == [None, None]


def test_a_level_nearly_everybody_has_is_hidden_as_its_complement_is_small() -> None:
    shown = release.display(table_one([("depression", "1", 995, 1000)]), DISPLAYS["table_one"], CMS11)
    assert shown["suppressed"].to_list() == [2]


def test_two_hidden_levels_need_no_third() -> None:
    frame = table_one(
        [("race", "a", 600, 1000), ("race", "b", 391, 1000), ("race", "c", 5, 1000), ("race", "d", 4, 1000)]
    )
    assert release.display(frame, DISPLAYS["table_one"], CMS11)["suppressed"].to_list() == [0, 0, 1, 1]


def attrition(kept: list[int]) -> pl.DataFrame:
    dropped = [0, *(a - b for a, b in pairwise(kept))]
    return pl.DataFrame(
        {"step": range(len(kept)), "rule": [f"rule {i}" for i in range(len(kept))], "persons_kept": kept,
         "persons_dropped": dropped}
    )  # fmt: skip


def test_attrition_steps_that_drop_too_few_are_told_together() -> None:
    shown = release.display(attrition([1000, 995, 700, 700, 690]), DISPLAYS["attrition"], CMS11)
    assert shown["rule"].to_list() == ["rule 0", "rule 1; rule 2; rule 3; rule 4"]
    assert shown["persons_dropped"].to_list() == [0, 310]
    assert shown["persons_kept"].to_list()[-1] == 690
    assert all(d == 0 or d >= 11 for d in shown["persons_dropped"].to_list())


def test_attrition_of_a_tiny_cohort_hides_the_few_left() -> None:
    shown = release.display(attrition([50, 30, 8]), DISPLAYS["attrition"], CMS11)
    assert shown["persons_kept"].to_list() == [50, 30, None]
    assert shown["persons_dropped"].to_list()[-1] is None


def test_every_step_of_a_curve_stands_for_eleven_deaths() -> None:
    days = list(range(400))
    events = [day // 3 for day in days]
    at_risk = [300 - deaths - day // 2 for deaths, day in zip(events, days, strict=True)]
    frame = pl.DataFrame(
        {"exposure": "current use", "group": "on", "day": days, "at_risk": at_risk,
         "entered": [300] * 400, "events": events, "left": [d // 2 for d in days],
         "survival": [1 - e / 300 for e in events], "ci_low": [0.5] * 400, "ci_high": [1.0] * 400}
    )  # fmt: skip
    shown = release.display(frame, DISPLAYS["survival"], CMS11)
    true_events = frame.join(shown.select("day"), on="day")["events"].to_list()
    assert min(b - a for a, b in pairwise(true_events)) >= 11
    assert shown["at_risk"].min() >= 0
    assert set(shown["events"].to_list()) <= set(range(0, 500, 5))
    largest = (
        frame["survival"].to_numpy()
        - frame.join_asof(shown.select("day", shown="survival"), on="day")["shown"].to_numpy()
    )
    assert abs(largest).max() <= 11 / 100


def test_ledger_hides_small_parts_and_what_they_would_be_subtracted_from() -> None:
    frame = pl.DataFrame(
        {"table": ["pain", "deaths"], "into": ["pain", "deaths"], "rows_in": [5003, 400], "canonical": [5000, 400],
         "rejected": [3, 0], "merged": [0, 0], "not_selected": [0, 0]}
    )  # fmt: skip
    shown = release.display(frame, DISPLAYS["quality"], CMS11)
    assert shown.row(0, named=True)["rejected"] is None
    assert shown.row(0, named=True)["canonical"] is None
    assert shown.row(1, named=True)["canonical"] == 400


def test_quantiles_need_twice_the_threshold() -> None:
    frame = pl.DataFrame(
        {"month": [0, 1], "persons": [500, 500], "persons_on": [21, 22], "persons_with_dose": [21, 22],
         "share_on": [0.04, 0.044], "p25": [10.0, 10.0],
         "median": [20.0, 20.0], "p75": [30.0, 30.0], "mean": [21.0, 21.0]}
    )  # fmt: skip
    shown = release.display(frame, DISPLAYS["dose_trajectory"], CMS11)
    assert shown["median"].to_list() == [None, 20.0]
    assert shown["mean"].to_list() == [21.0, 21.0]
    assert "persons_with_dose" not in shown.columns


def test_values_resting_on_fewer_people_than_the_row_counts_go() -> None:
    frame = pl.DataFrame(
        {"month": [0, 1], "persons": [500, 500], "persons_on": [90, 90], "persons_with_dose": [10, 21],
         "share_on": [0.18, 0.18], "p25": [10.0, 10.0], "median": [20.0, 20.0], "p75": [30.0, 30.0],
         "mean": [21.0, 21.0]}
    )  # fmt: skip
    shown = release.display(frame, DISPLAYS["dose_trajectory"], CMS11)
    assert shown["mean"].to_list() == [None, 21.0]
    assert shown["median"].to_list() == [None, None]
