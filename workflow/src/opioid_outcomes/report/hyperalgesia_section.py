"""Pain after a dose escalation: verdict, course in both arms, contrasts, and what could explain them away."""

from __future__ import annotations

import re
from typing import Any

from opioid_outcomes.report import charts, forest, pain_charts
from opioid_outcomes.report.corroboration_section import corroboration
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.pain_words import ESCALATION, MAIN, days_of, escalations
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.verdict_section import verdict
from opioid_outcomes.report.words import (
    MINUS,
    counts,
    has_interval,
    interval,
    method_words,
    number,
    percent,
    plain,
    present,
)
from opioid_outcomes.report.wrong_answers_section import wrong_answers

Row = dict[str, Any]
Rows = list[Row]
MONTH = 30  # days
BLIP = "hyperalgesia.blip"
METHODS = ("aipw", "aipw_noise_corrected", "ipw", "regression", "per_protocol")
IMPROVED = "alive with 30 % less pain"
BOUNDS = ("survivor_bound_low", "survivor_bound_high")


def hyperalgesia(released: Released) -> Section | None:
    """None where exposure is known at one interview only: no dose is followed, and nothing of this was asked."""
    if released.exposures == {"baseline"}:
        return None
    blocks: list[Block] = [
        Paragraph(
            "If tolerance explains rising doses, raising the dose relieves pain for a while; if opioids themselves "
            f"make pain worse, raising the dose ends in more pain than leaving it. {_who(released)}"
        ),
        *verdict(released),
        *_course(released),
        *_contrasts(released),
        *_by_method(released),
        *_lags(released),
        *_explained_away(released),
        *_arms(released),
        *_alive(released),
        *corroboration(released),
        *wrong_answers(released),
    ]
    return Section("hyperalgesia", "Hyperalgesia or tolerance", tuple(blocks))


def _who(released: Released) -> str:
    return (
        "People on stable long-term therapy are compared from a visit at which the dose was raised, or was not, given "
        "what was recorded up to that visit. The effect is that on those whose dose was raised."
        if escalations(released)
        else "That takes people on stable long-term therapy whose dose and pain are followed; this study could not "
        "compare them."
    )


def _course(released: Released) -> list[Block]:
    found = {name: released.display("pain_escalation", name) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if any(present(row["mean"]) for row in rows)}
    heading = Heading("Pain before and after the decision")
    if not by_cohort:
        return [
            heading,
            Notice(
                "No course of pain around escalation is shown: no cohort has pain scores of enough people on stable "
                "long-term therapy."
            ),
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
    contrasts = {
        name: [_in_months(row) for row in escalations(released) if row["cohort"] == name] for name in by_cohort
    }
    drawn = svg(
        charts.pain_escalation(by_cohort, contrasts, released.threshold), "pain_escalation", title, " ".join(told)
    )
    below = (
        "; below them, the difference between people with the same recorded history, over the days of each window"
        if any(contrasts.values())
        else ""
    )
    return [
        heading,
        Figure(
            "pain_escalation", drawn,
            f"{title} (30-day months, month 0 being the visit itself; bars: 95 % confidence intervals; unadjusted)"
            f"{below}; and the number of people with a score in the month. "
            "Where doses are raised because it hurts, pain peaks at the visit, and part of the fall that follows is "
            "regression to the mean. The change within an arm is not an effect, nor is the gap between the curves. "
            "A line breaks at months of which no mean is shown.",
            " ".join(told), note=released.rule,
        ),
    ]  # fmt: skip


def _in_months(row: Row) -> Row:
    first, last = (int(day) / MONTH for day in str(row["window"]).split("-"))
    return {
        "first": first, "last": last, "estimate": row["estimate"], "low": row["ci_low"], "high": row["ci_high"]
    }  # fmt: skip


def _contrasts(released: Released) -> list[Block]:
    rows = escalations(released)
    heading = Heading("Difference between the arms")
    if not rows:
        return [
            heading,
            Notice(
                "The difference between the arms could not be estimated; the reasons are under “What could not be "
                "estimated”."
            ),
        ]
    scale = released.scales["mean_difference"]
    corrected = escalations(released, "aipw_noise_corrected")
    drawn = [
        {
            "label": f"{row['cohort']}, days {days_of(row)}, {_bound(row)}",
            "estimate": row["estimate"],
            "low": row["ci_low"],
            "high": row["ci_high"],
            "reading": interval(row, scale),
            "counts": f"{number(row['persons'])} / {number(row['events'])}",
        }
        for cohort in released.cohorts_and_pooled
        for own in rows
        if own["cohort"] == cohort
        for row in (own, *(one for one in corrected if (one["cohort"], one["window"]) == (cohort, own["window"])))
    ]
    alt = "Difference in pain: " + "; ".join(f"{row['label']}, {row['reading']}" for row in drawn) + "."
    title = "Difference in mean pain, escalate against maintain"
    band = released.config.hyperalgesia.smallest_effect
    chart = forest.differences(
        drawn, title="points on the 0–10 scale", counts="persons / escalated", smallest=band
    )  # fmt: skip
    return [
        heading,
        Figure(
            "escalation_contrasts", svg(chart, "escalation_contrasts", title, alt),
            f"{title}, by days after the visit, given recorded history (AIPW, in those whose dose was raised). Right "
            f"of zero: more pain after escalation. Shaded: smaller than {band:g}, the smallest that matters. "
            "If doses follow the pain people feel, of which the score is a noisy record, the truth lies nearer to the "
            "estimate with the error taken out; if they follow the score, to the one as recorded.",
            alt, note=released.rule,
        ),
        *_changes(rows),
    ]  # fmt: skip


def _bound(row: Row) -> str:
    return "as recorded" if row["method"] == MAIN else "error taken out"


def _changes(rows: Rows) -> list[Block]:
    """What the notes say: each arm's own change, which is never a condition, and who is left out."""
    lines = []
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        notes = {days_of(row): row["note"].split("; ") for row in rows if row["cohort"] == cohort and row["note"]}
        shared = [part for part in next(iter(notes.values()), []) if all(part in own for own in notes.values())]
        if len(notes) > 1 and shared:
            lines.append((cohort, "all", _minus("; ".join(shared))))
        else:
            shared = []
        lines += [
            (cohort, days, _minus("; ".join(part for part in parts if part not in shared)))
            for days, parts in notes.items()
            if any(part not in shared for part in parts)
        ]
    if not lines:
        return []
    heads = ("Cohort", "Days", "Notes")
    return [Table("escalation_notes", "What stands behind each difference.", heads, tuple(lines), 0, "", (0.8, 0.9, 5))]


def _minus(note: str) -> str:
    """A true minus before a number, none between two."""
    return re.sub(r"(?<![\w.])-(?=\d)", MINUS, note)


def _by_method(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts_and_pooled:
        for method in METHODS:
            for row in escalations(released, method):
                if row["cohort"] != cohort:
                    continue
                step = [
                    one
                    for one in escalations(released, method, "mean_difference_per_step")
                    if (one["cohort"], one["window"]) == (cohort, row["window"])
                ]
                per_step = interval(step[0], released.scale(step[0])) if step else "not evaluable"
                lines.append(
                    (cohort, days_of(row), method_words(method, ESCALATION), number(row["persons"]),
                     interval(row, released.scale(row)), per_step)
                )  # fmt: skip
    if not lines:
        return []
    caption = (
        "The same differences by every method: in points, and in "
        f"{released.scales['mean_difference_per_step'].unit} of separation in dose that the arms achieved (Fieller "
        "limits; not evaluable below 10 MME/day)."
    )
    heads = ("Cohort", "Days after the visit", "Method", "Persons", "Points (95 % CI)", "Per step (95 % CI)")
    return [
        Table("escalation_methods", caption, heads, tuple(lines), 3, released.rule, (0.8, 0.9, 2, 0.7, 1.5, 1.5))
    ]  # fmt: skip


def _lags(released: Released) -> list[Block]:
    rows = [row for row in released.rows(analysis=BLIP, scale="mean_difference_per_step") if has_interval(row)]
    windows = {f"{first}-{last}" for first, last in released.config.hyperalgesia.windows_days}
    panels: dict[str, Rows] = {}
    for cohort in released.cohorts:
        lags = [row for row in rows if row["cohort"] == cohort and row["window"] not in windows]
        if lags:
            panels[cohort] = sorted((_lag(row) for row in lags), key=lambda row: row["month"])
    if not panels:
        return []
    title = "Effect of one dose step by months since"
    told = {
        name: "; ".join(f"month {row['month']}: {number(row['estimate'], 2)}" for row in lags)
        for name, lags in panels.items()
    }
    alt = f"{title}. " + " ".join(f"{name}: {text}." for name, text in told.items())
    smallest = released.config.hyperalgesia.smallest_effect
    step = released.scales["mean_difference_per_step"].unit
    drawn = svg(pain_charts.effect_by_lag(panels, smallest=smallest, step=step), "blip_lags", title, alt)
    return [
        Heading("Effect by months since the step"),
        Paragraph(
            "The trials above leave later changes of dose free to differ between the arms. The structural nested model "
            "takes them out: it asks what one step alone does to pain so many months later."
        ),
        Figure(
            "blip_lags", drawn,
            f"{title}, {step} (linear structural nested mean model by g-estimation; 95 % confidence intervals). "
            f"Shaded: smaller than {smallest:g}. Dashed: shapes that two mechanisms predict from the first month's "
            "effect on, relief that wanes, and harm that by the last month has grown to one point above it; they are "
            "schematic and fitted to nothing.",
            alt, note=released.rule,
        ),
    ]  # fmt: skip


def _lag(row: Row) -> Row:
    last = int(str(row["window"]).split("-")[1])
    return {
        "month": last // 30, "estimate": row["estimate"], "low": row["ci_low"], "high": row["ci_high"]
    }  # fmt: skip


TIPPING = {
    "error_sd": "standard deviation of the error of one score, if doses follow the pain that is felt",
    "flare": "an unrecorded flare at the visit, in those escalated",
    "flare_noise_corrected": "the same once the error of scores is taken out",
    "unseen": "those seen hurt more than those not seen, in both arms",
    "unseen_escalated": "the same in those escalated only",
}


def _explained_away(released: Released) -> list[Block]:
    lines = [
        (
            name, days_of(row), _what(row["what"]), number(row["estimate"], 2),
            number(row["at_zero"], 2) if present(row["at_zero"]) else "none does",
            number(row["limit_at_zero"], 2) if present(row["limit_at_zero"]) else "none does",
        )
        for name in released.cohorts
        for row in released.display("noise_tipping", name)
        if present(row["estimate"])
    ]  # fmt: skip
    if not lines:
        return []
    return [
        Heading("What would explain the difference away"),
        Table(
            "noise_tipping",
            "Size of each bias at which the difference would be 0, and at which its confidence limit nearer to 0 would "
            "be, all in points; below 0: in the other direction; 0.00: nothing is needed. “None does”: not even the "
            "largest that is possible. Such a size says how wrong the data would have to be, not that they are.",
            ("Cohort", "Days", "Bias", "Difference", "Brings it to 0", "Brings its limit to 0"),
            tuple(lines),
            3,
            released.rule,
            (0.7, 0.8, 2.6, 0.8, 0.9, 1),
        ),
    ]


def _what(what: str) -> str:
    return TIPPING.get(what, plain(what))


def _arms(released: Released) -> list[Block]:
    lines = []
    for name in released.cohorts:
        for row in released.display("escalation_diagnostics", name):
            told = counts(row, ("persons",), released.threshold)
            lines.append(
                (
                    name, days_of(row), row["arm"], told["persons"], number(row["ess"]),
                    percent(row["observed"]), number(row["change"], 2), number(row["mme"], 1), percent(row["dead"]),
                    number(row["largest_smd"], 2),
                )
            )  # fmt: skip
    if not lines:
        return []
    heads = (
        "Cohort", "Days", "Arm", "Persons", "Effective number", "With a score", "Change", "MME/day", "Dead",
        "Largest SMD",
    )  # fmt: skip
    caption = (
        "The arms by window: people with a score in it and the effective number that the weights leave, decisions with "
        "a score, change of pain since the visit (it holds regression to the mean, and is no condition), mean dose, "
        "deaths before the end of the window without a score, and largest standardised difference after weighting."
    )
    return [
        Table("escalation_diagnostics", caption, heads, tuple(lines), 7, released.rule, wide=True)
    ]  # fmt: skip


def _alive(released: Released) -> list[Block]:
    rows = [row for row in released.rows(analysis=ESCALATION, outcome=IMPROVED) if has_interval(row)]
    rows += [row for method in BOUNDS for row in released.rows(analysis=ESCALATION, method=method) if has_interval(row)]
    if not rows:
        return []
    lines = tuple(
        (
            row["cohort"], days_of(row), IMPROVED if row["outcome"] == IMPROVED else method_words(row["method"]),
            number(row["persons"]), f"{interval(row, released.scale(row))} {released.scale(row).unit}",
        )
        for row in rows
    )  # fmt: skip
    caption = (
        "Death ends pain scores. Difference in the share of people alive with at least 30 % less pain than at the "
        "visit; and, where the arms' mortality differs by more than a point, bounds on the difference among those who "
        "would live in either arm."
    )
    heads = ("Cohort", "Days", "Outcome", "Persons", "Difference (95 % CI)")
    return [Table("alive_and_better", caption, heads, lines, 2, released.rule, (0.7, 0.8, 1.8, 0.7, 2.2))]
