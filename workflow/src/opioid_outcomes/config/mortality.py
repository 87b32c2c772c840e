"""``mortality``: on against off opioids."""

from __future__ import annotations

from typing import Literal

from opioid_outcomes.config.base import Day, Section, key

MortalityAnalysis = Literal["rate", "current_use", "baseline_use"]


class Mortality(Section):
    """On against off opioids."""

    analyses: list[MortalityAnalysis] = key(
        lambda: ["rate", "current_use", "baseline_use"],
        "Analyses to run; those that the data cannot support are reported as not evaluable.",
    )
    horizons_days: list[Day] = key(lambda: [30, 180, 365, 1825], "Days at which survival is printed.", min_length=1)
    lags_days: list[int] = key(
        lambda: [0], "Days by which exposure is lagged, against reverse causation.", available=([0],)
    )
    comparators: list[str] = key(lambda: ["non_user"], "Whom new users are compared with.", available=(["non_user"],))
    weights: Literal["overlap", "iptw", "att", "match"] = key(
        "overlap", "Weights of the new-user design.", available=("overlap",)
    )
    truncation: list[float] = key(lambda: [0, 100], "Percentiles at which weights are cut.", available=([0, 100],))
    negative_controls: list[str] = key(list, "Outcomes that opioids cannot cause.", available=([],))
