"""The methods of the descriptive mortality analyses and of opioid use disorder, with the numbers that they use."""

from __future__ import annotations

from opioid_outcomes.causal.negative_controls import FEWEST
from opioid_outcomes.config.model import Config
from opioid_outcomes.config.shipped import life_tables
from opioid_outcomes.mortality.current_use import SINCE_START
from opioid_outcomes.mortality.dose_response import POINTS, QUANTILES
from opioid_outcomes.mortality.hazard_ratio import FEWEST_DEATHS
from opioid_outcomes.mortality.negative_control import CARRY_OVER_DAYS, SUPPLY_DAYS
from opioid_outcomes.mortality.standardised_rates import LOWER_BOUNDS
from opioid_outcomes.mortality.stopping import LAGS
from opioid_outcomes.mortality.stopping_clock import BANDS, LENGTHS, named
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import listed, number, plain, plural


def described(released: Released) -> list[str]:
    """One paragraph for each analysis that the study asks for and whose exposure it knows."""
    config = released.config
    asked = set(config.mortality.analyses)
    moving = "time_varying" in released.exposures
    told = [_standardised(config)] if "rate" in asked and released.exposures != {"none"} else []
    told += [_smr(config)] if "smr" in asked else []
    if moving:
        told += [_split(config)] if "current_use" in asked else []
        told += [CAUSES] if "cause" in asked else []
        told += [_stopping()] if "stopping" in asked else []
    told += [_controls(config)] if "negative_control" in asked else []
    return told + ([E_VALUES] if "e_value" in asked else [])


def _standardised(config: Config) -> str:
    bounds = listed([number(bound) for bound in LOWER_BOUNDS[1:] if bound <= config.mortality.top_coded_age])
    return (
        "Rates of the two groups are also directly standardised to the sex and age (bands from "
        f"{bounds} years, age as it is along follow-up) of the person-time of both, with gamma limits (Fay and Feuer); "
        "strata in which one group has no person-time leave both, and the note says what share they are."
    )


def _smr(config: Config) -> str:
    m = config.mortality
    table = f"the shipped life table `{m.life_table}`" if m.life_table in life_tables() else "the life table supplied"
    return (
        f"Deaths expected are person-years by single year of age, sex and calendar year times the rates of {table}; "
        "the standardised mortality ratio (SMR) is observed over expected deaths, the excess rate observed less "
        "expected deaths per 1,000 person-years, both with exact Poisson limits. A table of another country is not "
        "used, nor calendar years that are not known, unless a year is declared that the cohort's time stands for. "
        f"Person-time from age {m.top_coded_age:g} on is left out, as such ages are one group. SMRs of two groups are "
        "not compared with each other: each has weights of its own."
    )


def _split(config: Config) -> str:
    windows = listed([
        f"{first + 1 if first else 0} to {beyond}" if beyond else f"over {first}" for first, beyond in SINCE_START
    ])  # fmt: skip
    knots = listed([f"{100 * share:g}th" for share in QUANTILES])
    low, high = (f"{100 * share:g}th" for share in POINTS)
    return (
        "Time on opioids is compared with all time off also by days since the present use began "
        f"({windows}), by new use (after {plural(config.exposure.washout_days, 'day')} without) and prevalent use, and "
        "by band of current dose; time on that is in none of the groups compared is left out. A natural spline of "
        f"current dose with knots at its {knots} percentile over days on is told from the {low} to the {high}. With a "
        "lag, each day counts under the exposure of so many days before, and follow-up starts so many days after "
        "entry. Proportional hazards are tested by the score test of Grambsch and Therneau against the Kaplan–Meier "
        "transform of time. Simulated cohorts also show the hazard ratio of ever against never users, which counts the "
        "time before a start for opioids: an error by design, told as such and never in a cohort of people."
    )


CAUSES = (
    "Cause-specific hazards are hazards of each cause of death on against off, other deaths ending follow-up, from the "
    "same Cox models; underlying causes are grouped by ICD-10, opioid overdose (X40–44, X60–64, X85, Y10–14 with "
    "T40.0–40.4 or T40.6) also by intent. Unknown cause is a group of its own. Where contributing causes are not "
    "recorded, which drug an overdose was of is not known, and opioid overdose is not evaluable."
)


def _stopping() -> str:
    bands = listed([named(band).replace("-", "–") for band in BANDS])
    lengths = listed([named(length).replace("-", "–") for length in LENGTHS])
    lags = listed([number(lag) for lag in LAGS if lag])
    return (
        f"After stopping, days since the end of supply ({bands}) are compared with current supply by the same Cox "
        "models, on a clock that runs on what was known on each day: without carry-over, no gap bridged by a later "
        "refill. People before any use, or after treatment of opioid use disorder, are in no group. By length of "
        f"therapy before ({lengths} days) the reference is current supply that has lasted as long so far. Against "
        f"terminal decline the clock is also read {lags} days ago."
    )


def _controls(config: Config) -> str:
    names = config.mortality.negative_controls
    if not names:
        return "No negative control was named."
    return (
        f"Negative controls ({listed([plain(name) for name in names])}) are run through the model of current use "
        "adjusted for all baseline covariates but the control itself: a drug class as the exposure of death (supply "
        f"and {CARRY_OVER_DAYS} days, {SUPPLY_DAYS} days of supply where they are not recorded), or a condition as the "
        f"outcome of opioids (first diagnosis of people without one before). From {FEWEST} estimable drugs on, the "
        "mean and spread of their error are taken out of the hazard ratio of opioids (empirical calibration, "
        "Schuemie and others); with fewer they are shown as they are."
    )


E_VALUES = (
    "E-values (VanderWeele and Ding) are given for each adjusted hazard and risk ratio of death that passed its gate: "
    "the risk ratio with exposure and with death that an unmeasured confounder would need to explain it away, and the "
    "same for the confidence limit nearest to 1. Hazard ratios of common deaths (over 15 % of people) are first "
    "turned into approximate risk ratios."
)


def addiction(released: Released) -> list[str]:
    """Opioid use disorder; nothing where it is not asked or use is not followed."""
    a, bands = released.config.addiction, released.config.exposure.dose_bands
    if not a.analyses or "time_varying" not in released.exposures:
        return []
    return [
        f"Opioid use disorder is the first diagnosis of code list `{a.codes}` in follow-up, among people without one "
        f"before. Dose (bands from {listed([f'{band:g}' for band in bands])} MME/day) and length of the present use ("
        f"up to 90, 91 to 365, over 365 days) are those {plural(a.lag_days, 'day')} before each day. Rates have exact "
        "Poisson limits; cause-specific hazards are compared by Cox regression with the lowest band and the first 90 "
        f"days, crude and adjusted, death ending follow-up. Fewer than {FEWEST_DEATHS} diagnoses, or diagnoses in one "
        "group only, are not evaluable."
    ]
