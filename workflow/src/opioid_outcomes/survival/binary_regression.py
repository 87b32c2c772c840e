"""Regression of a yes or no: logistic, and complementary log-log (whose coefficients are log hazard ratios by period).

McCullagh & Nelder (1989) Generalized Linear Models, ch. 4, by Newton's method over blocks of rows, so that nothing the
size of the design is copied. Agrees with R glm; robust covariance with sandwich::vcovCL (HC0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival import binary_blocks as blocks
from opioid_outcomes.survival.binary_blocks import Beside, Design, Link, Rows
from opioid_outcomes.survival.binary_search import Maximum, RegressionFailure, Search
from opioid_outcomes.survival.clusters import known, without_rounding
from opioid_outcomes.survival.risk_sets import Floats, Ints

__all__ = ["Beside", "BinaryFit", "Link", "RegressionFailure", "fit"]
INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class BinaryFit:
    """A fitted model. Arrays over coefficients follow ``names``, "(intercept)" first; arrays over rows the input.

    bread: inverse of the (penalised) expected information, (p, p). ``influence`` is each row's on the coefficients:
    ``scores() @ bread``, but without the digits that is short of where columns are far from 0, as it is formed of the
    centred, scaled columns of ``design``, with ``scaled_bread``; likewise ``times_bread``. linear_predictor: of the
    rows fitted, offset included. dropped: columns left out because they say nothing beyond the others, with the
    reason; their coefficient and its variance are 0.
    """

    names: tuple[str, ...]
    params: Floats
    bread: Floats
    covariance: Floats
    loglik: float
    n_iter: int
    link: Link
    linear_predictor: Floats
    rows: Rows
    design: Design
    scaled_bread: Floats
    dropped: tuple[tuple[str, str], ...] = ()

    @property
    def fitted(self) -> Floats:
        """Probability of each row fitted, (n,)."""
        return blocks.probability(self.linear_predictor, self.link)

    @cached_property
    def robust_covariance(self) -> Floats:
        """Sandwich of the weighted scores summed within clusters (each row its own cluster if none was given)."""
        middle = self.scaled_bread @ blocks.meat(self.design, self.linear_predictor, self.link) @ self.scaled_bread
        back = self.design.back()
        return without_rounding(back @ middle @ back.T, self.covariance, self.rows.weights)

    def scores(self) -> Floats:
        """What each row adds to the score, (n, p), with its weight; they sum to 0 (to the penalty's slope if any)."""
        residual = blocks.residuals(self.rows, self.linear_predictor, self.link)
        found = blocks.with_intercept(self.rows)
        found *= residual[:, None]
        return found

    def influence(self) -> Floats:
        """What each row, with its weight, adds to the coefficients, (n, p)."""
        residual = blocks.residuals(self.rows, self.linear_predictor, self.link)
        turn = self.scaled_bread @ self.design.back().T
        result = np.empty((len(residual), len(self.names)))
        for part, block in self.design.blocks():
            result[part] = np.einsum("nj,jk->nk", block * residual[part, None], turn, optimize=False)
        return result

    def times_bread(self, sums: Floats) -> Floats:
        """bread @ sums, (p,) or (p, k), of sums over rows of the design's columns, constant first."""
        back = self.design.back()
        return np.asarray(back @ (self.scaled_bread @ (back.T @ sums)))

    def linear(self, x: npt.ArrayLike, offset: npt.ArrayLike | None = None) -> Floats:
        """Linear predictor of other rows, (n,), from their columns without a constant, (n, p)."""
        columns = np.asarray(x)
        first = int(self.rows.intercept)
        if columns.ndim != 2 or columns.shape[1] != len(self.names) - first:
            raise ValueError(f"x must have {len(self.names) - first} columns, has shape {columns.shape}")
        known = np.zeros(len(columns)) if offset is None else np.asarray(offset, dtype=np.float64)
        constant = float(self.params[0]) if first else 0.0
        return blocks.times(columns, self.params[first:]) + constant + known

    def predict(self, x: npt.ArrayLike, offset: npt.ArrayLike | None = None) -> Floats:
        """Probability of other rows, (n,)."""
        return blocks.probability(self.linear(x, offset), self.link)


def fit(
    x: npt.ArrayLike | Beside,
    y: npt.ArrayLike,
    *,
    names: Sequence[str],
    weights: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    offset: npt.ArrayLike | None = None,
    link: Link = "logit",
    ridge: float = 0.0,
    intercept: bool = True,
    start: npt.ArrayLike | None = None,
    redundant: Literal["fail", "drop"] = "fail",
    like: Design | None = None,
) -> BinaryFit:
    """Coefficients of P(y = 1) by maximum likelihood.

    x: (n, p) numbers without a constant, p may be 0, of any real type, named by ``names``; a ``Beside`` is read as one,
    without a copy. y: (n,) 0/1. weights: (n,) >= 0. cluster: (n,) rows of one cluster are dependent (robust covariance
    only). offset: (n,) known part of the linear predictor. ridge: subtracts ridge / 2 x sum of squared standardised
    coefficients (weighted standard deviation, divisor n; not the intercept) from the mean log-likelihood, as glmnet's
    lambda at alpha = 0. start: coefficients, intercept first, where the search begins. redundant: whether a constant
    column, or one that those before it already say, is a failure or is left out and told in ``dropped``; with a ridge
    it is neither. like: design of another model whose columns x is: these are then known to be finite, and scaled as
    there (so a ridge standardises as there).

    Raises RegressionFailure when the model has no estimate, ValueError when the arguments make no sense.
    Cost: five to eight passes over the rows of p^2 each, and no memory beyond a few columns.
    """
    rows = _check(x, y, names, weights, cluster, offset, intercept=intercept, checked=like is not None)
    if link not in ("logit", "cloglog"):
        raise ValueError("link must be logit or cloglog")
    if not ridge >= 0:
        raise ValueError("ridge must be at least 0")
    events = rows.y[rows.weights > 0]
    if not events.any():
        raise RegressionFailure("no events")
    if events.all():
        raise RegressionFailure("everybody")
    search = Search(rows, tuple(names), link, ridge, drop=redundant == "drop", like=like)
    begin = None if start is None else np.asarray(start, dtype=np.float64)
    if begin is not None and (begin.shape != (len(names) + intercept,) or not np.isfinite(begin).all()):
        raise ValueError(f"start must be {len(names) + intercept} finite numbers")
    return _result(rows, tuple(names), link, search.run(begin))


def _check(  # noqa: PLR0917 - the arguments of fit, in its order
    x: npt.ArrayLike | Beside,
    y: npt.ArrayLike,
    names: Sequence[str],
    weights: npt.ArrayLike | None,
    cluster: npt.ArrayLike | None,
    offset: npt.ArrayLike | None,
    *,
    intercept: bool,
    checked: bool,
) -> Rows:
    outcome = np.asarray(y)
    n = outcome.size
    columns = cast(blocks.Reals, x) if isinstance(x, Beside) else np.asarray(x)
    if columns.dtype == object:
        columns = columns.astype(np.float64)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    shift = None if offset is None else np.asarray(offset, dtype=np.float64)
    members = None if cluster is None else known(cluster)
    if outcome.ndim != 1:
        raise ValueError(f"y must have one dimension, has shape {outcome.shape}")
    if columns.shape != (n, len(names)) or not (intercept or len(names)):
        raise ValueError(f"x must be {n} rows x {len(names)} named columns, is {columns.shape}")
    if len(set(names)) < len(names):
        raise ValueError("names of columns must differ")
    for name, values in {"weights": weight, "offset": shift, "cluster": members}.items():
        if values is not None and values.shape != (n,):
            raise ValueError(f"{name} must have {n} values, has shape {values.shape}")
    if not ((outcome == 0) | (outcome == 1)).all() or not (weight >= 0).all():
        raise ValueError("y must be 0 or 1, and weights at least 0")
    if not np.isfinite(weight).all() or not (shift is None or np.isfinite(shift).all()):
        raise ValueError("weights and offsets must be known and finite")
    if not (checked or (finite := blocks.finite(columns)).all()):
        unknown = [name for name, told in zip(names, finite, strict=True) if not told]
        raise ValueError(f"covariates must be known and finite: {', '.join(unknown)}")
    numbered: Ints | None = None
    if members is not None:
        numbered = np.unique(members, return_inverse=True)[1].astype(np.int64)
    return Rows(columns, outcome.astype(np.float64), weight, shift, numbered, intercept)


def _result(rows: Rows, names: tuple[str, ...], link: Link, found: Maximum) -> BinaryFit:
    information = found.point.information
    bread: Floats = np.asarray(np.linalg.inv(information + np.diag(found.penalty)), dtype=np.float64)
    covariance = bread @ information @ bread if found.penalty.any() else bread
    back = found.design.back()
    return BinaryFit(
        names=(INTERCEPT, *names) if rows.intercept else names, params=back @ found.point.beta,
        bread=back @ bread @ back.T, covariance=back @ covariance @ back.T, loglik=found.point.loglik,
        n_iter=found.n_iter, link=link, linear_predictor=found.point.eta, rows=rows, design=found.design,
        scaled_bread=bread, dropped=found.dropped,
    )  # fmt: skip
