"""Risks of death by quitting smoking (NHEFS) against the book: Hernan & Robins (2020) Causal Inference, ch. 17.

The book smooths the hazards over months (pooled logistic regression); ours are weighted Kaplan-Meier.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.causal.weighted_risk import Risks, risks

DATA = Path(__file__).parents[3] / "shared" / "data" / "nhefs" / "nhefs.csv.gz"
MONTHS = 120

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="the NHEFS file is not beside the checkout"),
]


def survival(estimand: str) -> Risks:
    people = pl.read_csv(DATA, infer_schema_length=2000)
    columns = {"sex": people["sex"], "race": people["race"]}
    for name in ("education", "exercise", "active"):
        columns |= {f"{name}_{level}": people[name] == level for level in sorted(set(people[name]))[1:]}
    for name in ("age", "smokeintensity", "smokeyrs", "wt71"):
        columns |= {name: people[name], f"{name}_squared": people[name] ** 2}
    month = pl.when(pl.col("death") == 0).then(MONTHS).otherwise((pl.col("yrdth") - 83) * 12 + pl.col("modth"))
    x = np.column_stack([np.asarray(column, float) for column in columns.values()])
    return risks(people.select(month).to_series(), people["death"], people["qsmk"], x, names=list(columns),
                 causes=["death"], horizons=[MONTHS], estimand=estimand, person=people["seqn"])  # type: ignore[arg-type] # fmt: skip


def test_crude_survival() -> None:
    found = survival("given")
    np.testing.assert_allclose(1 - found.incidence[:, 0, 0], [0.8201, 0.7617], atol=5e-5)
    assert found.events[:, 0, 0].tolist() == [216, 102]


def test_weighted_survival_and_its_difference() -> None:
    """80.7 and 80.5 %, a difference of 0.2 points (-4.1 to 3.7)."""
    found = survival("iptw")
    np.testing.assert_allclose(1 - found.incidence[:, 0, 0], [0.80465, 0.80667], atol=1e-3)
    difference = found.risk_difference(MONTHS)
    np.testing.assert_allclose([-difference.ci_high, -difference.ci_low], [-0.037, 0.041], atol=1e-3)
