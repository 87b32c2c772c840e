"""Weights of worlds and reference data that several tests use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from longitudinal import Rows

from opioid_outcomes.causal import time_varying_weights as tvw
from opioid_outcomes.survival import splines

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"


def reference() -> tuple[pl.DataFrame, tvw.Weights, tvw.Weights]:
    """The rows of marginal_structural.R, their treatment and their censoring weights."""
    d = pl.read_csv(REFERENCE / "marginal_structural.csv")
    column = {name: d[name].to_numpy().astype(float) for name in d.columns}
    time = splines.natural(column["period"], [0, 3, 6, 9])
    x = np.column_stack([time, column["age"], column["female"], column["l"]])
    names = ["t1", "t2", "t3", "age", "female", "l"]
    treatment = tvw.treatment_weights(
        column["id"], column["period"], column["a"], x[:, :5], x, numerator_names=names[:5], denominator_names=names,
        strata=column["past"],
    )  # fmt: skip
    z = np.column_stack([column[name] for name in ("period", "a", "past", "age", "female", "l")])
    names = ["period", "a", "past", "age", "female", "l"]
    censoring = tvw.censoring_weights(
        column["id"], column["period"], column["lost"], z[:, :5], z, numerator_names=names[:5], denominator_names=names
    )
    return d, treatment, censoring


def of_young(r: Rows, **more: np.ndarray) -> tvw.Weights:
    x = np.column_stack([r.past, r.confounder, r.confounder_before])
    return tvw.treatment_weights(
        r.person, r.period, r.treated, x[:, :1], x, numerator_names=["past"],
        denominator_names=["past", "l", "l before"], **more,
    )  # fmt: skip
