"""Balance of squares and products by matrix products, equal to making each of them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal.balance import standardised_difference
from opioid_outcomes.causal.balance_table import balance_at_horizons, balance_table, pair_names, two_valued

NAMES = ["age", "sex", "pain", "smoker"]


def people(n: int = 3_000, *, missing: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = np.column_stack(
        [rng.normal(2015, 3, n), rng.integers(0, 2, n), rng.normal(5, 2, n), rng.random(n) < 0.1]
    ).astype(float)
    if missing:
        x[rng.random((n, 4)) < 0.1] = np.nan
    treated = rng.random(n) < 1 / (1 + np.exp(0.5 - 0.3 * np.nan_to_num(x[:, 2] - 5)))
    return x, treated, rng.uniform(0, 2, n)


def with_products(x: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Squares and products, made one by one beside x."""
    pairs = pair_names(NAMES, two_valued(x))
    return np.column_stack([x, *(x[:, j] * x[:, k] for j, k in pairs.values())]), (*NAMES, *pairs)


def test_names_of_squares_and_products() -> None:
    x, _, _ = people(50)
    assert with_products(x)[1][4:] == (
        "age squared", "age x sex", "age x pain", "age x smoker", "sex x pain", "sex x smoker", "pain squared",
        "pain x smoker",
    )  # fmt: skip


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("sampled", [False, True])
def test_same_as_making_every_product(missing: bool, sampled: bool) -> None:
    x, treated, weights = people(missing=missing)
    base = np.random.default_rng(2).uniform(0.5, 3, len(x)) if sampled else None
    table = balance_table(x, NAMES, treated, weights, before=base)
    wide, names = with_products(x)
    assert table["covariate"].to_list() == list(names)
    np.testing.assert_allclose(table["smd_before"], standardised_difference(wide, treated, base), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        table["smd_after"], standardised_difference(wide, treated, weights), rtol=1e-7, atol=1e-9
    )
    plain = balance_table(x, NAMES, treated, weights, before=base, products=False)
    np.testing.assert_allclose(plain["smd_after"], table["smd_after"][:4], rtol=1e-7)


def test_a_product_out_of_balance_that_its_columns_do_not_show() -> None:
    """Treated where two traits agree: each trait is in balance, their product is far out."""
    traits = np.array([[a, b] for a in (0, 1) for b in (0, 1)] * 500, dtype=float)
    treated = np.where(traits[:, 0] == traits[:, 1], 1, 0)
    table = balance_table(traits, ["a", "b"], treated, np.ones(2000))
    assert table["smd_after"][:2].abs().max() == 0
    assert table.filter(covariate="a x b")["smd_after"].item() == pytest.approx(0.5 / np.sqrt(0.25 / 2))


def test_what_does_not_exist_is_null_and_no_difference_is_zero() -> None:
    x = np.array([[2.0, 0.0, np.nan], [2.0, 0.0, np.nan], [2.0, 1.0, 1.0], [2.0, 1.0, 3.0]])
    table = balance_table(x, ["same", "arm", "unknown"], [1, 1, 0, 0], np.ones(4)).to_dict(as_series=False)
    found = dict(zip(table["covariate"], table["smd_after"], strict=True))
    assert (found["same"], found["same squared"]) == (0, 0)
    assert (found["arm"], found["unknown"], found["unknown squared"]) == (None, None, None)
    nobody = balance_table(np.ones((3, 1)), ["a"], [1, 1, 1], np.ones(3))
    assert nobody["smd_after"].to_list() == [None]
    assert balance_table(np.zeros((4, 0)), [], [1, 0, 1, 0], np.ones(4)).height == 0
    with pytest.raises(ValueError, match="rows x names"):
        balance_table(np.ones((3, 1)), ["a"], [1, 0], np.ones(3))


def test_at_horizons_among_who_is_still_followed() -> None:
    """Pain sends the treated away: balance is lost among those who stay unless their weights make up for it."""
    rng = np.random.default_rng(3)
    n = 60_000
    pain, treated = rng.normal(size=n), np.arange(n) % 2 == 1
    stays = np.where(treated, 1 / (1 + np.exp(-1 + pain)), 0.7)
    until = np.where(rng.random(n) < stays, 100.0, 50.0)
    plain = balance_at_horizons(pain[:, None], ["pain"], treated, np.ones(n), until=until, horizons=[30, 90, 200])
    assert plain["horizon"].to_list() == [30, 90, 200]
    assert abs(plain["smd"][0]) < 0.02
    assert abs(plain["smd"][1]) > 0.2
    assert plain["smd"][2] is None
    weights = np.column_stack([np.ones(n), 1 / stays, np.ones(n)])
    mended = balance_at_horizons(pain[:, None], ["pain"], treated, weights, until=until, horizons=[30, 90, 200])
    assert abs(mended["smd"][1]) < 0.03
    empty = balance_at_horizons(pain[:, None], ["pain"], treated, np.ones(n), until=until, horizons=[])
    assert empty.schema == pl.Schema({"horizon": pl.Float64, "covariate": pl.String, "smd": pl.Float64})


def test_a_column_far_from_zero_has_the_balance_of_the_same_column_near_it() -> None:
    """A day count of 1e6 that varies by a tenth: neither it nor its square drowns in its own size."""
    rng = np.random.default_rng(4)
    near, treated, weights = rng.normal(0, 0.1, 2_000), np.arange(2_000) % 2, rng.exponential(1, 2_000)
    near -= near.mean()
    far = balance_table((near + 1e6)[:, None], ["day"], treated, weights)
    here = balance_table(near[:, None], ["day"], treated, weights)
    np.testing.assert_allclose(far["smd_after"], here["smd_after"], rtol=1e-7)
    assert here["smd_after"].abs().min() > 1e-3
    np.testing.assert_allclose(standardised_difference(near + 1e6, treated, weights), here["smd_after"][:1], rtol=1e-7)


@pytest.mark.parametrize("products", [True, False])
def test_constants_that_no_sum_holds_exactly_are_in_balance(products: bool) -> None:
    rng = np.random.default_rng(5)
    x = np.tile([0.1, 1 / 3, 7.7, 1e6 + 0.1], (1_001, 1))
    treated, weights = rng.integers(0, 2, 1_001), rng.exponential(1, 1_001)
    table = balance_table(x, list("abcd"), treated, weights, products=products)
    assert table["smd_before"].to_list() == table["smd_after"].to_list() == [0.0] * (14 if products else 4)
