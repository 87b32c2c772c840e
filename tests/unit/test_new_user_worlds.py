"""Sequential trials in worlds of known hazard: the right reading finds the truth, the usual wrong ones do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from trial_world import ENTRY, PERIOD, World, observed, truth

from opioid_outcomes.contracts.estimates import Estimate
from opioid_outcomes.mortality.new_user import new_user
from opioid_outcomes.mortality.trial_estimates import Choices
from opioid_outcomes.mortality.trial_table import Rules, build
from opioid_outcomes.survival import cox

SEEDS = range(10)
HORIZON = 360
BASELINE = ["age", "pain", "depression"]
CHOICES = Choices(baseline=BASELINE, horizons=[HORIZON])
RULES = Rules(
    comparators=["non_user"],
    baseline=BASELINE,
    exclude=[],
    washout_days=180,
    lookback_days=180,
    encounter_window_days=7,
)
SMALL = 1500  # people a seed
DEADLY = World()
NULL = World(hazard_ratio=1.0, start=-3.0)

Tables = Mapping[str, pl.DataFrame]


def trials(cohort: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    made = build(cohort, tables, RULES).table
    return made.with_columns(survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String))


def estimates(table: pl.DataFrame) -> dict[tuple[str, str], Estimate]:
    return {(row.method, row.scale): row for row in new_user("non_user", table, CHOICES).rows}


@pytest.fixture(scope="module")
def deadly_world() -> list[tuple[Tables, pl.DataFrame]]:
    made = [observed(DEADLY, SMALL, seed) for seed in SEEDS]
    return [(tables, trials(cohort, tables)) for cohort, tables in made]


@pytest.fixture(scope="module")
def deadly(deadly_world: list[tuple[Tables, pl.DataFrame]]) -> list[dict[tuple[str, str], Estimate]]:
    return [estimates(table) for _, table in deadly_world]


def mean(found: list[dict[tuple[str, str], Estimate]], method: str, scale: str) -> tuple[float, float]:
    values = [rows[method, scale].estimate for rows in found]
    assert None not in values
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))  # type: ignore[arg-type]


def test_risk_difference_is_that_of_starting_against_not(deadly: list[dict[tuple[str, str], Estimate]]) -> None:
    known = truth(DEADLY, HORIZON)
    difference = known["started"] - known["not"]
    assert difference > 0.015
    found, error = mean(deadly, "overlap", "risk_difference")
    assert abs(found - difference) < 3 * error
    crude, _ = mean(deadly, "crude", "risk_difference")
    assert crude - difference > 3 * error  # confounding by indication


def test_standard_error_is_the_spread_over_seeds(deadly: list[dict[tuple[str, str], Estimate]]) -> None:
    rows = [row["overlap", "risk_difference"] for row in deadly]
    spread = float(np.std([row.estimate for row in rows], ddof=1))  # type: ignore[arg-type]
    told = float(np.mean([row.se for row in rows]))  # type: ignore[arg-type]
    assert 0.6 < told / spread < 1.6  # 10 seeds tell a spread to within 40 %


def ever_against_never(cohort: pl.DataFrame, tables: Tables) -> float:
    """Trap: the log hazard ratio from entry of those who ever use opioids, who must have lived to do so."""
    users = tables["dispensings_clean"]["person_id"].unique()
    ever = cohort["person_id"].is_in(users.implode()).to_numpy().astype(float)
    time, died = (cohort["exit"] - cohort["entry"]).to_numpy(), cohort["death"].to_numpy() == 1
    x = np.column_stack([ever, cohort["age"].to_numpy()])
    return float(cox.fit(np.zeros(len(time)), time, died, x, names=["ever", "age"]).params[0])


@pytest.fixture(scope="module")
def null() -> list[tuple[pl.DataFrame, Tables, pl.DataFrame]]:
    made = [observed(NULL, SMALL, 100 + seed) for seed in SEEDS]
    return [(cohort, tables, trials(cohort, tables)) for cohort, tables in made]


def test_immortal_time_is_not_counted(null: list[tuple[pl.DataFrame, Tables, pl.DataFrame]]) -> None:
    found = [estimates(table) for _, _, table in null]
    ratio = [np.log(rows["overlap", "risk_ratio"].estimate or np.nan) for rows in found]
    error = float(np.std(ratio, ddof=1) / np.sqrt(len(ratio)))
    assert abs(float(np.mean(ratio))) < 3 * error
    assert error < 0.05
    trap = [ever_against_never(cohort, tables) for cohort, tables, _ in null]
    assert float(np.mean(trap)) < -0.25  # protective, where opioids do nothing


def test_covariates_of_entry_leave_confounding(
    deadly_world: list[tuple[Tables, pl.DataFrame]], deadly: list[dict[tuple[str, str], Estimate]]
) -> None:
    """Trap: scores of before entry for all index dates; in this world the present score moves starting and death."""
    known = truth(DEADLY, HORIZON)
    wrong, right = [], []
    for (tables, table), rows in zip(deadly_world, deadly, strict=True):
        at_entry = tables["pain"].filter(pl.col("date") < ENTRY).select("person_id", at_entry="score")
        old = table.join(at_entry, on="person_id", how="left", maintain_order="left")
        old = old.with_columns(pain=pl.col("at_entry")).drop("at_entry")
        wrong.append(estimates(old)["overlap", "risk_difference"].estimate or np.nan)
        right.append(rows["overlap", "risk_difference"].estimate or np.nan)
    difference = known["started"] - known["not"]
    apart = np.array(wrong) - np.array(right)
    assert float(np.mean(apart)) > 3 * float(np.std(apart, ddof=1) / np.sqrt(len(apart)))
    assert float(np.mean(wrong)) - difference > float(np.mean(apart)) / 2


def test_any_use_in_a_block_is_immortal_until_it_begins() -> None:
    """Trap: blocks with any use in them against blocks without, followed from the block's first day."""
    world = replace(NULL, offset=20)
    trap, ours = [], []
    for seed in SEEDS:
        cohort, tables = observed(world, SMALL, 200 + seed)
        starts = tables["dispensings_clean"].select("person_id", trial=(pl.col("date") - ENTRY) // PERIOD).unique()
        blocks = cohort.select(
            "person_id", "exit", "death",
            trial=pl.int_ranges(0, -(-(pl.col("exit") - ENTRY) // PERIOD), dtype=pl.Int32),
        ).explode("trial").join(starts.with_columns(used=1), on=["person_id", "trial"], how="left")  # fmt: skip
        soon = (pl.col("death") == 1) & (pl.col("exit") - ENTRY - PERIOD * pl.col("trial") <= 2 * PERIOD)
        risk = dict(blocks.group_by(pl.col("used").fill_null(0)).agg(soon.mean().alias("risk")).rows())
        trap.append(np.log(risk[1] / risk[0]))
        table = trials(cohort, tables)
        table = table.with_columns(soon=(pl.col("event") == 1) & (pl.col("follow_up") <= 2 * PERIOD))
        risk = dict(table.group_by("arm").agg(pl.col("soon").mean()).rows())
        ours.append(np.log(risk[1] / risk[0]))
    assert float(np.mean(trap)) < -0.15
    assert float(np.mean(ours)) > -0.05  # crude: who starts is sicker, never healthier


def deaths_per_year(table: pl.DataFrame, until: pl.Expr) -> float:
    """Of new users, followed as long as ``until`` says."""
    rows = table.filter(pl.col("arm") == 1).with_columns(until=pl.min_horizontal("follow_up", until))
    died = (rows["event"] == 1) & (rows["until"] == rows["follow_up"])
    return float(died.sum() / rows["until"].sum() * 365.25)


def test_gaps_bridged_by_later_refills_hide_the_deaths_in_them() -> None:
    """Trap: as treated until the end of an episode in which gaps of up to 90 days are bridged, if a refill follows."""
    world = replace(NULL, refill=0.5, resume=0.4)
    trap, ours = [], []
    for seed in SEEDS:
        cohort, tables = observed(world, SMALL, 300 + seed)
        table = trials(cohort, tables)
        supply = tables["daily_dose"].sort("person_id", "start")
        gap = (pl.col("start") - pl.col("stop").shift()).over("person_id")
        episode = (gap.is_null() | (gap > 90)).cum_sum()
        merged = supply.group_by("person_id", episode.alias("episode")).agg(
            pl.col("start").min(), ends=pl.col("stop").max()
        )
        bridged = table.join(merged, left_on=["person_id", "index"], right_on=["person_id", "start"], how="left")
        whole = deaths_per_year(table, pl.col("follow_up"))
        trap.append(np.log(deaths_per_year(bridged, pl.col("ends") + 30 - pl.col("index")) / whole))
        ours.append(np.log(deaths_per_year(table, pl.col("as_treated_until")) / whole))
    error = float(np.std(ours, ddof=1) / np.sqrt(len(ours)))
    assert abs(float(np.mean(ours))) < 3 * error
    assert float(np.mean(trap)) < min(-0.1, -3 * error)
