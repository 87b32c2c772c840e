"""``mortality``: on against off opioids."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opioid_outcomes.config.base import Day, Section, key

MortalityAnalysis = Literal[
    "rate", "smr", "current_use", "baseline_use", "new_user", "msm", "sustained", "cause", "overdose_share", "stopping",
    "negative_control", "e_value",
]  # fmt: skip
Comparator = Literal["non_user", "nsaid", "gabapentinoid", "antidepressant", "weak_opioid"]
Percentile = Annotated[float, Field(ge=0, le=100)]


class Mortality(Section):
    """On against off opioids."""

    analyses: list[MortalityAnalysis] = key(
        lambda: [
            "rate", "smr", "current_use", "baseline_use", "new_user", "msm", "sustained", "cause", "overdose_share",
            "stopping", "negative_control", "e_value",
        ],
        "Analyses to run; those that the data cannot support are reported as not evaluable. new_user is the primary.",
    )  # fmt: skip
    horizons_days: list[Day] = key(
        lambda: [30, 180, 365, 1825],
        "Days at which risks are told; 365 is the primary one. Later ones need people followed as long.",
        min_length=1,
    )
    lags_days: list[Day] = key(
        lambda: [0, 30, 90, 180, 365],
        "Days by which exposure is lagged in current_use, against reverse causation: people are treated because they"
        " are dying.",
        min_length=1,
    )
    comparators: list[Comparator] = key(
        lambda: ["non_user", "nsaid", "gabapentinoid", "antidepressant", "weak_opioid"],
        "Whom new users are compared with: people in care who use no opioid, or new users of another analgesic, where"
        " the data have them; weak_opioid compares strong with weak opioids.",
        min_length=1,
    )
    encounter_window_days: int = key(
        7, "A non-user counts on a day only with a contact with care within so many days before it.", ge=0, le=365
    )
    weights: Literal["overlap", "iptw", "att", "match"] = key(
        "overlap",
        "overlap: people about whom there is doubt whether to treat (ATO), the most precise; iptw: everybody (ATE);"
        " att: the treated; match: the treated who find a match within a caliper.",
    )
    penalty: float = key(
        0.0,
        "Ridge penalty of the propensity model; above 0 where there are many covariates for the number treated.",
        ge=0,
        le=1e6,
    )
    trim: Literal["none", "crump", "sturmer"] = key(
        "none",
        "People left out of iptw and att for their propensity score: crump outside 0.1-0.9; sturmer beyond the 5th"
        " percentile of the treated and the 95th of the untreated.",
    )
    standard_error: Literal["sandwich", "bootstrap"] = key(
        "sandwich",
        "sandwich: clustered by person, with the estimated score; bootstrap: people redrawn and all weights redone.",
    )
    replicates: int = key(500, "Replicates of the bootstrap.", ge=50, le=10_000)
    truncation: list[Percentile] = key(
        lambda: [0, 100],
        "Percentiles at which weights over time are cut; [0, 100] leaves them. Cutting trades precision for bias.",
        min_length=2,
        max_length=2,
    )
    grace_days: int = key(
        90, "Days within which a sustained strategy must be started (or the dose be cut, or therapy stopped).", ge=1,
        le=365,
    )  # fmt: skip
    life_table: str = key(
        "us",
        "Death rates of the general population: a shipped table, or a CSV with columns age (in years; a rate holds to"
        " the next age listed), sex (F, M), year and rate (deaths per person-year).",
    )
    top_coded_age: float = key(
        90,
        "Age from which the source has one group only: person-time from it on leaves mortality.smr, and is one band of"
        " standardised rates.",
        gt=0,
        le=90,
    )
    negative_controls: list[str] = key(
        list,
        "Conditions that opioids cannot cause (a shipped code list or a CSV of one, as ingrowing_nail) and drugs that"
        " cannot cause death (a shipped drug class, as thyroid_hormone, or a CSV with columns by, value). From 20 drugs"
        " on they calibrate; fewer are shown.",
    )
