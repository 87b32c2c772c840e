"""Rows of people, some of them several times, from arrays sorted by person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from opioid_outcomes.hyperalgesia.person_days import Ints, within

Array = npt.NDArray[Any]


def bounds(person: Ints, people: int) -> Ints:
    """First row of each person, and the number of rows: (people + 1,) for rows sorted by person."""
    return np.searchsorted(person, np.arange(people + 1)).astype(np.int64)


def take(first: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """(place in ``chosen``, row) of every row of the chosen people, who may be chosen several times."""
    return within(first[chosen], first[chosen + 1])


def padded(values: Sequence[Array], first: Ints, empty: Sequence[float]) -> list[Array]:
    """Each array as (people, most rows of one person), filled up with what is ``empty`` for it."""
    count = np.diff(first)
    owner, row = within(first[:-1], first[1:])
    place = row - first[owner]
    shape = (len(count), int(count.max(initial=0)))
    out = []
    for array, fill in zip(values, empty, strict=True):
        grid = np.full(shape, fill, dtype=array.dtype)
        grid[owner, place] = array
        out.append(grid)
    return out
