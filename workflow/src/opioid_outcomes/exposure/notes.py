"""Sentences on exposure for the report and for ``check``: what use and dose rest on, and what is missing."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.counts import about, share
from opioid_outcomes.exposure.clean import dropped_fills, rows_where
from opioid_outcomes.exposure.ledger import HIGH_DOSE, Recorded, Supplied, high_doses
from opioid_outcomes.exposure.products import RANGE_ENDS
from opioid_outcomes.exposure.source import SELF_REPORTED, source
from opioid_outcomes.exposure.stays import merge

MOST = 0.5  # a cost is what most of a table lacks
SHOWN_FILLS = 11  # a label, or a mean, is shown when at least so many carry it (CONTRACT 7, Messages)
RANGE_WORDS = {"midpoint": "midpoint", "lower": "lower end", "upper": "upper end"}


def notes(
    canonical: dict[str, pl.DataFrame],
    recorded: Recorded,
    fills: pl.DataFrame,
    *,
    daily: pl.DataFrame,
    supplied: Supplied,
    rules: Exposure,
) -> dict[str, list[str]]:
    """``warnings`` and ``costs``. fills: DISPENSINGS_CLEAN; daily: DAILY_DOSE."""
    warnings, costs = _about_source(canonical, fills)
    warnings += io.encoding_warnings([rules.mme_factors, rules.drug_dictionary])
    warnings += _about_dropped(fills, rules)
    kept = rows_where(fills, fills.get_column("analgesic") == 1)
    if kept.height:
        warnings += _about_doses(kept, daily, rules)
        warnings += _about_repair(kept, daily, canonical["stays"], rules)
        warnings += _about_supply(supplied, rules)
        costs += _missing_doses(kept)
    dispensings, unrecognised = recorded.dispensings, recorded.dispensings - recorded.recognised
    if unrecognised:
        warnings.append(
            f"Products not recognised: {share(unrecognised, dispensings)} of dispensings; they count as no opioid. "
            "Few NDC and RxNorm codes are shipped: others need exposure.drug_dictionary."
        )
    if unrecognised > MOST * dispensings:
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


def _about_dropped(fills: pl.DataFrame, rules: Exposure) -> list[str]:
    dropped = dropped_fills(fills).height
    if not dropped:
        return []
    length = f"{rules.carry_over_days} days" if rules.carry_over_days > 1 else "1 day"
    return [f"Repaired fills are set aside: {about(dropped)}; from the date of each use is unknown for {length}."]


def _about_doses(kept: pl.DataFrame, daily: pl.DataFrame, rules: Exposure) -> list[str]:
    unknown = kept.get_column("mme_per_day").null_count()
    told = [
        f"MME by the factor table {Path(rules.mme_factors).name}.",
        f"Dose unknown: {share(unknown, kept.height)} of analgesic fills; unknown is not zero.",
        *_no_factor(kept),
        *_about_high_doses(kept),
        *_about_buprenorphine(daily),
    ]
    endless = kept.get_column("days_supply").null_count()
    if endless:
        told.append(
            f"Supply unknown: {share(endless, kept.height)} of analgesic fills have no days_supply, nor one that "
            f"could be told from others; use is unknown for {max(rules.carry_over_days, 1)} days from their date."
        )
    return told


def _no_factor(kept: pl.DataFrame) -> list[str]:
    """The opioids that the factor table does not know, named where enough fills are of them."""
    missing = kept.filter(pl.col("reason") == "no_factor")
    if missing.is_empty():
        return []
    by_drug = missing.group_by(pl.col("ingredient").cast(pl.String)).agg(pl.len()).sort("len", "ingredient")
    named = [f"{drug} ({about(fills)})" for drug, fills in by_drug.rows()[::-1] if fills >= SHOWN_FILLS]
    return [f"Fills of opioids without an MME factor: {', '.join(named) or about(missing.height)}; no dose, not 0."]


def _about_buprenorphine(daily: pl.DataFrame) -> list[str]:
    """The share of days with buprenorphine, and mean doses with and without them."""
    on, days = pl.col("on_buprenorphine") == 1, pl.col("stop") - pl.col("start")
    with_it = daily.filter(on)
    if with_it.is_empty():
        return []
    told = f"Buprenorphine is part of {share(*_days(daily, on))} of days with supply"
    known = daily.filter(pl.col("mme").is_not_null())
    without = known.filter(~on)
    people = [part.get_column("person_id").n_unique() for part in (known.filter(on), without)]
    if min(people) < SHOWN_FILLS:
        return [f"{told}; where it has no MME factor, its dose is missing, not zero."]
    means = [part.select((pl.col("mme") * days).sum() / days.sum()).item() for part in (known, without)]
    return [
        f"{told}; where it has no MME factor, its dose is missing, not zero. Mean dose over days with a known part: "
        f"{means[0]:.0f} MME/day, without the days on buprenorphine {means[1]:.0f}."
    ]


def _about_high_doses(kept: pl.DataFrame) -> list[str]:
    high = high_doses(kept).height
    return [f"Doses above {HIGH_DOSE:,.0f} MME/day: {about(high)} analgesic fills; they are kept."] if high else []


def _about_repair(kept: pl.DataFrame, daily: pl.DataFrame, stays: pl.DataFrame, rules: Exposure) -> list[str]:
    """Person-days with supply that rest on repaired fills, by rule, and apart from these those held in hospital."""
    extended = rules.stays == "extend" and not stays.is_empty()
    either, whole = _days(daily, pl.col("repaired") == 1)
    in_hospital = _held_days(daily, stays) if extended else 0
    repaired = either - in_hospital
    person_days = f", {about(repaired)} of {about(whole)} person-days{_by_rule(kept)}" if repaired else ""
    told = [f"Repaired fills: {share(repaired, whole)} of days with supply rest on them{person_days}."]
    if extended:
        told.append(f"Held in hospital: {share(in_hospital, whole)} of days with supply, counted at the dose held.")
    ranged = kept.select(pl.any_horizontal(pl.col(name).is_not_null() for name in RANGE_ENDS).sum()).item()
    if ranged:
        aside = "is set aside, and mended like a missing amount"
        stands = aside if rules.ranges == "set_aside" else f"stands for its {RANGE_WORDS[rules.ranges]}"
        told.append(f"Ranges as 1-2: {share(ranged, kept.height)} of analgesic fills; each {stands}.")
    return told


def _by_rule(kept: pl.DataFrame) -> str:
    """How the days of supply of repaired fills part among rules; a fill mended by several counts under each."""
    mended = kept.select("repair", "days_supply").filter(pl.col("repair").is_not_null())
    days = pl.col("days_supply").fill_null(0).round().cast(pl.Int64)  # whole: their sum has no order
    by_label = mended.group_by(pl.col("repair").cast(pl.String)).agg(days.sum().alias("days"), fills=pl.len())
    by_rule = by_label.with_columns(pl.col("repair").str.split(" + ")).explode("repair").group_by("repair").sum()
    shown = by_rule.filter(pl.col("fills") >= SHOWN_FILLS).sort("days", "repair", descending=[True, False])
    whole = int(by_label.get_column("days").sum())
    parts = [f"{rule.replace('_', ' ')} {share(days, whole)}" for rule, days, _ in shown.rows() if days]
    return f" (by rule, of the days these fills last: {', '.join(parts)})" if parts else ""


def _about_supply(supplied: Supplied, rules: Exposure) -> list[str]:
    """What the stockpile cap and the last day took, in days and in MME of known doses."""
    days, told = supplied.days + supplied.dropped_days, []
    if supplied.dropped_days:
        told.append(
            f"Left-over supply above the cap of {rules.stockpile_cap_days} days is dropped: "
            f"{share(supplied.dropped_days, days)} of days of supply, {share(supplied.dropped_mme, supplied.mme)} "
            "of MME."
        )
    if supplied.after_days:
        told.append(
            "Supply after death or the last day observed is not counted: "
            f"{share(supplied.after_days, days)} of days of supply, {share(supplied.after_mme, supplied.mme)} of MME."
        )
    return told


def _held_days(daily: pl.DataFrame, stays: pl.DataFrame) -> int:
    """Person-days with supply inside stays: all of them are held (``stays.extend``)."""
    merged = merge(stays).rename({"start": "admission", "end": "discharge"})
    there = daily.filter(pl.col("repaired") == 1).join(merged, on="person_id", maintain_order="left")
    days = pl.min_horizontal("stop", "discharge") - pl.max_horizontal("start", "admission")
    return int(there.select(days.clip(lower_bound=0).sum()).item())


def _days(daily: pl.DataFrame, condition: pl.Expr) -> tuple[int, int]:
    """Days of the stretches for which it holds, and all days."""
    days = pl.col("stop") - pl.col("start")
    part, whole = daily.select(days.filter(condition).sum(), all=days.sum()).row(0)
    return int(part), int(whole)


def _missing_doses(kept: pl.DataFrame) -> list[str]:
    if kept.get_column("quantity").null_count() == kept.height:
        return ["No fill has a usable quantity: days on opioids are known, doses are not."]
    if kept.get_column("mme_per_day").null_count() > MOST * kept.height:
        return [
            "The dose of most analgesic fills is unknown: analyses of dose rest on the others. A dose needs strength, "
            "strength_unit, route and quantity, or a product name that tells them; the exposure table says what is "
            "missing."
        ]
    return []
