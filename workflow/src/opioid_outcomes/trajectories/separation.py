"""Separation: levels of a covariate with nobody of a class, of which log odds are infinite, however weights hide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opioid_outcomes.survival.multinomial import LEAST_EXPECTED, Bools
from opioid_outcomes.survival.risk_sets import Floats


@dataclass(frozen=True)
class EmptyCells:
    """Cells of a level and a class that hold nobody.

    never: (people, K), classes in which people of a level cannot be. untold: (columns, K), whether the level of a
    column, or the one it is compared with, has nobody in the class.
    """

    never: Bools
    untold: Bools

    @property
    def undecided(self) -> Bools:
        """(people,) of whom covariates can say anything: those who can be in two classes at least."""
        return (~self.never).sum(axis=1) > 1

    @property
    def without_odds(self) -> Bools:
        """(columns, K - 1) whether the log odds of a class against the first are infinite, or unknown."""
        return self.untold[:, 1:] | self.untold[:, :1]


def empty_cells(classes: Floats, covariates: Sequence[str], levels: Sequence[Bools | None]) -> EmptyCells:
    """Cells with less than one person expected, and what follows.

    classes: (people, K) weights above 0 in all, of which a person's shares are what is expected. ``covariates`` and
    ``levels``: of each column, who has its level, None for numbers; people of no level of a covariate are the one its
    columns are compared with. Who is in a cell is ruled out of that class, and who is then left with one class only
    says nothing, which may empty further cells. Cost: a pass over people per level and round.
    """
    share = classes / classes.sum(axis=1, keepdims=True)
    found = EmptyCells(np.zeros(classes.shape, dtype=bool), np.zeros((len(levels), classes.shape[1]), dtype=bool))
    groups = list(_groups(covariates, levels))
    changed = True
    while changed:
        changed = False
        for level, columns in groups:
            there = level & found.undecided
            if not there.any():
                continue
            barred = found.never[there]
            expected = np.where(barred, 0.0, share[there]).sum(axis=0)
            empty = (expected < LEAST_EXPECTED) & ~barred.all(axis=0)
            if empty.any():
                found.never[level] |= empty
                found.untold[columns] |= empty
                changed = True
    return found


def _groups(covariates: Sequence[str], levels: Sequence[Bools | None]) -> list[tuple[Bools, list[int]]]:
    """Levels, the reference of each covariate among them, with the columns whose log odds rest on them."""
    found: list[tuple[Bools, list[int]]] = []
    for name in dict.fromkeys(covariates):
        columns = [j for j, each in enumerate(covariates) if each == name]
        own = [(level, [j]) for j in columns if (level := levels[j]) is not None]
        if own:
            found += [*own, (~np.logical_or.reduce([level for level, _ in own]), columns)]
    return found
