"""Fills to daily dose: stockpiling within a product, sums over products, change points of the sum.

Spec: ANALYSES 2 (Dose, Daily dose, Stockpiling), CONTRACT 7 (Days, Stockpiling, Factors, daily_dose.parquet).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from opioid_outcomes.exposure import mme, packed, stockpile
from opioid_outcomes.exposure.packed import BUPRENORPHINE, KNOWN, PARTS, REPAIRED, TIERED, UNKNOWN, Intervals, Sums
from opioid_outcomes.exposure.stockpile import DAY_TOLERANCE, MAX_MME, Fills, Supply
from opioid_outcomes.exposure.stretches import Array, Frame, day_type, given

MAX_DAYS = 1e5  # no supply lasts longer; days are 32-bit
FLAGS = {"repaired": REPAIRED, "is_buprenorphine": BUPRENORPHINE}
VALUES = ["mme", "mme_incomplete", "on_buprenorphine", "repaired", "tiered_mg"]


def build(
    fills: Frame,
    stockpile_cap_days: float | None = 30,
    *,
    stays: Frame | None = None,
    tiers: pl.DataFrame | None = None,
) -> pl.LazyFrame:
    """Daily dose of each person as change points; days without supply are absent.

    ``fills``, one row a dispensing: person_id, start (a whole number, a date, or a time of which the date counts),
    days_supply, mme_per_day (null or NaN = unknown, which is not zero), product. Optional: units_per_day (tablets,
    patches, mL a day: what converts left-over days when the dose changes, one for one where it is unknown; without the
    column mme_per_day does, an unknown dose as 1 and fills of one day as the sum of their known doses), repaired and
    is_buprenorphine (0/1), tiered_mg_per_day (mg a day of the ingredient whose factor depends on the day's total).
    Fills without a positive days_supply have no interval and are left out. ``stockpile_cap_days``: left-over days that
    pass to the next fill of a product, at most; None: no stockpiling, every fill counts on its own days and overlaps
    add. ``stays``: person_id, start, end of stays in hospital through which supply is held (``stays.extend``), in days
    as the fills have them.
    ``tiers``: the factors of the tiered ingredient (``mme.tiers``); None: mme_per_day counts for it too.

    Returns person_id, start, stop (half-open), mme (MME/day, sum of the known parts; null = on, dose unknown),
    mme_incomplete, on_buprenorphine, repaired (0/1: also of days that are there by what repaired supply left over),
    tiered_mg (mg/day; null = none active, or no tiers), sorted by
    person and start, equal neighbours merged.

    Raises ValueError, naming the column, for one that is missing, a start that is missing or no day, a dose that is
    negative, not finite or above 1e6 MME/day, and a supply above 100,000 days; and for a cap below 0.

    Cost: O(n log n). 20 M fills of 1 M persons from parquet, 2 cores, whole process: 1.6 s and 2.3 GB without
    stockpiling, 2.6 s and 1.9 GB with it; twice the time with every flag and tiers, 8 s where ids are text.
    """
    _check_cap(stockpile_cap_days)
    if stays is not None:
        from opioid_outcomes.exposure.stays import extend

        stockpiled = stockpile_cap_days is not None
        supply = extend(supplies(fills, stockpile_cap_days), stays.lazy().collect(), stockpiled=stockpiled)
        return sum_over_products(supply, tiers).lazy()
    rows, dtype = _typed(fills, product=stockpile_cap_days is not None)
    person, ids = packed.person_codes(rows.get_column("person_id"))
    if stockpile_cap_days is None:
        parts = packed.sums(_tiered(_intervals(rows, person), tiers))
    else:
        arrays = _fills(rows, person, _product_codes(rows)[0])
        del rows

        def dose(supply: Supply) -> list[Sums]:
            return packed.sums(_tiered(supply.intervals(), tiers), parallel=False)

        parts = [part for chunk in stockpile.supplies(arrays, stockpile_cap_days, dose) for part in chunk]
    return _table(parts, ids, dtype, tiers).lazy()


def cut(daily: pl.LazyFrame, until: pl.LazyFrame) -> pl.LazyFrame:
    """Daily dose up to each person's last day.

    ``until``: person_id, last (the last day that counts, inclusive: day of death or end of observation). Persons who
    are not in it are left out: nothing of them is observed. O(n): 20 M stretches take 0.3 s.
    """
    rows = daily.collect()
    # daily dose is sorted by person: one look-up a person, not one a row
    person = rows.get_column("person_id")
    first = np.flatnonzero(person.ne_missing(person.shift()).to_numpy() | (np.arange(len(person)) == 0))
    until = until.select("person_id", pl.col("last").to_physical().cast(pl.Int64))
    last = (
        rows.lazy()
        .select(pl.col("person_id").gather(pl.Series(first, dtype=pl.UInt32)))
        .join(until, on="person_id", how="left", maintain_order="left")
        .collect()
        .get_column("last")
        .fill_null(np.iinfo(np.int32).min)
    )
    day_after = np.repeat(last.to_numpy() + 1, np.diff(np.append(first, len(person))))
    start, stop = (rows.get_column(name).to_physical().to_numpy() for name in ("start", "stop"))
    if (day_after < stop).any():
        new_stop = pl.Series(np.minimum(stop, day_after), dtype=pl.Int32).cast(rows.schema["stop"])
        rows = rows.with_columns(new_stop.alias("stop")).filter(pl.Series(start < day_after))
    return rows.lazy()


def last_days(observation: pl.DataFrame, deaths: pl.DataFrame) -> pl.DataFrame:
    """person_id, last: each person's last day that counts, the day of death or the end of their last observation."""
    observed = observation.group_by("person_id").agg(last=pl.col("end").max())
    died = deaths.group_by("person_id").agg(pl.col("date").min())
    return (
        observed.join(died, on="person_id", how="left")
        .select("person_id", last=pl.min_horizontal("last", "date"))
        .sort("person_id")
    )


def supplies(fills: Frame, stockpile_cap_days: float | None = 30) -> pl.DataFrame:
    """One row per person, product and day of dispensing: when its supply ends, after stockpiling.

    Returns person_id, product, start, mme_per_day (MME/day of its known fills), mme_unknown, repaired,
    is_buprenorphine, tiered_mg_per_day, units_per_day (as it converts left-over days; null = unknown), repaired_from
    (first of the days that a repaired supply's left-over adds to a supply that is not repaired; mostly null), end
    (real-valued), known_end (first day not wholly supplied, as known on ``start``), stop (known_end, or the day the
    next fill of the product takes over) and dropped_days (left-over days above the cap), sorted by person, product and
    start. Without stockpiling (None) there is a row per fill, active to its own end, and known_end is the latest of the
    product's fills so far. O(n log n): 20 M fills take 2 s.
    """
    _check_cap(stockpile_cap_days)
    rows, dtype = _typed(fills, product=True)
    person, ids = packed.person_codes(rows.get_column("person_id"))
    codes, products = _product_codes(rows)
    arrays = _fills(rows, person, codes)
    del rows
    parts = stockpile.supplies(arrays, stockpile_cap_days, lambda supply: supply)
    del arrays

    def column(pick: Callable[[Supply], Array]) -> pl.Series:
        return pl.Series(np.concatenate([pick(part) for part in parts]))

    flags = column(lambda part: part.fills.flags)
    known_mg = [part.fills.mg for part in parts if part.fills.mg is not None]
    no_mg = pl.repeat(None, len(flags), dtype=pl.Float64, eager=True)
    return pl.DataFrame(
        {
            "person_id": ids(column(lambda part: part.fills.person).to_numpy()),
            "product": products.gather(column(lambda part: part.fills.product).cast(pl.UInt32)),
            "start": column(lambda part: part.fills.start).cast(dtype),
            "mme_per_day": column(lambda part: part.fills.mme).fill_nan(None),
            "mme_unknown": (flags & UNKNOWN) > 0,
            **{name: ((flags & bit) > 0).cast(pl.Int64) for name, bit in FLAGS.items()},
            "tiered_mg_per_day": pl.Series(np.concatenate(known_mg)).fill_nan(None) if known_mg else no_mg,
            "units_per_day": column(lambda part: part.fills.units_per_day()).fill_nan(None),
            "repaired_from": _repaired_from(parts).cast(dtype),
            "end": column(lambda part: part.end),
            "known_end": column(lambda part: part.known_end).cast(dtype),
            "stop": column(lambda part: part.stop).cast(dtype),
            "dropped_days": column(lambda part: part.dropped),
        }
    )


def sum_over_products(supply: pl.DataFrame, tiers: pl.DataFrame | None = None) -> pl.DataFrame:
    """Stretches between change points on which at least one product is active.

    ``supply``: rows of ``supplies``, each active from start to stop, and repaired from repaired_from on. Returns
    person_id, start, stop and ``VALUES``, sorted by person and start, equal neighbours merged.
    """
    if supply.get_column("repaired_from").null_count() < supply.height:
        supply = _split(supply)
    person, ids = packed.person_codes(supply.get_column("person_id"))
    dose = supply.get_column("mme_per_day")
    known, unknown = dose.is_not_null(), supply.get_column("mme_unknown")
    flags = known.cast(pl.UInt8) * KNOWN + unknown.cast(pl.UInt8) * UNKNOWN
    for name, bit in FLAGS.items():
        flags += (supply.get_column(name) > 0).cast(pl.UInt8) * bit
    start, stop = (supply.get_column(name).to_physical().to_numpy() for name in ("start", "stop"))
    mg = _known(supply, "tiered_mg_per_day")
    intervals = Intervals(person, start, stop, _floats(dose), flags.to_numpy(), mg)
    return _table(packed.sums(_tiered(intervals, tiers)), ids, day_type(supply.schema["start"]), tiers)


def _repaired_from(parts: list[Supply]) -> pl.Series:
    rows = sum(len(part.stop) for part in parts)
    if all(part.repaired_from is None for part in parts):
        return pl.repeat(None, rows, dtype=pl.Int32, eager=True)
    none = [
        np.full(len(part.stop), stockpile.NEVER) if part.repaired_from is None else part.repaired_from for part in parts
    ]
    first = pl.Series(np.concatenate(none), dtype=pl.Int32)
    return first.set(first == stockpile.NEVER, None)


def _split(supply: pl.DataFrame) -> pl.DataFrame:
    """Rows cut at repaired_from."""
    supply = supply.drop("product", "units_per_day", "end", "known_end", "dropped_days", strict=False)  # not summed
    start, stop = (supply.get_column(name).to_physical().to_numpy() for name in ("start", "stop"))
    since = supply.get_column("repaired_from").to_physical().fill_null(stockpile.NEVER).to_numpy()
    row, start, stop, repaired = stockpile.split(start, stop, since)
    pieces = supply[row]
    return pieces.with_columns(
        pl.Series("start", start, dtype=pl.Int32).cast(supply.schema["start"]),
        pl.Series("stop", stop, dtype=pl.Int32).cast(supply.schema["stop"]),
        repaired=pieces.get_column("repaired") | pl.Series(repaired).cast(pl.Int64),
    )


def _check_cap(stockpile_cap_days: float | None) -> None:
    if stockpile_cap_days is not None and not stockpile_cap_days >= 0:
        raise ValueError("stockpile_cap_days must be 0 or more")


def _typed(fills: Frame, *, product: bool) -> tuple[pl.DataFrame, pl.DataType]:
    """The fills that have an interval, with the columns there are, in their types and checked; the type of a day."""
    named = ("person_id", "days_supply", "mme_per_day", *(("product",) if product else ()))
    fills = given(fills, *named, days=("start",))
    schema = fills.collect_schema()
    numbers = ("days_supply", "mme_per_day", *(("units_per_day",) if product else ()), "tiered_mg_per_day")
    rows = fills.select(
        "person_id",
        pl.col("start").to_physical().cast(pl.Int32),
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in numbers if name in schema),
        *((pl.col(name).cast(pl.Int64) > 0).fill_null(False) for name in FLAGS if name in schema),
        *((_product(schema["product"]),) if product else ()),
    ).collect()
    lasts = pl.col("days_supply") > 0
    if not rows.select(lasts.all() & lasts.is_not_null().all()).item():
        rows = rows.filter(lasts)
    rules = [
        (pl.col("start").is_not_null(), "start must not be missing"),
        (pl.col("days_supply") <= MAX_DAYS, "days_supply must be finite and at most 100,000"),
        *(
            (pl.col(name).is_between(0, MAX_MME), f"{name} must be finite, not negative and below 1e6")
            for name in ("mme_per_day", "tiered_mg_per_day")
            if name in schema
        ),
    ]
    for holds, told in rules:
        if not rows.select(holds.all()).item():
            raise ValueError(told)
    return rows, day_type(schema["start"])


def _product(dtype: pl.DataType) -> pl.Expr:
    """``product`` as a category: few distinct names."""
    named = dtype in (pl.Categorical, pl.Enum)
    return pl.col("product") if named else pl.col("product").cast(pl.String).cast(pl.Categorical)


def _floats(column: pl.Series) -> Array:
    """Missing is NaN."""
    return column.fill_null(np.nan).to_numpy() if column.null_count() else column.to_numpy()


def _known(rows: pl.DataFrame, name: str) -> Array | None:
    """A column of which something is known, missing as NaN; else None."""
    if name not in rows.columns or rows.get_column(name).null_count() == rows.height:
        return None
    return _floats(rows.get_column(name))


def _flags(rows: pl.DataFrame) -> Array | None:
    """``packed`` flags of fills; None where all are known doses and no more."""
    carried = {name: bit for name, bit in FLAGS.items() if name in rows.columns and rows.get_column(name).any()}
    dose = rows.get_column("mme_per_day")
    if not carried and not dose.null_count():
        return None
    flags = np.where(dose.is_null().to_numpy(), np.uint8(UNKNOWN), np.uint8(KNOWN))
    for name, bit in carried.items():
        flags |= rows.get_column(name).to_numpy() * np.uint8(bit)
    return flags


def _intervals(rows: pl.DataFrame, person: Array) -> Intervals:
    """Each fill on its own days."""
    start, days = rows.get_column("start").to_numpy(), rows.get_column("days_supply").to_numpy()
    stop = np.empty_like(start)

    def end(part: slice) -> None:
        np.add(start[part], np.floor(days[part] + DAY_TOLERANCE), out=stop[part], casting="unsafe")

    packed.each(end, packed.slices(len(start)))
    mg = _known(rows, "tiered_mg_per_day")
    return Intervals(person, start, stop, _floats(rows.get_column("mme_per_day")), _flags(rows), mg)


def _fills(rows: pl.DataFrame, person: Array, product: Array) -> Fills:
    flags = _flags(rows)
    units = rows.get_column("units_per_day") if "units_per_day" in rows.columns else None
    return Fills(
        person=person,
        product=product,
        start=rows.get_column("start").to_numpy(),
        days=rows.get_column("days_supply").to_numpy(),
        mme=_floats(rows.get_column("mme_per_day")),
        flags=np.full(rows.height, KNOWN, np.uint8) if flags is None else flags,
        units=None if units is None else _floats(units),
        mg=_known(rows, "tiered_mg_per_day"),
    )


def _product_codes(rows: pl.DataFrame) -> tuple[Array, pl.Series]:
    """Codes that rise with the names of products, and the names; a missing name is an empty one."""
    column = rows.get_column("product")
    kinds = column.unique()
    code_of = pl.DataFrame({"kind": kinds.to_physical(), "name": kinds.cast(pl.String).fill_null("")})
    names = code_of.get_column("name").unique().sort()
    rank = names.search_sorted(code_of.get_column("name")).to_numpy().astype(np.int32)
    kind = code_of.get_column("kind").cast(pl.Int64).fill_null(-1).to_numpy()
    codes = np.empty(int(kind.max(initial=-1)) + 2, np.int32)  # the last one is that of -1, missing
    codes[kind] = rank
    physical = column.to_physical()
    return codes[
        physical.cast(pl.Int64).fill_null(-1).to_numpy() if physical.null_count() else physical.to_numpy()
    ], names


def _tiered(intervals: Intervals, tiers: pl.DataFrame | None) -> Intervals:
    """Where mg of the tiered ingredient is known, the dose follows from the day's total mg: mme is not added."""
    if tiers is None or intervals.mg is None:
        return replace(intervals, mg=None)
    known = ~np.isnan(intervals.mg)
    flags = np.uint8(KNOWN) if intervals.flags is None else intervals.flags
    return replace(
        intervals,
        mme=np.where(known, 0, intervals.mme),
        flags=np.where(known, flags | np.uint8(KNOWN | TIERED), flags),
    )


def _table(
    parts: list[Sums], ids: Callable[[Array], pl.Series], dtype: pl.DataType, tiers: pl.DataFrame | None
) -> pl.DataFrame:
    """Daily dose of sums; ``parts`` is emptied column by column, so that nothing is held twice."""

    def column(name: str, kind: type) -> Array:
        return np.concatenate([vars(part).pop(name) for part in parts]) if parts else np.empty(0, kind)

    table = pl.DataFrame([ids(column("person", np.int64)).alias("person_id")])
    for name in ("start", "stop"):
        table = table.with_columns(pl.Series(name, column(name, np.int32)).cast(dtype))
    flags, dose = column("flags", np.uint8), column("dose", np.int64)
    tiered_mg = pl.lit(None, pl.Float64)
    if tiers is not None and parts and parts[0].mg is not None:
        mg = np.where(flags & TIERED, column("mg", np.int64) / PARTS, np.nan)
        tiered = pl.Series(mg).fill_nan(None).to_frame("mg").select("mg", mme=mme.mme_of_tiered(pl.col("mg"), tiers))
        tiered_mg = pl.lit(tiered.get_column("mg"))
        dose += np.floor(tiered.get_column("mme").fill_null(0).to_numpy() * PARTS + 0.5).astype(np.int64)
    # NumPy divides as IEEE does, so that 60 MME come back as 60; polars multiplies by the reciprocal
    known = pl.Series(dose / PARTS)
    if not (flags & KNOWN).all():
        known = known.set(pl.Series(flags & KNOWN == 0), None)
    del dose
    return table.with_columns(
        known.alias("mme"),
        _marked(flags, UNKNOWN).alias("mme_incomplete"),
        _marked(flags, BUPRENORPHINE).alias("on_buprenorphine"),
        _marked(flags, REPAIRED).alias("repaired"),
        tiered_mg.alias("tiered_mg"),
    )


def _marked(flags: Array, bit: int) -> pl.Expr:
    """1 where the bit is set, else 0; where it never is, a constant takes no memory."""
    marked = (flags & bit) > 0
    return pl.lit(pl.Series(marked).cast(pl.Int64)) if marked.any() else pl.lit(0, pl.Int64)
