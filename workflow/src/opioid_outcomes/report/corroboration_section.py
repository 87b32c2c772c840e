"""What else hyperalgesia should do: pain falls after the dose does, spreads, lowers thresholds; and in whom."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.document import Block, Bullets, Heading, Paragraph, Table
from opioid_outcomes.report.pain_words import days_of, reasons
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import has_interval, interval, method_words, number, outcome_words

Row = dict[str, Any]
ANALYSES = {
    "hyperalgesia.reduction": "after the dose is lowered",
    "hyperalgesia.spread": "spread of pain after escalation",
    "hyperalgesia.threshold": "pain threshold or tolerance after escalation",
    "hyperalgesia.baseline_excess": "pain above the pain before opioids",
}
MODIFIER = "hyperalgesia.modifier"
WHY = (
    "If opioids make pain worse, it should be diffuse, thresholds should fall, and pain should fall after the dose "
    "does. Doses are lowered in people who get better, though, so a fall of pain after a reduction mimics it; only "
    "reductions that a policy or formulary brought about, whatever the pain, are evidence. Pain counts from day "
    "{day} on, as withdrawal hurts before."
)


def corroboration(released: Released) -> list[Block]:
    rows = [row for name in ANALYSES for row in released.rows(analysis=name)]
    if not rows:
        return []
    told = [row for row in rows if has_interval(row)]
    day = released.config.hyperalgesia.reduction.from_day
    blocks: list[Block] = [Heading("What else hyperalgesia should do"), Paragraph(WHY.replace("{day}", str(day)))]
    if told:
        blocks.append(_table(released, told))
    missing = _missing(released, rows)
    if missing:
        blocks += [Paragraph("What could not be estimated, and why:"), Bullets(missing)]
    return [*blocks, *_modifiers(released)]


def _missing(released: Released, rows: list[Row]) -> tuple[str, ...]:
    """What has no number in any window, with the reasons of each cohort."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        who = row["population"].removesuffix(" (ATT)") if row["analysis"] == "hyperalgesia.reduction" else ""
        groups.setdefault((ANALYSES[row["analysis"]], who), []).append(row)
    told = []
    for (words, who), own in groups.items():
        cohorts = {row["cohort"] for row in own if has_interval(row)}
        why = reasons(released, [row for row in own if row["cohort"] not in cohorts])
        if why:
            told.append(f"{words[:1].upper()}{words[1:]}{f' ({who})' if who else ''} – {why}.")
    return tuple(told)


def _table(released: Released, rows: list[Row]) -> Table:
    lines: list[tuple[str, ...]] = []
    for name, words in ANALYSES.items():
        own = [row for row in rows if row["analysis"] == name]
        if own:
            lines.append((words[:1].upper() + words[1:],))
        lines += [
            (
                row["cohort"], row["population"].removesuffix(" (ATT)"), _measure(row), days_of(row),
                number(row["persons"]), f"{interval(row, released.scale(row))} {released.scale(row).unit}",
            )
            for row in own
        ]  # fmt: skip
    heads = ("Cohort", "Who", "What", "Days", "Persons", "Difference (95 % CI)")
    return Table(
        "corroboration", "What else hyperalgesia should do.", heads, tuple(lines), 2, released.rule,
        (0.7, 1.5, 1.4, 0.8, 0.7, 2.4),
    )  # fmt: skip


def _measure(row: Row) -> str:
    corrected = ", error taken out" if row["method"] == "aipw_noise_corrected" else ""
    return f"{outcome_words(row['outcome'])}{corrected}"


def _modifiers(released: Released) -> list[Block]:
    rows = [row for row in released.rows(analysis=MODIFIER) if has_interval(row)]
    if not rows:
        return []
    lines = tuple(
        (row["cohort"], row["contrast"], method_words(row["method"]), number(row["persons"]),
         interval(row, released.scale(row)))
        for row in rows
    )  # fmt: skip
    caption = (
        f"In whom: effect of raising the dose at long lag, {released.scales['mean_difference_per_step'].unit}, by "
        "group, and the difference between groups. Exploratory: many groups, and no verdict rests on them."
    )
    heads = ("Cohort", "Group", "Method", "Persons", "Points (95 % CI)")
    return [Table("modifiers", caption, heads, lines, 2, released.rule, (0.8, 2.6, 1, 0.8, 1.5))]
