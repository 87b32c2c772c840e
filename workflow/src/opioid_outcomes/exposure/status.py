"""Opioid status: on, treatment, recent, former or unknown, as known on each day from the past only.

Spec: ANALYSES 2 (On), CONTRACT 7 (Days, Factors), contracts.derived OPIOID_STATUS. Absent = never.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from opioid_outcomes.exposure.daily_dose import sum_over_products
from opioid_outcomes.exposure.stretches import distinct_days, latest, merge_equal, take

RECENT_DAYS = 90  # off for at most so many days since supply ended is recent, then former (ANALYSES 2)
VALUES = ["state", "mme", "supply_end"]


def from_dispensings(
    daily: pl.DataFrame,
    analgesic: pl.DataFrame,
    treatment: pl.DataFrame,
    no_interval: pl.DataFrame,
    last_days: pl.DataFrame,
    *,
    carry_over_days: int,
) -> pl.DataFrame:
    """Status from dispensings; persons without any have no rows (never).

    ``daily``: daily dose of analgesic opioids (person_id, start, stop, mme); ``analgesic``, ``treatment``: supplies for
    pain and for opioid use disorder as ``daily_dose.supplies`` gives them; ``no_interval``: person_id, start of fills
    of both whose supply is not known; ``last_days``: person_id, last (inclusive).

    On while day < end of supply + carry_over_days, treatment, which overrules, while day < end of supply, where the end
    is the first day not wholly supplied: supply of part of a day has carry-over and no day of its own. A refill after
    that begins a new stretch, and the days between stay off. The dose last held is carried over. A fill without an
    interval makes the carry-over days from its date unknown (its own day at least), unless otherwise on; it counts as
    supply that ended on its date. supply_end is the end as known that day, so refills yet to come are not in it.
    Returns OPIOID_STATUS. Days are integers.
    O(n log n).
    """
    people = last_days.select("person_id").unique().sort("person_id").with_row_index("person")
    unsure = no_interval.unique().sort("person_id", "start")
    daily, analgesic, treatment, unsure = (
        # all are sorted by person_id, and the codes rise with it
        frame.join(people, on="person_id", maintain_order="left")
        for frame in (daily, analgesic, treatment, unsure)
    )
    unsure = unsure.with_columns(known_end="start", until=pl.col("start") + max(carry_over_days, 1))
    doses = _doses(daily, analgesic)
    supplied, treated = _known_ends(analgesic), _known_ends(treatment)
    supplied = supplied.with_columns(until=pl.col("known_end") + carry_over_days)
    treated = treated.with_columns(until="known_end")
    ends = {"on": supplied, "treated": treated, "unsure": unsure}
    changes = _change_days(doses, list(ends.values()))
    known = changes.with_columns(
        take(people["person_id"], changes["person"].to_numpy()),
        _latest(changes, doses, "mme"),
        *(
            (changes["day"] < _latest(changes, frame, "until")).fill_null(False).alias(name)
            for name, frame in ends.items()
        ),
        *(_latest(changes, frame, "known_end").alias(f"{name}_end") for name, frame in ends.items()),
    ).with_columns(supply_end=pl.max_horizontal(f"{name}_end" for name in ends))
    same_person = pl.col("person") == pl.col("person").shift(-1)
    stretches = known.select(
        "person_id",
        pl.col("day").alias("start"),
        pl.when(same_person).then(pl.col("day").shift(-1)).alias("stop"),
        state=_state(),
        mme=pl.when("on").then("mme").when(pl.col("treated") | ~pl.col("unsure")).then(0.0),
        supply_end="supply_end",
    )
    return _finish(stretches, last_days)


def _latest(changes: pl.DataFrame, frame: pl.DataFrame, column: str) -> pl.Series:
    """``column`` of each person's latest row of ``frame`` that begins on or before the day."""
    person, day = changes["person"].to_numpy(), changes["day"].to_numpy()
    return take(frame[column], latest(person, day, frame["person"].to_numpy(), frame["start"].to_numpy()))


def from_reports(
    reports: pl.DataFrame, observation: pl.DataFrame, last_days: pl.DataFrame, valid_days: int
) -> pl.DataFrame:
    """Status from self-reports: ``reports`` person_id, date, using, daily_mme; ``observation`` person_id, start.

    A report holds for ``valid_days`` or to the next one. using = 1 is on, at the dose reported (null = unknown).
    using = 0 is never, recent or former, by what was reported before. Unknown before the first report and after a
    report has expired; those who never reported are unknown throughout.
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


def _state() -> pl.Expr:
    return (
        pl.when("treated").then(pl.lit("treatment"))
        .when("on").then(pl.lit("on"))
        .when("unsure").then(pl.lit("unknown"))
        .when(pl.col("day") <= pl.col("supply_end") + RECENT_DAYS).then(pl.lit("recent"))
        .otherwise(pl.lit("former"))
    )  # fmt: skip


def _part(rows: pl.DataFrame, state: str, start: str, stop: str, mme: pl.Expr) -> pl.DataFrame:
    days = {name: pl.col(source).cast(pl.Int32) for name, source in (("start", start), ("stop", stop))}
    held = {"state": pl.lit(state), "mme": mme.cast(pl.Float64), "supply_end": pl.col("use_end").cast(pl.Int32)}
    return rows.select("person_id", **days, **held)


def _doses(daily: pl.DataFrame, supplies: pl.DataFrame) -> pl.DataFrame:
    """person, start, mme: the dose held from each day on. Supply of part of a day alone has no daily dose: its own."""
    part = supplies.filter(pl.col("known_end") <= pl.col("start"))
    person, start = part["person"].to_numpy(), part["start"].to_numpy()
    covered = take(daily["stop"], latest(person, start, daily["person"].to_numpy(), daily["start"].to_numpy()))
    alone = part.filter((covered <= part["start"]).fill_null(True))
    codes = alone.select("person_id", "person").unique()
    own = sum_over_products(alone.with_columns(stop=pl.col("start") + 1)).join(codes, on="person_id")
    columns = ["person", "start", "mme"]
    return pl.concat([daily.select(columns), own.select(columns)]).sort("person", "start")


def _known_ends(supplies: pl.DataFrame) -> pl.DataFrame:
    """person, start, known_end: on each day of a fill, the latest over products, each by its last fill so far.

    Not a running maximum: a refill may bring the end of its product forward. Rows of supplies are sorted by person,
    product and start. Cost: days of fills x products of each person.
    """
    if supplies.is_empty():
        return supplies.select("person", "start", "known_end")
    person, start = supplies["person"].to_numpy(), supplies["start"].to_numpy()
    begins = supplies.select(
        item=(pl.col("person") != pl.col("person").shift()) | (pl.col("product") != pl.col("product").shift())
    )["item"].fill_null(True)
    item = np.cumsum(begins.to_numpy()) - 1
    fill_person, fill_day = distinct_days([(person, start)])
    owner = person[begins.to_numpy()]  # of each item
    first_item, items = np.searchsorted(owner, fill_person), np.bincount(owner)[fill_person]
    first_pair = np.cumsum(items) - items
    paired_item = np.repeat(first_item - first_pair, items) + np.arange(items.sum())
    row = latest(paired_item, np.repeat(fill_day, items), item, start)
    none_yet = np.iinfo(np.int32).min
    known = np.where(row < 0, none_yet, supplies["known_end"].to_numpy()[row])
    return pl.DataFrame(
        {"person": fill_person, "start": fill_day, "known_end": np.maximum.reduceat(known, first_pair)},
        schema={"person": pl.UInt32, "start": pl.Int32, "known_end": pl.Int32},
    )


def _change_days(doses: pl.DataFrame, ends: list[pl.DataFrame]) -> pl.DataFrame:
    """Every person and day on which the status may change, sorted, each once."""
    candidates = [(doses, "start", 0)]
    for frame in ends:
        candidates += [(frame, "start", 0), (frame, "until", 0), (frame, "known_end", RECENT_DAYS + 1)]
    person, day = distinct_days(
        [(frame["person"].to_numpy(), frame[name].to_numpy() + after) for frame, name, after in candidates]
    )
    return pl.DataFrame({"person": person, "day": day}, schema={"person": pl.UInt32, "day": pl.Int32})


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
    ).select("person_id", "start", "stop", "state", "mme", "on_since", "supply_end")  # fmt: skip
