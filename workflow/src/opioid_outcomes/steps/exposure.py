"""Dispensings or self-report to daily dose and status; daily dose to episodes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes import io
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.contracts.columns import Table
from opioid_outcomes.contracts.derived import DAILY_DOSE, DISPENSINGS_CLEAN, EPISODES, OPIOID_STATUS
from opioid_outcomes.exposure import clean, daily_dose, episodes, mme, products, status
from opioid_outcomes.exposure.ledger import Recorded, Supplied, ledger
from opioid_outcomes.exposure.notes import notes
from opioid_outcomes.exposure.packed import each, person_codes
from opioid_outcomes.exposure.products import Resolved
from opioid_outcomes.exposure.records import whole_people
from opioid_outcomes.exposure.repair_sensitivity import NO_DAYS, Days, Sensitivity, repair_sensitivity
from opioid_outcomes.exposure.source import source
from opioid_outcomes.exposure.stays import extend

TABLES = ("observation", "deaths", "dispensings", "opioid_use", "stays")
BLOCK = 2**19  # fills of people worked on at a time


# tables are in memory whole: no cutting into morsels, which would have to be put together again column by column
@pl.Config(engine_affinity="in-memory", apply_on_context_enter=True)
def derive_exposure(inputs: dict[str, Any], outputs: dict[str, Path], settings: dict[str, Any]) -> str:
    """Writes dispensings_clean, daily_dose, opioid_status, ledger, sensitivity and notes; returns a line of counts."""
    rules = Exposure(**settings["exposure"])
    calendar = io.is_calendar(inputs["observation"], "end")
    canonical = {name: io.read_table(inputs[name]) for name in TABLES}

    def write(frame: pl.DataFrame, table: Table) -> Future[None]:
        return writer.submit(io.write_table, frame, outputs[table.name], table, calendar=calendar)

    resolved = _resolved(canonical["dispensings"], rules)
    canonical["dispensings"] = canonical["dispensings"].select("person_id")  # the rest is in ``resolved``
    recorded = Recorded.of(resolved, rules)
    every = _cleaned(resolved, rules)
    del resolved
    fills = _as_kept(every, rules)
    by_dispensing = source(canonical["dispensings"], fills, canonical["opioid_use"]) == "dispensings"
    with ThreadPoolExecutor(1) as writer:  # tables are written while the rest is worked out
        writing = [write(fills, DISPENSINGS_CLEAN)]
        found = _by_people(every, canonical, rules)
        use = found.use if by_dispensing else _reported_use(canonical, rules)
        writing += [write(found.daily, DAILY_DOSE), write(use, OPIOID_STATUS)]
        io.write_frame(ledger(recorded, fills, found.supplied), outputs["ledger"])
        io.write_frame(repair_sensitivity(found.sensitivity), outputs["repair_sensitivity"])
        told = notes(canonical, recorded, fills, daily=found.daily, supplied=found.supplied, rules=rules)
        for written in writing:
            written.result()
    io.write_json(outputs["notes"], told)
    if not by_dispensing:
        return f"exposure from {canonical['opioid_use'].height:,} self-reports"
    people = fills.get_column("person_id").filter(fills.get_column("analgesic") == 1).n_unique()
    return f"{fills.height:,} opioid fills, {people:,} people on analgesic opioids"


def opioid_fills(dispensings: pl.DataFrame, rules: Exposure) -> tuple[Resolved, pl.DataFrame]:
    """Canonical dispensings with their products, and those of opioids (DISPENSINGS_CLEAN)."""
    resolved = _resolved(dispensings, rules)
    return resolved, _as_kept(_cleaned(resolved, rules), rules)


def forecast(canonical: dict[str, pl.DataFrame], rules: Exposure) -> dict[str, list[str]]:
    """The notes that the step will write, from canonical tables in memory."""
    resolved = _resolved(canonical["dispensings"], rules)
    every = _cleaned(resolved, rules)
    found = _by_people(every, canonical, rules)
    recorded = Recorded.of(resolved, rules)
    return notes(canonical, recorded, _as_kept(every, rules), daily=found.daily, supplied=found.supplied, rules=rules)


def doses_and_status(
    fills: pl.DataFrame, canonical: dict[str, pl.DataFrame], rules: Exposure
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Daily dose, supplies and status from clean fills (DISPENSINGS_CLEAN), and when people were observed.

    ``canonical``: observation, deaths and stays.
    """
    stays = canonical["stays"]
    return _doses_and_status(
        fills,
        canonical["observation"],
        daily_dose.last_days(canonical["observation"], canonical["deaths"]),
        stays if rules.stays == "extend" else stays.clear(),
        rules=rules,
        tiers=mme.tiers(mme.factors(rules.mme_factors)),
    )


def _doses_and_status(
    fills: pl.DataFrame,
    observation: pl.DataFrame,
    last_days: pl.DataFrame,
    stays: pl.DataFrame,
    *,
    rules: Exposure,
    tiers: pl.DataFrame | None,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """``stays``: those through which supply is held; ``tiers``: as ``mme.tiers`` gives them."""
    for_pain, for_disorder = clean.analgesic_fills(fills), clean.treatment_fills(fills)
    endless = [part.filter(pl.col("days_supply").is_null()) for part in (for_pain, for_disorder)]
    no_interval = pl.concat(
        part.select("person_id", "start") for part in (*endless, clean.dropped_fills(fills))
    )  # use is not known then: a dropped fill is not none
    analgesic, treatment = (_supplies(part, stays, rules) for part in (for_pain, for_disorder))
    daily = daily_dose.cut(daily_dose.sum_over_products(analgesic, tiers).lazy(), last_days.lazy()).collect()
    use = status.from_dispensings(
        daily,
        analgesic,
        treatment,
        no_interval,
        last_days,
        observation=observation,
        carry_over_days=rules.carry_over_days,
        washout_days=rules.washout_days,
    )
    return daily, pl.concat([analgesic, treatment]), use


@dataclass(frozen=True)
class _Found:
    """What is worked out of the fills of some people."""

    daily: pl.DataFrame
    use: pl.DataFrame
    supplied: Supplied
    sensitivity: Sensitivity


def _by_people(every: pl.DataFrame, canonical: dict[str, pl.DataFrame], rules: Exposure) -> _Found:
    """Of everybody, worked out for some people at a time, so that what it takes on the way stays small.

    ``every``: DISPENSINGS_CLEAN, the repaired ones among them.
    """
    people = [canonical[name].sort("person_id") for name in ("observation", "deaths", "stays")]
    tiers = mme.tiers(mme.factors(rules.mme_factors))
    blocks = whole_people([every, *people], BLOCK)
    parts = each(lambda tables: _of_people(*tables, rules=rules, tiers=tiers), blocks)
    return _Found(
        pl.concat(part.daily for part in parts),
        pl.concat(part.use for part in parts),
        Supplied.sum(part.supplied for part in parts),
        Sensitivity.sum(part.sensitivity for part in parts),
    )


def _of_people(
    every: pl.DataFrame,
    observation: pl.DataFrame,
    deaths: pl.DataFrame,
    stays: pl.DataFrame,
    *,
    rules: Exposure,
    tiers: pl.DataFrame | None,
) -> _Found:
    last_days = daily_dose.last_days(observation, deaths)
    stays = stays if rules.stays == "extend" else stays.clear()
    daily, supplies, use = _doses_and_status(
        _as_kept(every, rules), observation, last_days, stays, rules=rules, tiers=tiers
    )
    sensitivity = _sensitivity(daily, every, last_days, stays, rules=rules, tiers=tiers)
    return _Found(daily, use, Supplied.of(supplies, stays, last_days), sensitivity)


def _sensitivity(
    daily: pl.DataFrame,
    every: pl.DataFrame,
    last_days: pl.DataFrame,
    stays: pl.DataFrame,
    *,
    rules: Exposure,
    tiers: pl.DataFrame | None,
) -> Sensitivity:
    """Days of ``daily``, which is from every fill or without the repaired ones as the rules say, and the other way.

    Only people with repaired fills are worked out the other way, and no more than their doses.
    """
    mended = every.select(pl.col("repair").is_not_null() & (pl.col("analgesic") == 1)).to_series()
    repaired = every.get_column("person_id").filter(mended).unique()
    if repaired.is_empty():
        return Sensitivity(Days.of(daily), Days.of(daily), 0)
    dropped = rules.repaired_fills == "drop"
    in_hospital = stays.get_column("person_id").unique()
    of_them, there = (pl.col("person_id").is_in(ids.implode()) for ids in (repaired, in_hospital))
    again = clean.analgesic_fills(every, of_them & (dropped | pl.col("repair").is_null()))
    other = NO_DAYS
    for who, held in ((there, stays.lazy()), (~there, None)):
        theirs = again.lazy().filter(who).drop(daily_dose.FLAGS)
        doses = daily_dose.build(theirs, rules.stockpile_cap_days, stays=held, tiers=tiers)
        other += Days.of(daily_dose.cut(doses, last_days.lazy()).collect())
    doses_of = daily.select("person_id", "start", "stop", "mme")
    rest, own = (Days.of(doses_of.filter(who)) for who in (~of_them, of_them))
    with_them, without = (other, own) if dropped else (own, other)
    return Sensitivity(rest + with_them, rest + without, len(repaired))


def _as_kept(every: pl.DataFrame, rules: Exposure) -> pl.DataFrame:
    return clean.without_repaired(every) if rules.repaired_fills == "drop" else every


def _reported_use(canonical: dict[str, pl.DataFrame], rules: Exposure) -> pl.DataFrame:
    last_days = daily_dose.last_days(canonical["observation"], canonical["deaths"])
    return status.from_reports(canonical["opioid_use"], canonical["observation"], last_days, rules.report_valid_days)


def _resolved(dispensings: pl.DataFrame, rules: Exposure) -> Resolved:
    return products.resolve(dispensings, products.dictionary(rules.drug_dictionary))


def _cleaned(resolved: Resolved, rules: Exposure) -> pl.DataFrame:
    return clean.clean(resolved, mme.factors(rules.mme_factors), rules)


def _supplies(part: pl.DataFrame, stays: pl.DataFrame, rules: Exposure) -> pl.DataFrame:
    """Supply after stockpiling and after stays; those without any are left alone."""
    supply = daily_dose.supplies(part, rules.stockpile_cap_days)
    in_hospital = supply.get_column("person_id").is_in(stays.get_column("person_id").unique().implode())
    if not in_hospital.any():
        return supply
    held = extend(supply.filter(in_hospital), stays, stockpiled=rules.stockpile_cap_days is not None)
    both = pl.concat([supply.filter(~in_hospital), held])
    person, _ = person_codes(both.get_column("person_id"))
    return both[np.argsort(person, kind="stable")]  # two runs: merged


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
    io.write_frame(episodes.summary(merged, gap_days, share), outputs["episode_summary"])
    return f"{merged.height:,} episodes of {merged['person_id'].n_unique():,} people"
