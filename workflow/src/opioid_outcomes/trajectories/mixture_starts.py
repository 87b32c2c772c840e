"""Sums per person for a mixture of curves, and the starting values of its EM."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from opioid_outcomes.trajectories.curves import Basis, Floats
from opioid_outcomes.trajectories.mixture_em import Parameters, Sums

# no class begins with less of the overall variance: narrower ones would be certain of too few people
NARROWEST = 0.05


def sums_by_person(first: npt.NDArray[np.int64], basis: Basis, times: Floats, y: Floats) -> Sums:
    """Sums of rows sorted by person; ``first`` is the row at which each person begins. Cost: d passes over the rows."""
    distinct, place = np.unique(times, return_inverse=True)
    grid = basis.at(distinct)
    row, column = np.triu_indices(basis.columns)
    squares = np.column_stack([np.ones(len(grid)), grid[:, row] * grid[:, column]])
    features = np.empty((len(first), 3 + basis.columns + len(row)))
    features[:, 0] = 1.0
    features[:, 1] = np.diff(first, append=len(y))
    features[:, 2] = np.add.reduceat(y * y, first)
    for j in range(basis.columns):
        features[:, 3 + j] = np.add.reduceat(grid[place, j] * y, first)
    for j in range(1, squares.shape[1]):
        features[:, 2 + basis.columns + j] = np.add.reduceat(squares[place, j], first)
    return Sums(features, basis.columns)


def starting_values(
    sums: Sums,
    classes: int,
    starts: int,
    rng: np.random.Generator,
    smaller: npt.NDArray[np.int64] | None = None,
) -> Parameters:
    """``starts`` sets of parameters of ``classes`` >= 2 classes.

    Persons are put into classes in three ways by turns, because none finds the best likelihood of all data: nearest of
    persons drawn as seeds; nearest of seeds drawn far from each other (k-means++; Arthur & Vassilvitskii 2007 SODA
    1027); cut along a random direction. The first start cuts at quantiles of the mean level. Curves of persons are
    shrunk towards the overall one, so that those with few observations have one. ``smaller``: each person's class in a
    model of one class fewer; each of its classes, split in two, is a further start. Cost: persons x classes x starts.
    """
    own = _own_curves(sums)
    nearest = np.empty((starts, sums.persons), dtype=np.int64)
    rank = np.empty(sums.persons, dtype=np.int64)
    rank[np.argsort(own[:, 0], kind="stable")] = np.arange(sums.persons)
    nearest[0] = rank * classes // sums.persons
    for start in range(1, starts):
        if start % 3 == 0:
            nearest[start] = _cut((own * rng.normal(size=own.shape[1])).sum(axis=1), classes, rng)
        else:
            nearest[start] = _nearest_of_seeds(own, classes, rng, apart=start % 3 == 1)
    if smaller is not None:
        split = [_split(own, smaller, k, classes - 1) for k in range(classes - 1)]
        nearest = np.concatenate([nearest, np.stack(split)])
    return _of_partition(sums, nearest, classes)


def _split(own: Floats, members: npt.NDArray[np.int64], k: int, new: int) -> npt.NDArray[np.int64]:
    """Half of class k, beyond its median along the direction in which its curves differ most, made class ``new``."""
    inside = members == k
    if inside.sum() < 2:
        return members
    apart = own[inside] - own[inside].mean(axis=0)
    direction = np.linalg.eigh(np.einsum("na,nb->ab", apart, apart))[1][:, -1]
    along = (apart * direction * np.sign(direction[np.abs(direction).argmax()])).sum(axis=1)
    found = members.copy()
    found[np.flatnonzero(inside)[along > np.median(along)]] = new
    return found


def _own_curves(sums: Sums) -> Floats:
    everybody = sums.features.sum(axis=0)
    _, n, _, by, bb = sums.unpack(everybody)
    overall = np.linalg.solve(bb / n, by / n)
    _, n, _, by, bb = sums.unpack(sums.features)
    own = np.linalg.solve(bb + np.eye(sums.columns), (by + overall)[..., None])[..., 0]
    return np.asarray(own)


def _cut(level: Floats, classes: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    cuts = np.sort(rng.choice(level, classes - 1, replace=False))
    return np.searchsorted(cuts, level)


def _nearest_of_seeds(own: Floats, classes: int, rng: np.random.Generator, *, apart: bool) -> npt.NDArray[np.int64]:
    """Class of each person: of the nearest seed. ``apart``: seeds drawn by squared distance from those before."""
    distance = np.full(len(own), np.inf)
    nearest = np.zeros(len(own), dtype=np.int64)
    for k in range(classes):
        mass = np.cumsum(distance) if apart and k else np.zeros(1)
        if mass[-1] > 0:  # else the first seed, or fewer distinct curves than classes: any person serves
            seed = int(np.searchsorted(mass, rng.random() * mass[-1], side="right"))
        else:
            seed = int(rng.integers(len(own)))
        to_seed = np.square(own - own[min(seed, len(own) - 1)]).sum(axis=1)
        nearest[to_seed < distance] = k
        distance = np.minimum(distance, to_seed)
    return nearest


def _of_partition(sums: Sums, nearest: npt.NDArray[np.int64], classes: int) -> Parameters:
    starts = len(nearest)
    totals = np.empty((starts, classes, sums.features.shape[1]))
    for j, column in enumerate(sums.features.T):
        totals[..., j] = [np.bincount(each, column, classes) for each in nearest]
    # as much of everybody as determines a curve: a class begins with few people, or none
    totals += sums.columns * sums.features.sum(axis=0) / sums.features[:, 1].sum()
    persons, n, yy, by, bb = sums.unpack(totals)
    beta = np.asarray(np.linalg.solve(bb, by[..., None])[..., 0], np.float64)
    variance = (yy - (beta * by).sum(axis=-1)) / n
    return Parameters(
        persons / persons.sum(axis=1, keepdims=True), beta, np.maximum(variance, NARROWEST), sums.least_variance
    )
