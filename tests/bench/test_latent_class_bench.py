"""Latent classes from 20 starts against one start of R's flexmix, in the same run.

flexmix takes minutes at the full size; LATENT_CLASS_PERSONS=50000 asks for it, the default ends in two minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.trajectories.latent_class import fit, observe
from opioid_outcomes.trajectories.selection import select

pytestmark = pytest.mark.bench
PERSONS = int(os.environ.get("LATENT_CLASS_PERSONS", "10000"))
MONTHS, CLASSES, STARTS = 24, 4, 20

FLEXMIX = """
suppressMessages(library(flexmix))
set.seed(1)
rows <- read.csv(commandArgs(TRUE)[1])
took <- system.time(found <- flexmix(y ~ month + I(month^2) | person, data = rows, k = 4))
cat(took[["elapsed"]], found@logLik, length(found@prior), "\\n")
"""


def four_classes(persons: int) -> pl.DataFrame:
    """Four quadratic courses that overlap; people of a class differ in level."""
    rng = np.random.default_rng(7)
    u = np.linspace(-1, 1, MONTHS)
    curves = np.array([[1.0, 0, 0], [2.0, 0.8, 0], [3.0, -0.8, -0.3], [3.5, 0.2, 0.2]]) @ np.vstack([u**0, u, u**2])
    member = rng.choice(CLASSES, persons, p=[0.4, 0.3, 0.2, 0.1])
    level = 0.3 * rng.normal(size=(persons, 1))
    spread = np.array([0.5, 0.7, 0.9, 0.6])[member][:, None]
    y = curves[member] + level + spread * rng.normal(size=(persons, MONTHS))
    person, month = np.repeat(np.arange(persons), MONTHS), np.tile(np.arange(MONTHS), persons)
    return pl.DataFrame({"person": person, "month": month, "y": y.ravel()})


def test_fifty_times_faster_than_one_start_of_flexmix_and_no_worse(tmp_path: Path) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("R is not here")
    script, csv = tmp_path / "flexmix.R", tmp_path / "rows.csv"
    rows = four_classes(PERSONS)
    rows.write_csv(csv)
    script.write_text(FLEXMIX)
    began = time.perf_counter()
    ours = fit(observe(rows["person"], rows["month"], rows["y"]), CLASSES, starts=STARTS, seed=1)
    own = time.perf_counter() - began
    done = subprocess.run(["Rscript", str(script), str(csv)], capture_output=True, text=True, check=False)
    if "there is no package called" in done.stderr:
        pytest.skip("flexmix is not here")
    other, loglik, left = (float(each) for each in done.stdout.split())
    print(
        f"\nlatent classes, {PERSONS} x {MONTHS} months, {CLASSES} classes: ours {own:.2f} s for {STARTS} starts,"
        f" log-likelihood {ours.loglik:.1f}; flexmix {other:.1f} s for one, {loglik:.1f}, {left:.0f} classes left;"
        f" {other / own:.0f}x"
    )
    assert ours.converged
    assert ours.loglik >= loglik - 1e-6 * abs(loglik)
    assert other > 50 * own
    assert own < 5


@pytest.mark.parametrize("shape", ["quadratic", "spline"])
def test_one_to_six_classes_of_five_thousand_people(shape: Any) -> None:
    rows = four_classes(5000)
    began = time.process_time()
    select(observe(rows["person"], rows["month"], rows["y"], shape), 6, starts=STARTS, seed=1)
    took = time.process_time() - began
    print(f"\none to six {shape} classes, 5000 persons: {took:.2f} s")
    assert took < 6  # processor time of both cores: 3 s on the clock
