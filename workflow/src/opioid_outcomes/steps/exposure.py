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
from opioid_outcomes.exposure.notes import notes
from opioid_outcomes.exposure.source import source


def derive_exposure(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes dispensings_clean, daily_dose, opioid_status, ledger and notes; returns one line of counts."""
    rules = Exposure(**settings["exposure"])
    calendar = io.is_calendar(inputs["observation"], "end")
    canonical = {name: io.read_table(inputs[name]) for name in ("observation", "deaths", "dispensings", "opioid_use")}
    last_days = daily_dose.last_days(canonical["observation"], canonical["deaths"])

    resolved, fills = opioid_fills(canonical["dispensings"], rules)
    daily, supplies, use = doses_and_status(fills, last_days, rules)
    by_dispensing = source(canonical["dispensings"], fills, canonical["opioid_use"]) == "dispensings"
    if not by_dispensing:
        use = status.from_reports(canonical["opioid_use"], canonical["observation"], last_days, rules.report_valid_days)

    io.write_table(fills, outputs["dispensings_clean"], DISPENSINGS_CLEAN, calendar=calendar)
    io.write_table(daily, outputs["daily_dose"], DAILY_DOSE, calendar=calendar)
    io.write_table(use, outputs["opioid_status"], OPIOID_STATUS, calendar=calendar)
    io.write_frame(ledger(resolved, fills, supplies), outputs["ledger"])
    io.write_json(outputs["notes"], notes(canonical, resolved, fills, daily, rules))
    if not by_dispensing:
        return f"exposure from {canonical['opioid_use'].height:,} self-reports"
    people = fills.filter(pl.col("analgesic") == 1).get_column("person_id").n_unique()
    return f"{fills.height:,} opioid fills, {people:,} people on analgesic opioids"


def opioid_fills(dispensings: pl.DataFrame, rules: Exposure) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Canonical dispensings with their product, and those of opioids (DISPENSINGS_CLEAN)."""
    resolved = products.resolve(dispensings, products.dictionary(rules.drug_dictionary))
    fills = clean.clean(
        resolved,
        mme.factors(rules.mme_factors),
        max_days_supply=rules.days_supply.max,
        sublingual_without_indication=rules.buprenorphine.sublingual_without_indication,
    )
    return resolved, fills


def forecast(canonical: dict[str, pl.DataFrame], rules: Exposure) -> dict[str, list[str]]:
    """The notes that the step will write, from canonical tables in memory."""
    last_days = daily_dose.last_days(canonical["observation"], canonical["deaths"])
    resolved, fills = opioid_fills(canonical["dispensings"], rules)
    daily, _, _ = doses_and_status(fills, last_days, rules)
    return notes(canonical, resolved, fills, daily, rules)


def doses_and_status(
    fills: pl.DataFrame, last_days: pl.DataFrame, rules: Exposure
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Daily dose, supplies and status from clean fills (DISPENSINGS_CLEAN)."""
    parts = clean.analgesic_fills(fills), clean.treatment_fills(fills)
    daily = daily_dose.cut(daily_dose.build(parts[0].lazy(), rules.stockpile_cap_days), last_days.lazy()).collect()
    analgesic, treatment = (daily_dose.supplies(part, rules.stockpile_cap_days) for part in parts)
    no_interval = pl.concat(parts).filter(pl.col("days_supply").is_null()).select("person_id", "start")
    use = status.from_dispensings(
        daily, analgesic, treatment, no_interval, last_days, carry_over_days=rules.carry_over_days
    )
    return daily, pl.concat([analgesic, treatment]), use


def describe_episodes(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes episodes: a step of its own, so that ``gap_days``, which looks ahead, can reach nothing else."""
    daily = io.read_table(inputs["daily_dose"])
    merged = episodes.build(daily.lazy(), settings["exposure"]["gap_days"]).collect()
    io.write_table(merged, outputs["episodes"], EPISODES, calendar=io.is_calendar(inputs["daily_dose"], "start"))
    return f"{merged.height:,} episodes of {merged['person_id'].n_unique():,} people"
