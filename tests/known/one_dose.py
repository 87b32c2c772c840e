"""The MME per day of one fill, told in a line."""

import polars as pl

from opioid_outcomes.exposure import mme

SCHEMA = {
    "ingredient": pl.String, "route": pl.String, "form": pl.String, "strength": pl.Float64, "strength_unit": pl.String,
    "quantity": pl.Float64, "days_supply": pl.Float64, "analgesic": pl.Int64, "reason": pl.String,
}  # fmt: skip


def dose(
    ingredient: str,
    strength: float | None,
    unit: str | None,
    quantity: float | None,
    days: float | None,
    *,
    route: str | None = "oral",
    form: str | None = None,
    analgesic: int = 1,
    table: pl.DataFrame | str = "cdc_2022",
) -> tuple[float | None, str | None]:
    reason = None if analgesic else "cough"
    row = (ingredient, route, form, strength, unit, quantity, days, analgesic, reason)
    fills = pl.LazyFrame([row], schema=SCHEMA, orient="row")
    factors = mme.factors(table) if isinstance(table, str) else table
    return mme.attach(fills, factors).select("mme_per_day", "reason").collect().row(0)
