"""Natural cubic splines against R splines::ns (tests/reference/survival/splines.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival import splines

EXPECTED = pl.read_csv(Path(__file__).parents[1] / "reference" / "survival" / "splines.csv")
KNOTS = {1: [-1, 2], 2: [-1, 0.5, 2], 3: [0, 10, 50, 90, 200], 4: [1, 2, 4, 8, 16, 32, 64]}


@pytest.mark.parametrize("number", list(KNOTS))
def test_equals_ns(number: int) -> None:
    rows = EXPECTED.filter(set=number)
    x = rows.filter(column=1)["x"].to_numpy()
    basis = splines.natural(x, KNOTS[number])
    assert basis.shape == (len(x), len(KNOTS[number]) - 1)
    np.testing.assert_allclose(basis.T.ravel(), rows["value"], atol=1e-10, rtol=1e-10)


def test_straight_beyond_the_knots_and_smooth_at_them() -> None:
    beyond = splines.natural([-10, -8, -6, 20, 22, 24], [-1, 1, 2])
    np.testing.assert_allclose(beyond[1] - beyond[0], beyond[2] - beyond[1], rtol=1e-12)
    np.testing.assert_allclose(beyond[4] - beyond[3], beyond[5] - beyond[4], rtol=1e-12)
    step = 1e-4
    for knot in (-1, 1, 2):
        left, at, right = splines.natural([knot - step, knot, knot + step], [-1, 1, 2])
        np.testing.assert_allclose(right - at, at - left, atol=1e-6 * step * 100)


def test_a_line_is_in_its_span_and_a_constant_is_not() -> None:
    x = np.linspace(-3, 9, 50)
    basis = splines.natural(x, [0, 2, 3, 5])
    line = np.linalg.lstsq(np.column_stack([np.ones(50), basis]), x, rcond=None)[1]
    assert line == pytest.approx(0, abs=1e-20)
    assert np.linalg.lstsq(basis, np.ones(50), rcond=None)[1] > 0.1


def test_unknown_values_stay_unknown() -> None:
    assert np.isnan(splines.natural([np.nan, 1.0], [0, 2])[:, 0]).tolist() == [True, False]


def test_knots_at_quantiles_of_the_known_values() -> None:
    np.testing.assert_allclose(splines.knots_at([0, 1, 2, 3, 4, np.nan], [0.5, 0.05, 0.95]), [0.2, 2, 3.8])
    assert splines.knots_at([0, 0, 0, 0, 9], [0.1, 0.5, 1]).tolist() == [0, 9]


@pytest.mark.parametrize("knots", [[1], [2, 1], [1, 1], [0, np.nan]])
def test_senseless_knots(knots: list[float]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        splines.natural([1.0], knots)


@pytest.mark.parametrize("x", [[], [np.nan], [3, 3, 3]])
def test_a_column_without_two_values_has_no_knots(x: list[float]) -> None:
    with pytest.raises(ValueError, match="two distinct knots"):
        splines.knots_at(x, [0.1, 0.9])
