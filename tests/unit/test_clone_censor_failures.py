"""causal.clone_censor and clone_contrasts: what makes no sense is refused, what cannot be told withheld."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opioid_outcomes.causal.clone_censor import Strategy, grid, layout, weigh
from opioid_outcomes.causal.clone_contrasts import Comparison, compare

INF, PEOPLE = np.inf, 500
EDGES = np.arange(0, 361, 30.0)


def people() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    time = np.minimum(np.ceil(rng.exponential(500, PEOPLE)), 360.0)
    ill = rng.normal(size=PEOPLE)
    begins = np.floor(rng.exponential(60 * np.exp(-0.5 * ill)))
    begins = np.where((rng.random(PEOPLE) < 0.5) & (begins < time), begins, INF)
    leaves = np.where(rng.random(PEOPLE) < 0.3, begins + rng.integers(1, 200, PEOPLE), INF)
    return {"time": time, "cause": (time < 360).astype(int), "begins": begins, "leaves": leaves, "ill": ill}


def compared(*, names: tuple[str, ...] = ("ill",), grace: float = 90.0, **changes: Any) -> Comparison:
    seen = people()
    of = seen | {name: value for name, value in changes.items() if name in seen}
    options = {name: value for name, value in changes.items() if name not in seen}
    rows = grid(of["time"], of["cause"], EDGES)
    both = (Strategy("begin", of["leaves"], of["begins"], grace), Strategy("never", of["begins"]))
    x = np.column_stack([of["ill"][rows.person]] * len(names))
    return compare(
        rows, both, x, names=names, bands=(30, 90), causes=1, **{"horizons": (90.0, 360.0), **options}
    )  # fmt: skip


def nan_first(values: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(values)) == 0, np.nan, values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": np.ones(3)}, "weights must be 500 known numbers"),
        ({"weights": nan_first(np.ones(PEOPLE))}, "weights must be 500 known numbers"),
        ({"weights": -np.ones(PEOPLE)}, "weights must be 500 known numbers"),
        ({"horizons": ()}, "horizons must be one or more times above 0"),
        ({"horizons": (0.0, 90.0)}, "horizons must be one or more times above 0"),
        ({"horizons": (np.nan,)}, "horizons must be one or more times above 0"),
        ({"truncation": (99, 1)}, "percentiles must be 0 <= low < high <= 100"),
        ({"se": "bootstap"}, "se must be sandwich or bootstrap"),
        ({"leaves": nan_first(np.full(PEOPLE, INF))}, "leaves of 'begin' must be 500 known times, 0 or later"),
        ({"begins": np.full(PEOPLE, -5.0)}, "begins of 'begin' must be 500 known times, 0 or later"),
        ({"leaves": np.zeros(3)}, "leaves of 'begin' must be 500 known times, 0 or later"),
        ({"lost": np.ones(3, bool)}, "lost must have 500 values"),
        ({"cluster": np.ones(3)}, "cluster must have 500 values"),
        ({"grace": 80.0}, "the end of grace must be one of the edges"),
        ({"ill": nan_first(np.ones(PEOPLE))}, "must be known and finite"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compared(**changes)


def test_nobody_cannot_be_compared() -> None:
    nobody = {name: values[:0] for name, values in people().items()}
    with pytest.raises(ValueError, match="there is nobody to compare"):
        compared(**nobody)


@pytest.mark.parametrize("weigh_leaving", [True, False])
def test_where_nobody_begins_that_is_the_reason_and_there_are_no_numbers(weigh_leaving: bool) -> None:
    result = compared(begins=np.full(PEOPLE, INF), leaves=np.full(PEOPLE, INF), weigh_leaving=weigh_leaving)
    assert result.problem == "'begin': nobody begins within grace"
    for h in range(2):
        for told in (result.risk_difference(h), result.risk_ratio(h), result.rmst_difference(h)):
            assert told.reason == result.problem
            assert np.isnan([told.estimate, told.se, told.ci_low, told.ci_high]).all()
    assert np.isnan(result.risk[0]).all()
    assert np.isnan(result.rmst[0]).all()
    assert np.isfinite(result.risk[1, 0])


def test_weights_without_bound_leave_no_numbers() -> None:
    begins = np.where(np.arange(PEOPLE) < PEOPLE - 1, 31.0, INF)
    result = compared(time=np.full(PEOPLE, 360.0), cause=(np.arange(PEOPLE) < 20).astype(int), begins=begins)
    for told in (result.risk_difference(1), result.risk_ratio(1)):
        assert told.reason is not None
        assert np.isnan(told.estimate)


def test_the_bootstrap_is_of_the_estimator_asked_for() -> None:
    """Weights change the difference a lot: limits of the unweighted must be about the unweighted."""
    sandwich, bootstrap = (
        compared(weigh_leaving=False, **how) for how in ({}, {"se": "bootstrap", "replicates": 200})
    )  # fmt: skip
    alone, drawn = sandwich.risk_difference(1), bootstrap.risk_difference(1)
    assert drawn.estimate == alone.estimate
    assert drawn.se == pytest.approx(alone.se, rel=0.2)
    assert drawn.ci_low == pytest.approx(alone.ci_low, abs=0.3 * alone.se)
    assert drawn.ci_high == pytest.approx(alone.ci_high, abs=0.3 * alone.se)
    replicates = bootstrap.joint.replicates
    assert replicates is not None
    np.testing.assert_allclose(replicates.mean(axis=0)[[2, 6]], bootstrap.risk[:, 1], atol=0.01)


def test_a_covariate_that_tells_who_begins_is_named_and_nothing_else_is() -> None:
    begins = people()["begins"]
    result = compared(ill=(begins < 90).astype(float))
    for clones in result.clones:
        assert clones.separated == ("ill",)
        assert clones.penalised
        assert np.isfinite(clones.weight).all()
    for clones in compared().clones:
        assert clones.separated == ()
        assert not clones.penalised


def test_a_time_in_which_nobody_leaves_is_no_covariate() -> None:
    leaves = np.where(people()["begins"] < 90, 30.0 + np.arange(PEOPLE) % 30, INF)
    rows = grid(np.full(PEOPLE, 360.0), np.zeros(PEOPLE, int), EDGES)
    found = layout(rows, Strategy("stay", leaves), np.zeros((len(rows.person), 0)), names=(), bands=(30, 60, 90))
    clones = weigh(found)
    assert (clones.problem, clones.separated, clones.penalised) == (None, (), True)
    early, late = (np.unique(clones.weight[clones.start == day]) for day in (0, 330))
    assert early == pytest.approx(1, abs=1e-3)
    assert late == pytest.approx(PEOPLE / np.isinf(leaves).sum(), rel=0.01)


def test_the_models_are_those_without_a_ridge_where_there_is_a_maximum() -> None:
    """A column said twice is left out: weights are as without it, to the last digits."""
    once, twice = compared(), compared(names=("ill", "ill again"))
    np.testing.assert_allclose(twice.risk, once.risk, rtol=1e-9)
    assert not twice.clones[0].penalised
