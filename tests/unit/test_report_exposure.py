"""What the report says and draws of exposure and of dose trajectories."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import report_exposure
from report_release import settings, write

from opioid_outcomes.config.exposure import DoseEvents, LongTerm
from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.bands import ordered
from opioid_outcomes.contracts.displays import DISPLAYS, FIGURES
from opioid_outcomes.exposure.events import EVENTS
from opioid_outcomes.exposure.long_term import DEFINITIONS
from opioid_outcomes.report import (
    closing,
    example_section,
    exposure_charts,
    exposure_section,
    exposure_tables,
    released,
    trajectory_charts,
    trajectory_section,
)
from opioid_outcomes.report.compose import compose
from opioid_outcomes.report.document import Bullets, Figure, Notice, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.methods import methods
from opioid_outcomes.report.released import Released

ROWS = report_exposure.rows()
NEW = ("mme_thresholds", "dose_bands", "gap_distribution", "trajectory_classes", "exposure_example")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Released:
    inputs = write(tmp_path_factory.mktemp("release") / "demo")
    return released.read(
        Config(**settings()), release=inputs["release"], manifest=inputs["manifest"], estimates=inputs["estimates"],
        displays=[inputs[name] for name in DISPLAYS], truth=None, example=inputs["example"],
    )  # fmt: skip


def changed(study: Released, **sections: Any) -> Released:
    return replace(study, config=Config(**settings(**sections)))


def without(study: Released, name: str) -> Released:
    return replace(study, displays={**study.displays, name: []})


def figure(section: Section | None, name: str) -> Figure:
    assert section is not None
    return next(block for block in section.blocks if isinstance(block, Figure) and block.name == name)


def table(section: Section | None, name: str) -> Table:
    assert section is not None
    return next(block for block in section.blocks if isinstance(block, Table) and block.name == name)


def texts(picture: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", picture)


def test_every_new_figure_is_in_the_report_and_among_the_files_promised(study: Released) -> None:
    drawn = [figure.name for figure in compose(study).figures]
    assert set(NEW) <= set(drawn)
    assert set(NEW) <= set(FIGURES)
    sections = [section.id for section in compose(study).sections]
    assert sections.index("exposure") + 1 == sections.index("trajectories")
    assert "how-exposure-is-read" in sections


@pytest.mark.parametrize(
    ("display", "sentence"),
    [
        ("mme_thresholds", "How many people reach 50 and 90 MME/day is not shown"),
        ("dose_bands", "Dose bands are not shown month by month"),
        ("gap_distribution", "No gaps between supplies are shown"),
        ("repair_sensitivity", "What repairs of fills change is not shown"),
        ("use_history", "Current and past use are not told"),
        ("episode_summary", "Episodes are not counted"),
        ("dose_events", "No changes of dose are shown"),
        ("long_term", "Definitions of long-term therapy are not compared"),
        ("concurrent_use", "Concurrent use is not shown"),
        ("trajectory_classes", "No classes of dose trajectories are shown"),
        ("trajectory_models", "No models of dose trajectories were fitted"),
    ],
)
def test_what_is_absent_is_one_sentence(study: Released, display: str, sentence: str) -> None:
    said = [block.text for section in compose(without(study, display)).sections for block in section.blocks
            if isinstance(block, Notice)]  # fmt: skip
    assert sum(sentence in text for text in said) == 1
    before = [
        block.text for section in compose(study).sections for block in section.blocks if isinstance(block, Notice)
    ]
    assert not any(sentence in text for text in before)


def test_each_cell_of_the_heat_map_holds_share_and_count_and_the_chosen_table_is_framed(study: Released) -> None:
    own = ROWS["mme_thresholds"]
    picture = svg(exposure_charts.mme_thresholds({"clinic": own}, "heal", "≥"), "heat", "T", "D")
    told = texts(picture)
    assert [told.count(text) for text in ("36.1 %", "685", "withheld")] == [1, 1, 1]  # definition 2 by cdc_2022
    assert "clinic: ≥90 MME/day" in told
    frames = re.findall(r'<path[^>]*stroke="#1b1f24"[^>]*stroke-width="2"[^>]*>', picture)
    assert len(frames) == 2 * 4  # of one table, in both panels
    other = svg(exposure_charts.mme_thresholds({"clinic": own}, "my_factors.csv", ">"), "heat", "T", "D")
    assert not re.findall(r'<path[^>]*stroke="#1b1f24"[^>]*stroke-width="2"[^>]*>', other)


def test_the_caption_of_thresholds_says_what_is_counted_and_how(study: Released) -> None:
    caption = figure(exposure_section.exposure(study), "mme_thresholds").caption
    assert "any window of 90 days are at or above the threshold" in caption
    strict = changed(study, exposure={"threshold_rule": "above", "definition_window_days": 30})
    caption = figure(exposure_section.exposure(strict), "mme_thresholds").caption
    assert "any window of 30 days are above the threshold" in caption
    assert "50 MME/day is reached by 18.9 % to 47.6 % of people" in caption + figure(
        exposure_section.exposure(study), "mme_thresholds"
    ).alt  # fmt: skip


def test_of_tables_that_know_other_people_s_doses_the_number_is_told_and_no_range_mixes_them(study: Released) -> None:
    rows = [row | ({"persons": 1700, "share_50": 0.9} if row["factors"] == "heal" else {}) for row in
            study.displays["mme_thresholds"]]  # fmt: skip
    own = replace(study, displays={**study.displays, "mme_thresholds": rows})
    shown = figure(exposure_section.exposure(own), "mme_thresholds")
    assert "left out as other people's doses are known: `heal` of 1,700)" in shown.alt
    assert "to 90.0 % of people" not in shown.alt
    assert "tables that know the dose of 1,900" in shown.alt
    assert [shown.svg.count(text) for text in (">n 1,700<", ">n 1,900<")] == [4, 16]  # two cohorts of two panels
    assert exposure_charts.people_by_table([{"factors": "heal", "persons": None}]) == {"heal": None}


def test_bands_are_stacked_from_off_to_unknown_and_what_is_withheld_stays_white() -> None:
    order = ordered(row["band"] for row in ROWS["dose_bands"])
    assert order == ["off", "treatment", "<20", "20-49", "50-89", ">=90", "unknown"]
    stacked = exposure_charts._stacked(ROWS["dose_bands"], order)
    tops = {row["band"]: (row["from"], row["to"]) for row in stacked if row["month"] == 0}
    assert tops["off"][0] == 0
    assert tops["unknown"][1] == pytest.approx(1)
    assert exposure_charts.WITHHELD not in tops
    last = {row["band"]: (row["from"], row["to"]) for row in stacked if row["month"] == 24}
    assert last[exposure_charts.WITHHELD][1] == 1.0
    assert last[exposure_charts.WITHHELD][0] == pytest.approx(last["unknown"][1])
    people = exposure_charts._followed(ROWS["dose_bands"], 25)
    assert [row["x"] for row in people] == [0, 6, 12, 18]  # not month 24, of which parts are withheld
    assert people[0]["label"] == f"{sum(row['persons'] for row in ROWS['dose_bands'] if row['month'] == 0):,}"


@pytest.mark.parametrize(
    ("gap_days", "place"),
    [(0, 0.0), (7, 1.0), (30, 3.0), (45, 3.5), (365, 7.0), (400, 7.5)],
)
def test_the_chosen_gap_stands_where_its_length_is(gap_days: int, place: float) -> None:
    assert exposure_charts._place(ROWS["gap_distribution"], gap_days) == pytest.approx(place)


def test_gaps_up_to_the_chosen_one_are_dark(study: Released) -> None:
    bars = exposure_charts._bars(ROWS["gap_distribution"], 3.5)
    assert [bar["kind"] for bar in bars] == ["yes"] * 4 + ["no"] * 5  # the fourth bar is cut in two
    section = exposure_section.exposure(study)
    assert "clinic: 88.1 % of gaps are of at most 30 days." in figure(section, "gap_distribution").caption
    assert "gap_days = 30" in texts(figure(section, "gap_distribution").svg)


def test_a_gap_told_as_a_share_of_the_last_supply_is_said_and_not_drawn(study: Released) -> None:
    shown = figure(exposure_section.exposure(changed(study, exposure={"gap_share": 0.5})), "gap_distribution")
    assert "gaps of up to 50 % of the days of the last supply (`gap_share`)" in shown.caption
    assert not any(text.startswith("gap_days") for text in texts(shown.svg))


def test_each_class_is_named_at_its_end_and_names_do_not_meet() -> None:
    rows = [row | ({"mean": 30.0} if row["class"] < 3 else {}) for row in ROWS["trajectory_classes"]]
    names = trajectory_charts._names(rows, [1, 2, 3, 4], 125.0)
    heights = [name["y"] * trajectory_charts.HEIGHT / 125.0 for name in names]
    assert all(b - a >= trajectory_charts.LABEL_APART - 1e-9 for a, b in pairwise(heights))
    picture = svg(trajectory_charts.trajectory_classes({"clinic": rows}), "classes", "T", "D")
    assert {"1: 43.2 %", "2: 33.8 %", "3: 16.9 %", "4: 6.1 %"} <= set(texts(picture))


def test_models_say_why_each_was_or_was_not_chosen(study: Released) -> None:
    shown = table(trajectory_section.trajectories(study), "trajectory_models")
    rows = {row[0]: row[1:] for row in shown.rows if len(row) > 1}
    assert rows["4"] == ("chosen", "−36,688", "73,522", "0.89", "0.95", "90", "6.0 %")
    assert rows["6"] == ("mean posterior of a class is under 0.7", *["withheld"] * 4, "<11", "withheld")


def test_a_model_the_data_cannot_bear_shows_dashes_not_hidden_counts(study: Released) -> None:
    row = {"cohort": "clinic", "classes": 6.0, "chosen": 0.0, "why": "a class is empty", "suppressed": 0}
    row |= dict.fromkeys((*DISPLAYS["trajectory_models"].counts, *DISPLAYS["trajectory_models"].values))
    assert trajectory_section._model(row, 11)[2:] == ("–",) * 6


def test_all_definitions_of_long_term_therapy_are_listed_and_the_chosen_one_marked(study: Released) -> None:
    own = changed(study, exposure={"long_term_definition": "consort"})
    rows = [row for row in table(exposure_section.exposure(own), "long_term").rows if len(row) > 1]
    assert len(rows) == 2 * 10
    assert [row[0] for row in rows if "used in this study" in row[0]] == ["consort (used in this study)"] * 2
    assert rows[0] == ("d90_in_365", "90 days with supply or more within 365", "1,900", "1,210", "63.7 %")


def test_the_report_knows_every_definition_and_every_event_of_the_program() -> None:
    assert set(exposure_tables.LONG_TERM) == set(LongTerm.__args__) == set(DEFINITIONS)  # type: ignore[attr-defined]
    assert set(exposure_tables.event_definitions(DoseEvents())) == set(EVENTS)


def test_events_are_told_in_the_config_s_numbers(study: Released) -> None:
    events = {"min_rise": 0.3, "prior_days": 60, "discontinuation_days": 120, "high_dose_mme": 120}
    shown = table(exposure_section.exposure(changed(study, exposure={"events": events})), "dose_events")
    told = {row[0]: row[1:] for row in shown.rows if len(row) > 1}
    assert told["escalation"][0].startswith(
        "mean of the next 30 days, and dose of the last of them, at least 30 % and 5 MME/day above a stable mean of"
    )
    assert told["escalation"][0].endswith("the 60 days before; of several such days within 30 days the first")
    defined = (
        "Stable: of the 60 days before, each block of 30 days, counted back from the change, has a mean dose within"
    )
    assert f"{defined} 20 % of their mean." in shown.caption
    said = " ".join(getattr(block, "text", "") for block in methods(changed(study, exposure={"events": events})).blocks)
    assert defined in said
    assert "60 days before" in told["escalation"][0]
    assert told["discontinuation"][0].startswith("no supply for 120 days")
    assert told["high dose start"] == ("first day at 120 MME/day or more", "130", "130", "+122 %")
    assert told["maintenance"][-1] == "0 %"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"with_class": 560, "cob": 310, "suppressed": 0}, ("1,900", "560", "310")),
        ({"with_class": 560, "cob": None, "suppressed": 1}, ("1,900", "560", "<11")),
        ({"with_class": 560, "cob": None, "suppressed": 2}, ("1,900", "560", "withheld")),
        (
            {"with_class": None, "cob": None, "suppressed": 1},
            ("1,900", "withheld", "<11"),
        ),  # the part is few
        ({"persons": None, "with_class": None, "cob": None, "suppressed": 1}, ("<11", "<11", "<11")),
    ],
)
def test_of_hidden_counts_none_is_called_small_that_need_not_be(
    study: Released, shown: dict[str, Any], told: tuple[str, ...]
) -> None:
    row = study.display("concurrent_use", "clinic")[0] | shown
    own = replace(study, displays={**study.displays, "concurrent_use": [row, *study.displays["concurrent_use"][1:]]})
    block = exposure_tables.concurrent_use(own)
    assert isinstance(block, Table)
    line = block.rows[1]
    assert (line[1], line[2], line[5]) == told


def test_the_worked_example_explains_each_letter(study: Released) -> None:
    section = example_section.example(study)
    shown = figure(section, "exposure_example")
    assert "escalation on day 205" in shown.alt
    assert section is not None
    bullets = next(block for block in section.blocks if isinstance(block, Bullets))
    assert [text[0] for text in bullets.items] == list("ABCDEFGH")
    assert example_section.example(replace(study, example=[])) is None


def test_of_use_asked_once_nothing_is_said_of_doses_or_courses(study: Released) -> None:
    about = {name: {**study.about(name), "exposure": "baseline"} for name in study.cohorts}
    once = replace(study, release={**study.release, "cohorts": about})
    assert [type(block).__name__ for block in exposure_section.exposure(once).blocks] == ["Paragraph"]
    assert trajectory_section.trajectories(once) is None
    assert example_section.example(once) is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mme_factors": "cdc_2016_tiers"}, "4 up to 20 mg, 8 up to 40, 10 up to 60, 12 above"),
        ({"mme_factors": "heal"}, "Buprenorphine has a factor in this table"),
        ({"mme_factors": "some/where/mine.csv"}, "Where the table has no factor for buprenorphine, its days"),
        ({"mme_factors": "cdc_2016_tiers"}, "but for the start of a high dose, so that no event comes from crossing a"),
        ({"mme_factors": "some/where/mine.csv"}, "the table `mine.csv` (the study's own)"),
        ({"stockpile_cap_days": None}, "There is no stockpiling"),
        ({"stays": "ignore"}, "Inpatient stays do not change supply"),
        ({"ranges": "lower"}, "An amount recorded as a range stands for its lower end"),
        ({"repaired_fills": "drop"}, "from its date use is unknown, never none, for 30 days"),
        ({"repaired_fills": "drop"}, "every fill with a repaired amount is set aside"),
        ({"days_supply": {"repair": []}}, "more than 365) are repaired by no rule"),
        ({"days_supply": {"waiting_time_quantile": 0.9}}, "waiting time is the 90 % quantile"),
        ({"washout_days": 365}, "begins after 365 observed days without opioids"),
        ({"gap_share": 0.5}, "merge gaps of up to 50 % of the days of the last supply"),
        ({"threshold_rule": "above"}, "How many people reach more than 50 and 90 MME/day"),
        ({"long_term_definition": "fills3"}, "Long-term therapy is `fills3` (3 fills or more within 365 days)"),
    ],
)
def test_the_rules_of_exposure_are_told_as_configured(study: Released, changes: dict[str, Any], sentence: str) -> None:
    def said(own: Released) -> str:
        return " ".join(getattr(block, "text", "") for block in methods(own).blocks)

    assert sentence in said(changed(study, exposure=changes))
    assert sentence not in said(study)


@pytest.mark.parametrize(
    ("configured", "column"),
    [("heal", "heal"), ("some/where/mine.csv", "mine"), ("some/where/heal.csv", "heal (own)")],
)
def test_the_frame_stands_around_the_study_s_own_table(study: Released, configured: str, column: str) -> None:
    own = changed(study, exposure={"mme_factors": configured})
    assert exposure_section._column(own) == column
    rows = [row | ({"factors": column} if row["factors"] == "heal" else {}) for row in study.displays["mme_thresholds"]]
    shown = figure(exposure_section.exposure(replace(own, displays={**own.displays, "mme_thresholds": rows})), NEW[0])
    assert len(re.findall(r'<path[^>]*stroke="#1b1f24"[^>]*stroke-width="2"[^>]*>', shown.svg)) == 2 * 2 * 4


def test_a_user_s_table_is_named_by_its_file_never_by_its_folder(study: Released) -> None:
    own = changed(study, exposure={"mme_factors": "/home/somebody/private/mine.csv"})
    sections = (exposure_section.exposure(own), trajectory_section.trajectories(own), methods(own))
    printed = " ".join(str(block) for section in sections if section for block in section.blocks)
    assert "mine.csv" in printed
    assert "somebody" not in printed


def test_how_trajectories_are_classed_is_told_as_configured(study: Released) -> None:
    rules = {"months": 12, "max_classes": 4, "curve": "spline", "dose_scale": "linear", "starts": 7, "analyses": []}
    said = " ".join(getattr(block, "text", "") for block in methods(changed(study, trajectories=rules)).blocks)
    for phrase in ("first 12 30-day months", "natural cubic splines", "on the scale MME/day", "7 random starts",
                   "Of 1 to 4 classes"):  # fmt: skip
        assert phrase in said
    assert "individual slopes" not in said


def test_the_config_s_table_holds_the_keys_without_a_value_too(study: Released) -> None:
    rows = dict(table(closing.provenance(study), "config").rows)  # type: ignore[arg-type]
    assert rows["exposure.gap_share"] == "none"
    assert rows["exposure.gap_days"] == "30"


def test_words_of_exposure_are_in_the_glossary_of_the_report_and_of_the_project(study: Released) -> None:
    told = str(closing.glossary(study).blocks).lower()
    written = (Path(__file__).parents[2] / "workflow/docs/glossary.md").read_text().lower()
    for word in (
        "heal definitions", "factor table", "set apart", "long-term therapy", "escalation", "maintenance", "taper",
        "rapid taper", "discontinuation", "high-dose start", "latent class", "bic", "entropy", "posterior", "drift",
        "concurrent use", "cob", "new user", "naive days", "cumulative mme", "waiting time", "stockpiling", "repair",
    ):  # fmt: skip
        assert word in told, word
        assert word in written, word
    assert "after 365 observed days or more" in str(
        closing.glossary(changed(study, exposure={"washout_days": 365})).blocks
    )


def test_the_use_of_a_cohort_is_told_in_units(study: Released) -> None:
    rows = {row[0]: row[2:] for row in table(exposure_section.exposure(study), "use_history").rows if len(row) > 1}
    assert rows["On (current use)"] == ("1,900", "5,300", "356 days since start")
    assert rows["New users"] == ("1,480", "–", "641 naive days")
    assert rows["Cumulative MME"] == ("1,865", "–", "17,702 MME")
    shown = table(exposure_section.exposure(study), "episode_summary").rows[1]
    assert shown == ("gaps of up to 30 days", "1,900", "3,215", "131", "91.4 %")


def test_without_repaired_fills_few_less_are_told_as_such(study: Released) -> None:
    rows = [row | ({"persons": None, "suppressed": 2} if row["fills_used"] != "all" else {})
            for row in study.displays["repair_sensitivity"]]  # fmt: skip
    own = replace(study, displays={**study.displays, "repair_sensitivity": rows})
    block = exposure_tables.repair_sensitivity(own)
    assert isinstance(block, Table)
    assert block.rows[2] == ("without repaired fills", "within 10 of all", "4,985", "51.9", "40.8 %", "11.8 %")


def test_the_highest_band_is_written_alike_in_every_figure(study: Released) -> None:
    for name in ("dose_distribution", "dose_bands"):
        shown = figure(exposure_section.exposure(study), name)
        assert "≥90" in shown.svg
    assert "≥90 MME/day" in figure(exposure_section.exposure(study), "dose_distribution").alt


def test_a_population_is_printed_once_and_no_column_holds_dashes_only(study: Released) -> None:
    row = next(row for row in study.estimates if row["analysis"] == "mortality.current_use")
    row = row | {"analysis": "trajectory.drift", "scale": "slope", "events": None, "population": "adults on opioids"}
    rows = [row | {"outcome": outcome} for outcome in ("dose", "pain")]
    [drawn, *_] = trajectory_section._table(study, "trajectory_drift", rows, "Drift: slopes", ("Of", "Among", "Change"))
    assert isinstance(drawn, Table)
    assert drawn.columns == ("Of", "Among", "Persons", "Change")
    assert [line[1] for line in drawn.rows[1:]] == ["adults on opioids", "the same"]
    [drawn, *_] = trajectory_section._table(
        study, "x", [each | {"events": 20} for each in rows], "D: s", ("a", "b", "c")
    )
    assert isinstance(drawn, Table)
    assert drawn.columns == ("a", "b", "Persons", "Events", "c")
