"""Fixed effects against R's dummies, and the columns that say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from opioid_outcomes.hyperalgesia import fixed_effects

REFERENCE = Path(__file__).parents[1] / "reference" / "hyperalgesia"
ROWS = pl.read_csv(REFERENCE / "fixed_effects_rows.csv")
NAMES = ["dose", "other"]


def fit(rows: pl.DataFrame, *, months: bool, names: list[str] = NAMES) -> fixed_effects.Within | None:
    return fixed_effects.fit(
        rows["pain"].to_numpy(), rows.select(names).to_numpy(), names=names, person=rows["person"].to_numpy(),
        period=rows["month"].to_numpy() if months else None,
    )  # fmt: skip


@pytest.mark.parametrize("model", ["person", "person and month"])
def test_slopes_and_clustered_errors_are_those_of_r(model: str) -> None:
    found = fit(ROWS, months=model != "person")
    values = {
        "dose": found.estimate[0], "other": found.estimate[1], "var_dose": found.covariance[0, 0],
        "cov": found.covariance[0, 1], "var_other": found.covariance[1, 1], "joint": found.joint_p_value([0, 1]),
    }  # fmt: skip
    expected = pl.read_csv(REFERENCE / "fixed_effects.csv", schema_overrides={"value": pl.String})
    expected = expected.with_columns(pl.col("value").str.strip_chars().cast(pl.Float64))
    for name, value in expected.filter(pl.col("model") == model).select("name", "value").iter_rows():
        assert values[name] == pytest.approx(value, rel=1e-9), name
    assert found.clusters == 80
    assert found.dropped == ()


def test_the_order_of_rows_and_the_size_of_a_constant_change_nothing() -> None:
    moved = ROWS.sample(fraction=1.0, shuffle=True, seed=3).with_columns(pl.col("pain") + 1e6)
    one, other = fit(ROWS, months=True), fit(moved, months=True)
    assert other.estimate == pytest.approx(one.estimate, rel=1e-7)
    assert other.covariance == pytest.approx(one.covariance, rel=1e-6)


def test_columns_told_by_the_effects_or_by_others_are_dropped() -> None:
    rows = ROWS.with_columns(age=pl.col("person") % 7.0, season=pl.col("month") * 2.0, nothing=pl.lit(3.0))
    rows = rows.with_columns(twice=pl.col("dose") * 2 + pl.col("age"))
    with_rest = fit(rows, months=True, names=["dose", "age", "season", "twice", "nothing", "other"])
    assert with_rest.dropped == ("age", "season", "twice", "nothing")
    assert np.isnan(with_rest.estimate[1:5]).all()
    assert with_rest.estimate[[0, 5]] == pytest.approx(fit(ROWS, months=True).estimate, rel=1e-9)
    assert with_rest.joint_p_value([0, 1, 5]) == pytest.approx(with_rest.joint_p_value([0, 5]))
    assert np.isnan(with_rest.joint_p_value([1, 2]))


@pytest.mark.parametrize(
    "rows",
    [
        ROWS.clear(),
        ROWS.head(1),
        ROWS.filter(pl.col("person") == 999),
        ROWS.unique("person", keep="first"),
        ROWS.with_columns(dose=pl.lit(0.0), other=pl.lit(1.0)),
    ],
    ids=["nothing", "one row", "one person", "a row each", "no variation"],
)
def test_nothing_varies_within_people(rows: pl.DataFrame) -> None:
    assert fit(rows, months=True) is None


def test_groups_of_people_in_different_months_are_swept_each_on_their_own() -> None:
    early = ROWS.filter(pl.col("person") % 2 == 0)
    late = ROWS.filter(pl.col("person") % 2 == 1).with_columns(pl.col("month") + 100)
    apart = fit(pl.concat([early, late]), months=True)
    rows = pl.concat([early, late])
    dummies = np.column_stack([
        rows.select(NAMES).to_numpy(),
        *(np.eye(rows[name].n_unique())[rows[name].rank("dense").to_numpy() - 1] for name in ("person", "month")),
    ])  # fmt: skip
    least = np.linalg.lstsq(dummies, rows["pain"].to_numpy(), rcond=None)[0]
    assert apart.estimate == pytest.approx(least[:2], rel=1e-8)
