"""Sums over Cox risk sets without visiting them: every row is at risk in one unbroken range of event times.

Event times are numbered through all strata in turn ("cells"). A row (start, stop] is at risk in the cells
[first, last) of its stratum, so the sums over every risk set are one cumulative sum over what enters and what leaves.
Cost: linear in rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from opioid_outcomes.survival.products import row_blocks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]


@dataclass(frozen=True)
class RiskSets:
    """The event times of all strata and who is at risk at each.

    places: (rows, 2), the cells at which each row leaves (``last``) and enters (``first``): at risk in [first, last).
    died: rows with the event, ordered by cell (then by row); ``died_in`` is their cell.
    deaths: number of tied events per cell; ``opens`` is the place of the cell's first event in ``died``.
    """

    time: Floats
    stratum: Ints
    places: Places
    died: Ints
    died_in: Ints
    deaths: Ints
    opens: Ints

    @property
    def cells(self) -> int:
        return len(self.time)

    @property
    def first(self) -> Places:
        return self.places[:, 1]

    @property
    def last(self) -> Places:
        return self.places[:, 0]

    def sums(self, values: Floats) -> Floats:
        """Sum of ``values`` over each risk set; rows x columns in, cells x columns out (1-d stays 1-d)."""
        if values.ndim == 2:
            return np.column_stack([self.sums(values[:, j]) for j in range(values.shape[1])])
        change = np.zeros(self.cells + 1)
        for rows in row_blocks(len(values), 1, least=self.cells):
            change += np.bincount(self.last[rows], values[rows], self.cells + 1)
            change -= np.bincount(self.first[rows], values[rows], self.cells + 1)
        return self.accumulate(change)

    def changes(self, rows: slice, risk: Floats, x: Floats) -> Floats:
        """What a block of rows adds to the sums of risk times x, (cells + 1, p): plus where it leaves, minus where it
        enters; ``accumulate`` makes sums over risk sets of it. x: the block, row-major; risk: all its rows.
        """
        from scipy.sparse import csc_array

        size = rows.stop - rows.start
        signed = np.empty((size, 2))
        signed[:, 0], signed[:, 1] = risk, -risk
        ends = np.arange(0, 2 * size + 1, 2, dtype=np.int32)
        scatter = csc_array((signed.ravel(), self.places[rows].ravel(), ends), shape=(self.cells + 1, size))
        return np.asarray(scatter @ x)

    @staticmethod
    def accumulate(change: Floats) -> Floats:
        """Sums over risk sets from what enters and leaves at each cell."""
        # from the last cell backwards: late risk sets are the small ones, and the ones that must not drown in rounding
        return np.cumsum(change[:0:-1], axis=0)[::-1]

    def sums_of_dead(self, values: Floats) -> Floats:
        """Sum over the rows that have the event, per cell; values are given for all rows."""
        return self.per_cell(values[self.died])

    def per_cell(self, values: Floats) -> Floats:
        """Sum per cell of values given per event (in the order of ``died``)."""
        return np.add.reduceat(values, self.opens, axis=0)

    def between(self, cumulative: Floats, rows: slice = slice(None)) -> Floats:
        """Increase over each row's time at risk of a cumulative function; 0 and then one row per cell in."""
        result = np.take(cumulative, self.last[rows], axis=0)
        result -= np.take(cumulative, self.first[rows], axis=0)
        return result


def from_zero(per_cell: Floats) -> Floats:
    """The cumulative function that rises by a number at each cell: 0, then its value after each, (cells + 1, ...)."""
    return np.concatenate([np.zeros((1, *per_cell.shape[1:])), np.cumsum(per_cell, axis=0)])


def build(start: Floats, stop: Floats, event: npt.NDArray[np.bool_], stratum: Ints) -> RiskSets:
    """Find the cells and each row's range of them. Strata are whole numbers 0, 1, ...; times compare exactly."""
    died = np.flatnonzero(event)
    died = died[np.lexsort((stop[died], stratum[died]))]
    time, level = stop[died], stratum[died]
    opens = np.flatnonzero(np.r_[True, (np.diff(time) != 0) | (np.diff(level) != 0)]) if len(died) else died
    deaths = np.diff(np.r_[opens, len(died)])
    times, levels = time[opens], level[opens]
    places = np.empty((len(stop), 2), dtype=np.int32)
    places[:, 0] = _cells_up_to(stop, stratum, times, levels)
    places[:, 1] = _cells_up_to(start, stratum, times, levels)
    return RiskSets(
        time=times,
        stratum=levels,
        places=places,
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
    rank = _rank(at, distinct)
    if len(levels) and not levels[-1] and not stratum.strides[0]:  # one stratum: cells are the ranks
        return rank
    cell_key = levels * span + np.searchsorted(distinct, times, side="right")
    keys = (int(stratum.max()) + 1) * span if len(stratum) else 0
    if keys > 4 * len(at):
        return np.searchsorted(cell_key, stratum * span + rank, side="right")
    table = np.cumsum(np.bincount(cell_key, minlength=keys))
    return table[stratum * span + rank]


def _rank(at: Floats, distinct: Floats) -> Ints:
    """Number of distinct times before or at each time; looked up in a table where the times are whole numbers."""
    low, high = (distinct[0], distinct[-1]) if len(distinct) else (0.0, 0.0)
    if not len(distinct) or high - low > 4 * len(at) or (distinct != np.floor(distinct)).any():
        return np.searchsorted(distinct, at, side="right")
    table = np.zeros(int(high - low) + 2, dtype=np.int64)
    table[(distinct - low).astype(np.int64) + 1] = 1
    place = np.clip(at, low - 1, high)
    np.floor(place, out=place)
    place -= low - 1
    return np.cumsum(table)[place.astype(np.int32)]
