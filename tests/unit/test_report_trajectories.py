"""What the report says of courses of dose: classes, how they were chosen, and the estimates of ``trajectory.*``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from report_release import settings, write

from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.report import accounting, exposure_section, released, trajectory_section
from opioid_outcomes.report.document import Figure, Notice, Paragraph, Section, Table
from opioid_outcomes.report.released import Released


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Released:
    inputs = write(tmp_path_factory.mktemp("release") / "demo")
    return released.read(
        Config(**settings()), release=inputs["release"], manifest=inputs["manifest"], estimates=inputs["estimates"],
        displays=[inputs[name] for name in DISPLAYS], truth=None, example=inputs["example"],
    )  # fmt: skip


def table(section: Section | None, name: str) -> Table:
    assert section is not None
    return next(block for block in section.blocks if isinstance(block, Table) and block.name == name)


def trajectory_row(**changes: Any) -> dict[str, Any]:
    row = {
        "study": "demo", "cohort": "clinic", "analysis": "trajectory.predictors", "method": "multinomial",
        "population": "people with a course of dose", "outcome": "class:2 vs 1", "contrast": "depression yes vs no",
        "window": "0-720", "scale": "log_or", "estimate": 0.6931471805599453, "ci_low": 0.405465108108164,
        "ci_high": 1.0986122886681098, "se": 0.18, "p_value": 0.001, "persons": 1480, "events": 500,
        "person_years": None, "spec": "main", "gate": "pass", "note": "association, not effect",
    }  # fmt: skip
    return row | changes


SLOPE = {"analysis": "trajectory.drift", "scale": "slope", "contrast": "per year on opioids", "events": None}


def test_estimates_of_trajectories_stand_in_a_table_each_with_reasons_where_there_is_none(study: Released) -> None:
    slope = {"analysis": "trajectory.drift", "scale": "slope", "outcome": "dose", "contrast": "per year on opioids"}
    rows = [
        trajectory_row(),
        trajectory_row(contrast="sex F vs M", estimate=None, gate="not evaluable: class 2 has few people"),
        trajectory_row(contrast="sex F vs M", outcome="class:3 vs 1"),
        trajectory_row(contrast="age", estimate=None, gate="not evaluable: withheld: 1 to 10 people behind it"),
        trajectory_row(**slope, population="people on opioids", estimate=4.2, ci_low=3.1, ci_high=5.3, events=None),
        trajectory_row(analysis="trajectory.taper", outcome="relapse", scale="share", estimate=None,
                       gate="not evaluable: nobody tapered"),
        trajectory_row(method="logistic", outcome="long-term use", contrast="pain per point"),
    ]  # fmt: skip
    section = trajectory_section.trajectories(replace(study, estimates=[*study.estimates, *rows]))
    classes = table(section, "trajectory_predictors")
    assert classes.columns == ("Covariate", "Class 2", "Class 3")
    assert classes.rows == (
        ("clinic (1,480 persons)",),
        ("depression yes vs no", "2.00 (1.50 to 3.00)", "–"),
        ("sex F vs M", "–", "2.00 (1.50 to 3.00)"),
        ("age", "withheld", "–"),
    )
    drift = table(section, "trajectory_drift")
    assert drift.rows[1] == ("dose", "people on opioids", "1,480", "4.20 (3.10 to 5.30)")
    assert "MME/day" in drift.caption
    assert len(table(section, "long_term_predictors").rows) == 2
    assert section is not None
    notices = [block.text for block in section.blocks if isinstance(block, Notice)]
    assert notices == ["After a taper: nothing could be estimated (clinic: nobody tapered)."]


def test_a_slope_has_the_unit_of_its_own_analysis_and_outcome(study: Released) -> None:
    rows = [trajectory_row(**SLOPE, outcome=outcome) for outcome in ("dose", "pain")]
    told = table(accounting.all_estimates(replace(study, estimates=[*study.estimates, *rows])), "estimates")
    units = {(row[0], row[2]): row[4] for row in told.rows if len(row) > 1}
    assert units["per year on opioids", "dose"] == "mean slope of dose, MME/day per year"
    assert units["per year on opioids", "pain"] == "mean slope of pain, points per year"
    assert units["per 20 MME/day", "pain"] == "slope of pain on dose, points per +20 MME/day"


def test_the_caption_of_all_estimates_says_what_each_analysis_counts_as_events(study: Released) -> None:
    def caption(rows: list[dict[str, Any]]) -> str:
        return table(accounting.all_estimates(replace(study, estimates=rows)), "estimates").caption

    assert "trajectories" not in caption(study.estimates)
    assert caption(study.estimates).endswith(
        "Events are, in analyses of mortality, deaths; in analyses of pain, the people whose dose was raised."
    )
    assert "people most likely in the class" in caption([trajectory_row()])
    taper = trajectory_row(analysis="trajectory.taper", outcome="relapse", scale="share", estimate=0.3)
    assert caption([taper]).endswith("Events are, after a taper, the people who had the outcome.")
    assert "Events" not in caption([trajectory_row(**SLOPE, outcome="dose")])


def test_notes_that_differ_are_printed_each_with_what_it_is_about(study: Released) -> None:
    dose = trajectory_row(**SLOPE, outcome="dose", note="mean slope; SD between persons 12")
    rows = [dose, dose | {"outcome": "pain", "note": "mean slope; SD between persons 0.5"}, dose | {"cohort": "claims"}]
    section = trajectory_section.trajectories(replace(study, estimates=rows))
    assert section is not None
    said = [block.text for block in section.blocks if isinstance(block, Paragraph)]
    assert (
        "How the estimates are defined: mean slope. clinic (dose); claims (dose): SD between persons 12. "
        "clinic (pain): SD between persons 0.5."
    ) in said


def test_the_figure_of_classes_says_why_points_and_lines_part_and_what_its_bands_leave_out(study: Released) -> None:
    section = trajectory_section.trajectories(study)
    assert section is not None
    caption = next(block for block in section.blocks if isinstance(block, Figure)).caption
    assert "points: the plain mean of what its members had" in caption
    assert "so that points stand above the line there" in caption
    assert "take the classes and their number as given" in caption
    assert "2,950 people never on opioids in the window, 80 with too few" in table(section, "trajectory_models").caption


def test_why_there_are_no_classes_is_what_the_models_say(study: Released) -> None:
    row = dict.fromkeys(study.displays["trajectory_models"][0])
    row |= {"classes": 1.0, "chosen": 0.0, "why": "all doses are the same", "suppressed": 0, "persons": 80.0}
    shown = {**study.displays, "trajectory_classes": [], "trajectory_models": [row | {"cohort": "clinic"}]}
    section = trajectory_section.trajectories(replace(study, displays=shown))
    assert section is not None
    notices = [block.text for block in section.blocks if isinstance(block, Notice)]
    told = "clinic: all doses are the same; claims: nobody has a course of dose"
    assert notices[:2] == [
        f"No classes of dose trajectories are shown ({told}).",
        f"No models of dose trajectories were fitted ({told}).",
    ]


def test_numbers_that_are_not_there_are_told_by_outcome_and_counted(study: Released) -> None:
    none = {"estimate": None, "ci_low": None, "ci_high": None, "gate": "not evaluable: too few", "window": "0-720"}
    rows = [trajectory_row(**SLOPE, outcome=name) | none for name in ("dose", "dose", "pain")]
    table = next(
        block for block in accounting.not_estimated(replace(study, estimates=rows)).blocks if isinstance(block, Table)
    )
    assert table.rows[0][3] == "clinic: dose: per year on opioids; pain: per year on opioids (3 numbers)"


def test_all_estimates_have_a_heading_for_each_population(study: Released) -> None:
    rows = [trajectory_row(**SLOPE) | {"population": name} for name in ("on opioids", "in pain")]
    (table,) = accounting.all_estimates(replace(study, estimates=rows)).blocks
    assert isinstance(table, Table)
    heads = [row[0] for row in table.rows if len(row) == 1]
    assert [head.rpartition(" – ")[2] for head in heads] == ["on opioids", "in pain"]


def test_tables_of_everybody_in_the_source_say_so(study: Released) -> None:
    blocks = exposure_section.exposure(study).blocks
    everybody = {
        block.name for block in blocks if isinstance(block, Table | Figure) and "everybody in" in block.caption
    }
    assert everybody >= {
        "mme_thresholds", "gap_distribution", "episode_summary", "exposure_ledger", "repair_sensitivity",
        "dose_events", "long_term", "concurrent_use",
    }  # fmt: skip
    assert not everybody & {"use_history", "dose_distribution", "dose_trajectory", "dose_bands"}
