"""``covariates``: what is adjusted for."""

from __future__ import annotations

from typing import Literal

from opioid_outcomes.config.base import Section, key


class Covariates(Section):
    """What is adjusted for. Baseline values come from before each analysis's own time zero."""

    baseline: list[str] = key(
        lambda: ["age", "sex"],
        "Confounders at entry: age, sex, pain (last score), prior_mme, calendar_year (where dates are actual), a "
        "shipped code list or drug class, or any further column of persons. What treatment changes later does not "
        "belong here.",
    )
    time_varying: list[str] = key(
        lambda: ["benzodiazepine", "hospital_days", "new_diagnoses"],
        "Confounders updated every 30 days, beside pain and dose: what leads to starting or stopping and to death.",
    )
    missing: Literal["mi", "indicator", "complete"] = key(
        "indicator",
        "mi: chained equations, 20 times (msm and negative_control: indicator); indicator: missing is a category of its"
        " own; complete: people with missing values are left out. Complete cases stand beside current_use, baseline_use"
        " and new_user.",
    )  # fmt: skip
