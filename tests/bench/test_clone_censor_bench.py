"""Clones of sustained strategies: time in proportion to rows, memory, and against the regressions they are made of.

Sizes are set by CLONE_CENSOR_BENCH_ROWS (time zeros). The floor is a complementary log-log regression on the rows.
Measured: 160,000 time zeros 3.9 times as long as 40,000; 2.2 regressions; beyond the data 4.4 times the covariates.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from opioid_outcomes.causal.clone_censor import Grid, Strategy, grid
from opioid_outcomes.causal.clone_contrasts import compare
from opioid_outcomes.survival import binary_regression

pytestmark = pytest.mark.bench
ROWS = int(os.environ.get("CLONE_CENSOR_BENCH_ROWS", "40_000"))
COVARIATES, GRACE = 10, 90.0
EDGES = [0.0, 1.0, *(30.0 * k for k in range(1, 13))]
NAMES = tuple(f"x{k}" for k in range(COVARIATES))


def world(n: int) -> tuple[Grid, tuple[Strategy, Strategy], np.ndarray, np.ndarray]:
    """Five time zeros a person; who begins, stays and dies by the covariates."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, COVARIATES))
    risk = np.exp(x[:, :3] @ [0.3, 0.2, -0.2])
    begun, stays, died = (np.ceil(rng.exponential(size=n) / (rate * risk)) for rate in (0.002, 0.002, 0.0005))
    strategies = Strategy("stay", begun + stays, begins=begun, grace=GRACE), Strategy("never", begun)
    rows = grid(np.minimum(died, 360.0), (died <= 360).astype(int), EDGES)
    return rows, strategies, x[rows.person], np.arange(n) // 5


def contrast(data: tuple[Grid, tuple[Strategy, Strategy], np.ndarray, np.ndarray]) -> Any:
    rows, strategies, x, person = data
    return compare(
        rows, strategies, x, names=NAMES, bands=(30.0, 90.0), causes=1, horizons=(90.0, 180.0, 360.0), cluster=person
    )


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def test_time_is_in_proportion_to_rows() -> None:
    small, large = world(ROWS), world(4 * ROWS)
    (one, _), (four, _) = seconds(lambda: contrast(small)), seconds(lambda: contrast(large))
    print(f"\n{ROWS} time zeros {one:.2f} s, {4 * ROWS} {four:.2f} s: {four / one:.1f} times")
    assert four < 6 * one


def test_a_contrast_costs_little_more_than_its_regressions() -> None:
    rows, strategies, x, _person = data = world(2 * ROWS)
    does = (strategies[1].leaves[rows.person] < rows.edges[rows.interval + 1]).astype(float)
    floor, _ = seconds(lambda: binary_regression.fit(x, does, names=NAMES, link="cloglog"))
    took, _ = seconds(lambda: contrast(data))
    print(f"\n{len(rows.person)} rows: {took:.2f} s, one regression {floor:.2f} s: {took / floor:.1f} times")
    assert took < 8 * floor


def test_memory_is_a_small_multiple_of_the_covariates() -> None:
    data = world(2 * ROWS)
    tracemalloc.start()
    contrast(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(
        f"\n{data[2].nbytes / 1e6:.0f} MB of covariates, {peak / 1e6:.0f} MB at most: {peak / data[2].nbytes:.1f} times"
    )
    assert peak < 6 * data[2].nbytes
