"""What the dose of people was over any window of days: means, whether it is known, whether therapy went on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.exposure import mme
from opioid_outcomes.exposure.stretches import Array, latest
from opioid_outcomes.exposure.windows import PARTS_PER_MME, Accrual, days_of

GAP_DAYS = 30  # therapy goes on over gaps of at most so many days (METHODS B5)
# MME of a mg of the tiered ingredient, methadone, where its factor depends on the day's total (CDC's claims file;
# METHODS B1): with tiers, 20 -> 20.01 mg/day would double the dose.
FLAT_FACTOR = 3.0


@dataclass(frozen=True)
class DoseHistory:
    """Daily dose, dispensings of unknown supply and observation of people, each a code 0, 1, ...

    ``dose``: mme (millionths), days (with supply) and unknown (days) over stretches; ``level``: MME/day of each stretch
    by the factor table itself, tiers included (NaN = no known part); ``endless``: dispensings of unknown supply;
    ``long_gaps``: how many gaps of more than 30 days precede each stretch; ``periods``: person, start and stop of
    observation, the day of death and all after it left out.
    """

    ids: pl.Series
    dose: Accrual
    level: Array
    endless: Accrual
    long_gaps: Array
    periods: tuple[Array, Array, Array]

    def follows(self) -> Array:
        """Whether each stretch has one of the same person before it."""
        return np.append(False, self.dose.person[1:] == self.dose.person[:-1])[: len(self.dose.person)]

    def mean(self, person: Array, start: Array, stop: Array) -> Array:
        """Mean MME/day over the days with supply in [start, stop); NaN where there is none."""
        mme, days = self.dose.between(person, start, stop, "mme", "days")
        return _divide(mme / PARTS_PER_MME, days)

    def known(self, person: Array, start: Array, stop: Array) -> Array:
        """Whether the dose of every day with supply, and the supply of every dispensing, is known in full."""
        [unknown] = self.dose.between(person, start, stop, "unknown")
        [endless] = self.endless.between(person, start, stop, "fills")
        return (unknown == 0) & (endless == 0)

    def observed(self, person: Array, start: Array, stop: Array) -> Array:
        """Whether every day of [start, stop) is observed, in one period, and before the day of death."""
        of_person, begins, ends = self.periods
        if not len(of_person):
            return np.zeros(len(person), dtype=bool)
        row = latest(person, start, of_person, begins)
        return (row >= 0) & (stop <= ends[row])

    def goes_on(self, person: Array, start: Array, stop: Array) -> Array:
        """Whether no more than 30 days in a row of [start, stop) are without supply, at its edges too."""
        dose = self.dose
        before = dose.row(person, start)
        covers = (before >= 0) & (dose.stop[before] > start)
        first = np.where(covers, before, np.where(before >= 0, before + 1, np.searchsorted(dose.person, person)))
        last = dose.row(person, stop - 1)
        some = (last >= 0) & (first <= last)
        first, last = np.where(some, first, 0), np.where(some, last, 0)
        lead = np.maximum(dose.start[first] - start, 0)
        trail = np.maximum(stop - dose.stop[last], 0)
        within = self.long_gaps[last] - self.long_gaps[first]
        return np.where(some, (lead <= GAP_DAYS) & (trail <= GAP_DAYS) & (within == 0), stop - start <= GAP_DAYS)

    def last(self, person: Array, start: Array, stop: Array) -> Array:
        """MME of the last day with supply in [start, stop); NaN without any."""
        row = self.dose.row(person, stop - 1)
        inside = (row >= 0) & (self.dose.stop[row] > start)
        return np.where(inside, self.dose.rate["mme"][row] / PARTS_PER_MME, np.nan)

    def on_day(self, person: Array, day: Array) -> Array:
        """MME of one day; NaN without supply."""
        return self.mean(person, day, day + 1)


def dose_history(
    daily: pl.DataFrame,
    observation: pl.DataFrame,
    deaths: pl.DataFrame,
    fills: pl.DataFrame,
    tiers: pl.DataFrame | None = None,
) -> DoseHistory:
    """The history of everybody with supply.

    ``daily``: DAILY_DOSE; ``observation``: person_id, start, end (inclusive); ``deaths``: person_id, date; ``fills``:
    DISPENSINGS_CLEAN; ``tiers``: as ``mme.tiers`` gives them: the tiered part of the dose then counts at the flat
    factor. O(n log n).
    """
    codes = daily.select("person_id").unique().sort("person_id").with_row_index("person")
    doses = at_flat_factor(daily, tiers).join(codes, on="person_id", maintain_order="left").sort("person", "start")
    dose = Accrual(
        *(doses[name].to_numpy() for name in ("person", "start", "stop")),
        mme=(doses["flat"].fill_null(0) * PARTS_PER_MME).round().to_numpy(),
        days=np.ones(doses.height),
        unknown=doses.select(pl.col("mme").is_null() | (pl.col("mme_incomplete") == 1)).to_series().to_numpy(),
    )
    gap = np.append(0, dose.start[1:] - dose.stop[:-1])[: doses.height]
    same = np.append(False, dose.person[1:] == dose.person[:-1])[: doses.height]
    endless = (
        fills.filter((pl.col("analgesic") == 1) & pl.col("days_supply").is_null())
        .join(codes, on="person_id")
        .group_by("person", "date")
        .agg(fills=pl.len().cast(pl.Int64))
        .sort("person", "date")
    )
    died = deaths.group_by("person_id").agg(died=pl.col("date").min())
    periods = (
        observation.join(codes, on="person_id")
        .join(died, on="person_id", how="left")
        .select("person", "start", stop=pl.min_horizontal(pl.col("end") + 1, "died"))
        .sort("person", "start")
    )
    return DoseHistory(
        ids=codes["person_id"],
        dose=dose,
        level=doses["mme"].cast(pl.Float64).to_numpy(),
        endless=days_of(*(endless[name].to_numpy() for name in ("person", "date")), fills=endless["fills"].to_numpy()),
        long_gaps=np.cumsum(same & (gap > GAP_DAYS)),
        periods=tuple(periods[name].to_numpy().astype(np.int64) for name in ("person", "start", "stop")),  # type: ignore[arg-type]
    )


def at_flat_factor(daily: pl.DataFrame, tiers: pl.DataFrame | None) -> pl.DataFrame:
    """Adds flat: the dose with the tiered ingredient at the flat factor, as dose events are told by it."""
    if tiers is None:
        return daily.with_columns(flat="mme")
    tiered = pl.col("tiered_mg").fill_null(0)
    part = mme.mme_of_tiered(tiered, tiers)
    return daily.with_columns(flat=pl.col("mme") - part + tiered * FLAT_FACTOR)


def _divide(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
