"""Fills of one person, told in a line each: start, days of supply, MME per day, product."""

import polars as pl

Fill = tuple[int, float, float | None, str]


def table(fills: list[Fill]) -> pl.LazyFrame:
    schema = {"start": pl.Int32, "days_supply": pl.Float64, "mme_per_day": pl.Float64, "product": pl.String}
    return pl.LazyFrame(fills, schema=schema, orient="row").with_columns(person_id=pl.lit("p"))
