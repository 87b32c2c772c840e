"""Supply of one product after stockpiling (CONTRACT 7): same-day fills are one, left-over days pass to the next fill.

Person, product, day and row are packed in one 64-bit integer and sorted once; what follows is worked out on chunks of
whole persons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opioid_outcomes.exposure import packed
from opioid_outcomes.exposure.packed import KNOWN, REPAIRED, Intervals, bits, differs
from opioid_outcomes.exposure.stretches import Array

DAY_TOLERANCE = 1e-6  # a day counts when wholly before the end; the end is real-valued (CONTRACT 7)
MAX_MME = 1e6  # beyond it the sums of billionths could overflow; no such dose exists
LAST_DAY = 2.0**31 - 1  # an end beyond what a day can hold is that day
NEVER = np.iinfo(np.int32).max
CHUNK = 2**18  # fills at a time: fewer rounds of the walk than smaller chunks, yet no second copy of the table


@dataclass(frozen=True)
class Fills:
    """One row a fill, in any order. ``person``, ``product``: codes that rise with the names; NaN = unknown.

    ``units``: units a day (None: ``mme`` counts, an unknown one as 1); ``flags``: bits of ``packed`` (``KNOWN`` and
    ``UNKNOWN`` by mme); ``mg``: mg a day of the ingredient whose factor depends on the day's total (None: none).
    """

    person: Array
    product: Array
    start: Array
    days: Array
    mme: Array
    flags: Array
    units: Array | None
    mg: Array | None

    def take(self, rows: Array | slice) -> Fills:
        parts: list[Any] = [None if part is None else part[rows] for part in vars(self).values()]
        return Fills(*parts)

    def sorted(self, rows: Array, person: Array, product: Array, start: Array) -> Fills:
        """``rows`` with what is known of them already: less to gather."""
        rest = [None if part is None else part.take(rows) for part in (self.units, self.mg)]
        return Fills(person, product, start, self.days.take(rows), self.mme.take(rows), self.flags.take(rows), *rest)

    def units_per_day(self) -> Array:
        return np.where(np.isnan(self.mme), 1.0, self.mme) if self.units is None else self.units


@dataclass(frozen=True)
class Supply:
    """One row a supply, by person, product and start: ``fills`` after the merge, and what became of them.

    ``repaired_from``: first of the days that are there by left-over of repaired supply only; None, ``NEVER``: no such.
    """

    fills: Fills
    end: Array
    known_end: Array
    stop: Array
    dropped: Array
    repaired_from: Array | None = None

    def intervals(self) -> Intervals:
        """What counts on each day: supplies of one product that go on at one dose are one interval."""
        rows = np.flatnonzero(self.fills.start < self.stop)
        fills, stop = self.fills.take(rows), self.stop[rows]
        if self.repaired_from is not None:
            rows, start, stop, repaired = split(fills.start, stop, self.repaired_from[rows])
            fills = fills.take(rows)
            fills = replace(fills, start=start, flags=fills.flags | repaired * np.uint8(REPAIRED))
        begins = differs(fills.person) | differs(fills.product) | differs(fills.flags)
        begins[1:] |= fills.start[1:] != stop[:-1]
        for amount in (fills.mme,) if fills.mg is None else (fills.mme, fills.mg):
            begins |= differs(np.nan_to_num(amount, nan=-1.0))
        kept, ends = fills.take(np.flatnonzero(begins)), np.append(begins[1:], True)
        flags = None if (kept.flags == KNOWN).all() else kept.flags
        return Intervals(kept.person, kept.start, stop[ends[: len(stop)]], kept.mme, flags, kept.mg)


def supplies(fills: Fills, cap_days: float | None, work: Callable[[Supply], Any]) -> list[Any]:
    """``work`` of the supplies of every chunk of whole persons, in order; ``cap_days`` None: no stockpiling.

    O(n log n); beside the fills, one 64-bit integer a row is held.
    """
    if not len(fills.person):
        return [work(_supply(fills, cap_days))]
    if packed.in_order(fills.person):
        chunks = packed.whole_groups(fills.person, 0, CHUNK)
        blocks = packed.each(lambda chunk: _blocks(fills.take(chunk), cap_days, work, parallel=False), chunks)
        return [found for block in blocks for found in block]
    return _blocks(fills, cap_days, work, parallel=True)


@dataclass(frozen=True)
class _Layout:
    """Key = person - first | product | day - low | row, from the highest bits to the lowest."""

    first: int
    low: int
    product_bits: int
    day_bits: int
    row_bits: int


def _blocks(fills: Fills, cap_days: float | None, work: Callable[[Supply], Any], *, parallel: bool) -> list[Any]:
    low = int(fills.start.min())
    day_bits, row_bits = bits(int(fills.start.max()) - low), bits(len(fills.person) - 1)
    product_bits = bits(int(fills.product.max()))
    found: list[Any] = []
    for first, block in packed.person_blocks(fills.person, product_bits + day_bits + row_bits):
        layout = _Layout(first, low, product_bits, day_bits, row_bits)
        found += _block(fills if isinstance(block, slice) else fills.take(block), layout, cap_days, work, parallel)
    return found


def _block(
    fills: Fills, layout: _Layout, cap_days: float | None, work: Callable[[Supply], Any], parallel: bool
) -> list[Any]:
    keys = np.empty(len(fills.person), np.int64)

    def pack(rows: slice) -> None:
        key = fills.person[rows].astype(np.int64) - layout.first
        key <<= layout.product_bits
        key |= fills.product[rows]
        key <<= layout.day_bits
        key += fills.start[rows] - layout.low
        key <<= layout.row_bits
        keys[rows] = key | np.arange(rows.start, rows.stop)

    def unpack(chunk: slice) -> Any:
        key = keys[chunk]
        rows = key & ((1 << layout.row_bits) - 1)
        key >>= layout.row_bits
        start = ((key & ((1 << layout.day_bits) - 1)) + layout.low).astype(np.int32)
        key >>= layout.day_bits
        product = (key & ((1 << layout.product_bits) - 1)).astype(np.int32)
        key >>= layout.product_bits
        key += layout.first
        return work(_supply(fills.sorted(rows, key, product, start), cap_days))

    packed.each(pack, packed.slices(len(keys)), parallel)
    keys.sort()
    person_shift = layout.product_bits + layout.day_bits + layout.row_bits
    return packed.each(unpack, packed.whole_groups(keys, person_shift, CHUNK), parallel)


def _supply(fills: Fills, cap_days: float | None) -> Supply:
    """``fills`` sorted by person, product and start."""
    item = differs(fills.person) | differs(fills.product)
    alone = item | differs(fills.start)
    if not alone.all():
        fills = _same_day(fills, alone, merge=cap_days is not None)
        item = differs(fills.person) | differs(fills.product)
    if cap_days is None:
        end = fills.start + fills.days
        dropped = np.zeros_like(end)
    else:
        end, dropped = pass_on(fills.start, fills.days, fills.units_per_day(), item, cap_days)
    stop = np.minimum(np.floor(end + DAY_TOLERANCE), LAST_DAY).astype(np.int32)
    if cap_days is None:
        # fills of one product overlap: its supply ends with the fill that lasts longest, of those so far
        number = np.cumsum(item) << 32
        return Supply(fills, end, (np.maximum.accumulate(number + stop) - number).astype(np.int32), stop, dropped)
    taken_over = np.append(np.where(item[1:], np.iinfo(np.int32).max, fills.start[1:]), np.iinfo(np.int32).max)
    last = np.minimum(stop, taken_over[: len(stop)]).astype(np.int32)
    return Supply(fills, end, stop, last, dropped, _repaired_from(fills, end, last))


def _repaired_from(fills: Fills, end: Array, stop: Array) -> Array | None:
    repaired = (fills.flags & REPAIRED) > 0
    if not repaired.any():
        return None
    own = fills.start + fills.days
    own_stop = np.floor(own + DAY_TOLERANCE)
    return np.where(by_left_over(end > own, repaired) & (own_stop < stop), own_stop, NEVER).astype(np.int32)


def by_left_over(passed: Array, repaired: Array) -> Array:
    """Whether something of a repaired supply was left over to each, from the one before it or through that one.

    ``passed``: whether anything was left over to each from the one before.
    """
    before = np.cumsum(repaired) - repaired
    first = np.maximum.accumulate(np.where(passed, 0, np.arange(len(passed))))
    return passed & (before > before[first])


def split(start: Array, stop: Array, repaired_from: Array) -> tuple[Array, Array, Array, Array]:
    """Rows cut at ``repaired_from``: of each piece the number of its row, its start, its stop and whether repaired."""
    cut = (start < repaired_from) & (repaired_from < stop)
    row = np.repeat(np.arange(len(start)), 1 + cut)
    second = np.append(False, row[1:] == row[:-1])[: len(row)]
    first = np.append(second[1:], False)[: len(row)]
    at = repaired_from[row]
    return row, np.where(second, at, start[row]), np.where(first, at, stop[row]), at <= np.where(second, at, start[row])


def _same_day(fills: Fills, begins: Array, *, merge: bool) -> Fills:
    """Fills of one product on one day in an order of their own, or as one fill: quantities add, the longest days count.

    Sorted on everything that is summed, so that sums do not depend on the order of the input.
    """
    day = np.cumsum(begins) - 1
    rows = np.flatnonzero(np.bincount(day)[day] > 1)
    several = fills.take(rows)
    order = np.lexsort(
        [part for part in (several.flags, several.mg, several.units, several.mme, several.days) if part is not None]
        + [day[rows]]
    )
    several = several.take(order)
    if not merge:
        return _put(fills, rows, several)
    first = np.flatnonzero(begins[rows])
    last = np.append(first[1:], len(rows)) - 1
    longest = several.days[last]
    merged = replace(
        several.take(first),
        days=longest,
        mme=_per_day(several.mme, several.days, first, longest),
        units=None if several.units is None else _per_day(several.units, several.days, first, longest, whole=True),
        mg=None if several.mg is None else _per_day(several.mg, several.days, first, longest),
        flags=np.bitwise_or.reduceat(several.flags, first),
    )
    if not (np.nan_to_num(merged.mme) <= MAX_MME).all():
        raise ValueError("mme_per_day of one product on one day must be below 1e6")
    return _put(fills, rows[first], merged).take(np.flatnonzero(begins))


def _per_day(amount: Array, days: Array, first: Array, longest: Array, *, whole: bool = False) -> Array:
    """Known amounts x days, added up, over the longest days; unknown if none (``whole``: or not every one) is known."""
    known = ~np.isnan(amount)
    total = np.add.reduceat(np.where(known, amount, 0) * days, first)
    enough = (np.logical_and if whole else np.logical_or).reduceat(known, first)
    return np.where(enough, total / longest, np.nan)


def _put(fills: Fills, rows: Array, new: Fills) -> Fills:
    """``fills`` with ``new`` in place of ``rows``; ``fills`` are the caller's own copy."""
    for into, part in zip(vars(fills).values(), vars(new).values(), strict=True):
        if into is not None:
            into[rows] = part
    return fills


def pass_on(start: Array, days: Array, units: Array, item: Array, cap_days: float) -> tuple[Array, Array]:
    """When supplies end that pass what is left to the next of the product, and the left-over days above the cap.

    Along the supplies of a product (``item`` marks the first of each), end_i = start_i + days_i
    + min(max(end_(i-1) - start_i, 0), cap) * ratio_i, the ratio that of old to new ``units`` a day, 1 where one is
    unknown (NaN). Ends only ever move back, so those that begin a chain are found on the ends as dispensed; from them
    all chains are walked at once, as long as something is left. A chain that runs into another walks it again. Without
    overlap nothing is walked.
    """
    end = start + days
    dropped = np.zeros_like(end)
    left_over = np.zeros(len(end), bool)
    left_over[1:] = ~item[1:] & (end[:-1] > start[1:])
    at = np.flatnonzero(left_over[1:] & ~left_over[:-1]) + 1
    while len(at):
        before = at - 1
        left = end[before] - start[at]
        carried = np.minimum(left, cap_days)
        dropped[at] = left - carried
        old, new = units[before], units[at]
        ratio = np.divide(old, new, out=np.ones_like(new), where=(old > 0) & (new > 0))
        end[at] = start[at] + days[at] + carried * ratio
        at = at[at < len(end) - 1] + 1
        at = at[~item[at] & (end[at - 1] > start[at])]
    return end, dropped
