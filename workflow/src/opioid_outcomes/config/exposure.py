"""``exposure``: from dispensings or self-report to dose and on/off."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opioid_outcomes.config.base import MAX_DAYS, Section, key

DaysRule = Literal["person_units", "product_units", "person_days", "product_days", "waiting_time"]
QuantityRule = Literal["person_units", "product_units"]
StrengthRule = Literal["person_product", "usual_product"]
LongTerm = Literal[
    "d90_in_365", "consort", "d180", "fills3", "fills6", "svendsen_wide", "dunn_entry", "stable_hd", "hdltot", "opera"
]


class DaysSupply(Section):
    """What to do with days_supply that is missing or implausible."""

    max: int = key(365, "Longest believable supply in days; longer ones are repaired, and counted.", ge=1, le=MAX_DAYS)
    repair: list[DaysRule] = key(
        lambda: ["person_units", "product_units", "person_days", "product_days", "waiting_time"],
        "Rules tried in this order: quantity over the units a day usual of the person, or of the product in others; the"
        " days usual of either; the time others wait until the next fill. []: no repair, use stays unknown.",
    )
    waiting_time_quantile: float = key(
        0.8,
        "Quantile of the times between fills of others that waiting_time takes as days of supply; times above 180 days"
        " are stops and left out, and every person counts the same.",
        gt=0,
        lt=1,
    )


class Quantity(Section):
    """What to do with a quantity that is missing or implausible."""

    max_per_day: float = key(
        100, "Most tablets a day of supply that are believed; mL ten times as many, patches a tenth.", gt=0, le=1e5
    )
    repair: list[QuantityRule] = key(
        lambda: ["person_units", "product_units"],
        "Rules tried in this order: days_supply times the units a day usual of the person, or of the product in others."
        " []: no repair, the dose stays unknown.",
    )


class Strength(Section):
    """What to do with a strength that is missing or implausible."""

    repair: list[StrengthRule] = key(
        lambda: ["person_product", "usual_product"],
        "Rules tried in this order: the product of the person's latest such fill; the one that nearly all others use."
        " []: no repair, the dose stays unknown.",
    )


class Buprenorphine(Section):
    """How buprenorphine counts. On an analgesic indication it is on, with MME missing, never zero."""

    sublingual_without_indication: Literal["opioid_use_disorder", "pain"] = key(
        "opioid_use_disorder", "What sublingual buprenorphine is for when no indication is recorded."
    )


class DoseEvents(Section):
    """When a change of dose is an event."""

    min_rise: float = key(0.2, "Escalation: smallest relative rise of the mean daily dose.", gt=0, le=10)
    min_mme: float = key(5, "Escalation: smallest absolute rise, MME/day.", ge=0, le=1000)
    prior_days: int = key(
        90,
        "Days before an event by whose mean dose it is judged, if stable: each 30 days of them has a mean within 20 %"
        " of theirs.",
        ge=30,
        le=MAX_DAYS,
    )
    next_days: int = key(
        30,
        "Days after a rise whose mean dose is compared; on the last of them the dose must still be raised. Of several"
        " such days within them the first is the event.",
        ge=7,
        le=MAX_DAYS,
    )
    min_fall: float = key(0.15, "Taper: smallest relative fall of the mean daily dose.", gt=0, lt=1)
    taper_days: int = key(60, "Taper: days over which the fall is measured, and again sustained.", ge=14, le=MAX_DAYS)
    discontinuation_days: int = key(90, "Days without supply after which therapy counts as stopped.", ge=1, le=MAX_DAYS)
    high_dose_mme: float = key(90, "Daily dose from which on it is high, MME/day.", gt=0, le=10_000)


class Exposure(Section):
    """From dispensings or self-report to dose and on/off."""

    mme_factors: str = key(
        "cdc_2022",
        "Factor table: cdc_2022, cdc_2016_tiers, cdc_2016_flat, consort_2008, heal, or a CSV (ingredient, route, form,"
        " unit, factor, source; above, where a factor depends on the day's total mg).",
    )
    drug_dictionary: str | None = key(
        None, "CSV of product codes: code, vocabulary, ingredient, route, release, strength, strength_unit; and form."
    )
    gap_days: int = key(
        30, "Episodes merge over gaps up to this; describes episodes only, never person-time.", ge=0, le=MAX_DAYS
    )
    gap_share: float | None = key(
        None, "Episodes merge over gaps up to this share of the last supply's days; takes the place of gap_days.", ge=0,
        le=100,
    )  # fmt: skip
    carry_over_days: int = key(
        30,
        "Days after the end of supply that still count as on, so that a death that stops the refills is inside.",
        ge=0,
        le=MAX_DAYS,
    )
    stockpile_cap_days: Annotated[int, Field(ge=0, le=MAX_DAYS)] | None = key(
        30,
        "Left-over days of one product that an early refill may carry on; 0: none. null: no stockpiling, fills of one"
        " product overlap and add.",
    )
    stays: Literal["extend", "ignore"] = key(
        "extend", "In hospital: extend - supply is not used up, and lasts longer; ignore - it is."
    )
    washout_days: int = key(180, "Observed days without opioids that make a user new.", ge=1, le=MAX_DAYS)
    report_valid_days: int = key(365, "Days for which one self-report of use is believed.", ge=1, le=MAX_DAYS)
    dose_bands: list[Annotated[float, Field(gt=0, le=10_000)]] = key(
        lambda: [20, 50, 90], "Lower bounds of dose bands in MME/day, rising.", min_length=1
    )
    definition_window_days: int = key(
        90, "Length of the windows over which the four MME definitions are computed: 7, 14, 30 or 90 are in use.", ge=1,
        le=MAX_DAYS,
    )  # fmt: skip
    threshold_rule: Literal["at_least", "above"] = key(
        "at_least", "Whether a dose of just 50 or 90 MME/day is over the threshold: it moves many people."
    )
    long_term_definition: LongTerm = key(
        "d90_in_365", "When therapy counts as long-term; all definitions are tabulated, this one is used."
    )
    days_supply: DaysSupply = key(DaysSupply, "Days of supply that cannot be.")
    quantity: Quantity = key(Quantity, "Quantities that cannot be.")
    strength: Strength = key(Strength, "Strengths that cannot be.")
    ranges: Literal["midpoint", "lower", "upper", "set_aside"] = key(
        "midpoint", "Which number an amount recorded as a range, as 1-2, stands for; set_aside: it is unknown."
    )
    repaired_fills: Literal["keep", "drop"] = key(
        "keep",
        "drop: fills with a repaired amount are set aside, as a sensitivity analysis: use is unknown, never none, for"
        " carry_over_days (at least one) from their date.",
    )
    buprenorphine: Buprenorphine = key(Buprenorphine, "How buprenorphine counts.")
    events: DoseEvents = key(DoseEvents, "When a change of dose is an event.")
