"""Who could follow a sustained strategy from its time zeros, and on which day each is left (ANALYSES 4.5).

Everything is read from opioid status, which is known on each day from the past: use with its carry-over, the dose held,
and the mean dose of the last days. A deviation is dated on the day on which that past shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from opioid_outcomes.causal.clone_censor import Bools, Strategy
from opioid_outcomes.exposure.stretches import Array
from opioid_outcomes.exposure.windows import PARTS_PER_MME, Accrual
from opioid_outcomes.mortality.sustained_times import (
    BLOCK_DAYS,
    LOST,
    Search,
    codes,
    doses_held,
    next_start,
    searches,
    state_on,
    time_zeros,
)
from opioid_outcomes.survival.risk_sets import Floats

DOSE_DAYS = 30  # days whose mean is the dose: a refill that overlaps by some days is no rise
# Stable: the mean of each 30 of the last 90 days within 20 % of that of the last 30 (METHODS D4)
STABLE_WINDOWS, STABLE_SHARE = 3, 0.2
USING = ("on", "treatment", "unknown")
OFF = ("recent", "former")
# Time zeros of long-term users whose doses are followed; of more, one in so many
MOST_LONG_TERM = 100_000


@dataclass(frozen=True)
class Question:
    """Two strategies of the time zeros at which either could be followed.

    people: person_id, zero (day), since (days since entry), time (days followed from zero), death (0/1 at that time),
    lost (whether observation ends then), many (time zeros for which this one stands); sorted by person_id and zero.
    owner: (n,) the person of each in ``doses``, the ``Accrual`` of mme (millionths).
    """

    contrast: str
    population: str
    meaning: str
    people: pl.DataFrame
    strategies: tuple[Strategy, Strategy]
    owner: Array
    doses: Accrual

    def dose_before(self, row: Array, day: Array) -> Floats:
        """Mean MME/day of the 30 days before each day, (n,) of rows of ``people``; days of unknown dose count 0."""
        [parts] = self.doses.between(self.owner[row], day - DOSE_DAYS, day, "mme")
        return parts / PARTS_PER_MME / DOSE_DAYS

    @property
    def until(self) -> Floats:
        """(n,) days until both strategies are left or follow-up ends."""
        return np.minimum(np.maximum(*(each.left for each in self.strategies)), self.people["time"].to_numpy())

    def kept(self, rows: Bools, many: Floats) -> Question:
        """Some of the time zeros, each standing for ``many`` (n,) times what it did."""
        people = self.people.with_columns(pl.col("many") * pl.Series(many)).filter(pl.Series(rows, dtype=pl.Boolean))
        first, second = (_of(each, rows) for each in self.strategies)
        return replace(self, people=people, strategies=(first, second), owner=self.owner[rows])


def _of(strategy: Strategy, rows: Bools) -> Strategy:
    begins = None if strategy.begins is None else strategy.begins[rows]
    return replace(strategy, leaves=strategy.leaves[rows], begins=begins)


def start_or_never(status: pl.DataFrame, cohort: pl.DataFrame, *, grace: int, washout: int) -> Question:
    """``start and stay vs never``: from each block at whose beginning nothing was used for ``washout`` days.

    status: OPIOID_STATUS; cohort: COHORT. Staying ends on the first day off, after carry-over.
    """
    zeros, one_in = time_zeros(cohort)
    before = state_on(status, zeros, ago=1)
    free = (
        before["state"].is_null() | before["state"].is_in(OFF) & (zeros["zero"] - before["supply_end"] >= washout)
    ).fill_null(value=False)
    people = zeros.filter(free)
    state = status.select("person_id", "start", pl.col("state").cast(pl.String))
    starts = next_start(state.filter(pl.col("state") == "on"), people)
    lost = next_start(state.filter(pl.col("state").is_in(LOST)), people)
    off = next_start(state.filter(pl.col("state") != "on"), people, after=starts)
    return Question(
        "start and stay vs never",
        f"people without opioids, from the beginning of each {BLOCK_DAYS} days since entry",
        f"start: within {grace} days, on days as those who do, and stay on (with carry-over){_taken(one_in)}",
        people,
        (Strategy("start and stay", off, begins=starts, grace=grace), Strategy("never", np.minimum(starts, lost))),
        codes(people),
        doses_held(status, people),
    )


def _taken(one_in: int) -> str:
    return f"; one in {one_in} time zeros" if one_in > 1 else ""


def taper_or_stop(
    status: pl.DataFrame, cohort: pl.DataFrame, long_term: pl.DataFrame, *, definition: str, grace: int, share: float,
    longest: int,
) -> tuple[Question, Question]:  # fmt: skip
    """``taper vs maintain`` and ``stop vs maintain``: from each block of stable long-term therapy.

    long_term: LONG_TERM; share: of the mean dose of the 30 days up to time zero by which it must fall, and within which
    it is maintained; longest: days after time zero that are of interest. Who is not on at time zero, or has an unknown
    or another dose in the 90 days up to it, could follow none and is left out.
    """
    met = long_term.filter(pl.col("definition") == definition).group_by("person_id").agg(pl.col("met").min())
    mine = cohort.join(met.select("person_id"), on="person_id", how="semi")
    zeros, one_in = time_zeros(mine, MOST_LONG_TERM)
    people = zeros.join(met, on="person_id", maintain_order="left").filter(pl.col("met") <= pl.col("zero")).drop("met")
    people = people.filter(state_on(status, people, ago=0)["state"] == "on")
    people = people.filter(pl.Series(_stable(status, people), dtype=pl.Boolean))
    owner, doses = codes(people), doses_held(status, people)
    course = _course(status, people, owner, doses, share, longest)
    leaves_band = np.minimum.reduce([course.tapers, course.rises, course.off, course.lost])
    maintain = Strategy("maintain", leaves_band)
    taper = Strategy("taper", np.minimum(course.returns, course.lost_after_taper), begins=course.tapers, grace=grace)
    stop = Strategy("stop", course.restarts, begins=course.off, grace=grace)
    population = f"stable long-term users ({definition}), from the beginning of each {BLOCK_DAYS} days since entry"
    dose = f"mean dose of the last {DOSE_DAYS} days against that at time zero"
    kept = f"maintain: {dose} within {100 * share:.0f} %, never off{_taken(one_in)}"
    return (
        Question(
            "taper vs maintain", population,
            f"taper: {dose} lower by {100 * share:.0f} % or more within {grace} days, and not above that again; {kept}",
            people, (taper, maintain), owner, doses,
        ),
        Question(
            "stop vs maintain", population,
            f"stop: off (with carry-over) within {grace} days, and not on again; {kept}",
            people, (stop, maintain), owner, doses,
        ),
    )  # fmt: skip


def _stable(status: pl.DataFrame, zeros: pl.DataFrame) -> Bools:
    """Whether the dose was known and much the same on the 90 days up to time zero, (n,)."""
    person, doses, end = codes(zeros), doses_held(status, zeros), zeros["zero"].to_numpy() + 1
    [unknown] = doses.between(person, end - STABLE_WINDOWS * DOSE_DAYS, end, "unknown")
    totals = [
        doses.between(person, end - (back + 1) * DOSE_DAYS, end - back * DOSE_DAYS, "mme")[0]
        for back in range(STABLE_WINDOWS)
    ]
    steady = [np.abs(total - totals[0]) <= STABLE_SHARE * totals[0] for total in totals]
    return np.asarray((unknown == 0) & (totals[0] > 0) & np.logical_and.reduce(steady))


@dataclass(frozen=True)
class _Course:
    """Days since time zero, inf never."""

    tapers: Floats
    returns: Floats
    rises: Floats
    off: Floats
    restarts: Floats
    lost: Floats
    lost_after_taper: Floats


def _course(  # noqa: PLR0917
    status: pl.DataFrame, people: pl.DataFrame, owner: Array, doses: Accrual, share: float, longest: int
) -> _Course:
    zeros = people["zero"].to_numpy()

    def of(first: Search, chunk: Array) -> list[Floats]:
        person, zero = owner[chunk], zeros[chunk]

        def total(unit: Array, day: Array) -> Any:
            return doses.between(person[unit], day - DOSE_DAYS + 1, day + 1, "mme")[0]

        at_zero = total(np.arange(len(chunk)), zero)
        rounding = DOSE_DAYS
        low = np.floor((1 - share) * at_zero).astype(np.int64) + rounding
        high = np.ceil((1 + share) * at_zero).astype(np.int64) + rounding
        tapers = first(lambda unit, day: [low[unit] - total(unit, day)])
        tapered = (zero + np.where(np.isfinite(tapers), tapers, longest + 1)).astype(np.int64)
        returns = first(
            lambda unit, day: [day - tapered[unit] - 1], lambda unit, day: [total(unit, day) - low[unit] - 1]
        )
        return [tapers, returns, first(lambda unit, day: [total(unit, day) - high[unit] - 1])]

    nobody = [np.zeros(0)] * 3
    tapers, returns, rises = (
        searches(doses, owner, zeros, window=DOSE_DAYS, longest=longest, of=of) if len(zeros) else nobody
    )
    state = status.with_columns(pl.col("state").cast(pl.String))
    off = next_start(state.filter(pl.col("state").is_in(OFF)), people)
    unknown = state.filter(pl.col("state").is_in(LOST) | ((pl.col("state") == "on") & pl.col("mme").is_null()))
    return _Course(
        tapers, returns, rises, off, next_start(state.filter(pl.col("state").is_in(USING)), people, after=off),
        next_start(unknown, people), next_start(unknown, people, after=tapers),
    )  # fmt: skip
