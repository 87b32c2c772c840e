"""Long-term opioid therapy: the day on which each person first meets each published definition (METHODS B3).

Judged on each day from that day and the past alone, so a follow-up may start on it. Every definition is met on a day
with supply or of a dispensing. A fill is one product on one day (CONTRACT 7, Stockpiling), with or without a known
supply; a window of n days is the n days that end on the day judged. A definition that needs the dose is not met on a
window in which the dose of a day, or the supply of a fill, is unknown; the dose of days without supply is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.exposure.stretches import Array, merge_equal
from opioid_outcomes.exposure.windows import NEVER, PARTS_PER_MME, Accrual, Condition, days_of, first_met, reaches

YEAR = 365
# CONSORT: an episode ends when 6 months pass without a dispensing (Von Korff 2008, Clin J Pain 24:521). The table of
# OPERA (Wilton 2021, BMJ Open 11:e043586) does not give the gap: the same rule is used.
EPISODE_GAP = 183
HIGH_MME = 90
BLOCK, BLOCKS = 60, 6  # Agnoli 2021: 12 months as six 60-day windows
ROUNDED = 1  # millionth of an MME, of a mean (``windows.TOLERANCE``)
PARTS_PER_DAY = 10**6  # days_supply may be a fraction
PEOPLE_AT_ONCE = 50_000  # what bounds the memory


@dataclass(frozen=True)
class Record:
    """What is known of all people, each a code 0, 1, ...; ``episode``: of each day of fills, its episode's first."""

    ids: pl.Series
    supply: Accrual  # days
    dose: Accrual  # mme (millionths), high (days at 90 MME or more), unknown (days)
    fills: Accrual  # fills, days (of supply, in millionths)
    episode: Array
    endless: Accrual  # fills of unknown supply

    def on(self, person: Array, day: Array) -> list[Array]:
        """0 or more on days with supply or a dispensing."""
        return [self.supply.covers(person, day) + self.fills.covers(person, day) - 1]

    def known(self, person: Array, start: Array, stop: Array) -> list[Array]:
        """0 or more where the dose of every day, and the supply of every fill, is known."""
        [days] = self.dose.between(person, start, stop, "unknown")
        [fills] = self.endless.between(person, start, stop, "fills")
        return [-days - fills]

    def knots(self, *parts: tuple[Accrual, tuple[int, ...]]) -> list[tuple[Array, Array]]:
        """Days on which a stretch begins or ends, or did so a number of days ago, and those of use."""
        parts = ((self.supply, (0,)), (self.fills, (0,)), *parts)
        return [(part.person, days + ago) for part, agos in parts for ago in agos for days in (part.start, part.stop)]


Found = tuple[Array, Array]  # of each person: first day met (NEVER), first day of the window that met it


def find(daily: pl.DataFrame, fills: pl.DataFrame, last_days: pl.DataFrame) -> pl.DataFrame:
    """LONG_TERM: person_id, definition, window_start, met; only what is met, sorted by person and definition.

    ``daily``: daily dose of analgesic opioids, cut at the last day (person_id, start, stop, mme, mme_incomplete);
    ``fills``: DISPENSINGS_CLEAN; ``last_days``: person_id, last. Days are integers. Cost: O(n log n) in stretches and
    fills, for each definition; no day is walked.
    """
    dispensed = analgesic(fills, last_days)
    ids = pl.concat([daily["person_id"], dispensed["person_id"]]).unique().sort()
    parts = [_found(record(daily.clear(), dispensed.clear()))]
    for low in range(0, len(ids), PEOPLE_AT_ONCE):
        high = min(low + PEOPLE_AT_ONCE, len(ids)) - 1
        of_block = pl.col("person_id").is_between(pl.lit(ids[low]), pl.lit(ids[high]))
        parts.append(_found(record(daily.filter(of_block), dispensed.filter(of_block))))
    return pl.concat(parts).sort("person_id", "definition")


def _found(known: Record) -> pl.DataFrame:
    parts = []
    for name, definition in DEFINITIONS.items():
        met, begin = definition(known)
        found = np.flatnonzero(met != NEVER)
        days = {"window_start": begin[found].astype(np.int32), "met": met[found].astype(np.int32)}
        of_person = pl.DataFrame({"person_id": known.ids.gather(found), **days})
        parts.append(of_person.select("person_id", pl.lit(name).alias("definition"), *days))
    return pl.concat(parts)


def display(found: pl.DataFrame, fills: pl.DataFrame, last_days: pl.DataFrame) -> pl.DataFrame:
    """Display ``long_term``: definition, persons (with analgesic fills), met, share; one row per definition."""
    persons = analgesic(fills, last_days)["person_id"].n_unique()
    met = found.group_by("definition").agg(met=pl.len().cast(pl.Int64))
    return (
        pl.DataFrame({"definition": list(DEFINITIONS)})
        .join(met, on="definition", how="left", maintain_order="left")
        .select(
            "definition",
            persons=pl.lit(persons, pl.Int64),
            met=pl.col("met").fill_null(0),
            share=pl.when(persons > 0).then(pl.col("met").fill_null(0) / persons),
        )
    )


def analgesic(fills: pl.DataFrame, last_days: pl.DataFrame) -> pl.DataFrame:
    """Analgesic fills up to each person's last day: person_id, date, fills, days_supply (null = unknown), endless.

    One row per person and day: products dispensed on it count as fills each, their days of supply add, and
    ``endless`` are those of unknown supply. Two fills of one product on one day are one, of the longer supply.
    """
    supply = pl.col("days_supply")
    return (
        fills.filter(pl.col("analgesic") == 1)
        .join(last_days.select("person_id", "last"), on="person_id")
        .filter(pl.col("date") <= pl.col("last"))
        .group_by("person_id", "date", "product")
        .agg(supply.max())
        .group_by("person_id", "date")
        .agg(
            fills=pl.len().cast(pl.Int64),
            days=(supply.fill_null(0) * PARTS_PER_DAY).round().cast(pl.Int64).sum(),
            endless=supply.is_null().sum().cast(pl.Int64),
        )
        .sort("person_id", "date")
    )


def record(daily: pl.DataFrame, dispensed: pl.DataFrame) -> Record:
    """Daily dose and ``analgesic`` fills as running sums over people's codes."""
    people = pl.concat([daily["person_id"], dispensed["person_id"]]).unique().sort()
    codes = pl.DataFrame({"person_id": people, "person": np.arange(len(people))})
    doses = daily.join(codes, on="person_id", maintain_order="left").sort("person", "start")
    runs = merge_equal(doses.select("person_id", "person", "start", "stop"), ["person"])
    dispensed = dispensed.join(codes, on="person_id", maintain_order="left")
    person, date = dispensed["person"].to_numpy(), dispensed["date"].to_numpy().astype(np.int64)
    follows = np.append(False, (person[1:] == person[:-1]) & (np.diff(date) <= EPISODE_GAP))[: len(date)]
    first = np.maximum.accumulate(np.where(follows, 0, np.arange(len(date))))
    unknown = doses.select(pl.col("mme").is_null() | (pl.col("mme_incomplete") == 1)).to_series()
    mme = doses["mme"].fill_null(0)
    endless = dispensed.filter(pl.col("endless") > 0)
    return Record(
        ids=people,
        supply=_accrual(runs, days=np.ones(runs.height)),
        dose=_accrual(
            doses,
            mme=(mme * PARTS_PER_MME).round().to_numpy(),
            high=reaches(mme, HIGH_MME).to_numpy(),
            unknown=unknown.to_numpy(),
        ),
        fills=days_of(person, date, fills=dispensed["fills"].to_numpy(), days=dispensed["days"].to_numpy()),
        episode=date[first],
        endless=days_of(
            *(endless[name].to_numpy() for name in ("person", "date")), fills=endless["endless"].to_numpy()
        ),
    )


def _accrual(rows: pl.DataFrame, **per_day: Array) -> Accrual:
    return Accrual(*(rows[name].to_numpy() for name in ("person", "start", "stop")), **per_day)


def _windowed(known: Record, conditions: list[Condition], days: int, *parts: Accrual) -> Found:
    """First day with supply or a dispensing on which the conditions, on a window of ``days``, hold."""
    knots = known.knots(*((part, (0, days)) for part in parts))
    met = first_met(knots, [known.on, *conditions], len(known.ids))
    return met, np.where(met == NEVER, NEVER, met - (days - 1))


def _days_of_supply(known: Record, least: int) -> Found:
    def enough(person: Array, day: Array) -> list[Array]:
        return [days - least for days in known.supply.between(person, day + 1 - YEAR, day + 1, "days")]

    return _windowed(known, [enough], YEAR, known.supply)


def _fills(known: Record, least: int, days: int) -> Found:
    def enough(person: Array, day: Array) -> list[Array]:
        return [fills - least for fills in known.fills.between(person, day + 1 - days, day + 1, "fills")]

    return _windowed(known, [enough], days, known.fills)


def d90_in_365(known: Record) -> Found:
    """At least 90 days with supply, in a row or not, within 365 days (TROUP; the commonest, METHODS B3)."""
    return _days_of_supply(known, 90)


def d180(known: Record) -> Found:
    """At least 180 days with supply within 365 days (METHODS B3)."""
    return _days_of_supply(known, 180)


def svendsen_wide(known: Record) -> Found:
    """Supply on at least half of the days of a year: 183 of 365 (Svendsen, wide definition; METHODS B3)."""
    return _days_of_supply(known, 183)


def fills3(known: Record) -> Found:
    """At least 3 fills within 365 days (METHODS B3)."""
    return _fills(known, 3, YEAR)


def fills6(known: Record) -> Found:
    """At least 6 fills within 365 days (METHODS B3)."""
    return _fills(known, 6, YEAR)


def dunn_entry(known: Record) -> Found:
    """At least 3 fills within 90 days (Dunn 2010, Ann Intern Med 152:85: entry into the cohort)."""
    return _fills(known, 3, 90)


def consort(known: Record) -> Found:
    """An episode of more than 90 days with, within a year of it, 10 fills or 120 days' supply dispensed.

    Von Korff 2008 (Clin J Pain 24:521). An episode begins with a fill and ends when 183 days pass without one. On the
    day judged it has lasted more than 90 days; the year is the last 365 days of the episode.
    """

    def lasts(person: Array, day: Array) -> list[Array]:
        begin, latest_fill = _episode(known, person, day)
        return [day + 1 - begin - 91, latest_fill + EPISODE_GAP - day]

    def dispensed(what: str, least: int) -> Condition:
        def enough(person: Array, day: Array) -> list[Array]:
            begin, _ = _episode(known, person, day)
            first = np.maximum(begin, day + 1 - YEAR)
            return [amount - least for amount in known.fills.between(person, first, day + 1, what)]

        return enough

    knots = known.knots((known.fills, (0, YEAR)))
    either = (dispensed("fills", 10), dispensed("days", 120 * PARTS_PER_DAY))
    met = np.minimum(*(first_met(knots, [known.on, lasts, enough], len(known.ids)) for enough in either))
    found = np.flatnonzero(met != NEVER)
    begin = met.copy()
    begin[found] = np.maximum(_episode(known, found, met[found])[0], met[found] + 1 - YEAR)
    return met, begin


def opera(known: Record) -> Found:
    """An episode with at least 90 days with supply that cover at least half of its days so far.

    OPERA, chronic use (Wilton 2021, BMJ Open 11:e043586). Episodes as for ``consort``.
    """

    def covered(person: Array, day: Array) -> list[Array]:
        begin, latest_fill = _episode(known, person, day)
        [supplied] = known.supply.between(person, begin, day + 1, "days")
        open_still = latest_fill + EPISODE_GAP - day
        return [open_still, supplied - 90, 2 * supplied - (day + 1 - begin)]

    met = first_met(known.knots(), [known.on, covered], len(known.ids))
    found = np.flatnonzero(met != NEVER)
    begin = met.copy()
    begin[found] = _episode(known, found, met[found])[0]
    return met, begin


def stable_hd(known: Record) -> Found:
    """12 months at a mean of at least 50 MME/day, stable: each 60-day mean within 15 % of the mean of the whole.

    Agnoli 2021 (JAMA 326:411), its baseline; months as 30 days, so six 60-day windows, and 15 % as the fall that
    counts there as a taper.
    """
    whole = BLOCK * BLOCKS

    def mme(person: Array, day: Array, first: int, days: int) -> Array:
        return known.dose.between(person, day + first, day + first + days, "mme")[0]

    def enough(person: Array, day: Array) -> list[Array]:
        return [mme(person, day, 1 - whole, whole) - (50 * PARTS_PER_MME - ROUNDED) * whole]

    def steady(first: int) -> Condition:
        def within(person: Array, day: Array) -> list[Array]:
            total = mme(person, day, 1 - whole, whole)
            beyond = BLOCKS * mme(person, day, first, BLOCK) - total
            most = 3 * total + 20 * 2 * ROUNDED * whole  # both means may be rounded
            return [most - 20 * beyond, most + 20 * beyond]

        return within

    def all_known(person: Array, day: Array) -> list[Array]:
        return known.known(person, day + 1 - whole, day + 1)

    knots = known.knots((known.dose, tuple(range(0, whole + 1, BLOCK))), (known.endless, (0, whole)))
    blocks = [steady(first) for first in range(1 - whole, 1, BLOCK)]
    met = first_met(knots, [known.on, enough, all_known, *blocks], len(known.ids))
    return met, np.where(met == NEVER, NEVER, met - (whole - 1))


def hdltot(known: Record) -> Found:
    """At least 90 MME/day on at least 90 % (81) of 90 days (JAMA Netw Open 2022, article 2791566)."""

    def high(person: Array, day: Array) -> list[Array]:
        return [days - 81 for days in known.dose.between(person, day + 1 - 90, day + 1, "high")]

    def all_known(person: Array, day: Array) -> list[Array]:
        return known.known(person, day + 1 - 90, day + 1)

    return _windowed(known, [high, all_known], 90, known.dose, known.endless)


def _episode(known: Record, person: Array, day: Array) -> tuple[Array, Array]:
    """First day of the episode of the latest fill on or before ``day``, and the day of that fill; before any: far."""
    row = known.fills.row(person, day)
    far = day + 10 * EPISODE_GAP
    if not len(known.episode):
        return far, far - 20 * EPISODE_GAP
    return (
        np.where(row < 0, far, known.episode[row]),
        np.where(row < 0, far - 20 * EPISODE_GAP, known.fills.start[row]),
    )


DEFINITIONS: dict[str, Callable[[Record], Found]] = {
    definition.__name__: definition
    for definition in (
        d90_in_365, consort, d180, fills3, fills6, svendsen_wide, dunn_entry, stable_hd, hdltot, opera,
    )
}  # fmt: skip
