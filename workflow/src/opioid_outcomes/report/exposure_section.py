"""How opioids were used: dose, its course over time, and the ledger of fills."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.report import charts
from opioid_outcomes.report.document import Block, Figure, Notice, Paragraph, Section, Table
from opioid_outcomes.report.drawing import svg
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import counts, listed, number, percent, plain, plural, present

NOT_RECOGNISED = "not_recognised"  # fills by vocabulary, each once
CODE_NOT_RECOGNISED = "code_not_recognised"  # the commonest codes of these fills
UNKNOWN = "unknown"  # the dose band of time on opioids at a dose that is not known


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
    blocks += [_distribution(released), _trajectory(released), *_ledger(released)]
    return Section("exposure", "Opioid exposure", tuple(blocks))


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
        f"{title} (morphine milligram equivalents per day, factor table `{released.config.exposure.mme_factors}`). "
        "Doses that are not known are a band of their own, never zero.",
        alt, note=released.rule,
    )  # fmt: skip


def _dose_known(row: dict[str, Any]) -> bool:
    return row["dose_band"] != UNKNOWN and present(row["share_of_time"]) and row["share_of_time"] > 0


def _shares(cohort: str, rows: list[dict[str, Any]]) -> str:
    known = [row for row in rows if present(row["share_of_time"])]
    told = [f"{row['dose_band']} MME/day {percent(row['share_of_time'])}" for row in known]
    return f"{cohort}: {listed(told)}."


def _trajectory(released: Released) -> Block:
    found = {name: released.display("dose_trajectory", name) for name in released.cohorts}
    by_cohort = {name: rows for name, rows in found.items() if any(present(row["median"]) for row in rows)}
    if not by_cohort:
        return Notice(
            "No dose trajectory is shown: no cohort has enough people on opioids at a known dose, month by month."
        )
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


def _ledger(released: Released) -> list[Block]:
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
            "products not recognised.",
            ("Entry", "Label", "Fills", "Persons"), tuple(rows), 2, released.rule, (1.2, 2.4, 0.8, 0.8),
        ),
    ]  # fmt: skip


def _not_recognised(cohort: str, rows: list[dict[str, Any]]) -> list[str]:
    missed = [row["fills"] for row in rows if row["item"] == NOT_RECOGNISED]
    if not missed:
        return []
    shown = [fills for fills in missed if present(fills)]
    fills = plural(sum(shown), "fill") if len(shown) == len(missed) else "some fills"
    codes = sum(row["item"] == CODE_NOT_RECOGNISED for row in rows)
    listed_below = f" Of their codes the {number(codes)} commonest are named below." if codes else ""
    return [f"In `{cohort}`, the products of {fills} could not be recognised and count as no opioid.{listed_below}"]
