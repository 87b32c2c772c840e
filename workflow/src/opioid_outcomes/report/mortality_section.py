"""Mortality on and off opioids: rates, survival curves, hazard ratios."""

from __future__ import annotations

import math
from typing import Any

from opioid_outcomes.report import charts, forest
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.opening import MAIN_CONTRASTS
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    MISSING,
    POOLED,
    has_interval,
    interval,
    method_words,
    number,
    percent,
    person_years,
    present,
)

Rows = list[dict[str, Any]]
# A curve's tail rests on few people; Pocock, Clayton & Altman 2002 (Lancet 359:1686) advise to stop before it.
FEWEST_AT_RISK = 10


def mortality(released: Released) -> Section:
    blocks: list[Block] = [
        Heading("Death rates"), *_rates(released),
        Heading("Survival"), *_survival(released),
        Heading("Hazard ratios"), *_hazard_ratios(released),
    ]  # fmt: skip
    return Section("mortality", "Mortality", tuple(blocks))


def _rates(released: Released) -> list[Block]:
    rows = [
        row for row in released.rows(analysis="mortality.rate", scale="rate_per_1000py") if present(row["estimate"])
    ]
    if not rows:
        return [Notice("No death rate may be shown; the reasons are under “What could not be estimated”.")]
    scale = released.scales["rate_per_1000py"]
    several = len({row["outcome"] for row in rows}) > 1
    lines: list[tuple[str, ...]] = []
    for cohort in dict.fromkeys(row["cohort"] for row in rows):
        lines.append((cohort,))
        for row in (row for row in rows if row["cohort"] == cohort):
            label = f"{row['contrast']} ({row['outcome']})" if several else row["contrast"]
            lines.append(
                (
                    label,
                    number(row["persons"]),
                    person_years(row["person_years"]),
                    number(row["events"]),
                    interval(row, scale),
                )
            )
    caption = (
        "Deaths per 1,000 person-years by opioid use, unadjusted and unweighted, with exact Poisson limits. Where "
        "use is followed over time, off is also split by time since the last supply."
    )
    heads = ("State", "Persons", "Person-years", "Deaths", "Rate (95 % CI)")
    return [Table("mortality_rates", caption, heads, tuple(lines), 4, released.rule, (1.6, 1, 1.2, 1, 1.8))]


def _survival(released: Released) -> list[Block]:
    found = {name: _supported(released.display("survival", name)) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if rows}
    if not by_cohort:
        return [
            Notice("No survival curve is shown: in no cohort are there enough people at risk in the exposure groups.")
        ]
    alt = " ".join(_survival_words(name, rows) for name, rows in by_cohort.items())
    title = "Survival by opioid use"
    figure = Figure(
        "survival", svg(charts.survival(by_cohort), "survival", title, alt),
        f"{title}, with 95 % confidence bands and the numbers at risk below. The vertical axis need not start at "
        f"zero. Curves end where fewer than {FEWEST_AT_RISK} people are at risk.",
        alt, note=released.rule,
    )  # fmt: skip
    blocks: list[Block] = [Paragraph(text) for text in _what_curves_are(released)]
    return [*blocks, figure, *_horizons(released, by_cohort)]


def _supported(rows: Rows) -> Rows:
    """Each curve up to the last day on which enough people are at risk; one point is no curve."""
    kept: Rows = []
    for group in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group and present(row["survival"]) and present(row["at_risk"])]
        last = max((row["day"] for row in own if row["at_risk"] >= FEWEST_AT_RISK), default=-1)
        curve = [row for row in own if row["day"] <= last]
        kept += curve if len(curve) > 1 else []
    return kept


def _what_curves_are(released: Released) -> list[str]:
    kinds = released.exposures
    told = []
    if "time_varying" in kinds:
        told.append(
            "Where use is followed over time these are extended Kaplan–Meier curves (Simon and Makuch): people move "
            "between the groups as their use changes and at each day count in the group they are in that day, so "
            "that nobody is immortal while waiting to start. A curve is what would be seen if the death rates met by "
            "those in the group day by day held for one group of people; no fixed group followed it, it is not "
            "adjusted, and it is not the effect of opioids."
        )
    if "baseline" in kinds:
        told.append(
            "Where use is known at one interview only, the curves follow the groups formed at the interview, "
            "whatever was used afterwards; they are not adjusted, and the difference between them is not the effect "
            "of opioids."
        )
    if released.threshold > 1:
        told.append(
            f"To keep small numbers from being read off, a curve is shown only at every {released.threshold}th death: "
            "between two steps it lies up to that many deaths too high, and so do the numbers at risk."
        )
    return told


def _survival_words(cohort: str, rows: Rows) -> str:
    parts = []
    for group in dict.fromkeys(row["group"] for row in rows):
        kept = [row for row in rows if row["group"] == group and present(row["survival"])]
        if kept:
            parts.append(
                f"{group} {percent(kept[-1]['survival'])} at {kept[-1]['day'] / charts.DAYS_PER_YEAR:.1f} years"
            )
    return f"{cohort}: survival {', '.join(parts)}."


def _horizons(released: Released, by_cohort: dict[str, Rows]) -> list[Block]:
    """Survival at the config's horizons, read off the released curves."""
    lines: list[tuple[str, ...]] = []
    horizons = released.config.mortality.horizons_days
    for cohort, rows in by_cohort.items():
        lines.append((cohort,))
        for group in charts.exposed_first(row["group"] for row in rows):
            own = [row for row in rows if row["group"] == group and present(row["survival"])]
            lines.append((group, *(_survival_at(own, day, thinned=released.threshold > 1) for day in horizons)))
    heads = ("Group", *(f"{day:,} days" for day in horizons))
    caption = "Survival (95 % CI) at the study's horizons, from the curves above; a dash where a curve does not reach."
    return [Table("survival_horizons", caption, heads, tuple(lines), len(horizons), released.rule)]


def _survival_at(rows: Rows, day: int, *, thinned: bool) -> str:
    """Survival at a day: that of the last step before it, unless the curve begins later or ends earlier."""
    if not rows or not rows[0]["day"] <= day <= rows[-1]["day"]:
        return MISSING
    place = max(place for place, row in enumerate(rows) if row["day"] <= day)
    row = rows[place]
    if thinned and row["survival"] == 1 and place + 1 < len(rows):  # no step shown yet
        return f"over {percent(rows[place + 1]['survival'])}"
    limits = (
        f" ({number(100 * row['ci_low'], 1)} to {number(100 * row['ci_high'], 1)})" if present(row["ci_low"]) else ""
    )
    return f"{percent(row['survival'])}{limits}"


def _ratios(released: Released) -> Rows:
    return [
        row
        for analysis in MAIN_CONTRASTS
        for row in released.rows(analysis=analysis, scale="log_hr")
        if present(row["estimate"])
    ]


def _hazard_ratios(released: Released) -> list[Block]:
    rows = _ratios(released)
    asked = [row for row in rows if row["contrast"] == MAIN_CONTRASTS[row["analysis"]] and row["outcome"] == "death"]
    main = [row for row in asked if has_interval(row)]
    blocks: list[Block] = [
        Paragraph(
            "A hazard ratio above 1 means that, at the same time since entry, deaths came at a higher rate on "
            "opioids. The estimates describe people as they were treated; confounding that the covariates do not "
            "capture remains in them, and so does any change of treatment because somebody is about to die."
        )
    ]
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
            "label": f"{row['cohort']}, {method_words(row['method'])}",
            "estimate": math.exp(row["estimate"]),
            "low": math.exp(row["ci_low"]),
            "high": math.exp(row["ci_high"]),
            "reading": interval(row, scale),
            "counts": f"{number(row['persons'])} / {number(row['events'])}",
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
        f"{title}, per cohort and pooled, with 95 % confidence intervals.",
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
                method_words(row["method"]),
                number(row["persons"]),
                number(row["events"]),
                interval(row, scale),
            )
            for row in rows
            if row["cohort"] == cohort
        ]
    heads = ("Contrast", "Outcome", "Method", "Persons", "Deaths", "Hazard ratio (95 % CI)")
    caption = "Hazard ratios of the other contrasts and methods (exploratory)."
    return [Table("hazard_ratios_other", caption, heads, tuple(lines), 3, released.rule, (1.3, 0.9, 2, 0.8, 0.8, 1.6))]
