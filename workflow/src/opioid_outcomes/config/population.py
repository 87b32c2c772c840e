"""``population``: who is studied and from when."""

from __future__ import annotations

from typing import Literal

from opioid_outcomes.config.base import MAX_DAYS, Section, key


class Population(Section):
    """Who is studied and from when."""

    chronic_pain_codes: str = key("chronic_pain", "Shipped code list, or a CSV with columns vocabulary, code_prefix.")
    min_diagnoses: int = key(
        2, "Qualifying codes needed, on distinct days; 1 is sensitive, 2 specific.", ge=1, le=1_000
    )
    diagnosis_window_days: int = key(365, "Days within which they must fall.", ge=1, le=MAX_DAYS)
    min_age: int = key(18, "Youngest age in years at entry.", ge=0, le=120)
    lookback_days: int = key(
        180, "Observed days needed before entry, from which baseline covariates come.", ge=0, le=MAX_DAYS
    )
    exclude: list[str] = key(
        lambda: ["cancer", "palliative_care", "opioid_use_disorder_treatment"],
        "Conditions before entry that exclude: shipped code lists or CSV paths. [] excludes nobody.",
    )
    censor_at: list[str] = key(
        list,
        "Sensitivity: follow-up ends on the day of the first record of these, from entry on (code lists or CSV paths, "
        "as palliative_care). It conditions on what happens after entry, which is biased.",
    )
    max_followup_days: int | None = key(
        None, "Longest follow-up; empty follows to the end of observation.", ge=1, le=MAX_DAYS
    )
    death_after_observation_days: int = key(
        30, "Days after the last observed one within which a death counts, with its last known exposure; try 0 and 90.",
        ge=0, le=MAX_DAYS,
    )  # fmt: skip
    study_start: str | int | None = key(None, "First day on which anybody may enter (ISO date, or offset).")
    study_end: str | int | None = key(None, "Last day of follow-up (ISO date, or offset).")
    entry: Literal["chronic_pain", "first_observation"] = key(
        "chronic_pain",
        "chronic_pain: on the qualifying diagnosis; first_observation: everybody in persons qualifies.",
    )
