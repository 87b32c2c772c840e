"""Opioid status: on, treatment, recent, former or unknown, as known on each day from the past only.

Spec: ANALYSES 2 (On), CONTRACT 7 (Days, Factors), contracts.derived OPIOID_STATUS. Absent = never.
"""

from __future__ import annotations

import polars as pl

from opioid_outcomes.exposure.stretches import latest, merge_equal, take

RECENT_DAYS = 90  # off for at most so many days since supply ended is recent, then former (ANALYSES 2)
VALUES = ["state", "mme", "supply_end"]


def from_dispensings(
    daily: pl.DataFrame,
    treatment: pl.DataFrame,
    supplies: pl.DataFrame,
    last_days: pl.DataFrame,
    carry_over_days: int,
) -> pl.DataFrame:
    """Status from dispensings; persons without any have no rows (never).

    ``daily``: daily dose of analgesic opioids (person_id, start, stop, mme); ``treatment``: person_id, start, stop of
    supply for opioid use disorder, which overrules; ``supplies``: all fills of both (person_id, product, start,
    known_end) as ``daily_dose.supplies`` gives them; ``last_days``: person_id, last (inclusive).

    On while day < end of supply + carry_over_days: a refill after that begins a new stretch, and the days between stay
    off. The dose last held is carried over. supply_end is the end as known that day, so refills yet to come are not in
    it. Returns OPIOID_STATUS. Days are integers. O(n log n).
    """
    people = last_days.select("person_id").unique().sort("person_id").with_row_index("person")
    daily, treatment, supplies = (
        frame.join(people, on="person_id").sort("person", "start") for frame in (daily, treatment, supplies)
    )
    ends = _known_ends(supplies)
    changes = _change_days(daily, treatment, ends, carry_over_days)
    person, day = changes["person"].to_numpy(), changes["day"].to_numpy()
    on_row = latest(person, day, daily["person"].to_numpy(), daily["start"].to_numpy())
    treated_row = latest(person, day, treatment["person"].to_numpy(), treatment["start"].to_numpy())
    end_row = latest(person, day, ends["person"].to_numpy(), ends["day"].to_numpy())
    stretches = changes.with_columns(
        take(daily["stop"], on_row).alias("daily_stop"),
        take(daily["mme"], on_row).alias("daily_mme"),
        take(treatment["stop"], treated_row).alias("treated_stop"),
        take(ends["known_end"], end_row).alias("supply_end"),
    ).with_columns(
        on=(pl.col("day") < pl.col("daily_stop") + carry_over_days).fill_null(False),
        treated=(pl.col("day") < pl.col("treated_stop")).fill_null(False),
    )
    state = (
        pl.when("treated").then(pl.lit("treatment"))
        .when("on").then(pl.lit("on"))
        .when(pl.col("day") <= pl.col("supply_end") + RECENT_DAYS).then(pl.lit("recent"))
        .otherwise(pl.lit("former"))
    )  # fmt: skip
    stretches = stretches.join(people, on="person", how="left", maintain_order="left").select(
        "person_id",
        pl.col("day").alias("start"),
        pl.col("day").shift(-1).over("person").alias("stop"),
        state=state,
        mme=pl.when("on").then("daily_mme").otherwise(0.0),
        supply_end="supply_end",
    )
    return _finish(stretches, last_days)


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
    told = told.with_columns(
        # the last day known as on or, on a report of use, as far as it holds
        use_end=pl.when(using).then("stop").otherwise(pl.when(using).then("stop").forward_fill().over("person_id"))
    ).with_columns(recent_end=pl.max_horizontal("date", pl.min_horizontal("stop", pl.col("use_end") + RECENT_DAYS + 1)))
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


def _known_ends(supplies: pl.DataFrame) -> pl.DataFrame:
    """person, day, known_end: on each day of a fill, the latest end over products, each by its last fill so far."""
    supplies = supplies.with_columns(item=pl.struct("person", "product").rank("dense").cast(pl.Int64))
    runs = supplies.sort("item", "start")
    pairs = (
        supplies.select("person", day="start").unique()
        .join(supplies.select("person", "item").unique(), on="person")
        .sort("person", "day", "item")
    )  # fmt: skip
    row = latest(pairs["item"].to_numpy(), pairs["day"].to_numpy(), runs["item"].to_numpy(), runs["start"].to_numpy())
    return (
        pairs.with_columns(take(runs["known_end"], row))
        .group_by("person", "day").agg(pl.col("known_end").max())
        .sort("person", "day")
    )  # fmt: skip


def _change_days(
    daily: pl.DataFrame, treatment: pl.DataFrame, ends: pl.DataFrame, carry_over_days: int
) -> pl.DataFrame:
    """Every person and day on which the status may change, sorted, each once."""

    def days(frame: pl.DataFrame, day: pl.Expr) -> pl.DataFrame:
        return frame.select("person", day.cast(pl.Int32).alias("day"))

    # what follows an end of supply matters only where no supply follows at once
    gaps = daily.filter(pl.col("stop").ne_missing(pl.col("start").shift(-1).over("person")))
    candidates = [
        days(daily, pl.col("start")),
        days(gaps, pl.col("stop")),
        days(gaps, pl.col("stop") + carry_over_days),
        days(treatment, pl.col("start")),
        days(treatment, pl.col("stop")),
        days(ends, pl.col("day")),
        days(ends, pl.col("known_end") + RECENT_DAYS + 1),
    ]
    return pl.concat(candidates).unique().sort("person", "day")


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
