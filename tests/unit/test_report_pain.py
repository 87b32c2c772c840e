"""What the report says of pain and dose: the verdict, its errors, what backs it and what would explain it away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
import report_pain
from report_release import settings, write

from opioid_outcomes import codebook
from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.hyperalgesia import event_study, instrument, tipping, verdict, within_person
from opioid_outcomes.hyperalgesia.calibrate import replicates, worlds
from opioid_outcomes.hyperalgesia.calibration import FACTS
from opioid_outcomes.report import (
    accounting,
    closing,
    hyperalgesia_section,
    opening,
    other_pain_section,
    pain_charts,
    released,
    verdict_section,
)
from opioid_outcomes.report.compose import compose
from opioid_outcomes.report.document import Bullets, Definitions, Figure, Section, Table
from opioid_outcomes.report.methods import methods
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MINUS, days_words, outcome_words


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Released:
    inputs = write(tmp_path_factory.mktemp("release") / "demo")
    return released.read(
        Config(**settings()),
        release=inputs["release"],
        manifest=inputs["manifest"],
        estimates=inputs["estimates"],
        displays=[inputs[name] for name in DISPLAYS],
        truth=None,
        verdict=inputs["verdict"],
        calibration=inputs["calibration"],
    )


def pain(study: Released) -> Section:
    section = hyperalgesia_section.hyperalgesia(study)
    assert section is not None
    return section


def named(section: Section | None, name: str, kind: type = Table) -> Any:
    assert section is not None
    found = [block for block in section.blocks if isinstance(block, kind) and block.name == name]  # type: ignore[attr-defined]
    assert len(found) == 1, name
    return found[0]


def words(section: Section | None) -> str:
    """Running text, captions and lists, without the cells of tables."""
    assert section is not None
    told = []
    for block in section.blocks:
        told.append(getattr(block, "text", "") or getattr(block, "caption", ""))
        if isinstance(block, Bullets):
            told += block.items
        if isinstance(block, Definitions):
            told += [f"{term}: {meaning}" for term, meaning in block.items]
    return " ".join(told)


def figures(section: Section | None) -> list[str]:
    assert section is not None
    return [block.name for block in section.blocks if isinstance(block, Figure)]


def of_three(study: Released) -> Released:
    """The clinic's numbers in three cohorts, one of them calibrated in three of the six worlds only."""
    names = ("clinic", "claims", "a-third-cohort-with-a-long-name")
    own = settings()["cohorts"]["clinic"]

    def spread(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"cohort": name} for name in names for row in rows if row["cohort"] == "clinic"]

    gone = ("null", "relief", "noisy_null")
    return replace(
        study,
        config=Config(**settings(cohorts=dict.fromkeys(names, own))),
        release=study.release | {"cohorts": dict.fromkeys(names, study.release["cohorts"]["clinic"])},
        estimates=spread(study.estimates),
        displays={name: spread(rows) for name, rows in study.displays.items()},
        verdict=dict.fromkeys(names, study.verdict["clinic"]),
        calibration=[row for row in spread(study.calibration) if row["cohort"] != "claims" or row["world"] not in gone],
    )


def once(study: Released) -> Released:
    """The same with use known at one interview only, and nothing of pain but what says why not."""
    about = {
        name: told | {"exposure": "baseline", "simulated": False, "costs": []}
        for name, told in study.release["cohorts"].items()
    }
    hidden = dict.fromkeys(("estimate", "ci_low", "ci_high", "se"))
    gate = "not evaluable: exposure is known at one interview only"
    rows = [
        row | hidden | {"gate": gate} if row["analysis"].startswith(("hyperalgesia.", "pain.")) else row
        for row in study.estimates
    ]
    told = [each["conditions"] for each in study.verdict.values()]
    bare = [[condition | {"met": None, "value": None} for condition in conditions] for conditions in told]
    judged = {
        name: each | {"verdict": "inconclusive", "consistent_with": "inconclusive (uncalibrated)", "conditions": empty}
        for (name, each), empty in zip(study.verdict.items(), bare, strict=True)
    }
    return replace(study, release=study.release | {"cohorts": about}, estimates=rows, verdict=judged, calibration=[])


def test_the_verdict_comes_with_what_is_not_known_of_it(study: Released) -> None:
    found = named(pain(study), "verdict")
    noise = "SD 1.00, declared; reliability 0.79 at the eligible visits"
    assert found.rows == (
        ("clinic", "Consistent with hyperalgesia (uncorroborated)", noise),
        ("claims", "Inconclusive (uncalibrated)", noise),
    )
    assert "about a population, never about a person" in words(pain(study))
    assert "No verdict is pooled: that takes three cohorts" in words(pain(study))


def test_the_opening_tells_the_verdict_of_populations_only(study: Released) -> None:
    told = words(opening.key_numbers(study))
    assert "clinic: consistent with hyperalgesia (uncorroborated)" in told
    assert "claims: not judged, as nothing of it could be measured" in told
    assert "no finding about any person" in told
    # claims has nothing that could err
    said = "How often the verdict on pain and dose errs"
    judged = {**study.verdict, "clinic": study.verdict["clinic"] | {"calibrated": False}}
    assert said not in words(opening.scope(study))
    assert said in words(opening.scope(replace(study, verdict=judged)))


def test_an_inconclusive_verdict_is_no_evidence(study: Released) -> None:
    judged = {name: each | {"verdict": "inconclusive"} for name, each in study.verdict.items()}
    assert "is inconclusive, which is no evidence for either side" in words(
        opening.scope(replace(study, verdict=judged))
    )
    assert "is inconclusive" not in words(opening.scope(study))


def test_every_condition_is_told_with_its_number(study: Released) -> None:
    figure = named(pain(study), "verdict", Figure)
    for condition in study.verdict["clinic"]["conditions"]:
        reading, _, name = condition["name"].partition(": ")
        said = name.replace("blip", "structural nested model")
        assert f"{reading.replace('_', ' ')}, {said}: {pain_charts.MET[condition['met']]}" in figure.alt
    assert "pain threshold at the long lag, 95 % upper limit below 0: not measurable;" in figure.alt
    assert "points per +20 MME/day" in figure.caption
    assert "No condition can be measured in claims (claims: the cohort has no pain scores)." in words(pain(study))


def test_a_cohort_without_error_rates_is_said_to_have_none(study: Released) -> None:
    assert "Uncalibrated" not in words(pain(study))  # in claims there is nothing to calibrate
    judged = {**study.verdict, "clinic": study.verdict["clinic"] | {"calibrated": False}}
    none = replace(study, verdict=judged, calibration=[])
    assert "Uncalibrated: clinic. How often this test says hyperalgesia where there is none" in words(pain(none))
    assert "pooled numbers" not in words(pain(none))
    pooled = replace(none, verdict={**judged, "pooled": judged["clinic"]})
    assert "Uncalibrated: clinic and pooled." in words(pain(pooled))
    assert "no pooled study is simulated" in words(pain(pooled))
    assert not [name for name in figures(pain(none)) if name == "calibration"]


def test_error_rates_are_a_heat_map_and_a_table(study: Released) -> None:
    figure, found = (named(pain(study), "calibration", kind) for kind in (Figure, Table))
    assert "noisy null, no effect 90 %; noisy null, inconclusive 10 %" in figure.alt
    assert found.rows[:2] == (
        ("clinic",),
        ("null", "200 of 1,400", "90 %", "0.0 % (≤ 1.8 %)", "100 % / 93 %", "0.01 (0.004)", f"{MINUS}0.02 (0.012)",
         "95.0 % (1.5)", "94.5 % (1.6)"),
    )  # fmt: skip
    # there it is right
    assert [row[3] for row in found.rows if row[0] == "hyperalgesia"] == ["90.0 %"]
    # 1 - 0.025 ** (1 / 200): none of 200
    assert "hyperalgesia was said of at most 0.0 % of 200 cohorts (95 % upper limit 1.8 %)" in words(pain(study))
    always = replace(study, calibration=[row | {"hyperalgesia": 1.0} for row in study.calibration])
    assert "at most 100.0 % of 200 cohorts (95 % upper limit 100.0 %)" in words(pain(always))
    assert {row["world"] for row in study.calibration} == set(verdict_section.RIGHT)
    assert set(verdict_section.RIGHT.values()) <= set(verdict.VERDICTS)


@pytest.mark.parametrize("world", verdict_section.RIGHT)
def test_the_right_verdict_of_a_world_is_what_its_effect_calls_for(world: str) -> None:
    import numpy as np

    known = worlds.of(world, (181, 365))
    short, long = (float(known.effect(np.arange(first, last + 1.0)).mean()) for first, last in ((1, 30), (181, 365)))
    right = (
        "hyperalgesia"
        if long >= 0.5
        else "sustained_relief"
        if long <= -0.5
        else "tolerance"
        if short < -0.5
        else "no_effect"
    )
    assert verdict_section.RIGHT[world] == right


def test_worlds_that_were_not_simulated_have_no_line(study: Released) -> None:
    section = pain(of_three(study))
    rows = [row[0] for row in named(section, "calibration").rows]
    at = rows.index("claims")
    assert rows[at + 1 : at + 5] == ["tolerance", "hyperalgesia", "informative visits", rows[-7]]
    assert rows[-7] == "a-third-cohort-with-a-long-name"
    only = replace(study, calibration=[row for row in study.calibration if row["world"] in ("relief", "tolerance")])
    assert "noisy null" not in named(pain(only), "calibration", Figure).caption
    assert "hyperalgesia was said of at most" not in words(pain(only))


def test_a_rate_that_no_simulated_cohort_has_is_a_dash(study: Released) -> None:
    none = dict.fromkeys(("bias_long", "bias_se_long", "coverage_long", "coverage_se_long"))
    first = named(pain(replace(study, calibration=[row | none for row in study.calibration])), "calibration").rows[1]
    assert (first[6], first[8]) == ("–", "–")


def test_an_assumed_error_of_scores_is_said_with_how_to_know_it(study: Released) -> None:
    assert "error of a score was assumed" not in words(pain(study))
    noise = {"source": "assumed", "note": "error of one pain score: SD 1.00 points, ASSUMED"}
    judged = study.verdict["clinic"] | {
        "noise": noise, "consistent_with": "consistent with tolerance (error of scores assumed)",
    }  # fmt: skip
    section = pain(replace(study, verdict={**study.verdict, "clinic": judged}))
    assert named(section, "verdict").rows[0][1] == "Consistent with tolerance (error of scores assumed)"
    told = words(section)
    assert "The error of a score was assumed in clinic: that the verdict holds" in told
    for way in ("`hyperalgesia.error_sd`", "`hyperalgesia.reliability`", "50 people or more", "within 7 days"):
        assert way in told


def test_what_cannot_be_measured_differs_from_what_is_not_met_without_colour(study: Released) -> None:
    figure = named(pain(of_three(study)), "verdict", Figure)
    states = dict(zip(pain_charts.MET, pain_charts.SHAPES, strict=True))
    assert states[None] not in (states[True], states[False])
    assert "dash: not measurable" in figure.caption
    # the longest text of a cell ends before the mark of the next column: 11 px, 0.56 of it a letter
    assert 12 + len("not measurable") * 11 * 0.56 < pain_charts.CELL_WIDTH - 6


def test_every_figure_of_pain_is_drawn_for_several_cohorts(study: Released) -> None:
    section = pain(of_three(study))
    assert figures(section) == [
        "verdict", "calibration", "pain_escalation", "escalation_contrasts", "blip_lags", "wrong_answers",
        "event_study",
    ]  # fmt: skip
    for block in section.blocks:
        if isinstance(block, Figure):
            assert "a-third-cohort-with-a-long-name" in block.svg, block.name


def test_lags_are_months_beside_the_shapes_that_mechanisms_predict(study: Released) -> None:
    figure = named(pain(study), "blip_lags", Figure)
    assert f"month 1: {MINUS}0.49; month 2: {MINUS}0.38" in figure.alt
    assert "month 12: 0.72" in figure.alt
    assert figure.alt.count("month ") == 12  # the means over windows are no lags
    assert "schematic and fitted to nothing" in figure.caption
    courses = pain_charts.predicted(-0.8, 12)
    by_course = {
        name: [row["value"] for row in courses if row["course"] == name]
        for name in (pain_charts.RELIEF, pain_charts.HARM)
    }
    assert [values[0] for values in by_course.values()] == [-0.8, -0.8]
    assert by_course[pain_charts.RELIEF][-1] == pytest.approx(-0.8 * 2.718281828 ** (-11 / 2))
    assert by_course[pain_charts.HARM][-1] - by_course[pain_charts.RELIEF][-1] == pytest.approx(1, abs=1e-12)
    assert [row["value"] for row in pain_charts.predicted(-0.8, 1)] == [-0.8, -0.8]
    assert {row["value"] for row in pain_charts.predicted(0.3, 12) if row["course"] == pain_charts.RELIEF} == {0.0}


def test_wrong_answers_stand_beside_the_right_one_in_their_own_unit(study: Released) -> None:
    figure = named(pain(study), "wrong_answers", Figure)
    points, steps = (part for part in figure.alt.split("clinic: ")[1:])
    assert points.startswith("history-adjusted, 0.62 (0.44 to 0.80)")
    assert "unadjusted, 0.90" in points
    assert "after less before, in the escalated" in points
    assert "points, 0–10" in points
    assert steps.startswith("history-adjusted, 0.68 (0.48 to 0.88)")
    assert "slope on dose, all scores pooled, 0.58" in steps
    assert "points per +20 MME/day" in steps
    lines = [row[1:] for row in named(pain(study), "naive").rows]
    assert (
        "unadjusted, days 1 to 30",
        "0.90 (0.80 to 1.00)",
        f"{MINUS}0.35 ({MINUS}0.53 to {MINUS}0.17), days 1 to 30",
    ) in lines


def test_the_fixed_effects_of_person_alone_are_told_apart(study: Released) -> None:
    within, both = within_person.slope_contrasts(20.0)
    own = [row for row in study.estimates if row["method"] == "fixed_effects" and row["scale"] == "slope"]
    rows = [*study.estimates, *(row | {"contrast": contrast} for row in own for contrast in (within, both))]
    told = [row[1] for row in named(pain(replace(study, estimates=rows)), "naive").rows]
    assert "slope on dose, fixed effects of person" in told
    assert "slope on dose, fixed effects of person and month" in told


def test_the_months_of_the_event_study_are_read_on_both_sides_of_it(study: Released) -> None:
    rows = [{"window": label} for label in event_study.LABELS]
    from opioid_outcomes.report.wrong_answers_section import _from

    assert [_from(row) for row in rows] == event_study.BEGINS
    figure = named(pain(study), "event_study", Figure)
    assert f"day {MINUS}180: {MINUS}0.36" in figure.alt
    assert "not on parallel courses" in figure.caption


def test_every_bias_is_told_in_words_with_its_size(study: Released) -> None:
    found = named(pain(study), "noise_tipping")
    assert found.rows[0] == (
        "clinic", "1 to 30", hyperalgesia_section.TIPPING["error_sd"], f"{MINUS}0.35", "none does", "1.40",
    )  # fmt: skip
    kinds = {tipping.ERROR, tipping.FLARE, tipping.FLARE_CORRECTED, tipping.SEEN, tipping.SEEN_TAKEN}
    assert set(hyperalgesia_section.TIPPING) == kinds


def test_what_stands_behind_both_arms_is_a_table(study: Released) -> None:
    found = named(pain(study), "escalation_diagnostics")
    assert found.rows[0] == (
        "clinic", "1 to 30", "escalate", "610", "488", "80.0 %", f"{MINUS}0.41", "78.0", "1.0 %", "0.03",
    )  # fmt: skip
    assert "is no condition" in found.caption


def test_what_is_said_of_all_windows_is_said_once(study: Released) -> None:
    rows = [
        row | {"note": f"mean change {row['window']}; scores 1-7 days apart; change -0.5"}
        if row["note"] and row["analysis"] == "hyperalgesia.escalation"
        else row
        for row in study.estimates
    ]
    found = named(pain(replace(study, estimates=rows)), "escalation_notes").rows
    assert found[0] == ("clinic", "all", f"scores 1-7 days apart; change {MINUS}0.5")
    assert found[1] == ("clinic", "1 to 30", "mean change 1-30")
    assert len(found) == 5


def test_what_else_hyperalgesia_should_do_is_told_with_what_is_missing(study: Released) -> None:
    section = pain(study)
    found = named(section, "corroboration")
    assert ("Spread of pain after escalation",) in found.rows
    assert any(row[-1] == "0.80 (0.20 to 1.40) sites, 0–19" for row in found.rows)
    gone = {"estimate": None, "gate": "not evaluable: no changes of policy or formulary are recorded"}
    rows = [
        row | gone if row["population"].startswith("dose lowered after a policy") else row for row in study.estimates
    ]
    told = words(pain(replace(study, estimates=rows)))
    assert (
        "After the dose is lowered (dose lowered after a policy or formulary change) – clinic: no changes of policy or "
        "formulary are recorded." in told
    )
    assert "no changes of policy" not in words(section)


def test_what_was_measured_is_named_without_its_unit() -> None:
    assert outcome_words("pressure_pain_threshold_kpa") == "pressure pain threshold"
    assert outcome_words("widespread_pain_index") == "widespread pain index"


def test_the_other_claims_about_pain_have_a_table_each_or_a_reason(study: Released) -> None:
    section = other_pain_section.other_pain(study)
    assert [block.name for block in section.blocks if isinstance(block, Table)] == [  # type: ignore[union-attr]
        "pain_new_user", "pain_after_stopping", "pain_therapy_interaction",
    ]  # fmt: skip
    assert named(section, "pain_new_user").rows == (
        ("clinic", "new user vs non user", "pain", "301 to 425", "AIPW", "1,450",
         f"0.10 ({MINUS}0.20 to 0.40) points, 0–10"),
    )  # fmt: skip
    gone = {"estimate": None, "gate": "not evaluable: nobody starts"}
    rows = [row | gone if row["analysis"] == "pain.new_user" else row for row in study.estimates]
    assert "Could not be estimated (clinic: nobody starts)." in words(
        other_pain_section.other_pain(replace(study, estimates=rows))
    )


def test_windows_before_the_event_are_read_as_days() -> None:
    assert days_words("-60--31") == f"{MINUS}60 to {MINUS}31"
    assert days_words("31-90") == "31 to 90"
    assert days_words("-30--1") == f"{MINUS}30 to {MINUS}1"
    assert days_words("") == ""


def test_windows_before_the_event_are_read_as_days_in_the_list_of_all(study: Released) -> None:
    found = named(accounting.all_estimates(study), "estimates")
    told = [row for row in found.rows if row[0] == "escalate vs not yet"]
    assert told[0][3] == f"{MINUS}180 to {MINUS}151"


def test_a_study_without_pain_says_why_and_draws_nothing_of_it(study: Released) -> None:
    names = ("claims",)
    bare = replace(
        study,
        estimates=[row for row in study.estimates if row["cohort"] in names],
        displays={name: [row for row in rows if row["cohort"] in names] for name, rows in study.displays.items()},
        verdict={name: study.verdict[name] for name in names},
        calibration=[],
    )
    section = pain(bare)
    assert figures(section) == []
    assert "this study could not compare them" in words(section)
    assert "No condition can be measured in claims (claims: the cohort has no pain scores)." in words(section)
    assert "The verdict on pain" not in words(opening.key_numbers(bare))
    assert other_pain_section.other_pain(bare) is None


def test_a_study_of_one_interview_says_none_of_it(study: Released) -> None:
    document = compose(once(study))
    assert not {"hyperalgesia", "other-pain"} & {section.id for section in document.sections}
    said = " ".join(
        words(section)
        for section in document.sections
        if section.id in ("scope", "key-numbers", "question", "limitations")
    )
    for word in ("hyperalgesia", "tolerance", "calibrat", "escalat", "verdict on"):
        assert word not in said.lower(), word
    glossary = words(closing.glossary(once(study)))
    assert "Hyperalgesia: " not in glossary
    assert "Pain score: " in glossary
    assert "Hyperalgesia: " in words(closing.glossary(study))
    assert "no analysis of them was made" in words(methods(once(study)))


def test_the_codebook_tells_every_column_of_the_error_rates_and_facts() -> None:
    told = codebook.text()
    empty = pl.DataFrame(schema=replicates.SCHEMA)
    rates = replicates.characteristics(pl.concat([empty, replicates.skipped("clinic", "null", "why")]))
    for name in (*rates, *FACTS, *report_pain.calibration().columns, "consistent_with", "conditions", "noise"):
        assert f"\n  {name} " in told, name


@pytest.mark.parametrize(
    ("scales", "said"),
    [
        (("NRS", "NRS"), "It is the NRS, 0–10."),
        (("NRS", "PEG"), "Pain is on NRS in clinic and PEG in other, all 0–10; cohorts on different scales are not"),
    ],
)
def test_methods_name_the_scale_of_pain(study: Released, scales: tuple[str, str], said: str) -> None:
    cohorts = dict(zip(("clinic", "other"), scales, strict=True))
    rows = [
        row | {"cohort": name, "note": instrument.words(scale)}
        for name, scale in cohorts.items()
        for row in study.estimates
        if row["cohort"] == "clinic" and row["analysis"] == "hyperalgesia.escalation"
    ]
    own = settings()["cohorts"]["clinic"]
    found = replace(study, config=Config(**settings(cohorts=dict.fromkeys(cohorts, own))), estimates=rows)
    found = replace(
        found, release=study.release | {"cohorts": dict.fromkeys(cohorts, study.release["cohorts"]["clinic"])}
    )
    assert said in words(methods(found))
