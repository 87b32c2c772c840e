"""How opioids were used: thresholds, dose and its course, episodes and gaps, events, long-term and concurrent use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opioid_outcomes.config import shipped
from opioid_outcomes.contracts.bands import OFF, parts
from opioid_outcomes.report import charts, exposure_charts, exposure_tables, use_tables
from opioid_outcomes.report.document import Block, Figure, Heading, Notice, Paragraph, Section
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.exposure_tables import EVERYBODY
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import listed, number, percent, plural, present

UNKNOWN = "unknown"  # the dose band of time on opioids at a dose that is not known
ByCohort = dict[str, list[dict[str, Any]]]


def exposure(released: Released) -> Section:
    blocks: list[Block] = []
    interviewed = [name for name in released.cohorts if released.about(name).get("exposure") == "baseline"]
    if interviewed:
        quoted = [f"`{name}`" for name in interviewed]
        blocks.append(
            Paragraph(
                f"In {listed(quoted)} opioid use is known at one interview only: there is no dose, no course over "
                "time and no ledger of fills, and nothing is known of use after the interview."
            )
        )
    if set(released.exposures) == {"baseline"}:
        return Section("exposure", "Opioid exposure", tuple(blocks))
    blocks += [
        Paragraph(
            "Current and past use, and dose and its course, are of the cohort in follow-up. All else in this section "
            f"counts {EVERYBODY}."
        ),
        Heading("Dose by factor table and definition"), *_thresholds(released),
        Heading("Current and past use"), use_tables.use_history(released),
        Heading("Dose and its course"), _distribution(released), _trajectory(released), _bands(released),
        Heading("Gaps and episodes"), _gaps(released), use_tables.episodes(released),
        Heading("Fills and their repair"), *exposure_tables.ledger(released),
        exposure_tables.repair_sensitivity(released),
        Heading("Changes of dose"), exposure_tables.dose_events(released),
        Heading("Long-term and concurrent use"), exposure_tables.long_term(released),
        exposure_tables.concurrent_use(released),
    ]  # fmt: skip
    return Section("exposure", "Opioid exposure", tuple(blocks))


def _shown(released: Released, display: str, value: str) -> ByCohort:
    """The rows of each cohort that has any of which ``value`` may be shown."""
    found = {name: released.display(display, name) for name in released.cohorts}
    return {name: rows for name, rows in found.items() if any(present(row[value]) for row in rows)}


def factor_table(released: Released) -> str:
    """The study's factor table; a user's own by its file name."""
    return Path(released.config.exposure.mme_factors).name


def _column(released: Released) -> str:
    """The column of the heat map that is the study's factor table: an own one goes by its file name's stem."""
    table = Path(released.config.exposure.mme_factors)
    if str(table) in shipped.mme_factors():
        return str(table)
    return f"{table.stem} (own)" if table.stem in shipped.mme_factors() else table.stem


def _thresholds(released: Released) -> list[Block]:
    by_cohort = _shown(released, "mme_thresholds", "share_50")
    if not by_cohort:
        return [
            Notice("How many people reach 50 and 90 MME/day is not shown: no cohort has doses of enough people known.")
        ]
    rules, table = released.config.exposure, factor_table(released)
    sign, reach = ("≥", "at or above") if rules.threshold_rule == "at_least" else (">", "above")
    told = [_range_of_shares(name, rows) for name, rows in by_cohort.items()]
    title = "People who ever reach 50 and 90 MME/day, by definition and factor table"
    drawn = svg(
        exposure_charts.mme_thresholds(by_cohort, _column(released), sign), "mme_thresholds", title, " ".join(told)
    )
    return [
        Paragraph(
            "How many people count as on a high dose depends on how a day's dose is worked out and on the factors, "
            f"before anybody is compared with anybody. {' '.join(told)} The study uses `{table}` (framed), and for "
            "its analyses the dose of each day."
        ),
        Figure(
            "mme_thresholds", drawn,
            f"{title}. Each cell: the share, and below it the number, of people with a known dose who in any window of "
            f"{plural(rules.definition_window_days, 'day')} are {reach} the threshold. HEAL definitions: the MME of "
            "the window 1, over its days of supply (a day on two products twice); 2, over its days on therapy, each "
            "once; 3, over all its days; 4, on the day with the highest dose. Tables without a factor "
            "for buprenorphine leave its days at an unknown dose. "
            f"Framed: the factor table of the study, `{table}`. n: people with a known dose by that table. "
            f"Counted: {EVERYBODY}.",
            " ".join(told), note=released.rule,
        ),
    ]  # fmt: skip


def _range_of_shares(cohort: str, rows: list[dict[str, Any]]) -> str:
    """The range of shares over the tables that know the dose of the same number of people, and the other tables."""
    people = exposure_charts.people_by_table(rows)
    numbers = list(people.values())
    usual = max(numbers, key=lambda n: (numbers.count(n), n or 0))
    told = []
    for threshold in exposure_charts.THRESHOLDS:
        shares = [row[f"share_{threshold}"] for row in rows if people[row["factors"]] == usual]
        known = [share for share in shares if present(share)]
        if known:
            told.append(f"{threshold} MME/day is reached by {percent(min(known))} to {percent(max(known))} of people")
    others = [f"`{table}` of {number(n)}" for table, n in people.items() if n != usual]
    apart = f"; left out as other people's doses are known: {listed(others)}" if others else ""
    return f"In {cohort}, {listed(told)} (tables that know the dose of {number(usual)}{apart})."


def _distribution(released: Released) -> Block:
    found = {name: released.display("dose_distribution", name) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if any(_dose_known(row) for row in rows)}
    if not by_cohort:
        return Notice(
            "No dose distribution is shown: no cohort has time on opioids at a known dose with enough people behind it."
        )
    alt = " ".join(_shares(name, rows) for name, rows in by_cohort.items())
    title = "Time on opioids by daily dose"
    return Figure(
        "dose_distribution", svg(charts.dose_distribution(by_cohort), "dose_distribution", title, alt),
        f"{title} (morphine milligram equivalents per day, factor table `{factor_table(released)}`). "
        "Doses that are not known are a band of their own, never zero."
        + (f" A band of fewer than {released.threshold} people is not listed." if released.rounded else ""),
        alt, note=released.rule,
    )  # fmt: skip


def _dose_known(row: dict[str, Any]) -> bool:
    return row["dose_band"] != UNKNOWN and present(row["share_of_time"]) and row["share_of_time"] > 0


def _shares(cohort: str, rows: list[dict[str, Any]]) -> str:
    known = [row for row in rows if present(row["share_of_time"])]
    told = [f"{row['dose_band'].replace('>=', '≥')} MME/day {percent(row['share_of_time'])}" for row in known]
    return f"{cohort}: {listed(told)}."


def _trajectory(released: Released) -> Block:
    by_cohort = _shown(released, "dose_trajectory", "median")
    if not by_cohort:
        return Notice("No course of dose is shown: no cohort has enough people on opioids month by month.")
    told = []
    for name, rows in by_cohort.items():
        known = [row for row in rows if present(row["median"])]
        told.append(
            f"{name}: median {number(known[0]['median'], 0)} MME/day in month {known[0]['month']:g}, "
            f"{number(known[-1]['median'], 0)} in month {known[-1]['month']:g}."
        )
    title = "Daily dose among people on opioids, by month since entry"
    return Figure(
        "dose_trajectory", svg(charts.dose_trajectory(by_cohort), "dose_trajectory", title, " ".join(told)),
        f"{title}: median (line) and quartiles (band); below, the share of people followed who are on opioids. Who is "
        "on opioids changes from month to month, so a rising line need not mean that anybody's dose rose.",
        " ".join(told), note=released.rule,
    )  # fmt: skip


def _bands(released: Released) -> Block:
    by_cohort = _shown(released, "dose_bands", "share")
    if not by_cohort:
        return Notice("Dose bands are not shown month by month: no cohort has enough people followed since entry.")
    told = " ".join(_ends(name, rows) for name, rows in by_cohort.items())
    joined = any(len(parts(row["band"])) > 1 for rows in by_cohort.values() for row in rows)
    title = "State and dose band on the first day of each month since entry"
    withheld = any(not present(row["share"]) for rows in by_cohort.values() for row in rows)
    return Figure(
        "dose_bands", svg(exposure_charts.dose_bands(by_cohort), "dose_bands", title, told),
        f"{title} (30-day months), among the people then followed; doses in MME/day, factor table "
        f"`{factor_table(released)}`. Off: never, recent or former use; on includes "
        f"{plural(released.config.exposure.carry_over_days, 'day')} of carry-over after the end of supply, at the dose "
        "last held; treatment: of opioid use disorder; unknown: on at an unknown dose, or use not known. The "
        "number of people below a bar is printed where all its parts may be shown."
        + (
            " Bands of few people are told together: treatment and unknown with each other first, doses with the next."
            if joined
            else ""
        )
        + (" White at the top: parts withheld because few people are behind them." if withheld else ""),
        told, note=released.rule,
    )  # fmt: skip


def _ends(cohort: str, rows: list[dict[str, Any]]) -> str:
    months = sorted({row["month"] for row in rows})
    told = []
    for month in (months[0], months[-1]):
        off = [row["share"] for row in rows if row["month"] == month and parts(row["band"])[0] == OFF]
        if off and present(off[0]):
            told.append(f"{percent(off[0])} off in month {number(month)}")
    return f"{cohort}: {listed(told) if told else 'shares off are not shown'}."


def _gaps(released: Released) -> Block:
    by_cohort = _shown(released, "gap_distribution", "share")
    if not by_cohort:
        return Notice("No gaps between supplies are shown: no cohort has enough people with more than one stretch.")
    rules = released.config.exposure
    gap_days = None if rules.gap_share is not None else rules.gap_days
    told = " ".join(_bridged(name, rows, gap_days) for name, rows in by_cohort.items())
    chosen = (
        f"Episodes are merged over gaps of up to {plural(rules.gap_days, 'day')} (`gap_days`, dashed; such gaps are "
        "dark)"
        if rules.gap_share is None
        else f"Episodes are merged over gaps of up to {100 * rules.gap_share:g} % of the days of the last supply "
        "(`gap_share`), which is another length after each fill, so no line is drawn"
    )
    title = "Days without supply between one stretch of supply and the next"
    return Figure(
        "gap_distribution",
        svg(exposure_charts.gap_distribution(by_cohort, gap_days), "gap_distribution", title, told),
        f"{title}, as shares of all such gaps; several may be one person's. {chosen}. {told} Episodes only describe: "
        "that a gap ends is known only later, so no gap is bridged in person-time. "
        f"Counted: {EVERYBODY}.",
        told, note=released.rule,
    )  # fmt: skip


def _bridged(cohort: str, rows: list[dict[str, Any]], gap_days: float | None) -> str:
    """The share of gaps that are bridged, where the bins tell it."""
    known = all(present(row["share"]) for row in rows)
    ends = [row["gap_days_to"] for row in rows]
    if gap_days is not None and known and gap_days in ends:
        bridged = sum(row["share"] for row in rows if present(row["gap_days_to"]) and row["gap_days_to"] <= gap_days)
        return f"{cohort}: {percent(bridged)} of gaps are of at most {plural(int(gap_days), 'day')}."
    told = [f"{exposure_charts.gap_label(row)} days {percent(row['share'])}" for row in rows if present(row["share"])]
    return f"{cohort}: {listed(told)}."
