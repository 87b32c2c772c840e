"""Episodes: active days merged over short gaps. Descriptive only: bridging a gap depends on a later refill.

Spec: ANALYSES 2 (Episodes), CONTRACT 7 (Episodes), METHODS B4.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from opioid_outcomes.exposure import packed
from opioid_outcomes.exposure.daily_dose import MAX_DAYS
from opioid_outcomes.exposure.records import Records, at, days, of_people
from opioid_outcomes.exposure.stockpile import DAY_TOLERANCE
from opioid_outcomes.exposure.stretches import Array, Frame, day_type, given

GAP_BINS = (1, 8, 15, 31, 61, 91, 181, 366)  # first day of each bin; the last one is open


def build(
    daily: Frame, gap_days: float = 30, *, gap_share: float | None = None, fills: Frame | None = None
) -> pl.LazyFrame:
    """Episodes of use, from the cut daily dose (CONTRACT 7, Episodes).

    ``daily`` as made by ``daily_dose.build`` and ``cut``: stretches that do not overlap. Those whose gap is at most
    ``gap_days`` are one episode. With ``gap_share`` the gap that may be bridged is instead that share of days_supply of
    the last fill before it (0.5 of 30 days: 15 days), the longest if there were several that day; ``fills`` are what
    ``daily`` was made from: person_id, start, days_supply. Of times the date counts; ValueError, naming the column, for
    one that is missing or holds no days.

    Returns person_id, episode (1, 2, ...), start, stop (without carry-over), days_active, mean_mme (over active days
    with a known part; null where no day has one), sorted by person and episode. O(n) if ``daily`` is sorted by person
    and start, as it is made.
    """
    if (gap_share is None) != (fills is None):
        raise ValueError("gap_share and fills belong together")
    stretches = given(daily, "person_id", "mme", days=("start", "stop"))
    rows = _in_order(stretches.select("person_id", "start", "stop", "mme").collect())
    new = _new_person(rows)
    start, stop = days(rows, "start"), days(rows, "stop")
    gap = start - np.append(start[:1], stop[:-1])[: len(start)]
    bridged: Array | float = gap_days
    if gap_share is not None and fills is not None:
        bridged = gap_share * _last_supply(
            rows, stop, given(fills, "person_id", "days_supply", days=("start",)).collect()
        )
    first = np.flatnonzero(new | (gap > bridged))
    mme = rows.get_column("mme").cast(pl.Float64).fill_null(np.nan).to_numpy()
    active, known = stop - start, ~np.isnan(mme)
    total = _sums(np.where(known, mme * active, 0.0), first)
    known_days = _sums(np.where(known, active, 0), first)
    mean = np.divide(total, known_days, out=np.full(len(first), np.nan), where=known_days > 0)
    last = np.append(first[1:], len(start))[: len(first)] - 1
    index = pl.Series(first, dtype=pl.UInt32)
    return pl.LazyFrame(
        {
            "person_id": rows.get_column("person_id").gather(index),
            "episode": _number(new[first]),
            "start": rows.get_column("start").gather(index),
            "stop": rows.get_column("stop").gather(pl.Series(last, dtype=pl.UInt32)),
            "days_active": _sums(active, first),
            "mean_mme": pl.Series(mean, nan_to_null=True),
        }
    )


def from_fills(fills: Frame, gap_days: int = 30) -> pl.LazyFrame:
    """Episodes straight from dispensings: each fill covers [start, start + days_supply), nothing is stockpiled.

    ``fills``: person_id, start (a date or a whole number), days_supply, in any order. A day counts when wholly before
    the end; fills without a whole day cover none. Returns what ``build`` does but the dose, person_id, episode, start,
    stop and days_active: the same as from a daily dose without stockpiling. For when doses do not matter: one sort of a
    64-bit integer a fill. ValueError for a column that is missing, a start that is missing or no day and a supply above
    100,000 days.
    """
    fills = given(fills, "person_id", "days_supply", days=("start",))
    of_days = day_type(fills.collect_schema()["start"])
    whole = (pl.col("days_supply").cast(pl.Float64).fill_nan(None) + DAY_TOLERANCE).floor()
    rows = (
        fills.select("person_id", pl.col("start").to_physical().cast(pl.Int32), days=whole)
        .filter(pl.col("days") > 0)
        .collect()
    )
    if rows.get_column("start").null_count() or not rows.select((pl.col("days") <= MAX_DAYS).all()).item():
        raise ValueError("start must not be missing, and days_supply must be at most 100,000")
    person, ids = packed.person_codes(rows.get_column("person_id"))
    start, length = rows.get_column("start").to_numpy(), rows.get_column("days").cast(pl.Int32).to_numpy()
    del rows
    low = int(start.min(initial=0))
    day_bits, length_bits = packed.bits(int((start + length).max(initial=0)) - low), packed.bits(int(MAX_DAYS))
    parts: list[list[Array]] = [[np.empty(0, np.int64)] * 5]
    for code, block in packed.person_blocks(person, day_bits + length_bits) if len(person) else ():
        keys = (((person[block] - code) << day_bits) + (start[block] - low) << length_bits) + length[block]
        keys.sort()
        of_person = day_bits + length_bits
        edges = np.unique(np.searchsorted(keys, (keys[:: packed.CHUNK] >> of_person) << of_person))
        chunks = [keys[begin:end] for begin, end in pairwise([*edges.tolist(), len(keys)])]
        found = packed.each(lambda chunk: _cover(chunk, day_bits, length_bits, gap_days), chunks)
        parts += [[who + code, number, begin + low, end + low, days] for who, number, begin, end, days in found]
    who, number, begin, end, active = (np.concatenate(values) for values in zip(*parts, strict=True))
    return pl.LazyFrame(
        {
            "person_id": ids(who),
            "episode": number,
            "start": pl.Series(begin, dtype=pl.Int32).cast(of_days),
            "stop": pl.Series(end, dtype=pl.Int32).cast(of_days),
            "days_active": active,
        }
    )


def gap_distribution(daily: pl.DataFrame) -> pl.DataFrame:
    """How long people were without supply between two stretches with supply: display ``gap_distribution``.

    ``daily``: person_id, start, stop. Only gaps that a later refill closed are gaps: what follows a person's last
    supply has no length yet. gap_days_from, gap_days_to (null = open), gaps, persons (with such a gap), share (of all
    gaps; null where there are none). No rows where there is no supply at all.
    """
    rows = _in_order(daily.select("person_id", "start", "stop"))
    start, stop = days(rows, "start"), days(rows, "stop")
    gap = start[1:] - stop[:-1]
    new = _new_person(rows)
    closed = (gap > 0) & ~new[1:]
    person = np.cumsum(new)[1:][closed]
    bins = np.searchsorted(GAP_BINS, gap[closed], side="right") - 1
    gaps = np.bincount(bins, minlength=len(GAP_BINS))
    of_person = np.unique(bins * (int(person.max(initial=0)) + 1) + person)
    persons = np.bincount(of_person // (int(person.max(initial=0)) + 1), minlength=len(GAP_BINS))
    return pl.DataFrame(
        {
            "gap_days_from": pl.Series(GAP_BINS, dtype=pl.Int64),
            "gap_days_to": pl.Series([*(low - 1 for low in GAP_BINS[1:]), None], dtype=pl.Int64),
            "gaps": gaps,
            "persons": persons,
            "share": pl.Series(gaps / gaps.sum() if gaps.sum() else [None] * len(gaps), dtype=pl.Float64),
        }
    ).head(len(GAP_BINS) if len(rows) else 0)


def summary(found: pl.DataFrame, gap_days: float, gap_share: float | None = None) -> pl.DataFrame:
    """Display ``episode_summary`` of EPISODES, as ``build`` made them with these settings: one row.

    merged_over (in words), persons, episodes, median_days (over episodes, first to last day), median_share_active
    (over episodes, of their days those with supply). No rows where there are no episodes.
    """
    length = (pl.col("stop") - pl.col("start")).cast(pl.Int64)
    words = f"{gap_days:g} days" if gap_share is None else f"{100 * gap_share:g} % of the days of the last supply"
    return found.select(
        merged_over=pl.lit(words),
        persons=pl.col("person_id").n_unique().cast(pl.Int64),
        episodes=pl.len().cast(pl.Int64),
        median_days=length.median(),
        median_share_active=(pl.col("days_active") / length).median(),
    ).head(len(found))


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Sorted by person and start; what is sorted already, as daily doses are made, is not sorted again."""
    person, start = pl.col("person_id"), pl.col("start")
    later = (person > person.shift()) | ((person == person.shift()) & (start >= start.shift()))
    return rows if rows.select(later.slice(1).all()).item() else rows.sort("person_id", "start")


def _new_person(rows: pl.DataFrame) -> Array:
    person = rows.get_column("person_id")
    new = person.ne_missing(person.shift()).to_numpy().copy()
    new[:1] = True
    return new


def _last_supply(rows: pl.DataFrame, stop: Array, fills: pl.DataFrame) -> Array:
    """days_supply of the last fill before the stretch before each row; 0 where there is none."""
    ids = rows.get_column("person_id").unique().sort()
    known = fills.select("person_id", "start", "days_supply").filter(pl.col("days_supply") > 0)
    supplies, person = of_people(known.sort("person_id", "start", "days_supply"), ids)
    before = np.append(stop[:1], stop[:-1])[: len(stop)] - 1
    row = Records(person, days(supplies, "start")).latest(of_people(rows, ids)[1], before)
    return at(supplies.get_column("days_supply").cast(pl.Float64).to_numpy(), row, 0.0)


def _sums(values: Array, first: Array) -> Array:
    return np.add.reduceat(values, first) if len(first) else values


def _number(new: Array) -> Array:
    """1, 2, ... within each person."""
    row = np.arange(len(new))
    return row - np.maximum.accumulate(np.where(new, row, 0)) + 1


def _cover(keys: Array, day_bits: int, length_bits: int, gap_days: int) -> list[Array]:
    """person, episode, start, stop and days_active from sorted keys person | day | length of whole persons."""
    place = keys >> length_bits
    person = place >> day_bits
    end = place + (keys & ((1 << length_bits) - 1))
    reach = np.maximum.accumulate(end)  # of all fills so far; later persons lie above
    new = packed.differs(person)
    before = np.append(place[:1], reach[:-1])
    before[new] = place[new]
    first = np.flatnonzero(new | (place - before > gap_days))
    last = np.append(first[1:], len(keys)) - 1
    covered = _sums(np.maximum(end - np.maximum(place, before), 0), first)
    day = (1 << day_bits) - 1
    return [person[first], _number(new[first]), place[first] & day, reach[last] & day, covered]
