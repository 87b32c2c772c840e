"""The whole report, in the order in which it is read."""

from __future__ import annotations

from opioid_outcomes.report import (
    accounting,
    addiction_section,
    cause_section,
    closing,
    cohort_sections,
    designs_section,
    example_section,
    exposure_section,
    hyperalgesia_section,
    methods,
    mortality_section,
    new_user_section,
    opening,
    other_pain_section,
    strategies_section,
    trajectory_section,
    trials_section,
)
from opioid_outcomes.report.document import Document
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import listed


def compose(released: Released) -> Document:
    """The document of one study, from its released files alone."""
    sections = (
        opening.question(released),
        opening.scope(released),
        opening.key_numbers(released),
        cohort_sections.attrition(released),
        cohort_sections.quality(released),
        cohort_sections.table_one(released),
        exposure_section.exposure(released),
        trajectory_section.trajectories(released),
        new_user_section.new_user(released),
        cause_section.causes(released),
        strategies_section.strategies(released),
        mortality_section.mortality(released),
        designs_section.designs(released),
        addiction_section.addiction(released),
        hyperalgesia_section.hyperalgesia(released),
        other_pain_section.other_pain(released),
        accounting.truth(released),
        accounting.not_estimated(released),
        accounting.all_estimates(released),
        methods.methods(released),
        trials_section.target_trials(released),
        example_section.example(released),
        closing.limitations(released),
        closing.glossary(released),
        closing.provenance(released),
    )
    return Document(
        title=released.title,
        subtitle=f"Study {released.config.study.name}: {_subject(released)}",
        marks=tuple(_marks(released)),
        sections=tuple(section for section in sections if section is not None),
    )


def _subject(released: Released) -> str:
    once = released.exposures == {"baseline"}
    return "survival by opioid use at an interview" if once else "survival and pain on long-term opioid therapy"


def _marks(released: Released) -> list[str]:
    marks = []
    if released.release.get("marked"):
        reason = released.release.get("reason")
        marks.append("No disclosure control was applied" + (f": {reason}" if reason else "."))
    simulated = [name for name in released.cohorts if released.about(name).get("simulated")]
    if simulated:
        what = (
            "All cohorts are"
            if len(simulated) == len(released.cohorts)
            else f"{listed(simulated)} {'is' if len(simulated) == 1 else 'are'}"
        )
        marks.append(f"Simulated data: {what} simulated. Nothing here is a finding about people.")
    return marks
