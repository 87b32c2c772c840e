"""Multiple imputation of baseline covariates by chained equations, and the combination of what is fitted to each copy.

White IR, Royston P, Wood AM. Stat Med 2011;30:377; with the event and the cumulative hazard in every model (White IR,
Royston P. Stat Med 2009;28:1982). The chains are those of statsmodels (predictive mean matching).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

IMPUTATIONS = 20  # White et al. 2011, section 7: at least as many as per cent of people with something missing
BURN_IN = 10  # cycles before the first copy, and between copies
FEWEST_PER_TERM = 2  # observed values for each term of a linear model; with fewer a column stays as it is
DONORS = 5  # Morris TP et al. BMC Med Res Methodol 2014;14:75


@dataclass(frozen=True)
class Pooled:
    """The estimate, its standard error, degrees of freedom, and the share of the variance that missing values make."""

    estimate: float
    se: float
    degrees: float
    missing_share: float


def cumulative_hazard(start: npt.ArrayLike, stop: npt.ArrayLike, event: npt.ArrayLike) -> Floats:
    """Nelson-Aalen estimate between each person's start and stop, (n,): the form in which time enters imputation."""
    begins, ends, died = np.asarray(start, float), np.asarray(stop, float), np.asarray(event).astype(bool)
    times, deaths = np.unique(ends[died], return_counts=True)
    at_risk = np.searchsorted(np.sort(begins), times, side="left") - np.searchsorted(np.sort(ends), times, side="left")
    total = np.r_[0.0, np.cumsum(deaths / at_risk)]
    return np.asarray(
        total[np.searchsorted(times, ends, side="right")] - total[np.searchsorted(times, begins, side="right")]
    )


def completed(
    frame: pl.DataFrame, columns: Sequence[str], *, known: Sequence[str], imputations: int = IMPUTATIONS, seed: int
) -> list[pl.DataFrame]:
    """``imputations`` copies of ``frame`` (one row per person) in which missing values of ``columns`` are drawn.

    ``columns``: numbers, yes or no, and texts of two levels; a text of more levels enters the models by its levels but
    stays missing, as predictive mean matching has no order to match on. ``known``: numeric columns without missing
    values that enter every model beside ``columns`` (exposure, event, cumulative hazard). Values are drawn from
    observed ones.
    A column with too few observed values for its model stays.
    The copies are the same for the same rows, order and seed. Cost: a linear model per column with something missing,
    per cycle of the chain, ``BURN_IN`` cycles per copy.
    """
    coded = {name: _coded(frame[name]) for name in columns}
    usable = {name: values for name, values in coded.items() if values is not None}
    few = FEWEST_PER_TERM * (len(columns) + len(known) + 1)
    usable = {name: values for name, values in usable.items() if np.isfinite(values).sum() >= few}
    wanted = [name for name, values in usable.items() if np.isnan(values).any()]
    if not wanted:
        return [frame]
    import pandas as pd
    from statsmodels.imputation.mice import MICEData

    table = pd.DataFrame({f"v{j}": usable[name] for j, name in enumerate(usable)})
    for j, name in enumerate(known):
        table[f"k{j}"] = frame[name].to_numpy().astype(float)
    for j, name in enumerate(name for name, values in coded.items() if values is None):
        for k, level in enumerate(_levels(frame[name])[1:]):
            table[f"l{j}_{k}"] = (frame[name].cast(pl.String) == level).fill_null(False).to_numpy().astype(float)
    table = table.loc[:, (table.std(skipna=True) > 0) | table.isna().any()]
    copies = []
    chain = MICEData(table, k_pmm=DONORS, rng=np.random.default_rng(seed))
    places = {name: f"v{j}" for j, name in enumerate(usable)}
    for _ in range(imputations):
        chain.update_all(BURN_IN)
        drawn = {name: chain.data[places[name]].to_numpy().copy() for name in wanted}
        copies.append(frame.with_columns(_decoded(frame[name], values) for name, values in drawn.items()))
    return copies


def pool(estimates: npt.ArrayLike, variances: npt.ArrayLike) -> Pooled:
    """Rubin DB (1987) Multiple Imputation for Nonresponse in Surveys, eq. 3.1.2-3.1.10; degrees of freedom 3.1.6."""
    values, within = np.asarray(estimates, float), float(np.mean(np.asarray(variances, float)))
    m = len(values)
    between = float(values.var(ddof=1)) if m > 1 else 0.0
    total = within + (1 + 1 / m) * between
    share = (1 + 1 / m) * between / total if total > 0 else 0.0
    degrees = (m - 1) / share**2 if share > 0 else np.inf
    return Pooled(float(values.mean()), float(np.sqrt(total)), float(degrees), share)


def _coded(values: pl.Series) -> Floats | None:
    """As numbers with NaN for missing: a text of two levels is 0 and 1 in their order; None if it cannot be imputed."""
    if values.null_count() == len(values):
        return None
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    levels = _levels(values)
    if len(levels) > 2:
        return None
    places = {level: float(j) for j, level in enumerate(levels)}
    return (
        values.cast(pl.String)
        .replace_strict(places, default=None, return_dtype=pl.Float64)
        .fill_null(float("nan"))
        .to_numpy()
    )


def _levels(values: pl.Series) -> list[str]:
    return sorted(values.drop_nulls().cast(pl.String).unique())


def _decoded(original: pl.Series, drawn: Floats) -> pl.Series:
    """The drawn values in the type of the column; what was observed stays to the letter."""
    if original.dtype == pl.Boolean:
        filled = pl.Series(drawn == 1)
    elif original.dtype.is_numeric():
        filled = pl.Series(drawn).cast(original.dtype)
    else:
        levels = _levels(original)
        filled = pl.Series([levels[int(value)] for value in drawn]).cast(original.dtype)
    return pl.select(pl.coalesce(original, filled).alias(original.name)).to_series()
