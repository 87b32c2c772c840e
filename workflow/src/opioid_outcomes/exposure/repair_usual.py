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
SPAN = LONGEST_WAIT + 1
AT_ONCE = 2**17  # fills put in order at a time: their arrays are used again, not asked of the system anew
WEIGHT_TOLERANCE = 1e-9  # of a person: thirds that add up to one do so but for rounding


@dataclass(frozen=True)
class Records:
    """One known value of each fill it is known of, sorted by person, product and day.

    By person first, as fills come: what belongs together lies together, and sorting takes few moves.
    pair: rising codes of person and product; width: how many products a person's codes span.
    """

    width: int
    pair: Array
    day: Array
    value: Array

    @classmethod
    def of(
        cls, rows: Array, product: Array, person: Array, day: Array, value: Array, *, per: Array | None = None
    ) -> Records:
        """``rows`` are the fills to learn from; the columns are of all fills, which are sorted by person and day.

        ``per``: what ``value`` is divided by. Whole persons at a time, so that what it takes on the way stays small.
        """
        width = int(product.max(initial=0)) + 1
        pair, days, values = (np.empty(len(rows), dtype) for dtype in (np.int64, day.dtype, value.dtype))
        begins = np.searchsorted(rows, np.searchsorted(person, person[rows[::AT_ONCE]]))
        for low, high in pairwise(np.unique(np.append(begins, len(rows)))):
            some = rows[low:high]
            own = person[some].astype(np.int64) * width + product[some]
            order = np.argsort(own, kind="stable")
            some = some[order]
            pair[low:high], days[low:high] = own[order], day[some]
            values[low:high] = value[some] if per is None else value[some] / per[some]
        return cls(width, pair, days, values)

    def _pair(self, product: Array, person: Array) -> Array:
        return person.astype(np.int64) * self.width + product

    def of_person(self, product: Array, person: Array, day: Array) -> Array:
        """Median of the latest fills of the person and product on or before the day; NaN without any. O(m log n)."""
        usual = np.full(len(product), np.nan)
        known = np.flatnonzero(product < self.width)
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

    def of_others(self, product: Array, person: Array) -> Array:
        """Median, over other people who have the product, of each one's median; NaN if they are too few.

        Leave-one-out: ranked once per product, and the own place skipped.
        O(n log n) over the fills, O(m log n) over the rows asked for.
        """
        usual = np.full(len(product), np.nan)
        first, last = (np.searchsorted(self._ranked_product, product, side=side) for side in ("left", "right"))
        own = self._own_place(product, person)
        others = last - first - (own >= 0)
        asked = np.flatnonzero(others >= ENOUGH_PEOPLE)
        places = (others[asked] - 1) // 2, others[asked] // 2
        low, high = (self._ranked[_skip(first[asked] + place, own[asked])] for place in places)
        usual[asked] = (low + high) / 2
        return usual

    def _own_place(self, product: Array, person: Array) -> Array:
        """Place of the person's own median among those of the product; -1 without one."""
        if not len(self._owner):
            return np.full(len(product), -1)
        own = self._pair(product, person)
        at = np.minimum(np.searchsorted(self._owner, own), len(self._owner) - 1)
        return np.where((self._owner[at] == own) & (product < self.width), self._place[at], -1)

    @cached_property
    def _starts(self) -> Array:
        return np.flatnonzero(np.diff(self.pair, prepend=-1) != 0)

    @cached_property
    def _owner(self) -> Array:
        return self.pair[self._starts]

    @cached_property
    def _order(self) -> Array:
        return np.lexsort((self._medians, self._owner % self.width))

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
        return self._owner[self._order] % self.width

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


@dataclass(frozen=True)
class Waits:
    """Days between successive fills of a product by a person, at most ``LONGEST_WAIT``: longer ones are stops.

    pair: rising codes of person and product, one of each; width: how many products a person's codes span; ends: key of
    each wait (its pair's place and its days), sorted; start: first wait of each pair, and the end of the last.
    """

    width: int
    pair: Array
    start: Array
    ends: Array

    @classmethod
    def of(cls, rows: Array, product: Array, person: Array, day: Array) -> Waits:
        """``rows`` are the fills to learn from, of columns sorted by person and day; fills of one day are one."""
        fills = Records.of(rows, product, person, day, day)
        wait = np.diff(fills.day.astype(np.int64), prepend=0)
        again = np.diff(fills.pair, prepend=-1) == 0
        kept = again & (wait > 0) & (wait <= LONGEST_WAIT)
        pairs = fills.pair[kept]
        new = np.diff(pairs, prepend=-1) != 0
        start = np.append(np.flatnonzero(new), len(pairs))
        return cls(fills.width, pairs[new], start, np.sort((np.cumsum(new) - 1) * SPAN + wait[kept]))

    def of_others(self, product: Array, person: Array, quantile: float) -> Array:
        """The shortest wait that at least ``quantile`` of the waits of other people for the product do not exceed.

        Every person has the same weight, divided among his waits. NaN if fewer than ``ENOUGH_PEOPLE`` others have any.
        Leave-one-out: the person's own waits are taken off the product's distribution, which is summed up once. They
        move the quantile between two bounds of the product alone, mostly a day or two apart. O(n log n) over the waits
        and O(m log n) over the rows asked for.
        """
        usual = np.full(len(product), np.nan)
        if not len(self.pair):
            return usual
        at = np.minimum(np.searchsorted(self._products, product), len(self._products) - 1)
        own = self._own(product, person)
        enough = (self._products[at] == product) & (self._people[at] - (own >= 0) >= ENOUGH_PEOPLE)
        asked = np.flatnonzero(enough)
        at, own = at[asked], own[asked]
        without_own = quantile * (self._people - 1)
        too_short = np.where(own >= 0, self._shortest(without_own)[at] - 1, 0)
        found = np.where(own >= 0, self._shortest(without_own + 1)[at], self._shortest(quantile * self._people)[at])
        between = np.flatnonzero((own >= 0) & (found - too_short > 1))
        while len(between):
            middle = (too_short[between] + found[between]) // 2
            weight = self._cumulated[at[between], middle] - self._own_share(own[between], middle)
            long_enough = weight >= without_own[at[between]] - WEIGHT_TOLERANCE
            found[between[long_enough]] = middle[long_enough]
            too_short[between[~long_enough]] = middle[~long_enough]
            between = between[found[between] - too_short[between] > 1]
        usual[asked] = found
        return usual

    def _shortest(self, weight: Array) -> Array:
        """Of each product the shortest wait up to which the waits weigh so much."""
        return (self._cumulated < weight[:, None] - WEIGHT_TOLERANCE).sum(axis=1).clip(max=LONGEST_WAIT)

    def _own(self, product: Array, person: Array) -> Array:
        """Place of the person's own waits among the pairs; -1 without any."""
        pair = person.astype(np.int64) * self.width + product
        place = np.minimum(np.searchsorted(self.pair, pair), len(self.pair) - 1)
        return np.where((self.pair[place] == pair) & (product < self.width), place, -1)

    def _own_share(self, own: Array, days: Array) -> Array:
        """Share of a person's waits up to so many days."""
        start, stop = self.start[own], self.start[own + 1]
        upto = np.searchsorted(self.ends, own * SPAN + days, side="right")
        return (upto - start) / (stop - start)

    @cached_property
    def _products(self) -> Array:
        return np.unique(self.pair % self.width)

    @cached_property
    def _of_pair(self) -> Array:
        """Place among ``_products`` of each pair."""
        return np.searchsorted(self._products, self.pair % self.width)

    @cached_property
    def _people(self) -> Array:
        return np.bincount(self._of_pair)

    @cached_property
    def _cumulated(self) -> Array:
        """By product and days: the weight of waits up to so many days, in people."""
        pair, days = np.divmod(self.ends, SPAN)
        weight = 1 / np.diff(self.start)[pair]
        cell = self._of_pair[pair] * SPAN + days
        return np.bincount(cell, weight, len(self._products) * SPAN).reshape(-1, SPAN).cumsum(axis=1)


def _middle(values: Array, count: Array) -> Array:
    """Median of the first ``count`` of each sorted row."""
    row = np.arange(len(values))
    return (values[row, (count - 1) // 2] + values[row, count // 2]) / 2


def _skip(place: Array, own: Array) -> Array:
    return place + ((own >= 0) & (own <= place))
