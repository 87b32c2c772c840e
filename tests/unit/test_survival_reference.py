"""survival.kaplan_meier and survival.survey against R survfit and svycoxph (tests/reference/survival/curves.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.survival import cox, kaplan_meier, survey

REFERENCE = Path(__file__).parents[1] / "reference" / "survival"
ROWS = pl.read_csv(REFERENCE / "simulated.csv")
CURVES = pl.read_csv(REFERENCE / "kaplan_meier.csv")
SURVEY = json.loads((REFERENCE / "survey.json").read_text())


def curve(kind: str, group: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = ROWS.select(
        pl.col("id").alias("person"), "start", "stop", "event",
        pl.when(pl.col("x") > 0).then(pl.lit("high")).otherwise(pl.lit("low")).alias("group"),
        (pl.col("weight") if kind == "weighted" else pl.lit(1.0)).alias("weight"),
    )  # fmt: skip
    ours = kaplan_meier.survival_by_group(rows).filter(pl.col("group") == group)
    theirs = CURVES.filter((pl.col("kind") == kind) & (pl.col("group") == group))
    return ours.filter(pl.col("day") > 0), theirs


@pytest.mark.parametrize("kind", ["plain", "weighted"])
@pytest.mark.parametrize("group", ["high", "low"])
def test_survival_equals_survfit(kind: str, group: str) -> None:
    ours, theirs = curve(kind, group)
    assert ours["day"].to_list() == theirs["day"].to_list()
    np.testing.assert_allclose(ours["survival"], theirs["survival"], rtol=1e-9)


@pytest.mark.parametrize("group", ["high", "low"])
def test_limits_and_counts_equal_survfit(group: str) -> None:
    ours, theirs = curve("plain", group)
    np.testing.assert_allclose(np.sqrt(ours["variance"]), theirs["std_err"], rtol=1e-9)
    np.testing.assert_allclose(ours["ci_low"], theirs["ci_low"], rtol=1e-9)
    np.testing.assert_allclose(ours["ci_high"], theirs["ci_high"], rtol=1e-9)
    assert ours["events"].to_list() == theirs["n_event"].cum_sum().to_list()


@pytest.mark.parametrize("name", list(SURVEY))
def test_design_covariance_equals_svycoxph(name: str) -> None:
    site = ROWS["site"].to_numpy()
    region = np.where((site == 12) & (name == "stratified"), 9, site % 4)
    fitted = cox.fit(
        ROWS["start"].to_numpy(), ROWS["stop"].to_numpy(), ROWS["event"].to_numpy(),
        ROWS.select("x", "a", "b").to_numpy(),
        names=["x", "a", "b"], weights=ROWS["weight"].to_numpy(),
    )  # fmt: skip
    strata = None if name == "unstratified" else region
    design = survey.design_covariance(fitted.residuals("dfbeta"), strata=strata, units=site)
    np.testing.assert_allclose(fitted.params, SURVEY[name]["params"], rtol=1e-8)
    np.testing.assert_allclose(design.covariance, SURVEY[name]["covariance"], rtol=1e-6)
    assert (design.lonely, design.degrees) == {"stratified": (1, 7), "unstratified": (0, 11), "no_lonely": (0, 8)}[name]
