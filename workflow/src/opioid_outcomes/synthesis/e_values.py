"""``mortality.e_value``: how strong unmeasured confounding would have to be to explain a mortality ratio away."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from opioid_outcomes.causal.bias import COMMON, e_value
from opioid_outcomes.contracts.estimates import INTERNAL, Estimate, frame

ANALYSIS = "mortality.e_value"
OF = ("mortality.new_user", "mortality.msm", "mortality.sustained", "mortality.current_use")
MEANS = {"log_hr": "hazard ratio", "risk_ratio": "risk ratio"}
# What nobody would call unconfounded needs no such measure; complete cases and lags stand beside a row that has one.
WITHOUT = pl.col("method").str.contains("^crude|complete_case$|_lag_")
# Its risk ratios have one each; that of the hazard ratio over the same days would stand under the same name.
RATIO_BESIDE = (pl.col("analysis") == "mortality.new_user") & (pl.col("scale") == "log_hr")

NOTHING = Estimate(
    analysis=ANALYSIS, method="e_value", population="eligible persons", outcome="death", contrast="on vs off",
    scale="risk_ratio", gate="not evaluable: no adjusted ratio of death passed its gate",
)  # fmt: skip


def e_value_rows(estimates: pl.DataFrame) -> pl.DataFrame:
    """One row for each hazard or risk ratio of death that passed its gate in the main specification, pooled ones too.

    A cohort without any has one row that says so.
    estimates: rows of ``estimates.csv`` with what disclosure judges them by, which the new rows keep: an E-value is a
    function of the ratio, so it may leave where the ratio may. ``estimate`` is the E-value of the ratio and ``ci_low``
    that of its limit nearest to 1. Cost O(rows), dozens per cohort.
    """
    rows = estimates.filter(
        pl.col("analysis").is_in(OF)
        & pl.col("scale").is_in(list(MEANS))
        & (pl.col("gate") == "pass")
        & (pl.col("spec") == "main")
        & ~WITHOUT
        & ~RATIO_BESIDE
        & pl.all_horizontal(pl.col(name).is_finite() for name in ("estimate", "ci_low", "ci_high"))
    )
    made = pl.DataFrame([made for row in rows.to_dicts() if (made := _of(row))], schema=INTERNAL)
    without = sorted(set(estimates["cohort"]) - set(made["cohort"]) - {"pooled"})
    study = str(estimates["study"].first())
    return pl.concat([made, *(frame([NOTHING], study=study, cohort=cohort) for cohort in without)])


def _of(row: dict[str, Any]) -> dict[str, Any] | None:
    """The row of an estimate's E-value; None where the ratio is none (a risk of 0)."""
    on_log = row["scale"] == "log_hr"
    ratio, low, high = (math.exp(row[name]) if on_log else row[name] for name in ("estimate", "ci_low", "ci_high"))
    if min(ratio, low) <= 0 or not math.isfinite(high) or not low <= ratio <= high:
        return None
    common = bool(on_log and row["persons"] and (row["events"] or 0) > COMMON * row["persons"])
    found = e_value(ratio, low, high, kind="hr" if on_log else "rr", common=common)
    notes = [
        f"of the {MEANS[row['scale']]} of {row['analysis']}: the risk ratio with exposure and with death that an"
        " unmeasured confounder would need to explain it away; the lower limit is that of its limit nearest to 1, and"
        " is 1 where the interval holds 1"
    ]
    if on_log:
        notes.append(
            "as a risk ratio by the formula of common outcomes" if common else "death is rare: taken as a risk ratio"
        )
    return row | {
        "analysis": ANALYSIS, "scale": "risk_ratio", "estimate": found.point, "ci_low": found.limit, "ci_high": None,
        "se": None, "p_value": None, "note": "; ".join(notes),
    }  # fmt: skip
