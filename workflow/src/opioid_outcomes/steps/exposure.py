"""Dispensings or self-report to daily dose and status; daily dose to episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.derived import DAILY_DOSE, DISPENSINGS_CLEAN, EPISODES, OPIOID_STATUS
from opioid_outcomes.exposure import clean, daily_dose, episodes, mme, products, status
from opioid_outcomes.exposure.ledger import ledger
from opioid_outcomes.exposure.source import source


def derive_exposure(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes dispensings_clean, daily_dose, opioid_status, ledger and notes; returns one line of counts."""
    rules = Exposure(**settings["exposure"])
    calendar = io.is_calendar(inputs["observation"], "end")
    canonical = {name: io.read_table(inputs[name]) for name in ("observation", "deaths", "dispensings", "opioid_use")}
    last_days = daily_dose.last_days(canonical["observation"], canonical["deaths"])

    resolved = products.resolve(canonical["dispensings"], products.dictionary(rules.drug_dictionary))
    fills = clean.clean(
        resolved,
        mme.factors(rules.mme_factors),
        max_days_supply=rules.days_supply.max,
        sublingual_without_indication=rules.buprenorphine.sublingual_without_indication,
    )
    daily, supplies, use = doses_and_status(fills, last_days, rules)
    by_dispensing = source(canonical["dispensings"], fills, canonical["opioid_use"]) == "dispensings"
    if not by_dispensing:
        use = status.from_reports(canonical["opioid_use"], canonical["observation"], last_days, rules.report_valid_days)

    io.write_table(fills, outputs["dispensings_clean"], DISPENSINGS_CLEAN, calendar=calendar)
    io.write_table(daily, outputs["daily_dose"], DAILY_DOSE, calendar=calendar)
    io.write_table(use, outputs["opioid_status"], OPIOID_STATUS, calendar=calendar)
    io.write_frame(ledger(resolved, fills, supplies), outputs["ledger"])
    io.write_json(outputs["notes"], _notes(canonical, resolved, fills, daily, rules))
    if not by_dispensing:
        return f"exposure from {canonical['opioid_use'].height:,} self-reports"
    people = fills.filter(pl.col("analgesic") == 1).get_column("person_id").n_unique()
    return f"{fills.height:,} opioid fills, {people:,} people on analgesic opioids"


def doses_and_status(
    fills: pl.DataFrame, last_days: pl.DataFrame, rules: Exposure
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Daily dose, supplies and status from clean fills (DISPENSINGS_CLEAN)."""
    analgesic, treatment = clean.analgesic_fills(fills), clean.treatment_fills(fills)
    daily, treated = (
        daily_dose.cut(daily_dose.build(part.lazy(), rules.stockpile_cap_days), last_days.lazy()).collect()
        for part in (analgesic, treatment)
    )
    both = pl.concat([analgesic, treatment])
    supplies = daily_dose.supplies(both, rules.stockpile_cap_days)
    no_interval = both.filter(pl.col("days_supply").is_null()).select("person_id", "start")
    use = status.from_dispensings(
        daily, treated, supplies, no_interval, last_days, carry_over_days=rules.carry_over_days
    )
    return daily, supplies, use


def describe_episodes(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes episodes: a step of its own, so that ``gap_days``, which looks ahead, can reach nothing else."""
    daily = io.read_table(inputs["daily_dose"])
    merged = episodes.build(daily.lazy(), settings["exposure"]["gap_days"]).collect()
    io.write_table(merged, outputs["episodes"], EPISODES, calendar=io.is_calendar(inputs["daily_dose"], "start"))
    return f"{merged.height:,} episodes of {merged['person_id'].n_unique():,} people"


def _notes(
    canonical: dict[str, pl.DataFrame],
    resolved: pl.DataFrame,
    fills: pl.DataFrame,
    daily: pl.DataFrame,
    rules: Exposure,
) -> dict[str, list[str]]:
    """Sentences for the report: what the dose rests on, and what is missing."""
    warnings, costs = _about_source(canonical, fills)
    kept = fills.filter(pl.col("analgesic") == 1)
    if kept.height:
        warnings += _about_doses(kept, daily, rules)
        if kept.get_column("quantity").null_count() == kept.height:
            costs.append("No fill has a quantity: days on opioids are known, doses are not.")
    unrecognised = resolved.height - int(resolved.get_column("recognised").sum())
    if unrecognised:
        share = _share(unrecognised, resolved.height)
        warnings.append(
            f"Products not recognised: {share} of dispensings; they count as no opioid. Few NDC and RxNorm codes are "
            "shipped: others need exposure.drug_dictionary."
        )
    if 2 * unrecognised > resolved.height:
        costs.append(
            "Most dispensings are of products that are not recognised: who uses opioids is not known, and people "
            "without a recognised opioid count as never users. Give ingredients or product names, or list the codes in "
            "exposure.drug_dictionary."
        )
    return {"warnings": warnings, "costs": costs}


def _about_source(canonical: dict[str, pl.DataFrame], fills: pl.DataFrame) -> tuple[list[str], list[str]]:
    dispensings, reports = canonical["dispensings"], canonical["opioid_use"]
    known_from = source(dispensings, fills, reports)
    if known_from == "none":
        return [], ["Neither dispensings nor self-reports: nobody's use of opioids is known."]
    if known_from == "reports":
        none = "No dispensings" if dispensings.is_empty() else "No dispensings of opioids"
        return [], [f"{none}: use of opioids is self-reported, dose and time between reports are not known."]
    if not reports.is_empty():
        return ["Dispensings decide who is on opioids; self-reports of use are not read beside them."], []
    return [], []


def _about_doses(kept: pl.DataFrame, daily: pl.DataFrame, rules: Exposure) -> list[str]:
    unknown = kept.get_column("mme_per_day").null_count()
    told = [
        f"MME by the factor table {Path(rules.mme_factors).name}.",
        f"Dose unknown: {_share(unknown, kept.height)} of analgesic fills; unknown is not zero.",
    ]
    days = daily.select(pl.col("stop") - pl.col("start"), "repaired")
    total = int(days.get_column("stop").sum())
    repaired = int(days.filter(pl.col("repaired") == 1).get_column("stop").sum())
    told.append(f"Repaired days_supply: {_share(repaired, total)} of days with supply.")
    endless = kept.get_column("days_supply").null_count()
    if endless:
        told.append(
            f"Supply unknown: {_share(endless, kept.height)} of analgesic fills have no days_supply, nor one that "
            f"could be told from others; use is unknown for {max(rules.carry_over_days, 1)} days from their date."
        )
    return told


def _share(part: int, whole: int) -> str:
    """A percentage in steps of 5, too coarse to give a small count back."""
    if part == 0:
        return "none"
    nearest = 5 * round(20 * part / whole)
    return "under 5 %" if nearest == 0 else "over 95 %" if nearest == 100 and part < whole else f"{nearest} %"
