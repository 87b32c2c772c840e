"""Eligible index dates of the sequential trials: days on which somebody starts, or might have started, an opioid.

ANALYSES 4.3. Everything that makes a day eligible is on record by that day: what follows never removes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from opioid_outcomes.exposure import clean
from opioid_outcomes.exposure.drug_classes import fills_of_classes

TRIAL_DAYS = 30  # one block of the sequential trials (METHODS D3.4, as the panel's period)
USING = ("on", "treatment", "unknown")  # states in which an opioid is, or may be, taken
CLASSES = ("nsaid", "gabapentinoid", "antidepressant")
# What is called weak here: codeine and tramadol, the opioids of step II of the analgesic ladder in the EAPC's
# recommendations (Caraceni et al. 2012 Lancet Oncol 13:e58), and by our own choice others that are used in their place,
# dihydrocodeine, (dextro)propoxyphene and tilidine. All others, tapentadol among them, are called strong.
WEAK = ("codeine", "dihydrocodeine", "propoxyphene", "tilidine", "tramadol")
ENCOUNTERS = ("diagnoses", "pain", "dispensings", "therapies", "measurements")


@dataclass(frozen=True)
class Histories:
    """What is known of the people followed.

    people: person_id, entry, observed_from, observed_until (first day not observed), end (first day no longer
    followed), excluded_from (first day with a condition that excludes; null = none).
    use: stretches in which an opioid is, or may be, taken: person_id, start, until (first day free of all that began so
    far). runs: uninterrupted stretches on: person_id, start, stop. strength: fills for pain: person_id, date, weak.
    classes: fills of other medicines: person_id, date, class. encounters: person_id, date. All sorted.
    """

    people: pl.DataFrame
    use: pl.DataFrame
    runs: pl.DataFrame
    strength: pl.DataFrame
    classes: pl.DataFrame
    encounters: pl.DataFrame


def histories(people: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> Histories:
    """Indexes canonical tables, ``opioid_status`` and ``dispensings_clean`` for the people. Sorts, no loops."""
    mine = people.select("person_id").unique()
    status = tables["opioid_status"].join(mine, on="person_id", how="semi")
    fills = tables["dispensings_clean"].join(mine, on="person_id", how="semi")
    taken = fills.filter(clean.supplied() | (pl.col("reason") == clean.REPAIRED_DROPPED).fill_null(False))
    # a fill of part of a day may have no stretch of its own
    stretches = [
        status.filter(pl.col("state").cast(pl.String).is_in(USING)).select("person_id", "start", "stop"),
        taken.select("person_id", start="date", stop=pl.col("date") + 1),
    ]
    use = (
        pl.concat(stretches)
        .sort("person_id", "start", "stop")
        .select("person_id", "start", until=pl.col("stop").cum_max().over("person_id"))
        .unique(["person_id", "start"], keep="last", maintain_order=True)
    )
    on = status.filter(pl.col("on_since").is_not_null(), pl.col("state").cast(pl.String) == "on")
    runs = on.group_by("person_id", start="on_since").agg(pl.col("stop").max()).sort("person_id", "start")
    weak = pl.col("ingredient").cast(pl.String).is_in(WEAK)
    strength = (
        fills.filter(pl.col("analgesic") == 1)
        .group_by("person_id", "date")
        .agg(weak.any().alias("weak"), (~weak).any().alias("strong"))
        .sort("person_id", "date")
    )
    others = fills_of_classes(tables["dispensings"].join(mine, on="person_id", how="semi"))
    classes = others.filter(pl.col("class").is_in(CLASSES)).select("person_id", "date", "class").unique()
    return Histories(
        people.sort("person_id"), use, runs, strength, classes.sort("class", "person_id", "date"),
        _encounters(tables, mine),
    )  # fmt: skip


def _encounters(tables: Mapping[str, pl.DataFrame], mine: pl.DataFrame) -> pl.DataFrame:
    """Days of contact with care: anything recorded, admission and discharge."""
    days = [tables[name].select("person_id", "date") for name in ENCOUNTERS]
    days += [tables["stays"].select("person_id", date=name) for name in ("start", "end")]
    return (
        pl.concat(day.join(mine, on="person_id", how="semi").unique() for day in days)
        .unique()
        .sort("person_id", "date")
    )


def index_dates(known: Histories, comparator: str, *, washout: int, encounter_window: int) -> pl.DataFrame:
    """Eligible index dates of new users and one comparator: person_id, index, trial, arm (1 new user), left.

    Eligible in either arm: followed, observed and free of opioids (for pain, of treatment of opioid use disorder, of
    unknown use) for ``washout`` days, nothing that excludes on record before. New users start an opioid that day (the
    status becomes *on*). ``non_user``: no opioid that day, at most ``encounter_window`` days after an encounter. Each
    encounter gives one day, its own or the first on which all of this is met; of these the first per person and 30-day
    block is taken. A class of medicines: new users of it, and new users of opioids, both
    free of the class for ``washout`` days. ``weak_opioid``: new users of strong (1) against weak opioids (0).
    ``left``: the first day on which the arm's strategy is left, null if never: new users when they are no longer on,
    comparators when opioids begin, weak and strong also when an opioid of the other kind is dispensed.
    Sorted by person, index, arm. Cost: as-of joins of the encounters or fills.
    """
    starters = _starters(known, washout)
    if comparator == "non_user":
        return _combined(known, starters, _non_users(known, washout, encounter_window))
    if comparator == "weak_opioid":
        return _numbered(_by_strength(known, starters), known)
    fills = known.classes.filter(pl.col("class") == comparator).select("person_id", "date").sort("person_id", "date")
    others = _eligible(fills.rename({"date": "index"}), known, washout)
    others = _class_free(_not_using(others, known), fills, washout, also_on_day=False)
    return _combined(known, _class_free(starters, fills, washout, also_on_day=True), others)


def _eligible(rows: pl.DataFrame, known: Histories, washout: int) -> pl.DataFrame:
    """Rows (person_id, index, ...) of which the index is eligible in either arm."""
    found = (
        rows.join(known.people, on="person_id", maintain_order="left")
        .filter(
            pl.col("index") >= pl.col("entry"),
            pl.col("index") < pl.min_horizontal("end", "observed_until"),
            pl.col("index") - pl.col("observed_from") >= washout,
            pl.col("excluded_from").is_null() | (pl.col("index") <= pl.col("excluded_from")),
        )
        .select(rows.columns)
    )
    return (
        _free(found, known.use)
        .filter(pl.col("free_from").is_null() | (pl.col("index") - pl.col("free_from") >= washout))
        .drop("free_from")
    )


def _free(rows: pl.DataFrame, use: pl.DataFrame) -> pl.DataFrame:
    """Adds ``free_from``: the first day after all use that began before the index; null = none did."""
    return rows.sort("person_id", "index").join_asof(
        use.select("person_id", "start", free_from="until"), left_on="index", right_on="start", by="person_id",
        strategy="backward", allow_exact_matches=False, check_sortedness=False, coalesce=False,
    ).drop("start")  # fmt: skip


def _next(rows: pl.DataFrame, day: str, events: pl.DataFrame, name: str, *, also_on_day: bool) -> pl.DataFrame:
    """Adds ``name``: the first day of ``events`` (person_id, day) after ``day``, or on it; null = none."""
    return rows.sort("person_id", day).join_asof(
        events.select("person_id", pl.nth(1).alias(name)).sort("person_id", name), left_on=day, right_on=name,
        by="person_id", strategy="forward", allow_exact_matches=also_on_day, check_sortedness=False, coalesce=False,
    )  # fmt: skip


def _starters(known: Histories, washout: int) -> pl.DataFrame:
    """New users: person_id, index, left (end of the uninterrupted stretch on)."""
    runs = known.runs.select("person_id", index="start", left="stop")
    return _eligible(runs, known, washout)


def _not_using(rows: pl.DataFrame, known: Histories) -> pl.DataFrame:
    """Rows without use on the index date, given none of before reaches it; adds ``left``: when opioids begin."""
    starts = known.use.select("person_id", "start")
    return _next(rows, "index", starts, "left", also_on_day=True).filter(
        pl.col("left").is_null() | (pl.col("left") > pl.col("index"))
    )


def _non_users(known: Histories, washout: int, window: int) -> pl.DataFrame:
    """Person-blocks' first eligible day at most ``window`` days after an encounter.

    Each encounter gives one day: its own, or the first later one on which everything is met.
    """
    earliest = known.encounters.rename({"date": "index"}).join(known.people, on="person_id", maintain_order="left")
    earliest = _free(earliest.with_columns(encounter="index"), known.use)
    day = pl.max_horizontal(
        "encounter", "entry", pl.col("observed_from") + washout, pl.col("free_from") + washout
    )  # nulls are passed over
    candidates = (
        earliest.with_columns(index=day.cast(pl.Int32))
        .filter(pl.col("index") - pl.col("encounter") <= window)
        .select("person_id", "index")
        .unique()
    )
    eligible = _not_using(_eligible(candidates, known, washout), known)
    return _numbered(eligible.with_columns(arm=pl.lit(0)), known).unique(
        ["person_id", "trial"], keep="first", maintain_order=True
    )


def _class_free(rows: pl.DataFrame, fills: pl.DataFrame, washout: int, *, also_on_day: bool) -> pl.DataFrame:
    """Rows without a fill of the class in the ``washout`` days before the index, and on it if asked."""
    before = rows.sort("person_id", "index").join_asof(
        fills.select("person_id", last="date"), left_on="index", right_on="last", by="person_id", strategy="backward",
        allow_exact_matches=also_on_day, check_sortedness=False, coalesce=False,
    )  # fmt: skip
    since = pl.col("index") - pl.col("last")
    return before.filter(since.is_null() | (since > washout)).drop("last")


def _by_strength(known: Histories, starters: pl.DataFrame) -> pl.DataFrame:
    """New users of strong (arm 1) and of weak opioids (arm 0), by what was dispensed last on or before the index."""
    rows = starters.sort("person_id", "index").join_asof(
        known.strength, left_on="index", right_on="date", by="person_id", strategy="backward", check_sortedness=False,
        coalesce=False,
    )  # fmt: skip
    arms = []
    for arm, other in ((1, "weak"), (0, "strong")):
        mine = rows.filter(pl.col("strong") if arm else pl.col("weak") & ~pl.col("strong"))
        crossing = known.strength.filter(pl.col(other)).select("person_id", "date")
        crossed = _next(mine.select("person_id", "index", "left"), "index", crossing, "crossed", also_on_day=False)
        arms.append(crossed.select("person_id", "index", left=pl.min_horizontal("left", "crossed"), arm=pl.lit(arm)))
    return pl.concat(arms)


def _combined(known: Histories, new_users: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    columns = ("person_id", "index", "left")
    arms = [
        new_users.select(*columns, arm=pl.lit(1)), others.select(*columns, arm=pl.lit(0)),
    ]  # fmt: skip
    return _numbered(pl.concat(arms), known)


def _numbered(rows: pl.DataFrame, known: Histories) -> pl.DataFrame:
    """Adds the 30-day block since entry; sorted."""
    entry = known.people.select("person_id", "entry")
    return (
        rows.join(entry, on="person_id", maintain_order="left")
        .with_columns(trial=((pl.col("index") - pl.col("entry")) // TRIAL_DAYS).cast(pl.Int64))
        .select("person_id", "index", "trial", pl.col("arm").cast(pl.Int64), "left")
        .sort("person_id", "index", "arm")
    )
