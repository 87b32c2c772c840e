"""Table 1: who the people are, by exposure, with standardised differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.causal.balance import Floats, standardised_difference
from opioid_outcomes.contracts.displays import DISPLAYS

MISSING = "missing"
RARE = "other"
SMALLEST_LEVEL = 11  # labels carried by fewer people are not shown (CONTRACT 7 "Messages")
CLOSED = ("sex",)  # the contract names its levels, so that a label tells nothing
DISPLAY = DISPLAYS["table_one"]
SCHEMA = {
    **dict.fromkeys(DISPLAY.keys, pl.String()),
    **dict.fromkeys(DISPLAY.counts, pl.Int64()),
    **dict.fromkeys(DISPLAY.values, pl.Float64()),
}
Group = tuple[str, pl.DataFrame]  # its name; person_id, weight


def groups(cohort: pl.DataFrame, person_time: pl.DataFrame, exposure: str) -> list[Group]:
    """Everybody once, then the exposed and the unexposed.

    With time-varying exposure a person belongs to each group by the days spent in it; with exposure known at one
    interview, by that interview. Sampling weights multiply in where the cohort has them.
    """
    weighted = cohort["survey_weight"].null_count() < cohort.height
    weight = pl.col("survey_weight").fill_null(0.0) if weighted else pl.lit(1.0)
    sampling = cohort.select("person_id", weight.alias("weight"))
    if exposure == "none":
        return [("all", sampling)]
    if exposure == "baseline":
        users = cohort.select("person_id", "baseline_user").join(sampling, on="person_id", maintain_order="left")
        return [
            ("all", sampling),
            ("baseline user", users.filter(pl.col("baseline_user") == 1).select("person_id", "weight")),
            ("non user", users.filter(pl.col("baseline_user") == 0).select("person_id", "weight")),
        ]
    days = (
        person_time.group_by("person_id", "on_opioid", maintain_order=True)
        .agg((pl.col("stop") - pl.col("start")).sum().alias("days"))
        .join(sampling, on="person_id", maintain_order="left")
        .with_columns((pl.col("days") * pl.col("weight")).alias("weight"))
    )
    return [
        ("all", sampling),
        ("on", days.filter(pl.col("on_opioid") == 1).select("person_id", "weight")),
        ("off", days.filter(pl.col("on_opioid") == 0).select("person_id", "weight")),
    ]


def build(cohort: pl.DataFrame, person_time: pl.DataFrame, covariates: list[str], exposure: str) -> pl.DataFrame:
    """Display ``table_one``: means and SDs, or shares by level, of every covariate in every group.

    ``persons`` are the people behind the cell, ``of_persons`` those of the group with the value known (for the level
    ``missing``: all of the group). ``smd`` compares the exposed with the unexposed group and stands on the rows of
    the exposed; its denominator comes from the people, each counted once per group.
    """
    members = groups(cohort, person_time, exposure)
    rows = [row for name in covariates for row in _covariate(name, cohort.select("person_id", name), members)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _covariate(name: str, values: pl.DataFrame, members: list[Group]) -> list[dict[str, Any]]:
    series = values[name]
    known = series.drop_nulls()
    rows: list[dict[str, Any]] = []
    if known.is_empty():
        pass  # nothing but the row of missing values
    elif series.dtype == pl.String:
        for level in _levels(series):
            rows += _rows(name, level, "share", values.with_columns(_level(series, level)), members)
    elif known.cast(pl.Float64).is_in([0.0, 1.0]).all():
        rows += _rows(name, "yes", "share", values, members)
    else:
        rows += _rows(name, "", "mean_sd", values, members)
    if series.null_count():
        rows += _rows(name, MISSING, "share", values.with_columns(series.is_null()), members)
    return rows


def _levels(series: pl.Series) -> list[str]:
    counts = series.drop_nulls().value_counts(name="persons")
    smallest = 1 if series.name in CLOSED else SMALLEST_LEVEL
    common = counts.filter(pl.col("persons") >= smallest)[series.name].sort().to_list()
    return common if len(common) == counts.height else [*common, RARE]


def _level(series: pl.Series, level: str) -> pl.Series:
    """1 in the level, 0 in another, null unknown."""
    if level != RARE:
        return series == level
    common = [name for name in _levels(series) if name != RARE]
    return series.is_in(common).not_()


def _rows(name: str, level: str, statistic: str, values: pl.DataFrame, members: list[Group]) -> list[dict[str, Any]]:
    """One row per group for one column of numbers (null = unknown)."""
    sides: list[tuple[str, Floats, Floats]] = []
    for group, people in members:
        joined = people.join(values, on="person_id", maintain_order="left").sort("person_id")
        sides.append((group, joined[name].cast(pl.Float64).to_numpy(), joined["weight"].to_numpy()))
    smd = None
    if len(sides) == 3:
        (_, x1, w1), (_, x0, w0) = sides[1:]
        exposed = np.repeat([1, 0], [len(x1), len(x0)])
        smd = float(standardised_difference(np.concatenate([x1, x0]), exposed, np.concatenate([w1, w0]))[0])
    rows = []
    for position, (group, x, w) in enumerate(sides):
        known = np.isfinite(x)
        mean, sd = _weighted(x[known], w[known])
        share = statistic == "share"
        rows.append(
            {
                "variable": name, "level": level, "statistic": statistic, "group": group,
                "persons": int((x[known] == 1).sum()) if share else int(known.sum()), "of_persons": int(known.sum()),
                "mean": None if share else mean, "sd": None if share else sd, "share": mean if share else None,
                "smd": smd if position == 1 and smd is not None and np.isfinite(smd) else None,
            }
        )  # fmt: skip
    return rows


def _weighted(x: Floats, w: Floats) -> tuple[float | None, float | None]:
    """Weighted mean and SD; None where they do not exist."""
    if not len(x) or w.sum() <= 0:
        return None, None
    mean = float(np.average(x, weights=w))
    if len(x) < 2:
        return mean, None
    # reliability weights: unbiased for equal weights, where it is the sample variance
    size = w.sum() - (w**2).sum() / w.sum()
    return mean, float(np.sqrt((w * (x - mean) ** 2).sum() / size))
