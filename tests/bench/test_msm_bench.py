"""The whole marginal structural model of a large panel: processor time and memory, from its tables to its rows.

MSM_PERSONS and MSM_PERIODS set the size; 100,000 x 60 is the one promised: 45 s of processor and 4 GB.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.mortality import msm_design, msm_gates
from opioid_outcomes.mortality.msm import Answer, conditional, hazard_ratio, msm

pytestmark = pytest.mark.bench
PERSONS, PERIODS = int(os.environ.get("MSM_PERSONS", "10000")), int(os.environ.get("MSM_PERIODS", "60"))
BASELINE, VARYING = 10, 4
SECONDS_PER_ROW = 45 / 6e6
BYTES_PER_ROW = 4e9 / 6e6
TABLES = ("panel", "person_time", "cohort")


def tables(persons: int, periods: int) -> dict[str, pl.DataFrame]:
    """People who start (2 % a month) and stop (3 %), with covariates that use moves, 1 death in 1,000 months."""
    rng = np.random.default_rng(5)
    people = rng.normal(size=(persons, BASELINE))
    on, latent = np.zeros(persons), rng.normal(size=persons)
    alive, parts = np.ones(persons, dtype=bool), []
    left, why = np.full(persons, 30 * periods), np.full(persons, "study end", dtype=object)
    for k in range(periods):
        latent = 0.8 * latent + 0.3 * on + rng.normal(0, 0.6, persons)
        chance = np.where(on == 1, 0.97, 0.02) ** np.exp(-0.3 * (latent + 0.2 * people[:, 0]))
        on = (rng.random(persons) < chance).astype(float)
        died = alive & (rng.random(persons) < 0.001 * np.exp(0.5 * on + 0.3 * latent + 0.3 * people[:, 0]))
        lost = alive & ~died & (rng.random(persons) < 0.004)
        left = np.where(died | lost, 30 * k + rng.integers(1, 31, persons), left)
        why = np.where(died, "death", np.where(lost, "end of observation", why))
        pain = np.where(rng.random(persons) < 0.7, np.clip(5 + latent, 0, 10), np.nan)
        columns = {
            "person_id": np.arange(persons), "period": np.full(persons, k), "pain": pain, "mme": 30 * on,
            "pain_observed": (~np.isnan(pain)).astype(np.int64), "on_opioid": on.astype(np.int64),
            "death": died.astype(np.int64),
        }  # fmt: skip
        columns |= {f"v{j}": people[:, j] for j in range(BASELINE)}
        columns |= {f"l{j}": latent if j == 0 else rng.normal(size=persons) for j in range(VARYING)}
        parts.append(pl.DataFrame(columns).with_columns(pl.col("pain").fill_nan(None)).filter(pl.Series(alive)))
        alive = alive & ~died & ~lost
    ids = {"person_id": np.arange(persons)}
    first = parts[0].select("person_id", "on_opioid", start=pl.lit(0), days_since_start=pl.lit(0))
    cohort = pl.DataFrame(ids | {"entry": np.full(persons, 1000), "exit": 1000 + left, "exit_reason": why.tolist()})
    return {"panel": pl.concat(parts).sort("person_id", "period"), "person_time": first, "cohort": cohort}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def analysed(panel: pl.DataFrame, person_time: pl.DataFrame, cohort: pl.DataFrame) -> Answer:
    return msm(
        panel, person_time, cohort, baseline=[f"v{j}" for j in range(BASELINE)],
        time_varying=[f"l{j}" for j in range(VARYING)], missing="indicator", horizons=[30, 180, 365, 1825],
        truncation=[0, 100], exposure="time_varying",
    )  # fmt: skip


def measured(folder: Path) -> None:
    read = [pl.read_parquet(folder / f"{name}.parquet") for name in TABLES]
    rows, before = read[0].height, peak()
    began, cpu = time.perf_counter(), time.process_time()
    found = analysed(*read)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    gates = [f"{row.scale} {row.window} {row.method}: {row.gate}" for row in found.rows]
    print(f"{rows} rows: msm() {cpu:.1f} s of processor, {took:.1f} s; {before / 1e9:.2f} GB before,"
          f" peak {peak() / 1e9:.2f} GB", *gates, sep="\n  ")  # fmt: skip
    if "parts" in sys.argv:
        parts(*read)
    print(f"{cpu / rows} {peak() / rows}")


def parts(panel: pl.DataFrame, person_time: pl.DataFrame, cohort: pl.DataFrame) -> None:
    began = time.process_time()

    def step(name: str) -> None:
        nonlocal began
        print(f"  {name}: {time.process_time() - began:.1f} s")
        began = time.process_time()

    rows = msm_design.follow_up(panel, person_time, cohort)
    step("follow-up")
    names = [f"v{j}" for j in range(BASELINE)], [f"l{j}" for j in range(VARYING)]
    design = msm_design.build(rows, *names, complete=False)
    step("design")
    weights = msm_design.weigh(design)
    step("weights")
    msm_gates.gate(design, weights)
    step("gate")
    hazard_ratio(design, weights.values, "", [])
    step("one weighted Cox model")
    conditional(design)
    step("conditional Cox model")


def test_panel_of_sixty_months(tmp_path: Path) -> None:
    """In a process of its own, whose memory is that of the analysis."""
    for name, table in tables(PERSONS, PERIODS).items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    run = subprocess.run([sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=False)
    print(f"\n{run.stdout}{run.stderr}")
    assert run.returncode == 0
    seconds, memory = (float(word) for word in run.stdout.split()[-2:])
    assert seconds < SECONDS_PER_ROW
    if PERSONS >= 100_000:
        assert memory < BYTES_PER_ROW


if __name__ == "__main__":
    measured(Path(sys.argv[1]))
