"""Sandwich covariance of the parameters of a mixture of Gaussian regressions."""

from __future__ import annotations

import numpy as np

from opioid_outcomes.trajectories.curves import Floats
from opioid_outcomes.trajectories.mixture_em import Parameters, Sums, blocks, posterior


def sandwich(sums: Sums, parameters: Parameters) -> Floats:
    """A^-1 B A^-1, (q, q), of one mixture (S = 1).

    q = K p + K + K - 1: beta by class, log variance by class, log(pi_k / pi_1). A: observed information by Louis (1982
    JRSS B 44:226), the information of complete data less the covariance of its score given the data; B: outer product
    of person scores. A variance at its floor is held there: it is no parameter of A and B, and its row and column are 0
    in the result. NaN if A is not positive definite. Cost: persons x K q^2.
    """
    information, outer = _information(sums, parameters)
    _, classes, p = parameters.beta.shape
    held = classes * p + np.flatnonzero(parameters.at_floor[0])
    free = np.setdiff1d(np.arange(len(information)), held)
    information, outer = information[np.ix_(free, free)], outer[np.ix_(free, free)]
    found = np.zeros((classes * p + 2 * classes - 1,) * 2)
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return np.full_like(found, np.nan)
    half = np.linalg.solve(information, outer)
    found[np.ix_(free, free)] = np.linalg.solve(information, half.T)
    return found


def _information(sums: Sums, batch: Parameters) -> tuple[Floats, Floats]:
    parameters = Parameters(batch.prior[0], batch.beta[0], batch.variance[0], batch.least_variance)
    classes, p = parameters.beta.shape
    q = classes * p + 2 * classes - 1
    weighted = np.zeros((classes, sums.features.shape[1]))
    missing, outer = np.zeros((q, q)), np.zeros((q, q))
    for block in blocks(sums, classes):
        features = sums.features[block]
        share = posterior(features, batch)[0][0]
        score = np.zeros((len(features), q))
        for k in range(classes):
            complete = _complete_score(sums, features, parameters, k)
            weighted[k] += np.einsum("n,nd->d", share[k], features)
            missing += np.einsum("n,na,nb->ab", share[k], complete, complete)
            score += share[k][:, None] * complete
        product = np.einsum("na,nb->ab", score, score)
        missing -= product
        outer += product
    return _complete_information(sums, weighted, parameters) - missing, outer


def _complete_score(sums: Sums, features: Floats, parameters: Parameters, k: int) -> Floats:
    """(n, q) derivative of log(pi_k f_k) of each person."""
    classes, p = parameters.beta.shape
    _, n, yy, by, bb = sums.unpack(features)
    beta, variance = parameters.beta[k], parameters.variance[k]
    slope = by - bb @ beta
    squares = yy - (by + slope) @ beta
    score = np.zeros((len(features), classes * p + 2 * classes - 1))
    score[:, k * p : (k + 1) * p] = slope / variance
    score[:, classes * p + k] = (squares / variance - n) / 2
    score[:, classes * (p + 1) :] = (np.arange(1, classes) == k) - parameters.prior[1:]
    return score


def _complete_information(sums: Sums, weighted: Floats, parameters: Parameters) -> Floats:
    """Negative second derivatives of the complete-data log-likelihood, at posterior-weighted sums (K, d)."""
    classes, p = parameters.beta.shape
    persons, _, yy, by, bb = sums.unpack(weighted)
    found = np.zeros((classes * p + 2 * classes - 1,) * 2)
    for k in range(classes):
        beta, variance = parameters.beta[k], parameters.variance[k]
        slope = by[k] - bb[k] @ beta
        own, spread = slice(k * p, (k + 1) * p), classes * p + k
        found[own, own] = bb[k] / variance
        found[own, spread] = found[spread, own] = slope / variance
        found[spread, spread] = (yy[k] - (by[k] + slope) @ beta) / (2 * variance)
    prior = parameters.prior[1:]
    found[classes * (p + 1) :, classes * (p + 1) :] = persons.sum() * (np.diag(prior) - np.outer(prior, prior))
    return found
