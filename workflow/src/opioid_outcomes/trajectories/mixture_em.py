"""Expectation-maximisation for mixtures of Gaussian regressions, from per-person sums, for many starts at once.

y_it | class k ~ N(B(t) beta_k, sigma_k^2) with the same class for all t of a person: all the likelihood needs of a
person is n_i, y'y, B'y and B'B. With those as the rows of F (persons x d), log(pi_k f_ik) is linear in them, so that
an E-step is F @ theta and an M-step is posterior' @ F: two short matrix products a block of persons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.trajectories.curves import Floats

# Products of so few operations are not split over threads by OpenBLAS (65,536 x 4), so sums do not depend on the cores.
BLOCK_PRODUCTS = 260_000
MOST_PERSONS_A_BLOCK = 4_096
MOST_COLUMNS = 120
# The likelihood is unbounded where a class fits some curves exactly: no class has a sigma below a share of the overall
# standard deviation, the same for any number of classes (Hathaway 1985 Ann Stat 13:795, who shows that the maximum
# under such a constraint is consistent; McLachlan & Peel 2000, 3.9). So small that curves with any noise are not
# touched: there the maximum is that of a mixture without a floor.
LEAST_SIGMA = 0.001
RIDGE = 1e-12
TINY = 1e-300
EMPTY = 1e-100  # a prevalence that is 0, or was before it went through its logarithm
MOST_CYCLES = 500
SHORT_STEPS = 10
LOOSE, LOOSE_CYCLES = 1e-4, 20
FINALISTS = 3
NEAR = 1e-5
SAME_CLASS = 1e-4  # in standard deviations of y
SAME = 1e-7  # of the log-likelihood, per person
LONGEST_STEP = 64.0


@dataclass(frozen=True)
class Sums:
    """Per person 1, n, y'y, B'y and the upper triangle of B'B, (N, d); y in units of its overall standard deviation.

    least_sigma: the floor of every class's sigma, in the same units.
    """

    features: Floats
    columns: int
    least_sigma: float = LEAST_SIGMA

    @property
    def least_variance(self) -> float:
        return self.least_sigma**2

    @property
    def persons(self) -> int:
        return len(self.features)

    def unpack(self, sums: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Persons, n, y'y, B'y (p) and B'B (p, p) from (..., d)."""
        p = self.columns
        row, column = np.triu_indices(p)
        cross = np.empty((*sums.shape[:-1], p, p))
        cross[..., row, column] = cross[..., column, row] = sums[..., 3 + p :]
        return sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3 : 3 + p], cross


@dataclass(frozen=True)
class Parameters:
    """Parameters of S mixtures of K classes: prior (S, K), beta (S, K, p), variance (S, K) and its floor."""

    prior: Floats
    beta: Floats
    variance: Floats
    least_variance: float

    def __getitem__(self, which: np.ndarray | slice) -> Parameters:
        return Parameters(self.prior[which], self.beta[which], self.variance[which], self.least_variance)

    @property
    def at_floor(self) -> np.ndarray:
        """(S, K) whether the variance of a class is the least allowed."""
        return np.asarray(self.variance <= self.least_variance * (1 + 1e-6))

    @property
    def empty(self) -> np.ndarray:
        """(S,) whether a class has lost its people."""
        return np.any(~(self.prior > EMPTY), axis=1)

    def spurious(self, least_share: float) -> np.ndarray:
        """(S,) whether a class at the floor of variance holds less than a share of persons: it fits a few exactly."""
        return np.any(self.at_floor & (self.prior < least_share), axis=1)

    @property
    def coincident(self) -> np.ndarray:
        """(S,) whether two classes are one: a saddle of the likelihood, at which EM rests."""
        own = np.concatenate([self.beta, np.log(self.variance)[..., None]], axis=-1)
        apart = np.abs(own[:, :, None] - own[:, None]).max(axis=-1)
        one, other = np.triu_indices(own.shape[1], 1)
        return np.any(apart[:, one, other] < SAME_CLASS, axis=1)

    def weights(self) -> Floats:
        """theta (S * K, d): log(pi_k f_ik) = features_i @ theta_k."""
        p = self.beta.shape[-1]
        row, column = np.triu_indices(p)
        precision = 1 / self.variance
        pairs = self.beta[..., row] * self.beta[..., column] * np.where(row == column, -0.5, -1.0)
        theta = np.concatenate(
            [
                np.log(np.maximum(self.prior, TINY))[..., None],
                -0.5 * np.log(2 * np.pi * self.variance)[..., None],
                -0.5 * precision[..., None],
                self.beta * precision[..., None],
                pairs * precision[..., None],
            ],
            axis=-1,
        )
        return theta.reshape(-1, theta.shape[-1])

    def flat(self) -> Floats:
        """Unconstrained, (S, K * (p + 2)): log prior, log variance, beta."""
        starts = len(self.prior)
        logs = np.log(np.maximum(self.prior, TINY)), np.log(self.variance)
        return np.concatenate([*logs, self.beta.reshape(starts, -1)], axis=1)


def from_flat(flat: Floats, classes: int, least_variance: float) -> Parameters:
    log_prior = flat[:, :classes] - flat[:, :classes].max(axis=1, keepdims=True)
    prior = np.exp(log_prior)
    variance = np.maximum(np.exp(np.clip(flat[:, classes : 2 * classes], -700, 700)), least_variance)
    beta = flat[:, 2 * classes :].reshape(len(flat), classes, -1)
    return Parameters(prior / prior.sum(axis=1, keepdims=True), beta, variance, least_variance)


def log_joint(features: Floats, parameters: Parameters) -> Floats:
    """log(pi_k f_ik), (S, K, persons): for a block of persons."""
    starts, classes = parameters.prior.shape
    return (parameters.weights() @ features.T).reshape(starts, classes, -1)


def posterior(features: Floats, parameters: Parameters) -> tuple[Floats, Floats]:
    """Posterior (S, K, persons) and log-likelihood of each person (S, persons), by log-sum-exp."""
    joint = log_joint(features, parameters)
    highest = joint.max(axis=1)
    joint -= highest[:, None]
    np.exp(joint, out=joint)
    total = joint.sum(axis=1)
    joint /= total[:, None]
    np.log(total, out=total)
    total += highest
    return joint, total


def blocks(sums: Sums, columns: int) -> Iterator[slice]:
    """Blocks of persons of a size that depends on the problem alone, never on the machine."""
    size = max(16, min(MOST_PERSONS_A_BLOCK, BLOCK_PRODUCTS // (sums.features.shape[1] * columns)))
    for first in range(0, sums.persons, size):
        yield slice(first, min(first + size, sums.persons))


def step(sums: Sums, parameters: Parameters) -> tuple[Parameters, Floats]:
    """One E- and M-step of every start, and the log-likelihood (S,) at the parameters given.

    Cost: persons x starts x classes exponentials and 4 d products each.
    """
    starts, classes = parameters.prior.shape
    weighted = np.zeros((starts * classes, sums.features.shape[1]))
    loglik = np.zeros(starts)
    for block in blocks(sums, starts * classes):
        features = sums.features[block]
        responsibility, each = posterior(features, parameters)
        loglik += each.sum(axis=1)
        weighted += responsibility.reshape(starts * classes, -1) @ features
    return maximise(sums, weighted.reshape(starts, classes, -1)), loglik


def maximise(sums: Sums, weighted: Floats) -> Parameters:
    """Parameters from posterior-weighted sums (S, K, d); maximum likelihood, so the variance divides by the weight.

    Given beta, the likelihood falls on either side of that variance: below the floor, the floor is the maximum.
    """
    persons, n, yy, by, bb = sums.unpack(weighted)
    p = sums.columns
    alive = n > p
    size = np.where(alive, n, 1.0)
    eye = np.eye(p)
    cross = np.where(alive[..., None, None], bb / size[..., None, None], eye) + RIDGE * eye
    moment = np.where(alive[..., None], by / size[..., None], 0.0)
    beta = np.asarray(np.linalg.solve(cross, moment[..., None])[..., 0], np.float64)
    explained = 2 * (beta * moment).sum(axis=-1) - np.einsum("...a,...ab,...b->...", beta, cross, beta)
    variance = np.where(alive, yy / size - explained, 0.0)
    prior = np.where(alive, persons, 0.0)
    total = prior.sum(axis=1, keepdims=True)
    floor = sums.least_variance
    return Parameters(prior / np.where(total > 0, total, 1.0), beta, np.maximum(variance, floor), floor)


def run(sums: Sums, parameters: Parameters, steps: int) -> Parameters:
    """A number of plain EM steps from every start."""
    parts = []
    most = max(1, MOST_COLUMNS // parameters.prior.shape[1])
    for first in range(0, len(parameters.prior), most):
        part = parameters[first : first + most]
        for _ in range(steps):
            part, _ = step(sums, part)
        parts.append(part)
    return Parameters(
        np.concatenate([part.prior for part in parts]),
        np.concatenate([part.beta for part in parts]),
        np.concatenate([part.variance for part in parts]),
        parameters.least_variance,
    )


def best(
    sums: Sums, parameters: Parameters, tolerance: float, least_share: float = 0.0
) -> tuple[Parameters, bool] | None:
    """The best mixture from many starts, S = 1, and whether EM converged; None if no start has distinct classes.

    Short runs first, and only the most promising go on (Biernacki, Celeux & Govaert 2003 CSDA 41:561): a few plain
    steps from every start; then the better half, loosely; then the best of these to the end, of starts that have come
    to the same likelihood one only. If classes are empty or coincide in all of those, the next ones. Spurious maxima,
    of which a class fits less than ``least_share`` of persons exactly, come after all others.
    """
    parameters = run(sums, parameters, SHORT_STEPS)
    order = _ranked(sums, parameters, 0.0, least_share)
    half = max(FINALISTS, (len(order) + 1) // 2)
    spare: tuple[Parameters, bool] | None = None
    while len(order):
        middle, _ = converge(sums, parameters[order[:half]], LOOSE, LOOSE_CYCLES)
        order = order[half:]
        ranked = _ranked(sums, middle, SAME, least_share)
        while len(ranked):
            final, _ = converge(sums, middle[ranked[:FINALISTS]], NEAR)
            ranked = ranked[FINALISTS:]
            for start in _ranked(sums, final, 0.0, least_share):
                found, done = converge(sums, final[start : start + 1], tolerance)
                if not len(_ranked(sums, found, 0.0, least_share)):
                    continue
                if not found.spurious(least_share)[0]:
                    return found, bool(done[0])
                spare = spare or (found, bool(done[0]))
    return spare


def _ranked(sums: Sums, parameters: Parameters, same: float, least_share: float) -> np.ndarray:
    """Starts without empty or coinciding classes, best first, spurious ones last; of one likelihood one.

    ``same``: how near, per person, likelihoods are one.
    """
    _, loglik = step(sums, parameters)
    usable = np.flatnonzero(~parameters.empty & ~parameters.coincident & np.isfinite(loglik))
    last = parameters.spurious(least_share)[usable]
    order = usable[np.lexsort((-loglik[usable], last))]
    if same and len(order):
        apart = np.abs(np.diff(loglik[order], prepend=np.inf)) > same * sums.persons
        order = order[apart | np.diff(np.sort(last), prepend=False)]
    return order


def converge(
    sums: Sums, parameters: Parameters, tolerance: float, cycles: int = MOST_CYCLES
) -> tuple[Parameters, np.ndarray]:
    """Run every start until an EM step moves no parameter by ``tolerance``; also whether it got there in ``cycles``.

    Squared extrapolation (Varadhan & Roland 2008 Scand J Stat 35:335, scheme S3): two steps, a leap along them, a step
    that steadies it; a leap that lowers the likelihood is not taken, so the likelihood never falls. A start with an
    empty class is left where it is.
    """
    classes, floor = parameters.prior.shape[1], parameters.least_variance
    found = parameters.flat()
    done = np.zeros(len(found), dtype=bool)
    going = np.flatnonzero(~parameters.empty)
    longest = np.full(len(found), 4.0)
    for _ in range(cycles):
        if not len(going):
            break
        here = found[going]
        one, _ = step(sums, from_flat(here, classes, floor))
        two, reached = step(sums, one)
        first = one.flat() - here
        second = two.flat() - one.flat() - first
        length = _norm(first) / np.maximum(_norm(second), TINY)
        length = np.clip(length, 1.0, longest[going])
        leap = here + 2 * length[:, None] * first + length[:, None] ** 2 * second
        steady, loglik = step(sums, from_flat(leap, classes, floor))
        better = np.isfinite(loglik) & (loglik >= reached)
        longest[going] = np.where(
            better,
            np.where(length >= longest[going], np.minimum(longest[going] * 4, LONGEST_STEP), longest[going]),
            4.0,
        )
        found[going] = np.where(better[:, None], steady.flat(), two.flat())
        move = np.abs(first)
        move[:, :classes] *= from_flat(here, classes, floor).prior  # of pi, not of its logarithm
        done[going] = move.max(axis=1) < tolerance
        going = going[~done[going] & ~from_flat(found[going], classes, floor).empty]
    return from_flat(found, classes, floor), done


def _norm(moves: Floats) -> Floats:
    return np.sqrt((moves**2).sum(axis=1))
