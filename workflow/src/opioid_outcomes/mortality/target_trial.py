"""The target trials that the mortality analyses emulate, item by item, written out from the config.

Items 6a-6h and 7a-7h of TARGET (Cashin et al. 2025 JAMA 334:1084; BMJ 390:e087179), with those beside them that a
config can fill (METHODS E). What only the authors know is said to be theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from opioid_outcomes.mortality.index_dates import WEAK
from opioid_outcomes.mortality.trial_arms import POPULATIONS
from opioid_outcomes.mortality.trial_estimates import CONTRASTS

SCHEMA = dict.fromkeys(("trial", "item", "text"), pl.String)
NEW_USE = {
    "non_user": ("Start an opioid today.", "Start no opioid today.", "not using opioids on the index date"),
    "nsaid": ("Start an opioid.", "Start an NSAID.", "new user of an NSAID"),
    "gabapentinoid": ("Start an opioid.", "Start a gabapentinoid.", "new user of a gabapentinoid"),
    "antidepressant": ("Start an opioid.", "Start an antidepressant.", "new user of an antidepressant"),
    "weak_opioid": (
        "Start a strong opioid.",
        f"Start a weak opioid ({', '.join(WEAK)}).",
        "new user of a weak opioid, and of no strong one that day",
    ),
}
SUSTAINED = {
    "start and stay vs never": ("opioid-free people", "start an opioid within {grace} days and stay on", "never start"),
    "taper vs maintain": (
        "people on stable long-term opioids",
        "lower the dose within {grace} days",
        "maintain the dose",
    ),
    "stop vs maintain": ("people on stable long-term opioids", "stop within {grace} days", "maintain the dose"),
}
STATED_BY_AUTHORS = "To be stated by the authors."
THEIRS = {
    "2 background": STATED_BY_AUTHORS,
    "15 interpretation": STATED_BY_AUTHORS,
    "17 ethics": STATED_BY_AUTHORS,
    "20 funding": STATED_BY_AUTHORS,
    "21 conflicts of interest": STATED_BY_AUTHORS,
}


def target_trials(settings: Mapping[str, Any]) -> pl.DataFrame:
    """trial, item, text: every trial of the analyses asked for. settings: sections of the config, as plain values."""
    analyses = settings["mortality"]["analyses"]
    trials: dict[str, dict[str, str]] = {}
    if "new_user" in analyses:
        for comparator in settings["mortality"]["comparators"]:
            trials[CONTRASTS[comparator]] = _new_use(comparator, settings)
    if "sustained" in analyses:
        for contrast in SUSTAINED:
            trials[contrast] = _sustained(contrast, settings)
    rows = [(trial, item, text) for trial, items in trials.items() for item, text in (items | THEIRS).items()]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _new_use(comparator: str, settings: Mapping[str, Any]) -> dict[str, str]:
    mortality, exposure = settings["mortality"], settings["exposure"]
    treated, other, who = NEW_USE[comparator]
    washout, window = exposure["washout_days"], mortality["encounter_window_days"]
    also = ""
    if comparator in ("nsaid", "gabapentinoid", "antidepressant"):
        also = " Neither arm was dispensed the comparator's class in the washout."
    care = f", at most {window} days after a contact with care, the first such day of each 30-day block since entry"
    weights = mortality["weights"]
    return _shared(settings) | {
        "3 causal question": (
            f"What would the risk of death have been had the same people followed '{treated}' rather than '{other}'?"
        ),
        "6a eligibility (target)": (
            f"{_population(settings)} Free of opioids for {washout} observed days on the day of assignment.{also}"
        ),
        "6b strategies (target)": f"(1) {treated} (0) {other} Later care is free, in either arm.",
        "6c assignment (target)": "At random, not blinded, on each day on which somebody is eligible.",
        "6d follow-up (target)": f"From assignment to death, or to {_longest(mortality)} days.",
        "6e outcomes (target)": "Death from any cause.",
        "6f contrasts (target)": (
            f"{_horizons(mortality)}; by intention to treat, and as treated beside it. Population:"
            f" {POPULATIONS[weights]}."
        ),
        "6g assumptions (target)": "None for intention to treat but that nobody is lost; as treated as in 7g.",
        "6h analysis (target)": "Kaplan-Meier risks of each arm, their difference and ratio, difference in mean time.",
        "7a eligibility (emulation)": (
            f"Sequential trials: each eligible index date. Criteria of 6a on record before the index date; observed for"
            f" the washout and {settings['population']['lookback_days']} days of look-back."
        ),
        "7b strategies (emulation)": (
            f"(1) First fill after the washout, the day it was dispensed. (0) {who}"
            f"{care if comparator == 'non_user' else ', the day it was dispensed'}. Using on a day: before the end of"
            f" supply and {exposure['carry_over_days']} days, from fills up to that day."
        ),
        "7c assignment (emulation)": (
            "Taken as random given the covariates of 7g(ii) on the eve of the index date; index dates of a person"
            " before later ones are kept, whatever follows."
        ),
        "7d follow-up (emulation)": (
            f"From the index date to death, {_end(settings)}, or {_longest(mortality)} days. As treated: to the day new"
            " users are no longer on, or comparators begin opioids."
        ),
        "7e outcomes (emulation)": "Death as recorded; within 30 days after the last observed day it counts.",
        "7f contrasts (emulation)": "As 6f.",
        "7g(i) assumptions (emulation)": (
            "No other causes of starting that bear on death than those measured; both choices possible for everybody;"
            " what is recorded as dispensed is taken; end of observation uninformative given the covariates."
        ),
        "7g(ii) covariates (emulation)": _covariates(settings),
        "7h(i) analysis (emulation)": _analysis(mortality),
        "7h(ii) sensitivity (emulation)": "Complete cases; crude; other comparators; other designs.",
        "11 missing data": f"Missing covariates: {settings['covariates']['missing']}; by arm in missing_by_arm.csv.",
        "12 outcomes by arm": "In new_user_diagnostics.csv and new_user_survival.csv.",
    }  # fmt: skip


def _analysis(mortality: Mapping[str, Any]) -> str:
    return (
        f"Propensity score (logistic; splines of numbers and of days since entry); weights: {mortality['weights']}."
        f" Weighted Kaplan-Meier; standard errors by {mortality['standard_error']}, clustered by person. As treated:"
        " inverse probability of censoring weights by 30-day intervals."
    )


def _sustained(contrast: str, settings: Mapping[str, Any]) -> dict[str, str]:
    mortality = settings["mortality"]
    who, one, other = (text.format(grace=mortality["grace_days"]) for text in SUSTAINED[contrast])
    return _shared(settings) | {
        "3 causal question": f"What would the risk of death be if all {who} were to {one}, rather than to {other}?",
        "6a eligibility (target)": f"{_population(settings)} Of these, {who}.",
        "6b strategies (target)": f"(1) {one}. (0) {other}.",
        "6c assignment (target)": "At random, not blinded, on the day of eligibility.",
        "6d follow-up (target)": f"From assignment to death, or to {_longest(mortality)} days.",
        "6e outcomes (target)": "Death from any cause.",
        "6f contrasts (target)": f"{_horizons(mortality)}; per protocol.",
        "6g assumptions (target)": "As 7g, for leaving the strategy.",
        "6h analysis (target)": "Risks among those who keep to their strategy, weighted for leaving it.",
        "7a eligibility (emulation)": (
            "As 6a, from what is on record on the day: the first of each 30 days since entry, if eligible then."
        ),
        "7b strategies (emulation)": "As 6b, from what was dispensed; everybody is cloned into both arms.",
        "7c assignment (emulation)": "None: clones follow both strategies until what is dispensed departs from one.",
        "7d follow-up (emulation)": f"As 6d, or to {_end(settings)}; clones to the day they depart.",
        "7e outcomes (emulation)": "Death as recorded; within 30 days after the last observed day it counts.",
        "7f contrasts (emulation)": "As 6f.",
        "7g(i) assumptions (emulation)": (
            "No other causes of departing that bear on death than those measured; both strategies possible throughout."
        ),
        "7g(ii) covariates (emulation)": _covariates(settings),
        "7h(i) analysis (emulation)": "Clones, censoring at departure, inverse probability of censoring weights.",
        "7h(ii) sensitivity (emulation)": "The analyses of the other designs.",
        "11 missing data": f"Missing covariates: {settings['covariates']['missing']}.",
        "12 outcomes by arm": "In sustained_diagnostics.csv and sustained_survival.csv.",
    }


def _shared(settings: Mapping[str, Any]) -> dict[str, str]:
    sources = ", ".join(f"{name} ({cohort['format']})" for name, cohort in settings["cohorts"].items())
    return {
        "1a design": "Emulation of a target trial in routinely collected data.",
        "1b data source": f"Cohorts: {sources}.",
        "5 data sources": "Canonical tables from each cohort's own files, as mapped in the config; see the codebook.",
        "8 selection": "In attrition.csv.",
        "9 baseline by arm": "In table_one.csv and new_user_balance.csv.",
        "10 length of follow-up": "Person-years of each estimate in estimates.csv.",
        "13 estimates": "In estimates.csv.",
        "18 registration": "The config as run is config.resolved.yaml; its hash is in manifest.json.",
        "19 data and code": "Code: this package at the version in manifest.json. Patient-level data do not leave.",
    }


def _population(settings: Mapping[str, Any]) -> str:
    population = settings["population"]
    if population["entry"] == "chronic_pain":
        codes = Path(population["chronic_pain_codes"]).stem.replace("_", " ")
        pain = (
            f"{population['min_diagnoses']} codes of {codes} on distinct days within"
            f" {population['diagnosis_window_days']} days"
        )
    else:
        pain = "everybody in persons"
    without = ", ".join(Path(name).stem.replace("_", " ") for name in population["exclude"])
    excluded = f" No {without} on record before." if without else ""
    age, observed = population["min_age"], population["lookback_days"]
    return f"Aged {age} years or over with {pain}, observed for {observed} days.{excluded}"


def _covariates(settings: Mapping[str, Any]) -> str:
    wanted = settings["covariates"]
    over_time = ", ".join(["pain", "dose", *wanted["time_varying"]])
    return (
        f"On the eve of the index date: {', '.join(wanted['baseline'])}, days since entry; conditions from all that is"
        f" on record, medicines and scores from the look-back. Over time, for leaving: {over_time}."
    ).replace("_", " ")


def _horizons(mortality: Mapping[str, Any]) -> str:
    days = ", ".join(str(day) for day in mortality["horizons_days"])
    return f"Risk difference, risk ratio and difference in restricted mean time alive at {days} days (primary: 365)"


def _longest(mortality: Mapping[str, Any]) -> int:
    return int(max(mortality["horizons_days"]))


def _end(settings: Mapping[str, Any]) -> str:
    complete = [name for name, cohort in settings["cohorts"].items() if cohort["deaths_complete_until"] is not None]
    known = f" (in {', '.join(complete)}: the day up to which deaths are known)" if complete else ""
    at = " or ".join(Path(name).stem.replace("_", " ") for name in settings["population"]["censor_at"])
    return f"the end of observation{known}" + (f", the first record of {at}" if at else "")
