"""Risks of two arms made alike by weights: incidence by cause, restricted mean time, and their contrasts.

Weighted Aalen-Johansen of each arm (Robins & Finkelstein 2000 Biometrics 56:779; Cole & Hernan 2004 Comput Methods
Programs Biomed 75:45), weights from a propensity score. Errors by the sandwich (infinitesimal jackknife and the score's
own), or by the person bootstrap that redoes score, weights and curves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from opioid_outcomes.causal import propensity, weighted_arms
from opioid_outcomes.causal.propensity import Propensity
from opioid_outcomes.causal.risks import ARMS, Risks
from opioid_outcomes.causal.weighted_arms import Arms, FollowUp, Score
from opioid_outcomes.causal.weighted_bootstrap import Refit, replicate_values
from opioid_outcomes.survival import person_bootstrap
from opioid_outcomes.survival.binary_regression import RegressionFailure
from opioid_outcomes.survival.clusters import known, whole
from opioid_outcomes.survival.incidence import Incidence
from opioid_outcomes.survival.person_bootstrap import Persons
from opioid_outcomes.survival.products import cross, within_range
from opioid_outcomes.survival.risk_sets import Floats, Ints

__all__ = ["ARMS", "CensoringRows", "RiskFailure", "Risks", "risks"]

Estimand = Literal["overlap", "iptw", "att", "given"]


class RiskFailure(Exception):
    """Nothing can be estimated: why (in general words), and through which covariates if through some."""

    def __init__(self, reason: str, columns: Sequence[str] = ()) -> None:
        self.reason, self.columns = reason, tuple(columns)
        super().__init__(f"{reason}: {', '.join(self.columns)}" if self.columns else reason)


@dataclass(frozen=True)
class CensoringRows:
    """Follow-up cut where a weight changes, (m,) each: (start, stop], number of the index date, weight over it.

    An index date's rows follow on one another from 0; its event counts if a row ends at its time, so rows may end
    earlier (censored when the strategy was left). The sandwich takes the weights as known, which as a rule makes it
    wider. refit: (n,) weights of the index dates in a replicate to (m,) weights of the rows, for the bootstrap to redo
    them (RegressionFailure if it cannot); None: it keeps them.
    """

    start: npt.ArrayLike
    stop: npt.ArrayLike
    row: npt.ArrayLike
    weight: npt.ArrayLike
    refit: Callable[[Floats], Floats] | None = None


def risks(
    time: npt.ArrayLike, cause: npt.ArrayLike, treated: npt.ArrayLike, x: npt.ArrayLike | None, *,
    names: Sequence[str] = (), causes: Sequence[str], horizons: Sequence[float], estimand: Estimand,
    person: npt.ArrayLike, se: Literal["sandwich", "bootstrap"] = "sandwich", replicates: int = 500, seed: int = 0,
    weights: npt.ArrayLike | None = None, ridge: float = 0.0, censoring: CensoringRows | None = None,
) -> Risks:  # fmt: skip
    """Risks of the treated and the comparators in the population the estimand names.

    One row per index date: time (n,) to the event or the end of follow-up (0: none, the row only tells the score);
    cause (n,) 0 none, else its number in ``causes`` from 1; treated (n,) 0/1; x (n, p) covariates of the score, without
    a constant, named by ``names``; person (n,): somebody may be in several rows and in both arms. estimand: "overlap",
    "iptw" or "att" (weights times ``weights`` if given), or "given": ``weights`` as they are, taken as known (matched
    pairs; if None the crude risks). censoring: follow-up in rows whose weights multiply those of the index date.

    RiskFailure where nothing can be estimated: an empty arm, no weight in an arm, or a score without an estimate (its
    reason and columns). ValueError if the arguments make no sense. What cannot be told of a horizon is a Contrast with
    a reason. Cost: the score, then a pass over rows and columns for each horizon, cause and arm; of the bootstrap some
    ten passes over rows x columns each replicate.
    """
    data = _check(time, cause, treated, weights, person, causes)
    at = np.asarray(horizons, dtype=float)
    if at.ndim != 1 or not len(at):
        raise ValueError("there must be at least one horizon")
    found, refit, each = _weights(data, x, tuple(names), estimand, ridge)
    arms = weighted_arms.arms_of(_follow_up(data, censoring), data.treated, len(causes))
    persons = person_bootstrap.persons(data.person)
    curves = arms.curves(each, persons)
    for curve, name in zip(curves, ARMS, strict=True):
        if not (curve.weights > 0).any():
            raise RiskFailure(f"nobody with a weight is followed among the {name}")
    estimates = weighted_arms.values(curves, at)
    drawn = None
    if se == "sandwich":
        score = None if found is None else _score(data, np.asarray(x), found, estimand)
        covariance = _sandwich(arms, curves, each, at, persons=persons, score=score)
    elif se == "bootstrap":
        factors = None if censoring is None else censoring.refit
        drawn = replicate_values(
            arms, data.weights, refit, at, persons, replicates=replicates, seed=seed, factors=factors
        )
        covariance = np.stack([_spread(drawn[:, :, h], replicates) for h in range(len(at))])
    else:
        raise ValueError("se must be sandwich or bootstrap")
    return Risks(
        horizons=tuple(float(h) for h in at), causes=tuple(causes), incidence=estimates[..., :-1],
        rmst=estimates[..., -1], covariance=covariance.reshape(len(at), *estimates[:, 0].shape * 2), replicates=drawn,
        arms=curves, propensity=found, weights=each, **_counts(arms, curves, at, persons.codes),
    )  # fmt: skip


def _sandwich(
    arms: Arms, curves: Sequence[Incidence], weights: Floats, horizons: Floats, *, persons: Persons, score: Score | None
) -> Floats:
    """Covariance by each horizon: one by one, as the influences are of everybody."""
    covariance = []
    for horizon in horizons:
        formed = weighted_arms.influence(arms, curves, weights, horizon, persons=persons, score=score)
        flat = formed.reshape(len(formed), -1)
        covariance.append(cross(flat, flat))
    return np.stack(covariance)


def _spread(drawn: Floats, replicates: int) -> Floats:
    """Covariance of the replicates, NaN of too few."""
    flat = drawn.reshape(len(drawn), math.prod(drawn.shape[1:]))
    size = flat.shape[1]
    if len(drawn) < max(2, person_bootstrap.ENOUGH_REPLICATES * replicates):
        return np.full((size, size), np.nan)
    centred = flat - flat.mean(axis=0)
    return cross(centred, centred) / (len(drawn) - 1)


@dataclass(frozen=True)
class _Data:
    time: Floats
    cause: Ints
    treated: npt.NDArray[np.bool_]
    weights: Floats
    person: npt.NDArray


def _check(  # noqa: PLR0917
    time: npt.ArrayLike, cause: npt.ArrayLike, treated: npt.ArrayLike, weights: npt.ArrayLike | None,
    person: npt.ArrayLike, causes: Sequence[str],
) -> _Data:  # fmt: skip
    ends, kinds, arm = np.asarray(time, float), whole(cause), np.asarray(treated)
    weight = np.ones(ends.shape) if weights is None else np.asarray(weights, float)
    people = known(person, "person")
    if ends.ndim != 1 or not all(values.shape == ends.shape for values in (ends, kinds, arm, weight, people)):
        raise ValueError("time, cause, treated, weights and person must be of one length")
    if not np.isin(arm, (0, 1)).all():
        raise ValueError("treated must be 0 or 1")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError("weights must be known, finite and at least 0")
    if not np.isfinite(ends).all() or (ends < 0).any() or (kinds[ends == 0] > 0).any():
        raise ValueError("times must be known, finite and at least 0, above 0 with an event")
    if len(set(causes)) < len(causes):
        raise ValueError("causes must differ")
    one = arm.astype(bool)
    for chosen, name in ((~one, ARMS[0]), (one, ARMS[1])):
        if not chosen.any():
            raise RiskFailure(f"there are no {name}")
    return _Data(ends, kinds, one, within_range(weight), people)


def _weights(
    data: _Data, x: npt.ArrayLike | None, names: tuple[str, ...], estimand: Estimand, ridge: float
) -> tuple[Propensity | None, Refit | None, Floats]:
    """The score, how to redo it, and the weight of each index date."""
    if estimand == "given":
        return None, None, data.weights
    if estimand not in {"overlap", "iptw", "att"}:
        raise ValueError("estimand must be overlap, iptw, att or given")
    if x is None:
        raise ValueError("a propensity score needs covariates")
    try:
        found = propensity.estimate(x, data.treated, names=names, weights=data.weights, ridge=ridge)
    except RegressionFailure as failure:
        raise RiskFailure(f"propensity score: {failure.reason}", failure.columns) from failure
    each = data.weights * propensity.weights(found.score, data.treated, estimand)
    if not np.isfinite(each).all():
        raise RiskFailure("propensity score: separation")
    refit = Refit(np.asarray(x), data.treated.astype(float), names, ridge, estimand, found)
    return found, refit, each


def _score(data: _Data, x: npt.NDArray, found: Propensity, estimand: Estimand) -> Score:
    assert estimand != "given"
    slopes = data.weights * propensity.weight_slopes(found.score, data.treated, estimand)
    return Score(x, found.fit, slopes)


def _follow_up(data: _Data, censoring: CensoringRows | None) -> FollowUp:
    if censoring is None:
        followed = np.flatnonzero(data.time > 0)
        none = np.zeros(len(followed))
        return FollowUp(none, data.time[followed], data.cause[followed], followed, none + 1)
    place = np.asarray(censoring.row, np.int64)
    start, stop, factor = (np.asarray(v, float) for v in (censoring.start, censoring.stop, censoring.weight))
    if place.ndim != 1 or not place.shape == start.shape == stop.shape == factor.shape:
        raise ValueError("start, stop, row and weight of censoring rows must be of one length")
    if (place < 0).any() or (place >= len(data.time)).any() or (stop > data.time[place]).any():
        raise ValueError("censoring rows must be of index dates, and within their follow-up")
    if not np.isfinite(factor).all() or (factor < 0).any():
        raise ValueError("censoring weights must be known, finite and at least 0")
    return FollowUp(start, stop, np.where(stop == data.time[place], data.cause[place], 0), place, factor)


def _counts(arms: Arms, curves: Sequence[Incidence], horizons: Floats, codes: Ints) -> dict[str, npt.NDArray]:
    """Unweighted counts of rows with a weight, by arm and horizon."""
    causes = arms.rows[0].causes
    persons, dates, events, days = [], [], [], []
    for rows, place, curve in zip(arms.rows, arms.place, curves, strict=True):
        counted = curve.weights > 0
        dates.append(len(np.unique(place[counted])))
        persons.append(len(np.unique(codes[place[counted]])))
        until, kind = rows.until[counted], rows.cause[counted]
        events.append([np.bincount(kind[until <= h], minlength=causes + 1)[1:] for h in horizons])
        begun = rows.start[counted]
        days.append([np.clip(np.minimum(until, h) - begun, 0, None).sum() for h in horizons])
    return {
        "persons": np.array(persons), "index_dates": np.array(dates), "events": np.array(events),
        "person_time": np.array(days),
    }  # fmt: skip
