"""Sums over Cox risk sets without visiting them: every row is at risk in one unbroken range of event times.

Event times are numbered through all strata in turn ("cells"). A row (start, stop] is at risk in the cells
[first, last) of its stratum, so the sums over every risk set are one cumulative sum over what enters and what leaves.
Cost: linear in rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RiskSets:
    """The event times of all strata and who is at risk at each.

    first, last: per row, the range [first, last) of cells in which it is at risk.
    died: rows with the event, ordered by cell (then by row); ``died_in`` is their cell.
    deaths: number of tied events per cell; ``opens`` is the place of the cell's first event in ``died``.
    """

    time: Floats
    stratum: Ints
    first: Ints
    last: Ints
    died: Ints
    died_in: Ints
    deaths: Ints
    opens: Ints

    @property
    def cells(self) -> int:
        return len(self.time)

    def sums(self, values: Floats) -> Floats:
        """Sum of ``values`` over each risk set; rows x columns in, cells x columns out (1-d stays 1-d)."""
        if values.ndim == 2:
            return np.column_stack([self.sums(values[:, j]) for j in range(values.shape[1])])
        leaving = np.bincount(self.last, values, self.cells + 1)
        entering = np.bincount(self.first, values, self.cells + 1)
        # from the last cell backwards: late risk sets are the small ones, and the ones that must not drown in rounding
        return np.cumsum((leaving - entering)[:0:-1])[::-1]

    def sums_of_dead(self, values: Floats) -> Floats:
        """Sum over the rows that have the event, per cell; values are given for all rows."""
        return np.add.reduceat(values[self.died], self.opens, axis=0)

    def per_cell(self, values: Floats) -> Floats:
        """Sum per cell of values given per event (in the order of ``died``)."""
        return np.add.reduceat(values, self.opens, axis=0)

    def between(self, cumulative: Floats) -> Floats:
        """Increase of a cumulative function over each row's time at risk; one row per cell in, one per row out."""
        padded = np.concatenate([np.zeros((1, *cumulative.shape[1:])), cumulative])
        return padded[self.last] - padded[self.first]


def build(start: Floats, stop: Floats, event: npt.NDArray[np.bool_], stratum: Ints) -> RiskSets:
    """Find the cells and each row's range of them. Strata are whole numbers 0, 1, ...; times compare exactly."""
    died = np.flatnonzero(event)
    died = died[np.lexsort((stop[died], stratum[died]))]
    time, level = stop[died], stratum[died]
    opens = np.flatnonzero(np.r_[True, (np.diff(time) != 0) | (np.diff(level) != 0)]) if len(died) else died
    deaths = np.diff(np.r_[opens, len(died)])
    times, levels = time[opens], level[opens]
    return RiskSets(
        time=times,
        stratum=levels,
        first=_cells_up_to(start, stratum, times, levels),
        last=_cells_up_to(stop, stratum, times, levels),
        died=died,
        died_in=np.repeat(np.arange(len(opens)), deaths),
        deaths=deaths,
        opens=opens,
    )


def _cells_up_to(at: Floats, stratum: Ints, times: Floats, levels: Ints) -> Ints:
    """Number of cells before or at (stratum, at), counting all cells of earlier strata."""
    distinct = np.unique(times)
    # (stratum, time) as one whole number: the time's rank among the event times, 0 before the first
    span = len(distinct) + 1
    cell_key = levels * span + np.searchsorted(distinct, times, side="right")
    row_key = stratum * span + np.searchsorted(distinct, at, side="right")
    return np.searchsorted(cell_key, row_key, side="right").astype(np.int64)
