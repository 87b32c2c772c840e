"""Inpatient stays: supply is not used up in hospital. What a person came in with lasts longer by the stay.

Spec: CONTRACT 7 (Stays), METHODS B4 (immeasurable time: Suissa 2008, doi:10.1093/aje/kwn134).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.exposure.packed import differs
from opioid_outcomes.exposure.stockpile import DAY_TOLERANCE, LAST_DAY, NEVER, by_left_over, pass_on
from opioid_outcomes.exposure.stretches import Array, given


def merge(stays: pl.DataFrame) -> pl.DataFrame:
    """person_id, start, end (half-open), sorted: touching or overlapping stays are one, empty ones are dropped.

    ``stays``: person_id, start (admission), end (discharge). O(n log n).
    """
    stays = given(stays, "person_id", days=("start", "end")).collect()
    kept = stays.filter(pl.col("start") < pl.col("end")).sort("person_id", "start", "end")
    ended = pl.col("end").to_physical().cum_max().shift().over("person_id")
    return (
        kept.with_columns(stay=(pl.col("start").to_physical() > ended).fill_null(True).cum_sum())
        .group_by("stay", maintain_order=True)
        .agg(pl.col("person_id", "start").first(), pl.col("end").max())
        .drop("stay")
    )


def extend(supply: pl.DataFrame, stays: pl.DataFrame, *, stockpiled: bool = True) -> pl.DataFrame:
    """Supply that is consumed only outside stays [start, end).

    ``supply``: rows of ``daily_dose.supplies``, after stockpiling; ``stays``: person_id, start, end, days in the same
    type. Returns the same columns, sorted by person, product and start; a row that a stay interrupts becomes pieces:
    before the stay, held during it (at the dose of the admission day, repaired = 1) and after it. Held is the row of a
    product that is consumed, or dispensed, on the admission day. What is dispensed later in the stay starts at
    discharge. Of one product a row takes over from the one before where it starts, and what is still held of that one
    passes on, times old over new units a day as in stockpiling, so that the two are not taken together and no MME is
    lost; there is no cap: it has been applied, and a hospital drops nothing. Not so without stockpiling
    (``stockpiled`` False: ``supply`` made with a cap of None), where rows overlap and doses add.

    ``end`` and ``known_end`` move by the stays, from the admission on: before it nobody knows of the stay. dropped_days
    stay with the first piece of a row. Nothing moves for people without stays.

    In the clock u of days outside stays a row with n days after stockpiling, up to where the next took over, ends at
    E_i = u(start_i) + n_i + max(E_(i-1) - u(start_i), 0) * ratio_i, the recursion of ``stockpile.pass_on``.
    Cost: O(n) of the supply, and binary searches and the recursion for the rows of people with stays.
    """
    merged = merge(stays)
    if merged.is_empty() or supply.is_empty():
        return supply
    if any((supply.schema["start"] == pl.Date) != (merged.schema[name] == pl.Date) for name in ("start", "end")):
        raise ValueError("start and end of stays must be dates where start of fills is, else whole numbers")
    changes = supply["person_id"].ne_missing(supply["person_id"].shift())
    person = changes.cast(pl.Int64).cum_sum().to_numpy() - 1
    codes = supply.select("person_id").filter(changes).with_row_index("person")
    known = merged.join(codes, on="person_id", how="inner", maintain_order="left")
    if known.is_empty():
        return supply
    clock = _Clock.of(known)
    concerned = np.isin(person, clock.person)
    theirs = supply.filter(pl.Series(concerned))
    rows = _Rows.of(theirs, person[concerned], clock, _groups(theirs) if stockpiled else np.arange(theirs.height))
    counts = np.ones(supply.height, dtype=np.int64)
    counts[concerned] = rows.pieces
    pieces = _pieces(supply, np.repeat(np.arange(supply.height), counts), concerned, rows, clock)
    return pieces if stockpiled else _latest_ends(pieces)


@dataclass(frozen=True)
class _Clock:
    """Stays, sorted by person and start, and the clock of days outside them, which stands still during a stay."""

    person: Array
    start: Array
    end: Array
    passed: Array  # days in stays of everybody before each one; one more entry than stays
    stopped: Array  # reading of the person's clock at admission, and until discharge

    @classmethod
    def of(cls, stays: pl.DataFrame) -> _Clock:
        person = stays["person"].to_numpy().astype(np.int64)
        start, end = (stays[name].to_physical().to_numpy().astype(np.int64) for name in ("start", "end"))
        passed = np.append(0, np.cumsum(end - start))
        first = np.searchsorted(person, person)
        return cls(person, start, end, passed, start - (passed[:-1] - passed[first]))

    def stays_before(self, person: Array, day: Array, of: Array) -> Array:
        """Number of the first stay of the person, or of the next person, whose ``of`` is on ``day`` or later."""
        low = min(int(day.min(initial=0)), int(of.min(initial=0)))
        width = max(int(day.max(initial=0)), int(of.max(initial=0))) - low + 1
        return np.searchsorted(self.person * width + (of - low), person * width + (day - low))

    def stopped_at(self, stays: Array, person: Array, reading: Array) -> Array:
        """Whether number ``stays`` is one of the person's, at whose admission the clock reads ``reading``."""
        of_person = (stays < len(self.person)) & (_at(self.person, stays) == person)
        return of_person & (_at(self.stopped, stays) == reading)

    def in_stays(self, person: Array, stays: Array) -> Array:
        """Days of the person in stays before number ``stays``."""
        return self.passed[stays] - self.passed[np.searchsorted(self.person, person)]

    def reading(self, person: Array, day: Array) -> Array:
        """Days outside stays before ``day``."""
        later = self.stays_before(person, day, self.start)  # stays that begin on the day have not stopped the clock
        last = np.maximum(later - 1, 0)
        inside = np.where((later > 0) & (self.person[last] == person), np.maximum(self.end[last] - day, 0), 0)
        return day - self.in_stays(person, later) + inside


@dataclass(frozen=True)
class _Rows:
    """Rows of supply of people with stays, by the clock: when they are consumed, and the stays that interrupt them."""

    person: Array
    begin: Array  # first and last moment of consumption
    finish: Array
    end: Array  # real-valued, had no other taken over
    repaired_from: Array  # NEVER: no such days
    first_stay: Array  # the stays that interrupt it are first_stay, first_stay + 1, ...
    interruptions: Array
    held_first: Array  # dispensed on an admission day: there is nothing before the first stay
    held_last: Array  # another takes over at discharge: there is nothing after the last stay

    @classmethod
    def of(cls, supply: pl.DataFrame, person: Array, clock: _Clock, group: Array) -> _Rows:
        """``group`` numbers what follows each other: the rows of a person's product."""
        date, end = _days(supply, "start"), supply["end"].to_numpy()
        begin = clock.reading(person, date)
        item = differs(group)
        next_date, next_begin = _next(date, item), _next(begin, item)
        days = np.minimum(end, next_date) - date
        units = supply["units_per_day"].fill_null(np.nan).to_numpy()
        until, _ = pass_on(begin, days, units, item, np.inf)
        passed = until - (begin + days)
        whole = _floor(until)
        finish = np.minimum(whole, next_begin)

        first = clock.stays_before(person, begin, clock.stopped)
        due = clock.stopped_at(first, person, begin)
        on_admission = due & (date <= _at(clock.start, first))
        first = first + (due & ~on_admission)
        beyond = clock.stays_before(person, finish, clock.stopped)
        held_last = (whole > next_begin) & (beyond >= first) & clock.stopped_at(beyond, person, next_begin)
        held_last &= next_date > _at(clock.start, beyond)
        interruptions = np.maximum(beyond - first, 0) + held_last
        held_first = on_admission & (interruptions > 0)
        repaired_from = _repaired_from(supply, begin - date, passed > 0, _floor(begin + days))
        full_end = end + (begin - date) + passed
        return cls(person, begin, finish, full_end, repaired_from, first, interruptions, held_first, held_last)

    @property
    def pieces(self) -> Array:
        return 1 + 2 * self.interruptions - self.held_first - self.held_last


def _days(rows: pl.DataFrame, name: str) -> Array:
    return rows[name].to_physical().to_numpy().astype(np.int64)


def _floor(end: Array) -> Array:
    return np.minimum(np.floor(end + DAY_TOLERANCE), LAST_DAY).astype(np.int64)


def _next(values: Array, item: Array) -> Array:
    """The value of the next row of the same group; beyond every day if there is none."""
    return np.append(np.where(item[1:], NEVER, values[1:]), NEVER)


def _repaired_from(supply: pl.DataFrame, moved: Array, passed: Array, before_passed: Array) -> Array:
    """By the clock: days of what repaired supply left over in stockpiling, or leaves over (``passed``) by the stays."""
    since = supply["repaired_from"].to_physical().cast(pl.Int64).fill_null(NEVER).to_numpy()
    known = since != NEVER
    repaired = known | (supply["repaired"].to_numpy() > 0)
    if not repaired.any():
        return since
    return np.where(known, since + moved, np.where(by_left_over(passed, repaired), before_passed, NEVER))


def _groups(supply: pl.DataFrame) -> Array:
    """Number of each row's person and product."""
    names = ("person_id", "product")
    changes = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in names)
    return supply.select(changes.cast(pl.Int64).cum_sum()).to_series().to_numpy()


def _pieces(supply: pl.DataFrame, index: Array, concerned: Array, rows: _Rows, clock: _Clock) -> pl.DataFrame:
    """Rows ``index`` of ``supply``, those of ``concerned`` people moved and cut into before, held, after, held, ..."""
    of = np.repeat(np.arange(len(rows.person)), rows.pieces)
    number = np.arange(len(of)) - np.repeat(np.cumsum(rows.pieces) - rows.pieces, rows.pieces) + rows.held_first[of]
    held = number % 2 == 1
    stay = rows.first_stay[of] + number // 2  # the one that holds it, or that ends it, if it is not the last piece
    resumed = (number > 0) & ~held
    last = number == 2 * rows.interruptions[of]
    # after a stay the number of the next; known_end counts the stays up to and with the one that holds it
    moved = clock.in_stays(rows.person[of], stay)
    counted = moved + np.where(held, _at(clock.end - clock.start, stay), 0)
    from_clock = np.where(resumed, _at(clock.stopped, stay - 1), rows.begin[of])
    to_clock = np.where(last, rows.finish[of], _at(clock.stopped, stay))
    since = rows.repaired_from[of]
    reading = np.where(since == NEVER, 0, since)
    since_moved = clock.in_stays(rows.person[of], clock.stays_before(rows.person[of], reading, clock.stopped))

    pieces = supply[index]
    there = pl.Series(np.flatnonzero(concerned[index]))
    start = np.where(held, _at(clock.start, stay), from_clock + moved)
    stop = np.where(held, _at(clock.end, stay), to_clock + moved)
    repaired, dropped = pieces["repaired"][there].to_numpy(), pieces["dropped_days"][there].to_numpy()
    new = {
        "start": start,
        "stop": stop,
        "known_end": _floor(rows.end[of] + counted),
        "end": rows.end[of] + counted,
        "repaired": np.where(held, 1, repaired),
        "dropped_days": np.where(number == rows.held_first[of], dropped, 0),
    }
    columns = {name: pl.Series(values) for name, values in new.items()}
    columns["repaired_from"] = pl.Series(since + since_moved).set(pl.Series(since == NEVER), None)
    return pieces.with_columns(
        physical.scatter(there, columns[physical.name].cast(physical.dtype)).cast(pieces.schema[physical.name])
        for physical in (pieces[name].to_physical() for name in columns)
    )


def _latest_ends(pieces: pl.DataFrame) -> pl.DataFrame:
    """Pieces that may overlap in order of start; known_end, of each alone, becomes the latest of the product so far."""
    group, dtype = _groups(pieces), pieces.schema["known_end"]
    start, end = (pieces[name].to_physical().to_numpy().astype(np.int64) for name in ("start", "known_end"))
    order = np.lexsort((end, start, group))
    lift = group * (end.max() - end.min() + 1)
    latest = np.maximum.accumulate(end[order] + lift) - lift  # groups lie together, sorted or not
    return pieces[order].with_columns(known_end=pl.Series(latest, dtype=pl.Int32).cast(dtype))


def _at(values: Array, index: Array) -> Array:
    return values[np.clip(index, 0, len(values) - 1)]
