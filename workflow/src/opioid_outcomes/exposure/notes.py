"""Sentences on exposure for the report and for ``check``: what use and dose rest on, and what is missing."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.counts import share
from opioid_outcomes.exposure.source import SELF_REPORTED, source

MOST = 0.5  # a cost is what most of a table lacks


def notes(
    canonical: dict[str, pl.DataFrame],
    resolved: pl.DataFrame,
    fills: pl.DataFrame,
    daily: pl.DataFrame,
    rules: Exposure,
) -> dict[str, list[str]]:
    """``warnings`` and ``costs``. resolved: dispensings with their product; fills: DISPENSINGS_CLEAN; daily: doses."""
    warnings, costs = _about_source(canonical, fills)
    warnings += io.encoding_warnings([rules.mme_factors, rules.drug_dictionary])
    kept = fills.filter(pl.col("analgesic") == 1)
    if kept.height:
        warnings += _about_doses(kept, daily, rules)
        costs += _missing_doses(kept)
    unrecognised = resolved.height - int(resolved.get_column("recognised").sum())
    if unrecognised:
        warnings.append(
            f"Products not recognised: {share(unrecognised, resolved.height)} of dispensings; they count as no opioid. "
            "Few NDC and RxNorm codes are shipped: others need exposure.drug_dictionary."
        )
    if unrecognised > MOST * resolved.height:
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
        doses = reports.get_column("daily_mme").null_count() < reports.height
        unknown = "use between reports is not known" if doses else "neither dose nor use between reports is known"
        return [], [f"{none}: {SELF_REPORTED}, {unknown}; episodes and dose trajectories cannot be described."]
    if not reports.is_empty():
        return ["Dispensings decide who is on opioids; self-reports of use are not read beside them."], []
    return [], []


def _about_doses(kept: pl.DataFrame, daily: pl.DataFrame, rules: Exposure) -> list[str]:
    unknown = kept.get_column("mme_per_day").null_count()
    told = [
        f"MME by the factor table {Path(rules.mme_factors).name}.",
        f"Dose unknown: {share(unknown, kept.height)} of analgesic fills; unknown is not zero.",
    ]
    days = daily.select(pl.col("stop") - pl.col("start"), "repaired")
    total = int(days.get_column("stop").sum())
    repaired = int(days.filter(pl.col("repaired") == 1).get_column("stop").sum())
    told.append(f"Repaired days_supply: {share(repaired, total)} of days with supply.")
    endless = kept.get_column("days_supply").null_count()
    if endless:
        told.append(
            f"Supply unknown: {share(endless, kept.height)} of analgesic fills have no days_supply, nor one that "
            f"could be told from others; use is unknown for {max(rules.carry_over_days, 1)} days from their date."
        )
    return told


def _missing_doses(kept: pl.DataFrame) -> list[str]:
    if kept.get_column("quantity").null_count() == kept.height:
        return ["No fill has a quantity: days on opioids are known, doses are not."]
    if kept.get_column("mme_per_day").null_count() > MOST * kept.height:
        return [
            "The dose of most analgesic fills is unknown: analyses of dose rest on the others. A dose needs strength, "
            "strength_unit, route and quantity, or a product name that tells them; the exposure table says what is "
            "missing."
        ]
    return []
