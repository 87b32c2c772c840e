"""The door out: what a reader could otherwise work out, and cannot."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student_t

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.contracts.estimates import frame as estimates_frame
from opioid_outcomes.disclosure import displays, estimates
from opioid_outcomes.disclosure.profile import PROFILES
from opioid_outcomes.survival.kaplan_meier import log_log_limits

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
    assert estimates.released(frame, NONE).equals(frame.drop("smallest_cell", "instrument"))


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


@pytest.mark.parametrize(
    ("groups", "hidden"),
    [
        ({"all": 530, "on": 250, "off": 280, "never": 190, "recent": 6, "former": 84}, {"recent", "former"}),
        ({"all": 47, "on": 22, "off": 26, "never": 25, "recent": 1, "former": 0}, {"recent", "never"}),
        ({"all": 106, "on": 6, "off": 100, "never": 60, "recent": 20, "former": 20}, {"on", "off", "recent"}),
        ({"all": 100, "on": 40, "off": 60, "never": 20, "recent": 20, "former": 20}, set()),
        ({"all": 100, "baseline user": 8, "non user": 92}, {"baseline user", "non user"}),
    ],
)
def test_a_rate_hidden_alone_takes_its_next_smallest_sibling_and_contrasts_with_either(
    groups: dict[str, int], hidden: set[str]
) -> None:
    shown = estimates.released(rates({name: (deaths, 50.0 * deaths + 300) for name, deaths in groups.items()}), CMS11)
    withheld = shown.filter(pl.col("gate").str.starts_with("not evaluable: withheld"))
    assert set(withheld.filter(scale="rate_per_1000py")["contrast"]) == hidden
    assert hidden <= {contrast.removeprefix("on vs ") for contrast in withheld.filter(scale="log_hr")["contrast"]}


def test_the_two_reasons_for_withholding_are_told_apart() -> None:
    groups = {"off": (280, 9000.0), "never": (190, 7000.0), "recent": (6, 205.0), "former": (84, 1795.0)}
    shown = estimates.released(rates(groups), CMS11)
    assert shown["gate"].to_list()[2:4] == [
        "not evaluable: withheld: 1 to 10 people or deaths behind it",
        "not evaluable: withheld to protect a number of 1 to 10",
    ]


def test_a_rate_of_which_rounding_leaves_nothing_says_so() -> None:
    row = estimates.released(rates({"recent": (0, 0.44)}), CMS11).row(0, named=True)
    assert (row["estimate"], row["gate"][:14]) == (None, "not evaluable:")


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


@pytest.mark.parametrize(("few", "suppressed"), [((6, 5), [0, 0, 1, 1]), ((5, 4), [0, 2, 1, 1])])
def test_two_hidden_levels_need_a_third_where_they_are_few_together(
    few: tuple[int, int], suppressed: list[int]
) -> None:
    frame = table_one(
        [
            ("race", "a", 600, 1000),
            ("race", "b", 400 - sum(few), 1000),
            *(("race", c, n, 1000) for c, n in zip("cd", few, strict=True)),
        ]
    )
    assert displays.released(frame, DISPLAYS["table_one"], CMS11)["suppressed"].to_list() == suppressed


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


@pytest.mark.parametrize("kept", [[25, 12], [40, 23, 12], [60, 47, 31, 11, 11]])
def test_no_difference_between_the_kept_that_are_shown_is_small(kept: list[int]) -> None:
    shown = displays.released(attrition(kept), DISPLAYS["attrition"], CMS11)
    differences = [before - after for before, after in pairwise(shown["persons_kept"].to_list())]
    assert shown["persons_dropped"].to_list() == [0, *differences]
    assert all(each == 0 or each >= 11 for each in differences), differences


def test_attrition_of_a_tiny_cohort_hides_the_few_left() -> None:
    shown = displays.released(attrition([50, 30, 8]), DISPLAYS["attrition"], CMS11)
    assert shown["persons_kept"].to_list() == [50, 30, None]
    assert shown["persons_dropped"].to_list()[-1] is None


def curve(events: list[int]) -> pl.DataFrame:
    """400 people from whom one leaves every fourth day, and their Kaplan-Meier curve."""
    died, left = np.array(events), np.arange(len(events)) // 4
    at_risk, today = 400 - died - left, np.diff(died, prepend=0)
    survival = np.cumprod(1 - today / np.maximum(at_risk + today, 1))
    return pl.DataFrame(
        {"exposure": "current use", "group": "on", "day": range(len(events)), "at_risk": at_risk, "entered": 400,
         "events": died, "left": left, "survival": survival, "ci_low": 0.5,
         "ci_high": 1.0, "weighted": 0.0},
        schema_overrides={"entered": pl.Int64},
    )  # fmt: skip


@pytest.mark.parametrize("deaths_a_day", [1, 2, 4, 7])
def test_curves_come_from_rounded_counts_and_stay_close(deaths_a_day: int) -> None:
    full = curve([deaths_a_day * (day // 9) for day in range(400)])
    shown = displays.released(full, DISPLAYS["survival"], CMS11)
    for name in ("entered", "events", "left"):
        assert shown.filter(pl.col(name).is_between(1, 10)).is_empty(), name
        assert set(shown[name].to_list()) <= {0, *range(15, 500, 5)}
    first = shown.filter(pl.col("survival") < 1)["day"][0]
    assert full.filter(day=first)["events"].item() >= 11
    assert shown["at_risk"].min() >= 11
    steps = full.join_asof(shown.select("day", shown="survival"), on="day").filter(pl.col("day") <= shown["day"].max())
    apart = (pl.col("survival") - pl.col("shown")).abs()
    assert steps.filter(pl.col("at_risk") >= 100).select(apart.max()).item() <= 5 / 100  # DISCLOSURE Out 5
    largest = steps.select(apart.max()).item()
    assert shown["deviation"][0] == pytest.approx(largest, abs=1e-4)
    late = full.join_asof(shown.select("day", told="at_risk"), on="day").filter(pl.col("day") <= shown["day"].max())
    assert (late["told"] - late["at_risk"]).abs().max() <= 10 + 10 + 2  # deaths and leavings held, entries rounded


def test_a_curve_of_rounded_counts_is_their_kaplan_meier() -> None:
    full = curve([0, 0, 20, 20, 60, 60])
    shown = displays.released(full, DISPLAYS["survival"], CMS11)
    assert shown["survival"].to_list() == pytest.approx([1.0, 0.95, 0.95 * 340 / 380], abs=1e-4)
    assert shown["at_risk"].to_list() == [400, 380, 340]


def test_people_who_leave_with_the_last_deaths_were_at_risk_of_them() -> None:
    full = curve([day // 4 for day in range(133)])  # a death every fourth day, and on day 132 the study ends for 250
    day = pl.col("day") == 132
    ended = full.with_columns(
        pl.when(day).then(pl.col("left") + 250).otherwise(pl.col("left")).alias("left"),
        pl.when(day).then(pl.col("at_risk") - 250).otherwise(pl.col("at_risk")).alias("at_risk"),
    )
    before, after = (displays.released(frame, DISPLAYS["survival"], CMS11)["survival"][-1] for frame in (full, ended))
    assert after == pytest.approx(before, abs=0.001)


def test_a_weighted_curve_keeps_its_own_survival() -> None:
    full = curve([0, 0, 20, 20, 60, 60]).with_columns(weighted=1.0, survival=pl.Series([1.0, 1.0, 0.9, 0.9, 0.7, 0.7]))
    shown = displays.released(full, DISPLAYS["survival"], CMS11)
    assert shown["survival"].to_list() == [1.0, 0.9, 0.7]


@pytest.mark.parametrize(("count", "told"), [(11, 15), (12, 15), (13, 15), (17, 15), (18, 20), (0, 0)])
def test_what_may_be_shown_never_rounds_to_what_may_not(count: int, told: int) -> None:
    assert pl.DataFrame({"n": [count]}).select(CMS11.rounded("n")).item() == told


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


def test_the_few_without_a_value_cannot_be_counted_by_subtraction() -> None:
    mean = {"level": "", "statistic": "mean_sd", "group": "on", "mean": 5.0, "sd": 2.0, "share": None, "smd": None}
    frame = pl.DataFrame(
        [
            mean | {"variable": name, "persons": known, "of_persons": known}
            for name, known in [("age", 4000), ("pain", 3996)]
        ],
        schema_overrides={"share": pl.Float64, "smd": pl.Float64},
    )
    shown = displays.released(frame, DISPLAYS["table_one"], CMS11)
    assert shown.select("persons", "of_persons").rows() == [(4000, 4000), (4000, 4000)]


@pytest.mark.parametrize("remainder", [10, 11])
def test_the_remainder_of_a_count_is_a_group_too(remainder: int) -> None:
    row = estimates.released(estimate(500, 500 - remainder), CMS11).row(0, named=True)
    assert (row["estimate"] is None) == (remainder < 11)
    shown = displays.released(table_one([("copd", "1", 1000 - remainder, 1000)]), DISPLAYS["table_one"], CMS11)
    assert shown["suppressed"].to_list() == [2 if remainder < 11 else 0]


def test_two_small_rates_that_are_few_together_take_a_third_with_them() -> None:
    groups = {"all": 215, "on": 70, "off": 140, "treatment": 2, "unknown": 3}
    shown = estimates.released(rates({name: (deaths, 50.0 * deaths + 300) for name, deaths in groups.items()}), CMS11)
    hidden = shown.filter(pl.col("gate").str.starts_with("not evaluable: withheld"), scale="rate_per_1000py")
    assert set(hidden["contrast"]) == {"treatment", "unknown", "on"}


def share_of(events: int, persons: int) -> dict[str, object]:
    """The row of a share of people all of whom are followed, as it leaves."""
    share = events / persons
    se = (share * (1 - share) / persons) ** 0.5
    low, high = log_log_limits(np.array([1 - share]), np.array([(se / (1 - share)) ** 2]))
    row = Estimate(
        analysis="trajectory.taper", method="aalen_johansen", population="p", outcome="relapse", contrast="after taper",
        scale="share", estimate=share, se=se, ci_low=float(1 - high[0]), ci_high=float(1 - low[0]), persons=persons,
        events=events,
    )  # fmt: skip
    return estimates.released(estimates_frame([row], study="s", cohort="c"), CMS11).row(0, named=True)


@pytest.mark.parametrize("persons", [30, 65, 240])
def test_a_share_and_its_limits_do_not_give_the_exact_counts_back(persons: int) -> None:
    for events in (15, persons // 2):
        told = {
            tuple(share_of(k, n)[name] for name in ("estimate", "se", "ci_low", "ci_high"))
            for k in range(5 * round(events / 5) - 2, 5 * round(events / 5) + 3)
            for n in range(persons - 2, persons + 3)
        }
        assert len(told) == 1  # of 25 pairs of counts


def test_a_share_of_people_of_whom_some_leave_moves_as_its_counts_do() -> None:
    frame = estimate(303, 121).with_columns(
        scale=pl.lit("share"), estimate=pl.lit(0.4312345), se=pl.lit(0.03), ci_low=pl.lit(0.37), ci_high=pl.lit(0.49)
    )
    row = estimates.released(frame, CMS11).row(0, named=True)
    assert row["estimate"] == round(0.4312345 + 120 / 305 - 121 / 303, 3)
    assert row["note"].endswith("moved by as much as rounding moves its counts")


def test_limits_of_a_mean_slope_do_not_tell_how_many_people_it_rests_on() -> None:
    def told(persons: int) -> dict[str, float]:
        half = float(student_t.ppf(0.975, persons - 1)) * 0.5512345
        frame = estimate(persons, None).with_columns(
            scale=pl.lit("slope"), estimate=pl.lit(0.1234567), se=pl.lit(0.5512345), ci_low=pl.lit(0.1234567 - half),
            ci_high=pl.lit(0.1234567 + half),
        )  # fmt: skip
        return estimates.released(frame, CMS11).row(0, named=True)

    row = told(23)
    assert (row["estimate"], row["se"]) == (0.1235, 0.55)
    quantile = [(row["ci_high"] - row["estimate"]) / se for se in (0.545, 0.555)]
    fits = [n for n in range(23, 28) if quantile[1] <= float(student_t.ppf(0.975, n - 1)) <= quantile[0]]
    assert len(fits) >= 3  # of the five that the rounded number may be


def test_members_of_classes_go_where_one_class_has_few() -> None:
    of_class = {"analysis": "trajectory.predictors", "method": "multinomial", "population": "p", "scale": "log_or"}
    rows = [
        Estimate(**of_class, outcome=f"class:{number} vs 1", contrast="age per year", estimate=0.1, ci_low=0.0,
                 ci_high=0.2, se=0.05, persons=900, events=members)
        for number, members in ((2, 40), (3, 7))
    ]  # fmt: skip
    shown = estimates.released(estimates_frame(rows, study="s", cohort="c"), CMS11)
    assert shown["events"].to_list() == [None, None]
    assert shown["estimate"].to_list() == [0.1, None]
    assert shown["persons"].to_list() == [900, None]
