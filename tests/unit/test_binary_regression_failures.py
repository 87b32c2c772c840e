"""Regressions that have no estimate say why and through which column; near misses still fit."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from opioid_outcomes.survival import binary_regression
from opioid_outcomes.survival.binary_blocks import BLOCK
from opioid_outcomes.survival.binary_regression import Link, RegressionFailure

N = 600


def simulated(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, 2, N), rng.normal(size=N)])
    return x, (rng.random(N) < 1 / (1 + np.exp(0.5 - x @ [0.5, 0.8]))).astype(int)


def failure(x: np.ndarray, y: np.ndarray, names: list[str], **arguments: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(RegressionFailure) as caught:
        binary_regression.fit(x, y, names=names, **arguments)
    return caught.value.reason, caught.value.columns


def test_nobody_and_everybody() -> None:
    x, y = simulated()
    assert failure(x, np.zeros(N), ["a", "b"]) == ("no events", ())
    assert failure(x, np.ones(N), ["a", "b"]) == ("everybody", ())
    assert failure(x, y, ["a", "b"], weights=(y == 0).astype(float)) == ("no events", ())
    assert failure(x, y, ["a", "b"], weights=y) == ("everybody", ())
    assert failure(x, y, ["a", "b"], weights=np.zeros(N)) == ("no events", ())
    assert failure(x[:0], y[:0], ["a", "b"]) == ("no events", ())


def test_constant_column() -> None:
    x, y = simulated()
    wide = np.column_stack([x, np.full(N, 0.1)])
    assert failure(wide, y, ["a", "b", "site"]) == ("no variation", ("site",))
    rare = np.column_stack([x, np.arange(N) == 5])
    assert failure(rare, y, ["a", "b", "rare"], weights=np.arange(N) != 5) == ("no variation", ("rare",))


def test_collinear_columns_are_named_the_redundant_one_last() -> None:
    x, y = simulated()
    other = np.random.default_rng(2).normal(size=N)
    wide = np.column_stack([x, other, 2 * x[:, 0] - x[:, 1] + 3])
    assert failure(wide, y, ["a", "b", "c", "sum"]) == ("collinear", ("a", "b", "sum"))


def test_columns_that_say_nothing_may_be_left_out_and_told() -> None:
    x, y = simulated()
    alone = binary_regression.fit(x, y, names=["a", "b"])
    wide = np.column_stack([np.ones(N), x[:, 0], x[:, 0], x[:, 1], 1 - x[:, 0]])
    found = binary_regression.fit(wide, y, names=["one", "a", "again", "b", "not a"], redundant="drop")
    assert found.dropped == (("one", "no variation"), ("again", "collinear"), ("not a", "collinear"))
    np.testing.assert_allclose(found.params[[0, 2, 4]], alone.params, rtol=1e-9)
    assert (found.params[[1, 3, 5]] == 0).all()
    assert (found.covariance[[1, 3, 5]] == 0).all()
    np.testing.assert_allclose(found.predict(wide), alone.fitted, rtol=1e-9)
    inside = np.ix_([0, 2, 4], [0, 2, 4])
    np.testing.assert_allclose(found.robust_covariance[inside], alone.robust_covariance, rtol=1e-8)


def test_a_start_far_off_drops_nothing() -> None:
    x, y = simulated()
    near = np.column_stack([x, x[:, 1] + 1e-2 * np.random.default_rng(7).normal(size=N)])
    found = binary_regression.fit(near, y, names=["a", "b", "c"], redundant="drop", start=[300.0, 9.0, -90.0, 40.0])
    assert not found.dropped
    np.testing.assert_allclose(found.params, binary_regression.fit(near, y, names=["a", "b", "c"]).params, rtol=1e-7)


def test_nearly_collinear_columns_fit() -> None:
    x, y = simulated()
    noise = np.random.default_rng(2).normal(size=N)
    found = binary_regression.fit(np.column_stack([x, x[:, 0] + 1e-3 * noise]), y, names=["a", "b", "c"])
    assert not found.dropped
    assert np.isfinite(found.params).all()


@pytest.mark.parametrize("link", ["logit", "cloglog"])
@pytest.mark.parametrize("rare", [False, True])
def test_quasi_separation_names_the_column(rare: bool, link: Link) -> None:
    """Nobody with the trait has the event."""
    x, y = simulated()
    without = np.flatnonzero(y == 0)
    trait = np.zeros(N)
    trait[without[:2] if rare else without[::2]] = 1
    wide = np.column_stack([x, trait])
    assert failure(wide, y, ["a", "b", "trait"], link=link) == ("separation", ("trait",))
    assert failure(wide, y, ["a", "b", "trait"], link=link, start=[0, 0, 0, -3.0]) == ("separation", ("trait",))


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_perfect_separation_names_the_column(link: Link) -> None:
    x, y = simulated()
    number = np.where(y == 1, 2.0, 1.0) + np.random.default_rng(4).uniform(0, 0.9, N)
    assert failure(np.column_stack([x, number]), y, ["a", "b", "sure"], link=link) == ("separation", ("sure",))
    assert failure(np.column_stack([x, y]), y, ["a", "b", "same"], link=link) == ("separation", ("same",))


def test_separation_by_a_sum_names_its_columns() -> None:
    """u + v tells the outcome for sure; neither does alone."""
    rng = np.random.default_rng(5)
    total, u, w = rng.normal(size=N), rng.normal(size=N), rng.normal(size=N)
    y = (total > 0.2).astype(int)
    reason, columns = failure(np.column_stack([u, total - u, 1e-3 * w]), y, ["u", "v", "w"])
    assert reason == "separation"
    assert {"u", "v"} <= set(columns)


def test_separation_in_a_combination_of_levels() -> None:
    """Men without a are all without the event: an interaction, and nobody else is told for sure."""
    x, y = simulated()
    sex = np.random.default_rng(6).integers(0, 2, N).astype(float)
    men = (sex == 1) & (x[:, 0] == 0)
    wide = np.column_stack([x, sex, sex * x[:, 0]])
    reason, columns = failure(wide, np.where(men, 0, y), ["a", "b", "sex", "sex a"])
    assert reason == "separation"
    assert set(columns) <= {"a", "sex", "sex a"}
    assert "sex" in columns


def separated(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether some direction is on one side for all and not level for all (Albert & Anderson 1984 Biometrika 71:1)."""
    sides = np.column_stack([np.ones(len(y)), x]) * np.where(y == 1, 1.0, -1.0)[:, None]
    found = linprog(-sides.sum(axis=0), A_ub=-sides, b_ub=np.zeros(len(y)), bounds=[(-1, 1)] * sides.shape[1])
    return bool(-found.fun > 1e-7)


@pytest.mark.parametrize("seed", range(150))
def test_separation_is_found_where_there_is_some_and_nowhere_else(seed: int) -> None:
    """Small tables with traits and numbers of any unit, of which a third separate; linear programming knows which."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(4, 60)), int(rng.integers(1, 6))
    traits, numbers = rng.integers(0, 2, (n, p)), rng.normal(size=(n, p)) * 10.0 ** rng.integers(-3, 4, p)
    x = np.where(rng.random(p) < 0.6, traits, numbers)
    y = (rng.random(n) < rng.uniform(0.1, 0.9)).astype(float)
    link: Link = "logit" if seed % 2 else "cloglog"
    found, reason = None, ""
    try:
        found = binary_regression.fit(x, y, names=[str(j) for j in range(p)], link=link)
    except RegressionFailure as refused:
        reason = refused.reason
    assert reason != "no convergence"
    if reason in {"", "separation"}:
        assert separated(x, y) == (reason == "separation")
    if found is not None:
        scale = np.r_[1.0, np.abs(x).max(axis=0)]
        np.testing.assert_allclose(found.scores().sum(axis=0) / scale, 0, atol=1e-7)
        assert np.isfinite(found.robust_covariance).all()


def test_a_ridge_has_an_estimate_whatever_the_columns() -> None:
    x, y = simulated()
    wide = np.column_stack([x, x[:, 0], np.ones(N), y, np.where(y == 1, 0, np.arange(N) == np.argmin(y))])
    found = binary_regression.fit(wide, y, names=["a", "b", "again", "one", "same", "rare"], ridge=0.01)
    assert np.isfinite(found.params).all()
    assert np.isfinite(found.robust_covariance).all()
    assert found.params[1] == pytest.approx(found.params[3])
    assert found.params[4] == 0
    assert failure(wide, np.ones(N), [*"abcdef"], ridge=0.01) == ("everybody", ())


def test_strong_but_finite_effect_is_no_separation() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, 40_000)
    y = rng.random(40_000) < 1 / (1 + np.exp(6.0 - 12.0 * x))
    found = binary_regression.fit(x[:, None], y, names=["x"])
    assert abs(found.params[1] - 12.0) < 3 * np.sqrt(found.covariance[1, 1])


def test_one_event() -> None:
    x, _ = simulated()
    y = np.zeros(N)
    y[np.argsort(x[:, 1])[300]] = 1
    found = binary_regression.fit(x[:, 1:], y, names=["b"])
    assert found.fitted.sum() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize(("change", "says"), [
    ({"x": np.full((N, 2), np.nan)}, "known and finite"), ({"weights": np.full(N, -1.0)}, "at least 0"),
    ({"weights": np.full(N, np.inf)}, "known and finite"), ({"offset": np.full(N, np.nan)}, "known and finite"),
    ({"y": np.full(N, 2)}, "0 or 1"), ({"y": np.full(N, np.nan)}, "0 or 1"),
    ({"weights": np.ones(3)}, "weights must have 600 values"), ({"names": ["a"]}, "1 named columns"),
    ({"link": "probit"}, "logit or cloglog"), ({"ridge": -1}, "ridge"), ({"ridge": np.nan}, "ridge"),
    ({"start": [1.0]}, "3 finite numbers"),
])  # fmt: skip
def test_senseless_arguments(change: dict[str, Any], says: str) -> None:
    x, y = simulated()
    arguments: dict[str, Any] = {"x": x, "y": y, "names": ["a", "b"], **change}
    with pytest.raises(ValueError, match=says):
        binary_regression.fit(**arguments)


def test_very_many_rows_fail_alike() -> None:
    """Where the search begins from a share of the rows: a column rare, constant or separating there or elsewhere."""
    rng = np.random.default_rng(8)
    n = 26 * BLOCK
    x = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    y = (rng.random(n) < 1 / (1 + np.exp(1 - x @ [0.5, 0.4]))).astype(int)
    late = np.zeros(n)
    late[BLOCK + 5 : BLOCK + 45] = 1  # nobody of the share has it
    found = binary_regression.fit(np.column_stack([x, late]), y, names=["a", "b", "late"])
    design = np.column_stack([np.ones(n), x, late])
    np.testing.assert_allclose(design.T @ (y - found.fitted), 0, atol=1e-6)
    again = np.column_stack([x, late, x[:, 0] - late])
    assert failure(again, y, ["a", "b", "late", "sum"]) == ("collinear", ("a", "late", "sum"))
    assert failure(np.column_stack([x, late * y]), y, ["a", "b", "sure"]) == ("separation", ("sure",))
    trait = y * (rng.random(n) < 0.5)
    assert failure(np.column_stack([x, trait]), y, ["a", "b", "sure"]) == ("separation", ("sure",))


SCRIPT = """
import hashlib
import numpy as np
from opioid_outcomes.survival import binary_regression

rng = np.random.default_rng(1)
n, p = 60_000, {columns}
x = rng.normal(size=(n, p))
y = rng.random(n) < 0.2
names = [f"x{{j}}" for j in range(p)]
found = binary_regression.fit(x, y, names=names, cluster=np.arange(n) // 3, weights=rng.random(n))
numbers = (found.params, found.covariance, found.robust_covariance, found.fitted, np.array([found.loglik]))
print(hashlib.sha256(b"".join(values.tobytes() for values in numbers)).hexdigest())
"""


def digest(threads: int, columns: int) -> str:
    limit = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(columns=columns)], env=os.environ | limit, capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.mark.parametrize("columns", [1, 12, 40, 70])
def test_threads_do_not_change_a_bit(columns: int) -> None:
    assert digest(1, columns) == digest(2, columns)
