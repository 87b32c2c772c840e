"""``mortality.current_use`` split: by time since start, kind of user, dose, lag - on people whose hazards are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.contrasts import ON_OFF
from opioid_outcomes.mortality.current_use import current_use
from opioid_outcomes.mortality.dose_response import dose_response
from opioid_outcomes.mortality.immortal_time import ever_against_never
from opioid_outcomes.mortality.proportionality import proportional_hazards

DAYS = 720
BASE = 1 / 2000  # deaths a day off opioids


def world(seed: int, n: int, ratio: np.ndarray, *, mme: np.ndarray | None = None, new: float = 1.0) -> pl.DataFrame:
    """People who start on a day of their first year, and stay on. ``ratio``: hazard ratio by days since start (2-d: by
    person too); a third never start. One row off, one on; death by inverting the cumulative hazard."""
    rng = np.random.default_rng(seed)
    start = np.where(rng.random(n) < 1 / 3, DAYS, rng.integers(1, 365, n))
    since = np.arange(DAYS)[None, :] - start[:, None]
    of_each = np.broadcast_to(ratio, (n, DAYS))
    hazard = BASE * np.where(since >= 0, np.take_along_axis(of_each, np.maximum(since, 0), axis=1), 1.0)
    dead = np.cumsum(hazard, axis=1) >= rng.exponential(size=n)[:, None]
    exit_ = np.where(dead.any(axis=1), np.argmax(dead, axis=1) + 1, DAYS)
    death = dead.any(axis=1).astype(int)
    ever = start < exit_
    dose = np.full(n, 30.0) if mme is None else mme
    off = pl.DataFrame(
        {"person_id": np.arange(n), "start": 0, "stop": np.where(ever, start, exit_), "death": np.where(ever, 0, death)}
    ).with_columns(
        on_opioid=0, use_state=pl.lit("never"), mme=0.0, dose_band=pl.lit("none"),
        days_since_start=pl.lit(None, pl.Int64), new_user=pl.lit(None, pl.Int64),
    )  # fmt: skip
    on = (
        pl.DataFrame({"person_id": np.arange(n), "start": start, "stop": exit_, "death": death, "mme": dose})
        .with_columns(
            on_opioid=1, use_state=pl.lit("on"), days_since_start=0,
            new_user=pl.Series((rng.random(n) < new).astype(int)),
            dose_band=pl.when(pl.col("mme") < 50).then(pl.lit("<50")).otherwise(pl.lit(">=50")),
        )
        .filter(pl.Series(ever))
    )  # fmt: skip
    columns = [
        "person_id",
        "start",
        "stop",
        "death",
        "on_opioid",
        "use_state",
        "mme",
        "days_since_start",
        "dose_band",
        "new_user",
    ]
    whole = [
        pl.col(column).cast(pl.Int64)
        for column in ("start", "stop", "death", "on_opioid", "days_since_start", "new_user")
    ]
    rows = pl.concat([off.with_columns(whole).select(columns), on.with_columns(whole).select(columns)])
    nothing = {name: pl.lit(None, pl.String) for name in ("stratum", "cluster", "cause")}
    return rows.sort("person_id", "start").with_columns(
        survey_weight=pl.lit(None, pl.Float64), baseline_user=pl.lit(0), **nothing
    )


def found(
    rows: list[Estimate], contrast: str, window: str = "", method: str = "crude", scale: str = "log_hr"
) -> Estimate:
    [row] = [
        row for row in rows if (row.contrast, row.window, row.method, row.scale) == (contrast, window, method, scale)
    ]
    return row


def recovers(row: Estimate, truth: float) -> bool:
    assert row.gate == "pass", row.gate
    return abs(row.estimate - truth) < 3 * row.se


DECAYING = np.where(np.arange(DAYS) < 30, 4.0, np.where(np.arange(DAYS) < 180, 1.5, 1.0))


def test_the_ratio_by_time_since_start_is_the_planted_one_and_their_average_is_not() -> None:
    rows = current_use(world(1, 12_000, DECAYING), [], "indicator", exposure="time_varying")
    for window, truth in (("0-30", 4.0), ("31-180", 1.5), ("181-", 1.0)):
        row = found(rows, "on vs off", window)
        assert recovers(row, np.log(truth)), window
        assert row.se < 0.2
        rate = found(rows, "on", window, scale="rate_per_1000py")
        assert rate.estimate == pytest.approx(365_250 * BASE * truth, rel=0.15)
    overall = found(rows, "on vs off")
    assert abs(overall.estimate - np.log(4.0)) > 5 * overall.se
    assert abs(overall.estimate) > 2 * overall.se


def test_depletion_is_seen_where_new_users_stand_apart() -> None:
    """Prevalent users are survivors of the first months: the same drug, another ratio."""
    new = world(2, 6_000, DECAYING, new=1.0)
    late = np.where(np.arange(DAYS) < 10_000, 1.0, 1.0)
    prevalent = world(3, 6_000, late, new=0.0).with_columns(pl.col("person_id") + 100_000)
    rows = current_use(pl.concat([new, prevalent]), [], "indicator", exposure="time_varying")
    assert found(rows, "new user on vs off").estimate > 0.3
    assert recovers(found(rows, "prevalent user on vs off"), 0.0)


def test_dose_bands_and_the_curve_find_the_planted_slope() -> None:
    """Log hazard ratio 0.01 per MME."""
    rng = np.random.default_rng(7)
    dose = rng.choice([10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 100.0], 12_000)
    time = world(4, 12_000, np.exp(0.01 * dose)[:, None] * np.ones((1, DAYS)), mme=dose)
    rows = current_use(time, [], "indicator", exposure="time_varying", bands=["<50", ">=50"])
    low, high = (found(rows, f"on at {band} MME vs off") for band in ("<50", ">=50"))
    assert recovers(low, 0.25)
    assert recovers(high, 0.8)
    curve = dose_response(time, [], "indicator")
    assert tuple(curve.columns) == DISPLAYS["dose_response"].columns
    assert curve["mme"].min() == 10
    assert curve["mme"].max() == 100
    inside = (curve["ci_low"] <= 0.01 * curve["mme"]) & (0.01 * curve["mme"] <= curve["ci_high"])
    assert inside.mean() > 0.8
    assert curve["persons"].is_sorted(descending=True)


def test_a_dose_known_of_nobody_has_no_curve() -> None:
    time = world(4, 500, np.ones(DAYS)).with_columns(mme=pl.when(pl.col("on_opioid") == 0).then(0.0))
    assert dose_response(time, [], "indicator").is_empty()


def dying(seed: int, n: int = 8_000) -> pl.DataFrame:
    """Opioids do nothing, but two of three people who will die get them in their last 20 days; a fifth of all have
    them from a random day on."""
    rng = np.random.default_rng(seed)
    time = rng.exponential(1 / BASE, n)
    exit_, death = np.minimum(np.ceil(time), DAYS).astype(int), (time < DAYS).astype(int)
    start = np.where(rng.random(n) < 0.2, rng.integers(1, DAYS, n), DAYS)
    terminal = (death == 1) & (rng.random(n) < 2 / 3)
    start = np.where(terminal, np.minimum(start, np.maximum(exit_ - 20, 1)), start)
    rows = world(seed, 2, np.ones(DAYS)).clear()
    ever = start < exit_
    people = pl.DataFrame(
        {"person_id": np.arange(n), "begin": np.minimum(start, exit_), "exit": exit_, "dies": death, "ever": ever}
    )
    shape = {
        name: pl.lit(None, rows.schema[name])
        for name in rows.columns
        if name not in ("person_id", "start", "stop", "death", "on_opioid")
    }
    off = people.select(
        "person_id",
        start=pl.lit(0, pl.Int64),
        stop="begin",
        death=pl.when("ever").then(0).otherwise("dies").cast(pl.Int64),
        on_opioid=pl.lit(0, pl.Int64),
        **shape,
    )
    on = people.filter("ever").select(
        "person_id",
        start="begin",
        stop="exit",
        death=pl.col("dies").cast(pl.Int64),
        on_opioid=pl.lit(1, pl.Int64),
        **shape,
    )
    return (
        pl.concat([off, on])
        .with_columns(
            use_state=pl.when(pl.col("on_opioid") == 1).then(pl.lit("on")).otherwise(pl.lit("never")),
            days_since_start=pl.when(pl.col("on_opioid") == 1).then(0).cast(pl.Int64),
        )
        .sort("person_id", "start")
    )


def test_a_lag_takes_out_treatment_because_of_dying() -> None:
    rows = current_use(dying(5), [], "indicator", exposure="time_varying", lags=[0, 30])
    assert found(rows, "on vs off").estimate > 1.0
    assert recovers(found(rows, "on vs off", method="crude_lag_30"), 0.0)


def test_the_trap_protects_where_opioids_do_nothing_and_is_marked() -> None:
    trap, right = [], []
    for seed in range(10):
        time = world(seed, 1_500, np.ones(DAYS))
        row = ever_against_never(time)
        assert row.gate.startswith("fail: by design")
        trap.append(row.estimate)
        right.append(found(current_use(time, [], "indicator", exposure="time_varying"), "on vs off").estimate)
    assert np.mean(trap) < -0.3
    assert abs(np.mean(right)) < 3 * np.std(right, ddof=1) / np.sqrt(10)


def test_hazards_that_change_are_seen_by_the_test_and_constant_ones_are_not() -> None:
    changing = proportional_hazards(world(1, 12_000, DECAYING), ON_OFF, [], "indicator")
    constant = proportional_hazards(world(8, 12_000, np.full(DAYS, 1.6)), ON_OFF, [], "indicator")
    assert changing.schema == DISPLAYS["proportional_hazards"].schema
    assert changing.filter(pl.col("method") == "crude")["p_value"].item() < 1e-3
    assert constant.filter(pl.col("method") == "crude")["p_value"].item() > 0.01


def test_a_group_of_nobody_is_refused_once() -> None:
    rows = current_use(world(1, 300, np.ones(DAYS), new=1.0), [], "indicator", exposure="time_varying")
    refused = [row for row in rows if "prevalent" in row.contrast and row.scale == "log_hr"]
    assert [row.gate for row in refused] == ["not evaluable: nobody in group 'prevalent user on'"]


def test_deaths_all_on_one_day_make_no_row_and_no_crash() -> None:
    time = world(1, 3_000, np.full(DAYS, 1.6))
    day = time["stop"].max()
    died = pl.col("death") == 1
    there = time.with_columns(  # everybody is followed until then, and the dead die then
        stop=pl.when(died | (pl.col("stop") == pl.col("stop").max().over("person_id"))).then(day).otherwise("stop")
    )
    assert proportional_hazards(there, ON_OFF, [], "indicator").height == 0


def test_a_hazard_ratio_whose_error_is_rounding_is_refused() -> None:
    """One person's rows add up to nothing."""
    rows = current_use(
        world(1, 3_000, np.full(DAYS, 1.6)).with_columns(person_id=pl.lit("a")),
        [],
        "indicator",
        exposure="time_varying",
    )
    assert all(row.estimate is None or (row.se or 0) > 1e-6 for row in rows if row.scale == "log_hr")
