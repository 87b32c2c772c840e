"""Mortality on and off opioids: rates, survival curves, hazard ratios."""

from __future__ import annotations

import math
from typing import Any

from opioid_outcomes.report import (
    bias_section,
    current_use_section,
    described_tables,
    forest,
    stopping_section,
    survival_section,
)
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.opening import MAIN_CONTRASTS
from opioid_outcomes.report.ratio_lines import behind, lag_of
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    POOLED,
    WITHHELD,
    compared,
    has_interval,
    hidden_by_disclosure,
    interval,
    method_words,
    number,
    person_years,
    present,
    weighted,
)

Rows = list[dict[str, Any]]
# Other groups, windows and lags stand under their own headings.
ASKED = (*MAIN_CONTRASTS.values(), "on vs never", "on vs recent", "on vs former")
SAMPLED = " Weighted: to the sampled population; persons and deaths are counted as they are."


def mortality(released: Released) -> Section:
    blocks: list[Block] = [
        Heading("Death rates"), *_rates(released), *described_tables.standardised(released),
        *described_tables.general_population(released),
        Heading("Survival"), *survival_section.survival(released),
        Heading("Hazard ratios"), *_hazard_ratios(released), *current_use_section.proportionality(released),
        *current_use_section.by_time(released), *current_use_section.dose_response(released),
        *described_tables.causes(released), *stopping_section.stopping(released), *bias_section.bias(released),
    ]  # fmt: skip
    return Section("mortality", "Mortality described: rates and current use", tuple(blocks))


def _rates(released: Released) -> list[Block]:
    rows = released.rows(analysis="mortality.rate", method="crude", scale="rate_per_1000py")
    if not any(present(row["estimate"]) for row in rows):
        return [Notice("No death rate may be shown; the reasons are under “What could not be estimated”.")]
    several = len({row["outcome"] for row in rows}) > 1
    lines: list[tuple[str, ...]] = []
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        lines.append((cohort,))
        for row in (row for row in rows if row["cohort"] == cohort):
            label = f"{row['contrast']} ({row['outcome']})" if several else row["contrast"]
            lines.append((label, *_rate_cells(row, released)))
    caption = "Deaths per 1,000 person-years by opioid use, unadjusted and unweighted, with exact Poisson limits."
    caption += released.rates_of
    if "time_varying" in released.exposures:
        caption += " Where use is followed over time, off is also split by time since the last supply."
    if any(WITHHELD in row for row in lines):
        caption += " Rows are withheld where a count behind them is small, or would give a small one away."
    heads = ("State", "Persons", "Person-years", "Deaths", "Rate (95 % CI)")
    return [Table("mortality_rates", caption, heads, tuple(lines), 4, released.rule, (1.6, 1, 1.2, 1, 1.8))]


def _rate_cells(row: dict[str, Any], released: Released) -> tuple[str, str, str, str]:
    if hidden_by_disclosure(row):
        return WITHHELD, WITHHELD, WITHHELD, WITHHELD
    told = interval(row, released.scales["rate_per_1000py"])
    if not present(row["estimate"]):
        told = "failed a gate" if row["gate"].startswith("fail") else "not evaluable"
    return number(row["persons"]), person_years(row["person_years"]), number(row["events"]), told


def _ratios(released: Released) -> Rows:
    return [
        row
        for analysis in MAIN_CONTRASTS
        for row in released.rows(analysis=analysis, scale="log_hr", window="")
        if present(row["estimate"]) and row["contrast"] in ASKED and not lag_of(row)
    ]


def _hazard_ratios(released: Released) -> list[Block]:
    rows = _ratios(released)
    asked = [row for row in rows if row["contrast"] == MAIN_CONTRASTS[row["analysis"]] and row["outcome"] == "death"]
    main = [row for row in asked if has_interval(row)]
    blocks: list[Block] = [Paragraph(_reading(released))]
    if not main:
        return [
            *blocks,
            Notice("No hazard ratio could be estimated or shown; the reasons are under “What could not be estimated”."),
        ]
    blocks.append(_forest(released, main))
    if released.config.synthesis.pool and any(row["cohort"] == POOLED for row in main):
        blocks.append(Paragraph(_pooling_words(len(released.cohorts))))
    others = [row for row in rows if row not in main]
    return [*blocks, *_other_contrasts(released, others)]


def _reading(released: Released) -> str:
    changes = ", and so does any change of treatment because somebody is about to die"
    return (
        "A hazard ratio above 1 means that, at the same time since entry, deaths came at a higher rate "
        f"{compared(released.exposures).exposed}. The estimates describe people as they were treated; confounding "
        "that the covariates do not capture remains in them"
        f"{changes if 'time_varying' in released.exposures else ''}."
    )


def _method(row: dict[str, Any]) -> str:
    return f"{method_words(row['method'])}{', weighted' if weighted(row) else ''}"


def _pooling_words(cohorts: int) -> str:
    if cohorts < 3:
        return (
            "Two cohorts are pooled by a common-effect estimate, because two cannot tell how much effects vary "
            "between cohorts: it answers what the average of these two is, not what a further cohort would show."
        )
    return "Cohorts are pooled by a random-effects model (REML, Hartung–Knapp limits)."


def _forest(released: Released, rows: Rows) -> Block:
    scale = released.scales["log_hr"]
    drawn = [
        {
            "label": f"{row['cohort']}, {_method(row)}",
            "estimate": math.exp(row["estimate"]),
            "low": math.exp(row["ci_low"]),
            "high": math.exp(row["ci_high"]),
            "reading": interval(row, scale),
            "counts": behind(row),
        }
        for row in rows
    ]
    alt = "Hazard ratios: " + "; ".join(f"{row['label']}, {row['reading']}" for row in drawn) + "."
    contrasts = " and ".join(dict.fromkeys(row["contrast"] for row in rows))
    title = f"Hazard ratios of death, {contrasts}"
    chart = forest.ratios(drawn, title="hazard ratio (log scale)", counts="persons / deaths")
    return Figure(
        "hazard_ratios",
        svg(chart, "hazard_ratios", title, alt),
        f"{title}, per cohort{' and pooled' if any(row['cohort'] == POOLED for row in rows) else ''}, with 95 % "
        f"confidence intervals.{SAMPLED if any(weighted(row) for row in rows) else ''}",
        alt,
        note=released.rule,
    )


def _other_contrasts(released: Released, rows: Rows) -> list[Block]:
    if not rows:
        return []
    scale = released.scales["log_hr"]
    lines: list[tuple[str, ...]] = []
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        lines.append((cohort,))
        lines += [
            (
                f"{row['contrast']}",
                row["outcome"],
                _method(row),
                number(row["persons"]) if present(row["persons"]) else WITHHELD,
                number(row["events"]) if present(row["events"]) else WITHHELD,
                interval(row, scale),
            )
            for row in rows
            if row["cohort"] == cohort
        ]
    heads = ("Contrast", "Outcome", "Method", "Persons", "Deaths", "Hazard ratio (95 % CI)")
    caption = "Hazard ratios of the other contrasts and methods (exploratory)."
    caption += SAMPLED if any(weighted(row) for row in rows) else ""
    return [Table("hazard_ratios_other", caption, heads, tuple(lines), 3, released.rule, (1.3, 0.9, 2, 0.8, 0.8, 1.6))]
