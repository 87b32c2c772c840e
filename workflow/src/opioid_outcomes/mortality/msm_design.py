"""The panel made ready for marginal structural models: follow-up, decisions, treatment history and designs.

Use in a period is the panel's status ON its first day and nothing else; everything in a design was known before that
day. Whether somebody used within a period cannot be asked of these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from opioid_outcomes.causal.time_varying_weights import Weights, censoring_weights, treatment_weights
from opioid_outcomes.cohort.panel import PERIOD_DAYS
from opioid_outcomes.contracts.derived import PANEL
from opioid_outcomes.survival import design_matrix, splines
from opioid_outcomes.survival.products import row_blocks
from opioid_outcomes.survival.risk_sets import Floats, Ints
from opioid_outcomes.units import DAYS_PER_YEAR

Singles = npt.NDArray[np.float32]  # of what only regressions read: half the memory of a large panel

RECENT_PERIODS = 6  # periods before the present one that "recent use" counts
EARLIER_PERIODS = 18  # before those, that "earlier use" counts: harm that builds up over more than half a year
TIME_QUANTILES = (0.0, 0.35, 0.65, 1.0)  # of person-periods: Harrell (2001) Regression Modeling Strategies, table 2.3
RECORDED = "pain_observed"  # whether a score was recorded in the month: a contact with care
NEVER_RECORDED = "pain missing"  # nor in any month before
IF_RECORDED = ("pain if recorded", "pain squared if recorded")
DECISIONS_PER_COLUMN = 5  # fewer of the rarer decision, and starting and stopping share one model


@dataclass(frozen=True)
class Design:
    """One row per person and period, sorted; ``person`` numbers people from 0.

    stop: end of the row's time, days since entry; the row begins at 30 x period. treated: on, on the first day. past:
    on in the period before (before entry: on the eve). recent: periods on among the six before, since entry; earlier:
    among the eighteen before those. people: (persons, r) baseline design, used before entry among it; varying: (n, v).
    time: (K, d) spline of the period.
    """

    person: Ints
    period: Ints
    stop: Floats
    died: Floats
    censored: Floats
    treated: Floats
    past: Floats
    recent: Floats
    earlier: Floats
    people: Floats
    people_names: tuple[str, ...]
    varying: Singles
    varying_names: tuple[str, ...]
    time: Floats
    notes: tuple[str, ...]

    @property
    def start(self) -> Floats:
        return np.asarray(self.period * float(PERIOD_DAYS))

    def until(self, day: int) -> Design:
        """The same with follow-up ended on a day."""
        kept = self.start < day
        names = ("person", "period", "treated", "past", "recent", "earlier", "varying")
        own = {name: getattr(self, name)[kept] for name in names}
        stop = self.stop[kept]
        inside = stop <= day
        return replace(
            self, stop=np.minimum(stop, float(day)), died=self.died[kept] * inside,
            censored=self.censored[kept] * inside, time=_time(own["period"]), **own,
        )  # fmt: skip

    @property
    def persons(self) -> int:
        return len(self.people)

    @property
    def person_years(self) -> float:
        return float((self.stop - self.start).sum()) / DAYS_PER_YEAR


def follow_up(panel: pl.DataFrame, person_time: pl.DataFrame, cohort: pl.DataFrame) -> pl.DataFrame:
    """Panel rows while use is known, with stop, past, recent, earlier, last_mme, censored, used_before; sorted.

    Who comes to neither use nor non-use (treatment of opioid use disorder), or to unknown use, is censored there, as is
    whose observation ends; death, the end of the study and the longest follow-up are no loss.
    """
    ends = cohort.select(
        "person_id", (pl.col("exit") - pl.col("entry")).cast(pl.Int64).alias("followed"), "exit_reason"
    )
    entry = person_time.filter(pl.col("start") == 0).select(
        "person_id",
        ((pl.col("on_opioid") == 1) & (pl.col("days_since_start") > 0)).fill_null(False).cast(pl.Float64).alias("eve"),
    )
    by = "person_id"
    on = pl.col("on_opioid")
    rows = (
        panel.sort(by, "period")
        .with_columns(on.is_null().cast(pl.Int64).cum_sum().over(by).alias("unknown_so_far"))
        .with_columns((pl.col("unknown_so_far").max().over(by) > 0).alias("becomes_unknown"))
        .filter(pl.col("unknown_so_far") == 0)
        .join(ends, on=by, how="left", maintain_order="left")
        .join(entry, on=by, how="left", maintain_order="left")
    )
    last = pl.col("period") == pl.col("period").max().over(by)
    lost = last & (pl.col("death") == 0) & ((pl.col("exit_reason") == "end of observation") | pl.col("becomes_unknown"))
    before = on.shift(1).over(by)
    used = on.cum_sum() - on  # in all periods before

    def until(periods: int) -> pl.Expr:
        return used.shift(periods).over(by).fill_null(0)

    return rows.with_columns(
        pl.min_horizontal(PERIOD_DAYS * (pl.col("period") + 1), "followed").alias("stop"),
        lost.cast(pl.Float64).alias("censored"),
        before.fill_null(pl.col("eve")).fill_null(0.0).cast(pl.Float64).alias("past"),
        (used.over(by) - until(RECENT_PERIODS)).cast(pl.Float64).alias("recent"),
        (until(RECENT_PERIODS) - until(RECENT_PERIODS + EARLIER_PERIODS)).cast(pl.Float64).alias("earlier"),
        pl.when(before == 0).then(0.0).when(pl.col("period") > 0).then(pl.col("mme").shift(1).over(by))
        .when(pl.col("eve") == 0).then(0.0).alias("last_mme"),
        pl.col("eve").fill_null(0.0).alias("used_before"),
    )  # fmt: skip


def build(rows: pl.DataFrame, baseline: Sequence[str], time_varying: Sequence[str], *, complete: bool) -> Design:
    """Designs of the rows of ``follow_up``. complete: only people whose baseline covariates are all known."""
    at_entry = [f"{name}_at_entry" if f"{name}_at_entry" in rows.columns else name for name in baseline]
    if complete:
        rows = rows.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in at_entry) if at_entry else True)
    first = rows.filter(pl.col("period") == pl.col("period").min().over("person_id"))
    people = design_matrix.build(first, [*at_entry, "used_before"], missing="indicator")
    changing = ["pain", RECORDED, *(n for n in time_varying if n not in PANEL.names), "last_mme"]
    varying = _varying(carried(rows, changing, at_entry), changing)
    period = rows["period"].to_numpy().astype(np.int64)
    number = {name: rows[name].cast(pl.Float64).to_numpy() for name in ("stop", "death", "censored", "on_opioid")}
    return Design(
        person=_numbered(rows), period=period, stop=number["stop"], died=number["death"],
        censored=number["censored"], treated=number["on_opioid"], past=rows["past"].to_numpy(),
        recent=rows["recent"].to_numpy(), earlier=rows["earlier"].to_numpy(), people=people.x,
        people_names=people.names, varying=varying[0], varying_names=varying[1], time=_time(period), notes=people.notes,
    )  # fmt: skip


def _varying(values: pl.DataFrame, names: Sequence[str]) -> tuple[Singles, tuple[str, ...]]:
    """Their design; dose on a log scale, pain curved, and with a curve of its own where it was just recorded."""
    made = design_matrix.build(values.with_columns(pl.col("last_mme").log1p()), names, missing="indicator")
    if "pain" not in made.names:
        return made.x.astype(np.float32), made.names
    pain = made.x[:, made.names.index("pain")]
    more, more_names = [pain**2], ["pain squared"]
    if RECORDED in made.names:
        now = made.x[:, made.names.index(RECORDED)] > 0
        more, more_names = [*more, pain * now, pain**2 * now], [*more_names, *IF_RECORDED]
    x = stacked(len(made.x), made.x.shape[1] + len(more), lambda r: [made.x[r], *(column[r] for column in more)])
    return x, (*made.names, *more_names)


def stacked(rows: int, columns: int, of: Callable[[slice], Sequence[Floats | Singles]]) -> Singles:
    """Columns side by side, told for a block of rows at a time, so that none is held twice."""
    x = np.empty((rows, columns), dtype=np.float32)
    for block in row_blocks(rows, columns):
        x[block] = np.column_stack(of(block))
    return x


def carried(rows: pl.DataFrame, names: Sequence[str], at_entry: Sequence[str]) -> pl.DataFrame:
    """Time-varying covariates with the last known value carried forward, from the one at entry where there is one."""
    columns = []
    for name in names:
        column = pl.col(name).forward_fill().over("person_id")
        if f"{name}_at_entry" in at_entry:
            column = column.fill_null(pl.col(f"{name}_at_entry"))
        columns.append(column)
    return rows.select(columns)


def _numbered(rows: pl.DataFrame) -> Ints:
    changes = rows["person_id"].ne_missing(rows["person_id"].shift())
    return changes.cast(pl.Int64).cum_sum().to_numpy() - 1


def _time(period: Ints) -> Floats:
    """Natural cubic spline of the period, one row for each from 0 to the last."""
    every = np.arange(int(period.max()) + 1, dtype=float) if len(period) else np.zeros(0)
    if len(every) < 3:
        return every[:, None] if len(every) == 2 else np.zeros((len(every), 0))
    return splines.natural(every, splines.knots_at(period, TIME_QUANTILES))


@dataclass(frozen=True)
class MadeWeights:
    """``values``: treatment times censoring weights of each row."""

    values: Floats
    treatment: Weights
    censoring: Weights
    notes: tuple[str, ...]


def weigh(design: Design) -> MadeWeights:
    """Stabilised treatment and censoring weights; starting and stopping have models of their own where data allow.

    Use on the first day of people who used on its eve is their state at entry, which the numerator and the outcome
    model are given, and no decision.
    """
    d = design
    names = [f"time {j + 1}" for j in range(d.time.shape[1])]
    given = [*names, "past use", "recent use", "earlier use", *d.people_names]
    of = ["present use", *given, *d.varying_names]
    x = stacked(
        len(d.person), len(of),
        lambda r: [
            d.treated[r], d.time[d.period[r]], d.past[r], d.recent[r], d.earlier[r], d.people[d.person[r]], d.varying[r]
        ],
    )  # fmt: skip
    p = 1 + len(given)
    apart = _enough(d, len(of))
    treatment = treatment_weights(
        d.person, d.period, d.treated, x[:, 1:p], x[:, 1:], numerator_names=of[1:p], denominator_names=of[1:],
        strata=d.past if apart else None, at_risk=(d.period > 0) | (d.past == 0),
    )  # fmt: skip
    censoring = censoring_weights(
        d.person, d.period, d.censored, x[:, :p], x, numerator_names=of[:p], denominator_names=of
    )
    how = "starting and stopping" if apart else "use"
    notes = (f"pooled logistic models of {how} and of loss to observation",)
    return MadeWeights(treatment.values * censoring.values, treatment, censoring, notes)


def _enough(d: Design, columns: int) -> bool:
    changes = [int(((d.past == value) & (d.treated != value)).sum()) for value in (0, 1)]
    return min(changes) >= DECISIONS_PER_COLUMN * columns
