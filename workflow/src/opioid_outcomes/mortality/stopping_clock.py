"""Days since the end of supply, as a clock that runs on what was known on each day and on nothing later.

A gap is never dated back: on the day supply ends nobody knows whether a refill will come, so every first day without
supply counts as stopped, and a refill sets the clock back from its own day on. Without carry-over: *current supply*
are the days before the end of supply.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from opioid_outcomes.exposure.stretches import merge_equal

CURRENT = "current supply"
# days since the end of supply, both included (ANALYSES 4.7; Oliva 2020 BMJ 368:m283 has 91-400 as one)
BANDS: tuple[tuple[int, int | None], ...] = ((0, 30), (31, 90), (91, 180), (181, 400), (401, None))
# days of therapy, both included (Oliva 2020: length of treatment)
LENGTHS: tuple[tuple[int, int | None], ...] = ((0, 90), (91, 365), (366, None))


def named(band: tuple[int, int | None]) -> str:
    """0-30, 31-90, ..., over 400."""
    low, high = band
    if high is None:
        return f"over {low - 1}"
    return f"{low}-{high}" if low or band == BANDS[0] else f"up to {high}"


def clock(status: pl.DataFrame, cohort: pl.DataFrame, *, lag: int = 0) -> pl.DataFrame:
    """Follow-up cut wherever the clock passes from one band to the next.

    ``status``: OPIOID_STATUS; ``cohort``: person_id, entry, exit; days are integers. ``lag``: the clock read so many
    days ago, on status before entry too. Returns person_id, start, stop in days since entry ((start, stop], as in
    person-time, whole follow-up covered), ``clock`` (current supply, or a band of days since supply ended) and
    ``therapy`` (the band of days of uninterrupted use: so far, or before the supply ended). Both are null before any
    use, in treatment of opioid use disorder, where use is unknown, and off after either of these, as it is not known
    then when opioids for pain were stopped. After the last observed day the last band holds. O(n log n).
    """
    people = cohort.select("person_id", "entry", "exit").sort("person_id")
    used = pl.when(pl.col("state").is_in(["on", "treatment", "unknown"])).then(pl.col("state").cast(pl.String))
    rows = (
        status.join(people, on="person_id")
        .sort("person_id", "start")
        .with_columns(
            used.forward_fill().over("person_id").alias("used"),
            pl.col("on_since").cast(pl.Int64).forward_fill().over("person_id"),
            pl.col("start", "stop", "supply_end").cast(pl.Int64),
        )
    )
    known = pl.col("used") == "on"
    rows = rows.with_columns(pl.when(known).then(name).alias(name) for name in ("on_since", "supply_end"))
    pieces = _named_pieces(_cut(rows.select("person_id", "entry", "exit", "start", "stop", "on_since", "supply_end")))
    return _cover(pieces, people, lag)


def _cut(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows, sorted by person and start, cut on the days on which a band begins."""
    days = [pl.col("supply_end") + low for low, _ in BANDS] + [pl.col("on_since") + low - 1 for low, _ in LENGTHS[1:]]
    rows = rows.with_row_index("row")
    begins = [rows.filter(day > pl.col("start"), day < pl.col("stop")).select("row", cut=day) for day in days]
    cuts = pl.concat([rows.select("row", cut="start"), *begins]).unique().sort("row", "cut")
    beyond = pl.when(pl.col("row") == pl.col("row").shift(-1)).then(pl.col("cut").shift(-1))
    pieces = rows[cuts["row"]].with_columns(start=cuts["cut"], next=cuts.select(beyond).to_series())
    return pieces.with_columns(stop=pl.coalesce("next", "stop")).drop("row", "next")


def _named_pieces(rows: pl.DataFrame) -> pl.DataFrame:
    since = pl.col("start") - pl.col("supply_end")
    current = since < 0
    length = pl.when(current).then(pl.col("start") + 1).otherwise("supply_end") - pl.col("on_since")
    band = pl.when(current).then(pl.lit(CURRENT)).otherwise(_band(since, BANDS))
    return rows.with_columns(band.alias("clock"), _band(length, LENGTHS).alias("therapy"))


def _band(days: pl.Expr, bands: tuple[tuple[int, int | None], ...]) -> pl.Expr:
    found: Any = pl.when(days.is_null()).then(pl.lit(None, pl.String))
    for band in bands[:-1]:
        found = found.when(days <= band[1]).then(pl.lit(named(band)))
    return found.otherwise(pl.lit(named(bands[-1])))


def _cover(pieces: pl.DataFrame, people: pl.DataFrame, lag: int) -> pl.DataFrame:
    """The pieces as read ``lag`` days later, in days since entry, with nothing known before the first."""
    last = pl.col("person_id") != pl.col("person_id").shift(-1)
    values = ["clock", "therapy"]
    inside = (
        pieces.with_columns(
            pl.when(last.fill_null(value=True)).then(pl.max_horizontal("stop", "exit")).otherwise("stop").alias("stop")
        )
        .with_columns(
            (pl.col("start", "stop") + lag - pl.col("entry")), (pl.col("exit") - pl.col("entry")).alias("end")
        )
        .with_columns(pl.max_horizontal("start", 0).alias("start"), pl.min_horizontal("stop", "end").alias("stop"))
        .filter(pl.col("start") < pl.col("stop"))
        .select("person_id", pl.col("start", "stop").cast(pl.Int64), *values)
    )
    end = (pl.col("exit") - pl.col("entry")).cast(pl.Int64)
    before = (
        people.join(inside.group_by("person_id").agg(pl.col("start").min().alias("first")), on="person_id", how="left")
        .select(
            "person_id", start=pl.lit(0, pl.Int64), stop=pl.col("first").fill_null(end),
            clock=pl.lit(None, pl.String), therapy=pl.lit(None, pl.String),
        )
        .filter(pl.col("start") < pl.col("stop"))
    )  # fmt: skip
    return merge_equal(pl.concat([inside, before]).sort("person_id", "start"), values)
