"""What the report says of the numbers it is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from report_release import COHORTS, estimates, settings, write

from opioid_outcomes.config.model import Config
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.report import (
    accounting,
    closing,
    cohort_sections,
    exposure_section,
    hyperalgesia_section,
    mortality_section,
    opening,
    pain_words,
    released,
)
from opioid_outcomes.report.compose import compose
from opioid_outcomes.report.document import Figure, Notice, Section, Table
from opioid_outcomes.report.methods import methods
from opioid_outcomes.report.released import Released


def read(inputs: dict[str, Path], **changes: Any) -> Released:
    return released.read(
        Config(**settings(**changes)),
        release=inputs["release"],
        manifest=inputs["manifest"],
        estimates=inputs["estimates"],
        displays=[inputs[name] for name in DISPLAYS],
        truth=inputs.get("truth"),
        example=inputs.get("example"),
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return read(write(tmp_path_factory.mktemp("release") / "demo"))


def table(section: Section | None, name: str) -> dict[str, tuple[str, ...]]:
    """The rows of a table by their heading; of several alike the first."""
    assert section is not None
    found = next(block for block in section.blocks if isinstance(block, Table) and block.name == name)
    rows: dict[str, tuple[str, ...]] = {}
    for row in found.rows:
        rows.setdefault(row[0], row[1:])
    return rows


def test_key_numbers_put_absolute_beside_relative(study: Released) -> None:
    rows = table(opening.key_numbers(study), "key_mortality")
    assert rows["clinic"] == (
        "44.8 (39.4 to 50.3)",
        "25.5 (22.4 to 28.5)",
        "1.86 (1.56 to 2.22)",
        "1.58 (1.31 to 1.90)",
    )
    assert rows["pooled"] == ("–", "–", "1.90 (1.69 to 2.14)", "1.62 (1.43 to 1.84)")


def test_pain_is_told_window_by_window_and_only_where_it_was_estimated(study: Released) -> None:
    found = next(b for b in opening.key_numbers(study).blocks if isinstance(b, Table) and b.name == "key_pain")
    assert found.columns == ("Days after the visit", "clinic")
    assert found.rows[-1] == ("181 to 365", "0.62 (0.44 to 0.80)")


def test_the_most_fully_adjusted_ratio_is_named_as_what_it_is(study: Released) -> None:
    rows = study.estimates
    fewer = [row for row in rows if not (row["cohort"] == "claims" and row["method"] == "adjusted_full")]
    section = opening.key_numbers(Released(study.config, study.release, study.manifest, fewer, study.displays))
    found = next(b for b in section.blocks if isinstance(b, Table) and b.name == "key_mortality")
    assert "for all baseline covariates (clinic and pooled) and for age and sex (claims)" in found.caption
    assert found.rows[1][-1] == "1.82 (1.53 to 2.17)"


def test_a_hidden_cell_of_table_one_is_not_a_number(study: Released) -> None:
    assert table(cohort_sections.table_one(study), "table_one_clinic")["copd"] == (
        "428 (9.5 %)", "228 (12.0 %)", "<11", "0.17",
    )  # fmt: skip


def test_a_level_is_named_under_its_variable(study: Released) -> None:
    rows = table(cohort_sections.table_one(study), "table_one_clinic")
    assert rows["sex"] == ()
    assert rows["– F"][-1] == "−0.04"
    assert rows["age, mean (SD)"] == ("55.0 (2.1)", "57.2 (2.1)", "52.8 (2.1)", "0.31")


def test_rows_rejected_are_told_by_rule(study: Released) -> None:
    rows = table(cohort_sections.quality(study), "quality_rules")
    assert rows["dispensings"] == ("duplicate row", "40")
    assert rows["persons"] == ("conflicting person", "<11")


def test_products_nobody_recognised_are_named_and_counted(study: Released) -> None:
    section = exposure_section.exposure(study)
    assert table(section, "exposure_ledger")["not recognised"] == ("zz <b>cream</b>", "25", "20")
    told = "the products of 25 fills could not be recognised and count as no opioid. Of their codes the commonest is"
    assert any(told in getattr(block, "text", "") for block in section.blocks)


def test_a_truth_missed_by_more_than_three_standard_errors_is_flagged(study: Released) -> None:
    section = accounting.truth(study)
    rows = table(section, "truth")
    assert rows["Mortality by current use (descriptive): on vs off"] == ("hazard ratio", "1.60", "1.58", "−0.1")
    assert rows["Pain after a dose escalation (primary): escalate vs maintain, days 181 to 365"][-1] == "4.1 (missed)"
    assert "Of 3 planted values that could be compared, 2 were found within 3 standard errors and 1 was missed." in (
        section.blocks[0].text  # type: ignore[union-attr]
    )


def test_a_study_of_real_people_has_no_section_on_truth(study: Released) -> None:
    real = Released(study.config, study.release, study.manifest, study.estimates, study.displays, truth=[])
    assert accounting.truth(real) is None
    assert "truth" not in [section.id for section in compose(real).sections]


def test_what_could_not_be_estimated_is_grouped_with_its_reason(study: Released) -> None:
    found = next(block for block in accounting.not_estimated(study).blocks if isinstance(block, Table))
    assert found.rows == (
        (
            "Pain after a dose escalation (primary)", "not evaluable", "the cohort has no pain scores",
            "claims: escalate vs maintain (4 numbers)",
        ),
    )  # fmt: skip


def test_what_disclosure_hides_stands_apart_from_what_a_gate_failed(study: Released) -> None:
    gates = {
        "recent": "not evaluable: withheld: 1 to 10 people or deaths behind it",
        "former": "not evaluable: withheld to protect a number of 1 to 10",
        "never": "not evaluable: nobody is followed in this group",
    }
    rows = [row | {"gate": gates.get(row["contrast"], row["gate"])} for row in study.estimates]
    section = accounting.not_estimated(replace(study, estimates=rows))
    # never in two cohorts, and pain in the four windows of the cohort that has no scores
    said = "Of 120 numbers that were asked for, 6 could not be estimated or failed a gate, and 4 may not"
    assert said in words(section)
    tables = {block.name: block.rows for block in section.blocks if isinstance(block, Table)}
    assert [row[2] for row in tables["not_estimated"]] == [
        "nobody is followed in this group", "the cohort has no pain scores",
    ]  # fmt: skip
    assert tables["withheld"] == (
        ("Death rates", "withheld", "1 to 10 people or deaths behind it",
         "clinic: recent (1 number). claims: recent (1 number)"),
        ("Death rates", "withheld", "to protect a number of 1 to 10",
         "clinic: former (1 number). claims: former (1 number)"),
    )  # fmt: skip
    alone = accounting.not_estimated(study)
    assert [block.name for block in alone.blocks if isinstance(block, Table)] == ["not_estimated"]


def unrounded(study: Released) -> Released:
    return replace(study, release={**study.release, "rounding": 1, "threshold": 1})


def test_rates_of_rounded_counts_are_called_that_wherever_they_stand(study: Released) -> None:
    said = "Rates and their exact Poisson limits are those of the rounded counts shown"
    for section in (opening.key_numbers, mortality_section.mortality, methods):
        assert said in words(section(study))
        assert "rounded counts" not in words(section(unrounded(study)))


def test_captions_about_pain_state_no_finding_of_their_own(study: Released) -> None:
    with_contrast = words(hyperalgesia_section.hyperalgesia(study))
    assert "Where doses are raised because it hurts, pain peaks at the visit" in with_contrast
    assert "the difference between people with the same recorded history" in with_contrast
    assert "is positive under" not in with_contrast
    bare = replace(study, estimates=[row for row in study.estimates if row["analysis"] != pain_words.ESCALATION])
    assert "Where doses are raised because it hurts" in words(hyperalgesia_section.hyperalgesia(bare))
    assert "the difference between people" not in words(hyperalgesia_section.hyperalgesia(bare))


def test_wrong_answers_are_shown_as_wrong_beside_the_right_ones(study: Released) -> None:
    section = next(section for section in compose(study).sections if section.id == "hyperalgesia")
    assert table(section, "naive")["clinic"] == (
        "slope on dose, all scores pooled",
        "0.58 (0.51 to 0.65)",
        "0.68 (0.48 to 0.88), days 181 to 365",
    )  # fmt: skip


def test_every_released_estimate_is_printed(study: Released) -> None:
    found = next(block for block in accounting.all_estimates(study).blocks if isinstance(block, Table))
    assert len([row for row in found.rows if len(row) > 1]) == estimates().height
    assert "p" not in [head.lower() for head in found.columns]
    assert found.long  # closed until opened, and not printed on paper


def test_many_numbers_without_an_estimate_are_counted_and_few_named(study: Released) -> None:
    own = [row for row in study.estimates if row["analysis"] == "mortality.rate" and row["cohort"] == "clinic"]
    refused = [row | {"gate": "not evaluable: no deaths"} for row in own]
    found = accounting.not_estimated(replace(study, estimates=refused)).blocks[1]
    [(*_, which)] = found.rows  # type: ignore[union-attr]
    assert which.endswith(f" and {len(own) - 3} more ({len(own)} numbers)")


def test_sensitivity_specs_do_not_mix_with_the_main_one(study: Released) -> None:
    other = [row | {"spec": "s1", "estimate": 99.0} for row in study.estimates]
    both = Released(study.config, study.release, study.manifest, [*other, *study.estimates], study.displays)
    assert compose(both).sections[2] == compose(study).sections[2]


def test_a_study_in_which_nothing_may_be_shown_is_still_a_report(tmp_path: Path) -> None:
    document = compose(read(write(tmp_path / "demo", empty=True)))
    assert [figure.name for figure in document.figures] == ["exposure_example"]  # of nobody
    notices = [block.text for section in document.sections for block in section.blocks if isinstance(block, Notice)]
    assert any("No estimate of this study may be shown" in text for text in notices)
    assert any("No survival curve is shown" in text for text in notices)
    withheld = next(section for section in document.sections if section.id == "not-estimated")
    said = withheld.blocks[0].text  # type: ignore[union-attr]
    assert "Of 8 numbers that were asked for, 8 could not be estimated or failed a gate, and 0 may not" in said
    scope = next(section for section in document.sections if section.id == "scope")
    assert "can say nothing about the question" in " ".join(getattr(block, "text", "") for block in scope.blocks)


def test_a_display_whose_cells_are_all_hidden_is_a_sentence_not_an_empty_figure(tmp_path: Path) -> None:
    inputs = write(tmp_path / "demo")
    pl.read_csv(inputs["survival"]).with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("survival", "ci_low", "ci_high")
    ).write_csv(inputs["survival"])
    assert "survival" not in [figure.name for figure in compose(read(inputs)).figures]


def test_cohorts_keep_the_config_s_order_and_pooled_comes_last(study: Released) -> None:
    shuffled = Released(study.config, study.release, study.manifest, study.estimates[::-1], study.displays)
    order = list(dict.fromkeys(row["cohort"] for row in shuffled.rows(scale="log_hr")))
    assert order == [*COHORTS, "pooled"]


def test_of_yes_and_no_only_yes_is_printed_and_missing_stays(study: Released) -> None:
    rows = [row for row in study.display("table_one", "clinic") if row["variable"] == "depression"]
    levels = [row | {"level": level} for level in ("No", "Yes", "missing") for row in rows]
    shown = replace(study, displays={**study.displays, "table_one": levels})
    assert [*table(cohort_sections.table_one(shown), "table_one_clinic")] == ["depression", "– Yes", "– missing"]
    three = [row | {"level": level} for level in ("Borderline", "No", "Yes") for row in rows]
    shown = replace(study, displays={**study.displays, "table_one": three})
    assert [*table(cohort_sections.table_one(shown), "table_one_clinic")] == [
        "depression", "– Borderline", "– No", "– Yes",
    ]  # fmt: skip


def interviewed(study: Released, **changes: Any) -> Released:
    """The same study with use known at one interview only."""
    cohorts = {
        name: {**about, "exposure": "baseline", "simulated": False} for name, about in study.release["cohorts"].items()
    }
    rows = [
        row | {"analysis": "mortality.baseline_use", "contrast": "baseline user vs non user"}
        if row["analysis"] == "mortality.current_use"
        else row | {"contrast": {"on": "baseline user", "off": "non user"}.get(row["contrast"], row["contrast"])}
        for row in study.estimates
        if row["contrast"] not in ("never", "recent", "former")
    ]
    return replace(study, release={**study.release, "cohorts": cohorts}, estimates=rows, **changes)


def words(*sections: Section) -> str:
    """Everything the sections say, in sentences, captions and lists."""
    found = []
    for section in sections:
        found.append(section.title)
        for block in section.blocks:
            found += [getattr(block, name) for name in ("text", "caption") if hasattr(block, name)]
            found += [str(item) for item in getattr(block, "items", ())]
    return " ".join(found)


def test_use_known_at_one_interview_is_called_that_throughout(study: Released) -> None:
    once = interviewed(study)
    found = next(block for block in opening.key_numbers(once).blocks if isinstance(block, Table))
    assert found.columns[1:3] == ("Users at baseline", "Non-users")
    assert found.rows[0][1:3] == ("44.8 (39.4 to 50.3)", "25.5 (22.4 to 28.5)")
    said = words(*compose(once).sections)
    for phrase in ("Kaplan–Meier curves (Simon and Makuch)", "on and off opioids", "on against off", "on opioids. The"):
        assert phrase not in said
        assert phrase in words(*compose(study).sections)
    for phrase in ("while they take opioids", "after a dose is raised", "taken off", "off is also split"):
        assert phrase not in said
        assert phrase in words(*compose(study).sections)
    assert "do people who report using opioids at an interview die sooner" in said


def test_the_question_is_asked_of_the_people_the_config_selects(study: Released) -> None:
    everybody = replace(study, config=Config(**settings(population={"entry": "first_observation"})))
    assert "Among adults with chronic pain, do people die sooner" in words(opening.question(study))
    assert "Among the people of the cohorts, do people die sooner" in words(opening.question(everybody))
    young = replace(study, config=Config(**settings(population={"min_age": 12})))
    assert "Among people with chronic pain" in words(opening.question(young))


def test_files_that_are_read_are_told_as_supplied_not_as_real(study: Released) -> None:
    said = words(opening.question(interviewed(study)))
    assert "records as supplied" in said
    assert "real" not in said


def sampled(study: Released) -> Released:
    """The same study with one cohort a weighted sample."""
    weights = {"mortality.rate": "eligible persons, unweighted"}
    rows = [
        row | {"population": weights.get(row["analysis"], "eligible persons, weighted to the sampled population")}
        if row["cohort"] == "claims"
        else row
        for row in study.estimates
    ]
    return replace(study, estimates=rows)


def test_weighted_numbers_are_marked_beside_unweighted_ones(study: Released) -> None:
    section = opening.key_numbers(sampled(study))
    rows = table(section, "key_mortality")
    assert rows["claims"][0] == "44.8 (39.4 to 50.3)"
    assert rows["claims"][2:] == ("1.94 (1.63 to 2.31), weighted", "1.66 (1.38 to 2.00), weighted")
    assert "weighted" not in " ".join(rows["clinic"])
    assert "weighted to the sampled population" in words(section)
    assert "weighted to the sampled population" not in words(opening.key_numbers(study))


def test_weighted_lines_of_the_forest_plot_are_marked_and_pooling_is_told_only_where_done(study: Released) -> None:
    apart = replace(sampled(study), estimates=[row for row in sampled(study).estimates if row["cohort"] != "pooled"])
    figure = next(
        block for block in mortality_section.mortality(apart).blocks if getattr(block, "name", "") == "hazard_ratios"
    )
    assert isinstance(figure, Figure)
    assert "claims, crude, weighted" in figure.alt
    assert "clinic, crude," in figure.alt
    assert "per cohort, with" in figure.caption
    whole = next(
        block for block in mortality_section.mortality(study).blocks if getattr(block, "name", "") == "hazard_ratios"
    )
    assert isinstance(whole, Figure)
    assert "per cohort and pooled, with" in whole.caption
    other = table(mortality_section.mortality(sampled(study)), "hazard_ratios_other")
    assert other["on vs never"][1] == "adjusted for all baseline covariates"


def test_a_study_without_the_comparison_of_pain_does_not_say_it_was_made(study: Released) -> None:
    none = replace(study, estimates=[row for row in study.estimates if row["cohort"] == "claims"])
    assert "this study could not compare them" in words(hyperalgesia_section.hyperalgesia(none))
    assert "are compared from a visit" in words(hyperalgesia_section.hyperalgesia(study))


def test_terms_are_explained_that_the_study_uses(study: Released) -> None:
    followed, once = words(closing.glossary(study)), words(closing.glossary(interviewed(study)))
    assert "Above 1: higher on opioids." in followed
    assert "Above 1: higher among users at baseline." in once
    assert "Baseline user, non user" in once
    assert "Baseline user, non user" not in followed
    assert "Off: never, recent, former" in followed
    assert "Off: never, recent, former" not in once
    assert "7 days after a visit the daily dose was higher than before it (by ≥ 20 % and ≥ 5 MME/day)" in followed


def test_a_withheld_rate_is_a_line_of_its_table(study: Released) -> None:
    hidden = dict.fromkeys(("estimate", "ci_low", "ci_high", "se", "persons", "events", "person_years"))
    gates = {
        "recent": "not evaluable: withheld: 1 to 10 people or deaths behind it",
        "former": "not evaluable: withheld to protect a number of 1 to 10",
        "never": "not evaluable: nobody is followed in this group",
    }
    rows = [
        row | hidden | {"gate": gates[row["contrast"]]} if row["contrast"] in gates else row for row in study.estimates
    ]
    section = mortality_section.mortality(replace(study, estimates=rows))
    found = table(section, "mortality_rates")
    assert found["recent"] == found["former"] == ("withheld", "withheld", "withheld", "withheld")
    assert found["never"] == ("–", "–", "–", "not evaluable")
    assert found["on"] == ("3,000", "5,800", "260", "44.8 (39.4 to 50.3)")
    assert "Rows are withheld" in words(section)
    assert "Rows are withheld" not in words(mortality_section.mortality(study))


def test_table_one_says_whose_values_its_shares_rest_on(study: Released) -> None:
    assert "among people in whom the value is known" in words(cohort_sections.table_one(study))


def test_an_estimate_without_limits_is_told_in_a_table_not_drawn(study: Released) -> None:
    bare = [row | {"ci_low": None, "ci_high": None} for row in study.estimates]
    document = compose(replace(study, estimates=bare))
    assert not {"hazard_ratios", "escalation_contrasts"} & {figure.name for figure in document.figures}
    assert table(accounting.all_estimates(replace(study, estimates=bare)), "estimates")["on vs off"][5] == "1.86"


def test_a_dose_that_is_nowhere_known_is_a_sentence_not_a_full_bar(study: Released) -> None:
    rows = [
        row | {"share_of_time": float(row["dose_band"] == "unknown")} for row in study.displays["dose_distribution"]
    ]
    section = exposure_section.exposure(replace(study, displays={**study.displays, "dose_distribution": rows}))
    assert "dose_distribution" not in [block.name for block in section.blocks if isinstance(block, Figure)]
    assert any(
        "no cohort has time on opioids at a known dose" in getattr(block, "text", "") for block in section.blocks
    )
