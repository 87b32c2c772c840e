"""The four definitions of MME/day of HEAL, from dated fills, per person and window of days.

Source: Dasgupta 2021 (Clin J Pain 37:565; PMC8270512), METHODS B2, PEERS A, CONTRACT 7. Their calculator is given days
of supply and of therapy; here both are counted on the calendar, from the supplies that daily dose is the sum of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from opioid_outcomes.exposure import clean, daily_dose, mme
from opioid_outcomes.exposure.stays import extend
from opioid_outcomes.exposure.stretches import Array
from opioid_outcomes.exposure.windows import exceeds, reaches

DEFINITIONS = (1, 2, 3, 4)
THRESHOLDS = (50, 90)  # MME/day (CDC guideline 2016)
WINDOW_BITS = 20  # of a key: more windows than there are days
PARTS_PER_MME = 10**9  # as daily dose adds them; sums over a window are exact


def of_fills(
    fills: pl.DataFrame,
    factors: pl.DataFrame,
    last_days: pl.DataFrame,
    *,
    window_days: int = 90,
    stockpile_cap_days: float | None = 30,
    stays: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The definitions by one factor table, one row per person and window with supply.

    ``fills``: DISPENSINGS_CLEAN; ``factors``: as ``mme.factors`` gives them; ``last_days``: person_id, last
    (inclusive); ``stays``: inpatient stays on which supply is not used up. Days are integers. Returns as
    ``of_supplies``.
    """
    dosed = mme.attach(fills.filter(pl.col("analgesic") == 1).lazy(), factors).collect()
    supply = daily_dose.supplies(clean.analgesic_fills(dosed), stockpile_cap_days)
    supply = supply if stays is None else extend(supply, stays, stockpiled=stockpile_cap_days is not None)
    return of_supplies(supply, last_days, window_days=window_days, tiers=mme.tiers(factors))


def of_supplies(
    supply: pl.DataFrame, last_days: pl.DataFrame, *, window_days: int = 90, tiers: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The definitions from supplies (``daily_dose.supplies``), one row per person and window with supply.

    Windows of ``window_days`` follow each other from a person's first day with supply; the last ends with the last day.
    The total is the sum of the daily doses of the window. Definition 1 divides it by days of supply, a calendar day
    counted once for each product active on it: fills of one product on one day are one fill, and an early refill takes
    the place of the one before (if supply is not stockpiled, the day counts for each fill); 2 by calendar days with
    supply; 3 by the days of the window, without supply too; 4 is the highest daily dose. What has no known dose is
    neither in the total nor in the days of 1 and 2; ``incomplete`` is 1 if there is any, and a value is null if no dose
    of the window is known. A window without supply has no row.

    Returns person_id, window_start, window_stop, incomplete, mme_1 to mme_4, without_1 to without_4 (all but
    buprenorphine, which is null where there is nothing else), sorted by person and window.
    Cost: linear in stretches of daily dose and in windows, but for one sort of each.
    """
    supply = supply.filter(pl.col("start") < pl.col("stop"))
    daily = _cut(daily_dose.sum_over_products(supply, tiers), last_days)
    people = daily.group_by("person_id", maintain_order=True).agg(origin=pl.col("start").first())
    pieces = _split(daily, people, window_days)
    keys = np.unique(pieces.key)
    person, number = keys >> WINDOW_BITS, keys & (2**WINDOW_BITS - 1)
    start = people["origin"].to_numpy()[person].astype(np.int64) + number * window_days
    people = people.join(last_days.select("person_id", "last"), on="person_id", how="left", maintain_order="left")
    stop = np.minimum(start + window_days, people["last"].to_numpy()[person] + 1)
    values = _values(keys, stop - start, pieces, _split(_cut(_known(supply), last_days), people, window_days))
    rest = supply.filter(pl.col("is_buprenorphine") == 0)
    daily = _cut(daily_dose.sum_over_products(rest, tiers), last_days)
    known = _split(_cut(_known(rest), last_days), people, window_days)
    without = _values(keys, stop - start, _split(daily, people, window_days), known)
    incomplete = np.zeros(len(keys), dtype=np.int64)
    incomplete[np.searchsorted(keys, pieces.key[pieces.rows["mme_incomplete"].to_numpy()[pieces.row] > 0])] = 1
    columns = {"window_start": start.astype(np.int32), "window_stop": stop.astype(np.int32), "incomplete": incomplete}
    named = {f"{name}_{k}": part[k] for name, part in (("mme", values), ("without", without)) for k in DEFINITIONS}
    ids = people["person_id"].gather(person)
    return pl.DataFrame({"person_id": ids, **columns, **named}).with_columns(pl.col(list(named)).fill_nan(None))


def long(wide: pl.DataFrame, factors: str) -> pl.DataFrame:
    """MME_DEFINITIONS: a row per definition, sorted by definition, person and window; ``factors`` names the table."""
    return pl.concat(
        wide.select(
            "person_id", "window_start", "window_stop",
            definition=pl.lit(k, pl.Int64), factors=pl.lit(factors), mme=f"mme_{k}",
            mme_without_buprenorphine=f"without_{k}", incomplete="incomplete",
        )
        for k in DEFINITIONS
    )  # fmt: skip


def thresholds(wide: pl.DataFrame, factors: str, rule: Literal["at_least", "above"]) -> pl.DataFrame:
    """Display ``mme_thresholds`` by one table: who is ever over 50 and 90 MME/day, by each definition.

    definition, factors, persons (with a known value in some window), over_50, over_90 (in any window), share_50,
    share_90, median_mme (over persons, of their highest window).
    """
    highest = (
        wide.group_by("person_id").agg(pl.col(f"mme_{k}").max() for k in DEFINITIONS).select(pl.exclude("person_id"))
    )
    rows = []
    for k in DEFINITIONS:
        doses = highest[f"mme_{k}"].drop_nulls()
        over = [int((reaches if rule == "at_least" else exceeds)(doses, limit).sum()) for limit in THRESHOLDS]
        shares = [count / len(doses) if len(doses) else None for count in over]
        rows.append((k, factors, len(doses), *over, *shares, doses.median()))
    counts = dict.fromkeys(("persons", "over_50", "over_90"), pl.Int64)
    values = dict.fromkeys(("share_50", "share_90", "median_mme"), pl.Float64)
    return pl.DataFrame(rows, schema={"definition": pl.Int64, "factors": pl.String, **counts, **values}, orient="row")


def _cut(rows: pl.DataFrame, last_days: pl.DataFrame) -> pl.DataFrame:
    return daily_dose.cut(rows.lazy(), last_days.lazy()).collect()


def _known(supply: pl.DataFrame) -> pl.DataFrame:
    return supply.filter(pl.col("mme_per_day").is_not_null()).select("person_id", "start", "stop").sort("person_id")


@dataclass(frozen=True)
class _Pieces:
    """Rows cut at the borders of windows: of each piece its row, its window (person and number) and its days."""

    rows: pl.DataFrame
    row: Array
    key: Array
    days: Array


def _split(rows: pl.DataFrame, people: pl.DataFrame, window_days: int) -> _Pieces:
    placed = rows.join(
        people.select("person_id", "origin").with_row_index("person"), on="person_id", maintain_order="left"
    )
    origin, person, start, stop = (
        placed[name].to_numpy().astype(np.int64) for name in ("origin", "person", "start", "stop")
    )
    first, last = (start - origin) // window_days, (stop - 1 - origin) // window_days
    count = last - first + 1
    row = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + first[row]
    border = origin[row] + number * window_days
    days = np.minimum(stop[row], border + window_days) - np.maximum(start[row], border)
    return _Pieces(placed, row, (person[row] << WINDOW_BITS) + number, days)


def _values(keys: Array, window_days: Array, daily: _Pieces, supplies: _Pieces) -> dict[int, Array]:
    """The definitions of each window; NaN where no dose is known. ``daily`` is sorted by window."""
    dose = daily.rows["mme"]
    known = dose.is_not_null().to_numpy()[daily.row]
    window, days = np.searchsorted(keys, daily.key[known]), daily.days[known]
    parts = np.rint(dose.fill_null(0).to_numpy() * PARTS_PER_MME).astype(np.int64)[daily.row[known]]
    begins = np.flatnonzero(np.diff(window, prepend=-1) != 0)
    total, highest = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
    if len(begins):
        total[window[begins]] = np.add.reduceat(parts * days, begins)
        highest[window[begins]] = np.maximum.reduceat(parts, begins)
    with_supply = np.bincount(window, weights=days, minlength=len(keys))
    of_supplies = np.bincount(np.searchsorted(keys, supplies.key), weights=supplies.days, minlength=len(keys))
    some = with_supply > 0
    over = {1: of_supplies, 2: with_supply, 3: window_days.astype(np.float64), 4: np.ones(len(keys))}
    return {
        k: np.divide(highest if k == 4 else total, days * PARTS_PER_MME, out=np.full(len(keys), np.nan), where=some)
        for k, days in over.items()
    }
