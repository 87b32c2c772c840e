"""Opioid status: on, treatment, recent, former or unknown, as known on each day from the past only.

Spec: ANALYSES 2 (On), CONTRACT 7 (Days, Factors), contracts.derived OPIOID_STATUS. Absent = never.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.exposure.daily_dose import sum_over_products
from opioid_outcomes.exposure.past_use import LONG_AGO, NOT_KNOWN, Doses, Periods, naive_days, new_user
from opioid_outcomes.exposure.records import Records, at, days, of_people
from opioid_outcomes.exposure.stretches import Array, latest_on_days, merge_equal, take
from opioid_outcomes.exposure.supply_ends import NEVER, Fills, SupplyEnds

RECENT_DAYS = 90  # off for at most so many days since supply ended is recent, then former (ANALYSES 2)
VALUES = ["state", "mme", "supply_end"]
STATES = ("on", "treatment", "unknown", "recent", "former")
ON, TREATMENT, UNKNOWN, RECENT, FORMER = range(len(STATES))  # up to UNKNOWN opioids are, or may be, taken


def from_dispensings(
    daily: pl.DataFrame,
    analgesic: pl.DataFrame,
    treatment: pl.DataFrame,
    no_interval: pl.DataFrame,
    last_days: pl.DataFrame,
    *,
    observation: pl.DataFrame,
    carry_over_days: int,
    washout_days: int,
) -> pl.DataFrame:
    """Status from dispensings; persons without any have no rows (never).

    ``daily``: daily dose of analgesic opioids (person_id, start, stop, mme); ``analgesic``, ``treatment``: supplies for
    pain and for opioid use disorder as ``daily_dose.supplies`` or ``stays.extend`` gives them; ``no_interval``:
    person_id, start of fills of both whose supply is not known; ``last_days``: person_id, last (inclusive);
    ``observation``: person_id, start, end (inclusive), periods that do not touch.

    On while day < end of supply + carry_over_days, treatment, which overrules, while day < end of supply, where the end
    is the first day not wholly supplied: supply of part of a day has no day of its own in the daily dose, but has
    carry-over from its date on, at the dose of its fill as if it lasted the day (so without carry-over nobody is on by
    it). A refill after
    that begins a new stretch, and the days between stay off. The dose last held is carried over. A fill without an
    interval makes the carry-over days from its date unknown (its own day at least), unless otherwise on; it counts as
    supply that ended on its date. supply_end is the end as known that day, so refills yet to come are not in it; from
    an admission on it counts the days of the stay.

    cumulative_mme: MME consumed before the stretch, days of unknown dose left out. naive_days: observed days directly
    before on_since without a fill, carry-over, treatment or unknown use. new_user: 1 if they are washout_days or more,
    0 if one of these was in those days, null where too few of them were observed to tell. Both null off. They look at
    analgesics, treatment of opioid use disorder and unknown use of either; opioids that are kept apart, as injections
    and antitussives, are no use and make nobody a prevalent user.

    Returns OPIOID_STATUS; days are integers, states categories (Enum). O(n log n).
    """
    people = last_days.select("person_id", "last").unique("person_id").sort("person_id")
    ids, last = people.get_column("person_id"), days(people, "last")
    unsure = no_interval.unique().sort("person_id", "start").with_columns(known_end="start", product=pl.lit(""))
    ends = [Fills.of(supplies, ids).ends() for supplies in (analgesic, treatment, unsure)]
    beyond = (carry_over_days, 0, max(carry_over_days, 1))  # days for which each counts after its end
    doses = Doses.of(daily, ids)
    held = _held(doses, analgesic, ids)
    use = _use(held, ends, beyond, last)

    begins = _run_begins(use)
    since, who = use.day[begins], use.person[begins]
    free_from = _free_from(use, begins, ends)
    naive = naive_days(Periods.of(observation, ids).observed_before(who, since), free_from, since)
    new = new_user(naive, free_from, since, washout_days)
    consumed = doses.consumed_before(use.person, use.day, use.row if held is doses else None)
    run = np.where(use.state == ON, np.cumsum(begins) - 1, -1)
    return _table(ids, use, consumed, on_since=take(pl.Series(since.astype(np.int32)), run)).with_columns(
        _known(at(new, run, NOT_KNOWN)).alias("new_user"),
        take(pl.Series(naive, dtype=pl.Int64), run).alias("naive_days"),
    )


def _table(ids: pl.Series, use: _Use, consumed: Array, *, on_since: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "person_id": ids.gather(pl.Series(use.person.astype(np.uint32))),
            "start": pl.Series(use.day.astype(np.int32)),
            "stop": pl.Series(use.stop.astype(np.int32)),
            "state": pl.Series(STATES, dtype=pl.Enum(STATES)).gather(pl.Series(use.state.astype(np.uint32))),
            "mme": pl.Series(use.mme, nan_to_null=True),
            "on_since": on_since,
            "supply_end": pl.Series(use.supply_end.astype(np.int32)),
            "cumulative_mme": pl.Series(consumed),
        }
    )


def _known(values: Array) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64).set(pl.Series(values == NOT_KNOWN), None)


def _held(daily: Doses, supplies: pl.DataFrame, ids: pl.Series) -> Doses:
    """The dose held from each day on. Supply of part of a day alone has no daily dose: its own."""
    part, person = of_people(supplies.filter(pl.col("known_end") <= pl.col("start")), ids)
    if part.is_empty():
        return daily
    covered = at(daily.stop, daily.latest(person, days(part, "start")), NEVER)
    alone = part.filter(pl.Series(covered <= days(part, "start")))
    own = Doses.of(sum_over_products(alone.with_columns(stop=pl.col("start") + 1)), ids)
    both = [np.append(*values) for values in zip(vars(daily).values(), vars(own).values(), strict=True)]
    order = np.lexsort((both[1], both[0]))
    return Doses(*(values[order] for values in both))


@dataclass(frozen=True)
class _Use(Records):
    """Status from each day to stop, up to the person's last day; neighbours differ."""

    stop: Array
    state: Array
    mme: Array  # NaN = unknown
    supply_end: Array
    row: Array  # of the doses held


def _use(doses: Doses, ends: list[SupplyEnds], beyond: tuple[int, ...], last: Array) -> _Use:
    """``ends`` of analgesics, of treatment and of fills without an interval."""
    person, day, (row, *rows) = _change_days(doses, ends, beyond, last)
    known = [at(kind.end, latest, NEVER) for kind, latest in zip(ends, rows, strict=True)]
    on, treated, unsure = (day < end + after for end, after in zip(known, beyond, strict=True))
    supply_end = np.maximum.reduce(known)
    off = np.where(day <= supply_end + RECENT_DAYS, RECENT, FORMER)
    state = np.select([treated, on, unsure], [TREATMENT, ON, UNKNOWN], off)
    held = at(doses.mme, row, np.nan)
    mme = np.select([on, unsure & ~treated], [held, np.nan], 0.0)

    same = (person[1:] == person[:-1]) & (state[1:] == state[:-1]) & (supply_end[1:] == supply_end[:-1])
    same &= (mme[1:] == mme[:-1]) | (np.isnan(mme[1:]) & np.isnan(mme[:-1]))
    first = np.flatnonzero(np.append(True, ~same)[: len(day)])
    person, day, state, mme, supply_end, row = (
        values.take(first) for values in (person, day, state, mme, supply_end, row)
    )
    stop = last[person] + 1
    stop[:-1] = np.where(person[1:] == person[:-1], day[1:], stop[:-1])
    return _Use(person, day, stop, state, mme, supply_end, row)


def _change_days(
    doses: Doses, ends: list[SupplyEnds], beyond: tuple[int, ...], last: Array
) -> tuple[Array, Array, list[Array]]:
    """Every person and day on which the status may change, up to the person's last day, sorted, each once.

    Also the latest row then of ``doses`` and of each of ``ends``, as ``Records.latest`` gives it: their own days are
    among those sorted, so that it takes no search.
    """
    kinds: list[Records] = [doses, *ends]
    others = []
    for kind, after in zip(ends, beyond, strict=True):
        until = np.minimum(kind.next_day(), last[kind.person] + 1)  # from then on another end is known
        for change in (kind.end + after, kind.end + RECENT_DAYS + 1):
            others.append((kind.person[change < until], change[change < until]))
    person, day, rows = latest_on_days([(kind.person, kind.day) for kind in kinds], others)
    rows = [np.where(at(kind.person, row, -1) == person, row, -1) for kind, row in zip(kinds, rows, strict=True)]
    within = day <= last[person]
    if within.all():
        return person, day, rows
    return person[within], day[within], [row[within] for row in rows]


def _run_begins(use: _Use) -> Array:
    """Whether an uninterrupted stretch on begins here."""
    begins = use.state == ON
    begins[1:] &= (use.state[:-1] != ON) | (use.person[1:] != use.person[:-1])
    return begins


def _free_from(use: _Use, begins: Array, ends: list[SupplyEnds]) -> Array:
    """Of each stretch on that begins: the first day after the last fill and the last stretch that was not off."""
    person, day = use.person[begins], use.day[begins]
    taken = np.maximum.accumulate(np.where(use.state <= UNKNOWN, np.arange(len(use.state)), -1))
    before = np.append(-1, taken)[np.flatnonzero(begins)]
    before = np.where(at(use.person, before, -1) == person, before, -1)
    # a fill of part of a day may have no stretch of its own
    fills = [at(kind.day + 1, kind.latest(person, day - 1), LONG_AGO) for kind in ends]
    return np.maximum.reduce([at(use.stop, before, LONG_AGO), *fills])


def from_reports(
    reports: pl.DataFrame, observation: pl.DataFrame, last_days: pl.DataFrame, valid_days: int
) -> pl.DataFrame:
    """Status from self-reports: ``reports`` person_id, date, using, daily_mme; ``observation`` person_id, start.

    A report holds for ``valid_days`` or to the next one. using = 1 is on, at the dose reported (null = unknown).
    using = 0 is never, recent or former, by what was reported before. Unknown before the first report and after a
    report has expired; those who never reported are unknown throughout. cumulative_mme, new_user and naive_days are not
    known.
    """
    begins = observation.group_by("person_id").agg(begin=pl.col("start").min())
    spans = begins.join(last_days, on="person_id").with_columns(end=pl.col("last") + 1).sort("person_id")
    expiry = pl.col("date") + valid_days
    told = (
        # of several reports on one day, one of use prevails, and one with a dose
        reports.join(spans.select("person_id", "end"), on="person_id")
        .sort("person_id", "date", "using", "daily_mme", nulls_last=False)
        .unique(["person_id", "date"], keep="last", maintain_order=True)
        .with_columns(next=pl.min_horizontal(pl.col("date").shift(-1).over("person_id"), "end"))
        .with_columns(stop=pl.min_horizontal("next", expiry))
    )
    using = pl.col("using") == 1
    # end of the last use reported so far
    told = told.with_columns(use_end=pl.when(using).then("stop").forward_fill().over("person_id"))
    recent_end = pl.min_horizontal("stop", pl.col("use_end") + RECENT_DAYS + 1)
    told = told.with_columns(recent_end=pl.max_horizontal("date", recent_end))
    first_told = told.group_by("person_id").agg(pl.col("date").min())
    silent = spans.join(first_told, on="person_id", how="left").select(
        "person_id", "begin", until=pl.min_horizontal("date", "end"), use_end=pl.lit(None, pl.Int32)
    )
    off, unknown = pl.lit(0.0), pl.lit(None, pl.Float64)
    ever = pl.col("use_end").is_not_null()
    parts = [
        _part(silent, "unknown", "begin", "until", unknown),
        _part(told.filter(using).with_columns(use_end=expiry), "on", "date", "stop", pl.col("daily_mme")),
        _part(told.filter(~using & ~ever), "never", "date", "stop", off),
        _part(told.filter(~using & ever), "recent", "date", "recent_end", off),
        _part(told.filter(~using & ever), "former", "recent_end", "stop", off),
        _part(told, "unknown", "stop", "next", unknown),
    ]
    return _finish(pl.concat(parts).filter(pl.col("start") < pl.col("stop")).sort("person_id", "start"), last_days)


def _part(rows: pl.DataFrame, state: str, start: str, stop: str, mme: pl.Expr) -> pl.DataFrame:
    days = {name: pl.col(source).cast(pl.Int32) for name, source in (("start", start), ("stop", stop))}
    held = {"state": pl.lit(state), "mme": mme.cast(pl.Float64), "supply_end": pl.col("use_end").cast(pl.Int32)}
    return rows.select("person_id", **days, **held)


def _finish(stretches: pl.DataFrame, last_days: pl.DataFrame) -> pl.DataFrame:
    """Cuts at the last day, merges equal neighbours and adds on_since."""
    cut = (
        stretches.join(last_days.select("person_id", "last"), on="person_id", how="inner", maintain_order="left")
        .with_columns(stop=pl.min_horizontal("stop", pl.col("last") + 1).cast(pl.Int32))
        .filter(pl.col("start") < pl.col("stop"))
        .select("person_id", "start", "stop", *VALUES)
    )
    status = merge_equal(cut, VALUES)
    continues = (
        (pl.col("state") == "on")
        & (pl.col("state").shift() == "on")
        & (pl.col("person_id") == pl.col("person_id").shift())
        & (pl.col("start") == pl.col("stop").shift())
    ).fill_null(False)
    return status.with_columns(
        on_since=pl.when(pl.col("state") == "on").then(
            pl.when(~continues).then("start").forward_fill()
        )
    ).select(
        "person_id", "start", "stop", "state", "mme", "on_since", "supply_end",
        cumulative_mme=pl.lit(None, pl.Float64), new_user=pl.lit(None, pl.Int64), naive_days=pl.lit(None, pl.Int64),
    )  # fmt: skip
