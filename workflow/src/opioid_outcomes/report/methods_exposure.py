"""The methods section on exposure and dose trajectories, every number in it taken from the config."""

from __future__ import annotations

from typing import Any

from opioid_outcomes.config import shipped
from opioid_outcomes.config.exposure import Exposure
from opioid_outcomes.config.model import Config
from opioid_outcomes.exposure.dose_history import FLAT_FACTOR
from opioid_outcomes.exposure.mme_tables import factors, tiers
from opioid_outcomes.exposure.repair import LIQUID, PATCH
from opioid_outcomes.exposure.repair_usual import LONGEST_WAIT
from opioid_outcomes.exposure.source import SELF_REPORTED
from opioid_outcomes.report.exposure_section import factor_table
from opioid_outcomes.report.exposure_tables import LONG_TERM, event_definitions, stable
from opioid_outcomes.report.released import Released
from opioid_outcomes.report.words import listed, percent, plain, plural
from opioid_outcomes.trajectories.dose_classes import LEAST_SIGMA
from opioid_outcomes.trajectories.selection import LEAST_MEAN_POSTERIOR, LEAST_PERSONS, LEAST_SHARE

TABLES = {
    "cdc_2022": "CDC 2022, with CDC's older factor, marked so, for drugs it leaves out",
    "cdc_2016_tiers": "CDC 2016, methadone by tiers",
    "cdc_2016_flat": "CDC 2016, one factor for methadone",
    "heal": "the NIH HEAL calculator, buprenorphine included",
    "consort_2008": "CONSORT 2008",
}
BUPRENORPHINE, TIERS = "buprenorphine", "tiers"


def _has(table: str) -> dict[str, bool] | None:
    """Whether a shipped factor table has a factor for buprenorphine, and tiers; None for a table of the study's own."""
    if table not in shipped.mme_factors():
        return None
    found = factors(table)
    return {
        BUPRENORPHINE: "buprenorphine" in found.get_column("ingredient").to_list(),
        TIERS: tiers(found) is not None,
    }


def exposure(released: Released) -> list[str]:
    config = released.config
    kinds = released.exposures
    told = []
    if kinds != {"baseline"}:
        rules = config.exposure
        told += [_dose(rules, factor_table(released)), _repair(rules), _daily_dose(rules), _status(rules)]
        told += [_definitions(rules), _events(rules), _long_term(rules)]
    if "baseline" in kinds:
        told.append(
            "Where opioid use was asked at one interview only, people who reported use then are compared with those "
            "who reported none; nothing is assumed of use afterwards."
        )
    reported = [f"`{name}`" for name in released.cohorts if _follows_reports(released.about(name))]
    if reported:
        valid = plural(config.exposure.report_valid_days, "day")
        told.append(f"In {listed(reported)} use is self-reported; a report is believed for {valid}.")
    return told


def _follows_reports(about: dict[str, Any]) -> bool:
    """Whether a cohort's use is followed from report to report."""
    return about.get("exposure") == "time_varying" and any(SELF_REPORTED in cost for cost in about.get("costs", []))


def _dose(rules: Exposure, table: str) -> str:
    addiction = rules.buprenorphine.sublingual_without_indication == "opioid_use_disorder"
    sublingual = "opioid use disorder, a state that is neither on nor off" if addiction else "pain"
    meaning = f" ({TABLES[table]})" if table in TABLES else " (the study's own)"
    has = _has(rules.mme_factors)
    by_total = (
        " Methadone's factor depends on the day's total: 4 up to 20 mg, 8 up to 40, 10 up to 60, 12 above."
        if has and has[TIERS]
        else ""
    )
    unknown = "its days are on opioids at an unknown dose, which is never taken as zero."
    if has is None:
        buprenorphine = f"Where the table has no factor for buprenorphine, {unknown}"
    elif has[BUPRENORPHINE]:
        buprenorphine = "Buprenorphine has a factor in this table."
    else:
        buprenorphine = f"Buprenorphine has no factor in this table: {unknown}"
    return (
        "The dose of a fill is strength × quantity / days of supply × factor, in morphine milligram equivalents "
        f"(MME) per day; factors are those of the table `{table}`{meaning}.{by_total} Patches count per day of wear. "
        "Injections, anaesthesia opioids, antitussives and antidiarrhoeals are not analgesic exposure. "
        f"{buprenorphine} "
        f"Sublingual buprenorphine without a recorded indication counts as treatment for {sublingual}."
    )


def _rules(names: list[Any]) -> str:
    return f"by the first that applies of {listed([plain(name) for name in names], 'and')}" if names else "by no rule"


def _repair(rules: Exposure) -> str:
    ranges = {
        "midpoint": "stands for its midpoint", "lower": "stands for its lower end", "upper": "stands for its upper end",
        "set_aside": "is set aside, and repaired like a missing one",
    }[rules.ranges]  # fmt: skip
    waiting = (
        f"; waiting time is the {100 * rules.days_supply.waiting_time_quantile:g} % quantile of the times between "
        "fills of other people, each of whom counts the same, without those above "
        f"{LONGEST_WAIT} days, which are stops"
        if "waiting_time" in rules.days_supply.repair
        else ""
    )
    drop = (
        "Repaired fills are kept, and the results without them stand beside."
        if rules.repaired_fills == "keep"
        else "In this study every fill with a repaired amount is set aside: from its date use is unknown, never none, "
        f"for {plural(_unknown_days(rules), 'day')}."
    )
    return (
        "An amount that is missing or cannot be is unknown, and is repaired by a named rule or stays unknown. Days of "
        f"supply (none, 0, or more than {rules.days_supply.max}) are repaired {_rules(rules.days_supply.repair)}"
        f"{waiting}; quantities (none, 0, or more than {rules.quantity.max_per_day:g} tablets, "
        f"{rules.quantity.max_per_day * LIQUID:g} mL or {rules.quantity.max_per_day * PATCH:g} patches a day) "
        f"{_rules(rules.quantity.repair)}; strengths {_rules(rules.strength.repair)}. Person: what is usual in the "
        "person's own latest fills up to that day; product: among at least ten other people. No rule looks at a later "
        f"fill of the same person. An amount recorded as a range {ranges}. {drop}"
    )


def _unknown_days(rules: Exposure) -> int:
    """Days from a fill without a usable supply on which use is unknown."""
    return max(rules.carry_over_days, 1)


def _daily_dose(rules: Exposure) -> str:
    if rules.stockpile_cap_days is None:
        stockpile = "There is no stockpiling: every fill counts on its own days, and overlapping fills add."
    elif rules.stockpile_cap_days:
        stockpile = (
            f"An early refill of the same product takes over on its day, and at most {rules.stockpile_cap_days} "
            "left-over "
            "days are added to its end, turned into days at the new number of units a day."
        )
    else:
        stockpile = "An early refill of the same product takes over on its day, and what is left over is dropped."
    stays = (
        "Supply is not used up during inpatient stays: the dose held on admission is held through the stay, and what "
        "is left lasts that much longer."
        if rules.stays == "extend"
        else "Inpatient stays do not change supply."
    )
    return f"Daily dose is the sum over the products active that day. {stockpile} {stays}"


def _status(rules: Exposure) -> str:
    gap = (
        f"gaps of up to {rules.gap_days} days"
        if rules.gap_share is None
        else f"gaps of up to {100 * rules.gap_share:g} % of the days of the last supply"
    )
    return (
        f"A person is on opioids on a day up to {rules.carry_over_days} days after the end of supply, as known from "
        "fills up to that day only; no gap is bridged by looking at a later refill. A fill whose supply is not known "
        f"makes use unknown for {plural(_unknown_days(rules), 'day')} from its date. Off opioids is split into "
        "never, recent (up to 90 days since the end of supply) and former. Use is new if it begins after "
        f"{plural(rules.washout_days, 'observed day')} without opioids. Dose bands begin at "
        f"{listed([f'{band:g}' for band in rules.dose_bands])} MME/day. Episodes, which only describe, merge {gap}."
    )


def _definitions(rules: Exposure) -> str:
    over = "at least" if rules.threshold_rule == "at_least" else "more than"
    return (
        f"How many people reach {over} 50 and 90 MME/day is told by the four HEAL definitions in windows of "
        f"{plural(rules.definition_window_days, 'day')} from the first day with supply, and by every factor table "
        "shipped, from the same fills. What has no known dose is neither in a total nor in its days."
    )


def _events(rules: Exposure) -> str:
    told = [f"{plain(name)}: {meaning}" for name, meaning in event_definitions(rules.events).items()]
    has = _has(rules.mme_factors)
    flat = "methadone counts at one factor here, but for the start of a high dose, so that no event comes from crossing"
    if has is None:
        by_tier = f" Where the table has tiers, {flat} one."
    else:
        by_tier = f" M{flat[1:]} a tier." if has[TIERS] else ""
    return (
        f"Events are {'; '.join(told)}. {stable(rules.events)} An event that is told from the days after it starts a "
        "follow-up only when these have passed, and they must be observed; a day of unknown dose among them means no "
        f"event.{by_tier}"
    )


def _long_term(rules: Exposure) -> str:
    name = rules.long_term_definition
    return (
        f"Long-term therapy is `{name}` ({LONG_TERM[name]}), met on the first day on which it holds, by that day and "
        "the past alone; the other definitions are tabulated. Concurrent use is a day with supply of an opioid and of "
        "a benzodiazepine or gabapentinoid, each for its recorded days."
    )


def trajectories(config: Config) -> list[str]:
    rules = config.trajectories
    scale = "log(1 + MME/day)" if rules.dose_scale == "log" else "MME/day"
    shape = "quadratic curves" if rules.curve == "quadratic" else "natural cubic splines with three inner knots"
    told = [
        f"A course of dose is the mean MME/day of each of the first {plural(rules.months, '30-day month')} since "
        "entry, "
        "days off opioids counting as no dose "
        "and days of carry-over at the dose last held, of people with a day on opioids and at least "
        f"{plural(rules.min_months, 'month')} of known dose. A month counts if at least 15 days of it are followed and "
        "none is of unknown dose or use or in treatment; where the factor of methadone rises with its dose, it is "
        f"{FLAT_FACTOR:g} in courses and in slopes whatever the dose. Latent classes of courses are a finite mixture "
        f"of {shape} on the scale {scale}, each class with a variance of its own, fitted by EM from "
        f"{plural(rules.starts, 'random start')}. "
        f"No class's standard deviation is below {percent(LEAST_SIGMA, 0)} of the overall one, so that people on one "
        "constant dose can be a class (Hathaway 1985). "
        f"Of 1 to {rules.max_classes} classes the smallest BIC "
        "(it counts persons, not months) is chosen among models whose smallest class holds at "
        f"least {percent(LEAST_SHARE, 0)} of people and {LEAST_PERSONS} of them, and in each of whose classes the mean "
        f"posterior probability is at least {LEAST_MEAN_POSTERIOR:g}."
    ]
    analyses = {
        "drift": "the mean of individual slopes of dose and of pain over months on opioids",
        "taper": "cumulative incidence of relapse, of stopping and of death after a first taper, and the share with "
        "neither relapse nor death (Aalen–Johansen)",
        "predictors": "what goes with the class of course (multinomial regression, people weighted by the "
        "probability of "
        "each class) and with long-term use among new users (logistic regression, weighted for being followed)",
    }
    least = {
        "drift": "a mean slope needs ten people, each with six months of 15 days on opioids at a known dose",
        "taper": "what follows a taper needs ten people",
        "predictors": "odds ratios need ten people of each outcome",
    }
    asked = [analyses[name] for name in rules.analyses]
    needed = ["classes of course need 50 people", *(least[name] for name in rules.analyses)]
    bounds = f"{'; '.join(needed)}; else a number is not evaluable.".replace("classes", "Classes", 1)
    if asked:
        told.append(
            f"Besides, {listed(asked)} are estimated, with standard errors clustered by person; all of this describes. "
            f"{bounds}"
        )
    return told
