"""Clustered least squares, against R (tests/reference/hyperalgesia/make_reference.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.hyperalgesia.regression import Effects, effects

REFERENCE = Path(__file__).parents[1] / "reference" / "hyperalgesia"
NAMES = ["before", "dose"]


@pytest.fixture(scope="module")
def data() -> pl.DataFrame:
    return pl.read_csv(REFERENCE / "visits.csv")


@pytest.fixture(scope="module")
def expected() -> dict[str, float]:
    frame = pl.read_csv(REFERENCE / "reference.csv", infer_schema=False)
    return {name: float(value) for name, value in frame.iter_rows()}


def fitted(data: pl.DataFrame, extra: dict[str, np.ndarray] | None = None) -> Effects | None:
    terms = {name: data[name].to_numpy() for name in NAMES} | (extra or {})
    return effects(
        data.select("pain", "mme").to_numpy(),
        data["escalate"].cast(pl.Float64).to_numpy(),
        np.stack([*terms.values()], axis=1),
        [*terms],
        data["person"].to_numpy(),
    )


def test_coefficients_and_clustered_covariance_are_those_of_sandwich(
    data: pl.DataFrame, expected: dict[str, float]
) -> None:
    fit = fitted(data)
    assert fit is not None
    assert fit.estimate == pytest.approx([expected["pain"], expected["mme"]], rel=1e-9)
    covariance = [expected[name] for name in ("var_pain", "cov", "cov", "var_mme")]
    assert fit.covariance.ravel() == pytest.approx(covariance, rel=1e-9)
    assert fit.critical() == pytest.approx(expected["critical"], rel=1e-12)
    assert fit.p_value() == pytest.approx(expected["p_pain"], rel=1e-9)
    assert fit.clusters == 60


def test_constant_and_repeated_confounders_are_dropped_by_name_and_change_nothing(data: pl.DataFrame) -> None:
    rows = len(data)
    extra = {"constant": np.full(rows, 0.1), "twice the dose": 2 * data["dose"].to_numpy() + 3}
    plain, padded = fitted(data), fitted(data, extra)
    assert plain is not None
    assert padded is not None
    assert padded.dropped == ("constant", "twice the dose")
    assert padded.estimate == pytest.approx(plain.estimate, rel=1e-10)
    assert padded.covariance.ravel() == pytest.approx(plain.covariance.ravel(), rel=1e-10)


def test_an_exposure_that_the_confounders_determine_has_no_effect(data: pl.DataFrame) -> None:
    assert fitted(data, {"copy": 1.0 - data["escalate"].to_numpy()}) is None
