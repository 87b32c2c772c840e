"""Latent classes of curves: finite mixtures of Gaussian regressions, grouped by person.

    y_it | person i of class k ~ N(B(t) beta_k, sigma_k^2), independent over t given the class; P(class k) = pi_k

Group-based trajectory modelling (Nagin 1999 Psychol Methods 4:139; 2005 Group-Based Modeling of Development), here with
a variance of each class's own: the model of R's flexmix, ``flexmix(y ~ B | id, model = FLXMRglm())`` (Leisch 2004
J Stat Softw 11(8)). Classes are a summary of many courses, not kinds of people: within a class persons differ, and what
they differ by shows as further classes. Estimated by maximum likelihood (McLachlan & Peel 2000 Finite Mixture Models);
flexmix divides the variance of a class by rows less columns, and so stops a hair beside the maximum. No variance may
fall below a floor, ``least_sigma`` of ``fit``: the same for every number of classes, so that likelihoods compare.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival import normal
from opioid_outcomes.trajectories import mixture_em as em
from opioid_outcomes.trajectories import mixture_information as information
from opioid_outcomes.trajectories.curves import Basis, Floats, Shape, basis
from opioid_outcomes.trajectories.mixture_starts import starting_values, sums_by_person

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[Any]  # whatever can be sorted


class NoFit(ValueError):
    """A number of classes that the data cannot bear: the message says why."""


@dataclass(frozen=True)
class Curves:
    """Observed curves, ready for models of any number of classes: sums per person, nothing of single rows.

    persons: (N,) keys in rising order, those with a value. observations: rows used. centre, scale: mean and standard
    deviation (divisor n) of all values; the sums are of (y - centre) / scale.
    """

    persons: Keys = field(repr=False)
    basis: Basis
    sums: em.Sums = field(repr=False)
    observations: int
    centre: float
    scale: float


def observe(person: npt.ArrayLike, times: npt.ArrayLike, y: npt.ArrayLike, shape: Shape = "quadratic") -> Curves:
    """Curves from one row per person and time, in any order; a missing y (NaN) is a row that is not there.

    person: (n,) keys that can be sorted. times: (n,). y: (n,). Any number of rows per person, at any times.
    ValueError: no values, all values the same, too few distinct times for the curve, or a time or value not finite.
    Cost: a sort of the rows unless they come sorted by person, time and value, and about 15 passes over them.
    """
    keys, t, values = _known(np.asarray(person), np.asarray(times, np.float64), np.asarray(y, np.float64))
    # one order of adding up, whatever the order of rows
    if not _sorted(keys, t, values):
        order = np.lexsort((values, t, keys))
        keys, t, values = keys[order], t[order], values[order]
    centre = float(values.mean())
    scale = float(np.sqrt(np.square(values - centre).mean()))
    if scale <= 1e-12 * max(1.0, abs(centre)):
        raise ValueError("every value is the same")
    own = basis(t, shape)
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sums = sums_by_person(first, own, t, (values - centre) / scale)
    return Curves(keys[first], own, sums, len(values), centre, scale)


def _known(person: Keys, times: Floats, y: Floats) -> tuple[Keys, Floats, Floats]:
    if not len(person) == len(times) == len(y):
        raise ValueError("person, times and y differ in length")
    known = ~np.isnan(y)
    if not known.any():
        raise ValueError("every value is missing")
    if not (np.isfinite(y[known]).all() and np.isfinite(times[known]).all()):
        raise ValueError("a time or a value is not finite")
    return person[known], times[known], y[known]


def _sorted(person: Keys, times: Floats, y: Floats) -> bool:
    same, later = person[1:] == person[:-1], person[1:] > person[:-1]
    in_time = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (y[1:] >= y[:-1]))
    return bool(np.all(later | (same & in_time)))


@dataclass(frozen=True)
class LatentClasses:
    """A fitted mixture of K classes, in rising order of their mean curve (over the observed times).

    prior: (K,) prevalence. beta: (K, p), of ``curves.basis``. sigma: (K,). loglik: of y as given. posterior: (N, K), of
    ``curves.persons``. converged: whether EM came to rest.
    """

    curves: Curves
    prior: Floats
    beta: Floats
    sigma: Floats
    loglik: float
    posterior: Floats = field(repr=False)
    converged: bool

    @property
    def classes(self) -> int:
        return len(self.prior)

    @property
    def parameters(self) -> int:
        """Free ones: a curve and a variance a class (at its floor too), and K - 1 prevalences."""
        return self.beta.size + self.classes + self.classes - 1

    @property
    def bic(self) -> float:
        """-2 log L + parameters x log(persons); smaller is better.

        n is persons, not rows: they are what is independent, and rows of one person say little new about how many
        classes there are (Jones, Nagin & Roeder 2001 Sociol Methods Res 29:374 give both; rows is the more severe).
        """
        return float(-2 * self.loglik + self.parameters * np.log(len(self.curves.persons)))

    @property
    def bic_observations(self) -> float:
        """-2 log L + parameters x log(rows): flexmix's BIC."""
        return float(-2 * self.loglik + self.parameters * np.log(self.curves.observations))

    @cached_property
    def members(self) -> Ints:
        """(N,) class (0 ...) of the highest posterior, the lower one of equals."""
        return self.posterior.argmax(axis=1)

    @property
    def entropy(self) -> float:
        """Relative entropy, 0 (the posterior tells nothing) to 1 (everybody certain); 1 for one class."""
        if self.classes == 1:
            return 1.0
        uncertainty = -(self.posterior * np.log(np.maximum(self.posterior, em.TINY))).sum()
        return float(1 - uncertainty / (len(self.posterior) * np.log(self.classes)))

    @property
    def sizes(self) -> Ints:
        """(K,) members of each class."""
        return np.bincount(self.members, minlength=self.classes)

    @property
    def mean_posterior(self) -> Floats:
        """(K,) mean posterior of each class among its members; 0 for a class without any."""
        highest = self.posterior[np.arange(len(self.posterior)), self.members]
        return np.bincount(self.members, highest, self.classes) / np.maximum(self.sizes, 1)

    @property
    def at_floor(self) -> npt.NDArray[np.bool_]:
        """(K,) classes whose sigma is the least allowed, as of people on one constant dose."""
        return self._standardised.at_floor[0]

    def curve(self, times: npt.ArrayLike) -> Floats:
        """(K, n) class curves."""
        return self.beta @ self.curves.basis.at(times).T

    def standard_error(self, times: npt.ArrayLike) -> Floats:
        """(K, n) of the class curves, robust (see ``covariance``); NaN where the information is singular."""
        at = self.curves.basis.at(times)
        p = at.shape[1]
        blocks = [self.covariance[k * p : (k + 1) * p, k * p : (k + 1) * p] for k in range(self.classes)]
        return np.sqrt(np.stack([np.einsum("na,ab,nb->n", at, block, at) for block in blocks]))

    def band(self, times: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Pointwise 95 % limits of the class curves, (K, n) each: of the mean of the class, not of its members."""
        curve, margin = self.curve(times), normal.Z * self.standard_error(times)
        return curve - margin, curve + margin

    @cached_property
    def covariance(self) -> Floats:
        """Of beta (K x p), log sigma^2 (K) and log(pi_k / pi_1) (K - 1): the sandwich of person scores.

        A^-1 (sum of s_i s_i') A^-1 with A the observed information (White 1982 Econometrica 50:1): months of one person
        are more alike than the model has it, which the inverse information and the outer product alone overlook.
        Conditional on the number of classes; a variance at its floor is taken as known, its row and column are 0. NaN
        if A is not positive definite.
        """
        covariance = information.sandwich(self.curves.sums, self._standardised)
        units = np.ones(len(covariance))
        units[: self.beta.size] = self.curves.scale
        return covariance * np.outer(units, units)

    @property
    def _standardised(self) -> em.Parameters:
        """As one start of EM."""
        beta = self.beta.copy()
        beta[:, 0] -= self.curves.centre
        scale = self.curves.scale
        variance = (self.sigma[None] / scale) ** 2
        return em.Parameters(self.prior[None], beta[None] / scale, variance, self.curves.sums.least_variance)


def fit(
    curves: Curves,
    classes: int,
    *,
    starts: int = 20,
    seed: int = 0,
    tolerance: float = 1e-8,
    smaller: LatentClasses | None = None,
    least_share: float = 0.0,
    least_sigma: float = em.LEAST_SIGMA,
) -> LatentClasses:
    """The maximum-likelihood mixture of ``classes`` classes.

    ``starts``: random starting values tried, see ``mixture_em.best``; one class has a closed form. ``seed``: the same
    seed, persons and values give the same bytes, whatever the order of rows and the number of cores. ``tolerance``: EM
    stops when a step moves no parameter by more, in standard deviations of y.
    ``smaller``: a fit of one class fewer, whose classes split in two are further starts. ``least_share``: a maximum in
    which a class of less than this share of persons has its variance at the floor, so that it fits a few curves
    exactly, is taken only where there is no other (McLachlan & Peel 2000, 3.10: spurious maxima). ``least_sigma``: the
    floor of every class's sigma, in standard deviations of y; where a class is less noisy, a smaller floor has a larger
    likelihood.

    NoFit: fewer persons than classes, or from every start two classes coincide or one loses its people. Cost: persons x
    classes x starts exponentials a step, some tens of steps.
    """
    if classes < 1 or starts < 1:
        raise ValueError("classes and starts are at least 1")
    if least_sigma <= 0:
        raise ValueError("least_sigma is above 0: without a floor the likelihood is unbounded")
    curves = replace(curves, sums=replace(curves.sums, least_sigma=least_sigma))
    persons = len(curves.persons)
    if persons < classes:
        raise NoFit("there are fewer persons than classes")
    done = True
    if classes == 1:
        everybody = np.ascontiguousarray(curves.sums.features.sum(axis=0))
        found = em.maximise(curves.sums, everybody[None, None])
    else:
        rng = np.random.default_rng([seed, classes])
        members = smaller.members if smaller is not None else None
        best = em.best(curves.sums, starting_values(curves.sums, classes, starts, rng, members), tolerance, least_share)
        if best is None:
            raise NoFit("classes coincide, or one loses its people, from every start")
        found, done = best
    return _result(curves, found, done)


def _result(curves: Curves, found: em.Parameters, done: bool) -> LatentClasses:
    order = np.lexsort(found.beta[0].T[::-1])
    found = em.Parameters(found.prior[:, order], found.beta[:, order], found.variance[:, order], found.least_variance)
    posterior = np.empty((len(curves.persons), len(order)))
    loglik = 0.0
    for block in em.blocks(curves.sums, len(order)):
        share, each = em.posterior(curves.sums.features[block], found)
        posterior[block] = share[0].T
        loglik += float(each.sum())
    beta = found.beta[0] * curves.scale
    beta[:, 0] += curves.centre  # the first column of the basis is 1
    return LatentClasses(
        curves=curves,
        prior=found.prior[0],
        beta=beta,
        sigma=np.sqrt(found.variance[0]) * curves.scale,
        loglik=loglik - curves.observations * float(np.log(curves.scale)),
        posterior=posterior,
        converged=done,
    )
