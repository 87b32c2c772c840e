"""The end of supply as it was known on each day of a fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.exposure.records import Records, days, of_people
from opioid_outcomes.exposure.stretches import Array, distinct_days, latest

NEVER = np.iinfo(np.int32).min  # before every day: no supply so far


@dataclass(frozen=True)
class SupplyEnds(Records):
    """From each day on, the end of supply as known then."""

    end: Array

    def next_day(self) -> Array:
        """Day of the person's next record, beyond every day if there is none."""
        same = self.person[1:] == self.person[:-1]
        return np.append(np.where(same, self.day[1:], np.iinfo(np.int64).max), np.iinfo(np.int64).max)[: len(self.day)]


@dataclass(frozen=True)
class Fills(Records):
    """Supplies, sorted by person, product and start; ``item`` numbers persons and products."""

    end: Array
    item: Array

    @classmethod
    def of(cls, supplies: pl.DataFrame, ids: pl.Series) -> Fills:
        """``supplies``: person_id, product, start, known_end, as ``daily_dose.supplies`` sorts them."""
        rows, person = of_people(supplies, ids)
        changes = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in ("person_id", "product"))
        item = rows.select(changes.cast(pl.Int64).cum_sum()).to_series().to_numpy()
        return cls(person, days(rows, "start"), days(rows, "known_end"), item)

    def ends(self) -> SupplyEnds:
        """On each day of a fill the latest known end over products, each by its last fill so far.

        Not simply a running maximum: a refill may bring the end of its product forward. As much of an end as no later
        refill withdraws lasts; the rest counts until the next fill of the product. O(n log n) if few are withdrawn.
        """
        if not len(self.person):
            return SupplyEnds(self.person, self.day, self.end)
        person, day = distinct_days([(self.person, self.day)])
        row = latest(self.person, self.day, person, day)
        lasting = _lowest_from_here(self.item, self.end)
        known = np.full(len(day), NEVER, dtype=np.int64)
        np.maximum.at(known, row, lasting)
        lift = person * (int(known.max()) - NEVER + 1)
        known = np.maximum.accumulate(known + lift) - lift
        withdrawn = np.flatnonzero(self.end > lasting)  # by a later fill of the product: there is a next one
        first, count = row[withdrawn], row[withdrawn + 1] - row[withdrawn]
        until_next = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        np.maximum.at(known, until_next, np.repeat(self.end[withdrawn], count))
        return SupplyEnds(person, day, known)


def _lowest_from_here(item: Array, end: Array) -> Array:
    """The lowest end of this and the later fills of the item."""
    lift = item * (int(end.max()) - int(end.min()) + 1)
    return np.minimum.accumulate((end + lift)[::-1])[::-1] - lift
