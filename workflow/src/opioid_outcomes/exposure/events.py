"""Changes of dose as dated events: escalation, maintenance, taper, discontinuation, start of a high dose (METHODS B5).

An event that is told from days after its date has an ascertainment window, all of it observed and before death, and a
follow-up starts when that window ends (``follow_up_from``): counting time from the date would credit the event with
days that had to be survived to have it. Means are over the days with supply, the dose as prescribed, so that a late
refill is no change of dose; that therapy goes on is a condition of its own: no more than 30 days in a row of the whole
window are without supply. Escalation, maintenance and taper need every dose of the window known in full; a day of
unknown or incomplete dose, or a dispensing of unknown supply, in it means no event. Methadone whose factor depends on
the day's total counts at the flat factor 3, so that no event comes from crossing a tier (METHODS B1), but for the start
of a high dose, which is a level by the factor table. Treatment of opioid use disorder is not dose.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.config.exposure import DoseEvents
from opioid_outcomes.exposure.dose_history import GAP_DAYS, DoseHistory, dose_history
from opioid_outcomes.exposure.stretches import Array
from opioid_outcomes.exposure.windows import PARTS_PER_MME, exceeds, reaches

EVENTS = (
    "escalation", "maintenance", "taper", "rapid_taper_weekly", "rapid_taper_monthly", "discontinuation",
    "high_dose_start",
)  # fmt: skip
STABLE = 0.2  # stable: within 20 % (Hayes 2020, Pain 161:979; METHODS B5)
BLOCK_DAYS = 30  # stable: each so many days of the window, counted back from its end
DECISION_DAYS = 30  # apart, on stable therapy
# A taper is rapid when the dose falls by more than 10 % of what it was within a week (JAMA Netw Open 2022, article
# 2791566) or by more than 30 % within a month (PMC11044711); METHODS B5.
RAPID = {"rapid_taper_weekly": (7, 0.10), "rapid_taper_monthly": (30, 0.30)}
DAYS = ("date", "window_start", "window_stop", "follow_up_from")
VALUES = ("mme_before", "mme_after")


def find(
    daily: pl.DataFrame,
    observation: pl.DataFrame,
    deaths: pl.DataFrame,
    fills: pl.DataFrame,
    *,
    rules: DoseEvents,
    tiers: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """DOSE_EVENTS, sorted by person, date and event; tables as ``dose_history`` takes them, days as integers.

    O(n log n) in stretches of dose, and in maintenance decisions: one per person and month of supply at most.
    """
    history = dose_history(daily, observation, deaths, fills, tiers)
    tapers, rapid = taper(history, rules)
    found = {
        "escalation": escalation(history, rules),
        "maintenance": maintenance(history, rules),
        "taper": tapers,
        **{name: tapers.filter(is_rapid) for name, is_rapid in rapid.items()},
        "discontinuation": discontinuation(history, rules),
        "high_dose_start": high_dose_start(history, rules),
    }
    parts = [
        rows.select(
            history.ids.gather(rows["person"]).alias("person_id"),
            pl.lit(name).alias("event"),
            pl.col(DAYS).cast(pl.Int32),
            pl.col(VALUES).fill_nan(None),
        )
        for name, rows in found.items()
    ]
    before = pl.col("mme_before")
    return (
        pl.concat(parts)
        .with_columns(change=pl.when(before > 0).then(pl.col("mme_after") / before - 1))
        .sort("person_id", "date", "event")
    )


def display(found: pl.DataFrame) -> pl.DataFrame:
    """Display ``dose_events``: event, persons, events, median_change (relative); one row for every kind of event."""
    counted = found.group_by("event").agg(
        persons=pl.col("person_id").n_unique().cast(pl.Int64),
        events=pl.len().cast(pl.Int64),
        median_change=pl.col("change").median(),
    )
    return (
        pl.DataFrame({"event": EVENTS})
        .join(counted, on="event", how="left", maintain_order="left")
        .with_columns(pl.col("persons", "events").fill_null(0))
    )


def escalation(history: DoseHistory, rules: DoseEvents) -> pl.DataFrame:
    """A day on which the dose rises, after which it is higher and stays so.

    The mean of the next ``next_days`` is at least (1 + ``min_rise``) times, and at least ``min_mme`` above, the mean of
    the ``prior_days`` before, which are stable; and so is the dose on the last of the next days, so that one opioid
    overlapping with its successor for some days is no escalation. Of several such days within ``next_days`` the first.
    """
    person, day = _changes(history, rising=True)
    start, stop = day - rules.prior_days, day + rules.next_days
    ready = _assessable(history, person, start, stop)
    person, day, start, stop = (each[ready] for each in (person, day, start, stop))
    before, after = history.mean(person, start, day), history.mean(person, day, stop)
    risen = _risen(before, after, rules) & _risen(before, history.last(person, day, stop), rules)
    kept = risen & _stable(history, person, day, before, rules.prior_days)
    rows = _rows(person, day, (start, stop), before, after).filter(kept)
    return rows.filter(_spaced(rows, rules.next_days))


def maintenance(history: DoseHistory, rules: DoseEvents) -> pl.DataFrame:
    """A day with supply on stable therapy after which the dose stays within 20 %.

    Judged every 30 days from the day ``prior_days`` after each run of therapy (gaps of at most 30 days) began, by the
    windows of ``escalation``; a mean that has risen by what makes an escalation is not maintained.
    """
    person, day = _decisions(history, rules.prior_days)
    start, stop = day - rules.prior_days, day + rules.next_days
    ready = _assessable(history, person, start, stop) & np.isfinite(history.on_day(person, day))
    person, day, start, stop = (each[ready] for each in (person, day, start, stop))
    before, after = history.mean(person, start, day), history.mean(person, day, stop)
    same = (before > 0) & _within(after, before) & ~_risen(before, after, rules)
    kept = same & _stable(history, person, day, before, rules.prior_days)
    return _rows(person, day, (start, stop), before, after).filter(kept)


def taper(history: DoseHistory, rules: DoseEvents) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """A day on which the dose of stable therapy falls, to a mean lower by ``min_fall`` that lasts; which are rapid.

    The mean of the next ``taper_days``, and of the ``taper_days`` after these, is lower by at least ``min_fall`` than
    that of the ``prior_days`` before, while therapy goes on. Of several such days within the window the first. Rapid:
    within the first ``taper_days`` the dose falls by more than 10 % (30 %) of the mean before in a week (30 days).
    """
    person, day = _changes(history, rising=False)
    length = rules.taper_days
    start, stop = day - rules.prior_days, day + 2 * length
    ready = _assessable(history, person, start, stop)
    person, day, start, stop = (each[ready] for each in (person, day, start, stop))
    before, after = history.mean(person, start, day), history.mean(person, day, day + length)
    sustained = history.mean(person, day + length, stop)
    kept = (before > 0) & _fallen(before, after, rules) & _fallen(before, sustained, rules)
    kept &= _stable(history, person, day, before, rules.prior_days)
    rows = _rows(person, day, (start, stop), before, after).filter(kept)
    rows = rows.filter(_spaced(rows, 2 * length))
    return rows, {name: _rapid(history, rows, length, *limit) for name, limit in RAPID.items()}


def discontinuation(history: DoseHistory, rules: DoseEvents) -> pl.DataFrame:
    """The first day without supply, if none follows for ``discontinuation_days`` that are observed throughout.

    A dispensing of unknown supply on one of these days means no event. mme_before is the dose of the last day with
    supply (null if not known in full), mme_after 0.
    """
    dose = history.dose
    until_next = np.append(np.where(history.follows()[1:], dose.start[1:] - dose.stop[:-1], np.inf), np.inf)
    ends = until_next[: len(dose.stop)] >= rules.discontinuation_days
    person, day = dose.person[ends], dose.stop[ends]
    stop = day + rules.discontinuation_days
    before = np.where(history.known(person, day - 1, day), history.on_day(person, day - 1), np.nan)
    kept = history.observed(person, day, stop) & history.known(person, day, stop)
    return _rows(person, day, (day, stop), before, np.zeros(len(day))).filter(kept)


def high_dose_start(history: DoseHistory, rules: DoseEvents) -> pl.DataFrame:
    """Each person's first day at ``high_dose_mme`` or more by what is known of the dose, if that day is observed.

    Known on the day: follow-up may start on it. Who came into observation at a high dose does not start one.
    mme_before is the dose of the day before, 0 without supply, null if not known in full.
    """
    dose = history.dose
    high = np.flatnonzero(reaches(history.level, rules.high_dose_mme))
    first = high[np.diff(dose.person[high], prepend=-1) != 0]
    person, day = dose.person[first], dose.start[first]
    previous = np.maximum(first - 1, 0)
    touches = history.follows()[first] & (dose.stop[previous] == day)
    earlier = np.where(history.known(person, day - 1, day), history.level[previous], np.nan)
    before = np.where(touches, earlier, np.where(history.known(person, day - 1, day), 0.0, np.nan))
    rows = _rows(person, day, (day, day + 1), before, history.level[first]).with_columns(follow_up_from="date")
    return rows.filter(history.observed(person, day, day + 1))


def _changes(history: DoseHistory, *, rising: bool) -> tuple[Array, Array]:
    """Person and day of each stretch with a higher (lower) dose than the last days with supply."""
    mme = history.dose.rate["mme"]
    change = np.diff(mme, prepend=mme[:1])
    changed = history.follows() & ((change > 0) if rising else (change < 0))
    return history.dose.person[changed], history.dose.start[changed]


def _assessable(history: DoseHistory, person: Array, start: Array, stop: Array) -> Array:
    """Whether the window is observed, on therapy throughout and at doses that are known."""
    window = (person, start, stop)
    return history.observed(*window) & history.known(*window) & history.goes_on(*window)


def _stable(history: DoseHistory, person: Array, day: Array, mean: Array, prior_days: int) -> Array:
    """Whether the mean of each 30 days before ``day``, the earliest shorter if need be, is within 20 % of the mean.

    Days without supply have no dose: 30 days of them say nothing.
    """
    stable = mean > 0
    for back in range(0, prior_days, BLOCK_DAYS):
        part = history.mean(person, day - min(back + BLOCK_DAYS, prior_days), day - back)
        stable &= np.isnan(part) | _within(part, mean)
    return stable


def _within(dose: Array, of: Array) -> Array:
    return reaches(STABLE * of, np.abs(dose - of), _scale(of))


def _risen(before: Array, after: Array, rules: DoseEvents) -> Array:
    least = np.maximum((1 + rules.min_rise) * before, before + rules.min_mme)
    return (before > 0) & reaches(after, least, _scale(before))


def _fallen(before: Array, after: Array, rules: DoseEvents) -> Array:
    return reaches((1 - rules.min_fall) * before, after, _scale(before))


def _scale(dose: Array) -> Array:
    """What a change of ``dose`` is told by: a rise of 20 % is one of 20 %, though doses are rounded."""
    return np.maximum(dose, 1.0)


def _decisions(history: DoseHistory, prior_days: int) -> tuple[Array, Array]:
    """Person and day, every 30 days from ``prior_days`` after each run of therapy began."""
    dose = history.dose
    gap = np.append(np.inf, dose.start[1:] - dose.stop[:-1])[: len(dose.start)]
    begins = ~history.follows() | (gap > GAP_DAYS)
    ends = np.append(begins[1:], True)[: len(begins)]
    first = dose.start[begins] + prior_days
    count = np.maximum(-(-(dose.stop[ends] - first) // DECISION_DAYS), 0)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(dose.person[begins], count), np.repeat(first, count) + DECISION_DAYS * number


def _rapid(history: DoseHistory, tapers: pl.DataFrame, length: int, days: int, share: float) -> pl.Series:
    """Which tapers hold, in their first ``length`` days, a fall by more than ``share`` of the mean before in ``days``.

    The dose before a fall counts up to the mean before the taper: while one opioid overlaps with its successor it is
    more. The dose after it is the one last held.
    """
    dose = history.dose
    mme = dose.rate["mme"] / PARTS_PER_MME
    person, day, mean = (tapers[name].to_numpy() for name in ("person", "date", "mme_before"))
    first, last = dose.row(person, day), dose.row(person, day + length - 1)
    count = last - first + 1
    taper = np.repeat(np.arange(len(count)), count)
    row = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(len(taper))
    later = mme[dose.row(person[taper], dose.start[row] + days - 1)]
    fall = np.minimum(mme[row - 1], mean[taper]) - later
    steep = (mme[row] < mme[row - 1]) & exceeds(fall, share * mean[taper], _scale(mean[taper]))
    return pl.Series(np.bincount(taper[steep], minlength=len(count)) > 0)


def _rows(person: Array, day: Array, window: tuple[Array, Array], before: Array, after: Array) -> pl.DataFrame:
    start, stop = window
    columns = {"person": person, "date": day, "window_start": start, "window_stop": stop, "follow_up_from": stop}
    return pl.DataFrame({**columns, "mme_before": before, "mme_after": after})


def _spaced(rows: pl.DataFrame, days: int) -> pl.Series:
    """The rows (by person and date) that are at least ``days`` after the last one kept of the same person.

    Walked by number: everybody's first, everybody's second, ...
    """
    person, day = rows["person"].to_numpy(), rows["date"].to_numpy()
    kept = np.zeros(len(day), dtype=bool)
    if not len(day):
        return pl.Series(kept)
    low = int(day.min())
    width = int(day.max()) - low + days + 2
    keys = person * width + (day - low)
    following = np.searchsorted(keys, keys + days)
    now = np.flatnonzero(np.diff(person, prepend=-1) != 0)
    while len(now):
        kept[now] = True
        then = following[now]
        inside = then < len(day)
        now, then = now[inside], then[inside]
        now = then[person[then] == person[now]]
    return pl.Series(kept)
