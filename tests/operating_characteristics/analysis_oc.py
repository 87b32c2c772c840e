"""The analyses themselves, on tables as the steps hand them over."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import trials_oc
import use_oc
from found import Found

from opioid_outcomes.contracts.derived import PERSON_TIME, TRIALS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality import hazard_ratio
from opioid_outcomes.mortality import new_user as analysis
from opioid_outcomes.mortality.contrasts import ON_OFF
from opioid_outcomes.mortality.trial_estimates import Choices


def of_row(quantity: str, method: str, truth: float, row: Estimate, *, wrong: bool = False) -> Found:
    """A number that may not be read counts as none; what is crude stands though its arms are unlike."""
    told = row.gate == "pass" or (wrong and row.estimate is not None)
    estimate, se, low, high = (
        float(value) if told and value is not None else math.nan
        for value in (row.estimate, row.se, row.ci_low, row.ci_high)
    )
    return Found(quantity, method, truth, estimate, se, low, high, wrong)


def filled(names: tuple[str, ...], **columns: object) -> pl.DataFrame:
    frame = pl.DataFrame(columns)
    return frame.with_columns(pl.lit(None).alias(name) for name in names if name not in columns)


def current_use(rng: np.random.Generator) -> list[Found]:
    seen = use_oc.users(rng)
    person_time = filled(
        PERSON_TIME.names, person_id=seen.person, start=seen.start.astype(np.int64), stop=seen.stop.astype(np.int64),
        death=seen.died.astype(np.int64), on_opioid=seen.on.astype(np.int64), age=seen.age, sick=seen.sick,
    ).with_columns(pl.col("survey_weight").cast(pl.Float64), pl.col("stratum", "cluster").cast(pl.String))  # fmt: skip
    truth = float(np.log(use_oc.RATIO))
    rows = hazard_ratio.adjusted_ratios(
        person_time, ON_OFF, analysis="mortality.current_use", baseline=["age", "sick"], missing="indicator"
    )
    return [
        of_row("log HR, on vs off", row.method, truth, row, wrong=row.method != "adjusted_full")
        for row in rows if row.method in ("crude", "adjusted_full")
    ]  # fmt: skip


def new_user(rng: np.random.Generator) -> list[Found]:
    time, cause, treated, x = trials_oc.drawn(rng)
    n = len(time)
    trials = filled(
        TRIALS.names, person_id=np.arange(n), comparator=["non_user"] * n, arm=treated.astype(np.int64),
        index=np.zeros(n, np.int64), trial=np.zeros(n, np.int64), days_since_entry=np.zeros(n, np.int64),
        follow_up=time.astype(np.int64), event=(cause > 0).astype(np.int64), x1=x[:, 0], x2=x[:, 1],
    ).with_columns(
        pl.col("cause").cast(pl.String), pl.col("as_treated_until").cast(pl.Int64),
        survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String),
    )  # fmt: skip
    horizon = int(trials_oc.HORIZON)
    rows = analysis.new_user("non_user", trials, Choices(baseline=["x1", "x2"], horizons=[horizon])).rows
    truth = trials_oc.truth("overlap")
    told = {(row.method, row.scale): row for row in rows if row.window == f"0-{horizon}"}
    return [
        of_row("risk difference, overlap", "overlap", truth["difference"], told["overlap", "risk_difference"]),
        of_row("risk difference, overlap", "crude", truth["difference"], told["crude", "risk_difference"], wrong=True),
        of_row("mean days lived, overlap", "overlap", truth["days"], told["overlap", "rmst_days"]),
    ]
