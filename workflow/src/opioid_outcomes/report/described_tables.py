"""Tables beside the hazard ratios of current use: causes of death, and the general population."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.report.document import Block, Heading, Notice, Paragraph, Table
from opioid_outcomes.report.ratio_lines import any_told, counted, rate_of, ratio_of, told
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, WITHHELD, hidden_by_disclosure, number, person_years, present

Row = dict[str, Any]
Rows = list[Row]
CAUSE, SMR, RATE = "mortality.cause", "mortality.smr", "mortality.rate"
GENERAL = " vs general population"


def causes(released: Released) -> list[Block]:
    """Rates and hazard ratios of each cause, on against off."""
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = [
            row for row in released.rows(cohort=cohort, analysis=CAUSE) if row["contrast"] in ("on", "off", "on vs off")
        ]
        own = []
        for outcome in dict.fromkeys(row["outcome"] for row in rows):
            of_one = [row for row in rows if row["outcome"] == outcome]
            on, off = (counted(rate_of(of_one, group), released) for group in ("on", "off"))
            ratios = (told(ratio_of(of_one, "on vs off", method), released) for method in ("crude", ""))
            own.append((outcome.removeprefix("death:"), on[2], on[3], off[2], off[3], *ratios))
        lines += [(cohort,), *own] if any_told(own) else []
    if not lines:
        return []
    told_why = (
        "A cause-specific hazard ratio compares how fast people on and off opioids die of one cause while they live; "
        "deaths of other causes end follow-up. It does not say how many more die of it, which depends on the other "
        "causes too and is told with the new-user trials. Deaths of unknown cause are a group, so that the causes add "
        "up to all deaths."
    )
    caption = (
        "Deaths by cause per 1,000 person-years on and off opioids, and the hazard ratio of each cause, on against off "
        f"(95 % CI; descriptive).{released.rates_of}"
    )
    heads = (
        "Cause",
        "Deaths, on",
        "Rate, on",
        "Deaths, off",
        "Rate, off",
        "Hazard ratio, crude",
        "Hazard ratio, adjusted",
    )
    widths = (1.5, 0.8, 1.5, 0.8, 1.5, 1.5, 1.5)
    table = Table("cause_hazards", caption, heads, tuple(lines), 6, released.rule, widths, wide=True)
    return [Heading("By cause of death"), Paragraph(told_why), table]


def standardised(released: Released) -> list[Block]:
    """Rates on and off at one age and sex, and their ratio."""
    lines = []
    for cohort in released.cohorts:
        rows = released.rows(cohort=cohort, analysis=RATE, method="standardised")
        rates = [row for row in rows if row["scale"] == "rate_per_1000py"]
        ratio = next((row for row in rows if row["scale"] == "log_rate_ratio"), None)
        line = (cohort, *(told(row, released) for row in rates), told(ratio, released))
        lines += [line] if len(line) == 4 and any_told([line]) else []
    if not lines:
        return []
    caption = (
        "Deaths per 1,000 person-years directly standardised: on and off at one and the same distribution of age and "
        "sex, that of the person-time of both (95 % CI). These two may be compared, as far as age and sex go."
    )
    if released.rounded:
        caption += " Rates are moved by as much as rounding moves their counts."
    heads = ("Cohort", "On opioids (or users)", "Off opioids (or non-users)", "Rate ratio")
    return [Table("standardised_rates", caption, heads, tuple(lines), 3, released.rule, (1, 1.4, 1.4, 1.4))]


def general_population(released: Released) -> list[Block]:
    """Observed against expected deaths, each group for itself."""
    rows = released.rows(analysis=SMR)
    if not rows:
        return []
    if not any(present(row["estimate"]) for row in rows):
        reasons = {row["gate"].partition(": ")[2] for row in rows}
        return [
            Heading("Against the general population"),
            Notice(f"No standardised mortality ratio: {'; '.join(sorted(reasons))}."),
        ]
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        own = [row for row in rows if row["cohort"] == cohort and row["scale"] == "smr"]
        own_lines = [_smr_line(row, rows, released) for row in own]
        lines += [(cohort,), *own_lines] if any(present(row["estimate"]) for row in own) else []
    told_why = (
        "Deaths are compared with those expected at the rates of the general population of the same age, sex and year. "
        "Each line is compared at its own ages: the ratio on opioids and the ratio off opioids weigh ages differently "
        "and are not to be compared with each other; for that, see the directly standardised rates. A ratio above 1 "
        "off opioids says that people with chronic pain die more than others of their age whether or not they use "
        "opioids."
    )
    caption = (
        "Standardised mortality ratio (observed over expected deaths) and deaths beyond those expected per 1,000 "
        f"person-years, with exact Poisson limits. Lines are not compared with each other.{released.rates_of}"
    )
    heads = ("Group", "Persons", "Person-years", "Deaths", "Expected", "Ratio (95 % CI)", "Excess rate (95 % CI)")
    widths = (1, 0.8, 1, 0.8, 0.9, 1.5, 1.6)
    table = Table("smr", caption, heads, tuple(lines), 6, released.rule, widths, wide=True)
    return [Heading("Against the general population"), Paragraph(told_why), table, *_without(released, rows)]


def _smr_line(row: Row, rows: Rows, released: Released) -> tuple[str, ...]:
    group = row["contrast"].removesuffix(GENERAL)
    excess = next(
        (
            each
            for each in rows
            if each["method"] == "excess" and all(each[k] == row[k] for k in ("cohort", "contrast"))
        ),
        None,
    )
    if hidden_by_disclosure(row):
        return (group, *(WITHHELD for _ in range(6)))
    expected = number(row["events"] / row["estimate"], 1) if row["estimate"] and present(row["events"]) else MISSING
    counts = (number(row["persons"]), person_years(row["person_years"]), number(row["events"]))
    return (group, *counts, expected, told(row, released), told(excess, released))


def _without(released: Released, rows: Rows) -> list[Block]:
    """Cohorts of which there is none, and why."""
    told_of = []
    for cohort in released.cohorts:
        own = [row for row in rows if row["cohort"] == cohort and row["scale"] == "smr"]
        if own and not any(present(row["estimate"]) for row in own):
            told_of.append(f"`{cohort}`: {own[0]['gate'].partition(': ')[2]}.")
    return [Paragraph(" ".join(told_of))] if told_of else []
