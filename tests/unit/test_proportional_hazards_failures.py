"""Tests of proportional hazards that the data cannot make: null, never a chi-square of rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opioid_outcomes.survival import cox

N = 400
TRANSFORMS: tuple[Any, ...] = ("km", "identity", "log")


def rare_at_one_time(seed: int) -> cox.CoxFit:
    """A trait that some have who all leave on one day, when one of them and another die."""
    rng = np.random.default_rng(seed)
    stop, died = np.ceil(rng.exponential(100, N) + 5), (rng.random(N) < 0.1).astype(int)
    x = rng.normal(size=N) * 10 ** rng.uniform(-2, 3) + rng.choice([0, 100, 1e4])
    rare, many = np.zeros(N), int(rng.integers(2, 6))
    died[: many + 1], rare[:many], stop[: many + 1] = 0, 1, 3
    died[[0, many]] = 1
    return cox.fit(
        None, stop, died, np.column_stack([x, rare]), names=["x", "rare"], weights=rng.exponential(1, N)
    )  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_column_that_varies_at_one_time_only_tells_nothing_of_time(transform: Any) -> None:
    for seed in (0, 3, 4, 5, 8, 190):
        told = rare_at_one_time(seed).test_proportional_hazards(transform)
        assert told["chi_square"].is_null().to_list() == [False, True, False]
        assert told["p_value"].is_null().to_list() == [False, True, False]
        assert told["degrees"].to_list() == [1, 1, 1]
        assert told["chi_square"][2] == pytest.approx(told["chi_square"][0], rel=1e-9)  # all is what is left: x
        assert 0 <= told["chi_square"][0] < 30


def test_all_deaths_on_one_day_tell_nothing() -> None:
    rng = np.random.default_rng(1)
    stop, died = np.ceil(rng.exponential(100, N) + 5), (rng.random(N) < 0.1).astype(int)
    stop[died == 1] = 50.0
    fitted = cox.fit(None, stop, died, rng.normal(size=(N, 2)), names=["x", "z"])
    for transform in TRANSFORMS:
        told = fitted.test_proportional_hazards(transform)
        assert told["chi_square"].to_list() == told["p_value"].to_list() == [None, None, None]
        assert told["degrees"].to_list() == [1, 1, 0]


def test_what_cannot_be_asked() -> None:
    rng = np.random.default_rng(2)
    stop, died = np.ceil(rng.exponential(10, N)) - 1, rng.integers(0, 2, N)
    fitted = cox.fit(None, stop, died, rng.normal(size=(N, 1)), names=["x"])
    assert fitted.test_proportional_hazards("identity")["p_value"].is_not_null().all()
    with pytest.raises(ValueError, match="needs events after time 0"):
        fitted.test_proportional_hazards("log")
    with pytest.raises(ValueError, match="km, log or identity"):
        fitted.test_proportional_hazards("rank")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="residuals must be one of martingale"):
        fitted.residuals("deviance")  # type: ignore[arg-type]
