"""Opioid use disorder by dose and duration of use."""

from __future__ import annotations

from opioid_outcomes.report.document import Block, Notice, Paragraph, Section, Table
from opioid_outcomes.report.ratio_lines import HEADS, any_told, counted, rate_of, ratio_of, told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import plain, plural, present

ANALYSES = {"addiction.dose": "current dose", "addiction.duration": "length of the present use"}
RATE = "rate_per_1000py"


def addiction(released: Released) -> Section | None:
    """First diagnoses of opioid use disorder; nothing where the study does not ask."""
    rows = [row for name in ANALYSES for row in released.rows(analysis=name)]
    if not rows:
        return None
    lag = released.config.addiction.lag_days
    blocks: list[Block] = [
        Paragraph(
            "First diagnoses of opioid use disorder in follow-up, among people without one before, by use "
            f"{plural(lag, 'day')} earlier: a disorder is recorded after it began, and a dose or a stop that follows "
            "it must not be taken for its cause. Death ends follow-up and competes: these are rates while alive and "
            "undiagnosed, not the share who are ever diagnosed. A diagnosis needs a visit and somebody who looks; "
            "people on higher doses are looked at more. The comparison describes; it is not the effect of dose or "
            "duration."
        )
    ]
    for analysis, what in ANALYSES.items():
        blocks += _table(released, analysis, what)
    if not any(isinstance(block, Table) for block in blocks):
        gates = sorted({row["gate"].partition(": ")[2] for row in rows if not present(row["estimate"])})
        blocks.append(Notice(f"No rate of opioid use disorder may be shown: {'; '.join(gates)}."))
    return Section("addiction", "Opioid use disorder", tuple(blocks))


def _table(released: Released, analysis: str, what: str) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = released.rows(cohort=cohort, analysis=analysis)
        groups = [row["contrast"] for row in rows if row["scale"] == RATE]
        reference = next((row["contrast"].split(" vs ")[1] for row in rows if " vs " in row["contrast"]), "")
        own = []
        for group in groups:
            ratios = ("1", "1") if group == reference else tuple(
                told(ratio_of(rows, f"{group} vs {reference}", method), released) for method in ("crude", "")
            )  # fmt: skip
            own.append((plain(group).replace(">=", "≥"), *counted(rate_of(rows, group), released), *ratios))
        lines += [(cohort,), *own] if any_told([line[: 1 + len(HEADS)] for line in own]) else []
    if not lines:
        return []
    name = analysis.replace(".", "_")
    caption = (
        f"First diagnoses of opioid use disorder per 1,000 person-years by {what} (`{analysis}`), and hazard ratios "
        f"against the line marked 1 (95 % CI).{released.rates_of}"
    )
    heads = (
        "Group",
        "Persons",
        "Person-years",
        "Diagnoses",
        "Rate (95 % CI)",
        "Hazard ratio, crude",
        "Hazard ratio, adjusted",
    )
    widths = (1.3, 0.8, 0.9, 0.9, 1.5, 1.5, 1.5)
    return [Table(name, caption, heads, tuple(lines), 6, released.rule, widths, wide=True)]
