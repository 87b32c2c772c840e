"""What the report says of survival: the curves drawn, and what is read off them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from report_release import settings, write

from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.disclosure import displays
from opioid_outcomes.disclosure.profile import PROFILES
from opioid_outcomes.report import charts, released
from opioid_outcomes.report.document import Block, Figure, Notice, Paragraph, Table
from opioid_outcomes.report.mortality_section import mortality
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.survival_section import supported, survival, survival_at

HORIZONS = [30, 180, 400, 450, 600]


def curve(day: int, at_risk: float | None, survival: float | None, group: str = "on", **more: Any) -> dict[str, Any]:
    limits = {"ci_low": survival and survival - 0.01, "ci_high": survival and min(1, survival + 0.01)}
    row = {"cohort": "clinic", "group": group, "day": day, "at_risk": at_risk, "survival": survival, **limits}
    return row | {"deviation": 0.0, "weighted": 0.0} | more


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return read(write(tmp_path_factory.mktemp("release") / "demo"))


def read(inputs: dict[str, Path]) -> Released:
    paths = {name: inputs[name] for name in ("release", "manifest", "estimates")}
    config = Config(**settings(mortality={"horizons_days": HORIZONS}))
    return released.read(config, displays=[inputs[name] for name in DISPLAYS], truth=None, **paths)


def showing(study: Released, rows: list[dict[str, Any]], *, rounded: bool = True) -> Released:
    """The study with one curve display, under a profile that rounds or not."""
    profile = {"threshold": 11, "rounding": 5} if rounded else {"threshold": 1, "rounding": 1}
    return replace(study, release={**study.release, **profile}, displays={**study.displays, "survival": rows})


def told(study: Released, kind: type[Block]) -> str:  # type: ignore[type-arg]
    return " ".join(getattr(b, "text", "") or getattr(b, "caption", "") for b in survival(study) if isinstance(b, kind))


ROUNDED = [
    *(curve(day, risk, s, deviation=0.0272) for day, risk, s in ((0, 900, 1.0), (100, 800, 0.98), (400, 500, 0.95))),
    curve(500, 400, 0.95, deviation=0.0272),  # people left, nobody died
    *(curve(day, risk, s, "off", deviation=0.009) for day, risk, s in ((0, 900, 1.0), (450, 800, 0.99))),
]


def full_curve() -> pl.DataFrame:
    """1,000 people of whom one dies every other day and one leaves every third."""
    days = pl.DataFrame({"day": range(301)}).with_columns(events=pl.col("day") // 2, left=pl.col("day") // 3)
    hazard = 1 / (1000 - pl.col("events") - pl.col("left") + 1)
    died = pl.when(pl.col("events").diff().fill_null(0) > 0).then(1 - hazard).otherwise(1.0)
    return days.select(
        "day", "events", "left", exposure=pl.lit("current use"), group=pl.lit("on"), entered=pl.lit(1000, pl.Int64),
        at_risk=1000 - pl.col("events") - pl.col("left"), survival=died.cum_prod(), weighted=pl.lit(0.0),
    ).with_columns(ci_low=pl.col("survival") - 0.01, ci_high=pl.col("survival") + 0.01)  # fmt: skip


def test_what_is_told_at_a_horizon_departs_from_the_full_curve_by_no_more_than_is_told() -> None:
    full = full_curve()
    shown = displays.released(full, DISPLAYS["survival"], PROFILES["cms11"]).to_dicts()
    largest = 100 * shown[0]["deviation"]
    assert 0 < largest <= 1.0 + 1e-9  # of 1,000 people 10 may die before the first step
    for day, value in full.select("day", "survival").iter_rows():
        if day <= shown[-1]["day"]:
            answer = float(survival_at(shown, day).split(" ")[0])
            assert abs(answer - 100 * value) <= largest + 0.06  # printed to one decimal


def test_numbers_at_risk_of_rounded_counts_are_right_to_a_few() -> None:
    full = full_curve()
    shown = displays.released(full, DISPLAYS["survival"], PROFILES["cms11"]).to_dicts()
    for day, people in full.select("day", "at_risk").iter_rows():
        told = charts.at_risk(shown, day)
        assert told is not None
        assert abs(told - people) <= 10 + 10 + 2.5  # deaths and leavings held below 11, entries rounded


@pytest.mark.parametrize(
    ("day", "answer"),
    [
        (30, "100.0 % (–)"),  # nobody has died: there are no limits
        (99, "100.0 % (–)"),
        (180, "98.0 % (97.0 to 99.0)"),
        (400, "95.0 % (94.0 to 96.0)"),
        (450, "95.0 % (94.0 to 96.0)"),
        (501, "–"),
    ],
)
def test_a_horizon_tells_the_last_row_before_it_with_limits_from_the_first_death_on(day: int, answer: str) -> None:
    assert survival_at([row for row in ROUNDED if row["group"] == "on"], day) == answer


def test_before_its_first_row_a_curve_tells_nothing() -> None:
    assert survival_at([curve(10, 900, 1.0), curve(100, 800, 0.98)], 9) == "–"
    assert survival_at([], 9) == "–"


def test_a_full_curve_is_drawn_to_its_last_step_with_ten_at_risk() -> None:
    rows = [curve(0, 8, 1.0), curve(10, 40, 0.99), curve(50, 10, 0.9), curve(60, 9, 0.8), curve(70, 1, 0.0)]
    assert [row["day"] for row in supported(rows, rounded=False)] == [0, 10, 50]
    assert supported(rows[3:], rounded=False) == []
    assert supported(rows[:1], rounded=False) == []


def test_a_curve_of_rounded_counts_has_been_cut_already_and_needs_a_step() -> None:
    rows = [curve(0, 900, 1.0), curve(10, 40, 0.99), curve(50, 5, 0.9)]  # at risk from rounded counts
    assert supported(rows, rounded=True) == rows
    assert supported([curve(0, 900, 1.0), curve(90, 800, 1.0)], rounded=True) == []
    assert supported([], rounded=True) == []


def test_the_caption_says_from_which_counts_and_how_far_curves_are_shown(study: Released) -> None:
    under = told(showing(study, ROUNDED), Figure)
    assert "counts of people entered, died and left rounded to 5" in under
    assert "while at least 11 people are at risk" in under
    assert "largest difference from the unrounded curve is, in percentage points, 2.7 in clinic." in under
    assert "weighted" not in under
    full = told(showing(study, ROUNDED, rounded=False), Figure)
    assert "at its last step after which at least 10 people are at risk" in full
    assert "rounded" not in full
    assert "percentage points" not in full


def test_the_table_of_horizons_prints_values_with_their_limits(study: Released) -> None:
    found = next(block for block in survival(showing(study, ROUNDED)) if isinstance(block, Table))
    assert found.rows == (
        ("clinic",),
        ("on", "100.0 % (–)", "98.0 % (97.0 to 99.0)", "95.0 % (94.0 to 96.0)", "95.0 % (94.0 to 96.0)", "–"),
        ("off", "100.0 % (–)", "100.0 % (–)", "100.0 % (–)", "99.0 % (98.0 to 100.0)", "–"),
    )


def test_a_group_without_a_curve_is_named_with_the_reason(study: Released) -> None:
    few = [*ROUNDED[:4], *(row | {"survival": 1.0} for row in ROUNDED[4:])]
    said = told(showing(study, few), Paragraph)
    assert "In `clinic` no curve is shown for “off”: a curve needs at least 11 people at risk, and a death" in said
    assert "In `claims` no curve is shown for “on” and “off”" in said  # no row of it was released
    small = [*ROUNDED[:4], *(row | {"at_risk": 4} for row in ROUNDED[4:])]
    assert "for “off”: a curve needs at least 10 people at risk." in told(
        showing(study, small, rounded=False), Paragraph
    )
    assert "no curve is shown" not in told(study, Paragraph)


def test_a_cohort_without_curves_because_its_deaths_are_not_observed_says_that(study: Released) -> None:
    failed = "more than 5 % of deaths fall outside follow-up for want of observation"
    rows = [
        row | {"gate": f"fail: {failed}", "estimate": None}
        if row["cohort"] == "claims" and row["analysis"].startswith("mortality.")
        else row
        for row in study.estimates
    ]
    gated = replace(showing(study, ROUNDED), estimates=rows)
    assert f"In `claims` no curve is shown for “on” and “off”: {failed}." in told(gated, Paragraph)
    nothing = told(replace(showing(study, []), estimates=rows), Notice)
    assert nothing.startswith("No survival curve is shown. In `clinic` no curve")
    assert failed in nothing
    rates = next(block for block in mortality(gated).blocks if getattr(block, "name", "") == "mortality_rates")
    assert isinstance(rates, Table)
    place = rates.rows.index(("claims",))
    assert rates.rows[place + 1] == ("on", "3,000", "5,800", "260", "failed a gate")


def test_a_weighted_cohort_s_curve_is_called_that(study: Released) -> None:
    rows = [row | {"weighted": 1.0} for row in ROUNDED]
    weighted = showing(study, rows)
    assert "In `clinic` survival is weighted to the sampled population" in told(weighted, Paragraph)
    assert "the days on which the rounded number of deaths changes" in told(weighted, Figure)
    assert "rounded number" not in told(showing(study, rows, rounded=False), Figure)
    assert "sampled population" not in told(showing(study, ROUNDED), Paragraph)


def test_a_group_with_a_curve_in_one_cohort_only_is_left_out_of_the_other(study: Released) -> None:
    flat = [curve(day, 300, 1.0, "off", cohort="claims") for day in (0, 450)]  # no death that rounding shows
    stepped = [row | {"cohort": "claims"} for row in ROUNDED if row["group"] == "on"]
    shown = next(block for block in survival(showing(study, [*ROUNDED, *stepped, *flat])) if isinstance(block, Figure))
    assert ">claims</text>" in shown.svg
    assert "claims: survival on 95.0 % (94.0 to 96.0) at 1.4 years." in shown.alt
