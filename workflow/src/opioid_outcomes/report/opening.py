"""The first page: the question, what may be concluded, and the key numbers with absolute beside relative."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.hyperalgesia.verdict import INCONCLUSIVE
from opioid_outcomes.report import new_user_section
from opioid_outcomes.report.document import Block, Bullets, Notice, Paragraph, Section, Table
from opioid_outcomes.report.mortality_words import primary_horizon, within
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, compared, interval, listed, method_words, present, weighted

PAIN_QUESTION = "and after a dose is raised, does pain fall, return, or rise above what it would have been"
ADULT = 18  # years
MAIN_CONTRASTS = {"mortality.current_use": "on vs off", "mortality.baseline_use": "baseline user vs non user"}
PRIMARY = new_user_section.ANALYSIS
MARK = ", weighted"
ADJUSTMENT_ORDER = ("adjusted_full", "adjusted", "crude")


def question(released: Released) -> Section:
    return Section("question", "The question", (Paragraph(_asked(released)), *_setting(released)))


def _asked(released: Released) -> str:
    """The question as far as the study's population and exposure allow to ask it."""
    population = released.config.population
    people = "adults" if population.min_age >= ADULT else "people"
    who = (
        f"{people} with chronic pain"
        if population.entry == "chronic_pain"
        else f"the people of the {'cohort' if len(released.cohorts) == 1 else 'cohorts'}"
    )
    pain = "" if released.exposures == {"baseline"} else f", {PAIN_QUESTION}"
    return f"Among {who}, {compared(released.exposures).question}{pain}?"


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
        origin = f"simulated, world “{about.get('world')}”" if about.get("simulated") else "records as supplied"
        described.append(f"`{name}`: {', '.join(part for part in (origin, source, exposure) if part)}.")
    return [
        Paragraph(f"The study reads {'one cohort' if len(described) == 1 else f'{len(described)} cohorts'}."),
        Bullets(tuple(described)),
    ]


def scope(released: Released) -> Section:
    """What this report can and cannot say."""
    shown = {row["analysis"] for row in released.rows() if present(row["estimate"])}
    can = tuple(text for analyses, text in _can(released) if shown & analyses)
    cannot = _cannot(released, shown)
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


def _cannot(released: Released, shown: set[str]) -> list[str]:
    told = []
    followed = released.exposures != {"baseline"}
    if followed and all(judged["verdict"] == INCONCLUSIVE for judged in released.verdict.values()):
        told.append(
            "Whether opioids make pain worse: the pre-registered reading of pain after escalation "
            "(`hyperalgesia.verdict`) is inconclusive, which is no evidence for either side; its conditions say why."
        )
    elif followed and not all(judged["calibrated"] for judged in released.verdict.values() if _measured(judged)):
        told.append(
            "How often the verdict on pain and dose errs in cohorts like those marked uncalibrated: that was not "
            "simulated (`snakemake calibrate`)."
        )
    if PRIMARY not in shown:
        told.insert(
            0,
            f"Whether starting opioids changes mortality: the primary analysis (`{PRIMARY}`, new users against "
            "comparators) could not be estimated or may not be shown; the reasons are with it and under “What could "
            "not be estimated”.",
        )
    told.append(
        "Anything about one person; and nothing that was not recorded: an effect here is one only if what decided on "
        "treatment and also bears on death was recorded."
    )
    return told


def _can(released: Released) -> tuple[tuple[set[str], str], ...]:
    """What each analysis can say."""
    groups = compared(released.exposures)
    hazards = [name for name in MAIN_CONTRASTS if released.rows(analysis=name)]
    stopped = "" if released.exposures == {"baseline"} else ", and taken off them,"
    days = primary_horizon(released.config)
    return (
        (
            {PRIMARY},
            f"How the risk of death within {within(days)} differs between people who start an opioid and comparators "
            "made alike in what was recorded before (`mortality.new_user`, the primary analysis of mortality, declared "
            "beforehand): an effect of starting, if nothing that matters was left unrecorded.",
        ),
        (
            {"mortality.msm", "mortality.sustained"},
            "What use kept up over time would do, under further assumptions (`mortality.msm`, `mortality.sustained`; "
            "secondary).",
        ),
        (
            {"mortality.cause"},
            "Which causes of death a difference is made of (`mortality.cause`, `mortality.overdose_share`; "
            "exploratory).",
        ),
        (
            {"mortality.rate"},
            f"How many people died, over how many person-years, {groups.both}, with exact limits (`mortality.rate`).",
        ),
        (
            set(MAIN_CONTRASTS),
            f"How the hazard of death compares, {groups.against}, between people who have the same recorded baseline "
            f"covariates ({listed([f'`{name}`' for name in hazards])}). These are descriptions. People are put on "
            f"opioids{stopped} for reasons that also bear on their risk of death; a hazard ratio here is not the "
            "effect of opioids.",
        ),
        (
            {"hyperalgesia.escalation"},
            "How pain differs in the year after a dose escalation between people whose dose was raised and people "
            "with the same recorded history whose dose was not, and which of hyperalgesia, tolerance, relief and no "
            "effect that is consistent with (`hyperalgesia.verdict`, the primary analysis of pain).",
        ),
    )


def _notes(released: Released, key: str) -> tuple[str, ...]:
    """Sentences about cohorts, each told once with the cohorts it is true of."""
    by_text: dict[str, list[str]] = {}
    for name in released.cohorts:
        for text in released.about(name).get(key, []):
            by_text.setdefault(text, []).append(f"`{name}`")
    return tuple(f"{listed(names)}: {text}" for text, names in by_text.items())


def key_numbers(released: Released) -> Section:
    blocks: list[Block] = _primary(released)
    mortality = [row for cohort in released.cohorts_and_pooled if (row := _mortality_row(released, cohort))]
    if mortality:
        groups = compared(released.exposures)
        heads = ("Cohort", *groups.heads, "Hazard ratio, crude", "Hazard ratio, adjusted")
        caption = (
            f"Deaths in absolute and relative terms (95 % CI): deaths per 1,000 person-years {groups.both}, unadjusted "
            f"and unweighted, and the hazard ratio, {groups.against}. {_adjustment_words(mortality)} "
            f"{_weighting_words(mortality)}All are descriptive, and no effect of opioids.{released.rates_of}"
        )
        rows = tuple(row for row, _ in mortality)
        blocks.append(Table("key_mortality", caption, heads, rows, 4, released.rule, (0.8, 1.2, 1.2, 1.2, 1.2)))
    blocks += _verdict(released)
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


def _itt(released: Released) -> list[dict[str, Any]]:
    return released.rows(analysis=PRIMARY, method=released.config.mortality.weights, scale="risk_difference")


def _primary(released: Released) -> list[Block]:
    """The primary estimate of mortality, what it is of, and why it is absent where it is."""
    lines = new_user_section.key_rows(released)
    if not released.rows(analysis=PRIMARY):
        return []
    days = primary_horizon(released.config)
    told = new_user_section.key_reasons(released)
    blocks: list[Block] = []
    shown = any(row["window"] == f"0-{days}" and present(row["estimate"]) for row in _itt(released))
    if shown:
        populations = listed([f"“{text}”" for text in new_user_section.populations(released)])
        caption = (
            f"Primary: death within {within(days)} of starting an opioid, against comparators (95 % CI), by intention "
            "to treat; the difference as treated beside it. Differences are in percentage points. Population: "
            f"{populations}. Estimand: the difference in risk, had the eligible started an opioid that day, against "
            "not having started it (or having started the comparison drug). Every number shown has passed its gates."
        )
        heads = (
            "Comparison", "Risk, new users", "Risk, comparators", "Risk difference", "Risk ratio",
            "Difference, as treated", "Persons / deaths",
        )  # fmt: skip
        widths = (1.7, 0.8, 1, 1.6, 1.4, 1.6, 1.1)
        blocks.append(Table("key_primary", caption, heads, tuple(lines), 6, released.rule, widths, wide=True))
    else:
        blocks.append(Notice(f"The primary estimate (risk difference at {days} days) may not be shown in any cohort."))
    return [*blocks, *([Bullets(told)] if told else [])]


def _verdict(released: Released) -> list[Block]:
    """What the estimates are consistent with: of populations, with what is not known of the verdict."""
    if released.exposures == {"baseline"}:
        return []
    judged = {name: released.verdict[name] for name in released.cohorts_and_pooled if name in released.verdict}
    if not judged or (not _pain(released) and all(each["verdict"] == INCONCLUSIVE for each in judged.values())):
        return []
    told = "; ".join(
        f"{name}: {each['consistent_with'] if _measured(each) else 'not judged, as nothing of it could be measured'}"
        for name, each in judged.items()
    )
    return [
        Paragraph(
            f"The verdict on pain after a dose escalation (`hyperalgesia.verdict`), by a rule fixed beforehand: "
            f"{told}. It says what the estimates of a population are consistent with; it is no finding about any "
            "person, nor about why one person's dose rose."
        )
    ]


def _measured(judged: dict[str, Any]) -> bool:
    return any(condition["met"] is not None for condition in judged["conditions"])


def _first(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((row for row in rows if present(row["estimate"])), None)


def _mortality_row(released: Released, cohort: str) -> tuple[tuple[str, ...], str] | None:
    """The cohort's line of the table, and what its most fully adjusted ratio is adjusted for."""
    ratios: list[dict[str, Any]] = []
    for analysis, contrast in MAIN_CONTRASTS.items():
        ratios += released.rows(cohort=cohort, analysis=analysis, contrast=contrast, scale="log_hr", outcome="death")
    full = next(
        (row for method in ADJUSTMENT_ORDER[:2] if (row := _first([r for r in ratios if r["method"] == method]))), None
    )
    crude = _first([row for row in ratios if row["method"] == "crude"])
    rates = released.rows(
        cohort=cohort, analysis="mortality.rate", method="crude", scale="rate_per_1000py", outcome="death"
    )
    on = _first([row for row in rates if row["contrast"] in ("on", "baseline user")])
    off = _first([row for row in rates if row["contrast"] in ("off", "non user")])
    if not any((full, crude, on, off)):
        return None
    told = [
        f"{interval(row, released.scale(row))}{MARK if weighted(row) else ''}" if row else MISSING
        for row in (on, off, crude, full)
    ]
    adjusted = method_words(full["method"]).removeprefix("adjusted for ") if full else ""
    return (cohort, *told), adjusted


def _adjustment_words(rows: list[tuple[tuple[str, ...], str]]) -> str:
    by_set: dict[str, list[str]] = {}
    for line, adjusted in rows:
        if adjusted:
            by_set.setdefault(adjusted, []).append(line[0])
    told = [f"for {adjusted}" + (f" ({listed(who)})" if len(by_set) > 1 else "") for adjusted, who in by_set.items()]
    return f"Adjusted ratios are adjusted {listed(told)}." if told else ""


def _weighting_words(rows: list[tuple[tuple[str, ...], str]]) -> str:
    if not any(cell.endswith(MARK) for line, _ in rows for cell in line):
        return ""
    return (
        "Ratios marked “weighted” are weighted to the sampled population; they do not belong to the rates beside them. "
    )


def _pain_cohorts(released: Released) -> list[str]:
    found = {row["cohort"] for row in _pain(released)}
    return [name for name in released.cohorts_and_pooled if name in found]


def _pain(released: Released) -> list[dict[str, Any]]:
    rows = released.rows(analysis="hyperalgesia.escalation", scale="mean_difference", outcome="pain", method="aipw")
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
