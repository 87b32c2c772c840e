"""Effects by lag equal R's stacked estimating equations, and cases at the edge."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal import nested_mean
from opioid_outcomes.causal.nested_mean import Lag, Later, NestedMean, RegressionFailure

REFERENCE = Path(__file__).parents[1] / "reference" / "causal"
EXPECTED = json.loads((REFERENCE / "nested_mean.json").read_text())
NAMES = ("pain", "dose", "m")
LAGS = 4


@cache
def rows() -> tuple[dict[str, np.ndarray], pl.DataFrame]:
    frame = pl.read_csv(REFERENCE / "nested_mean.csv", null_values="NA")
    columns = {name: frame[name].cast(pl.Float64).to_numpy() for name in frame.columns}
    return columns, pl.read_csv(REFERENCE / "nested_mean_later.csv")


def reference_lags(*, modified: bool = False, observed: bool = True) -> list[Lag]:
    d, later = rows()
    found = []
    for lag in range(1, LAGS + 1):
        part = later.filter(pl.col("outcome") == lag)
        step = part["step"].to_numpy().astype(float)
        columns = [step, step * part["m"].to_numpy()] if modified else [step]
        after = Later(part["row"].to_numpy(), part["lag"].to_numpy(), np.column_stack(columns))
        found.append(Lag(d[f"y{lag}"], after, d[f"could{lag}"] == 1 if observed else None))
    return found


def fitted(kind: str, lags: list[Lag] | None = None, **options: object) -> NestedMean:
    d, _ = rows()
    modified, observed = kind == "modified", kind != "plain"
    given: dict[str, object] = {
        "names": NAMES, "person": d["person"], "observation": observed,
        "modifiers": d["m"][:, None] if modified else None, "weights": d["weight"] if modified else None,
    }  # fmt: skip
    x = np.column_stack([d[name] for name in NAMES])
    return nested_mean.fit(
        x, d["change"], lags or reference_lags(modified=modified, observed=observed), **(given | options)
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["plain", "observed", "modified"])
def test_effects_and_their_covariance_equal_the_stacked_equations_of_r(kind: str) -> None:
    joint = fitted(kind).joint()
    np.testing.assert_allclose(joint.values, EXPECTED[kind], rtol=1e-8)
    expected = np.array(EXPECTED[f"{kind}_covariance"])
    np.testing.assert_allclose(joint.covariance.ravel(), expected, rtol=1e-6, atol=1e-6 * expected.max())
    np.testing.assert_allclose(np.sqrt(np.diag(joint.covariance)), np.sqrt(expected[:: len(joint.values) + 1]), 1e-6)


def test_a_mean_over_lags_has_the_error_of_both() -> None:
    found = fitted("observed")
    mean = found.mean([2, 3])
    covariance = np.array(EXPECTED["observed_covariance"]).reshape(LAGS, LAGS)
    assert mean.estimate == pytest.approx(np.mean(EXPECTED["observed"][1:3]), rel=1e-8)
    assert mean.se == pytest.approx(np.sqrt(covariance[1:3, 1:3].sum() / 4), rel=1e-6)
    assert fitted("modified").mean([4], 1).estimate == pytest.approx(EXPECTED["modified"][7], rel=1e-8)


def test_the_order_of_rows_and_far_columns_make_no_difference() -> None:
    d, _ = rows()
    order = np.random.default_rng(0).permutation(len(d["person"]))
    place = np.argsort(order)
    lags = [
        Lag(lag.outcome[order], replace(lag.later, row=place[lag.later.row]), lag.eligible[order])
        for lag in reference_lags()
    ]
    x = np.column_stack([d["pain"], d["dose"] * 1e3 + 1e7, d["m"], d["m"] * 2])[order]
    found = nested_mean.fit(
        x, d["change"][order], lags, names=[*NAMES, "again"], person=d["person"][order] + 0.5
    )  # fmt: skip
    expected = fitted("observed")
    np.testing.assert_allclose(found.psi, expected.psi, rtol=1e-7)
    np.testing.assert_allclose(found.joint().covariance, expected.joint().covariance, rtol=1e-6)
    assert [name for name, _ in found.dropped] == ["again"]


def test_a_weight_counts_like_so_many_rows_and_none_like_no_row() -> None:
    d, _ = rows()
    weights = np.where(d["person"] % 3 == 0, 0.0, 1.0)
    kept = weights > 0
    place = np.cumsum(kept) - 1
    lags = []
    for lag in reference_lags():
        inside = kept[lag.later.row]
        after = Later(place[lag.later.row[inside]], lag.later.lag[inside], lag.later.step[inside])
        lags.append(Lag(lag.outcome[kept], after, lag.eligible[kept]))
    x = np.column_stack([d[name] for name in NAMES])
    alone = nested_mean.fit(x[kept], d["change"][kept], lags, names=NAMES, person=d["person"][kept])
    found = fitted("observed", weights=weights)
    np.testing.assert_allclose(found.psi, alone.psi, rtol=1e-9)
    np.testing.assert_allclose(found.joint().covariance, alone.joint().covariance, rtol=1e-8)
    assert found.people == alone.people
    twice = fitted("observed", weights=np.full(len(kept), 2.0))
    np.testing.assert_allclose(twice.psi, fitted("observed").psi, rtol=1e-9)
    np.testing.assert_allclose(twice.joint().covariance, fitted("observed").joint().covariance, rtol=1e-8)


def test_a_lag_without_outcomes_leaves_its_steps_to_the_next() -> None:
    """Steps 2 months before an outcome act as those 3 months before: the same as if they had been told as that."""
    lags = reference_lags()
    lags[1] = replace(lags[1], outcome=np.full(len(lags[1].outcome), np.nan))
    found = fitted("observed", lags)
    assert found.reasons == [None, "no outcome", None, None]
    assert found.acts_as.tolist() == [1, 3, 3, 4]
    assert found.psi[1, 0] == 0
    assert found.mean([2]).reason == nested_mean.NO_EFFECT
    assert found.mean([2, 3]).estimate == found.psi[2, 0]
    told = [replace(lag, later=replace(lag.later, lag=np.where(lag.later.lag == 2, 3, lag.later.lag))) for lag in lags]
    np.testing.assert_array_equal(fitted("observed", told).psi, found.psi)
    assert (found.psi[2, 0], found.psi[3, 0]) != (fitted("observed").psi[2, 0], fitted("observed").psi[3, 0])


def test_lags_without_outcomes_at_the_end_have_no_effect() -> None:
    lags = reference_lags()
    lags[3] = replace(lags[3], outcome=np.full(len(lags[3].outcome), np.nan))
    found = fitted("observed", lags)
    assert found.reasons == [None, None, None, "no outcome"]
    assert found.acts_as.tolist() == [1, 2, 3, 0]
    np.testing.assert_array_equal(found.psi[:3], fitted("observed").psi[:3])


@pytest.mark.parametrize(
    ("steps", "reason"), [(np.zeros(200), "no events"), (np.ones(200), "everybody"), (np.zeros(0), "no events")]
)
def test_nobody_or_everybody_takes_a_step(steps: np.ndarray, reason: str) -> None:
    n = len(steps)
    x = np.random.default_rng(1).normal(size=(n, 1))
    with pytest.raises(RegressionFailure, match=reason):
        nested_mean.fit(x, steps, [Lag(np.zeros(n))], names=["x"], person=np.arange(n))


def small(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 1))
    steps = (rng.random(n) < 1 / (1 + np.exp(1 - x[:, 0]))).astype(float)
    return x, steps, x[:, 0] + 0.5 * steps + rng.normal(size=n)


def one_lag(x: np.ndarray, steps: np.ndarray, y: np.ndarray, **options: object) -> NestedMean:
    names = [f"x{number}" for number in range(x.shape[1])]
    return nested_mean.fit(x, steps, [Lag(y)], names=names, person=np.arange(len(y)), **options)  # type: ignore[arg-type]


def test_the_same_outcome_in_everybody_says_nothing_of_its_error() -> None:
    x, steps, y = small()
    assert one_lag(x, steps, np.full(len(y), 0.1 + 0.2)).reasons == ["constant"]


def test_too_few_in_either_arm() -> None:
    x, steps, y = small()
    scored = np.where((steps == 0) | (np.cumsum(steps) <= 20), y, np.nan)
    assert one_lag(x, steps, scored, fewest=21).reasons == ["few"]
    found = one_lag(x, steps, scored, fewest=20)
    assert found.reasons == [None]
    assert found.seen.sum(axis=2).tolist() == [[20, int((steps == 0).sum())]]


def test_history_that_tells_the_step_is_collinear_and_one_that_tells_some_is_not() -> None:
    x, steps, y = small()
    assert one_lag(np.column_stack([x, steps]), steps, y).reasons == ["collinear"]
    never = (np.arange(len(y)) < 100).astype(float)
    steps = np.where(never == 1, 0.0, steps)
    found = one_lag(np.column_stack([x, never]), steps, y)
    assert found.separated == ("x1",)
    rest = never == 0
    alone = one_lag(x[rest], steps[rest], y[rest])
    assert found.psi[0, 0] == pytest.approx(alone.psi[0, 0], abs=2e-3)
    assert found.mean([1]).se == pytest.approx(alone.mean([1]).se, rel=0.01)


def test_a_modifier_that_is_the_same_in_all_is_collinear() -> None:
    x, steps, y = small()
    assert one_lag(x, steps, y, modifiers=np.ones((len(y), 1))).reasons == ["collinear"]


def test_who_has_an_outcome_told_for_sure_does_not_stop_the_rest() -> None:
    """Columns that tell who has no outcome are met by a slight ridge; rows without one have no weight anyway."""
    x, steps, y = small(2_000)
    gone = (np.arange(len(y)) % 4 == 0).astype(float)
    both = np.column_stack([x, gone])
    found = nested_mean.fit(
        both, steps, [Lag(np.where(gone == 1, np.nan, y))], names=["x", "gone"], person=np.arange(len(y)),
    )  # fmt: skip
    assert found.reasons == [None]
    assert abs(found.psi[0, 0] - 0.5) < 3 * found.mean([1]).se
    assert found.mean([1]).se < 0.1


def test_steps_below_zero_or_unknown_are_refused() -> None:
    x, steps, y = small()
    for wrong in (-1.0, np.nan):
        with pytest.raises(ValueError, match="steps"):
            one_lag(x, np.where(np.arange(len(y)) == 3, wrong, steps), y)
