"""Secondary causal answers about mortality: the marginal structural model, and strategies sustained over time."""

from __future__ import annotations

import math
from typing import Any

from opioid_outcomes.report import charts, strategy_charts
from opioid_outcomes.report.document import Block, Bullets, Figure, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.mortality_words import find, reasons, risk, risks_by_arm
from opioid_outcomes.report.new_user_section import curve_words, pair, panel_rows, told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, WITHHELD, number, present
from opioid_outcomes.survival import normal

Row = dict[str, Any]
Rows = list[Row]
MSM, SUSTAINED = "mortality.msm", "mortality.sustained"
ON_OFF, ALWAYS_NEVER = "on vs off", "always vs never"
MEAN_WEIGHT = (0.9, 1.1)  # ANALYSES 4.4
MEANINGS = {
    "start and stay vs never": "start an opioid within the grace period and stay on it, against never starting",
    "taper vs maintain": "in long-term therapy: begin to taper within the grace period, against keeping the dose",
    "stop vs maintain": "in long-term therapy: stop within the grace period, against keeping the dose",
}


def strategies(released: Released) -> Section | None:
    """None where neither was asked for."""
    asked = {row["analysis"] for row in released.rows()}
    blocks: list[Block] = []
    if MSM in asked:
        blocks += [Heading("Marginal structural model"), *_msm(released)]
    if SUSTAINED in asked:
        blocks += [Heading("Sustained strategies"), *_sustained(released)]
    if not blocks:
        return None
    return Section("strategies", "Mortality under use sustained over time (secondary)", tuple(blocks))


def _msm(released: Released) -> list[Block]:
    blocks: list[Block] = [
        Paragraph(
            "How the hazard of death on a day would compare, had everybody been on opioids against off, when what "
            "decides on use (pain, dose so far, illness) changes over time and is itself changed by use. People are "
            "weighted by the inverse probability of their own history of use and of staying observed; the ratio "
            "beside it is adjusted for the same covariates in the usual way, which takes away part of the effect and "
            "may open other paths: it is descriptive. Always against never compares everybody on throughout with "
            "everybody off throughout, only as far as enough people and deaths still follow either."
        ),
        *_msm_hazards(released),
        *_msm_risks(released),
    ]
    absent = [row for row in released.rows(analysis=MSM) if not present(row["estimate"])]
    withheld = reasons((f"{row['cohort']}, {row['contrast']}", row) for row in absent)
    if withheld:
        blocks += [Paragraph("Not shown, and why:"), Bullets(withheld)]
    return [*blocks, *_weights(released), *_truncation(released)]


def _msm_hazards(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts_and_pooled:
        rows = released.rows(cohort=cohort, analysis=MSM, contrast=ON_OFF, scale="log_hr")
        windows = dict.fromkeys(row["window"] for row in rows if present(row["estimate"]))
        for window in windows:
            weighted, usual = (find(rows, method=name, window=window) for name in ("iptw", "adjusted_full"))
            known = weighted or usual
            assert known is not None
            span = f"days {window.replace('-', ' to ')}" if window else "all follow-up"
            lines.append(
                (
                    cohort, span, told(released, weighted), told(released, usual), number(known["persons"]),
                    number(known["events"]),
                )
            )  # fmt: skip
    if not lines:
        return [Notice("No hazard ratio of the marginal structural model may be shown; the reasons follow.")]
    caption = (
        "Hazard ratio of death, on against off opioids: weighted (marginal structural model, causal under its "
        "assumptions) beside the conditional one of the same follow-up (descriptive), with 95 % confidence intervals."
    )
    heads = ("Cohort", "Follow-up", "Weighted", "Conditional", "Persons", "Deaths")
    return [Table("msm_hazards", caption, heads, tuple(lines), 4, released.rule, (1, 1.1, 1.6, 1.6, 0.9, 0.8))]


def _msm_risks(released: Released) -> list[Block]:
    lines = _by_horizon(released, MSM, ALWAYS_NEVER, "iptw")
    if not lines:
        return []
    caption = (
        "Risk of death, had everybody been on opioids throughout against off throughout, as far as at least 50 people "
        "and five deaths still follow either: difference in percentage points, ratio, and difference in mean days "
        "alive (95 % CI)."
    )
    heads = ("Within", "Risk, always", "Risk, never", "Difference", "Ratio", "Days alive", "Persons / deaths")
    widths = (1.2, 0.9, 0.9, 1.5, 1.4, 1.6, 1.2)
    return [Table("msm_risks", caption, heads, tuple(lines), 6, released.rule, widths)]


def _by_horizon(released: Released, analysis: str, contrast: str, method: str) -> list[tuple[str, ...]]:
    """Lines of risks by horizon under the name of each cohort; those that may be shown."""
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts_and_pooled:
        rows = released.rows(cohort=cohort, analysis=analysis, contrast=contrast)
        own: list[tuple[str, ...]] = []
        for days in sorted(released.config.mortality.horizons_days):
            difference, ratio, time = pair(rows, method, days)
            if difference is None or not present(difference["estimate"]):
                continue
            one, other = risks_by_arm(difference, ratio)
            counted = f"{number(difference['persons'])} / {number(difference['events'])}"
            numbers = (told(released, difference), told(released, ratio), told(released, time))
            own.append((f"{number(days)} days", risk(one), risk(other), *numbers, counted))
        lines += [(cohort,), *own] if own else []
    return lines


def _weights(released: Released) -> list[Block]:
    by_cohort = {name: rows for name in released.cohorts if (rows := _shown(released.display("msm_weights", name)))}
    if not by_cohort:
        return []
    title = "Weights of the marginal structural model over follow-up"
    told_of = []
    for name, rows in by_cohort.items():
        means = [row["mean"] for row in rows]
        told_of.append(
            f"{name}: mean from {min(means):.2f} to {max(means):.2f}, 99th percentile up to "
            f"{max(row['p99'] or 0 for row in rows):.1f}, largest {max(row['largest'] or 0 for row in rows):.3g}."
        )
    low, high = MEAN_WEIGHT
    caption = (
        f"{title}, by 30-day period since entry: mean (between {low:g} and {high:g}, the grey band, or the estimate is "
        "withheld) and 99th percentile, and below the effective number of people beside the people followed. "
        + " ".join(told_of)
    )  # fmt: skip
    alt = f"{title}. {' '.join(told_of)}"
    chart = strategy_charts.weights(by_cohort, MEAN_WEIGHT)
    return [Figure("msm_weights", svg(chart, "msm_weights", title, alt), caption, alt, note=released.rule)]


def _shown(rows: Rows) -> Rows:
    return [row for row in rows if present(row["mean"])]


def _truncation(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = _shown(released.display("msm_truncation", cohort))
        lines += [(cohort,)] if rows else []
        lines += [_cut(row) for row in rows]
    if not lines:
        return []
    caption = (
        "The weighted hazard ratio, on against off, when weights are cut at percentiles. Cutting gains precision and "
        "gives up some of the control of confounding; the effective number is of 30-day periods."
    )
    heads = ("Cut at percentiles", "Mean weight", "Largest", "Effective number", "Hazard ratio (95 % CI)")
    return [Table("msm_truncation", caption, heads, tuple(lines), 4, released.rule, (1.4, 1, 1, 1.2, 1.8))]


def _cut(row: Row) -> tuple[str, ...]:
    name = "none" if (row["lower"], row["upper"]) == (0, 100) else f"{row['lower']:g} and {row['upper']:g}"
    ratio = MISSING
    if present(row["log_hr"]) and present(row["se"]):
        point, low, high = (math.exp(row["log_hr"] + k * normal.Z * row["se"]) for k in (0, -1, 1))
        ratio = f"{point:.2f} ({low:.2f} to {high:.2f})"
    return name, number(row["mean"], 2), number(row["largest"], 1), number(row["ess"]), ratio


def _sustained(released: Released) -> list[Block]:
    grace = released.config.mortality.grace_days
    blocks: list[Block] = [
        Paragraph(
            "What would happen under a strategy kept to over time. Everybody who could follow a strategy from time "
            "zero is cloned into it, censored on leaving it, and those who stay are weighted for those who left "
            f"({grace} days of grace), so that nobody is put into an arm by what happens later."
        ),
        Bullets(tuple(f"{contrast}: {meaning}." for contrast, meaning in MEANINGS.items())),
    ]
    lines: list[tuple[str, ...]] = []
    for contrast in MEANINGS:
        weighted = _by_horizon(released, SUSTAINED, contrast, "ipw")
        crude = _by_horizon(released, SUSTAINED, contrast, "crude")
        for how, found in (("weighted", weighted), ("crude", crude)):
            if found and not (how == "crude" and not weighted):
                lines += [(f"{contrast}, {row[0]} ({how})",) if len(row) == 1 else row for row in found]
    if lines:
        caption = (
            "Risk of death under sustained strategies: difference in percentage points, ratio, and difference in mean "
            "days alive (95 % CI), weighted, and crude (clones censored, not weighted) beside."
        )
        heads = ("Within", "Risk, first", "Risk, second", "Difference", "Ratio", "Days alive", "Persons / deaths")
        widths = (1.2, 0.9, 0.9, 1.5, 1.4, 1.6, 1.2)
        blocks.append(Table("sustained_risks", caption, heads, tuple(lines), 6, released.rule, widths))
    else:
        blocks.append(Notice("No contrast of sustained strategies may be shown; the reasons follow."))
    absent = [row for row in released.rows(analysis=SUSTAINED, method="ipw") if not present(row["estimate"])]
    withheld = reasons((f"{row['cohort']}, {row['contrast']}", row) for row in absent)
    if withheld:
        blocks += [Paragraph("Not shown, and why:"), Bullets(withheld)]
    return [*blocks, *_curves(released), *_following(released)]


def _curves(released: Released) -> list[Block]:
    found = panel_rows(released, "sustained_survival", "question", "strategy")
    if not found:
        return [Notice("No curve of a sustained strategy may be shown: a gate failed, or too few people follow it.")]
    panels = {f"{cohort}: {question}": rows for (cohort, question), rows in found.items()}
    title = "Survival under sustained strategies"
    alt = f"{title}. " + " ".join(curve_words(name, rows) for name, rows in panels.items())
    caption = (
        f"{title}, weighted for leaving them, with 95 % confidence bands, as far as the gates let them be compared. "
        "Numbers at risk count people still following the strategy. The vertical axis need not start at zero."
    )
    chart = charts.survival(panels, since="time zero")
    return [
        Figure("sustained_survival", svg(chart, "sustained_survival", title, alt), caption, alt, note=released.rule)
    ]


def _following(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = released.display("sustained_diagnostics", cohort)
        for question in dict.fromkeys(row["question"] for row in rows):
            lines.append((f"{cohort}, {question}",))
            lines += [_followed(row) for row in rows if row["question"] == question]
    if not lines:
        return []
    caption = (
        "People who could follow each strategy, those still following it at the horizon, and how many unweighted "
        "people their weights leave; under 50 the contrast is withheld."
    )
    heads = ("Strategy", "By day", "Persons", "Still following", "Effective number", "Largest weight")
    return [Table("sustained_diagnostics", caption, heads, tuple(lines), 5, released.rule, (1.4, 0.8, 1, 1, 1, 1))]


def _followed(row: Row) -> tuple[str, ...]:
    if row["suppressed"]:
        return (row["strategy"], number(row["day"]), *(WITHHELD for _ in range(4)))
    return (
        row["strategy"], number(row["day"]), number(row["persons"]), number(row["following"]), number(row["ess"]),
        number(row["largest_weight"], 1),
    )  # fmt: skip
