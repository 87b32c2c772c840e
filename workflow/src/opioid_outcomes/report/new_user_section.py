"""The primary answer about mortality: new users of opioids against comparators, by sequential trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opioid_outcomes.report import charts, forest, new_user_charts, survival_section
from opioid_outcomes.report.document import Block, Bullets, Figure, Heading, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.mortality_words import (
    COMPARATORS,
    NEW_USER_CONTRASTS,
    against,
    covariate_words,
    find,
    primary_horizon,
    reasons,
    risk,
    risks_by_arm,
    short,
    within,
)
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    MISSING,
    WITHHELD,
    has_interval,
    interval,
    listed,
    number,
    percent,
    person_years,
    present,
)
from opioid_outcomes.units import DAYS_PER_YEAR

Row = dict[str, Any]
Rows = list[Row]
ANALYSIS = "mortality.new_user"
GROUPS = {1: "new users", 0: "comparators"}
LARGEST = 0.1  # standardised difference, ANALYSES 4


def new_user(released: Released) -> Section | None:
    """None where the study did not ask for it, or nobody's use is followed over time."""
    if not released.rows(analysis=ANALYSIS):
        return None
    blocks: list[Block] = [
        *(Paragraph(text) for text in _estimand(released)),
        *contrasts(released),
        Heading("By horizon"), *_horizons(released),
        Heading("Survival of the two arms"), *_survival(released),
        Heading("Whether the arms may be compared"), *_diagnostics(released), *_balance(released), *_missing(released),
    ]  # fmt: skip
    return Section("new-user", "Mortality of new users (primary)", tuple(blocks))


def _estimand(released: Released) -> list[str]:
    days = primary_horizon(released.config)
    config = released.config
    whom = listed([f"“{text}”" for text in populations(released)])
    return [
        "The primary estimate about mortality, declared beforehand: how much higher, or lower, the risk of death "
        f"within {within(days)} would be if eligible people with chronic pain started an opioid on a day, than if they "
        "did not start one that day (or started the comparison drug), whatever they took later (intention to treat). "
        f"A new user has had no opioid for {config.exposure.washout_days} observed days. Each eligible day begins a "
        "trial of its own; one person may be a comparator several times and a new user later. A non-user is not using "
        f"on that day and had a contact with care within {config.mortality.encounter_window_days} days before it.",
        f"Population: {whom}. The arms are made comparable by weights from a propensity score of what was "
        "recorded before the day; standard errors are clustered by person. As treated: people are censored when they "
        "leave what they started, and weighted for it. Crude: as they are.",
    ]


def populations(released: Released) -> list[str]:
    """Whom the primary estimates speak of."""
    rows = released.rows(analysis=ANALYSIS, method=released.config.mortality.weights)
    return list(dict.fromkeys(row["population"] for row in rows)) or ["eligible index dates"]


def methods_of(released: Released) -> dict[str, str]:
    """The methods told, in order, and their words."""
    own = released.config.mortality.weights
    return {own: "intention to treat", f"{own}_as_treated": "as treated", "crude": "crude"}


def rows_of(released: Released, cohort: str, comparator: str) -> Rows:
    """Estimates of one comparison."""
    contrast = NEW_USER_CONTRASTS[comparator]
    return released.rows(cohort=cohort, analysis=ANALYSIS, contrast=contrast, outcome="death")


def pair(rows: Rows, method: str, days: int) -> tuple[Row | None, Row | None, Row | None]:
    """Risk difference, risk ratio and difference in mean time alive of one method by a horizon."""
    scales = ("risk_difference", "risk_ratio", "rmst_days")
    found = [find(rows, method=method, window=f"0-{days}", scale=scale) for scale in scales]
    return found[0], found[1], found[2]


def told(released: Released, row: Row | None) -> str:
    return short(row, lambda known: interval(known, released.scale(known)))


def compared(released: Released) -> list[tuple[str, str]]:
    """Cohorts and comparators of which there is a row, pooled last."""
    return [
        (cohort, comparator)
        for cohort in released.cohorts_and_pooled
        for comparator in NEW_USER_CONTRASTS
        if rows_of(released, cohort, comparator)
    ]


def contrasts(released: Released) -> list[Block]:
    """The table and the figure of the primary horizon, and what is withheld there."""
    days = primary_horizon(released.config)
    lines: list[tuple[str, ...]] = []
    absent: list[tuple[str, Row]] = []
    for cohort, comparator in compared(released):
        rows = rows_of(released, cohort, comparator)
        name = f"{cohort}, {against(comparator)}"
        own: list[tuple[str, ...]] = []
        for method, how in methods_of(released).items():
            found = pair(rows, method, days)
            if found[0] is None:
                continue
            absent.append((f"{name} ({how})", found[0]))
            if not _nobody(found[0]):
                own.append((how, *_cells(released, found)))
        lines += [(name,), *own] if own else []
    caption = (
        f"Death within {within(days)} of the index date: risks in the two arms, their difference in percentage points, "
        "their ratio, and the difference in days alive (95 % CI). Intention to treat is the primary estimate. Risks of "
        "the arms are those that difference and ratio imply."
    )
    heads = (
        "Comparison", "Risk, new users", "Risk, comparators", "Difference, percentage points", "Ratio",
        "Days alive", "Persons / deaths",
    )  # fmt: skip
    blocks: list[Block] = []
    if lines:
        widths = (2.1, 0.8, 0.9, 1.5, 1.3, 1.4, 1.2)
        blocks.append(Table("new_user_risks", caption, heads, tuple(lines), 6, released.rule, widths, wide=True))
    if withheld := reasons(absent):
        blocks += [Paragraph("Not shown, and why:"), Bullets(withheld)]
    drawn = _forest(released, days)
    return [*([drawn] if drawn else [_nothing(days)]), *blocks]


def _nothing(days: int) -> Block:
    return Notice(f"No primary estimate (risk difference at {number(days)} days) may be shown; the reasons follow.")


def _nobody(row: Row) -> bool:
    """Whether an arm of the comparison is not in the data at all."""
    return str(row["gate"]).startswith("not evaluable: nobody")


def _cells(released: Released, found: tuple[Row | None, Row | None, Row | None]) -> tuple[str, ...]:
    difference, ratio, time = found
    treated, other = risks_by_arm(difference, ratio)
    assert difference is not None
    counted = f"{number(difference['persons'])} / {number(difference['events'])}"
    return (
        risk(treated), risk(other), told(released, difference), told(released, ratio), told(released, time), counted,
    )  # fmt: skip


def _forest(released: Released, days: int) -> Figure | None:
    rows = []
    ways = list(methods_of(released).items())[:2]
    for cohort, comparator in compared(released):
        for method, how in ways:
            row = pair(rows_of(released, cohort, comparator), method, days)[0]
            if row is None or not has_interval(row):
                continue
            rows.append(
                {
                    "label": f"{cohort}: {against(comparator)}{', as treated' if how == 'as treated' else ''}",
                    "estimate": 100 * row["estimate"], "low": 100 * row["ci_low"], "high": 100 * row["ci_high"],
                    "reading": interval(row, released.scale(row)),
                    "counts": f"{number(row['persons'])} / {number(row['events'])}",
                }
            )  # fmt: skip
    if not rows:
        return None
    title = f"Difference in the risk of death within {within(days)}, new users minus comparators"
    alt = f"{title}, percentage points: " + "; ".join(f"{row['label']}, {row['reading']}" for row in rows) + "."
    chart = forest.differences(rows, title="risk difference, percentage points", counts="persons / deaths", smallest=0)
    return Figure(
        "new_user_contrasts", svg(chart, "new_user_contrasts", title, alt),
        f"{title}, by comparator, in percentage points with 95 % confidence intervals; intention to treat (primary) "
        "and as treated. To the right of the line more new users of opioids die.",
        alt, note=released.rule,
    )  # fmt: skip


def _horizons(released: Released) -> list[Block]:
    own = released.config.mortality.weights
    lines: list[tuple[str, ...]] = []
    for cohort, comparator in compared(released):
        rows = rows_of(released, cohort, comparator)
        found = [(days, pair(rows, own, days)) for days in sorted(released.config.mortality.horizons_days)]
        shown = [(days, cells) for days, cells in found if cells[0] and present(cells[0]["estimate"])]
        if not shown:
            continue
        lines.append((f"{cohort}, {against(comparator)}",))
        lines += [(f"{number(days)} days", *_cells(released, cells)) for days, cells in shown]
    if not lines:
        return [Notice("No risk by intention to treat may be shown at any horizon.")]
    caption = (
        "Risks of death by intention to treat at the study's horizons: in the arms, difference in percentage points, "
        "ratio, and difference in mean days alive up to the horizon (95 % CI). Later horizons rest on fewer people."
    )
    heads = ("Within", "Risk, new users", "Risk, comparators", "Difference", "Ratio", "Days alive", "Persons / deaths")
    widths = (1.3, 0.9, 0.9, 1.5, 1.4, 1.6, 1.2)
    return [Table("new_user_horizons", caption, heads, tuple(lines), 6, released.rule, widths, wide=True)]


def in_order(found: Iterable[str]) -> list[str]:
    """Comparators in the order of the config's choices; other names as they come."""
    names = list(dict.fromkeys(found))
    return sorted(names, key=lambda name: list(COMPARATORS).index(name) if name in COMPARATORS else len(names))


def panel_rows(released: Released, display: str, key: str, group: str) -> dict[tuple[str, str], Rows]:
    """Curves that may be drawn, by cohort and ``key``; each row with its ``group``."""
    panels: dict[tuple[str, str], Rows] = {}
    for cohort in released.cohorts:
        rows = [row | {"group": row[group]} for row in released.display(display, cohort)]
        for value in in_order(row[key] for row in rows):
            own = survival_section.supported([row for row in rows if row[key] == value], rounded=released.rounded)
            if len({row["group"] for row in own}) > 1:
                panels[cohort, value] = own
    return panels


def _survival(released: Released) -> list[Block]:
    found = panel_rows(released, "new_user_survival", "comparator", "arm")
    if not found:
        return [Notice("No curve of the two arms may be shown: a gate failed, or too few people are at risk.")]
    panels = {
        f"{cohort}: {against(comparator)}": [row | {"group": _arm(row, comparator)} for row in rows]
        for (cohort, comparator), rows in found.items()
    }
    title = "Survival of new users and of comparators"
    alt = f"{title}. " + " ".join(curve_words(name, rows) for name, rows in panels.items())
    chart = charts.survival(panels, since="the index date")
    caption = (
        f"{title} from the index date, weighted so that the arms are alike, by intention to treat, with 95 % "
        "confidence bands. Numbers at risk count people, not weights; a person may be in both arms. The vertical axis "
        "need not start at zero."
    )
    return [Figure("new_user_survival", svg(chart, "new_user_survival", title, alt), caption, alt, note=released.rule)]


def _arm(row: Row, comparator: str) -> str:
    treated = "strong opioid" if comparator == "weak_opioid" else "new user"
    return GROUPS[1] if row["arm"] == treated else GROUPS[0]


def curve_words(panel: str, rows: Rows) -> str:
    """The ends of a panel's curves, as text."""
    parts = []
    for group in charts.exposed_first(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group]
        day = own[-1]["day"]
        parts.append(f"{group} {survival_section.survival_at(own, day)} at {day / DAYS_PER_YEAR:.1f} years")
    return f"{panel}: {', '.join(parts)}."


def _gates(released: Released, cohort: str, comparator: str) -> str:
    own, window = released.config.mortality.weights, f"0-{primary_horizon(released.config)}"
    rows = rows_of(released, cohort, comparator)
    return next((row["gate"] for row in rows if (row["method"], row["window"]) == (own, window)), MISSING)


def _diagnostics(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    gates: list[str] = []
    for cohort in released.cohorts:
        rows = released.display("new_user_diagnostics", cohort)
        for comparator in in_order(row["comparator"] for row in rows):
            lines.append((f"{cohort}, {against(comparator)}",))
            lines += [_diagnosed(row) for row in rows if row["comparator"] == comparator]
            gate = _gates(released, cohort, comparator)
            gates.append(f"{cohort}, {against(comparator)}: {'passed' if gate == 'pass' else gate}.")
    if not lines:
        return [Notice("Nothing about the arms may be shown: one of them has nobody, or too few.")]
    caption = (
        "What the gates read before any outcome was looked at by arm. Effective number: how many unweighted index "
        "dates would tell as much. Outside: propensity scores outside 0.01–0.99. Equipoise: share of index dates on "
        "which either treatment was likely enough (preference score 0.3–0.7). Detectable ratio: the smallest hazard "
        "ratio that would be found with 80 % power. Gates: |standardised difference| under 0.1, effective number of 50 "
        "in each arm, ten deaths in all, and equipoise of 20 % with active comparators."
    )
    heads = (
        "Arm", "Persons", "Index dates", "Deaths", "Person-years", "Effective number", "Outside", "Equipoise",
        "Detectable ratio", "Largest difference",
    )  # fmt: skip
    widths = (1.5, 0.8, 0.9, 0.8, 1, 0.9, 0.8, 0.9, 0.9, 1)
    table = Table("new_user_diagnostics", caption, heads, tuple(lines), 9, released.rule, widths, wide=True)
    return [table, Paragraph("Gates at the primary horizon:"), Bullets(tuple(gates))]


def _diagnosed(row: Row) -> tuple[str, ...]:
    if row["suppressed"]:
        return (row["arm"], *(WITHHELD for _ in range(9)))
    return (
        row["arm"], number(row["persons"]), number(row["index_dates"]), number(row["events"]),
        person_years(row["person_years"]), number(row["ess"]), percent(row["outside"]), percent(row["equipoise"], 0),
        number(row["mdrr"], 1), number(row["largest_smd"], 2),
    )  # fmt: skip


def _balance(released: Released) -> list[Block]:
    panels: dict[str, Rows] = {}
    for cohort in released.cohorts:
        rows = [row for row in released.display("new_user_balance", cohort) if present(row["smd_after"])]
        for comparator in in_order(row["comparator"] for row in rows):
            own = [row | {"label": covariate_words(row["covariate"])} for row in rows]
            panels[f"{cohort}: {against(comparator)}"] = [row for row in own if row["comparator"] == comparator]
    if not panels:
        return [Notice("Balance of the arms may not be shown.")]
    title = "Balance of the arms before and after weighting"
    alt = f"{title}. " + " ".join(_balance_words(name, rows) for name, rows in panels.items())
    caption = (
        f"{title}: absolute standardised mean differences, of the largest {new_user_charts.IN_SCORE} covariates in the "
        f"propensity score and the largest {new_user_charts.LEFT_OUT} of what was left out of it (squares, products "
        f"and further covariates). Beyond the line at {LARGEST:g} after weighting the comparison is withheld."
    )
    chart = new_user_charts.balance(panels, LARGEST)
    return [Figure("new_user_balance", svg(chart, "new_user_balance", title, alt), caption, alt, note=released.rule)]


def _balance_words(name: str, rows: Rows) -> str:
    before = max(rows, key=lambda row: abs(row["smd_before"] or 0))
    after = max(rows, key=lambda row: abs(row["smd_after"]))
    return (
        f"{name}: largest before {abs(before['smd_before'] or 0):.2f} ({before['label']}), after "
        f"{abs(after['smd_after']):.2f} ({after['label']})."
    )


def _missing(released: Released) -> list[Block]:
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = released.display("missing_by_arm", cohort)
        for comparator in in_order(row["comparator"] for row in rows):
            own = [row for row in rows if row["comparator"] == comparator]
            gaps = [name for name in dict.fromkeys(row["covariate"] for row in own) if _some_missing(own, name)]
            lines += [(f"{cohort}, {against(comparator)}",)] if gaps else []
            lines += [(covariate_words(name), *_shares(own, name)) for name in gaps]
    if not lines:
        return [Paragraph("No baseline covariate is missing at any index date of either arm.")]
    caption = "Index dates on which a baseline covariate is missing, by arm; covariates not listed are never missing."
    heads = ("Covariate", "New users, missing of all", "Comparators, missing of all")
    return [Table("missing_by_arm", caption, heads, tuple(lines), 2, released.rule, (1.6, 1.6, 1.6))]


def _some_missing(rows: Rows, name: str) -> bool:
    return any(row["covariate"] == name and (row["missing"] != 0 or row["suppressed"]) for row in rows)


def _shares(rows: Rows, name: str) -> tuple[str, str]:
    cells = []
    for group in (1, 0):
        row = next(row for row in rows if row["covariate"] == name and _arm(row, row["comparator"]) == GROUPS[group])
        whole = f"{number(row['missing'])} of {number(row['index_dates'])} ({percent(row['share'])})"
        cells.append(WITHHELD if row["suppressed"] else whole)
    return cells[0], cells[1]


def key_rows(released: Released) -> list[tuple[str, ...]]:
    """The primary estimate of each cohort and comparator, for the first page."""
    days, ways = primary_horizon(released.config), methods_of(released)
    own, treated = list(ways)[:2]
    lines: list[tuple[str, ...]] = []
    last = None
    for cohort, comparator in compared(released):
        rows = rows_of(released, cohort, comparator)
        found = pair(rows, own, days)
        if found[0] is None or _nobody(found[0]):
            continue
        lines += [(cohort,)] if cohort != last else []
        last = cohort
        cells = _cells(released, found)
        beside = told(released, pair(rows, treated, days)[0])
        lines.append((against(comparator), *cells[:4], beside, cells[5]))
    return lines


def key_reasons(released: Released) -> tuple[str, ...]:
    """Why primary estimates are not on the first page."""
    days = primary_horizon(released.config)
    own = released.config.mortality.weights
    found = [(key, pair(rows_of(released, *key), own, days)[0]) for key in compared(released)]
    return reasons((f"{cohort}, {against(comparator)}", row) for (cohort, comparator), row in found if row is not None)
