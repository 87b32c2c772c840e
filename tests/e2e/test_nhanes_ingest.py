"""Real people through column mapping only: the counts that NHANES 1999-2014 is known to have."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from opioid_outcomes.config.load import load_config
from opioid_outcomes.config.slices import slice_of
from opioid_outcomes.ingest.rules import Ingested
from opioid_outcomes.ingest.run import read_cohort
from opioid_outcomes.ingest.sources import source_files

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "config/studies/nhanes.yaml"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory):
    patch = pytest.MonkeyPatch()
    patch.chdir(ROOT)
    loaded = load_config(STUDY)
    if not source_files(loaded.cohorts["interview"]):
        pytest.skip("the NHANES file is not beside the checkout")
    yield loaded
    patch.undo()


def ingested(config, name: str) -> Ingested:
    columns = slice_of(config, "ingest_cohort", name)["person_columns"]
    cohort = config.cohorts[name]
    return read_cohort(cohort, name, privacy=config.privacy, quality=config.quality, person_columns=columns).ingested


def test_everybody_interviewed(config) -> None:
    result = ingested(config, "interview")
    tables = result.tables
    users = tables["opioid_use"].filter(pl.col("using") == 1)
    assert tables["persons"].height == 11_519
    assert users.height == 1_693
    assert users.join(tables["deaths"], on="person_id").height == 637
    assert tables["opioid_use"].height == 11_519 - 28
    assert tables["deaths"].height == 4_218
    assert result.quality.filter(pl.col("into") == "persons").row(0)[2:] == (82_091, 11_519, 70_572, 0, 70_572)
    assert not result.warnings
    # 5,306 never smoked (LOGICAL SKIP), which is not missing; 20 are
    assert tables["persons"]["smoking"].value_counts(sort=True).rows()[0] == ("never", 5_306)
    assert tables["persons"]["smoking"].null_count() == 20
    # whole months of 30.4375 days, to the nearest day
    months = tables["observation"]["end"] / 30.4375
    assert (months - months.round()).abs().max() <= 0.5 / 30.4375 + 1e-12
    assert (
        tables["deaths"].join(tables["observation"], on="person_id").filter(pl.col("date") != pl.col("end")).is_empty()
    )


def test_everybody_examined(config) -> None:
    persons = ingested(config, "examined").tables["persons"]
    assert persons.height == 11_519 - 600
    assert persons["survey_weight"].min() > 0
    assert persons.select("stratum", "cluster", "survey_weight").null_count().sum_horizontal().item() == 0
    assert persons["stratum"].n_unique() == 118
