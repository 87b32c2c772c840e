"""``snakemake calibrate`` on a small study: every verdict's share by world, the same on any number of cores."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from workflow_runs import Checkout

from opioid_outcomes.hyperalgesia.verdict import VERDICTS

STUDY = """
study: {name: small, title: Two small simulated cohorts, seed: 5}
cohorts:
  clinic: {format: tables, path: data/clinic, simulate: {world: hyperalgesia, persons: 1200, seed: 11}}
  claims: {format: omop, path: data/claims, simulate: {world: claims, persons: 200, seed: 12}}
covariates: {baseline: [age, sex, depression]}
hyperalgesia:
  calibration: {worlds: ["null", hyperalgesia], replicates: 52, persons: 60}
"""
TABLE = "data/derived/small/calibration.csv"


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    checkout = Checkout.copied_to(tmp_path_factory.mktemp("calibrate") / "study", STUDY)
    done = checkout.snakemake("calibrate", "--cores", "2")
    assert done.code == 0, done.output
    return checkout, done.output


def test_the_table_tells_each_world_of_the_cohort_with_pain(calibrated: tuple[Checkout, str]) -> None:
    checkout, output = calibrated
    table = pl.read_csv(checkout.place / TABLE)
    assert table.select("cohort", "world", "replicates").rows() == [
        ("clinic", "null", 52), ("clinic", "hyperalgesia", 52),
    ]  # fmt: skip
    shares = table.select(pl.sum_horizontal(VERDICTS)).to_series()
    assert shares.to_list() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert table["like_simulated"].to_list() == [60, 60]
    assert table["like_people"][0] == float(f"{table['like_people'][0]:.2g}")
    assert table["config"].n_unique() == 1
    assert "[small] gather_calibration: 2 worlds of 1 cohorts; claims skipped: no pain scores" in output
    assert "[clinic] calibrate_world: null: 50 cohorts of 60 people assessed" in output
    assert "[clinic] calibrate_world: null: 2 cohorts of 60 people assessed" in output


def test_it_is_the_same_again_on_one_core(calibrated: tuple[Checkout, str]) -> None:
    place: Path = calibrated[0].place
    before = {path: path.read_bytes() for path in (place / "data/derived/small/calibration/clinic").iterdir()}
    before[place / TABLE] = (place / TABLE).read_bytes()
    for path in before:
        path.unlink()
    done = calibrated[0].snakemake("calibrate", "--cores", "1")
    assert done.code == 0, done.output
    assert len(before) == 5
    for path, old in before.items():
        assert path.read_bytes() == old, path.name
