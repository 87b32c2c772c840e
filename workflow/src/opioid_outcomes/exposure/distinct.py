"""The distinct rows of a large table, and which of them each row is."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

AT_ONCE = 1_000_000  # rows


def distinct(frame: pl.DataFrame, columns: Sequence[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Distinct rows of ``columns``, sorted, and the position of each row's among them.

    Sorted, so that neither the order of rows nor the number of cores matters. Rows are grouped by a 64-bit hash, which
    is then proved right by comparing every row with its group. One hash and one comparison per row and column that
    holds anything: O(n); the rest is O(distinct rows).
    """
    held = [name for name in columns if frame.get_column(name).null_count() < frame.height]
    if not held:
        return frame.head(1).select(columns), pl.repeat(0, frame.height, dtype=pl.UInt32, eager=True)
    hashes = frame.select(held).hash_rows().alias("hash").to_frame()
    firsts = hashes.with_row_index("first").group_by("hash").agg(pl.col("first").min())
    rows = firsts.select("hash").with_columns(
        frame.get_column(name).gather(firsts.get_column("first")) for name in columns
    )
    rows = rows.sort(columns).with_row_index("position")
    found = hashes.join(rows.select("hash", "position"), on="hash", how="left", maintain_order="left")
    position = found.get_column("position")
    for start in range(0, frame.height, AT_ONCE):  # in parts, so that texts are never laid out twice over
        part, places = frame.slice(start, AT_ONCE), position.slice(start, AT_ONCE)
        for name in held:
            if not rows.get_column(name).gather(places).eq_missing(part.get_column(name)).all():
                raise RuntimeError("two different rows share a hash")
    return rows.select(columns), position
