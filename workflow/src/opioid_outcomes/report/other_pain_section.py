"""The other claims about pain: after starting, after stopping, and other therapies on and off opioids."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.document import Block, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.pain_words import days_of, reasons
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import has_interval, interval, method_words, number

Row = dict[str, Any]
QUESTIONS = {
    "pain.new_user": (
        "Twelve months after starting",
        "Is pain a year later lower in people who start opioids than in people with the same history who do not? Those "
        "who start do so at a peak of pain, so both would fall; only the difference counts. Intention to treat.",
    ),
    "pain.after_stopping": (
        "After stopping",
        "Pain by months since supply ended, against the last months on, in people whose long-term therapy ended. "
        "Descriptive: nobody was told at random to stop, and people come when it hurts, for which visits are weighted.",
    ),
    "pain.therapy_interaction": (
        "Other therapies, on and off opioids",
        "Do exercise, acupuncture and mind-body therapies do less for pain in people on opioids? The effect of "
        "starting one, against people with the same history who do not, in each state, and the difference.",
    ),
}


def other_pain(released: Released) -> Section | None:
    if released.exposures == {"baseline"} or not any(released.rows(analysis=name) for name in QUESTIONS):
        return None
    blocks: list[Block] = []
    for name, (title, words) in QUESTIONS.items():
        rows = [row for row in released.rows(analysis=name) if has_interval(row)]
        blocks += [Heading(title), Paragraph(words)]
        blocks.append(_table(released, name, rows) if rows else Notice(_why(released, name)))
    return Section("other-pain", "Pain after starting, after stopping, and with other therapies", tuple(blocks))


def _table(released: Released, name: str, rows: list[Row]) -> Table:
    lines = tuple(
        (
            row["cohort"], row["contrast"], row["outcome"], days_of(row), method_words(row["method"]),
            number(row["persons"]), f"{interval(row, released.scale(row))} {released.scale(row).unit}",
        )
        for row in rows
    )  # fmt: skip
    heads = ("Cohort", "Comparison", "Outcome", "Days", "Method", "Persons", "Difference (95 % CI)")
    return Table(
        name.replace(".", "_"), f"{QUESTIONS[name][0]}: differences in pain.", heads, lines, 2, released.rule,
        (0.6, 1.5, 0.8, 0.9, 1.5, 0.7, 2.1),
    )  # fmt: skip


def _why(released: Released, name: str) -> str:
    why = reasons(released, released.rows(analysis=name))
    return f"Could not be estimated{f' ({why})' if why else ''}."
