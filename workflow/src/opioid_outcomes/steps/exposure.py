"""Dispensings or self-report to daily dose and status; daily dose to episodes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.columns import Table
from opioid_outcomes.contracts.derived import DAILY_DOSE, DISPENSINGS_CLEAN, EPISODES, OPIOID_STATUS
from opioid_outcomes.exposure import clean, daily_dose, episodes, mme, products, status
from opioid_outcomes.exposure.ledger import ledger
from opioid_outcomes.exposure.notes import notes
from opioid_outcomes.exposure.products import Resolved
from opioid_outcomes.exposure.sensitivity import repair_sensitivity
from opioid_outcomes.exposure.source import source
from opioid_outcomes.exposure.stays import extend

TABLES = ("observation", "deaths", "dispensings", "opioid_use", "stays")


def derive_exposure(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes dispensings_clean, daily_dose, opioid_status, ledger, sensitivity and notes; returns a line of counts."""
    rules = Exposure(**settings["exposure"])
    calendar = io.is_calendar(inputs["observation"], "end")
    canonical = {name: io.read_table(inputs[name]) for name in TABLES}

    resolved, every = _clean_fills(canonical["dispensings"], rules)
    canonical["dispensings"] = canonical["dispensings"].select("person_id")  # the rest is in ``resolved``
    fills = clean.without_repaired(every) if rules.repaired_fills == "drop" else every
    by_dispensing = source(canonical["dispensings"], fills, canonical["opioid_use"]) == "dispensings"

    def write(frame: pl.DataFrame, table: Table) -> Future[None]:
        return writer.submit(io.write_table, frame, outputs[table.name], table, calendar=calendar)

    with ThreadPoolExecutor(1) as writer:  # tables are written while the rest is worked out
        writing = [write(fills, DISPENSINGS_CLEAN)]
        daily, supplies, use = doses_and_status(fills, canonical, rules)
        if not by_dispensing:
            last_days = daily_dose.last_days(canonical["observation"], canonical["deaths"])
            use = status.from_reports(
                canonical["opioid_use"], canonical["observation"], last_days, rules.report_valid_days
            )
        writing += [write(daily, DAILY_DOSE), write(use, OPIOID_STATUS)]
        io.write_frame(ledger(resolved, fills, supplies, canonical["stays"], rules), outputs["ledger"])
        io.write_frame(_sensitivity(daily, every, canonical, rules), outputs["repair_sensitivity"])
        told = notes(canonical, resolved, fills, daily=daily, supplies=supplies, rules=rules)
        for written in writing:
            written.result()
    io.write_json(outputs["notes"], told)
    if not by_dispensing:
        return f"exposure from {canonical['opioid_use'].height:,} self-reports"
    people = fills.filter(pl.col("analgesic") == 1).get_column("person_id").n_unique()
    return f"{fills.height:,} opioid fills, {people:,} people on analgesic opioids"


def opioid_fills(dispensings: pl.DataFrame, rules: Exposure) -> tuple[Resolved, pl.DataFrame]:
    """Canonical dispensings with their products, and those of opioids (DISPENSINGS_CLEAN)."""
    resolved, fills = _clean_fills(dispensings, rules)
    return resolved, clean.without_repaired(fills) if rules.repaired_fills == "drop" else fills


def forecast(canonical: dict[str, pl.DataFrame], rules: Exposure) -> dict[str, list[str]]:
    """The notes that the step will write, from canonical tables in memory."""
    resolved, fills = opioid_fills(canonical["dispensings"], rules)
    daily, supplies = _daily(clean.analgesic_fills(fills), canonical, rules)
    return notes(canonical, resolved, fills, daily=daily, supplies=supplies, rules=rules)


def doses_and_status(
    fills: pl.DataFrame, canonical: dict[str, pl.DataFrame], rules: Exposure
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Daily dose, supplies and status from clean fills (DISPENSINGS_CLEAN), and when people were observed.

    ``canonical``: observation, deaths and stays.
    """
    for_pain, for_disorder = clean.analgesic_fills(fills), clean.treatment_fills(fills)
    no_interval = pl.concat(
        part.filter(pl.col("days_supply").is_null()).select("person_id", "start") for part in (for_pain, for_disorder)
    )
    daily, analgesic = _daily(for_pain, canonical, rules)
    treatment = _supplies(for_disorder, canonical, rules)
    use = status.from_dispensings(
        daily,
        analgesic,
        treatment,
        no_interval,
        daily_dose.last_days(canonical["observation"], canonical["deaths"]),
        observation=canonical["observation"],
        carry_over_days=rules.carry_over_days,
        washout_days=rules.washout_days,
    )
    return daily, pl.concat([analgesic, treatment]), use


def _clean_fills(dispensings: pl.DataFrame, rules: Exposure) -> tuple[Resolved, pl.DataFrame]:
    resolved = products.resolve(dispensings, products.dictionary(rules.drug_dictionary))
    return resolved, clean.clean(resolved, mme.factors(rules.mme_factors), rules)


def _supplies(part: pl.DataFrame, canonical: dict[str, pl.DataFrame], rules: Exposure) -> pl.DataFrame:
    """Supply after stockpiling and, if supply is not used up in hospital, after stays."""
    supply = daily_dose.supplies(part, rules.stockpile_cap_days)
    if rules.stays == "ignore":
        return supply
    return extend(supply, canonical["stays"], stockpiled=rules.stockpile_cap_days is not None)


def _daily(
    part: pl.DataFrame, canonical: dict[str, pl.DataFrame], rules: Exposure
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Daily dose up to each person's last day, and the supplies it is the sum of."""
    supply = _supplies(part, canonical, rules)
    daily = daily_dose.sum_over_products(supply, mme.tiers(mme.factors(rules.mme_factors)))
    last_days = daily_dose.last_days(canonical["observation"], canonical["deaths"])
    return daily_dose.cut(daily.lazy(), last_days.lazy()).collect(), supply


def _sensitivity(
    daily: pl.DataFrame, every: pl.DataFrame, canonical: dict[str, pl.DataFrame], rules: Exposure
) -> pl.DataFrame:
    """repair_sensitivity of ``daily``, from every fill or without the repaired ones as the rules say.

    Only people with repaired fills are worked out the other way.
    """
    part = clean.analgesic_fills(every)
    repaired = part.filter(pl.col("repaired") == 1).select("person_id").unique()
    theirs = part.join(repaired, on="person_id", how="semi", maintain_order="left")
    dropped = rules.repaired_fills == "drop"
    again, _ = _daily(theirs if dropped else theirs.filter(pl.col("repaired") == 0), canonical, rules)
    rest = daily.join(repaired, on="person_id", how="anti", maintain_order="left")
    other = pl.concat([rest, again])
    return repair_sensitivity(*((other, daily) if dropped else (daily, other)), repaired.height)


def describe_episodes(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes episodes and gaps: a step of its own, so that ``gap_days``, which looks ahead, can reach nothing else."""
    daily = io.read_table(inputs["daily_dose"])
    gap_days, share = settings["exposure"]["gap_days"], settings["exposure"]["gap_share"]
    if share is None:
        merged = episodes.build(daily.lazy(), gap_days).collect()
    else:
        fills = clean.analgesic_fills(io.read_table(inputs["dispensings_clean"]))
        merged = episodes.build(daily.lazy(), gap_share=share, fills=fills.lazy()).collect()
    io.write_table(merged, outputs["episodes"], EPISODES, calendar=io.is_calendar(inputs["daily_dose"], "start"))
    io.write_frame(episodes.gap_distribution(daily), outputs["gap_distribution"])
    return f"{merged.height:,} episodes of {merged['person_id'].n_unique():,} people"
