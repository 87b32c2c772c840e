"""The first page: the question, what may be concluded, and the key numbers with absolute beside relative."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.document import Block, Bullets, Notice, Paragraph, Section, Table
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, interval, listed, method_words, present

QUESTION = (
    "Among adults with chronic pain, do people die sooner while they take opioids than while they do not, and after "
    "a dose is raised, does pain fall, return, or rise above what it would have been?"
)
MAIN_CONTRASTS = {"mortality.current_use": "on vs off", "mortality.baseline_use": "baseline user vs non user"}
CAN = (
    (
        {"mortality.rate"},
        "How many people died, over how many person-years, on and off opioids, with exact limits (`mortality.rate`).",
    ),
    (
        {"mortality.current_use", "mortality.baseline_use"},
        "How the hazard of death compares between people on and off opioids who have the same recorded baseline "
        "covariates (`mortality.current_use`, or `mortality.baseline_use` where use is known at one interview only). "
        "These are descriptions. People are put on opioids, and taken off them, for reasons that also bear on their "
        "risk of death; a hazard ratio here is not the effect of opioids.",
    ),
    (
        {"hyperalgesia.escalation"},
        "How pain differs in the year after a dose escalation between people whose dose was raised and people with "
        "the same recorded history whose dose was not (`hyperalgesia.escalation`).",
    ),
)
ADJUSTMENT_ORDER = ("adjusted_full", "adjusted", "crude")


def question(released: Released) -> Section:
    return Section("question", "The question", (Paragraph(QUESTION), *_setting(released)))


def _setting(released: Released) -> list[Block]:
    config = released.config
    described = []
    for name in released.cohorts:
        cohort, about = config.cohorts[name], released.about(name)
        source = "OMOP Common Data Model" if cohort.format == "omop" else "plain tables"
        exposure = {
            "baseline": "opioid use known at one interview only",
            "time_varying": "opioid use followed over time",
            "none": "no record of opioid use",
        }.get(str(about.get("exposure")), "")
        origin = f"simulated, world “{about.get('world')}”" if about.get("simulated") else "real records"
        described.append(f"`{name}`: {', '.join(part for part in (origin, source, exposure) if part)}.")
    return [
        Paragraph(f"The study reads {'one cohort' if len(described) == 1 else f'{len(described)} cohorts'}."),
        Bullets(tuple(described)),
    ]


def scope(released: Released) -> Section:
    """What this report can and cannot say."""
    shown = {row["analysis"] for row in released.rows() if present(row["estimate"])}
    can = tuple(text for analyses, text in CAN if shown & analyses)
    cannot = [
        "The two primary analyses of the specification are not part of this version: `mortality.new_user` (new users "
        "against comparable non-users, the causal answer about mortality) and `hyperalgesia.verdict` (the "
        "pre-registered reading of pain after escalation). No verdict is given, and none should be inferred.",
        "Effects of starting, sustaining or stopping opioids; shares of deaths by cause; comparison with the general "
        "population; anything about one person.",
    ]
    blocks: list[Block] = [
        *(
            (Paragraph("It can say:"), Bullets(can))
            if can
            else (Paragraph("In this study it can say nothing about the question: no estimate may be shown."),)
        ),
        Paragraph("It cannot say:"),
        Bullets(tuple(cannot)),
        Paragraph(
            "Intervals are 95 % confidence intervals. No p-value is read as a verdict, and no result is picked from "
            "several because of its p-value."
        ),
    ]
    for lead, key in (
        ("Missing inputs, and what they make impossible:", "costs"),
        ("Noted while the data were read:", "warnings"),
    ):
        notes = _notes(released, key)
        blocks += [Paragraph(lead), Bullets(notes)] if notes else []
    return Section("scope", "What this report can and cannot say", tuple(blocks))


def _notes(released: Released, key: str) -> tuple[str, ...]:
    """Sentences about cohorts, each told once with the cohorts it is true of."""
    by_text: dict[str, list[str]] = {}
    for name in released.cohorts:
        for text in released.about(name).get(key, []):
            by_text.setdefault(text, []).append(f"`{name}`")
    return tuple(f"{listed(names)}: {text}" for text, names in by_text.items())


def key_numbers(released: Released) -> Section:
    blocks: list[Block] = []
    mortality = [row for cohort in released.cohorts_and_pooled if (row := _mortality_row(released, cohort))]
    if mortality:
        on, off = _group_heads(released)
        heads = ("Cohort", on, off, "Hazard ratio, crude", "Hazard ratio, adjusted")
        caption = (
            "Deaths in absolute and relative terms (95 % CI): deaths per 1,000 person-years on and off opioids, "
            f"unadjusted, and the hazard ratio on against off. {_adjustment_words(mortality)} All are descriptive."
        )
        rows = tuple(row for row, _ in mortality)
        blocks.append(Table("key_mortality", caption, heads, rows, 4, released.rule, (0.8, 1.2, 1.2, 1.2, 1.2)))
    pain = _pain_rows(released)
    if pain:
        blocks.append(
            Table(
                "key_pain",
                "Difference in mean pain, escalated minus maintained (points on the 0–10 scale; above zero is more "
                "pain after escalation; smallest difference that matters: "
                f"{released.config.hyperalgesia.smallest_effect:g}).",
                ("Days after the visit", *_pain_cohorts(released)),
                tuple(pain),
                numeric=len(_pain_cohorts(released)),
                note=released.rule,
            )
        )
    if not blocks:
        blocks.append(
            Notice(
                "No estimate of this study may be shown: there were too few people or events, or the data needed are "
                "absent. The reasons, one by one, are under “What could not be estimated”."
            )
        )
    return Section("key-numbers", "Key numbers", tuple(blocks))


def _group_heads(released: Released) -> tuple[str, str]:
    if released.exposures == {"baseline"}:
        return "Users at baseline", "Non-users"
    if "baseline" in released.exposures:
        return "On opioids (or users at baseline)", "Off opioids (or non-users)"
    return "On opioids", "Off opioids"


def _first(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((row for row in rows if present(row["estimate"])), None)


def _mortality_row(released: Released, cohort: str) -> tuple[tuple[str, ...], str] | None:
    """The cohort's line of the table, and what its most fully adjusted ratio is adjusted for."""
    scales = released.scales
    ratios: list[dict[str, Any]] = []
    for analysis, contrast in MAIN_CONTRASTS.items():
        ratios += released.rows(cohort=cohort, analysis=analysis, contrast=contrast, scale="log_hr", outcome="death")
    full = next(
        (row for method in ADJUSTMENT_ORDER[:2] if (row := _first([r for r in ratios if r["method"] == method]))), None
    )
    crude = _first([row for row in ratios if row["method"] == "crude"])
    rates = released.rows(cohort=cohort, analysis="mortality.rate", scale="rate_per_1000py", outcome="death")
    on = _first([row for row in rates if row["contrast"] in ("on", "baseline user")])
    off = _first([row for row in rates if row["contrast"] in ("off", "non user")])
    if not any((full, crude, on, off)):
        return None
    told = [interval(row, scales[row["scale"]]) if row else MISSING for row in (on, off, crude, full)]
    adjusted = method_words(full["method"]).removeprefix("adjusted for ") if full else ""
    return (cohort, *told), adjusted


def _adjustment_words(rows: list[tuple[tuple[str, ...], str]]) -> str:
    by_set: dict[str, list[str]] = {}
    for line, adjusted in rows:
        if adjusted:
            by_set.setdefault(adjusted, []).append(line[0])
    told = [f"for {adjusted}" + (f" ({listed(who)})" if len(by_set) > 1 else "") for adjusted, who in by_set.items()]
    return f"Adjusted ratios are adjusted {listed(told)}." if told else ""


def _pain_cohorts(released: Released) -> list[str]:
    found = {row["cohort"] for row in _pain(released)}
    return [name for name in released.cohorts_and_pooled if name in found]


def _pain(released: Released) -> list[dict[str, Any]]:
    rows = released.rows(analysis="hyperalgesia.escalation", scale="mean_difference", outcome="pain")
    return [row for row in rows if present(row["estimate"])]


def _pain_rows(released: Released) -> list[tuple[str, ...]]:
    scale = released.scales["mean_difference"]
    found = {(row["window"], row["cohort"]): interval(row, scale) for row in reversed(_pain(released))}
    windows = [f"{start}-{stop}" for start, stop in released.config.hyperalgesia.windows_days]
    cohorts = _pain_cohorts(released)
    return [
        (window.replace("-", " to "), *(found.get((window, cohort), MISSING) for cohort in cohorts))
        for window in windows
        if any((window, cohort) in found for cohort in cohorts)
    ]
