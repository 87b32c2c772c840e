"""Time zeros of sustained strategies: the 30-day blocks of each person since entry, and what follows each of them.

A person has as many time zeros as blocks in which either strategy could be followed (ANALYSES 4: sequential trials).
Whatever makes a block eligible is on record by its first day; what follows never removes it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from opioid_outcomes.exposure.stretches import Array
from opioid_outcomes.exposure.windows import PARTS_PER_MME, Accrual, Condition, first_met
from opioid_outcomes.survival.risk_sets import Floats

BLOCK_DAYS = 30  # as the panel's period and the blocks of the new-user trials
MOST_BLOCKS = 2_000_000  # of more, one in so many of each person is looked at
CHUNK = 4_000  # time zeros whose doses are looked at together: memory, nothing else
LOST = ("treatment", "unknown")  # no longer pain treatment, or not known what is taken
FAR = 10**9


def time_zeros(cohort: pl.DataFrame, most: int = MOST_BLOCKS) -> tuple[pl.DataFrame, int]:
    """Blocks of all people, and one in how many is taken, where that depends on nothing that follows.

    cohort: person_id, entry, exit, death, exit_reason; days are integers. Returns person_id, zero (day), since (days
    since entry), time (days followed from zero), death, lost (whether observation ends then), many (blocks for which
    it stands), sorted by person_id and zero.
    """
    days = pl.col("exit").cast(pl.Int64) - pl.col("entry")
    people = cohort.sort("person_id").with_row_index("place").with_columns(blocks=-(-days // BLOCK_DAYS))
    one_in = max(1, -(-int(people["blocks"].sum()) // most))
    rows = (
        people.select(
            "person_id", "place", "death", pl.col("entry", "exit").cast(pl.Int64),
            lost=(pl.col("exit_reason").cast(pl.String) == "end of observation").fill_null(value=False),
            block=pl.int_ranges(pl.col("place").cast(pl.Int64) % one_in, "blocks", one_in),
        )
        .explode("block", empty_as_null=True)
        .filter(pl.col("block").is_not_null())
        .with_columns(since=pl.col("block") * BLOCK_DAYS)
    )  # fmt: skip
    zero = pl.col("entry") + pl.col("since")
    return rows.select(
        "person_id", zero.alias("zero"), "since", (pl.col("exit") - zero).alias("time"),
        pl.col("death").cast(pl.Int64), "lost", many=pl.lit(float(one_in)),
    ), one_in  # fmt: skip


def codes(zeros: pl.DataFrame) -> Array:
    """The number of each time zero's person among the people, (n,); ``zeros`` sorted by person."""
    return zeros["person_id"].rle_id().to_numpy().astype(np.int64)


def state_on(status: pl.DataFrame, zeros: pl.DataFrame, *, ago: int) -> pl.DataFrame:
    """State and supply_end so many days before each time zero, in their order; null before any."""
    known = status.select("person_id", pl.col("start", "supply_end").cast(pl.Int64), pl.col("state").cast(pl.String))
    return (
        zeros.select("person_id", day=pl.col("zero") - ago)
        .join_asof(
            known.sort("person_id", "start"), left_on="day", right_on="start", by="person_id", strategy="backward",
            check_sortedness=False,
        )
        .select("state", "supply_end")
    )  # fmt: skip


def next_start(stretches: pl.DataFrame, zeros: pl.DataFrame, after: Floats | None = None) -> Floats:
    """Days from each time zero to the first stretch that begins then or later, (n,), inf where none does.

    stretches: person_id, start. ``after``: (n,) days since time zero, after which it must begin (inf: none does).
    """
    zero = zeros["zero"].to_numpy()
    day = zero if after is None else np.where(np.isfinite(after), zero + np.nan_to_num(after, posinf=0), FAR)
    asked = zeros.select("person_id", day=pl.Series(day.astype(np.int64))).with_row_index("place")
    found = (
        asked.sort("person_id", "day", "place")
        .join_asof(
            stretches.select("person_id", pl.col("start").cast(pl.Int64)).sort("person_id", "start"), left_on="day",
            right_on="start", by="person_id", strategy="forward", allow_exact_matches=after is None,
            check_sortedness=False, coalesce=False,
        )
        .sort("place")
    )  # fmt: skip
    starts = found["start"].cast(pl.Float64).to_numpy()
    return np.where(np.isnan(starts), np.inf, starts - zero)


def doses_held(status: pl.DataFrame, zeros: pl.DataFrame) -> Accrual:
    """The dose held on each day by each person, carry-over included; 0 off. Person: as ``codes``."""
    people = zeros.select("person_id").unique(maintain_order=True).with_columns(person=pl.int_range(pl.len()))
    rows = status.join(people, on="person_id").sort("person", "start")
    state = rows["state"].cast(pl.String)
    on = (state == "on").to_numpy()
    mme = rows["mme"].fill_null(0).to_numpy()
    return Accrual(
        *(rows[name].to_numpy() for name in ("person", "start", "stop")),
        mme=np.where(on, np.round(mme * PARTS_PER_MME), 0),
        unknown=(on & rows["mme"].is_null().to_numpy()) | state.is_in(LOST).to_numpy(),
    )


Search = Callable[..., Floats]


def searches(
    doses: Accrual,
    person: Array,
    zero: Array,
    *,
    window: int,
    longest: int,
    of: Callable[[Search, Array], list[Floats]],
) -> list[Floats]:
    """``of`` each chunk of time zeros: its searches for the first day on which mean doses meet conditions.

    person, zero: (n,) of each time zero, persons as in ``doses``. ``of`` is given the search and the places of the
    chunk; a condition is one of ``first_met`` on places in the chunk. The search tells days since time zero up to
    ``longest``, inf where there is none. Doses are looked at as sums over ``window`` days.
    """
    parts = []
    for begin in range(0, len(zero), CHUNK):
        chunk = np.arange(begin, min(begin + CHUNK, len(zero)))
        parts.append(of(_search(doses, person[chunk], zero[chunk], window, longest), chunk))
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _search(doses: Accrual, person: Array, zero: Array, window: int, longest: int) -> Search:
    first, last = (np.searchsorted(doses.person, person, side=side) for side in ("left", "right"))
    count = last - first
    unit = np.repeat(np.arange(len(zero)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    knots = [(np.arange(len(zero)), zero), (np.arange(len(zero)), zero + longest)]
    for days in (doses.start[row], doses.stop[row]):
        for ago in (0, window):
            kept = (days + ago > zero[unit]) & (days + ago < zero[unit] + longest)
            knots.append((unit[kept], (days + ago)[kept]))

    def first_day(*conditions: Condition) -> Floats:
        met = first_met(knots, list(conditions), len(zero))
        return np.where(met < FAR, met - zero, np.inf).astype(float)

    return first_day
