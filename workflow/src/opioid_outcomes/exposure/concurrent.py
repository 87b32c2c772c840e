"""Days on opioids together with a benzodiazepine or a gabapentinoid, and the quality measure of such use.

Overlap of supply: Sun 2017 (BMJ 356:j760). Measure COB of the Pharmacy Quality Alliance; METHODS B4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.exposure.daily_dose import DAY_TOLERANCE
from opioid_outcomes.exposure.drug_classes import fills_of_classes
from opioid_outcomes.exposure.long_term import YEAR, analgesic
from opioid_outcomes.exposure.stretches import Array
from opioid_outcomes.exposure.windows import NEVER, Accrual, Condition, days_of, first_met

CLASSES = ("benzodiazepine", "gabapentinoid")
# COB: at least so many opioid fills, days with opioids, fills of the class, and days of overlap within a year
COB = (2, 15, 2, 30)


@dataclass(frozen=True)
class Concurrent:
    """``stretches``: CONCURRENT; ``display``: concurrent_use; ``left_out``: fills of a class of no usable supply."""

    stretches: pl.DataFrame
    display: pl.DataFrame
    left_out: int


def find(
    daily: pl.DataFrame,
    fills: pl.DataFrame,
    dispensings: pl.DataFrame,
    last_days: pl.DataFrame,
    *,
    max_days_supply: float,
) -> Concurrent:
    """Stretches of days with supply of an opioid and of each class, and who meets COB.

    ``daily``: daily dose of analgesic opioids, cut at the last day; ``fills``: DISPENSINGS_CLEAN; ``dispensings``:
    canonical; ``last_days``: person_id, last. Days are integers. A fill of a class is supply for its recorded days, if
    these are more than 0 and at most ``max_days_supply``; others are counted and left out. Overlapping fills of a class
    are not stockpiled. O(n log n).
    """
    taken = (
        fills_of_classes(dispensings)
        .filter(pl.col("class").is_in(CLASSES))
        .join(last_days.select("person_id", "last"), on="person_id")
        .filter(pl.col("date") <= pl.col("last"))
    )
    usable = ((pl.col("days_supply") > 0) & (pl.col("days_supply") <= max_days_supply)).fill_null(False)
    whole_days = (pl.col("days_supply") + DAY_TOLERANCE).floor().cast(pl.Int32)
    supplied = taken.filter(usable).with_columns(start="date", stop=pl.col("date") + whole_days)
    opioids = daily.select("person_id", "start", "stop")
    on = pl.concat([opioids.with_columns(pl.lit(name).alias("class")) for name in CLASSES])
    stretches = _both(on, supplied.select("person_id", "start", "stop", "class"))
    dispensed = analgesic(fills, last_days)
    rows = [
        _display(name, opioids, dispensed, *(part.filter(pl.col("class") == name) for part in (supplied, stretches)))
        for name in CLASSES
    ]
    shares = {"share_with": pl.Float64(), "share_of_days": pl.Float64()}  # also where nobody is on opioids
    return Concurrent(stretches, pl.DataFrame(rows, schema_overrides=shares), taken.height - supplied.height)


def _both(opioids: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Stretches in which intervals of both tables are active, by person and class: counts at every change."""
    key = ["person_id", "class"]
    parts = [
        part.filter(pl.col("start") < pl.col("stop")).select(
            *key, pl.col(edge).alias("day"), opioid=pl.lit(sign * is_opioid), other=pl.lit(sign * (1 - is_opioid))
        )
        for part, is_opioid in ((opioids, 1), (others, 0))
        for edge, sign in (("start", 1), ("stop", -1))
    ]
    return (
        pl.concat(parts)
        .group_by(*key, "day")
        .agg(pl.col("opioid", "other").sum())
        .sort(*key, "day")
        # whole numbers that return to 0 with every person and class: one running sum needs no window
        .with_columns(both=(pl.col("opioid").cum_sum() > 0) & (pl.col("other").cum_sum() > 0), start="day")
        .filter(pl.col("both") != pl.col("both").shift(fill_value=False))
        .with_columns(stop=pl.col("day").shift(-1))
        .filter("both")
        .select(*key, "start", "stop")
    )


def _display(
    name: str, opioids: pl.DataFrame, dispensed: pl.DataFrame, supplied: pl.DataFrame, both: pl.DataFrame
) -> dict[str, str | int | float | None]:
    persons, with_class = (part["person_id"].n_unique() for part in (opioids, both))
    days, together = (int((part["stop"] - part["start"]).sum()) for part in (opioids, both))
    return {
        "class": name,
        "persons": persons,
        "with_class": with_class,
        "cob": int((cob(opioids, dispensed, supplied, both) != NEVER).sum()),
        "share_with": with_class / persons if persons else None,
        "share_of_days": together / days if days else None,
    }


def cob(opioids: pl.DataFrame, dispensed: pl.DataFrame, supplied: pl.DataFrame, both: pl.DataFrame) -> Array:
    """First day on which each person of ``both``, by id, meets COB in the 365 days that end on it; ``NEVER``: none.

    Within these days: opioids dispensed on at least 2 of them and supplied on 15, the class dispensed on at least 2,
    and both supplied on 30. The measure itself asks this of a calendar year; fills of one day are one visit.
    """
    codes = both.select("person_id").unique().sort("person_id").with_row_index("person")
    least = dict(zip(("fills", "on", "of_class", "overlap"), COB, strict=True))
    fills = {name: _on_days(part, codes) for name, part in (("fills", dispensed), ("of_class", supplied))}
    stretches = {name: _over_days(part, codes) for name, part in (("on", opioids), ("overlap", both))}
    accruals = {**fills, **stretches}

    def enough(name: str, number: int) -> Condition:
        def within_a_year(person: Array, day: Array) -> list[Array]:
            return [n - number for n in accruals[name].between(person, day + 1 - YEAR, day + 1, "n")]

        return within_a_year

    knots = [
        (part.person, edge + ago) for part in accruals.values() for ago in (0, YEAR) for edge in (part.start, part.stop)
    ]
    return first_met(knots, [enough(name, number) for name, number in least.items()], codes.height)


def _on_days(rows: pl.DataFrame, codes: pl.DataFrame) -> Accrual:
    rows = rows.join(codes, on="person_id").select("person", "date").unique().sort("person", "date")
    return days_of(rows["person"].to_numpy(), rows["date"].to_numpy(), n=np.ones(rows.height))


def _over_days(rows: pl.DataFrame, codes: pl.DataFrame) -> Accrual:
    rows = rows.join(codes, on="person_id").sort("person", "start")
    days = (rows[name].to_numpy() for name in ("person", "start", "stop"))
    return Accrual(*days, n=np.ones(rows.height))
