"""Person-time: follow-up split wherever exposure changes (CONTRACT 7 "Days")."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl

from opioid_outcomes.contracts.derived import PERSON_TIME
from opioid_outcomes.exposure.past_use import Doses
from opioid_outcomes.exposure.records import days, of_people
from opioid_outcomes.exposure.windows import reaches

EXPOSURE = ("use_state", "mme", "dose_band", "on_since")
AT_START = ("supply_end", "cumulative_mme", "new_user")  # values of a row's first day; they split nothing


def band_labels(lower_bounds: list[float]) -> list[str]:
    """Labels of the dose bands cut at rising lower bounds: [20, 50] -> <20, 20-49, >=50."""

    def number(value: float) -> str:
        return f"{value:g}"

    inner = [
        f"{number(low)}-{number(high - 1)}" if float(high).is_integer() else f"{number(low)}-<{number(high)}"
        for low, high in itertools.pairwise(lower_bounds)
    ]
    return [f"<{number(lower_bounds[0])}", *inner, f">={number(lower_bounds[-1])}"]


def dose_band(lower_bounds: list[float]) -> pl.Expr:
    """Band of ``mme`` by ``use_state``: none = off, unknown = on at unknown dose, in treatment, or state unknown."""
    band: Any = pl.when(pl.col("mme").is_null()).then(pl.lit("unknown"))
    for bound, label in zip(lower_bounds, band_labels(lower_bounds), strict=False):  # the highest band has no end
        band = band.when(~reaches(pl.col("mme"), bound)).then(pl.lit(label))
    band = band.otherwise(pl.lit(band_labels(lower_bounds)[-1]))
    return (
        pl.when(pl.col("use_state") == "on")
        .then(band)
        .when(pl.col("use_state").is_in(["treatment", "unknown"]))
        .then(pl.lit("unknown"))
        .otherwise(pl.lit("none"))
    )


def on_opioid(state: pl.Expr) -> pl.Expr:
    """1 on, 0 off, null neither (treatment of opioid use disorder) or not known."""
    return pl.when(state == "on").then(1).when(state.is_in(["never", "recent", "former"])).then(0).cast(pl.Int64)


def state_at(status: pl.DataFrame, people: pl.DataFrame, day: str, before_first: str) -> pl.Series:
    """State of use on each person's ``day``, in the order of ``people``."""
    keyed = people.select("person_id", day).with_row_index("order").sort("person_id", day)
    found = keyed.join_asof(
        status.select("person_id", "start", "stop", "state").sort("person_id", "start"),
        left_on=day, right_on="start", by="person_id", strategy="backward", check_sortedness=False,
    ).sort("order")  # fmt: skip
    inside = pl.col("stop") > pl.col(day)
    absent = pl.when(pl.col("start").is_null()).then(pl.lit(before_first)).otherwise(pl.lit("unknown"))
    return found.select(pl.when(inside).then("state").otherwise(absent).alias("state"))["state"]


def build(
    cohort: pl.DataFrame,
    status: pl.DataFrame,
    bands: list[float],
    covariates: list[str],
    *,
    daily: pl.DataFrame,
    before_first: str,
) -> pl.DataFrame:
    """PERSON_TIME of a cohort (COHORT columns, observed_until and the covariates).

    Time is (start, stop] in days since entry: day k is (k, k+1], so a death on calendar day entry + k is an event at
    k + 1 with the exposure of day k. After ``observed_until`` the last known exposure holds. ``before_first`` is the
    state of days before a person's first status: ``never`` where dispensings are recorded, else ``unknown``.
    days_since_stop counts from the end of supply known that day (0 = the first day after it); cumulative_mme is summed
    from ``daily`` (DAILY_DOSE) up to the row's first day, and not known where the status comes from reports. Both are
    values at the row's start and split no row.
    Stretches add up to exit - entry exactly. Cost: sorts of the status rows of the cohort's people.
    """
    people = cohort.sort("person_id").select(
        "person_id", "entry", "exit", pl.min_horizontal("exit", "observed_until").alias("known_until")
    )
    stretches = _cover(people, status, before_first)
    last = pl.col("person_id") != pl.col("person_id").shift(-1)
    stretches = (
        stretches.join(people.select("person_id", "exit"), on="person_id", maintain_order="left")
        .with_columns(last.fill_null(True).alias("last"))
        .with_columns(pl.when("last").then("exit").otherwise("stop").alias("stop"))
        .with_columns(dose_band(bands).alias("dose_band"))
    )
    merged = _merge_equal_neighbours(stretches)
    ids = people.get_column("person_id")
    person, first_day = of_people(merged, ids)[1], days(merged, "start")
    consumed = pl.Series(Doses.of(daily, ids).consumed_before(person, first_day))
    rows = merged.join(cohort.drop("exit"), on="person_id", maintain_order="left").with_columns(
        (pl.col("start") - pl.col("entry")).cast(pl.Int64).alias("start"),
        (pl.col("stop") - pl.col("entry")).cast(pl.Int64).alias("stop"),
        (pl.col("start") - pl.col("on_since")).cast(pl.Int64).alias("days_since_start"),
        pl.when(pl.col("use_state").is_in(["recent", "former"]))
        .then(pl.col("start") - pl.col("supply_end"))
        .cast(pl.Int64)
        .alias("days_since_stop"),
        pl.when(pl.col("cumulative_mme").is_not_null()).then(consumed).alias("cumulative_mme"),
        pl.when("last").then("death").otherwise(0).cast(pl.Int64).alias("death"),
        pl.when("last").then("cause").alias("cause"),
        on_opioid(pl.col("use_state")).alias("on_opioid"),
    )
    return rows.select(*PERSON_TIME.names, *covariates)


def _cover(people: pl.DataFrame, status: pl.DataFrame, before_first: str) -> pl.DataFrame:
    """Status cut to follow-up, with the days it leaves open filled: each person's [entry, known_until) is covered."""
    inside = (
        status.join(people.select("person_id", "entry", "known_until"), on="person_id")
        .with_columns(
            pl.max_horizontal("start", "entry").alias("start"), pl.min_horizontal("stop", "known_until").alias("stop")
        )
        .filter(pl.col("start") < pl.col("stop"))
        .select("person_id", "start", "stop", pl.col("state").alias("use_state"), "mme", "on_since", *AT_START)
        .sort("person_id", "start")
    )
    begins = pl.concat(
        [
            people.select("person_id", pl.col("entry").alias("start")),
            inside.select("person_id", pl.col("stop").alias("start")),
        ]
    ).sort("person_id", "start")
    ends = pl.concat(
        [
            inside.select("person_id", pl.col("start").alias("stop")),
            people.select("person_id", pl.col("known_until").alias("stop")),
        ]
    ).sort("person_id", "stop")
    first = status.group_by("person_id").agg(pl.col("start").min().alias("first_status"))
    gaps = (
        begins.with_columns(ends["stop"])
        .filter(pl.col("start") < pl.col("stop"))
        .join(first, on="person_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("first_status").is_null() | (pl.col("start") < pl.col("first_status")))
            .then(pl.lit(before_first))
            .otherwise(pl.lit("unknown"))
            .alias("use_state")
        )
        .with_columns(
            pl.when(pl.col("use_state") == "never").then(0.0).alias("mme"),
            pl.when(pl.col("use_state") == "never").then(0.0).alias("cumulative_mme"),
            *(pl.lit(None, inside.schema[name]).alias(name) for name in ("on_since", "supply_end", "new_user")),
        )
        .select(inside.columns)
    )
    neither = pl.col("use_state").is_in(["treatment", "unknown"])
    return (
        pl.concat([inside, gaps])
        .sort("person_id", "start")
        .with_columns(
            pl.when(neither).then(None).otherwise("mme").alias("mme"),
            pl.when(pl.col("use_state") == "on").then("on_since").alias("on_since"),
        )
    )


def _merge_equal_neighbours(stretches: pl.DataFrame) -> pl.DataFrame:
    """Stretches of a person that differ in nothing analysed become one."""
    changes = pl.any_horizontal(
        *(pl.col(name).ne_missing(pl.col(name).shift()) for name in ("person_id", *EXPOSURE))
    ) | (pl.int_range(pl.len()) == 0)
    return (
        stretches.with_columns(changes.cum_sum().alias("run"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("person_id", "start", *EXPOSURE, *AT_START).first(),
            pl.col("stop", "last").last(),
        )
        .drop("run")
    )
