"""A Cox model of death on person-time: exposures beside the columns of a design, with what makes it computable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.mortality.person_years import amount
from opioid_outcomes.survival import cox, design_matrix, survey
from opioid_outcomes.survival.risk_sets import Floats


@dataclass(frozen=True)
class Model:
    """Log hazard ratios of the exposures (k,) with their covariance (k, k), the fit they come from, and its notes."""

    params: Floats
    covariance: Floats
    fitted: cox.CoxFit
    notes: tuple[str, ...]


def fit(
    rows: pl.DataFrame, exposures: Floats, names: Sequence[str], design: design_matrix.Design, *, weighted: bool
) -> Model:
    """Fit, leaving out covariate columns that say nothing: that changes no hazard ratio, only makes it computable.

    rows: PERSON_TIME (start, stop, death, person_id, survey_weight, stratum, cluster); exposures: (n, k), named.
    Raises CoxFailure where an exposure has no estimate.
    """
    died = rows["death"].to_numpy() == 1
    weights = rows["survey_weight"].to_numpy().astype(float) if weighted else np.ones(rows.height)
    silent, x, covariates, notes = _without_deathless_levels(design.x, design.names, died & (weights > 0))
    weights = np.where(silent, 0.0, weights)
    told = amount(rows.filter(pl.Series(weights > 0)))
    if told.persons == told.events:  # what is left tells of nobody who lived
        raise cox.CoxFailure("separation", [covariate(name) for name in design.names if name not in covariates])
    start, stop = rows["start"].to_numpy(), rows["stop"].to_numpy()
    person = rows["person_id"].rank("dense").to_numpy()
    while True:
        try:
            fitted = cox.fit(
                start, stop, died, np.column_stack([exposures, x]), names=[*names, *covariates], weights=weights,
                cluster=person,
            )  # fmt: skip
            break
        except cox.CoxFailure as failure:
            redundant = _redundant(failure, names)
            notes += [f"no further information in a term of {covariate(name)}" for name in redundant]
            x = x[:, [name not in redundant for name in covariates]]
            covariates = [name for name in covariates if name not in redundant]
    covariance, about = _covariance(fitted, rows)
    k = len(names)
    if not (np.diag(covariance)[:k] > 0).all():
        raise cox.CoxFailure("its standard error is 0")
    return Model(fitted.params[:k], covariance[:k, :k], fitted, (*design.notes, *notes, about))


def _without_deathless_levels(
    x: Floats, names: Sequence[str], died: np.ndarray
) -> tuple[np.ndarray, Floats, list[str], list[str]]:
    """Rows of a category in which nobody dies, and the columns without those categories.

    Their coefficient runs to minus infinity, where their risk is 0: leaving them out is that limit, exactly.
    """
    silent = np.zeros(len(x), dtype=bool)
    kept, notes = [], []
    for j, name in enumerate(names):
        level = x[:, j] == x[:, j].max()
        two_valued = bool((level | (x[:, j] == x[:, j].min())).all())
        if two_valued and not level[died].any():
            silent |= level
            notes.append(f"no deaths in a category of {covariate(name)}")
        elif two_valued and level[died].all():
            silent |= ~level
            notes.append(f"deaths in one category of {covariate(name)} only")
        else:
            kept.append(j)
    return silent, x[:, kept], [names[j] for j in kept], notes


def covariate(term: str) -> str:
    """The covariate of a term of the design, without its level: a level may be one person's."""
    return term.split("=", maxsplit=1)[0]


def _redundant(failure: cox.CoxFailure, exposures: Sequence[str]) -> tuple[str, ...]:
    """Covariate columns that can go; what concerns an exposure, or is no redundancy, stays a failure."""
    if set(exposures) & set(failure.columns) or failure.reason not in ("collinear", "no variation"):
        raise failure
    return failure.columns if failure.reason == "no variation" else failure.columns[-1:]


def _covariance(fitted: cox.CoxFit, rows: pl.DataFrame) -> tuple[Floats, str]:
    """The covariance of the sampling design if the cohort has one, else clustered by person; and what it is."""
    strata = None if rows["stratum"].is_null().all() else rows["stratum"].fill_null("")
    alone = pl.format("person {}", "person_id")  # who is in no sampling unit is one
    units = None if rows["cluster"].is_null().all() else rows.select(pl.coalesce("cluster", alone)).to_series()
    if strata is None and units is None:
        return fitted.robust_covariance, "SE clustered by person"
    members = rows["person_id"].rank("dense") if units is None else units.rank("dense")
    result = survey.design_covariance(
        fitted.residuals("dfbeta"), strata=None if strata is None else strata.rank("dense").to_numpy(),
        units=members.to_numpy(),
    )  # fmt: skip
    if result.degrees < 1:
        raise cox.CoxFailure("too few sampling units for a standard error")
    lonely = f", {result.lonely} strata with one sampling unit" if result.lonely else ""
    return result.covariance, f"SE of the sampling design, {result.degrees} degrees of freedom{lonely}"
