"""Which estimates of several cohorts may be pooled, and their pooled rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from opioid_outcomes.contracts.estimates import INTERNAL
from opioid_outcomes.hyperalgesia import instrument
from opioid_outcomes.synthesis import meta_analysis

# Numbers that mean the same in every cohort and are roughly normal on their scale. Rates are not pooled so; shares are
# as parts and wholes (``shares``).
POOLABLE = (
    "log_hr", "log_or", "log_rate_ratio", "risk_difference", "rmst_days", "mean_difference", "mean_difference_per_step",
    "risk_ratio",
)  # fmt: skip
AS_LOGARITHMS = ("risk_ratio",)  # told as they are, pooled as logarithms
# Latent classes are found in each cohort anew, and so is a median: class 2 of one cohort, or what is above its median,
# is not that of another. Bounds are no estimates.
OF_ONE_COHORT = (
    pl.col("outcome").str.starts_with("class:")
    | (pl.col("analysis").str.starts_with("hyperalgesia.") & pl.col("contrast").str.contains("median"))
    | pl.col("method").str.starts_with("survivor_bound")
)
ESTIMAND = ["analysis", "method", "population", "outcome", "contrast", "window", "scale", "spec"]


def pooled_rows(estimates: pl.DataFrame, study: str) -> pl.DataFrame:
    """One row for each estimand that passed its gate in two cohorts or more.

    estimates: rows of ``estimates.csv`` of all cohorts. Of outcomes measured with different instruments, the one that
    most cohorts have is pooled. Counts add up over the cohorts pooled. Cost O(rows).
    """
    usable = estimates.filter(
        pl.col("scale").is_in(POOLABLE)
        & ~OF_ONE_COHORT
        & (pl.col("gate") == "pass")
        & pl.col("se").is_finite()
        & (pl.col("se") > 0)
    )
    rows = [
        _pooled(group.sort("cohort"), estimates, study)
        for group in (of_one_instrument(asked) for _, asked in usable.group_by(ESTIMAND, maintain_order=True))
        if group["cohort"].n_unique() == len(group) > 1
    ]
    return pl.DataFrame(rows, schema=INTERNAL)


def of_one_instrument(asked: pl.DataFrame) -> pl.DataFrame:
    """The rows of one estimand with the instrument of most cohorts; of as many, of most people, then first by name."""
    counted = asked.group_by("instrument").agg(rows=pl.len(), people=pl.col("persons").sum())
    order = counted.sort("rows", "people", "instrument", descending=[True, True, False])
    return asked.filter(pl.col("instrument") == order["instrument"][0])


def _pooled(group: pl.DataFrame, estimates: pl.DataFrame, study: str) -> dict[str, object]:
    first = group.row(0, named=True)
    numbers, errors = group["estimate"].to_numpy(), group["se"].to_numpy()
    if first["scale"] in AS_LOGARITHMS:
        result = _exponentiated(meta_analysis.pool(np.log(numbers), errors / numbers))
    else:
        result = meta_analysis.pool(numbers, errors)
    return {name: first[name] for name in ESTIMAND} | {
        "study": study, "cohort": "pooled",
        "estimate": result.estimate, "ci_low": result.ci_low, "ci_high": result.ci_high, "se": result.se,
        "p_value": result.p_value, "persons": total(group["persons"]), "events": total(group["events"]),
        "person_years": total(group["person_years"]), "gate": "pass", "smallest_cell": group["smallest_cell"].min(),
        "instrument": first["instrument"],
        "note": "; ".join([_note(result, group["cohort"].to_list()), *_scale(first), *caveats(group, estimates)]),
    }  # fmt: skip


def _scale(row: dict[str, object]) -> list[str]:
    return [instrument.words(str(row["instrument"]))] if row["instrument"] else []


def _exponentiated(result: meta_analysis.Pooled) -> meta_analysis.Pooled:
    """A pooled logarithm as a ratio: se = ratio x se of its logarithm; tau2 stays that of the logarithms."""
    ratio, low, high = (float(np.exp(value)) for value in (result.estimate, result.ci_low, result.ci_high))
    beyond = result.prediction and (float(np.exp(result.prediction[0])), float(np.exp(result.prediction[1])))
    return replace(result, estimate=ratio, ci_low=low, ci_high=high, se=ratio * result.se, prediction=beyond)


def total(counts: pl.Series) -> float | int | None:
    """A sum of cohorts, unknown if one of them is."""
    if counts.null_count():
        return None
    return float(np.sum(counts.to_numpy())) if counts.dtype == pl.Float64 else int(counts.sum())


def _note(result: meta_analysis.Pooled, cohorts: list[str]) -> str:
    note = f"{result.method} of {len(cohorts)} cohorts: {', '.join(cohorts)}"
    if result.tau2 is None:
        return f"{note}; two cohorts cannot show how effects vary between cohorts"
    note += f"; tau2 {result.tau2:.4f}, I2 {100 * (result.i2 or 0):.0f} %"
    if result.prediction:
        note += f"; 95 % prediction interval {result.prediction[0]:.3f} to {result.prediction[1]:.3f}"
    return note


def caveats(group: pl.DataFrame, estimates: pl.DataFrame) -> list[str]:
    """Cohorts that asked the same and are not in the number; and whether those in it adjust for the same."""
    same = estimates.join(group.select(ESTIMAND).unique(), on=ESTIMAND, how="semi", nulls_equal=True)
    told = (pl.col("gate") == "pass") & ~pl.col("instrument").is_in(group["instrument"].unique().to_list())
    apart = dict(same.filter(told).sort("cohort").select("cohort", "instrument").iter_rows())
    withheld = sorted(set(same["cohort"]) - set(group["cohort"]) - {*apart})
    caveats = [f"withheld in {', '.join(withheld)}"] if withheld else []
    caveats += [f"not pooled with {name}, which is on {scale.replace('_', ' ')}" for name, scale in apart.items()]
    if group["note"].str.extract(r"(?:given|in one model:) (.*?)(?:, by days|;|$)").n_unique() > 1:
        caveats.append("the cohorts do not adjust for the same covariates: see their rows")
    return caveats
