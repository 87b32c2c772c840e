"""What is usual of a product: in the person's own latest fills, and among other people.

The two sources repair learns from (METHODS B4). Nothing here looks at a later fill of the same person.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from opioid_outcomes.exposure.stretches import Array, latest

LATEST_FILLS = 3  # of a person: enough to outvote a slip, few enough to follow a change of dose
ENOUGH_PEOPLE = 10  # other people whose fills tell what is usual of a product
LONGEST_WAIT = 180  # days between two fills of a product: who waits longer has stopped in between


@dataclass(frozen=True)
class Records:
    """One known value of each fill it is known of; product and person are codes, all sorted by product, person, day."""

    product: Array
    person: Array
    day: Array
    value: Array

    @classmethod
    def of(cls, rows: Array, product: Array, person: Array, day: Array, value: Array) -> Records:
        """``rows`` are the fills to learn from; the columns are of all fills, which are sorted by person and day."""
        codes = product[rows]
        small = codes.max(initial=0) < np.iinfo(np.uint16).max  # sorted by radix, in one pass
        rows = rows[np.argsort(codes.astype(np.uint16) if small else codes, kind="stable")]
        return cls(product[rows], person[rows], day[rows], value[rows])

    @cached_property
    def width(self) -> int:
        return int(self.person.max(initial=0)) + 1

    @cached_property
    def pair(self) -> Array:
        """One rising code of product and person."""
        return self._pair(self.product, self.person)

    def _pair(self, product: Array, person: Array) -> Array:
        return product.astype(np.int64) * self.width + person

    def of_person(self, product: Array, person: Array, day: Array) -> Array:
        """Median of the latest fills of the person and product on or before the day; NaN without any. O(m log n)."""
        usual = np.full(len(product), np.nan)
        known = np.flatnonzero(person < self.width)
        own = self._pair(product[known], person[known])
        at = latest(own, day[known], self.pair, self.day)
        known, own, at = known[at >= 0], own[at >= 0], at[at >= 0]
        if not len(at):
            return usual
        before = at[:, None] - np.arange(LATEST_FILLS)
        inside = before >= 0
        before = np.maximum(before, 0)
        same = inside & (self.pair[before] == own[:, None])
        values = np.sort(np.where(same, self.value[before], np.inf), axis=1)
        usual[known] = _middle(values, same.sum(axis=1))
        return usual

    def of_others(self, product: Array, person: Array, quantile: float) -> Array:
        """Quantile, over other people who have the product, of each one's median; NaN if they are too few.

        Leave-one-out: ranked once per product, and the own place skipped. Interpolates linearly between ranks.
        O(n log n) over the fills, O(m log n) over the rows asked for.
        """
        usual = np.full(len(product), np.nan)
        first, last = (np.searchsorted(self._ranked_product, product, side=side) for side in ("left", "right"))
        own = self._own_place(product, person)
        others = last - first - (own >= 0)
        asked = np.flatnonzero(others >= ENOUGH_PEOPLE)
        rank = (others[asked] - 1) * quantile
        low = np.floor(rank).astype(np.int64)
        share = rank - low
        high = np.minimum(low + 1, others[asked] - 1)
        at = [_skip(first[asked] + place, own[asked]) for place in (low, high)]
        usual[asked] = self._ranked[at[0]] * (1 - share) + self._ranked[at[1]] * share
        return usual

    def _own_place(self, product: Array, person: Array) -> Array:
        """Place of the person's own median among those of the product; -1 without one."""
        if not len(self._owner):
            return np.full(len(product), -1)
        own = self._pair(product, person)
        at = np.minimum(np.searchsorted(self._owner, own), len(self._owner) - 1)
        return np.where((self._owner[at] == own) & (person < self.width), self._place[at], -1)

    @cached_property
    def _starts(self) -> Array:
        return np.flatnonzero(np.diff(self.pair, prepend=-1) != 0)

    @cached_property
    def _owner(self) -> Array:
        return self.pair[self._starts]

    @cached_property
    def _order(self) -> Array:
        return np.lexsort((self._medians, self.product[self._starts]))

    @cached_property
    def _place(self) -> Array:
        place = np.empty(len(self._order), dtype=np.int64)
        place[self._order] = np.arange(len(self._order))
        return place

    @cached_property
    def _ranked(self) -> Array:
        return self._medians[self._order]

    @cached_property
    def _ranked_product(self) -> Array:
        return self.product[self._starts][self._order]

    @cached_property
    def _medians(self) -> Array:
        """The median of each person and product, worked out for all with as many fills at once."""
        count = np.diff(self._starts, append=len(self.value))
        medians = np.empty(len(count))
        by_count = np.argsort(count, kind="stable")
        bounds = np.flatnonzero(np.diff(count[by_count], prepend=0, append=0) != 0)
        for begin, end in pairwise(bounds):
            alike = by_count[begin:end]
            fills = count[alike[0]]
            values = np.sort(self.value[self._starts[alike, None] + np.arange(fills)], axis=1)
            medians[alike] = (values[:, (fills - 1) // 2] + values[:, fills // 2]) / 2
        return medians


def waits(rows: Array, product: Array, person: Array, day: Array) -> Records:
    """Days between successive fills of a product by a person, at the later fill; at most ``LONGEST_WAIT``.

    ``rows`` are the fills to learn from; fills of one day are one.
    """
    fills = Records.of(rows, product, person, day, day)
    wait = np.diff(fills.day.astype(np.int64), prepend=0)
    again = np.diff(fills.pair, prepend=-1) == 0
    kept = again & (wait > 0) & (wait <= LONGEST_WAIT)
    return Records(fills.product[kept], fills.person[kept], fills.day[kept], wait[kept].astype(np.float64))


def _middle(values: Array, count: Array) -> Array:
    """Median of the first ``count`` of each sorted row."""
    row = np.arange(len(values))
    return (values[row, (count - 1) // 2] + values[row, count // 2]) / 2


def _skip(place: Array, own: Array) -> Array:
    return place + ((own >= 0) & (own <= place))
