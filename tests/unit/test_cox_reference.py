"""survival.cox against R survival::coxph (tests/reference/survival/cox.R)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from opioid_outcomes.survival import cox
from opioid_outcomes.survival.proportional_hazards import Transform

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
EXPECTED = json.loads((REFERENCE / "cox.json").read_text())
EVERY = 9  # cox.R keeps every ninth residual


COLUMNS = {
    "heart": ["age", "year", "surgery", "transplant"],
    "pbcseq": ["age", "log_bili", "log_protime", "edema", "albumin"],
    "plain": ["x", "a", "b"],
    "everything": ["x", "a", "b"],
}


def fit(name: str) -> cox.CoxFit:
    data, ties = name.split("_")
    names = COLUMNS[data]
    rows = pl.read_csv(REFERENCE / f"{data if data in ('heart', 'pbcseq') else 'simulated'}.csv")
    arguments: dict[str, Any] = {} if data == "plain" else {"cluster": rows["id"].to_numpy()}
    if data == "everything":
        arguments |= {
            "weights": rows["weight"].to_numpy(),
            "strata": rows["stratum"].to_numpy(),
            "offset": rows["offset"].to_numpy(),
        }
    return cox.fit(
        rows["start"].to_numpy(), rows["stop"].to_numpy(), rows["event"].to_numpy(), rows.select(names).to_numpy(),
        names=names, ties=ties, **arguments,
    )  # fmt: skip


@pytest.mark.parametrize("name", list(EXPECTED))
def test_equals_coxph(name: str) -> None:
    fitted, expected = fit(name), EXPECTED[name]
    np.testing.assert_allclose(fitted.params, expected["params"], rtol=1e-8)
    np.testing.assert_allclose(fitted.covariance, expected["covariance"], rtol=1e-6)
    np.testing.assert_allclose(fitted.robust_covariance, expected["robust"], rtol=1e-6)
    np.testing.assert_allclose([fitted.loglik_null, fitted.loglik], expected["loglik"], rtol=1e-11)


@pytest.mark.parametrize("name", list(EXPECTED))
@pytest.mark.parametrize("kind", ["martingale", "score", "dfbeta", "schoenfeld", "scaled_schoenfeld"])
def test_residuals_equal_coxph(name: str, kind: cox.Residual) -> None:
    ours = fit(name).residuals(kind)[::EVERY]
    np.testing.assert_allclose(ours, np.squeeze(EXPECTED[name][kind]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_cumulative_baseline_hazard_equals_basehaz(name: str) -> None:
    """At every event time. R's is at the weighted mean of the offset, ours at 0."""
    rows = pl.read_csv(REFERENCE / "simulated.csv")
    offset = np.average(rows["offset"], weights=rows["weight"]) if "everything" in name else 0.0
    ours = fit(name).baseline_hazard()
    assert ours["time"].to_list() == EXPECTED[name]["times"]
    np.testing.assert_allclose(ours["cumulative_hazard"] * np.exp(offset), EXPECTED[name]["hazard"], rtol=1e-7)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_likelihood_ratio_wald_and_score_tests_equal_coxph(name: str) -> None:
    fitted = fit(name)
    ours = fitted.tests()
    assert ours["test"].to_list() == ["likelihood_ratio", "wald", "wald_robust", "score"]
    assert set(ours["degrees"]) == {len(fitted.names)}
    np.testing.assert_allclose(ours["statistic"], EXPECTED[name]["tests"], rtol=1e-8)
    np.testing.assert_allclose(ours["p_value"], chi2.sf(EXPECTED[name]["tests"], len(fitted.names)), rtol=1e-6)


@pytest.mark.parametrize("name", list(EXPECTED))
@pytest.mark.parametrize("transform", ["km", "log", "identity"])
def test_proportional_hazards_equal_cox_zph(name: str, transform: Transform) -> None:
    ours = fit(name).test_proportional_hazards(transform).select("chi_square", "degrees", "p_value")
    np.testing.assert_allclose(ours.to_numpy(), EXPECTED[name]["zph"][transform], rtol=1e-6)
