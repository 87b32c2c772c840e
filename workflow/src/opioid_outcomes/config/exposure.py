"""``exposure``: from dispensings or self-report to dose and on/off."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opioid_outcomes.config.base import MAX_DAYS, Section, key


class DaysSupply(Section):
    """What to do with days_supply that is missing or implausible."""

    max: int = key(365, "Longest believable supply in days; longer ones are repaired, and counted.", ge=1, le=MAX_DAYS)


class Buprenorphine(Section):
    """How buprenorphine counts. On an analgesic indication it is on, with MME missing, never zero."""

    sublingual_without_indication: Literal["opioid_use_disorder", "pain"] = key(
        "opioid_use_disorder", "What sublingual buprenorphine is for when no indication is recorded."
    )


class Exposure(Section):
    """From dispensings or self-report to dose and on/off."""

    mme_factors: str = key(
        "cdc_2022", "Factor table: cdc_2022, or a CSV (ingredient, route, form, unit, factor, source)."
    )
    drug_dictionary: str | None = key(
        None, "CSV of product codes: code, vocabulary, ingredient, route, release, strength, strength_unit."
    )
    gap_days: int = key(
        30, "Episodes merge over gaps up to this; describes episodes only, never person-time.", ge=0, le=MAX_DAYS
    )
    carry_over_days: int = key(
        30,
        "Days after the end of supply that still count as on, so that a death that stops the refills is inside.",
        ge=0,
        le=MAX_DAYS,
    )
    stockpile_cap_days: int = key(
        30, "Left-over days of one product that an early refill may carry on; 0: none.", ge=0, le=MAX_DAYS
    )
    stays: Literal["extend", "ignore"] = key(
        "ignore", "In hospital: extend - supply is not used up; ignore - it is.", available=("ignore",)
    )
    washout_days: int = key(180, "Observed days without opioids that make a user new.", available=(180,), ge=0)
    report_valid_days: int = key(365, "Days for which one self-report of use is believed.", ge=1, le=MAX_DAYS)
    dose_bands: list[Annotated[float, Field(gt=0, le=10_000)]] = key(
        lambda: [20, 50, 90], "Lower bounds of dose bands in MME/day, rising.", min_length=1
    )
    long_term_definition: str = key("d90_in_365", "When therapy counts as long-term.", available=("d90_in_365",))
    days_supply: DaysSupply = key(DaysSupply, "Days of supply that cannot be.")
    buprenorphine: Buprenorphine = key(Buprenorphine, "How buprenorphine counts.")
