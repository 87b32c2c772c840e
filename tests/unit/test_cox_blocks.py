"""A Cox fit takes its rows a block at a time: their order, layout and number change nothing, and x is not copied."""

from __future__ import annotations

import numpy as np
import pytest

from opioid_outcomes.survival import cox, products, risk_sets

N, PERSONS = 60_000, 7_000
NAMES = ["a", "b", "c"]


def simulated() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.integers(0, 2, N), rng.normal(size=(N, 2))])
    start = rng.integers(0, 300, N).astype(float)
    event = rng.random(N) < 0.02 * np.exp(0.4 * x[:, 0] + 0.2 * x[:, 1])
    person = np.sort(rng.integers(0, PERSONS, N))
    return {"start": start, "stop": start + rng.integers(1, 90, N), "event": event, "x": x, "cluster": person}


DATA = simulated()
FITTED = cox.fit(**DATA, names=NAMES)


def assert_same(other: cox.CoxFit, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(other.params, FITTED.params, rtol=rtol)
    np.testing.assert_allclose(other.covariance, FITTED.covariance, rtol=rtol, atol=1e-15)
    np.testing.assert_allclose(other.robust_covariance, FITTED.robust_covariance, rtol=10 * rtol, atol=1e-15)
    assert other.loglik == pytest.approx(FITTED.loglik, rel=1e-12)


@pytest.mark.parametrize("block", [64, 4_096, 1 << 24])
def test_size_of_a_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "BLOCK", block)
    assert_same(cox.fit(**DATA, names=NAMES))


def test_layout_of_the_covariates() -> None:
    wide = np.zeros((N, 7))
    wide[:, 1::2] = DATA["x"]
    for x in (np.asfortranarray(DATA["x"]), wide[:, 1::2], DATA["x"].astype(object).astype(float)):
        fitted = cox.fit(**DATA | {"x": x}, names=NAMES)
        assert_same(fitted)
        assert np.shares_memory(fitted.x.x, x)


def test_covariates_are_left_as_they_were() -> None:
    before = DATA["x"].copy()
    DATA["x"].flags.writeable = False
    fitted = cox.fit(**DATA, names=NAMES)
    assert fitted.residuals("score").shape == before.shape
    np.testing.assert_array_equal(DATA["x"], before)


def test_order_of_rows_and_kind_of_cluster() -> None:
    order = np.random.default_rng(1).permutation(N)
    mixed = {name: values[order] for name, values in DATA.items()}
    assert_same(cox.fit(**mixed, names=NAMES))
    for cluster in (mixed["cluster"] * 10**9 - 5, mixed["cluster"].astype("U8"), mixed["cluster"].astype(np.uint32)):
        assert_same(cox.fit(**mixed | {"cluster": cluster}, names=NAMES))


def test_times_between_whole_numbers() -> None:
    """Whole times are looked up in a table, others searched for."""
    halves = {"start": DATA["start"] / 3, "stop": DATA["stop"] / 3}
    assert_same(cox.fit(**DATA | halves, names=NAMES))


def test_strata_of_few_and_of_many_rows() -> None:
    """Cells of a stratum are found in a table, or searched for where strata times times are many."""
    for strata in (np.arange(N) % 3, np.arange(N) // 20):
        sets = risk_sets.build(DATA["start"], DATA["stop"], DATA["event"], strata)
        some = np.arange(0, N, 97)
        here = sets.stratum == strata[some, None]
        at_risk = here & (sets.time > DATA["start"][some, None]) & (sets.time <= DATA["stop"][some, None])
        np.testing.assert_array_equal(sets.last[some] - sets.first[some], at_risk.sum(axis=1))
        assert (
            at_risk[np.arange(len(some)), np.minimum(sets.first[some], sets.cells - 1)] | ~at_risk.any(axis=1)
        ).all()


def test_influence_is_the_sum_of_dfbetas() -> None:
    rng = np.random.default_rng(2)
    weights = rng.random(N) * (rng.random(N) < 0.9)  # some rows count for nothing
    fitted = cox.fit(**DATA, names=NAMES, weights=weights)
    unit = rng.integers(0, 50, N)
    expected = products.sums_by(unit, fitted.residuals("dfbeta"))
    np.testing.assert_allclose(fitted.influence(unit), expected, atol=1e-12)
    sums = products.sums_by(DATA["cluster"], fitted.residuals("dfbeta"))
    np.testing.assert_allclose(fitted.robust_covariance, sums.T @ sums, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("p", "q"), [(1, 1), (1, 40), (12, 12), (65, 3), (130, 129)])
def test_cross_product(p: int, q: int) -> None:
    rng = np.random.default_rng(4)
    x, y, weights = rng.normal(size=(5_003, p)), rng.normal(size=(5_003, q)), rng.random(5_003)
    np.testing.assert_allclose(products.cross(x, y), x.T @ y, atol=1e-9)
    np.testing.assert_allclose(
        products.cross(np.asfortranarray(x), y, weights), x.T @ (weights[:, None] * y), atol=1e-9
    )


def test_numbers_that_are_no_doubles() -> None:
    """Yes-no and whole-number covariates are taken as numbers."""
    x = DATA["x"] > 0
    np.testing.assert_allclose(
        cox.fit(**DATA | {"x": x}, names=NAMES).params, cox.fit(**DATA | {"x": 1.0 * x}, names=NAMES).params, rtol=1e-12
    )
