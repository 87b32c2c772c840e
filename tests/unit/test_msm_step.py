"""Stage ``estimate_msm``: files in, files out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import panel_world
import polars as pl
import pytest

from opioid_outcomes import io
from opioid_outcomes.config.covariates import Covariates
from opioid_outcomes.config.mortality import Mortality
from opioid_outcomes.contracts.canonical import CANONICAL
from opioid_outcomes.contracts.derived import DAILY_DOSE
from opioid_outcomes.contracts.displays import DISPLAYS
from opioid_outcomes.contracts.estimates import INTERNAL
from opioid_outcomes.steps.msm import SOURCES, estimate_msm

COVARIATES: dict[str, Any] = {"baseline": ["age", "sex"], "time_varying": ["hospital_days"]}


def run(
    folder: Path, notes: dict[str, Any] | None = None, missing: str = "indicator", **mortality: Any
) -> tuple[str, dict[str, Path]]:
    inputs = {}
    tables = panel_world.tables(2_500, 1)
    tables["person_time"] = tables["person_time"].with_columns(pl.col("days_since_start") + 40)  # from before entry
    for name, table in tables.items():
        inputs[name] = folder / f"{name}.parquet"
        io.write_frame(table, inputs[name])
    for name in SOURCES:
        schema = (DAILY_DOSE if name == "daily_dose" else CANONICAL[name]).schema(pl.Int64())
        inputs[name] = folder / f"{name}.parquet"
        io.write_frame(pl.DataFrame(schema=schema), inputs[name])
    inputs["notes"] = folder / "notes.json"
    io.write_json(
        inputs["notes"], {"deaths": 400, "deaths_after_observation": 1, "exposure": "time_varying"} | (notes or {})
    )
    outputs = {name: folder / f"out_{name}.parquet" for name in ("estimates", "msm_weights", "msm_truncation")}
    line = estimate_msm(
        inputs, outputs,
        {"mortality": Mortality(**{"horizons_days": [365], **mortality}).model_dump(),
         "covariates": Covariates(**COVARIATES | {"missing": missing}).model_dump(),
         "population": {"lookback_days": 365}, "study": "s", "cohort_name": "c"},
    )  # fmt: skip
    return line, outputs


def test_estimates_and_displays(tmp_path: Path) -> None:
    line, outputs = run(tmp_path)
    assert line == "5 of 5 estimates evaluable"
    table = pl.read_parquet(outputs["estimates"])
    assert table.schema == INTERNAL
    assert table.select("analysis", "study", "cohort").unique().rows() == [("mortality.msm", "s", "c")]
    assert set(table["method"]) == {"iptw", "adjusted_full"}
    assert not table["note"].str.contains("bootstrap|imputed|units").any()
    for name in ("msm_weights", "msm_truncation"):
        shown = pl.read_parquet(outputs[name])
        assert shown.schema == DISPLAYS[name].empty().schema
        assert shown.height > 0


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        found.append(run(tmp_path / name)[1])
    for name, path in found[0].items():
        assert path.read_bytes() == found[1][name].read_bytes()


def test_what_the_config_asks_and_this_analysis_does_otherwise_is_said(tmp_path: Path) -> None:
    _, outputs = run(tmp_path, missing="mi", standard_error="bootstrap")
    table = pl.read_parquet(outputs["estimates"])
    assert table["note"].str.contains("standard error by the sandwich, not the bootstrap").all()
    assert table["note"].str.contains("missing covariates are a category of their own, not imputed").all()


@pytest.mark.parametrize(
    ("notes", "mortality", "rows", "gate"),
    [
        ({}, {"analyses": ["rate"]}, 0, ""),
        ({"exposure": "baseline"}, {}, 2, "not evaluable: exposure known at one interview only"),
        ({"deaths_after_observation": 300}, {}, 5, "fail: more than 5 % of deaths"),
    ],
)
def test_when_nothing_may_be_told(
    tmp_path: Path, notes: dict[str, Any], mortality: dict[str, Any], rows: int, gate: str
) -> None:
    _, outputs = run(tmp_path, notes, **mortality)
    table = pl.read_parquet(outputs["estimates"])
    assert table.height == rows
    assert table["gate"].str.starts_with(gate).all()
    assert table["estimate"].null_count() == rows
    assert pl.read_parquet(outputs["msm_truncation"]).is_empty()
