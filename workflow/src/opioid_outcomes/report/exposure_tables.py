"""Tables of exposure: the ledger of fills, what repairs change, events, long-term and concurrent use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opioid_outcomes.config.exposure import DoseEvents
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.exposure.events import BLOCK_DAYS, DECISION_DAYS, STABLE
from opioid_outcomes.report.document import Block, Notice, Paragraph, Table
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import (
    MISSING,
    WITHHELD,
    counts,
    number,
    percent,
    person_years,
    plain,
    plural,
    present,
)

Row = dict[str, Any]
NOT_RECOGNISED = "not_recognised"  # fills by vocabulary, each once
EVERYBODY = "everybody in the source, also people outside the cohort and days before entry"
CODE_NOT_RECOGNISED = "code_not_recognised"  # the commonest codes of these fills
LONG_TERM = {
    "d90_in_365": "90 days with supply or more within 365",
    "consort": "an episode of more than 90 days with 10 fills or 120 days of supply within a year",
    "d180": "180 days with supply or more within 365",
    "fills3": "3 fills or more within 365 days",
    "fills6": "6 fills or more within 365 days",
    "svendsen_wide": "supply on at least half of the days of a year",
    "dunn_entry": "3 fills or more within 90 days",
    "stable_hd": "12 months at a stable mean of 50 MME/day or more",
    "hdltot": "90 MME/day or more on 90 % of 90 days",
    "opera": "an episode with 90 days of supply or more, covering at least half of it",
}


# The definition that one lies within, whose people are told for it where they are all but a few the same.
WITHIN = {inner: outer for _, outer, inner in DISPLAYS["long_term"].inside}


def by_cohort(
    released: Released, display: str, value: str, cells: Callable[[Row, dict[str, str]], tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """Lines of a table, under a line for each cohort; none where nothing of ``value`` may be shown in any."""
    lines: list[tuple[str, ...]] = []
    for cohort in released.cohorts:
        rows = released.display(display, cohort)
        if not any(present(row[value]) for row in rows):
            continue
        lines.append((cohort,))
        for row in rows:
            lines.append(cells(row, _counted(row, DISPLAYS[display].counts, released.threshold)))
    return lines


def _counted(row: Row, names: tuple[str, ...], threshold: int) -> dict[str, str]:
    """Counts as told, each a part of the one before: of several that are hidden only the last is surely small."""
    shown = counts(row, names, threshold)
    hidden = [name for name in names if not present(row[name])]
    if hidden == list(names):
        return shown
    return shown | dict.fromkeys(hidden[:-1], WITHHELD)


def told(row: Row, name: str, words: str) -> str:
    """A value in words, or that it is withheld; a dash where there is none to withhold."""
    if present(row[name]):
        return words
    return WITHHELD if row.get("suppressed") else MISSING


def share(row: Row, name: str) -> str:
    return told(row, name, percent(row[name]))


def ledger(released: Released) -> list[Block]:
    rows: list[tuple[str, ...]] = []
    unknown = []
    for cohort in released.cohorts:
        own = released.display("exposure_ledger", cohort)
        if not own:
            continue
        rows.append((cohort,))
        for row in own:
            rows.append(
                (
                    plain(row["item"]),
                    plain(row["label"]),
                    *counts(row, DISPLAYS["exposure_ledger"].counts, released.threshold).values(),
                )
            )
        unknown += _not_recognised(cohort, own)
    if not rows:
        return [Notice("No ledger of opioid fills: no cohort has dispensings.")]
    return [
        *(Paragraph(text) for text in unknown),
        Table(
            "exposure_ledger",
            "Ledger of opioid fills: by ingredient, by reason kept apart from analgesic exposure, by repair, and "
            "products not recognised. A fill mended by several rules stands under all of them joined by +. "
            "Other: what few people or fills have, and what would give their number back. "
            f"Counted: {EVERYBODY}.",
            ("Entry", "Label", "Fills", "Persons"), tuple(rows), 2, released.rule, (1.2, 2.4, 0.8, 0.8),
        ),
    ]  # fmt: skip


def _not_recognised(cohort: str, rows: list[Row]) -> list[str]:
    missed = [row["fills"] for row in rows if row["item"] == NOT_RECOGNISED]
    if not missed:
        return []
    shown = [fills for fills in missed if present(fills)]
    fills = plural(sum(shown), "fill") if len(shown) == len(missed) else "some fills"
    codes = sum(row["item"] == CODE_NOT_RECOGNISED and present(row["fills"]) for row in rows)
    commonest = "the commonest is" if codes == 1 else f"the {number(codes)} commonest are"
    listed_below = f" Of their codes {commonest} named below." if codes else ""
    return [f"In `{cohort}`, the products of {fills} could not be recognised and count as no opioid.{listed_below}"]


def repair_sensitivity(released: Released) -> Block:
    def cells(row: Row, counted: dict[str, str]) -> tuple[str, ...]:
        few_less = present(row["mean_mme"]) and not present(row["persons"])  # fewer than may be told have no other fill
        return (
            f"{row['fills_used']} fills",
            f"within {released.threshold - 1} of all" if few_less else counted["persons"],
            told(row, "person_years", person_years(row["person_years"])),
            told(row, "mean_mme", number(row["mean_mme"], 1)),
            share(row, "share_50"),
            share(row, "share_90"),
        )

    lines = by_cohort(released, "repair_sensitivity", "mean_mme", cells)
    if not lines:
        return Notice("What repairs of fills change is not shown: no cohort has days with supply of enough people.")
    kept = released.config.exposure.repaired_fills == "keep"
    used = "The study keeps repaired fills." if kept else "The study sets repaired fills aside (`repaired_fills`)."
    return Table(
        "repair_sensitivity",
        "Days with supply from all fills, and from those that needed no repair. Person-years are of days with supply, "
        "before any carry-over; mean dose and shares are over days of a known dose, the shares at 50 and 90 MME/day "
        f"or more. {used} Counted: {EVERYBODY}.",
        ("Fills used", "Persons", "Person-years", "Mean MME/day", "Days ≥50", "Days ≥90"), tuple(lines), 5,
        released.rule, (1.6, 1, 1, 1.1, 0.8, 0.8),
    )  # fmt: skip


def event_definitions(rules: DoseEvents) -> dict[str, str]:
    """Each event in a phrase, in the config's numbers."""
    prior, rapid = plural(rules.prior_days, "day"), "a taper, in which the dose falls by more than"
    following = plural(rules.next_days, "day")
    return {
        "escalation": f"mean of the next {following}, and dose of the last of them, at least {100 * rules.min_rise:g} "
        f"% and {rules.min_mme:g} MME/day above a stable mean of the {prior} before; of several such days within "
        f"{following} the first",
        "maintenance": f"mean of the next {following} within {100 * STABLE:g} % of a stable mean of the {prior} "
        f"before, judged every {DECISION_DAYS} days",
        "taper": f"mean lower by at least {100 * rules.min_fall:g} % than a stable mean of the {prior} before, over "
        f"{plural(rules.taper_days, 'day')} and over the {rules.taper_days:g} after these; of several such days within "
        f"{plural(2 * rules.taper_days, 'day')} the first",
        "rapid_taper_weekly": f"{rapid} 10 % within a week",
        "rapid_taper_monthly": f"{rapid} 30 % within 30 days",
        "discontinuation": f"no supply for {plural(rules.discontinuation_days, 'day')}, from the end of the last",
        "high_dose_start": f"first day at {rules.high_dose_mme:g} MME/day or more",
    }


def stable(rules: DoseEvents) -> str:
    """When the days before a change are stable, in a sentence."""
    return (
        f"Stable: of the {plural(rules.prior_days, 'day')} before, each block of {BLOCK_DAYS} days, counted back from "
        f"the change, has a mean dose within {100 * STABLE:g} % of their mean."
    )


def dose_events(released: Released) -> Block:
    meaning = event_definitions(released.config.exposure.events)

    def cells(row: Row, counted: dict[str, str]) -> tuple[str, ...]:
        change = row["median_change"]
        sign = "+" if present(change) and round(100 * change) > 0 else ""
        median = told(row, "median_change", f"{sign}{percent(change, 0)}")
        return plain(row["event"]), meaning.get(row["event"], ""), counted["persons"], counted["events"], median

    lines = by_cohort(released, "dose_events", "persons", cells)
    if not lines:
        return Notice("No changes of dose are shown: no cohort has daily doses with enough people behind them.")
    return Table(
        "dose_events",
        f"Changes of dose, anywhere in observation, of {EVERYBODY}. "
        "An event told from the days after it starts a follow-up only when "
        "those days have passed; means are over days with supply, every dose of the window is known, and no more than "
        f"30 days in a row of it are without supply. {stable(released.config.exposure.events)} Change: median over "
        "events of the mean dose after, relative to before.",
        ("Event", "What counts", "Persons", "Events", "Change"), tuple(lines), 3, released.rule,
        (1.3, 3.2, 0.8, 0.8, 0.8),
    )  # fmt: skip


def long_term(released: Released) -> Block:
    chosen = released.config.exposure.long_term_definition

    def cells(row: Row, counted: dict[str, str]) -> tuple[str, ...]:
        name = row["definition"]
        mark = " (used in this study)" if name == chosen else ""
        met, part = counted["met"], share(row, "share")
        if row.get("suppressed") and present(row["met"]):  # told as the definition that it lies within
            met, part = f"within {released.threshold - 1} of {WITHIN[name]}", f"about {part}"
        return f"{name}{mark}", LONG_TERM.get(name, ""), counted["persons"], met, part

    lines = by_cohort(released, "long_term", "persons", cells)
    if not lines:
        return Notice(
            "Definitions of long-term therapy are not compared: no cohort has analgesic fills of enough people."
        )
    return Table(
        "long_term",
        "Who ever meets each published definition of long-term opioid therapy, among persons with an analgesic "
        "opioid fill. Each definition is judged on a day from that day and the past alone. "
        f"`{chosen}` is the one used in this study (`long_term_definition`). Counted: {EVERYBODY}.",
        ("Definition", "What counts", "Persons", "Meet it", "Share"), tuple(lines), 3, released.rule,
        (1.6, 2.9, 0.8, 0.8, 0.8),
    )  # fmt: skip


def concurrent_use(released: Released) -> Block:
    def cells(row: Row, counted: dict[str, str]) -> tuple[str, ...]:
        return (
            f"{plain(row['class'])}s", counted["persons"], counted["with_class"], share(row, "share_with"),
            share(row, "share_of_days"), counted["cob"],
        )  # fmt: skip

    lines = by_cohort(released, "concurrent_use", "persons", cells)
    if not lines:
        return Notice("Concurrent use is not shown: no cohort has days on opioids and fills of other medicines.")
    return Table(
        "concurrent_use",
        "Other depressants on days with supply of opioids. With a shared day: persons with a day or more of both, and "
        "their share; shared days: share of all days with opioids on which the other was supplied too. COB: within a "
        "year two opioid fills or more, 15 days with opioids, two fills of the other, and 30 shared days (the "
        "Pharmacy Quality "
        "Alliance's measure of concurrent use of opioids and benzodiazepines, here for either class). A medicine "
        "nobody dispensed and one that the source does not hold look the same. "
        f"Counted: {EVERYBODY}.",
        ("With", "Persons on opioids", "With a shared day", "Share", "Shared days", "COB"), tuple(lines), 5,
        released.rule, (1.6, 1, 1, 0.8, 0.9, 0.7),
    )  # fmt: skip
