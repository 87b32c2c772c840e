"""Person-time cut where a clock passes a value, and with its exposure as it was some days before."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def cut(person_time: pl.DataFrame, clock: str, at: Sequence[int]) -> pl.DataFrame:
    """Rows cut where the running ``clock`` reaches a value of ``at``, so that each lies between two of them.

    ``clock`` is its value at a row's start and runs by a day a day; where it is null it does not run. Deaths stay in
    the last piece of a row. Cost: linear in rows.
    """
    running, length = pl.col(clock), pl.col("stop") - pl.col("start")
    places = [
        pl.when((running < value) & (running + length > value)).then(pl.col("start") + value - running)
        for value in sorted(at)
    ]
    row = pl.col("row")
    last = (row != row.shift(-1)).fill_null(value=True)
    return (
        person_time.with_row_index("row")
        .with_columns(pl.col("start").alias("began"), pl.concat_list("start", *places).list.drop_nulls().alias("start"))
        .explode("start")
        .with_columns(
            pl.when(last).then("stop").otherwise(pl.col("start").shift(-1)).alias("stop"),
            pl.when(last).then("death").otherwise(0).alias("death"),
            (pl.col(clock) + pl.col("start") - pl.col("began")).alias(clock),
        )
        .with_columns(pl.when(pl.col("death") == 1).then("cause").alias("cause"))
        .select(person_time.columns)
    )


def lagged(person_time: pl.DataFrame, days: int) -> pl.DataFrame:
    """The same follow-up with every day's exposure that of ``days`` before; it starts so many days after entry.

    A change of treatment in the last ``days`` of life does not count, against treatment because somebody is dying.
    Clocks (days_since_start, ...) are those of the earlier day. Cost: a group-by of people.
    """
    if not days:
        return person_time
    ends = person_time.group_by("person_id").agg(
        pl.col("stop").max().alias("exit"), pl.col("death").max().alias("dies"), pl.col("cause").drop_nulls().first()
    )
    moved = (
        person_time.drop("cause")
        .join(ends, on="person_id", maintain_order="left")
        .with_columns(pl.col("start") + days, pl.min_horizontal(pl.col("stop") + days, "exit").alias("stop"))
        .filter(pl.col("start") < pl.col("stop"))
    )
    dies = (pl.col("stop") == pl.col("exit")) & (pl.col("dies") == 1)
    return moved.with_columns(dies.cast(pl.Int64).alias("death"), pl.when(dies).then("cause").alias("cause")).select(
        person_time.columns
    )
