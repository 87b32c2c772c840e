"""The door out: what a reader could otherwise work out, and cannot."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.contracts.estimates import frame as estimates_frame
from opioid_outcomes.disclosure import displays, estimates
from opioid_outcomes.disclosure.profile import PROFILES

CMS11, NONE = PROFILES["cms11"], PROFILES["none"]


def estimate(persons: int | None, events: int | None, note: str = "", gate: str = "pass") -> pl.DataFrame:
    row = Estimate(
        analysis="mortality.current_use", method="crude", population="everybody", outcome="death", contrast="on vs off",
        scale="log_hr", estimate=12.5, ci_low=10.0, ci_high=15.0, se=1.2, p_value=0.04, persons=persons,
        events=events, person_years=1203.4, note=note, gate=gate,
    )  # fmt: skip
    return estimates_frame([row], study="s", cohort="c")


@pytest.mark.parametrize(
    ("persons", "events", "hidden"),
    [(500, 10, True), (500, 1, True), (500, 11, False), (500, 0, False), (10, 0, True), (11, 0, False),
     (500, 495, True), (500, 500, False), (None, None, False)],
)  # fmt: skip
def test_everything_about_a_small_cell_goes_together(persons: int | None, events: int | None, hidden: bool) -> None:
    row = estimates.released(estimate(persons, events, note="5 deaths were left out"), CMS11).row(0, named=True)
    gone = [row[name] is None for name in ("estimate", "ci_low", "ci_high", "se", "p_value", "person_years")]
    assert gone == [hidden] * 6
    assert row["gate"].startswith("not evaluable: withheld" if hidden else "pass")
    assert "5 deaths" not in row["note"]


def test_counts_and_person_years_are_rounded_to_five_halves_up() -> None:
    row = estimates.released(estimate(1233, 47), CMS11).row(0, named=True)
    assert (row["persons"], row["events"], row["person_years"]) == (1235, 45, 1205.0)
    assert estimates.released(estimate(1232, 48), CMS11)["persons"].item() == 1230


def test_profile_none_changes_nothing() -> None:
    frame = estimate(7, 3, note="3 deaths")
    assert estimates.released(frame, NONE).equals(frame.drop("smallest_cell"))


def test_a_small_arm_hides_the_row_whatever_the_total() -> None:
    frame = estimate(500, 60).with_columns(smallest_cell=pl.lit(4, pl.Int64))
    assert estimates.released(frame, CMS11)["estimate"].to_list() == [None]


def rates(groups: dict[str, tuple[int, float]]) -> pl.DataFrame:
    """Rows of ``mortality.rate``, and hazard ratios of on against each kind of off."""
    values = {"analysis": "mortality.rate", "method": "crude", "population": "p", "outcome": "death"}
    rows = [
        Estimate(**values, contrast=group, scale="rate_per_1000py", estimate=1000 * deaths / years, persons=2000,
                 events=deaths, person_years=years)
        for group, (deaths, years) in groups.items()
    ]  # fmt: skip
    rows += [
        Estimate(analysis="mortality.current_use", method="crude", population="p", outcome="death",
                 contrast=f"on vs {group}", scale="log_hr", estimate=0.5, se=0.1, persons=2000, events=500,
                 smallest_cell=groups[group][0])
        for group in groups
    ]  # fmt: skip
    return estimates_frame(rows, study="s", cohort="c")


def test_a_rate_hidden_alone_takes_the_next_smallest_with_it_and_contrasts_with_either() -> None:
    groups = {"off": (280, 9000.0), "never": (190, 7000.0), "recent": (6, 205.0), "former": (84, 1795.0)}
    shown = estimates.released(rates(groups), CMS11)
    assert shown["events"].to_list() == [280, 190, None, None, 500, 500, None, None]
    assert shown["gate"].to_list()[2:4] == [
        "not evaluable: withheld: 1 to 10 people or deaths behind it",
        "not evaluable: withheld to protect a number of 1 to 10",
    ]


def test_rates_come_from_the_rounded_counts_so_that_they_do_not_give_the_exact_ones_back() -> None:
    row = estimates.released(rates({"on": (513, 14183.2)}), CMS11).row(0, named=True)
    assert (row["events"], row["person_years"]) == (515, 14185)
    assert row["estimate"] == pytest.approx(1000 * 515 / 14185, rel=1e-12)
    assert (row["estimate"] / row["se"]) ** 2 == pytest.approx(515, rel=1e-9)


def test_a_pooled_row_goes_with_a_withheld_part() -> None:
    one = estimate(500, 60).with_columns(smallest_cell=pl.lit(4, pl.Int64))
    other, pooled = (estimate(900, 90).with_columns(cohort=pl.lit(name)) for name in ("d", "pooled"))
    shown = estimates.released(pl.concat([one, other, pooled]), CMS11)
    assert shown["estimate"].to_list() == [None, 12.5, None]


def test_a_gate_keeps_its_reason_but_not_its_small_count() -> None:
    frame = estimate(900, 4, gate="not evaluable: 4 deaths, fewer than the 10 needed")
    row = estimates.released(frame, CMS11).row(0, named=True)
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
    shown = displays.released(frame, DISPLAYS["table_one"], CMS11)
    assert shown["suppressed"].to_list() == [0, 2, 1]
    assert shown["persons"].to_list() == [600, None, None]
    assert shown["share"].to_list()[1:] == [None, None]
    assert shown["smd"].to_list()[1:] == [None, None]


def test_a_level_nearly_everybody_has_is_hidden_as_its_complement_is_small() -> None:
    shown = displays.released(table_one([("depression", "1", 995, 1000)]), DISPLAYS["table_one"], CMS11)
    assert shown["suppressed"].to_list() == [2]


def test_two_hidden_levels_need_no_third() -> None:
    frame = table_one(
        [("race", "a", 600, 1000), ("race", "b", 391, 1000), ("race", "c", 5, 1000), ("race", "d", 4, 1000)]
    )
    assert displays.released(frame, DISPLAYS["table_one"], CMS11)["suppressed"].to_list() == [0, 0, 1, 1]


def attrition(kept: list[int]) -> pl.DataFrame:
    dropped = [0, *(a - b for a, b in pairwise(kept))]
    return pl.DataFrame(
        {"step": range(len(kept)), "rule": [f"rule {i}" for i in range(len(kept))], "persons_kept": kept,
         "persons_dropped": dropped}
    )  # fmt: skip


def test_attrition_steps_that_drop_too_few_are_told_together() -> None:
    shown = displays.released(attrition([1000, 995, 700, 700, 690]), DISPLAYS["attrition"], CMS11)
    assert shown["rule"].to_list() == ["rule 0", "rule 1; rule 2; rule 3; rule 4"]
    assert shown["persons_dropped"].to_list() == [0, 310]
    assert shown["persons_kept"].to_list()[-1] == 690
    assert all(d == 0 or d >= 11 for d in shown["persons_dropped"].to_list())


def test_attrition_of_a_tiny_cohort_hides_the_few_left() -> None:
    shown = displays.released(attrition([50, 30, 8]), DISPLAYS["attrition"], CMS11)
    assert shown["persons_kept"].to_list() == [50, 30, None]
    assert shown["persons_dropped"].to_list()[-1] is None


def curve(events: list[int]) -> pl.DataFrame:
    days = list(range(len(events)))
    return pl.DataFrame(
        {"exposure": "current use", "group": "on", "day": days,
         "at_risk": [400 - deaths - day // 4 for deaths, day in zip(events, days, strict=True)],
         "entered": [400] * len(days), "events": events, "left": [day // 4 for day in days],
         "survival": [1 - deaths / 400 for deaths in events], "ci_low": [0.5] * len(days), "ci_high": [1.0] * len(days)}
    )  # fmt: skip


@pytest.mark.parametrize("deaths_a_day", [1, 2, 4, 7])
def test_every_step_of_a_curve_stands_for_eleven_deaths_and_the_end_is_flat(deaths_a_day: int) -> None:
    full = curve([deaths_a_day * (day // 9) for day in range(400)])
    shown = displays.released(full, DISPLAYS["survival"], CMS11)
    true_events = full.join(shown.select("day"), on="day")["events"].to_list()[:-1]
    assert len(true_events) > 3
    assert min(b - a for a, b in pairwise(true_events)) >= 11
    assert shown["survival"][-1] == shown["survival"][-2]
    assert shown["day"][-1] == full.filter(pl.col("at_risk") >= 11)["day"].max()
    assert shown["at_risk"].min() >= 0
    assert set(shown["events"].to_list()) <= set(range(0, 500, 5))
    steps = full.join_asof(shown.select("day", shown="survival"), on="day").filter(pl.col("at_risk") >= 11)
    largest = (steps["survival"] - steps["shown"]).abs().max()
    assert shown["deviation"][0] == pytest.approx(largest, abs=1e-4)


def test_a_share_of_people_comes_from_the_rounded_counts_and_other_values_have_three_decimals() -> None:
    frame = table_one([("smoking", "daily", 77, 2286)]).with_columns(smd=0.123456)
    row = displays.released(frame, DISPLAYS["table_one"], CMS11).row(0, named=True)
    assert (row["persons"], row["of_persons"]) == (75, 2285)
    assert row["share"] == pytest.approx(round(75 / 2285, 3), abs=1e-12)
    assert row["smd"] == 0.123


def test_a_level_hidden_in_one_group_is_hidden_in_another_too() -> None:
    groups = [("all", 77, 2286), ("baseline user", 6, 261), ("non user", 71, 2025)]
    frame = pl.concat(
        table_one([("smoking", "daily", persons, of)]).with_columns(group=pl.lit(group))
        for group, persons, of in groups
    )
    shown = displays.released(frame, DISPLAYS["table_one"], CMS11)
    assert shown["suppressed"].to_list() == [0, 1, 2]


def test_ledger_hides_small_parts_and_what_they_would_be_subtracted_from() -> None:
    frame = pl.DataFrame(
        {"table": ["pain", "deaths"], "into": ["pain", "deaths"], "rows_in": [5003, 400], "canonical": [5000, 400],
         "rejected": [3, 0], "merged": [0, 0], "not_selected": [0, 0]}
    )  # fmt: skip
    shown = displays.released(frame, DISPLAYS["quality"], CMS11)
    assert shown.row(0, named=True)["rejected"] is None
    assert shown.row(0, named=True)["canonical"] is None
    assert shown.row(1, named=True)["canonical"] == 400


def test_quantiles_need_twice_the_threshold() -> None:
    frame = pl.DataFrame(
        {"month": [0, 1], "persons": [500, 500], "persons_on": [21, 22], "persons_with_dose": [21, 22],
         "share_on": [0.04, 0.044], "p25": [10.0, 10.0],
         "median": [20.0, 20.0], "p75": [30.0, 30.0], "mean": [21.0, 21.0]}
    )  # fmt: skip
    shown = displays.released(frame, DISPLAYS["dose_trajectory"], CMS11)
    assert shown["median"].to_list() == [None, 20.0]
    assert shown["mean"].to_list() == [21.0, 21.0]
    assert "persons_with_dose" not in shown.columns


def test_values_resting_on_fewer_people_than_the_row_counts_go() -> None:
    frame = pl.DataFrame(
        {"month": [0, 1], "persons": [500, 500], "persons_on": [90, 90], "persons_with_dose": [10, 21],
         "share_on": [0.18, 0.18], "p25": [10.0, 10.0], "median": [20.0, 20.0], "p75": [30.0, 30.0],
         "mean": [21.0, 21.0]}
    )  # fmt: skip
    shown = displays.released(frame, DISPLAYS["dose_trajectory"], CMS11)
    assert shown["mean"].to_list() == [None, 21.0]
    assert shown["median"].to_list() == [None, None]
