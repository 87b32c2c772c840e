"""Negative controls and E-values: how wrong the hazard ratios may be."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.causal.negative_controls import FEWEST
from opioid_outcomes.report import ratio_charts
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.ratio_lines import any_told, drawn, ratio_of, told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    has_interval,
    hidden_by_disclosure,
    listed,
    method_words,
    number,
    plain,
    present,
)

Row = dict[str, Any]
Rows = list[Row]
CONTROL, E_VALUE, CURRENT = "mortality.negative_control", "mortality.e_value", "mortality.current_use"


def bias(released: Released) -> list[Block]:
    found = [*_controls(released), *_e_values(released)]
    return [Heading("How wrong may this be"), *found] if found else []


def _is_drug(row: Row) -> bool:
    return bool(row["outcome"] == "death" and row["contrast"] != "on vs off")


def _name(row: Row) -> str:
    if row["method"] == "calibrated":
        return "opioids, calibrated"
    drug = row["contrast"].partition(" vs ")[0].removeprefix("on ")
    return f"{drug}: death" if _is_drug(row) else f"opioids: {plain(row['outcome'])}"


def _controls(released: Released) -> list[Block]:
    rows = [row for row in released.rows(analysis=CONTROL) if row["scale"] == "log_hr"]
    named = [row for row in rows if row["gate"] != "not evaluable: none is named in mortality.negative_controls"]
    if not named:
        text = (
            "No negative control is named in `mortality.negative_controls`, so the error of these designs was not "
            "measured."
        )
        return [Paragraph(text)] if rows else []
    panels: dict[str, Rows] = {}
    for cohort in released.cohorts_and_pooled:
        own = [row for row in named if row["cohort"] == cohort]
        lines = [drawn(_name(row), row, released) for row in own]
        opioids = ratio_of(released.rows(cohort=cohort, analysis=CURRENT, outcome="death"), "on vs off")
        if lines and opioids is not None:
            lines.append(drawn("opioids: death (the question)", opioids, released))
        if any("estimate" in line for line in lines):
            panels[cohort] = lines
    if not panels:
        return [Notice("No negative control may be shown.")]
    title = "Hazard ratios of negative controls"
    alt = f"{title}. " + " ".join(
        f"{name}: {'; '.join(line['label'] + ', ' + line['reading'] for line in lines)}."
        for name, lines in panels.items()
    )
    chart = ratio_charts.forest_panels(panels, title="hazard ratio (log scale)", counts="persons / events")
    caption = (
        f"{title}, by the model of current use adjusted for all baseline covariates, with 95 % confidence intervals."
    )
    figure = Figure("negative_controls", svg(chart, "negative_controls", title, alt), caption, alt, note=released.rule)
    return [Paragraph(_reading(named)), figure, *_far_off(panels)]


def _reading(rows: Rows) -> str:
    usable = {row["contrast"] for row in rows if _is_drug(row) and present(row["estimate"])}
    calibrated = any(row["method"] == "calibrated" and present(row["estimate"]) for row in rows)
    end = (
        "With this many drugs the error they show was taken out of the hazard ratio of opioids (calibrated)."
        if calibrated
        else f"{number(len(usable))} such drugs could be estimated, fewer than the {FEWEST} from which error "
        "could be taken out; they are shown as they are."
    )
    return (
        "Negative controls are questions whose answer is known to be a ratio of 1: drugs that cannot cause death, and "
        "conditions that opioids cannot cause. What the same design finds for them instead is its error. A control "
        "above 1 says that people who are given medicines, or are seen more, die or are diagnosed more for that reason "
        "alone; a ratio of opioids no further from 1 than the controls is no evidence. Drugs share the confounding of "
        f"death; conditions only that of being seen. {end}"
    )


def _far_off(panels: dict[str, Rows]) -> list[Block]:
    off = [
        f"{line['label']} ({name}, {line['reading']})"
        for name, lines in panels.items()
        for line in lines
        if "estimate" in line and "question" not in line["label"] and not line["low"] <= 1 <= line["high"]
    ]
    return [Paragraph(f"Intervals that do not hold 1: {listed(off)}.")] if off else [
        Paragraph("The interval of every control shown holds 1, which few deaths may also bring about.")
    ]  # fmt: skip


def _e_values(released: Released) -> list[Block]:
    """Of the main ratios: the others are in estimates.csv."""
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts_and_pooled:
        rows = [row for row in released.rows(cohort=cohort, analysis=E_VALUE) if _is_main(row, released)]
        own = [_e_line(row, released) for row in rows]
        lines += [(cohort,), *own] if any_told(own) else []
    if not lines:
        return []
    told_why = (
        "The E-value is the risk ratio that something unrecorded would need to have both with use and with death, "
        "beyond all that was adjusted for, to explain the ratio away entirely; the second number is what it takes to "
        "bring the confidence limit to 1 (1: it holds 1 already). A small E-value is easily reached, as severity of "
        "illness is recorded poorly and bears on both; a large one does not prove that nothing is there. It counts "
        "confounding only, no other error."
    )
    caption = "E-values of the main mortality ratios; those of the others are in estimates.csv."
    heads = ("Comparison", "Ratio", "E-value", "E-value of the limit")
    return [Paragraph(told_why), Table("e_values", caption, heads, tuple(lines), 3, released.rule, (2.6, 1.5, 0.8, 1))]


def _is_main(row: Row, released: Released) -> bool:
    if row["contrast"] == "on vs off":
        return row["window"] == "" or row["method"] == "iptw"
    return f"0-{primary(released)}" == row["window"] and "as_treated" not in row["method"]


def primary(released: Released) -> int:
    from opioid_outcomes.report.mortality_words import primary_horizon

    return primary_horizon(released.config)


def _e_line(row: Row, released: Released) -> tuple[str, ...]:
    label = f"{row['contrast']}, {method_words(row['method'])}" + (f", {row['window']} days" if row["window"] else "")
    if hidden_by_disclosure(row):
        return (label, "withheld", "withheld", "withheld")
    return (label, _of(row, released), number(row["estimate"], 2), number(row["ci_low"], 2))


def _of(row: Row, released: Released) -> str:
    """The ratio that an E-value is of."""
    same = [
        each
        for each in released.rows(
            cohort=row["cohort"], method=row["method"], contrast=row["contrast"], window=row["window"]
        )
        if each["analysis"] != E_VALUE
        and each["scale"] in ("log_hr", "risk_ratio")
        and each["analysis"] in row["note"]
        and has_interval(each)
    ]
    wanted = "log_hr" if "hazard ratio of" in row["note"] else "risk_ratio"
    found = next((each for each in same if each["scale"] == wanted), None)
    return told(found, released) if found else "–"
