"""Balance of those who keep to their strategies: of people who enter at any time and are followed to one last day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.mortality import as_treated as module
from opioid_outcomes.mortality.adherence import Adherence, adherence
from opioid_outcomes.mortality.adherence_balance import Judged, balanced, gate_at, weights_at
from opioid_outcomes.mortality.as_treated import as_treated
from opioid_outcomes.mortality.new_user import Compared, new_user
from opioid_outcomes.mortality.trial_arms import balance
from opioid_outcomes.mortality.trial_estimates import Choices

HORIZON, LAST_DAY = 365, 1000
CHOICES = Choices(baseline=["a", "b"], horizons=[HORIZON])
DAYS_KEPT = {0: 3000.0, 1: 250.0}  # mean time to leaving, by arm


def dates(n: int = 6000, leaving: Callable[..., np.ndarray] = lambda a, b, hidden: 1 + 0.0 * a) -> pl.DataFrame:
    """Everybody enters on day 0 and is followed to day 1000; arms by chance; new users leave their strategy earlier."""
    rng = np.random.default_rng(5)
    arm, index = rng.integers(0, 2, n), rng.integers(0, 900, n)
    a, b, hidden = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.normal(size=n)
    died = np.ceil(rng.exponential(4000, n))
    left = np.ceil(
        rng.exponential([DAYS_KEPT[each] for each in arm]) / np.where(arm == 1, leaving(a, b, hidden), 1)
    ).astype(int)  # fmt: skip
    end = np.minimum(died, LAST_DAY - index).astype(int)
    return pl.DataFrame(
        {
            "person_id": np.arange(n), "arm": arm, "index": index, "trial": index // 30, "days_since_entry": index,
            "follow_up": end, "event": (died <= LAST_DAY - index).astype(int),
            "as_treated_until": pl.Series(np.where(left < end, left, -1)).replace(-1, None),
            "a": a, "b": b, "hidden": hidden,
        }
    ).with_columns(
        cause=pl.lit(None, pl.String), survey_weight=pl.lit(None, pl.Float64), cluster=pl.lit(None, pl.String)
    )  # fmt: skip


def intervals(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.with_columns(interval=pl.int_ranges(0, -(-pl.col("until") // 30), dtype=pl.Int64))
        .explode("interval")
        .select(
            "row", "person_id", "interval", start=30 * pl.col("interval"),
            stop=pl.min_horizontal(30 * pl.col("interval") + 30, "until"),
        )
    )  # fmt: skip


def kept_of(found: Compared) -> tuple[Adherence, Judged]:
    assert found.arms is not None
    assert found.trials is not None
    design = found.arms.design
    kept = adherence(found.trials, (design.x, design.names), intervals, longest=HORIZON)
    return kept, Judged(design, found.trials.select(found.left_out))


def smd(found: Compared, kept: Adherence, judged: Judged, name: str) -> float:
    assert found.arms is not None
    assert found.outcomes is not None
    weights = weights_at(HORIZON, found.outcomes, kept, found.arms.final)
    told = balance(judged.design, judged.left_out, found.arms.arm, weights, found.arms.final)
    return abs(told.filter(pl.col("covariate") == name)["smd_after"].item())


def test_late_index_dates_do_not_look_out_of_balance() -> None:
    """Weights stabilised by time count those with little time left more, where fewer of the arm stay on."""
    found = new_user("non_user", dates(), CHOICES)
    kept, judged = kept_of(found)
    stabilised = replace(kept, staying=np.ones_like(kept.staying))
    assert smd(found, stabilised, judged, "days_since_entry") > 0.15
    assert smd(found, kept, judged, "days_since_entry") < 0.06
    told = as_treated("non_user", found, CHOICES, intervals)
    assert {row.gate for row in told} == {"pass"}


def test_the_hazard_ratio_is_of_the_longest_horizon_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = new_user("non_user", dates(), CHOICES)
    both = replace(CHOICES, horizons=[100, HORIZON])
    whole = {row.window: row for row in as_treated("non_user", found, both, intervals) if row.scale == "log_hr"}
    assert [(window, row.gate) for window, row in whole.items()] == [("0-365", "pass")]
    monkeypatch.setattr(module, "gate_at", lambda horizon, *_: "pass" if horizon == 100 else "fail: here")
    near = {row.window: row for row in as_treated("non_user", found, both, intervals) if row.scale == "log_hr"}
    alone = as_treated("non_user", found, replace(CHOICES, horizons=[100]), intervals)
    [same] = [row for row in alone if row.scale == "log_hr"]
    assert [(window, row.gate) for window, row in near.items()] == [("0-100", "pass")]
    assert (near["0-100"].persons, near["0-100"].events) == (same.persons, same.events)
    assert near["0-100"].person_years == pytest.approx(same.person_years)
    assert near["0-100"].estimate == pytest.approx(same.estimate, abs=0.02)


def test_weights_over_what_stabilises_them_are_those_who_began() -> None:
    found = new_user("non_user", dates(), CHOICES)
    kept, _ = kept_of(found)
    assert found.arms is not None
    assert found.outcomes is not None
    weights = weights_at(HORIZON, found.outcomes, kept, found.arms.final)
    for arm in (0, 1):
        rows = found.arms.arm == arm
        assert weights[rows].sum() / found.arms.final[rows].sum() == pytest.approx(1, abs=0.05)


def test_a_product_that_moves_leaving_enters_its_model() -> None:
    found = new_user("non_user", dates(leaving=lambda a, b, hidden: np.where(a == b, 2.0, 0.5)), CHOICES)
    kept, judged = kept_of(found)
    assert found.arms is not None
    assert found.outcomes is not None
    assert smd(found, kept, judged, "a x b") > 0.2
    better, told = balanced(kept, judged, found.outcomes, found.arms.final, [HORIZON])
    assert smd(found, better, judged, "a x b") < 0.1
    assert gate_at(HORIZON, told[HORIZON], found.outcomes, better, found.arms.final) == "pass"
    other = found.arms.arm[kept.row] == 0
    np.testing.assert_allclose(better.weight[other], kept.weight[other], rtol=1e-9)  # whose comparators had not moved
    assert better.refit is not None
    np.testing.assert_allclose(better.refit(np.ones(len(found.arms.arm))), better.weight, rtol=1e-6)


def test_covariates_left_out_of_the_score_are_judged() -> None:
    frame = dates(leaving=lambda a, b, hidden: np.exp(hidden))
    found = new_user("non_user", frame, CHOICES, left_out=["hidden"])
    kept, judged = kept_of(found)
    assert found.arms is not None
    assert found.outcomes is not None
    weights = weights_at(HORIZON, found.outcomes, kept, found.arms.final)
    first = balance(judged.design, judged.left_out, found.arms.arm, weights, found.arms.final)
    gate = gate_at(HORIZON, first, found.outcomes, kept, found.arms.final)
    assert gate.startswith("fail: max |SMD| 0.")
    assert "(hidden) of those who keep to their strategy" in gate
    better, _ = balanced(kept, judged, found.outcomes, found.arms.final, [HORIZON])
    assert smd(found, better, judged, "hidden") < smd(found, kept, judged, "hidden") / 2


def test_a_difference_that_does_not_exist_does_not_pass() -> None:
    found = new_user("non_user", dates(), CHOICES)
    kept, _ = kept_of(found)
    assert found.arms is not None
    assert found.outcomes is not None
    told = pl.DataFrame({"covariate": ["a", "b"], "in_score": [1.0, 1.0], "smd_after": [0.01, None]})
    gate = gate_at(HORIZON, told, found.outcomes, kept, found.arms.final)
    assert gate == "fail: no standardised difference exists of a covariate (b) of those who keep on"
