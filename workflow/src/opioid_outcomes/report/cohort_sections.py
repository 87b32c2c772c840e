"""Who was studied: attrition, data quality, and Table 1 by exposure."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.report import charts
from opioid_outcomes.report.document import Block, Figure, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import MISSING, counts, listed, number, percent, plain, present

Rows = list[dict[str, Any]]
BALANCED = 0.1  # Austin 2009, Stat Med 28:3083: a standardised difference below 0.1 is negligible


def attrition(released: Released) -> Section:
    by_cohort = {name: rows for name in released.cohorts if (rows := released.display("attrition", name))}
    if not by_cohort:
        return Section("attrition", "Who was studied", (Notice("No attrition table was released."),))
    told = [_flow(name, rows, released.threshold) for name, rows in by_cohort.items()]
    title = "From raw persons to the analysed cohort"
    alt = " ".join(_steps(name, rows, released.threshold) for name, rows in by_cohort.items())
    drawn = svg(charts.attrition(by_cohort, released.threshold), "attrition", title, alt)
    figure = Figure(
        "attrition", drawn, f"{title}: persons kept, and dropped, at each step, in the order in which the rules apply.",
        alt, note=released.rule,
    )  # fmt: skip
    return Section("attrition", "Who was studied", (Paragraph(" ".join(told)), figure))


def _flow(cohort: str, rows: Rows, threshold: int) -> str:
    names = ("persons_kept", "persons_dropped")
    first, last = (counts(row, names, threshold)["persons_kept"] for row in (rows[0], rows[-1]))
    return f"In {cohort}, {first} persons were in the source and {last} are analysed."


def _steps(cohort: str, rows: Rows, threshold: int) -> str:
    told = [
        f"{row['rule']}: {numbers['persons_kept']} kept, {numbers['persons_dropped']} dropped"
        for row in rows
        for numbers in [counts(row, ("persons_kept", "persons_dropped"), threshold)]
    ]
    return f"{cohort}: {'; '.join(told)}."


def quality(released: Released) -> Section:
    """What became of every input row, and why rows were rejected."""
    blocks: list[Block] = [
        Paragraph(
            "Every input row ends in a canonical table, or is set aside by a named rule, or is merged with another "
            "row. Rows not selected were left out by the study's own condition, or are of a kind no analysis reads; "
            "they are part of the rejected but no fault of the data."
        )
    ]
    display = DISPLAYS["quality"]
    rows = _grouped(released, "quality", lambda row: (_route(row), *_told(released, "quality", row)))
    if not rows:
        return Section("quality", "Data quality", (Notice("No table of data quality was released."),))
    heads = ("Table read → kept as", "Rows in", "Kept", "Rejected", "Merged", "Not selected")
    blocks.append(
        Table(
            "quality",
            "What became of every input row.",
            heads,
            rows,
            len(display.counts),
            released.rule,
            (2.4, 1, 1, 1, 1, 1),
        )
    )
    reasons = _grouped(
        released,
        "quality_rules",
        lambda row: (row["table"], plain(row["rule"]), *_told(released, "quality_rules", row)),
    )
    if reasons:
        blocks.append(
            Table(
                "quality_rules",
                "Rows rejected, by rule.",
                ("Table", "Rule", "Rows"),
                reasons,
                1,
                released.rule,
                (1.2, 2.6, 0.8),
            )
        )
    return Section("quality", "Data quality", tuple(blocks))


def _route(row: dict[str, Any]) -> str:
    return row["table"] if row["table"] == row["into"] else f"{row['table']} → {row['into']}"


def _told(released: Released, display: str, row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(counts(row, DISPLAYS[display].counts, released.threshold).values())


def _grouped(released: Released, display: str, cells: Any) -> tuple[tuple[str, ...], ...]:
    """The display's rows under a heading per cohort."""
    rows: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        own = released.display(display, cohort)
        if own:
            rows += [(cohort,), *(cells(row) for row in own)]
    return tuple(rows)


def table_one(released: Released) -> Section:
    """Covariates by exposure, a table per cohort."""
    blocks: list[Block] = [Paragraph(_who_is_in_a_group(released))]
    for cohort in released.cohorts:
        rows = released.display("table_one", cohort)
        blocks.append(
            _table_one(released, cohort, rows)
            if rows
            else Notice(f"No covariates by exposure were released for `{cohort}`.")
        )
    return Section("table-one", "Characteristics by exposure (Table 1)", tuple(blocks))


def _who_is_in_a_group(released: Released) -> str:
    told = ""
    if "time_varying" in released.exposures:
        told += (
            "Where use is followed over time, a person counts in a group for the days spent in it: means and shares "
            "are weighted by person-time, and one person may appear in both groups. Persons are people ever in the "
            "group, so that a share need not be their number over the group's. "
        )
    if "baseline" in released.exposures:
        told += (
            "Where use is known at one interview only, groups are formed at the interview; survey weights, where "
            "there are any, enter means and shares but not numbers of persons. "
        )
    return told + (
        "Means and shares are among people in whom the value is known, who may be fewer than the n at the head; where "
        "any is missing, a line of its own tells its share among all of the group. "
        "The standardised difference is the difference between the exposure groups in units of their pooled standard "
        f"deviation; below {BALANCED:g} it is usually called negligible."
    )


def _table_one(released: Released, cohort: str, rows: Rows) -> Block:
    groups = list(dict.fromkeys(row["group"] for row in rows))
    cells = {(row["variable"], row["level"], row["group"]): row for row in rows}
    lines: list[tuple[str, ...]] = []
    largest: list[tuple[float, str]] = []
    for variable in dict.fromkeys(row["variable"] for row in rows):
        levels = list(dict.fromkeys(row["level"] for row in rows if row["variable"] == variable))
        levels = [level for level in levels if not (level.lower() == "no" and _is_yes_or_no(levels))]
        solitary = len(levels) == 1
        if not solitary:
            lines.append((plain(variable),))
        for level in levels:
            own = [cells.get((variable, level, group)) for group in groups]
            smd = next((row["smd"] for row in own if row and present(row["smd"])), None)
            label = _level_label(variable, level, solitary, next(row for row in own if row))
            lines.append((label, *(_cell(released, row) for row in own), number(smd, 2)))
            if smd is not None:
                largest.append((abs(smd), plain(variable)))
    return Table(
        f"table_one_{cohort}",
        f"Characteristics of cohort `{cohort}` by exposure: mean (standard deviation), or persons and share. "
        + _imbalance(largest),
        ("", *(_group_head(released, cohort, group, rows) for group in groups), "Standardised difference"),
        tuple(lines),
        len(groups) + 1,
        released.rule,
        (1.8, *(1.3 for _ in groups), 0.9),
    )


def _is_yes_or_no(levels: list[str]) -> bool:
    """Whether the share of *no* is what the share of *yes* leaves, and need not be printed."""
    return {level.lower() for level in levels} - {"missing"} == {"yes", "no"}


def _level_label(variable: str, level: str, solitary: bool, row: dict[str, Any]) -> str:
    if row["statistic"] == "mean_sd":
        return f"{plain(variable)}, mean (SD)" if solitary else "mean (SD)"
    if solitary and level.lower() in ("", "yes"):
        return plain(variable)
    return f"{plain(variable)}: {level}" if solitary else f"– {level or 'yes'}"


def _group_head(released: Released, cohort: str, group: str, rows: Rows) -> str:
    sizes = [row["of_persons"] for row in rows if row["group"] == group and present(row["of_persons"])]
    return f"{group} (n = {number(max(sizes))})" if sizes else group


def _cell(released: Released, row: dict[str, Any] | None) -> str:
    if row is None:
        return MISSING
    if row["suppressed"]:
        return counts(row, ("persons",), released.threshold)["persons"]
    if row["statistic"] == "mean_sd":
        return f"{number(row['mean'], 1)} ({number(row['sd'], 1)})"
    return f"{number(row['persons'])} ({percent(row['share'])})"


def _imbalance(differences: list[tuple[float, str]]) -> str:
    if not differences:
        return ""
    apart = list(dict.fromkeys(variable for size, variable in sorted(differences, reverse=True) if size >= BALANCED))
    if not apart:
        return f"No standardised difference reaches {BALANCED:g}."
    shown = apart[:6] + ([f"{len(apart) - 6} more"] if len(apart) > 6 else [])
    return f"The groups differ by {BALANCED:g} or more in {listed(shown)}."
