"""A marginal structural model of a large panel: processor time and memory of the weights and of the weighted Cox model.

MSM_PERSONS and MSM_PERIODS set the size; 100,000 x 60 is the one promised: 45 s and 4 GB on two cores.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import numpy as np
import pytest

from opioid_outcomes.mortality import msm
from opioid_outcomes.mortality import msm_design as made_of
from opioid_outcomes.survival import splines

pytestmark = pytest.mark.bench
PERSONS, PERIODS = int(os.environ.get("MSM_PERSONS", "10000")), int(os.environ.get("MSM_PERIODS", "60"))
BASELINE, VARYING = 10, 6
SECONDS_PER_ROW = 45 / 6e6
BYTES_PER_ROW = 4e9 / 6e6


def panel(persons: int, periods: int) -> made_of.Design:
    """People who start (2 % a month) and stop (3 %), with covariates that use moves, 1 death in 1,000 months."""
    rng = np.random.default_rng(5)
    people = rng.normal(size=(persons, BASELINE))
    on, latent = np.zeros(persons), rng.normal(size=persons)
    alive = np.ones(persons, dtype=bool)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("person", "on", "past", "x", "stop", "died", "lost")}
    history = np.zeros((persons, periods))
    for k in range(periods):
        latent = 0.8 * latent + 0.3 * on + rng.normal(0, 0.6, persons)
        past = on
        chance = np.where(past == 1, 0.97, 0.02) ** np.exp(-0.3 * (latent + 0.2 * people[:, 0]))
        on = (rng.random(persons) < chance).astype(float)
        history[:, k] = on
        died = rng.random(persons) < 0.001 * np.exp(0.5 * on + 0.3 * latent + 0.3 * people[:, 0])
        lost = ~died & (rng.random(persons) < 0.004)
        x = np.column_stack([latent, rng.normal(size=(persons, VARYING - 1))])
        days = 30 * k + np.where(died | lost, rng.integers(1, 31, persons), 30)
        for name, value in zip(columns, (np.arange(persons), on, past, x, days, died, lost), strict=True):
            columns[name].append(value[alive])
        alive = alive & ~died & ~lost
    period = np.repeat(np.arange(periods), [len(v) for v in columns["person"]])
    person = np.concatenate(columns.pop("person"))
    order = np.lexsort((period, person))
    stacked = {name: np.concatenate(values)[order].astype(float) for name, values in columns.items()}
    person, period = person[order], period[order]
    before = np.cumsum(history, axis=1) - history
    recent = before - np.where(np.arange(periods) >= 6, np.roll(before, 6, axis=1), 0)
    every = np.arange(periods, dtype=float)
    return made_of.Design(
        person=person, period=period, stop=stacked["stop"], died=stacked["died"], censored=stacked["lost"],
        treated=stacked["on"], past=stacked["past"], recent=recent[person, period], people=people,
        people_names=tuple(f"v{j}" for j in range(BASELINE)), varying=stacked["x"],
        varying_names=tuple(f"l{j}" for j in range(VARYING)),
        time=splines.natural(every, splines.knots_at(period, made_of.TIME_QUANTILES)), notes=(),
    )  # fmt: skip


def measured() -> None:
    design = panel(PERSONS, PERIODS)
    rows = len(design.person)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    began, cpu = time.perf_counter(), time.process_time()
    weights = made_of.weigh(design)
    made = time.process_time() - cpu
    values = weights.values
    del weights
    row = msm.hazard_ratio(design, values, "", [])
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{rows} rows, {design.died.sum():.0f} deaths: {cpu:.1f} s of processor ({made:.1f} weights), {took:.1f} s;"
        f" {before / 1e9:.2f} GB before, peak {peak / 1e9:.2f} GB; log HR {row.estimate:.3f} (SE {row.se:.3f})"
    )
    print(f"{cpu / rows} {peak / rows}")


def test_panel_of_sixty_months() -> None:
    """In a process of its own, whose memory is that of the analysis."""
    run = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    print(f"\n{run.stdout}{run.stderr}")
    assert run.returncode == 0
    seconds, memory = (float(word) for word in run.stdout.split()[-2:])
    assert seconds < SECONDS_PER_ROW
    if PERSONS >= 100_000:
        assert memory < BYTES_PER_ROW


if __name__ == "__main__":
    measured()
