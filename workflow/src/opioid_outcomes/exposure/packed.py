"""Doses of overlapping intervals added up: person, day and row in one 64-bit integer, one sort, one running sum.

The sums are of whole billionths, so they are exact, do not depend on the order of the rows and return to 0 with every
person: one running sum serves all persons, and any stretch of whole persons can be summed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.exposure.stretches import Array

PARTS = 10**9  # doses are added as whole billionths
KEY_BITS = 63  # of a non-negative 64-bit integer
CHUNK = 2**16  # keys summed at a time: what a processor's cache holds
DENSE_IDS = 2**20  # whole-number ids spread over no more than this need no table of distinct ids
KNOWN, UNKNOWN, BUPRENORPHINE, REPAIRED, TIERED = 1, 2, 4, 8, 16  # bits of an interval's flags
BITS = (KNOWN, UNKNOWN, BUPRENORPHINE, REPAIRED, TIERED)


@dataclass(frozen=True)
class Intervals:
    """One row an interval [start, stop) of a person, in any order; empty ones count nothing.

    ``person``: codes that rise with the ids; ``mme``, ``mg``: a day's amounts, 0 <= amount <= 1e6 (NaN counts as
    0; ``mg`` None: there is none); ``flags``: bits (None: ``KNOWN`` alone, throughout).
    """

    person: Array
    start: Array
    stop: Array
    mme: Array
    flags: Array | None = None
    mg: Array | None = None

    def take(self, rows: Array | slice) -> Intervals:
        parts: list[Any] = [None if part is None else part[rows] for part in vars(self).values()]
        return Intervals(*parts)


@dataclass(frozen=True)
class Sums:
    """Stretches of days with one state, in order of person and day. ``dose``, ``mg`` in billionths."""

    person: Array
    start: Array
    stop: Array
    dose: Array
    flags: Array  # bits that some active interval carries
    mg: Array | None


@dataclass(frozen=True)
class _Layout:
    """Key = person - first | day - low | row | 1 at the stop, from the highest bits to the lowest."""

    first: int
    low: int
    day_bits: int
    row_bits: int

    @property
    def shift(self) -> int:
        return self.row_bits + 1


def each(work: Callable[[Any], Any], parts: list[Any], parallel: bool = True) -> list[Any]:
    """``work`` of every part in order, on as many threads as polars has: NumPy computes without the lock."""
    if not parallel or len(parts) == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return list(pool.map(work, parts))


def slices(rows: int) -> list[slice]:
    return [slice(low, min(low + CHUNK, rows)) for low in range(0, rows, CHUNK)]


def person_codes(ids: pl.Series) -> tuple[Array, Callable[[Array], pl.Series]]:
    """Codes that rise with the ids (missing first, and one person), and the way back to the ids.

    Whole numbers that lie close together are their own codes. Otherwise a table of distinct ids is sorted and looked
    up: 20 M rows of 1 M persons take 1.6 s for numbers, 4 s for text.
    """
    if ids.dtype.is_integer() and len(ids) and not ids.null_count():
        low, high = int(ids.min()), int(ids.max())  # type: ignore[arg-type]
        if high - low < max(DENSE_IDS, 4 * len(ids)):
            return ids.cast(pl.Int64).to_numpy(), lambda code: pl.Series(code).cast(ids.dtype)
    distinct = ids.unique().sort()
    if ids.dtype == pl.String:
        known = ids.cast(pl.Enum(distinct.drop_nulls())).to_physical().cast(pl.Int64) + distinct.null_count()
        codes = known.fill_null(0).to_numpy()
    else:
        table = distinct.to_frame("id").with_row_index("code")
        joined = ids.to_frame("id").join(table, on="id", how="left", nulls_equal=True, maintain_order="left")
        codes = joined.get_column("code").cast(pl.Int64).to_numpy()
    return codes, lambda code: distinct.gather(pl.Series(code, dtype=pl.Int64).cast(pl.UInt32))


def bits(highest: int) -> int:
    """Bits that hold 0 to ``highest``."""
    return int(highest).bit_length()


def person_blocks(person: Array, other_bits: int) -> Iterator[tuple[int, Array | slice]]:
    """(lowest code, rows) of as many ranges of persons as it takes for a key of ``other_bits`` + the person to fit.

    Mostly one with every row. Otherwise the slower path: the rows are gathered range by range, with the same result.
    """
    low, high = int(person.min()), int(person.max())
    spare = KEY_BITS - other_bits
    if spare < 0:
        raise ValueError("too many rows, days or products for one person")
    if bits(high - low) <= spare:
        yield low, slice(None)
        return
    block = (person - low) >> spare
    order = np.argsort(block, kind="stable")
    edges = np.flatnonzero(np.diff(block[order], prepend=-1, append=-1))
    for begin, end in pairwise(edges):
        rows = order[begin:end]
        yield low + (int(block[rows[0]]) << spare), rows


def sums(rows: Intervals, *, parallel: bool = True) -> list[Sums]:
    """Stretches of days on which at least one interval is active, equal neighbours merged; parts follow in order.

    O(n log n). Two 64-bit integers a row are sorted: 20 M rows take 1.2 s and 0.8 GB beside rows and result.
    """
    if not len(rows.person):
        return []
    if parallel and in_order(rows.person):
        chunks = whole_groups(rows.person, 0, CHUNK // 2)
        return [part for found in each(lambda chunk: sums(rows.take(chunk), parallel=False), chunks) for part in found]
    low = int(rows.start.min())
    day_bits, row_bits = bits(max(int(rows.start.max()), int(rows.stop.max())) - low), bits(len(rows.person) - 1)
    found: list[Sums] = []
    for first, block in person_blocks(rows.person, day_bits + row_bits + 1):
        layout = _Layout(first, low, day_bits, row_bits)
        part = rows if isinstance(block, slice) else rows.take(block)
        found += _block_sums(part, layout, parallel)
    return found


def in_order(person: Array) -> bool:
    """Rows that come person by person need no sort of all of them: chunks of whole persons are sorted by themselves."""
    return bool((person[1:] >= person[:-1]).all())


def _block_sums(rows: Intervals, layout: _Layout, parallel: bool) -> list[Sums]:
    keys = _keys(rows, layout, parallel)
    keys.sort()
    chunks = whole_groups(keys, layout.day_bits + layout.shift, CHUNK)
    return each(lambda chunk: _sum(keys[chunk], rows, layout), chunks, parallel)


def _keys(rows: Intervals, layout: _Layout, parallel: bool) -> Array:
    count = len(rows.person)
    keys = np.empty(2 * count, np.int64)

    def fill(part: slice) -> None:
        person = ((rows.person[part].astype(np.int64) - layout.first) << layout.day_bits) - layout.low
        row = np.arange(part.start, part.stop, dtype=np.int64) << 1
        stop = np.maximum(rows.start[part], rows.stop[part])
        for day, ends, into in ((rows.start[part], 0, 0), (stop, 1, count)):
            key = person + day
            key <<= layout.shift
            key |= row
            keys[part.start + into : part.stop + into] = key + ends

    each(fill, slices(count), parallel)
    return keys


def whole_groups(keys: Array, shift: int, size: int) -> list[slice]:
    """Sorted keys in chunks of about ``size``, each of whole groups (of equal bits above ``shift``)."""
    edges = np.unique(np.searchsorted(keys, (keys[::size] >> shift) << shift))
    return [slice(low, high) for low, high in pairwise([*edges.tolist(), len(keys)])]


def _sum(keys: Array, rows: Intervals, layout: _Layout) -> Sums:
    place = keys >> layout.shift  # person and day
    last = np.append(np.flatnonzero(place[1:] != place[:-1]), len(place) - 1)
    row = (keys & ((1 << layout.shift) - 1)) >> 1
    sign = 1 - ((keys & 1) << 1)
    place = place[last]
    active = np.cumsum(sign)[last] > 0
    flags = _flags(rows.flags, row, sign, last, active)
    dose = _amount(rows.mme, row, sign, last)
    mg = None if rows.mg is None else _amount(rows.mg, row, sign, last)
    changed = differs(active) | differs(dose) | differs(flags)
    if mg is not None:
        changed |= differs(mg)
    # after the last interval of each person nothing is active, so that every stretch has a next change, its stop
    change = np.flatnonzero(changed)
    begins = np.flatnonzero(active[change])
    day = (place[change] & ((1 << layout.day_bits) - 1)) + layout.low
    at = change[begins]
    return Sums(
        (place[at] >> layout.day_bits) + layout.first,
        day[begins].astype(np.int32),
        day[begins + 1].astype(np.int32),
        dose[at],
        flags[at],
        None if mg is None else mg[at],
    )


def _amount(amount: Array, row: Array, sign: Array, last: Array) -> Array:
    parts = amount.take(row)
    parts *= PARTS
    parts += 0.5
    np.floor(parts, out=parts)
    whole = np.nan_to_num(parts, copy=False).astype(np.int64)
    whole *= sign
    return np.cumsum(whole, out=whole)[last]


def _flags(flags: Array | None, row: Array, sign: Array, last: Array, active: Array) -> Array:
    if flags is None:
        return active.astype(np.uint8)
    of_row = flags.take(row)
    found = np.zeros(len(last), np.uint8)
    for bit in BITS:
        carried = (of_row & bit).astype(bool)
        if carried.all():
            found[active] |= bit
        elif carried.any():
            found[np.cumsum(np.where(carried, sign, 0))[last] > 0] |= bit
    return found


def differs(values: Array) -> Array:
    """True where a value is not the one before it, and at the first."""
    found = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=found[1:])
    return found
