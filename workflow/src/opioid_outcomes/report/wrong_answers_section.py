"""The wrong answers about pain and dose, beside the right ones."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report import forest, pain_charts
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.pain_words import ESCALATION, MAIN, days_of, escalations
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import has_interval, interval, method_words, number, present

Row = dict[str, Any]
Rows = list[Row]
NAIVE, WITHIN, EVENTS = "hyperalgesia.naive", "hyperalgesia.within_person", "hyperalgesia.event_study"
# What is compared in which unit: the right answer's scale, and that of the wrong ones beside it
UNITS = (
    ("in points", "mean_difference", "mean_difference"),
    ("per step of dose", "mean_difference_per_step", "slope"),
)
WHY = (
    "Where people in more pain are given more opioid, pain and dose rise together whatever opioids do: a slope of pain "
    "on dose can be positive under no effect, relief, tolerance and hyperalgesia alike. Comparing people with "
    "themselves does not help, as pain drives the dose within a person too, and what follows a peak is a fall. These "
    "answers are printed because readers know them from elsewhere; each is marked as failed by design."
)


def wrong_answers(released: Released) -> list[Block]:
    wrong = [row for name in (NAIVE, WITHIN) for row in released.rows(analysis=name) if present(row["estimate"])]
    heading = Heading("The wrong answers, beside the right ones")
    if not wrong:
        return [heading, Notice("No naive answer was computed.")]
    return [heading, Paragraph(WHY), *_figure(released, wrong), _table(released, wrong), *_events(released)]


def _label(row: Row) -> str:
    name = {NAIVE: "unadjusted", WITHIN: method_words(row["method"])}.get(row["analysis"], method_words(row["method"]))
    if row["scale"] == "slope":
        if row["contrast"].endswith("within person"):
            name = "fixed effects of person"
        return f"slope on dose, {'all scores pooled' if row['analysis'] == NAIVE else name}"
    return f"{name}, days {days_of(row)}"


def _figure(released: Released, wrong: Rows) -> list[Block]:
    """At long lag, each wrong answer beside the adjusted one in its own unit; a panel per cohort and unit."""
    import altair as alt

    last = released.config.hyperalgesia.windows_days[-1]
    label = f"{last[0]}-{last[1]}"
    smallest = released.config.hyperalgesia.smallest_effect
    panels, told = [], []
    for cohort in released.cohorts:
        for name, right, scales in UNITS:
            adjusted = [
                row for row in escalations(released, MAIN, right) if (row["cohort"], row["window"]) == (cohort, label)
            ]
            own = [
                row
                for row in wrong
                if (row["cohort"], row["scale"]) == (cohort, scales)
                and row["window"] in ("", label)
                and has_interval(row)
            ]
            if not adjusted or not own:
                continue
            rows = [_line(released, row, is_wrong=row in own) for row in (*adjusted, *own)]
            unit = released.scales[right].unit
            panel = forest.differences(rows, title=unit, counts="persons", smallest=smallest)
            panels.append(panel.properties(title=f"{cohort}: {name}"))
            told.append(f"{cohort}: " + "; ".join(f"{row['label']}, {row['reading']} {unit}" for row in rows))
    if not panels:
        return []
    title = "Wrong answers beside the right one"
    alternative = f"{title}. {'. '.join(told)}."
    caption = (
        f"{title}, at long lag (days {days_of({'window': label})}). Squares: people with the same recorded history "
        f"compared; crosses: wrong by design. Shaded: smaller than {smallest:g}, the smallest that matters. A wrong "
        "answer may happen to lie close to the right one, and far from it in another study."
    )
    drawn = svg(alt.vconcat(*panels, spacing=16), "wrong_answers", title, alternative)
    return [Figure("wrong_answers", drawn, caption, alternative, note=released.rule)]


def _line(released: Released, row: Row, *, is_wrong: bool) -> Row:
    name = _label(row).removesuffix(f", days {days_of(row)}") if is_wrong else "history-adjusted"
    return {
        "label": name, "estimate": row["estimate"], "low": row["ci_low"], "high": row["ci_high"],
        "reading": interval(row, released.scale(row)), "counts": number(row["persons"]), "wrong": is_wrong,
    }  # fmt: skip


def _table(released: Released, wrong: Rows) -> Table:
    right = {
        (row["cohort"], row["window"], row["scale"]): row
        for row in released.rows(analysis=ESCALATION, method="aipw")
        if present(row["estimate"])
    }
    last = released.config.hyperalgesia.windows_days[-1]
    lines: list[tuple[str, ...]] = []
    for row in wrong:
        scale = released.scale(row)
        beside = right.get((row["cohort"], row["window"], row["scale"]))
        if row["scale"] == "slope":
            beside = right.get((row["cohort"], f"{last[0]}-{last[1]}", "mean_difference_per_step"))
        answer = f"{interval(beside, released.scale(beside))}, days {days_of(beside)}" if beside else "–"
        lines.append((row["cohort"], _label(row), interval(row, scale), answer))
    return Table(
        "naive",
        "Wrong by design, beside the history-adjusted answers: points on the 0–10 scale; slopes, and what stands "
        f"beside them, {released.scales['slope'].unit}.",
        ("Cohort", "Answer", "Wrong", "Right (history-adjusted)"),
        tuple(lines),
        0,
        released.rule,
        (0.7, 2.1, 1.5, 2.3),
    )


def _events(released: Released) -> list[Block]:
    panels: dict[str, Rows] = {}
    for cohort in released.cohorts:
        rows = [
            {"start": _from(row), "estimate": row["estimate"], "low": row["ci_low"], "high": row["ci_high"]}
            for row in released.rows(analysis=EVENTS, cohort=cohort)
            if has_interval(row)
        ]
        if rows:
            panels[cohort] = sorted(rows, key=lambda row: row["start"])
    if not panels:
        return []
    title = "Event study of the first escalation"
    told = {
        name: "; ".join(f"day {number(row['start'])}: {number(row['estimate'], 2)}" for row in rows)
        for name, rows in panels.items()
    }
    alt = f"{title}. " + " ".join(f"{name}: {text}." for name, text in told.items())
    caption = (
        f"{title}: pain of those who escalate, by 30 days from it, less that of the same people in the 30 days before "
        "(the open point) and of others in the same month; 95 % confidence intervals. A rise before the "
        "escalation is expected, as doses are raised because it hurts; it shows that the two groups were "
        "not on parallel courses, so what follows is no effect."
    )
    drawn = svg(pain_charts.event_study(panels), "event_study", title, alt)
    return [Figure("event_study", drawn, caption, alt, note=released.rule)]


def _from(row: Row) -> int:
    """First day of a window, which may lie before the event: ``-60--31`` begins on day -60."""
    text = str(row["window"])
    sign = -1 if text.startswith("-") else 1
    return sign * int(text.lstrip("-").split("-")[0])
