"""Display ``survival``: survival by current opioid use (or use at the interview), without immortal time."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality.contrasts import Exposure, main_contrast
from opioid_outcomes.survival import kaplan_meier

EXPOSURE_NAMES = {"time_varying": "current use", "baseline": "baseline use"}
COUNTS = DISPLAYS["survival"].counts
FEWEST_AT_RISK = 10  # from which a curve begins; METHODS C6 ends restricted means at the last 10 at risk


def survival_curves(person_time: pl.DataFrame, horizons_days: Sequence[int], *, exposure: Exposure) -> pl.DataFrame:
    """Steps of the survival curve per group, with rows at the horizons too (display ``survival``).

    By current use a curve is that of a hypothetical person who stays in the group from entry on: people enter it and
    leave it as their use changes (Simon & Makuch 1984). Weighted where the cohort is a sample with weights.
    """
    contrast = main_contrast(exposure)
    schema = {"exposure": pl.String, "group": pl.String, **dict.fromkeys(("day", *COUNTS), pl.Int64)}
    schema |= dict.fromkeys(DISPLAYS["survival"].values, pl.Float64)
    weighted = person_time["survey_weight"].null_count() < person_time.height
    if contrast is None:
        return pl.DataFrame(schema=schema)
    rows = person_time.filter(
        contrast.exposure.is_not_null(), pl.col("survey_weight").fill_null(0) > 0 if weighted else pl.lit(True)
    )
    if rows.is_empty():
        return pl.DataFrame(schema=schema)
    first, second = contrast.arms
    rows = rows.select(
        pl.col("person_id").alias("person"),
        pl.when(contrast.exposure == 1).then(pl.lit(first)).otherwise(pl.lit(second)).alias("group"),
        "start",
        "stop",
        pl.col("death").alias("event"),
        (pl.col("survey_weight") if weighted else pl.lit(1.0)).alias("weight"),
    )
    curves = kaplan_meier.survival_by_group(rows, days=horizons_days, fewest=FEWEST_AT_RISK)
    return curves.select(
        pl.lit(EXPOSURE_NAMES[exposure]).alias("exposure"),
        *(pl.col(name).cast(schema[name]) for name in list(schema)[1:-1]),
        pl.lit(float(weighted)).alias("weighted"),
    )
