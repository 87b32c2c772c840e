"""What was planted in simulated cohorts beside what was found."""

from __future__ import annotations

import polars as pl

KEY = ["cohort", "analysis", "method", "outcome", "contrast", "window", "scale"]
COLUMNS = [*KEY, "truth", "estimate", "se", "z", "description"]


def compare(truths: list[dict[str, object]], estimates: pl.DataFrame) -> pl.DataFrame:
    """Each planted number with the estimate meant to recover it.

    truths: records of ``truth.json`` with their cohort; ``se`` there is the Monte Carlo error of the truth itself. One
    with a ``population`` is that of this population's estimate only.
    z = (estimate - truth) / sqrt(se^2 + se of the truth^2); null where nothing was estimated.
    """
    schema = dict.fromkeys(KEY, pl.String()) | {
        "truth": pl.Float64(),
        "truth_se": pl.Float64(),
        "description": pl.String(),
        "population": pl.String(),
    }
    records = [{**truth, "truth_se": truth.get("se", 0.0)} for truth in truths]
    planted = pl.DataFrame([{name: record.get(name) for name in schema} for record in records], schema=schema)
    found = estimates.filter(pl.col("spec") == "main").select(*KEY, "population", "estimate", "se")
    of_one = planted.filter(pl.col("population").is_not_null()).join(
        found, on=[*KEY, "population"], how="left", maintain_order="left"
    )
    of_any = (
        planted.filter(pl.col("population").is_null())
        .drop("population")
        .join(found, on=KEY, how="left", maintain_order="left")
    )
    error = (pl.col("se").pow(2) + pl.col("truth_se").pow(2)).sqrt()
    return (
        pl.concat([of_any, of_one.select(of_any.columns)])
        .with_columns(z=(pl.col("estimate") - pl.col("truth")) / error)
        .select(COLUMNS)
    )
