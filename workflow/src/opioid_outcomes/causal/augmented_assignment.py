"""Who was treated given the history: the model behind the weights of ``augmented``, also where scores have error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal import augmented_error
from opioid_outcomes.causal.augmented_error import Error, Noise
from opioid_outcomes.survival import binary_blocks as blocks
from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_blocks import Beside, Design, Rows
from opioid_outcomes.survival.clusters import known
from opioid_outcomes.survival.risk_sets import Floats, Ints

Bools = npt.NDArray[np.bool_]
LEFT_OUT = "left out under error"
LARGEST = 700.0  # log odds whose exponential is a number still


@dataclass(frozen=True)
class Assignment:
    """Who was treated given the history; by row, (n,), unless said otherwise.

    weights: of the rows. score: chance of treatment (under error: given the conditional score's statistic). odds:
    weight of the untreated, as if they were those treated; 1 for the treated. codes: person of each row, 0..; people:
    G, persons with any weight. dropped: columns of x in no model, with the reason; kept: the others.

    columns: treatment, then those kept; design: these, the history centred and scaled. params: of the design, constant
    first, nothing for treatment; inverse: of minus the score's slope in them.
    """

    treated: Bools
    weights: Floats
    score: Floats
    odds: Floats
    codes: Ints
    people: int
    names: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    kept: Ints
    columns: Beside
    design: Design
    params: Floats
    inverse: Floats
    noise: Noise | None


def assignment(
    x: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    names: Sequence[str],
    person: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    error: Error | None = None,
) -> Assignment:
    """Logistic model of treatment given the history.

    x: (n, p) of any real type, without a constant, kept as given, named by ``names``. treated: (n,) 0/1. person: (n,)
    of any kind. weights: (n,) >= 0, those of a person in a bootstrap. error: of some columns, where decisions were made
    on the truth; None, or of variance 0, where on what is recorded.

    Raises RegressionFailure: "no events" (nobody treated), "everybody", "separation", "no convergence", "error" (the
    error is larger than the recorded variance allows), "no root" (decisions too steep in the truth for such an error).
    Cost: as a logistic regression, twice with error.
    """
    one = np.asarray(treated, dtype=np.float64)
    columns = np.asarray(x)
    if columns.dtype == object:
        columns = columns.astype(np.float64)
    if columns.shape != (len(one), len(names)):
        raise ValueError(f"x must be {len(one)} rows x {len(names)} named columns, is {columns.shape}")
    codes = np.unique(known(person, "person"), return_inverse=True)[1].astype(np.int64)
    if codes.shape != one.shape:
        raise ValueError(f"person must have {len(one)} values, has shape {codes.shape}")
    if error is not None:
        error.check(*columns.shape)
    without = error.without if error is not None and error.variance > 0 else np.zeros(0, dtype=np.int64)
    chosen = np.setdiff1d(np.arange(len(names)), without)
    used = Beside(columns, chosen) if without.size else columns
    fitted = binary_regression.fit(used, one, names=[names[j] for j in chosen], weights=weights, redundant="drop")
    kept = chosen[fitted.design.active]
    dropped = (*fitted.dropped, *((names[j], LEFT_OUT) for j in without))
    noise = augmented_error.noise(error, fitted.design, kept)
    params, inverse, eta = fitted.design.scaled(fitted.params), fitted.scaled_bread, fitted.linear_predictor
    weight = fitted.rows.weights
    if noise is not None:
        params, inverse = augmented_error.conditional_score(fitted.design, one, weight, noise, params)
    together = Beside(columns, kept, one)
    design = _with_treatment(fitted.design, together)
    if noise is not None:
        eta = _linear_predictor(design, params, noise)
    odds = np.where(one == 1, 1.0, np.exp(np.minimum(eta, LARGEST)))
    return Assignment(
        one == 1, weight, blocks.probability(eta, "logit"), odds, codes, len(np.unique(codes[weight > 0])),
        tuple(names), dropped, kept, together, design, params, inverse, noise,
    )  # fmt: skip


def _with_treatment(design: Design, columns: Beside) -> Design:
    """Treatment as it is, then the model's columns, centred and scaled as there."""
    centre, spread = design.centre[design.active], design.spread[design.active]
    rows = Rows(cast(blocks.Reals, columns), design.rows.y, design.rows.weights, None, None, True)
    return Design(rows, np.append(0.0, centre), np.append(1.0, spread), np.arange(columns.shape[1]))


def _linear_predictor(design: Design, params: Floats, noise: Noise) -> Floats:
    """Of treatment, given the statistic of the conditional score: W + Sigma g (A - 1/2)."""
    slopes = np.insert(params, 1, 0.0)
    eta, places = np.empty(len(design.rows.y)), noise.at(2)
    for part, block in design.blocks():
        spread = np.einsum("i,nij,j->n", slopes[places], noise.covariance(part), slopes[places], optimize=False)
        eta[part] = block @ slopes + spread * (design.rows.y[part] - 0.5)
    return eta
