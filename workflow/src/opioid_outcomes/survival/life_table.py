"""Death rates of a population by age, sex and calendar year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.risk_sets import Floats

Whole = npt.NDArray[np.int64]


class LifeTableFailure(ValueError):
    """Why columns are no life table, in words that name the column."""


@dataclass(frozen=True)
class LifeTable:
    """Rates per person-year, (ages, sexes, years); each holds from its age to the next, and from its year to the next.

    ``ages`` and ``years`` rise. After the last age or year its rates go on to hold; before the first there are none.
    """

    ages: Floats
    sexes: tuple[str, ...]
    years: Whole
    rates: Floats

    def cells(self, age: Floats, sex: Whole, year: Whole) -> Whole:
        """Position of each age (years), sex (index into ``sexes``) and year in ``rates.ravel()``; before the first age
        or year that of the first. Shapes (n,)."""
        row = np.maximum(np.searchsorted(self.ages, age, side="right") - 1, 0)
        column = np.maximum(np.searchsorted(self.years, year, side="right") - 1, 0)
        return (row * len(self.sexes) + sex) * len(self.years) + column


def from_columns(age: Sequence[float], sex: Sequence[str], year: Sequence[int], rate: Sequence[float]) -> LifeTable:
    """The table of columns of equal length, one row for each cell. LifeTableFailure names the column at fault."""
    ages, row = np.unique(np.asarray(age, dtype=float), return_inverse=True)
    sexes, column = np.unique(np.asarray(sex, dtype=str), return_inverse=True)
    years, layer = np.unique(np.asarray(year, dtype=np.int64), return_inverse=True)
    values = np.asarray(rate, dtype=float)
    if not len(values):
        raise LifeTableFailure("it holds no row")
    if not np.isfinite(ages).all() or ages[0] < 0:
        raise LifeTableFailure("age must be a number of years, 0 or more")
    if not np.isfinite(values).all() or (values < 0).any():
        raise LifeTableFailure("rate must be a number per person-year, 0 or more, in every row")
    shape = (len(ages), len(sexes), len(years))
    cell = (row * len(sexes) + column) * len(years) + layer
    times = np.bincount(cell, minlength=int(np.prod(shape)))
    if (times > 1).any():
        raise LifeTableFailure("an age, sex and year stands in it twice")
    if (times == 0).any():
        raise LifeTableFailure("it has no rate for some of its ages, sexes and years: every combination must be there")
    rates = np.empty(len(values))
    rates[cell] = values
    return LifeTable(ages, tuple(str(name) for name in sexes), years, rates.reshape(shape))
