"""Pain after a dose escalation: the course in both arms, the contrast, and the wrong answers beside the right ones."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report import charts, forest
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import has_interval, interval, method_words, number, present

Rows = list[dict[str, Any]]
RIGHT, NAIVE = "hyperalgesia.escalation", "hyperalgesia.naive"


def hyperalgesia(released: Released) -> Section:
    blocks: list[Block] = [
        Paragraph(
            "If tolerance explains rising doses, raising the dose relieves pain for a while; if opioids themselves "
            f"make pain worse, raising the dose ends in more pain than leaving it. {_who(released)}"
        ),
        *_course(released),
        Heading("Difference between the arms"),
        *_contrasts(released),
        *_per_step(released),
        Heading("The wrong answers, beside the right ones"),
        *_wrong(released),
    ]
    return Section("hyperalgesia", "Pain after a dose escalation", tuple(blocks))


def _differences(released: Released) -> Rows:
    """The differences between the arms that could be estimated."""
    return [row for row in released.rows(analysis=RIGHT, scale="mean_difference") if has_interval(row)]


def _who(released: Released) -> str:
    return (
        "People on stable long-term therapy are compared from a visit at which the dose was raised, or was not, given "
        "what was recorded up to that visit."
        if _differences(released)
        else "That takes people on stable long-term therapy whose dose and pain are followed; this study could not "
        "compare them."
    )


def _course(released: Released) -> list[Block]:
    found = {name: released.display("pain_escalation", name) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if any(present(row["mean"]) for row in rows)}
    if not by_cohort:
        return [
            Notice(
                "No course of pain around escalation is shown: no cohort has pain scores of enough people on stable "
                "long-term therapy."
            )
        ]
    told = []
    for name, rows in by_cohort.items():
        for arm in dict.fromkeys(row["arm"] for row in rows):
            own = [row for row in rows if row["arm"] == arm and present(row["mean"])]
            if own:
                told.append(
                    f"{name}, {arm}: {number(own[0]['mean'], 1)} in month {number(own[0]['month'])}, "
                    f"{number(own[-1]['mean'], 1)} in month {number(own[-1]['month'])}."
                )
    title = "Mean pain before and after the decision, by arm"
    drawn = svg(charts.pain_escalation(by_cohort, released.threshold), "pain_escalation", title, " ".join(told))
    return [
        Figure(
            "pain_escalation", drawn,
            f"{title} (30-day months, month 0 being the visit itself; bars: 95 % confidence intervals; unadjusted), "
            "and below it the number of people with a score in the month. "
            "Where doses are raised because it hurts, pain peaks at the visit, and part of the fall that follows is "
            "regression to the mean. The change within an arm is not an effect, nor is the gap between the curves"
            f"{'; people with the same history are compared below' if _differences(released) else ''}. "
            "A line breaks at months of which no mean is shown.",
            " ".join(told), note=released.rule,
        )
    ]  # fmt: skip


def _window(row: dict[str, Any]) -> str:
    return str(row["window"]).replace("-", " to ")


def _contrasts(released: Released) -> list[Block]:
    rows = _differences(released)
    if not rows:
        return [
            Notice(
                "The difference between the arms could not be estimated; the reasons are under “What could not be "
                "estimated”."
            )
        ]
    scale = released.scales["mean_difference"]
    band = released.config.hyperalgesia.smallest_effect
    several = len({row["method"] for row in rows}) > 1
    drawn = [
        {
            "label": f"{row['cohort']}, days {_window(row)}" + (f", {method_words(row['method'])}" if several else ""),
            "estimate": row["estimate"],
            "low": row["ci_low"],
            "high": row["ci_high"],
            "reading": interval(row, scale),
            "counts": f"{number(row['persons'])} / {number(row['events'])}",
        }
        for row in rows
    ]
    alt = "Difference in pain: " + "; ".join(f"{row['label']}, {row['reading']}" for row in drawn) + "."
    title = "Difference in mean pain, escalate against maintain"
    chart = forest.differences(drawn, title="points on the 0–10 scale", counts="persons / escalated", smallest=band)
    figure = Figure(
        "escalation_contrasts", svg(chart, "escalation_contrasts", title, alt),
        f"{title}, by days after the visit, given recorded history. Right of zero: more pain after escalation. "
        f"Shaded: differences smaller than {band:g}, the smallest that matters.",
        alt, note=released.rule,
    )  # fmt: skip
    return [figure, *_changes(rows)]


def _changes(rows: Rows) -> list[Block]:
    """What the notes say of each arm's own change, which is never a condition."""
    notes = list(dict.fromkeys(f"{row['cohort']}, days {_window(row)}: {row['note']}" for row in rows if row["note"]))
    if not notes:
        return []
    lines = tuple((row["cohort"], _window(row), row["note"]) for row in rows if row["note"])
    return [
        Table(
            "escalation_notes",
            "What stands behind each difference.",
            ("Cohort", "Days", "Notes"),
            lines,
            0,
            "",
            (0.8, 0.9, 5),
        )
    ]


def _per_step(released: Released) -> list[Block]:
    rows = [row for row in released.rows(analysis=RIGHT, scale="mean_difference_per_step") if present(row["estimate"])]
    if not rows:
        return []
    scale = released.scales["mean_difference_per_step"]
    lines = tuple((row["cohort"], _window(row), number(row["persons"]), interval(row, scale)) for row in rows)
    caption = (
        f"The same differences, in {scale.unit} of dose separation achieved between the arms (Fieller limits). Where "
        "the arms ended less than 10 MME/day apart this is not evaluable."
    )
    return [
        Table(
            "escalation_per_step",
            caption,
            ("Cohort", "Days after the visit", "Persons", "Points (95 % CI)"),
            lines,
            2,
            released.rule,
            (1, 1.2, 0.8, 1.6),
        )
    ]


def _wrong(released: Released) -> list[Block]:
    wrong = [row for row in released.rows(analysis=NAIVE) if present(row["estimate"])]
    if not wrong:
        return [Notice("No naive answer was computed.")]
    right = {
        (row["cohort"], row["window"], row["scale"]): row
        for row in released.rows(analysis=RIGHT)
        if present(row["estimate"])
    }
    last = released.config.hyperalgesia.windows_days[-1]
    lines: list[tuple[str, ...]] = []
    for row in wrong:
        scale = released.scale(row)
        beside = right.get((row["cohort"], row["window"], row["scale"]))
        if row["scale"] == "slope":
            beside = right.get((row["cohort"], f"{last[0]}-{last[1]}", "mean_difference_per_step"))
        label = f"{scale.label}, {row['contrast']}" + (f", days {_window(row)}" if row["window"] else "")
        answer = f"{interval(beside, released.scale(beside))}, days {_window(beside)}" if beside else "–"
        lines.append((row["cohort"], label, f"{interval(row, scale)} {scale.unit}", answer))
    text = (
        "Where people in more pain are given more opioid, pain and dose rise together whatever opioids do, and a slope "
        "of pain on dose can be positive under no effect, relief, tolerance and hyperalgesia alike. These answers tell "
        "none of these apart whatever they come to; they are printed beside the others for that reason, and are marked "
        "as failed by design."
    )
    heads = ("Cohort", "Naive answer", "Wrong", "Right (history-adjusted)")
    return [
        Paragraph(text),
        Table(
            "naive",
            "Naive answers, wrong by design, beside the history-adjusted ones.",
            heads,
            tuple(lines),
            0,
            released.rule,
            (0.8, 2.2, 1.8, 1.8),
        ),
    ]
