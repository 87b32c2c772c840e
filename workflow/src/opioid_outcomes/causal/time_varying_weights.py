"""Inverse-probability weights for treatments decided, and observation lost, period by period.

Robins, Hernan & Brumback (2000) Epidemiology 11:550; Hernan, Brumback & Robins (2000) Epidemiology 11:561; truncation
and diagnostics: Cole & Hernan (2008) Am J Epidemiol 168:656. Rows are sorted by person and period throughout, one row
per person and period. The stabilised weight of a row is the product, over the person's periods so far, of

    f(A_k | past treatment, V) / f(A_k | past treatment, V, covariates so far)

from pooled logistic regressions. What the numerator is given (V) must be in the outcome model too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_regression import BinaryFit, RegressionFailure
from opioid_outcomes.survival.clusters import known
from opioid_outcomes.survival.products import cross, sums_by
from opioid_outcomes.survival.risk_sets import Floats, Ints

Reals = npt.NDArray[np.floating[Any]]  # designs of single precision take half the memory
BLOCK = 65_536  # rows held at a time
MANY, SAMPLED = 200_000, 16  # rows of a large regression, and every how many-th finds where to begin
RIDGE = 1e-5  # where the likelihood has no maximum: per row, on standardised coefficients
FEWEST = 1e-12  # a probability is not taken as smaller: rounding, not data


@dataclass(frozen=True)
class Model:
    """One fitted model of what happened, of the rows with these places; ``probability`` of a 1 in each.

    ``sign``: 1 in the numerator, -1 in the denominator. ``design``: of all rows, the caller's own array. ``params``:
    constant first; empty where everybody did the same, and there was nothing to be fitted. ``bread`` and ``scores`` are
    of the columns less ``centre``, over ``spread``, so that columns far from 0 cost no digits.
    """

    sign: int
    rows: Ints
    design: Reals
    outcome: Floats
    probability: Floats
    params: Floats
    bread: Floats
    centre: Floats
    spread: Floats

    @property
    def fitted(self) -> bool:
        return len(self.params) > 0

    def scores(self, begin: int, end: int) -> tuple[Ints, Floats]:
        """Places from begin to end, and the derivative of their log likelihoods in the coefficients."""
        part = slice(*np.searchsorted(self.rows, [begin, end]))
        rows = self.rows[part]
        residual = (self.outcome[part] - self.probability[part])[:, None]
        return rows, np.column_stack([residual, (self.design[rows] - self.centre) / self.spread * residual])


@dataclass(frozen=True)
class Weights:
    """``values``: the weight of each row; ``factors``: of each row's own decision, 1 where there was none.

    ``probability``: of a 1 at each decision by the denominator, NaN where there was none. ``lagged``: a row's weight
    holds the factors of earlier rows only (censoring: what happens at the end of a period weights the next).
    """

    values: Floats
    factors: Floats
    probability: Floats
    models: tuple[Model, ...]
    lagged: bool
    notes: tuple[str, ...] = ()
    separated: tuple[str, ...] = ()  # columns that tell some decisions for sure


def treatment_weights(
    person: npt.ArrayLike,
    period: npt.ArrayLike,
    treated: npt.ArrayLike,
    numerator: Reals,
    denominator: Reals,
    *,
    numerator_names: Sequence[str],
    denominator_names: Sequence[str],
    at_risk: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    counts: npt.ArrayLike | None = None,
) -> Weights:
    """Stabilised weights for the treatment received in each period.

    person, period: (n,) sorted. treated: (n,) 0/1, the status ON the period's first day. numerator, denominator:
    (n, p) and (n, q) designs without a constant, known before that day: past treatment, time and baseline; the
    denominator with the time-varying covariates besides. at_risk: (n,) False where nothing is decided (factor 1).
    strata: (n,) models apart within each, such as by treatment in the period before. counts: (n,) how often each row
    counts in the models (a bootstrap's replicate of persons); the weights returned do not hold it.

    Columns that add nothing are left out, and noted. Where columns tell some decisions for sure (``separated``), the
    model is fitted with a slight ridge, whose limit it is: those probabilities are near 0 or 1, for a gate to judge.
    RegressionFailure where there is no estimate even so, ValueError of no rows. Cost: two pooled logistic regressions.
    """
    index = _sorted(person, period)
    return _weights(
        index, np.asarray(treated, dtype=float), numerator, denominator, numerator_names, denominator_names, at_risk,
        strata, counts, lagged=False,
    )  # fmt: skip


def censoring_weights(
    person: npt.ArrayLike,
    period: npt.ArrayLike,
    censored: npt.ArrayLike,
    numerator: Reals,
    denominator: Reals,
    *,
    numerator_names: Sequence[str],
    denominator_names: Sequence[str],
    at_risk: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    counts: npt.ArrayLike | None = None,
) -> Weights:
    """Stabilised weights for being still observed: 1 - probability of leaving, of the periods before the row's.

    censored: (n,) 1 in the period in which observation is lost; death is not loss. The designs may hold the treatment
    of the period. A row's weight is the product over earlier periods: who leaves within a period is counted until then.
    Where nobody leaves every weight is 1. Else as ``treatment_weights``.
    """
    index = _sorted(person, period)
    return _weights(
        index, np.asarray(censored, dtype=float), numerator, denominator, numerator_names, denominator_names, at_risk,
        strata, counts, lagged=True,
    )  # fmt: skip


def truncate(weights: Floats, low: float, high: float) -> Floats:
    """Weights cut at two of their percentiles (0 and 100: as they are). Trades bias for precision."""
    if not 0 <= low < high <= 100:
        raise ValueError("percentiles must be 0 <= low < high <= 100")
    if not len(weights) or not np.isfinite(weights).all():
        raise ValueError("weights to be cut must be there, known and finite")
    bounds = np.percentile(weights, [low, high])
    return np.clip(weights, *bounds)


def diagnostics(period: npt.ArrayLike, weights: Floats) -> pl.DataFrame:
    """Per period: persons, mean, p99, largest and effective sample size (sum w)^2 / sum w^2 of their weights."""
    periods, place = np.unique(np.asarray(period), return_inverse=True)
    order = np.lexsort((weights, place))
    size = np.bincount(place)
    last = np.cumsum(size) - 1
    total, squares = np.bincount(place, weights), np.bincount(place, weights**2)
    ranked = weights[order]
    with np.errstate(invalid="ignore", divide="ignore"):
        ess = np.where(squares > 0, total**2 / squares, 0.0)
    return pl.DataFrame(
        {
            "period": periods, "persons": size, "mean": total / size,
            "p99": ranked[last - (0.01 * (size - 1)).astype(int)], "largest": ranked[last], "ess": ess,
        }
    )  # fmt: skip


def estimation_influence(weights: Weights, person: npt.ArrayLike, scores: Floats) -> Floats:
    """What having estimated the weights adds to each person's share of weighted estimating equations, (persons, q).

    scores: (n, q) rows of the outcome model's weighted estimating equations. Add the result to their sums by person
    before the sandwich: without it the standard error is that of known weights, as a rule too wide (Robins 1998;
    Lunceford & Davidian (2004) Stat Med 23:2937). The derivative of a row's log weight in a model's coefficients is the
    sum of that model's scores over the person's decisions so far, so that each decision's score meets the sum of the
    estimating equations of that and all later rows (later rows, if lagged). Cost: one pass per model over n x q x p.
    """
    ids = _dense(person)
    models = [model for model in weights.models if model.fitted]
    slopes = [np.zeros((scores.shape[1], len(model.params))) for model in models]
    people = [np.zeros((int(ids.max()) + 1, len(model.params))) for model in models]
    for begin, end in _blocks(ids):
        ahead = _sums_ahead(ids[begin:end] - ids[begin], scores[begin:end])
        if weights.lagged:
            ahead -= scores[begin:end]
        for model, slope, sums in zip(models, slopes, people, strict=True):
            rows, own = model.scores(begin, end)
            if len(rows):
                slope[:] = slope + cross(ahead[rows - begin], own)
                of_each = sums_by(ids[rows] - ids[begin], own)
                sums[ids[begin] : ids[begin] + len(of_each)] += of_each
    result = np.zeros((int(ids.max()) + 1, scores.shape[1]))
    for model, slope, sums in zip(models, slopes, people, strict=True):
        result += model.sign * (sums @ (slope @ model.bread).T)
    return result


def _blocks(ids: Ints) -> Iterator[tuple[int, int]]:
    """Stretches of rows of whole persons, of ``BLOCK`` rows or a little more."""
    ends = np.append(np.flatnonzero(np.diff(ids)) + 1, len(ids))
    begin = 0
    while begin < len(ids):
        end = int(ends[min(int(np.searchsorted(ends, begin + BLOCK)), len(ends) - 1)])
        yield begin, end
        begin = end


def _weights(  # noqa: PLR0917 - one path for both kinds
    index: Ints,
    outcome: Floats,
    numerator: Reals,
    denominator: Reals,
    numerator_names: Sequence[str],
    denominator_names: Sequence[str],
    at_risk: npt.ArrayLike | None,
    strata: npt.ArrayLike | None,
    counts: npt.ArrayLike | None,
    *,
    lagged: bool,
) -> Weights:
    n = len(outcome)
    if not n:
        raise ValueError("there are no rows to be weighted")
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise ValueError("what happened must be 0 or 1")
    for x, names in ((numerator, numerator_names), (denominator, denominator_names)):
        if x.shape != (n, len(names)):
            raise ValueError(f"a design must be {n} rows x {len(names)} named columns, is {x.shape}")
    decides = np.ones(n, dtype=bool) if at_risk is None else np.asarray(at_risk, dtype=bool)
    groups = (
        np.zeros(n, dtype=np.int64) if strata is None else np.unique(known(strata, "strata"), return_inverse=True)[1]
    )
    factors, probability = np.ones(n), np.full(n, np.nan)
    models: list[Model] = []
    notes: list[str] = []
    separated: list[str] = []
    for group in range(int(groups.max()) + 1):
        rows = np.flatnonzero(decides & (groups == group))
        if not len(rows):
            continue
        below_x = denominator if len(rows) == n else denominator[rows]
        nested = _leading(numerator, denominator)
        above_x = below_x[:, : numerator.shape[1]] if nested else numerator if len(rows) == n else numerator[rows]
        y, often = outcome[rows], None if counts is None else np.asarray(counts, dtype=float)[rows]
        search = _Search(notes, separated)
        above = Model(1, rows, numerator, y, *search.fit(above_x, y, numerator_names, often))
        below = Model(-1, rows, denominator, y, *search.fit(below_x, y, denominator_names, often))
        factors[rows] = _received(above, lagged) / _received(below, lagged)
        probability[rows] = below.probability
        models += [above, below]
    values = _product(index, factors, lagged=lagged)
    return Weights(
        values,
        factors,
        probability,
        tuple(models),
        lagged,
        tuple(dict.fromkeys(notes)),
        tuple(dict.fromkeys(separated)),
    )


def _received(model: Model, lagged: bool) -> Floats:
    """Probability of what happened; of staying, for censoring: the row in which somebody leaves weights nothing."""
    gone = np.zeros_like(model.outcome) if lagged else model.outcome
    return np.maximum(np.where(gone == 1, model.probability, 1 - model.probability), FEWEST)


def _leading(numerator: Reals, denominator: Reals) -> bool:
    """Whether the numerator is the denominator's first columns, the same memory: what is copied is copied once."""
    return (
        numerator.strides == denominator.strides
        and numerator.__array_interface__["data"] == denominator.__array_interface__["data"]
    )


@dataclass(frozen=True)
class _Search:
    """Pooled logistic models; ``notes`` and ``separated`` collect what had to be done."""

    notes: list[str]
    separated: list[str]

    def fit(self, x: Reals, y: Floats, names: Sequence[str], counts: Floats | None) -> tuple[Floats, ...]:
        """Probabilities, and ``Model``'s numbers. Columns that say nothing beyond the others change no probability."""
        told = y if counts is None else y[counts > 0]
        if not len(told) or told.min() == told.max():
            return np.full(len(y), told[0] if len(told) else 0.0), *(np.zeros(0),) * 4
        try:
            start = _beginning(x, y, names)
            fit = binary_regression.fit(x, y, names=names, weights=counts, redundant="drop", start=start)
        except RegressionFailure as failure:
            if failure.reason not in ("separation", "no convergence"):
                raise
            self.separated.extend(failure.columns)
            return _penalised(x, y, names, counts)
        self.notes.extend(f"no further information in {name}" for name, _ in fit.dropped)
        return _told(fit, np.arange(x.shape[1]), x.shape[1])


def _told(fit: BinaryFit, columns: Ints, p: int) -> tuple[Floats, ...]:
    """Of a fit to these of p columns: probabilities, coefficients, bread, centre and spread; 0 of those left out."""
    kept = columns[fit.design.active]
    params, bread, centre, spread = np.zeros(1 + p), np.zeros((1 + p, 1 + p)), np.zeros(p), np.ones(p)
    params[np.r_[0, 1 + columns]] = fit.params
    bread[np.ix_(np.r_[0, 1 + kept], np.r_[0, 1 + kept])] = fit.scaled_bread
    centre[kept], spread[kept] = fit.design.centre[fit.design.active], fit.design.spread[fit.design.active]
    return fit.fitted, params, bread, centre, spread


def _penalised(x: Reals, y: Floats, names: Sequence[str], counts: Floats | None) -> tuple[Floats, ...]:
    """The same with a slight ridge, constant columns apart (which it would not see)."""
    moves = np.ptp(x, axis=0) > 0
    kept = [name for name, one in zip(names, moves, strict=True) if one]
    fit = binary_regression.fit(x[:, moves], y, names=kept, weights=counts, ridge=RIDGE)
    return _told(fit, np.flatnonzero(moves), len(moves))


def _beginning(x: Reals, y: Floats, names: Sequence[str]) -> Floats | None:
    """Where a sample of many rows says that the search begins: fewer passes over everybody."""
    if len(y) <= MANY:
        return None
    try:
        return binary_regression.fit(x[::SAMPLED], y[::SAMPLED], names=names).params
    except RegressionFailure:
        return None


def _sorted(person: npt.ArrayLike, period: npt.ArrayLike) -> Ints:
    """Persons numbered from 0, of rows checked to be sorted by person and period."""
    index, periods = _dense(person), np.asarray(period)
    if (np.diff(periods)[np.diff(index) == 0] <= 0).any():
        raise ValueError("rows must be sorted by person and period, one row for each")
    return index


def _dense(person: npt.ArrayLike) -> Ints:
    ids = np.asarray(person)
    if (ids[1:] < ids[:-1]).any():
        raise ValueError("rows must be sorted by person")
    return np.concatenate([[0], np.cumsum(ids[1:] != ids[:-1])])[: len(ids)].astype(np.int64)


def _product(index: Ints, factors: Floats, *, lagged: bool) -> Floats:
    """Product within persons up to each row, or up to the row before."""
    logs = np.log(factors)
    so_far = np.cumsum(logs)
    first = np.concatenate([[True], np.diff(index) != 0])[: len(logs)]
    before = (so_far - logs)[first][np.cumsum(first) - 1] if len(logs) else so_far
    within = so_far - before - (logs if lagged else 0.0)
    return np.where(first & lagged, 1.0, np.exp(within)) if len(logs) else so_far


def _sums_ahead(index: Ints, scores: Floats) -> Floats:
    """Sum of each row's and the person's later rows' values."""
    so_far = np.cumsum(scores, axis=0)
    last = np.concatenate([np.diff(index) != 0, [True]])[: len(scores)]
    ends = so_far[last]
    return ends[index] - so_far + scores
