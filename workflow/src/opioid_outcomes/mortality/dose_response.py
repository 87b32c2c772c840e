"""Display ``dose_response``: hazard ratio by current dose against off opioids, a natural spline. Descriptive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.mortality import cox_model
from opioid_outcomes.mortality.contrasts import Missing
from opioid_outcomes.mortality.hazard_ratio import FEWEST_DEATHS
from opioid_outcomes.survival import cox, design_matrix, normal, splines
from opioid_outcomes.survival.risk_sets import Floats

QUANTILES = (0.1, 0.5, 0.9)  # of dose over time on: Harrell, Regression Modeling Strategies (2015), section 2.4.6
POINTS = (0.05, 0.95)  # the curve is shown between these quantiles of dose
STEP = 5.0  # MME/day between points of the curve


def dose_response(person_time: pl.DataFrame, baseline: Sequence[str], missing: Missing) -> pl.DataFrame:
    """Log hazard ratio at doses between the 5th and 95th percentile of time on, with pointwise 95 % limits.

    One model: on at a known dose, and a natural spline of that dose with knots at its 10th, 50th and 90th percentile,
    beside all of ``baseline``; off is the reference, time on at an unknown dose is left out. No rows where there are
    fewer than ten deaths on a known dose or the dose hardly varies.
    """
    nothing = DISPLAYS["dose_response"].empty()
    weighted = person_time["survey_weight"].null_count() < person_time.height
    rows = person_time.filter(
        (pl.col("on_opioid") == 0) | ((pl.col("on_opioid") == 1) & pl.col("mme").is_not_null()),
        pl.col("survey_weight").fill_null(0) > 0 if weighted else pl.lit(True),
    )
    design = design_matrix.build(rows, baseline, missing=missing)
    rows = rows.filter(pl.Series(design.keep))
    on = rows.filter(pl.col("on_opioid") == 1)
    if int(on["death"].sum() or 0) < FEWEST_DEATHS:
        return nothing
    spread = _quantiles(on, (*QUANTILES, *POINTS))
    knots = np.unique(spread[:3])
    if len(knots) < 2:
        return nothing
    using = rows["on_opioid"].to_numpy().astype(float)
    terms = _terms(using, rows["mme"].fill_null(0).to_numpy(), knots)
    names = ["on", *(f"dose {j}" for j in range(1, terms.shape[1]))]
    try:
        model = cox_model.fit(rows, terms, names, design, weighted=weighted)
    except cox.CoxFailure:
        return nothing
    doses = np.unique(np.round(np.arange(spread[3], spread[4] + STEP / 2, STEP) / STEP) * STEP)
    at = _terms(np.ones(len(doses)), doses, knots)
    log_hr, se = at @ model.params, np.sqrt(np.einsum("ij,jk,ik->i", at, model.covariance, at))
    people = [on.filter(pl.col("mme") >= dose)["person_id"].n_unique() for dose in doses]  # a few dozen doses
    return pl.DataFrame(
        {
            "mme": doses,
            "persons": people,
            "log_hr": log_hr,
            "ci_low": log_hr - normal.Z * se,
            "ci_high": log_hr + normal.Z * se,
        },
        schema=nothing.schema,
    )


def _terms(using: Floats, dose: Floats, knots: Floats) -> Floats:
    """Columns: on, and the spline of dose among those on, less its value at the middle knot."""
    middle = splines.natural(np.array([np.median(knots)]), knots)
    return np.column_stack([using, (splines.natural(dose, knots) - middle) * using[:, None]])


def _quantiles(on: pl.DataFrame, levels: Sequence[float]) -> Floats:
    """Quantiles of dose over days on."""
    dose, days = on["mme"].to_numpy(), (on["stop"] - on["start"]).to_numpy()
    order = np.argsort(dose, kind="stable")
    share = np.cumsum(days[order]) / days.sum()
    return np.asarray(dose[order][np.searchsorted(share, levels)])
