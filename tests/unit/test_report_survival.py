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
from opioid_outcomes.disclosure import curves
from opioid_outcomes.disclosure.profile import PROFILES
from opioid_outcomes.report import released
from opioid_outcomes.report.document import Block, Figure, Notice, Paragraph, Table
from opioid_outcomes.report.mortality_section import mortality
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.survival_section import supported, survival, survival_at

HORIZONS = [30, 180, 400, 450, 600]


def curve(day: int, at_risk: float | None, survival: float | None, group: str = "on", **more: Any) -> dict[str, Any]:
    limits = {"ci_low": survival and survival - 0.01, "ci_high": survival and min(1, survival + 0.01)}
    return {"cohort": "clinic", "group": group, "day": day, "at_risk": at_risk, "survival": survival, **limits, **more}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return read(write(tmp_path_factory.mktemp("release") / "demo"))


def read(inputs: dict[str, Path]) -> Released:
    paths = {name: inputs[name] for name in ("release", "manifest", "estimates")}
    config = Config(**settings(mortality={"horizons_days": HORIZONS}))
    return released.read(config, displays=[inputs[name] for name in DISPLAYS], truth=None, **paths)


def showing(study: Released, rows: list[dict[str, Any]], threshold: int = 11) -> Released:
    """The study with one curve display and a profile of this threshold."""
    return replace(
        study, release={**study.release, "threshold": threshold}, displays={**study.displays, "survival": rows}
    )


def told(study: Released, kind: type[Block]) -> str:  # type: ignore[type-arg]
    return " ".join(getattr(b, "text", "") or getattr(b, "caption", "") for b in survival(study) if isinstance(b, kind))


THINNED = [
    *(curve(day, risk, s, deviation=0.0272) for day, risk, s in ((0, 900, 1.0), (100, 800, 0.98), (400, 500, 0.95))),
    curve(500, 400, 0.95, deviation=0.0272),  # the flat end
    *(curve(day, risk, s, "off", deviation=0.009) for day, risk, s in ((0, 900, 1.0), (450, 800, 0.99))),
]


@pytest.mark.parametrize(
    ("day", "answer"),
    [
        (30, "98.0 to 100.0 %"),  # before the first step shown
        (180, "95.3 to 98.0 %"),  # anywhere between the two steps, and no further down than the deviation
        (100, "98.0 % (97.0 to 99.0)"),  # a day shown is exact
        (400, "95.0 % (94.0 to 96.0)"),
        (450, "92.3 to 95.0 %"),  # after the last step shown up to ten more may have died: the deviation bounds it
        (500, "92.3 to 95.0 %"),
        (501, "–"),
    ],
)
def test_a_thinned_curve_tells_a_horizon_no_closer_than_its_steps(day: int, answer: str) -> None:
    assert survival_at([row for row in THINNED if row["group"] == "on"], day, thinned=True) == answer


def test_without_a_deviation_nothing_bounds_a_curve_after_its_last_step() -> None:
    rows = [{**row, "deviation": None} for row in THINNED if row["group"] == "on"]
    assert survival_at(rows, 180, thinned=True) == "95.0 to 98.0 %"
    assert survival_at(rows, 450, thinned=True) == "at most 95.0 %"


def test_the_full_curve_always_lies_within_what_is_told() -> None:
    events = [deaths // 2 for deaths in range(101)]  # a death every other day, 50 in all: four steps and six more
    full = pl.DataFrame({"day": range(101), "events": events}).with_columns(
        entered=pl.lit(1000), left=pl.lit(0), at_risk=1000 - pl.col("events"), survival=1 - pl.col("events") / 1000,
        exposure=pl.lit("current use"), group=pl.lit("on"),
    ).with_columns(ci_low=pl.col("survival") - 0.01, ci_high=pl.col("survival") + 0.01)  # fmt: skip
    shown = curves.thinned(full, PROFILES["cms11"]).to_dicts()
    assert [row["day"] for row in shown] == [0, 22, 44, 66, 88, 100]
    for day, value in enumerate(full["survival"]):
        answer = survival_at(shown, day, thinned=True)
        if day in (0, 22, 44, 66, 88):
            assert answer.startswith(f"{100 * value:.1f} % (")
        else:
            low, high = (float(part) for part in answer.removesuffix(" %").split(" to "))
            assert low - 1e-9 <= 100 * value <= high + 1e-9


@pytest.mark.parametrize(
    ("day", "answer"),
    [
        (30, "100.0 % (–)"),  # nobody has died: there are no limits
        (99, "100.0 % (–)"),
        (180, "98.0 % (97.0 to 99.0)"),
        (401, "–"),
    ],
)
def test_a_full_curve_tells_the_step_before_with_limits_from_the_first_death_on(day: int, answer: str) -> None:
    rows = [curve(0, 900, 1.0), curve(100, 800, 0.98), curve(400, 500, 0.95)]
    assert survival_at(rows, day, thinned=False) == answer


def test_a_full_curve_is_drawn_to_its_last_step_with_ten_at_risk() -> None:
    rows = [curve(0, 8, 1.0), curve(10, 40, 0.99), curve(50, 10, 0.9), curve(60, 9, 0.8), curve(70, 1, 0.0)]
    assert [row["day"] for row in supported(rows, 1)] == [0, 10, 50]
    assert supported(rows[3:], 1) == []
    assert supported(rows[:1], 1) == []


def test_a_thinned_curve_has_been_cut_already_and_needs_a_step() -> None:
    rows = [curve(0, 900, 1.0), curve(10, 40, 0.99), curve(50, 5, 0.9)]  # at risk from rounded counts
    assert supported(rows, 11) == rows
    assert supported([curve(0, 900, 1.0), curve(90, 800, 1.0)], 11) == []
    assert supported([], 11) == []


def test_the_caption_says_how_finely_and_how_far_curves_are_shown(study: Released) -> None:
    under = told(showing(study, THINNED), Figure)
    assert "every 11th death, from the first to the last day with at least 11 people at risk" in under
    assert "confidence bands and numbers at risk are those of the last day shown" in under
    assert "in percentage points, 2.7 in clinic." in under
    without = told(showing(study, [{**row, "deviation": None} for row in THINNED]), Figure)
    assert "percentage points" not in without
    assert "11th" in without
    full = told(showing(study, THINNED, threshold=1), Figure)
    assert "at its last step after which at least 10 people are at risk" in full
    assert "th death" not in full
    assert "percentage points" not in full


def test_the_table_of_horizons_tells_ranges_as_ranges(study: Released) -> None:
    found = next(block for block in survival(showing(study, THINNED)) if isinstance(block, Table))
    assert found.rows == (
        ("clinic",),
        ("on", "98.0 to 100.0 %", "95.3 to 98.0 %", "95.0 % (94.0 to 96.0)", "92.3 to 95.0 %", "–"),
        ("off", "99.1 to 100.0 %", "99.1 to 100.0 %", "99.1 to 100.0 %", "99.0 % (98.0 to 100.0)", "–"),
    )
    assert "not a confidence interval" in found.caption
    full = next(block for block in survival(showing(study, THINNED, threshold=1)) if isinstance(block, Table))
    assert full.rows[1][2] == "98.0 % (97.0 to 99.0)"
    assert "range" not in full.caption


def test_a_group_without_a_curve_is_named_with_the_reason(study: Released) -> None:
    few = [*THINNED[:4], *(row | {"survival": 1.0} for row in THINNED[4:])]
    said = told(showing(study, few), Paragraph)
    assert "In `clinic` no curve is shown for “off”: a curve needs at least 11 deaths" in said
    assert "In `claims` no curve is shown for “on” and “off”" in said  # no row of it was released
    small = [*THINNED[:4], *(row | {"at_risk": 4} for row in THINNED[4:])]
    assert "for “off”: a curve needs at least 10 people at risk." in told(showing(study, small, threshold=1), Paragraph)
    assert "no curve is shown" not in told(study, Paragraph)


def test_a_cohort_without_curves_because_its_deaths_are_not_observed_says_that(study: Released) -> None:
    failed = "more than 5 % of deaths fall outside follow-up for want of observation"
    rows = [
        row | {"gate": f"fail: {failed}", "estimate": None}
        if row["cohort"] == "claims" and row["analysis"].startswith("mortality.")
        else row
        for row in study.estimates
    ]
    gated = replace(showing(study, THINNED), estimates=rows)
    assert f"In `claims` no curve is shown for “on” and “off”: {failed}." in told(gated, Paragraph)
    nothing = told(replace(showing(study, []), estimates=rows), Notice)
    assert nothing.startswith("No survival curve is shown. In `clinic` no curve")
    assert failed in nothing
    rates = next(block for block in mortality(gated).blocks if getattr(block, "name", "") == "mortality_rates")
    assert isinstance(rates, Table)
    place = rates.rows.index(("claims",))
    assert rates.rows[place + 1] == ("on", "3,000", "5,800", "260", "failed a gate")


def test_a_weighted_cohort_s_curve_is_called_that(study: Released) -> None:
    rows = [row | {"population": "eligible persons, weighted to the sampled population"} for row in study.estimates]
    said = told(replace(study, estimates=rows), Paragraph)
    assert "In `clinic` and `claims` survival is weighted to the sampled population" in said
    unweighted = [row | {"population": "eligible persons, unweighted"} for row in study.estimates]
    assert "sampled population" not in told(replace(study, estimates=unweighted), Paragraph)
