"""``addiction``: opioid use disorder by dose and duration of use."""

from __future__ import annotations

from typing import Literal

from opioid_outcomes.config.base import Day, Section, key

AddictionAnalysis = Literal["dose", "duration"]


class Addiction(Section):
    """Opioid use disorder by dose and duration of use."""

    analyses: list[AddictionAnalysis] = key(
        lambda: ["dose", "duration"],
        "Analyses to run; those that the data cannot support are reported as not evaluable.",
    )
    codes: str = key(
        "opioid_use_disorder", "Shipped code list of the outcome, or a CSV with columns vocabulary, code_prefix."
    )
    lag_days: Day = key(90, "Days by which dose and duration are lagged: a disorder is diagnosed after it began.")
