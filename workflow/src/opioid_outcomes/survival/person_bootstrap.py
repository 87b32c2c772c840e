"""Bootstrap of people as whole-number weights: a person drawn twice counts twice in every row, and no row is copied.

Efron (1979) Ann Stat 7:1; people rather than rows are drawn, as the rows of one person are dependent (Davison & Hinkley
1997, ch. 3.8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.risk_sets import Floats, Ints

# share of the replicates that must have an estimate for their spread to stand for the error
ENOUGH_REPLICATES = 0.9


@dataclass(frozen=True)
class Persons:
    """Sorted distinct people, and the number of each row's person among them."""

    distinct: npt.NDArray
    codes: Ints

    @property
    def count(self) -> int:
        """How many people."""
        return len(self.distinct)

    def draw(self, replicate: int, seed: int) -> Floats:
        """How often each person is drawn, (people,): multinomial, as many draws as people."""
        generator = np.random.default_rng(np.random.SeedSequence([seed, replicate]))
        return np.bincount(generator.integers(0, self.count, self.count), minlength=self.count).astype(np.float64)

    def weights(self, replicate: int, seed: int) -> Floats:
        """The same of each row, (n,).

        A person's weight hangs on ``seed`` (at least 0), ``replicate`` and the person's place among the sorted ids
        alone: not on the order of the rows, nor on which core runs which replicate.
        """
        return self.draw(replicate, seed)[self.codes]


def persons(person: npt.ArrayLike) -> Persons:
    """Number the people in the sorted order of their ids; (n,) of numbers or text. Cost: one sort."""
    distinct, codes = np.unique(np.asarray(person), return_inverse=True)
    return Persons(distinct, codes.astype(np.int64))
