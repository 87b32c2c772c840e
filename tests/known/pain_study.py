"""The study's own steps on a world of pain: rows as released, and the verdict on them."""

from __future__ import annotations

from typing import Any

import polars as pl

from opioid_outcomes.config.hyperalgesia import Hyperalgesia
from opioid_outcomes.contracts import estimates
from opioid_outcomes.hyperalgesia import verdict
from opioid_outcomes.steps import blip, hyperalgesia, wrong_answers


def settings(**chosen: Any) -> dict[str, Any]:
    """The slice of the steps, default but for what is chosen of section ``hyperalgesia``."""
    return {
        "hyperalgesia": Hyperalgesia(**chosen).model_dump(),
        "covariates": {"baseline": [], "time_varying": [], "missing": "indicator"},
        "population": {"lookback_days": 180},
        "study_seed": 1,
    }


def rows(tables: dict[str, pl.DataFrame], chosen: dict[str, Any], *, wrong: bool = False) -> pl.DataFrame:
    """Of the escalation trials and the blip, and the wrong answers if asked for."""
    found = [*hyperalgesia.analyse(tables, chosen).rows, *blip.analyse(tables, chosen)[0]]
    if wrong:
        found += wrong_answers.analyse(tables, chosen)
    return estimates.frame(found, study="known", cohort="world")


def judged(found: pl.DataFrame, chosen: dict[str, Any]) -> verdict.Verdict:
    options = Hyperalgesia(**chosen["hyperalgesia"])
    return verdict.judge(found, options.windows_days, smallest_effect=options.smallest_effect, calibrated=False)


def number(
    found: pl.DataFrame, analysis: str, method: str, window: str, scale: str = "mean_difference"
) -> dict[str, Any]:
    """The one row of pain."""
    return found.filter(
        pl.col("analysis") == analysis, pl.col("method") == method, pl.col("window").fill_null("") == window,
        pl.col("scale") == scale, pl.col("outcome") == "pain",
    ).row(0, named=True)  # fmt: skip
