"""Who could follow a sustained strategy from its time zero, and on which day each person leaves it (ANALYSES 4.5).

Everything is read from opioid status, which is known on each day from the past: use with its carry-over, the dose held,
and the mean dose of the last days. A deviation is dated on the day on which that past shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from opioid_outcomes.causal.clone_censor import Strategy
from opioid_outcomes.exposure.stretches import Array
from opioid_outcomes.exposure.windows import PARTS_PER_MME, Accrual, first_met
from opioid_outcomes.survival.risk_sets import Floats

DOSE_DAYS = 30  # days whose mean is the dose: a refill that overlaps by some days is no rise
USING = ("on", "treatment", "unknown")
OFF = ("recent", "former")
LOST = ("treatment", "unknown")  # no longer pain treatment, or not known what is taken
FAR = 10**9


@dataclass(frozen=True)
class Question:
    """Two strategies of the people who could follow either from their time zero.

    people: person_id, zero (day), time (days followed from there), death (0/1 at that time), lost (whether observation
    ends then); sorted by person_id.
    doses: ``Accrual`` of mme (millionths) by the place of the person in ``people``.
    """

    contrast: str
    population: str
    meaning: str
    people: pl.DataFrame
    strategies: tuple[Strategy, Strategy]
    doses: Accrual

    def dose_before(self, person: Array, day: Array) -> Floats:
        """Mean MME/day of the 30 days before each day, (n,); days of unknown dose count 0."""
        [parts] = self.doses.between(person, day - DOSE_DAYS, day, "mme")
        return parts / PARTS_PER_MME / DOSE_DAYS


def start_or_never(status: pl.DataFrame, cohort: pl.DataFrame, *, grace: int, washout: int) -> Question:
    """``start and stay vs never``: people without opioids in the ``washout`` days before entry, from entry.

    status: OPIOID_STATUS; cohort: COHORT. Staying ends on the first day off, after carry-over.
    """
    before = _state_on(status, cohort.select("person_id", day=pl.col("entry") - 1))
    free = (
        before["state"].is_null()
        | before["state"].is_in(OFF) & (cohort.sort("person_id")["entry"] - before["supply_end"] >= washout)
    ).fill_null(value=False)
    people = _people(cohort.with_columns(zero="entry").sort("person_id").filter(free))
    rows = _rows(status, people)
    starts = _first(rows, len(people), pl.col("state") == "on")
    lost = _first(rows, len(people), pl.col("state").is_in(LOST))
    off = _first(rows, len(people), pl.col("state") != "on", after=starts)
    return Question(
        "start and stay vs never",
        "people without opioids before entry, from entry",
        f"start: within {grace} days of entry, on days as those who do, and stay on (with carry-over)",
        people,
        (Strategy("start and stay", off, begins=starts, grace=grace), Strategy("never", np.minimum(starts, lost))),
        _doses(status, people),
    )


def taper_or_stop(
    status: pl.DataFrame, cohort: pl.DataFrame, long_term: pl.DataFrame, *, definition: str, grace: int, share: float
) -> tuple[Question, Question]:
    """``taper vs maintain`` and ``stop vs maintain``: long-term users, from the day on which they first are.

    long_term: LONG_TERM; share: of the mean dose of the 30 days up to time zero by which it must fall, and within which
    it is maintained. Who has no known dose then, or is not on, could follow none and is left out.
    """
    met = long_term.filter(pl.col("definition") == definition).group_by("person_id").agg(zero=pl.col("met").min())
    people = _people(
        cohort.join(met, on="person_id").filter(pl.col("zero") >= pl.col("entry"), pl.col("zero") < pl.col("exit"))
    )
    people = people.filter(_state_on(status, people.select("person_id", day="zero"))["state"] == "on")
    doses, zero = _doses(status, people), people["zero"].to_numpy().astype(np.int64)
    code = np.arange(len(people))
    mme, unknown = doses.between(code, zero - DOSE_DAYS + 1, zero + 1, "mme", "unknown")
    people = people.filter(pl.Series((unknown == 0) & (mme > 0), dtype=pl.Boolean))
    course = _course(status, people, share)
    leaves_band = np.minimum.reduce([course.tapers, course.rises, course.off, course.lost])
    maintain = Strategy("maintain", leaves_band)
    taper = Strategy("taper", np.minimum(course.returns, course.lost_after_taper), begins=course.tapers, grace=grace)
    stop = Strategy("stop", course.restarts, begins=course.off, grace=grace)
    population = f"long-term users ({definition}), from the day they first are"
    dose = f"mean dose of the last {DOSE_DAYS} days against that at time zero"
    kept = f"maintain: {dose} within {100 * share:.0f} %, never off"
    return (
        Question(
            "taper vs maintain", population,
            f"taper: {dose} lower by {100 * share:.0f} % or more within {grace} days, and not above that again; {kept}",
            people, (taper, maintain), course.doses,
        ),
        Question(
            "stop vs maintain", population,
            f"stop: off (with carry-over) within {grace} days, and not on again; {kept}",
            people, (stop, maintain), course.doses,
        ),
    )  # fmt: skip


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
    doses: Accrual


def _course(status: pl.DataFrame, people: pl.DataFrame, share: float) -> _Course:
    rows, doses = _rows(status, people), _doses(status, people)
    n = len(people)
    zero = people["zero"].to_numpy().astype(np.int64)
    ends = [(doses.person, days + ago) for days in (doses.start, doses.stop) for ago in (0, DOSE_DAYS)]
    knots = [*ends, (np.arange(n), zero)]

    def total(person: Array, day: Array) -> Array:
        return doses.between(person, day - DOSE_DAYS + 1, day + 1, "mme")[0]

    at_zero = total(np.arange(n), zero)
    rounding = DOSE_DAYS
    low = np.floor((1 - share) * at_zero).astype(np.int64) + rounding
    high = np.ceil((1 + share) * at_zero).astype(np.int64) + rounding

    def first(*conditions: object) -> Floats:
        met = first_met(knots, list(conditions), n)  # type: ignore[arg-type]
        return np.where(met < FAR, met - zero, np.inf).astype(float)

    from_zero = lambda person, day: [day - zero[person]]  # noqa: E731
    tapers = first(from_zero, lambda person, day: [low[person] - total(person, day)])
    tapered = np.where(np.isfinite(tapers), zero + np.nan_to_num(tapers, posinf=0), FAR).astype(np.int64)
    returns = first(
        lambda person, day: [day - tapered[person] - 1], lambda person, day: [total(person, day) - low[person] - 1]
    )
    rises = first(from_zero, lambda person, day: [total(person, day) - high[person] - 1])
    off = _first(rows, n, pl.col("state").is_in(OFF))
    unknown = pl.col("state").is_in(LOST) | ((pl.col("state") == "on") & pl.col("mme").is_null())
    return _Course(
        tapers, returns, rises, off, _first(rows, n, pl.col("state").is_in(USING), after=off),
        _first(rows, n, unknown), _first(rows, n, unknown, after=tapers), doses,
    )  # fmt: skip


def _people(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.sort("person_id")
        .with_columns(pl.col("zero").cast(pl.Int64), time=(pl.col("exit") - pl.col("zero")).cast(pl.Int64))
        .select(
            "person_id",
            "zero",
            "time",
            pl.col("death").cast(pl.Int64),
            lost=(pl.col("exit_reason").cast(pl.String) == "end of observation").fill_null(value=False),
        )
    )


def _state_on(status: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """State and supply_end on each person's day, sorted by person_id; null before any."""
    known = status.select("person_id", pl.col("start", "supply_end").cast(pl.Int64), pl.col("state").cast(pl.String))
    return (
        days.sort("person_id")
        .with_columns(pl.col("day").cast(pl.Int64))
        .join_asof(
            known.sort("person_id", "start"), left_on="day", right_on="start", by="person_id", strategy="backward",
            check_sortedness=False,
        )
        .select("state", "supply_end")
    )  # fmt: skip


def _rows(status: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Status from time zero on: person (place in ``people``), at (days since time zero), state, mme."""
    codes = people.select("person_id", "zero", person=pl.int_range(pl.len(), dtype=pl.Int64))
    return (
        status.join(codes, on="person_id")
        .filter(pl.col("stop") > pl.col("zero"))
        .select(
            "person", pl.col("state").cast(pl.String), "mme",
            at=(pl.max_horizontal(pl.col("start").cast(pl.Int64), "zero") - pl.col("zero")).cast(pl.Float64),
        )
    )  # fmt: skip


def _first(rows: pl.DataFrame, n: int, condition: pl.Expr, after: Floats | None = None) -> Floats:
    """The first day on which a condition holds, later than ``after``; inf where there is none."""
    found = rows.filter(condition)
    if after is not None:
        found = found.filter(pl.col("at") > pl.Series(after[found["person"].to_numpy()], dtype=pl.Float64))
    days = found.group_by("person").agg(pl.col("at").min())
    result = np.full(n, np.inf)
    result[days["person"].to_numpy()] = days["at"].to_numpy()
    return result


def _doses(status: pl.DataFrame, people: pl.DataFrame) -> Accrual:
    """The dose held on each day, carry-over included; 0 off."""
    codes = people.select("person_id", person=pl.int_range(pl.len(), dtype=pl.Int64))
    rows = status.join(codes, on="person_id").sort("person", "start")
    state = rows["state"].cast(pl.String)
    on = (state == "on").to_numpy()
    mme = rows["mme"].fill_null(0).to_numpy()
    return Accrual(
        *(rows[name].to_numpy() for name in ("person", "start", "stop")),
        mme=np.where(on, np.round(mme * PARTS_PER_MME), 0),
        unknown=(on & rows["mme"].is_null().to_numpy()) | state.is_in(LOST).to_numpy(),
    )
