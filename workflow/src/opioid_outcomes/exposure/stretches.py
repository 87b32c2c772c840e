"""Stretches of days of a person: half-open intervals, sorted by person and start, that do not overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, np.dtype[Any]]
Frame = pl.LazyFrame | pl.DataFrame


def given(frame: Frame, *columns: str, days: tuple[str, ...] = ()) -> pl.LazyFrame:
    """A caller's table that has ``columns`` and ``days``; these are dates or whole numbers, or times whose date counts.

    ValueError, naming the columns, for those that are missing and for days that are none.
    """
    schema = frame.lazy().collect_schema()
    missing = [name for name in dict.fromkeys((*columns, *days)) if name not in schema]
    if missing:
        raise ValueError(f"missing columns: {', '.join(missing)}")
    for name in days:
        if schema[name] not in (pl.Date, pl.Datetime, pl.Null) and not schema[name].is_integer():
            raise ValueError(f"{name} must be a date or a whole number")
    return frame.lazy().with_columns(pl.col(name).dt.date() for name in days if schema[name] == pl.Datetime)


def day_type(dtype: pl.DataType) -> pl.DataType:
    """Dates come back as dates, numbers of days as such."""
    return pl.Date() if dtype == pl.Date else pl.Int32()


def merge_equal(frame: pl.DataFrame, values: list[str]) -> pl.DataFrame:
    """Joins touching stretches of a person that carry the same values (missing equals missing).

    ``frame`` has person_id, start, stop and ``values``, sorted by person and start. One pass.
    """
    begins = (
        pl.col("person_id").ne_missing(pl.col("person_id").shift())
        | pl.col("start").ne_missing(pl.col("stop").shift())
        | pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in values)
    )
    frame = frame.with_columns(_begins=begins)
    first = frame.filter(pl.col("_begins")).drop("_begins")
    stops = frame.filter(pl.col("_begins").shift(-1, fill_value=True)).get_column("stop")
    return first.with_columns(stops)


def latest(group: Array, day: Array, of_group: Array, of_day: Array) -> Array:
    """Row of the latest record of the same group on or before ``day``; -1 where there is none.

    ``of_group``, ``of_day`` are sorted by group, then day; groups are codes 0, 1, ... O(n log m).
    """
    if not len(of_group):
        return np.full(len(group), -1, dtype=np.int64)
    low = min(int(day.min(initial=0)), int(of_day.min()))
    width = max(int(day.max(initial=0)), int(of_day.max())) - low + 1
    keys = of_group.astype(np.int64) * width + (of_day.astype(np.int64) - low)
    found = np.searchsorted(keys, group.astype(np.int64) * width + (day.astype(np.int64) - low), side="right") - 1
    return np.where((found >= 0) & (of_group[found] == group), found, -1)


def distinct_days(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Group codes and days of all parts, each pair once, sorted. O(n log n) on one packed integer."""
    group = np.concatenate([part[0] for part in parts]).astype(np.int64)
    day = np.concatenate([part[1] for part in parts]).astype(np.int64)
    low = int(day.min(initial=0))
    width = int(day.max(initial=0)) - low + 1
    keys = np.sort(group * width + (day - low))
    group, day = np.divmod(keys[np.diff(keys, prepend=-1) != 0], width)
    return group, day + low


def latest_on_days(
    records: list[tuple[Array, Array]], others: list[tuple[Array, Array]]
) -> tuple[Array, Array, list[Array]]:
    """Group codes and days of all records and others, each pair once, sorted; and of each of ``records``, sorted by
    group and day, its latest row up to there (-1: none), be it of that group or of one before.

    O(n log n) on one packed integer, which tells what it is of in its lowest bits.
    """
    parts = [*records, *others]
    none = len(records)  # what is of no record
    tag_bits = none.bit_length()
    low = min((int(day.min()) for _, day in parts if len(day)), default=0)
    width = max((int(day.max()) for _, day in parts if len(day)), default=0) - low + 1
    keys = np.concatenate(
        [((group * width + (day - low)) << tag_bits) | min(tag, none) for tag, (group, day) in enumerate(parts)]
    )
    keys.sort()
    of = (keys & ((1 << tag_bits) - 1)).astype(np.uint8)
    keys >>= tag_bits
    last = np.flatnonzero(np.append(keys[1:] != keys[:-1], True)[: len(keys)])
    rows = [np.cumsum(of == tag, dtype=np.int32).take(last) - 1 for tag in range(none)]
    group, day = np.divmod(keys[last], width)
    return group, day + low, rows


def take(column: pl.Series, rows: Array) -> pl.Series:
    """``column`` at ``rows``; null where the row is -1."""
    index = pl.Series(rows, dtype=pl.Int64)
    return column.gather(index.set(index < 0, None).cast(pl.UInt32))
